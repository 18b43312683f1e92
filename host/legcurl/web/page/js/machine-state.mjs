// What a machine's state means to a coach: one word, one tone, and how urgently
// it wants to be looked at. Used by the tile and the large view alike, so they cannot disagree.

import { strings } from "./strings.mjs";

const MOVES = new Set(["concentric", "hold", "eccentric"]);
const BEGUN = 0.25; // of the range: less is a lifter settling in

/**
 * The machine as it should be shown. The service knows a set by its first rep, when that is over;
 * until then the picture of the last set would stand beside a new set.
 */
export function asSeen(machine) {
  const begun = machine.stage !== "during" && MOVES.has(machine.phase) && (machine.reached ?? 1) >= BEGUN;
  if (!begun) return machine;
  return { ...machine, stage: "during", count: 0, set_s: 0, reps: [], success: null, result: null, velocity_loss: null };
}

/** The one word: what the lifter is doing, or how it ended. */
export function word(machine) {
  if (machine.link !== "up" && !over(machine)) return strings.linkWords[machine.link];
  if (machine.success) return strings.success;
  if (blinding(machine) && !over(machine)) return strings.blindSensor;
  if (machine.doubt) return strings.doubt;
  if (machine.stage === "after") return strings.endings[machine.result?.outcome] ?? strings.endings.stopped;
  if (machine.stage === "before") return strings.phases.unknown;
  return strings.phases[machine.phase] ?? strings.phases.unknown;
}

/** The tone that colours it: names of the style sheet. */
export function tone(machine) {
  if (machine.link === "connecting") return "idle";
  if (machine.link !== "up" && !over(machine)) return "trouble";
  if (machine.success) return "success";
  if (blinding(machine) && !over(machine)) return "trouble";
  if (machine.doubt) return "doubt";
  if (machine.stage === "after") return "ended";
  if (machine.stage === "before") return "idle";
  return { concentric: "lift", hold: "hold", eccentric: "lower" }[machine.phase] ?? "rest";
}

const RANK = { doubt: 0, success: 1, trouble: 2, hold: 3, lift: 3, lower: 3, rest: 3, ended: 4, idle: 5 };

/** Order of tiles: what needs a coach first, then who is lifting, then the rest by name. */
export function byAttention(a, b) {
  return rank(a) - rank(b) || strings.compareNames(a.name, b.name) || strings.compareNames(a.id, b.id);
}

/** The sentence under the word: what is wrong, a cue, or nothing. */
export function remark(machine) {
  if (machine.link === "lost") return machine.link_reason;
  if (machine.link !== "up") return "";
  if (machine.success) return strings.failures[machine.success.failure] ?? "";
  if (machine.fault) return machine.fault.text;
  if (machine.behind_s >= 1) return strings.catchingUp(Math.round(machine.behind_s));
  if (machine.doubt) return strings.doubtRemark;
  if (machine.cue) return strings.cues[machine.cue] ?? "";
  return machine.note?.text ?? "";
}

/** Whether the sensor cannot tell where the lever is. */
export function blinding(machine) {
  return machine.fault?.blind ?? false;
}

// Whatever happens to the link then, how the set ended stays true, and worth seeing.
function over(machine) {
  return machine.stage === "after";
}

// After a success the lifter rests: machines with a lift under way come first.
function rank(machine) {
  return machine.success && machine.stage === "after" ? RANK.ended : RANK[tone(machine)];
}
