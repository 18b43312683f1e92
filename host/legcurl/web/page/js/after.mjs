// After a set: the picture and the table, what was good and what to work on, the comparison with
// that client's last set; and what the coach adds: client, load, note, a correction.

import { get, patch, post } from "./api.mjs";
import { make, say, show } from "./dom.mjs";
import { clock, dayAndTime, percent, tenths } from "./format.mjs";
import { RepsRow, repWord } from "./bars.mjs";
import { chooseClient } from "./clients.mjs";
import { strings } from "./strings.mjs";
import { praise } from "./praise.mjs";

const LOAD_STEPS_KG = [-5, -2.5, 2.5, 5];
const CORRECTABLE = ["muscle_success", "stopped", "interrupted"];

/** The page of one stored set. */
export class AfterSet {
  constructor(id, mayChange) {
    this.id = id;
    this.may = mayChange;
    this.element = make("section", { class: "after-set" }, make("p", { class: "muted" }, strings.loading));
    this.load();
  }

  close() {}

  async load() {
    try {
      this.show(await get(`api/sets/${encodeURIComponent(this.id)}`));
    } catch (error) {
      this.element.replaceChildren(make("p", { class: "trouble", role: "alert" }, strings.failedRequest(error.message)));
    }
  }

  show(stored) {
    const result = stored.set;
    const reps = new RepsRow();
    reps.update(result.reps);
    const { good, work } = praise(result);
    this.trouble = make("p", { class: "trouble", role: "alert" });
    this.element.dataset.outcome = result.outcome;
    this.element.replaceChildren(
      make(
        "div", { class: "summary" },
        make("h2", { class: "outcome" }, strings.outcomes[result.outcome]),
        make("span", {}, strings.rep(result.completed_reps)), make("span", {}, clock(result.time_under_load_s)),
        make("span", { class: "muted" }, dayAndTime(stored.started)),
        stored.corrected ? make("span", { class: "muted" }, strings.corrected) : null,
        stored.deleted ? make("strong", { class: "trouble" }, strings.deleted) : null,
        stored.incomplete ? make("span", { class: "trouble" }, strings.incomplete) : null,
      ),
      reps.element,
      make("div", { class: "columns" }, list(strings.good, good), list(strings.workOn, work), comparison(stored)),
      this.may ? this.fields(stored) : make("p", { class: "muted" }, strings.viewOnly),
      this.trouble,
      make("img", { src: `api/sets/${encodeURIComponent(this.id)}.png`, alt: strings.outcomes[result.outcome], loading: "lazy" }),
      make("div", { class: "card scroll" }, table(result)),
      make(
        "div", { class: "fields" },
        make("a", { class: "button", href: `api/sets/${encodeURIComponent(this.id)}.csv`, download: "" }, strings.csv),
        make("a", { class: "button", href: `api/sets/${encodeURIComponent(this.id)}.png`, download: "" }, strings.png),
        stored.client ? make("a", { class: "button", href: `#/client/${encodeURIComponent(stored.client.id)}` }, strings.history) : null,
      ),
    );
  }

  fields(stored) {
    const id = `note-${this.id}`;
    const note = make("textarea", { id, rows: 2, maxlength: 2000 });
    note.value = stored.note ?? "";
    note.addEventListener("change", () => this.change({ note: note.value }));
    const load = make("output", {}, stored.load_kg === null ? "–" : strings.kg(stored.load_kg));
    const step = (by) => make("button", {
      type: "button", "aria-label": `${strings.load} ${by > 0 ? "+" : "−"}${Math.abs(by)}`,
      onclick: () => this.change({ load_kg: Math.max(0, (stored.load_kg ?? 0) + by) }),
    }, `${by > 0 ? "+" : "−"}${Math.abs(by)}`);
    const [less5, less, more, more5] = LOAD_STEPS_KG.map(step);
    const choose = make("button", {
      type: "button", class: "big",
      onclick: async () => {
        const client = await chooseClient();
        if (client !== undefined) this.change({ client });
      },
    }, stored.client ? stored.client.name || stored.client.id : strings.noClient);
    return make(
      "div", { class: "card fields" },
      make("div", {}, make("p", { class: "muted" }, strings.client), choose),
      make("div", {}, make("p", { class: "muted" }, strings.load), make("div", { class: "stepper" }, less5, less, load, more, more5)),
      make("label", { for: id }, strings.note, note),
      this.corrections(stored),
    );
  }

