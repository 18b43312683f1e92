// Signing in with the gym's PIN, where the service asks for one.

import { ApiError, post } from "./api.mjs";
import { make, say } from "./dom.mjs";
import { strings } from "./strings.mjs";

const RETRY_MS = 2000;

/** Resolves with the session once this page may at least look. Shows the form in `place`. */
export async function signIn(session, place) {
  for (;;) {
    try {
      const found = await session();
      if (found.rights.includes("view")) return found;
      await ask(place);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) await ask(place);
      else {
        place.replaceChildren(make("p", { class: "empty" }, strings.loading));
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

function ask(place) {
  return new Promise((resolve) => {
    const pin = make("input", { type: "password", name: "pin", autocomplete: "current-password", required: true, id: "pin" });
    const trouble = make("p", { class: "trouble", role: "alert" });
    const submit = async (event) => {
      event.preventDefault();
      try {
        await post("api/login", { pin: pin.value });
        resolve();
      } catch (error) {
        say(trouble, error.status === 401 ? strings.wrongPin : error.message);
        pin.select();
      }
    };
    place.replaceChildren(
      make(
        "form", { class: "signin", onsubmit: submit },
        make("label", { for: "pin" }, strings.pin), pin,
        make("button", { type: "submit", class: "big" }, strings.signIn), trouble,
      ),
    );
    pin.focus();
  });
}
