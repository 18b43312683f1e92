// After a set: the picture and the table, what was good and what to work on, the comparison with
// that client's last set; and what the coach adds: client, load, note, a correction.

import { get, patch, post } from "./api.mjs";
import { make, replace, say, set, show } from "./dom.mjs";
import { UNKNOWN, clock, dayAndTime, held, kilograms, percent, rounded } from "./format.mjs";
import { RepsRow, repWord } from "./bars.mjs";
import { Entry, Entered, nameOf } from "./choosing.mjs";
import { strings } from "./strings.mjs";

const CORRECTABLE = ["muscle_success", "stopped", "interrupted"];
const REPS_MAX = 200;
const TYPED_MS = 800; // of quiet, and a note is kept: the next lifter may begin while the coach writes

/** The page of one stored set; `below` the large view of its machine, which has shown its reps. */
export class AfterSet {
  constructor(id, mayChange, { below = false } = {}) {
    this.id = id;
    this.path = `api/sets/${encodeURIComponent(id)}`;
    this.may = mayChange;
    this.below = below;
    this.note = make("textarea", { rows: 2, maxlength: 2000, oninput: () => this.typed(), onchange: () => this.keepNote() });
    this.unsaved = null; // what was typed and the service does not know yet
    this.pause = 0;
    this.writing = false;
    this.element = make("section", { class: "after-set", "aria-label": strings.afterSet }, make("p", { class: "muted" }, strings.loading));
    this.load();
  }

  /** Leaves the page: what was just typed is kept. */
  close() {
    this.keepNote();
  }

  /** A set was changed. While one is being corrected here, the form stays. */
  corrected(setId) {
    if (setId === this.id && !this.writing && !this.element.querySelector("form :focus")) this.load();
  }

  async load() {
    try {
      const stored = await get(this.path);
      const at = this.focusable().indexOf(document.activeElement);
      this.show(stored);
      this.focusable()[at]?.focus({ preventScroll: true }); // the new element where the old one was
    } catch (error) {
      this.element.replaceChildren(make("p", { class: "trouble", role: "alert" }, strings.failedRequest(error.message)));
    }
  }

  show(stored) {
    const result = stored.set;
    const reps = new RepsRow();
    reps.update(result.reps, stored.target);
    const { good, work } = stored.feedback;
    const opened = this.element.querySelector("details")?.open ?? false;
    this.trouble = make("p", { class: "trouble", role: "alert" });
    show(this.trouble, false);
    set(this.element, "data-outcome", result.outcome);
    replace(
      this.element,
      summary(stored, this.below),
      this.below ? null : reps.element,
      make("div", { class: "columns" }, list(strings.good, good), list(strings.workOn, work), comparison(stored)),
      this.entry(stored),
      this.trouble,
      this.picture(stored),
      make("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": strings.table }, table(result, stored.target)),
      this.may ? this.corrections(stored, opened) : history(stored),
      make(
        "div", { class: "fields" },
        make("a", { class: "button", href: `${this.path}.csv`, download: "" }, strings.csv),
        make("a", { class: "button", href: `${this.path}.png`, download: "" }, strings.png),
        stored.client ? make("a", { class: "button", href: `#/client/${encodeURIComponent(stored.client.id)}` }, strings.historyOf(nameOf(stored.client))) : null,
      ),
    );
  }

  /** On a phone it keeps the size at which its words can be read, and is moved sideways. */
  picture(stored) {
    const alt = strings.pictureOf(strings.outcomes[stored.set.outcome], stored.count);
    const image = make("img", { src: `${this.path}.png?${stored.corrections.length}`, alt, width: 1200, height: 560 });
    return make("div", { class: "picture scroll", tabindex: 0, role: "region", "aria-label": strings.picture }, image);
  }

  entry(stored) {
    const shown = this.may ? new Entry((fields) => this.change(fields)) : new Entered();
    shown.update(stored.client, stored.load_kg);
    if (!this.may) return make("div", { class: "card" }, shown.element, stored.note ? make("p", {}, stored.note) : null, make("p", { class: "muted" }, strings.viewOnly));
    if (this.unsaved === null) this.note.value = stored.note ?? "";
    return make("div", { class: "card fields" }, shown.element, make("label", { class: "note" }, strings.note, this.note));
  }

  corrections(stored, opened) {
    const count = make("input", { type: "number", min: 0, max: REPS_MAX, step: 1, required: true, inputmode: "numeric" });
    count.value = String(stored.count);
    const outcome = make("select", {}, ...CORRECTABLE.map((name) => make("option", { value: name }, strings.outcomes[name])));
    outcome.value = stored.set.outcome;
    const reason = make("input", { type: "text", maxlength: 200 });
    const correct = (kind, value) => this.write(() => post(`${this.path}/corrections`, { kind, value, reason: reason.value }));
    const save = async (event) => {
      event.preventDefault();
      if (Number(count.value) !== stored.count) await correct("count", Number(count.value));
      if (outcome.value !== stored.set.outcome) await correct("outcome", outcome.value);
    };
    return make(
      "details", { class: "card", open: opened },
      make("summary", {}, strings.correct),
      make(
        "form", { class: "fields", onsubmit: save },
        make("label", {}, strings.reason, reason),
        make("label", {}, strings.correctCount, count),
        make("label", {}, strings.correctOutcome, outcome),
        make("button", { type: "submit", class: "big" }, strings.save),
        make("button", { type: "button", class: "big danger", onclick: () => correct(stored.deleted ? "restore" : "delete", null) }, stored.deleted ? strings.restoreSet : strings.deleteSet),
      ),
      history(stored),
    );
  }

  focusable() {
    return [...this.element.querySelectorAll("a, button, input, select, textarea, summary")];
  }

  change(fields) {
    return this.write(() => patch(this.path, fields));
  }

  typed() {
    this.unsaved = this.note.value;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.keepNote(), TYPED_MS);
  }

  /** Nothing else on the page depends on a note: it is kept without being shown anew. */
  async keepNote() {
    clearTimeout(this.pause);
    const note = this.unsaved;
    if (note === null) return;
    try {
      await patch(this.path, { note });
      if (this.unsaved === note) this.unsaved = null;
      show(this.trouble, false);
    } catch (error) {
      say(this.trouble, strings.failedRequest(error.message));
      show(this.trouble, true);
    }
  }

  async write(request) {
    this.writing = true;
    try {
      await request();
      await this.load();
    } catch (error) {
      say(this.trouble, strings.failedRequest(error.message));
      show(this.trouble, true);
    } finally {
      this.writing = false;
    }
  }
}

