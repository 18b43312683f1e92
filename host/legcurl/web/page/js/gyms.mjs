// A store of many gyms: its gyms, and the newest sets of one or of all, a page at a time. The
// machines themselves are on their gym's own page.

import { get } from "./api.mjs";
import { make, replace } from "./dom.mjs";
import { table } from "./history.mjs";
import { strings } from "./strings.mjs";

/** The gyms of this store, by name; none in a gym's own. */
export const gymsOf = async () => (await get("api/gyms")).gyms;

/** The sets of a gym, or of all (`id` is empty), newest first. */
export class GymHistory {
  constructor(gyms, id) {
    this.names = new Map(gyms.map((gym) => [gym.id, gym.name]));
    this.path = `api/sets?limit=50${id ? `&gym=${encodeURIComponent(id)}` : ""}`;
    this.rows = [];
    this.found = make("div", {}, make("p", { class: "muted" }, strings.loading));
    this.more = make("button", { type: "button", hidden: "", onclick: () => this.fetch() }, strings.older);
    const to = (gym, name) => make(
      "a", { class: "button", href: gym ? `#/gym/${encodeURIComponent(gym)}` : "#/", "aria-current": gym === id ? "page" : "false" }, name,
    );
    this.element = make(
      "section", { class: "history" },
      make("div", { class: "summary" }, make("h1", {}, id ? this.names.get(id) ?? strings.noSuchGym : strings.allGyms)),
      make("nav", { class: "gyms", "aria-label": strings.gyms }, to("", strings.allGyms), ...gyms.map((gym) => to(gym.id, gym.name))),
      this.found, this.more,
    );
    this.next = "";
    this.fetch();
  }

  async fetch() {
    this.more.disabled = true;
    try {
      const page = await get(`${this.path}${this.next ? `&before=${encodeURIComponent(this.next)}` : ""}`);
      this.rows.push(...page.sets);
      this.next = page.next;
      replace(
        this.found,
        this.rows.length
          ? make("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": strings.table }, table(this.rows, null, this.names))
          : make("p", { class: "muted" }, strings.noSets),
      );
      this.more.hidden = !this.next;
    } catch (error) {
      replace(this.found, make("p", { class: "trouble", role: "alert" }, strings.failedRequest(error.message)));
    }
    this.more.disabled = false;
  }

  close() {}
}
