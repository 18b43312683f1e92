// Choosing a client: a dialog with big buttons, and a field for a new one.

import { get, post } from "./api.mjs";
import { make, say } from "./dom.mjs";
import { strings } from "./strings.mjs";

/** Resolves with a client's id, null for nobody, or undefined if the dialog was cancelled. */
export async function chooseClient() {
  const { clients } = await get("api/clients");
  return new Promise((resolve) => {
    let chosen;
    const name = make("input", { type: "text", maxlength: 80, id: "new-client", autocomplete: "off" });
    const trouble = make("p", { class: "trouble", role: "alert" });
    const dialog = make("dialog", { class: "card", "aria-label": strings.client });
    const choose = (id) => {
      chosen = id;
      dialog.close();
    };
    const add = async (event) => {
      event.preventDefault();
      try {
        choose((await post("api/clients", { name: name.value })).id);
      } catch (error) {
        say(trouble, strings.failedRequest(error.message));
      }
    };
    dialog.append(
      make("h2", {}, strings.client),
      make(
        "div", { class: "fields" },
        make("button", { type: "button", class: "big", onclick: () => choose(null) }, strings.noClient),
        ...clients.map((client) => make("button", { type: "button", class: "big", onclick: () => choose(client.id) }, client.name || client.id)),
      ),
      make("form", { class: "fields", onsubmit: add }, make("label", { for: "new-client" }, strings.clientName, name), make("button", { type: "submit" }, strings.newClient)),
      trouble,
      make("button", { type: "button", onclick: () => dialog.close() }, strings.cancel),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(chosen);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
