// What a machine's state means to a coach: one word, one tone, and how urgently
// it wants to be looked at. Used by the tile and the large view alike, so they cannot disagree.

import { strings } from "./strings.mjs";

const TONES = {
  success: "success", stopped: "ended", interrupted: "ended", connecting: "idle", lost: "trouble", ended: "trouble",
  blind: "trouble", doubt: "doubt", ready: "idle", rest: "rest", lift: "lift", hold: "hold", lower: "lower",
};

let headlines = {}; // the word of each headline; the service says both

/** Takes the words that the service has for its headlines. */
export function takeHeadlines(words) {
  headlines = words;
}

/** The one word: what the lifter is doing, or how it ended. */
export function word(machine) {
  return headlines[machine.headline] ?? "";
}

/** The tone that colours it: names of the style sheet. */
export function tone(machine) {
  return TONES[machine.headline] ?? "idle";
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

// After a success the lifter rests: machines with a lift under way come first.
function rank(machine) {
  return machine.success && machine.stage === "after" ? RANK.ended : RANK[tone(machine)];
}
