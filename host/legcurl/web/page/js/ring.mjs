// The hold ring: fills to the target during the squeeze, changes colour when it is met, and
// what is held beyond it runs on as a second, thinner ring outside, so that more is visibly more.

import { draw, say, set } from "./dom.mjs";
import { held, tenths } from "./format.mjs";
import { strings } from "./strings.mjs";

const RADIUS = 43;
const OUTER = 49.5;

/** One ring; `update(seconds, target, active)`. */
export class Ring {
  constructor() {
    this.track = draw("circle", { class: "ring-track", cx: 50, cy: 50, r: RADIUS });
    this.arc = draw("circle", { class: "ring-arc", cx: 50, cy: 50, r: RADIUS, pathLength: 1 });
    this.over = draw("circle", { class: "ring-over", cx: 50, cy: 50, r: OUTER, pathLength: 1 });
    this.tick = draw("path", { class: "ring-tick", d: "M50 0v13" });
    this.number = draw("text", { class: "ring-number", x: 50, y: 46 });
    this.caption = draw("text", { class: "ring-caption", x: 50, y: 71 });
    this.element = draw(
      "svg", { class: "ring", viewBox: "-1 -1 102 102", "aria-hidden": "true" },
      this.track, this.arc, this.over, this.tick, this.number, this.caption,
    );
  }

  update(seconds, target, active) {
    const turns = target.hold_s ? seconds / target.hold_s : 1; // a method may ask for no hold
    const share = Math.min(turns, 1);
    const beyond = Math.min(Math.max(turns - 1, 0), 1);
    const empty = seconds === 0 && !active;
    set(this.arc, "stroke-dasharray", `${share.toFixed(3)} 2`);
    set(this.over, "stroke-dasharray", `${beyond.toFixed(3)} 2`);
    set(this.element, "data-met", seconds >= target.hold_met_s - 1e-9);
    set(this.element, "data-active", active);
    set(this.element, "data-empty", seconds === 0);
    say(this.number, empty ? "" : active ? tenths(seconds) : held(seconds, target));
    say(this.caption, empty ? strings.holdTarget(target.hold_s) : strings.holdUnit);
    set(this.caption, "y", empty ? 54 : 71);
  }
}
