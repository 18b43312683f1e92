// What a screen reader says: the count when it changes, a doubt, the outcome. Never every frame.

import { say } from "./dom.mjs";
import { strings } from "./strings.mjs";

/** Writes into the live region of the page. */
export class Speaker {
  constructor(region) {
    this.region = region;
    this.last = new Map();
  }

  /** Says what changed on `machine`; while one machine is shown large, only that one speaks. */
  heed(machine, shown) {
    const ended = machine.stage === "after" && machine.result ? machine.result.outcome : null;
    const outcome = machine.success ? "muscle_success" : ended;
    const now = { count: machine.count, doubt: Boolean(machine.doubt), outcome };
    const before = this.last.get(machine.id);
    this.last.set(machine.id, now);
    if (!before || (shown !== undefined && shown !== machine.id)) return;
    if (now.outcome && now.outcome !== before.outcome) {
      say(this.region, strings.spokenOutcome(machine.name, strings.outcomes[now.outcome] ?? "", now.count));
    } else if (now.doubt && !before.doubt) {
      say(this.region, strings.spokenDoubt(machine.name));
    } else if (now.count > before.count) {
      say(this.region, strings.spokenCount(machine.name, now.count));
    }
  }
}
