// The hold ring: fills to the target during the squeeze, turns over when the target is met, and
// what is held beyond it runs on as a second, thinner ring outside, so that more is visibly more.

import { draw, say, set } from "./dom.mjs";
import { tenths } from "./format.mjs";

const RADIUS = 44;
const OUTER = 48.5;

/** One ring; `update(seconds, target, active)`. */
export class Ring {
  constructor(caption) {
    this.track = draw("circle", { class: "ring-track", cx: 50, cy: 50, r: RADIUS, pathLength: 1 });
    this.arc = draw("circle", { class: "ring-arc", cx: 50, cy: 50, r: RADIUS, pathLength: 1 });
    this.over = draw("circle", { class: "ring-over", cx: 50, cy: 50, r: OUTER, pathLength: 1 });
    this.tick = draw("path", { class: "ring-tick", d: "M50 1v11" });
    this.number = draw("text", { class: "ring-number", x: 50, y: 52 });
    this.caption = draw("text", { class: "ring-caption", x: 50, y: 70 }, caption);
    this.element = draw(
      "svg", { class: "ring", viewBox: "0 0 100 100", "aria-hidden": "true" },
      this.track, this.arc, this.over, this.tick, this.number, this.caption,
    );
  }

  update(seconds, target, active) {
    const share = Math.min(seconds / target, 1);
    const beyond = Math.min(Math.max(seconds / target - 1, 0), 1);
    set(this.arc, "stroke-dasharray", `${share.toFixed(4)} 2`);
    set(this.over, "stroke-dasharray", `${beyond.toFixed(4)} 2`);
    set(this.element, "data-met", seconds >= target);
    set(this.element, "data-active", active);
    set(this.element, "data-empty", seconds === 0);
    say(this.number, seconds > 0 || active ? tenths(seconds) : "–");
  }
}
