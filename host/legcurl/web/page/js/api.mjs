// Asking the service. A refusal becomes an ApiError whose message is fit to show.

let csrf = "";

/** What the service refused, in words; `status` is the HTTP status, 0 without an answer. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Who this page may be: { rights: ["view", "change"], csrf }. Call before any write. */
export async function session() {
  const found = await request("GET", "api/session");
  csrf = found.csrf ?? "";
  return found;
}

export const get = (path) => request("GET", path);
export const post = (path, body) => write("POST", path, body);
export const patch = (path, body) => write("PATCH", path, body);

// A service that was started anew has a token of its own: ask for it, once, before giving up.
async function write(method, path, body) {
  const before = csrf;
  try {
    return await request(method, path, body);
  } catch (error) {
    if (error.status !== 403) throw error;
    await session();
    if (csrf === before) throw error;
    return request(method, path, body);
  }
}

async function request(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: method === "GET" ? {} : { "Content-Type": "application/json", "X-Csrf-Token": csrf },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    throw new ApiError(0, error.message);
  }
  const text = await answer.text();
  let parsed = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(answer.status, answer.statusText);
  }
  if (answer.ok) return parsed;
  const words = [parsed?.error, parsed?.remedy].filter(Boolean).join(" ");
  throw new ApiError(answer.status, words || answer.statusText);
}
