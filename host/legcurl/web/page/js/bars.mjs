// Bars: the range of motion with the lifter's target, the set's clock with its window, and the
// row of reps. Plain elements that the style sheet draws; the figures go in as custom properties.

import { make, say, set, style } from "./dom.mjs";
import { UNKNOWN, clock, held, percent } from "./format.mjs";
import { strings } from "./strings.mjs";

const RANGE_TOP = 1.1; // the bar's right end: some reps go beyond the range known so far
const CLOCK_END_S = 150;
const HELD_DIGITS_REPS = 14; // more bars are too narrow for a number in each

/** The range bar: `update(now, reached, target)` in fractions of the lifter's range. */
export class RangeBar {
  constructor() {
    this.fill = make("i", { class: "fill" });
    this.peak = make("i", { class: "peak" });
    this.mark = make("i", { class: "mark" });
    this.number = make("span", { class: "number" });
    this.full = make("span", {});
    this.element = make(
      "div", { class: "range-bar" },
      make("span", { class: "label" }, strings.range),
      make("div", { class: "track" }, this.fill, this.peak, this.mark),
      this.number,
      make("div", { class: "ticks", "aria-hidden": "true" }, this.full),
    );
  }

  update(now, reached, target) {
    style(this.fill, "--at", String(Math.min(Math.max(now ?? 0, 0) / RANGE_TOP, 1)));
    style(this.peak, "--at", String(Math.min((reached ?? 0) / RANGE_TOP, 1)));
    style(this.mark, "--at", String(target / RANGE_TOP));
    style(this.full, "--at", String(target / RANGE_TOP));
    say(this.full, strings.percent(percent(target)));
    set(this.element, "data-full", reached !== null && reached >= target);
    set(this.element, "data-known", now !== null);
    say(this.number, now === null && reached === null ? UNKNOWN : strings.percent(percent(reached ?? now)));
  }
}

/** The set's clock: `update(seconds, [from, to])`. */
export class SetClock {
  constructor() {
    this.fill = make("i", { class: "fill" });
    this.window = make("i", { class: "window" });
    this.number = make("span", { class: "number" });
    this.ends = [make("span", {}), make("span", {})];
    this.element = make(
      "div", { class: "set-clock" },
      make("span", { class: "label" }, strings.set),
      make("div", { class: "track" }, this.fill, this.window),
      this.number,
      make("div", { class: "ticks", "aria-hidden": "true" }, ...this.ends),
    );
  }

  update(seconds, [from, to]) {
    style(this.fill, "--at", String(Math.min(seconds / CLOCK_END_S, 1)));
    style(this.window, "--from", String(from / CLOCK_END_S));
    style(this.window, "--to", String(to / CLOCK_END_S));
    this.ends.forEach((end, i) => {
      style(end, "--at", String([from, to][i] / CLOCK_END_S));
      say(end, clock([from, to][i]));
    });
    set(this.element, "data-place", seconds < from ? "early" : seconds <= to ? "in" : "late");
    say(this.number, clock(seconds));
  }
}

/** The word for how a rep went. */
export function repWord(rep) {
  if (rep.failed) return strings.failed;
  return rep.completed ? strings.done : strings.partial;
}

/** The row of reps: one bar each, as high as its range, coloured by its hold. */
export class RepsRow {
  constructor() {
    this.element = make("ol", { class: "reps-row", "aria-label": strings.repsRow });
    this.shown = "";
  }

  update(reps, target) {
    const seen = JSON.stringify(reps.map((rep) => [rep.number, rep.rom_fraction, rep.hold_s, rep.failed, rep.completed]));
    if (seen === this.shown) return;
    this.shown = seen;
    set(this.element, "data-many", reps.length > HELD_DIGITS_REPS);
    this.element.replaceChildren(...reps.map((rep) => bar(rep, target)));
  }
}

// A mark besides the colour: a tick for a hold that was met, a cross for the rep that failed.
function sign(rep) {
  if (rep.failed) return "✕";
  if (!rep.completed) return "–";
  return rep.hold_met ? `${rep.number}✓` : String(rep.number);
}

function bar(rep, target) {
  const hold = strings.seconds(held(rep.hold_s, target));
  const label = strings.repLabel(rep.number, strings.percent(percent(rep.rom_fraction)), hold, repWord(rep));
  const element = make(
    "li", { title: label, "data-hold": rep.hold_met ? "met" : "short", "data-result": rep.failed ? "failed" : rep.completed ? "done" : "partial" },
    make("i", { "aria-hidden": "true" }, rep.completed ? make("b", {}, held(rep.hold_s, target)) : null),
    make("span", { "aria-hidden": "true" }, sign(rep)),
    make("span", { class: "spoken" }, label),
  );
  style(element, "--rom", String(Math.min(Math.max(rep.rom_fraction, 0.04), 1.1) / 1.1));
  return element;
}
