// Who lifts, and how much: two dialogs with big buttons, for before a set and after it.
//
// Each resolves with what was chosen, null for no client or no load, and undefined if it was left.

import { get, post } from "./api.mjs";
import { make, replace, say, show } from "./dom.mjs";
import { kilograms } from "./format.mjs";
import { strings } from "./strings.mjs";

const STEPS_KG = [-5, -1.25, 1.25, 5];
const MOST_KG = 500;
const SEARCH_FROM = 8; // with fewer clients one sees them all

// Where there are keys; on a tablet, its keyboard would cover the buttons.
const keys = () => window.matchMedia("(pointer: fine)").matches;

/** Resolves with a client's id. */
export async function chooseClient() {
  const { clients } = await get("api/clients");
  clients.sort((a, b) => strings.compareNames(nameOf(a), nameOf(b)));
  return dialog(strings.client, (choose) => {
    const field = make("input", { type: "text", maxlength: 80, id: "client-name", autocomplete: "off", autofocus: keys() });
    const trouble = make("p", { class: "trouble", role: "alert" });
    const found = make("div", { class: "choices" });
    const list = () => {
      const wanted = field.value.trim().toLocaleLowerCase();
      const fitting = clients.filter((client) => nameOf(client).toLocaleLowerCase().includes(wanted));
      replace(found, ...fitting.map((client) => make("button", { type: "button", class: "big", onclick: () => choose(client.id) }, nameOf(client))));
    };
    const add = async (event) => {
      event.preventDefault();
      try {
        choose((await post("api/clients", { name: field.value })).id);
      } catch (error) {
        say(trouble, strings.failedRequest(error.message));
      }
    };
    field.addEventListener("input", list);
    list();
    return [
      make(
        "form", { class: "fields", onsubmit: add },
        make("label", { for: "client-name" }, clients.length < SEARCH_FROM ? strings.clientName : strings.findClient, field),
        make("button", { type: "submit", class: "big" }, strings.newClient),
      ),
      trouble,
      found,
      make("button", { type: "button", onclick: () => choose(null) }, strings.noClient),
    ];
  });
}

/** Resolves with kilograms; `now` is what to begin with, or null. */
export function chooseLoad(now) {
  return dialog(strings.load, (choose) => {
    const field = make("input", { type: "number", min: 0, max: MOST_KG, step: "any", inputmode: "decimal", id: "load-kg", class: "load", autofocus: keys() });
    field.value = now === null ? "" : String(now);
    const step = (by) => make("button", {
      type: "button", class: "big", "aria-label": strings.loadStep(by),
      onclick: () => {
        field.value = String(Math.min(MOST_KG, Math.max(0, (Number(field.value) || 0) + by)));
      },
    }, strings.signed(by));
    const keep = (event) => {
      event.preventDefault();
      if (field.value.trim() === "") choose(null);
      else if (field.reportValidity()) choose(Number(field.value));
    };
    return [
      make(
        "form", { class: "loading", onsubmit: keep },
        make("label", { for: "load-kg" }, strings.loadIn, field),
        make("div", { class: "steps" }, ...STEPS_KG.map(step)),
        make("button", { type: "submit", class: "big main" }, strings.save),
      ),
      make("button", { type: "button", onclick: () => choose(null) }, strings.noLoad),
    ];
  });
}

/** What to call a client: a name is kept only of those who wanted it. */
export function nameOf(client) {
  return client.name || strings.nameless(client.id);
}

/** Two big buttons, who and how much; `changed({client})` or `changed({load_kg})` is told. */
export class Entry {
  constructor(changed) {
    this.load = null;
    this.clientName = make("bdi", {});
    this.loadText = make("span", {});
    const ask = async (choice, name) => {
      const chosen = await choice();
      if (chosen !== undefined) changed({ [name]: chosen });
    };
    this.element = make(
      "div", { class: "entry" },
      make("button", { type: "button", class: "big client", onclick: () => ask(chooseClient, "client") }, make("span", { class: "muted" }, strings.client), this.clientName),
      make("button", { type: "button", class: "big load", onclick: () => ask(() => chooseLoad(this.load), "load_kg") }, make("span", { class: "muted" }, strings.load), this.loadText),
    );
  }

  update(client, load) {
    this.load = load;
    say(this.clientName, client ? nameOf(client) : strings.choose);
    say(this.loadText, load === null ? strings.choose : strings.kg(kilograms(load)));
  }
}

/** The same for those who may only look: empty until a coach has entered something. */
export class Entered {
  constructor() {
    this.element = make("p", { class: "entered" });
  }

  update(client, load) {
    const parts = [client ? nameOf(client) : null, load === null ? null : strings.kg(kilograms(load))];
    say(this.element, parts.filter(Boolean).join(" · "));
    show(this.element, Boolean(client) || load !== null);
  }
}

function dialog(title, build) {
  return new Promise((resolve) => {
    let chosen;
    const box = make("dialog", { class: "card", "aria-label": title });
    const choose = (value) => {
      chosen = value;
      box.close();
    };
    box.append(
      make("div", { class: "dialog-head" }, make("h2", {}, title), make("button", { type: "button", onclick: () => box.close() }, strings.cancel)),
      ...build(choose),
    );
    box.addEventListener("close", () => {
      box.remove();
      resolve(chosen);
    });
    document.body.append(box);
    box.showModal();
  });
}