  corrections(stored) {
    const remove = make("button", {
      type: "button", class: "danger",
      onclick: () => this.correct({ kind: stored.deleted ? "restore" : "delete", value: null }),
    }, stored.deleted ? strings.restoreSet : strings.deleteSet);
    const count = make("input", { type: "number", min: 0, max: 200, inputmode: "numeric", id: `count-${this.id}` });
    count.value = String(stored.set.completed_reps);
    count.addEventListener("change", () => this.correct({ kind: "count", value: Number(count.value) }));
    const outcome = make("select", { id: `outcome-${this.id}` }, ...CORRECTABLE.map((name) => make("option", { value: name }, strings.outcomes[name])));
    outcome.value = stored.set.outcome;
    outcome.addEventListener("change", () => this.correct({ kind: "outcome", value: outcome.value }));
    this.reason = make("input", { type: "text", maxlength: 200, id: `reason-${this.id}` });
    return make(
      "details", {},
      make("summary", {}, strings.correct),
      make(
        "div", { class: "fields" },
        make("label", { for: `reason-${this.id}` }, strings.reason, this.reason),
        make("label", { for: `count-${this.id}` }, strings.correctCount, count),
        make("label", { for: `outcome-${this.id}` }, strings.correctOutcome, outcome),
        remove,
      ),
    );
  }

  correct(correction) {
    return this.write(() => post(`api/sets/${encodeURIComponent(this.id)}/corrections`, { ...correction, reason: this.reason.value }));
  }

  change(fields) {
    return this.write(() => patch(`api/sets/${encodeURIComponent(this.id)}`, fields));
  }

  async write(request) {
    try {
      await request();
      await this.load();
    } catch (error) {
      say(this.trouble, strings.failedRequest(error.message));
      show(this.trouble, true);
    }
  }
}

function list(title, lines) {
  return make("div", { class: "card" }, make("h3", {}, title), make("ul", {}, ...lines.map((line) => make("li", {}, line))));
}

function comparison(stored) {
  const before = stored.previous;
  if (!before) return stored.client ? list(strings.compare, [strings.nothingToCompare]) : null;
  const difference = (now, then, text) => `${now === then ? "=" : now > then ? "▲" : "▼"} ${text(then)} → ${text(now)}`;
  return list(strings.compare, [
    difference(stored.completed_reps, before.completed_reps, (n) => strings.rep(n)),
    difference(Math.round(stored.time_under_load_s), Math.round(before.time_under_load_s), (s) => clock(s)),
    stored.load_kg !== null && before.load_kg !== null ? difference(stored.load_kg, before.load_kg, (kg) => strings.kg(kg)) : null,
  ].filter(Boolean));
}

function table(result) {
  const c = strings.columns;
  const row = (rep) => make(
    "tr", {},
    make("th", { scope: "row" }, String(rep.number)), make("td", {}, repWord(rep)),
    make("td", {}, strings.seconds(tenths(rep.concentric_s))), make("td", {}, strings.seconds(tenths(rep.hold_s))),
    make("td", {}, strings.seconds(tenths(rep.eccentric_s))), make("td", {}, strings.percent(percent(rep.rom_fraction))),
    make("td", {}, strings.seconds(tenths(rep.rest_before_s))),
  );
  return make(
    "table", {},
    make("thead", {}, make("tr", {}, ...[c.number, c.result, c.up, c.hold, c.down, c.range, c.rest].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...result.reps.map(row)),
  );
}