function summary(stored, below) {
  return make(
    "div", { class: "summary" },
    make(below ? "h2" : "h1", { class: "outcome" }, strings.outcomes[stored.set.outcome]),
    make("span", {}, strings.rep(stored.count)), make("span", {}, clock(stored.set.time_under_load_s)),
    make("span", { class: "muted" }, stored.machine.name), make("span", { class: "muted" }, dayAndTime(stored.started)),
    stored.corrected ? make("span", { class: "muted" }, strings.corrected) : null,
    stored.deleted ? make("strong", { class: "trouble" }, strings.deleted) : null,
    stored.incomplete ? make("span", { class: "trouble" }, strings.incomplete) : null,
  );
}

function list(title, lines) {
  if (!lines.length) return null;
  return make("div", { class: "card" }, make("h2", {}, title), make("ul", {}, ...lines.map((line) => make("li", {}, line))));
}

function comparison(stored) {
  const before = stored.previous;
  if (!before) return stored.client ? list(strings.compare, [strings.nothingToCompare]) : null;
  const change = (now, then, text) => strings.change(now === then ? "=" : now > then ? "▲" : "▼", text(then), text(now));
  const seconds = (row) => Math.floor(row.time_under_load_s);
  return list(strings.compare, [
    change(stored.count, before.count, strings.rep),
    change(seconds(stored), seconds(before), (s) => strings.underLoad(clock(s))),
    change(stored.holds_met, before.holds_met, strings.holds),
    stored.load_kg !== null && before.load_kg !== null ? change(stored.load_kg, before.load_kg, (kg) => strings.kg(kilograms(kg))) : null,
  ].filter(Boolean));
}

/** Who corrected what, and when: a correction hides nothing. */
function history(stored) {
  if (!stored.corrections.length) return null;
  const what = { outcome: (value) => strings.outcomes[value], count: (value) => strings.rep(value) };
  return make("ul", { class: "corrections" }, ...stored.corrections.map((one) => make(
    "li", {}, strings.correction(dayAndTime(one.at), one.who, strings.correctionKinds[one.kind], what[one.kind]?.(one.value) ?? "", one.reason),
  )));
}

function table(result, target) {
  const c = strings.columns;
  const row = (rep) => make(
    "tr", {},
    make("th", { scope: "row" }, String(rep.number)), make("td", {}, repWord(rep)),
    make("td", {}, strings.seconds(rounded(rep.concentric_s))), make("td", {}, rep.completed ? strings.seconds(held(rep.hold_s, target)) : UNKNOWN),
    make("td", {}, strings.seconds(rounded(rep.eccentric_s))), make("td", {}, strings.percent(percent(rep.rom_fraction))),
    make("td", {}, strings.seconds(rounded(rep.rest_before_s))),
  );
  return make(
    "table", {},
    make("thead", {}, make("tr", {}, ...[c.number, c.result, c.up, c.hold, c.down, c.range, c.rest].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...result.reps.map(row)),
  );
}
