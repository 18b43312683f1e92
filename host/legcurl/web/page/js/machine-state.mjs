// What a machine's state means to somebody who looks at it: one word, one tone, and how urgently
// it wants to be looked at. Used by the tile and the large view alike, so they cannot disagree.

import { strings } from "./strings.mjs";

/** The one word: what the lifter is doing, or how it ended. */
export function word(machine) {
  if (machine.link === "lost") return strings.links.lost;
  if (machine.link === "connecting") return strings.links.connecting;
  if (machine.success) return strings.success;
  if (machine.doubt) return strings.doubt;
  if (machine.stage === "after") return machine.result?.outcome === "interrupted" ? strings.interrupted : strings.stopped;
  if (machine.stage === "before" && machine.phase !== "concentric") return strings.before;
  return strings.phases[machine.phase] ?? strings.phases.unknown;
}

/** The tone that colours it: names of the style sheet. */
export function tone(machine) {
  if (machine.link === "lost" || machine.link === "ended" || blinding(machine)) return "trouble";
  if (machine.link === "connecting") return "idle";
  if (machine.success) return "success";
  if (machine.doubt) return "doubt";
  if (machine.stage === "after") return "ended";
  if (machine.stage === "before") return "idle";
  return { concentric: "lift", hold: "hold", eccentric: "lower" }[machine.phase] ?? "rest";
}

const RANK = { doubt: 0, success: 1, trouble: 2, hold: 3, lift: 3, lower: 3, rest: 3, ended: 4, idle: 5 };

/** Order of tiles: what needs a coach first, then who is lifting, then the rest by name. */
export function byAttention(a, b) {
  return RANK[tone(a)] - RANK[tone(b)] || a.name.localeCompare(b.name, undefined, { numeric: true });
}

/** The sentence under the word: a fault, a cue, or nothing. */
export function remark(machine) {
  if (machine.link === "lost") return machine.link_reason;
  if (machine.faults?.length) return strings.faults[machine.faults[0]] ?? strings.faults.unknown;
  if (machine.catching_up_s >= 1) return strings.catchingUp(Math.round(machine.catching_up_s));
  if (machine.success) return strings.failures[machine.success.failure] ?? "";
  if (machine.cue) return strings.cues[machine.cue] ?? "";
  return "";
}

function blinding(machine) {
  return machine.faults?.some((fault) => fault !== "weak_magnet" && fault !== "strong_magnet");
}
