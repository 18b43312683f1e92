// What was good about a set and what to work on, in the coach's words. Plain rules on the measured
// reps; at most three of each, the most telling first.

import { tenths } from "./format.mjs";
import { strings } from "./strings.mjs";

const SLOW_LOWERING_S = 3; // "slowly resists the weight back"
const REST_S = 1;
const WINDOW_S = [60, 120];
const MOST = 3;

/** { good: [...], work: [...] } for a set. */
export function praise(result) {
  const good = [];
  const work = [];
  const full = result.reps.filter((rep) => rep.completed);
  const met = full.filter((rep) => rep.hold_met).length;
  const shortOfRange = result.reps.filter((rep) => !rep.failed && !rep.full_rom).length;
  const rested = result.reps.filter((rep) => rep.rest_before_s >= REST_S).length;
  const lowering = full.reduce((sum, rep) => sum + rep.eccentric_s, 0) / Math.max(full.length, 1);
  const g = strings.goodThings;
  const w = strings.workThings;

  if (result.outcome === "muscle_success") good.push(g.toFailure);
  else if (result.outcome === "stopped") work.push(w.failure);
  if (full.length && met === full.length) good.push(g.allHolds);
  else if (full.length && met * 2 >= full.length) good.push(g.someHolds(met, full.length));
  if (full.length && met < full.length) work.push(w.holds(met, full.length));
  if (full.length && shortOfRange === 0) good.push(g.fullRange);
  if (shortOfRange) work.push(w.range(shortOfRange));
  if (full.length && lowering >= SLOW_LOWERING_S) good.push(g.slow);
  else if (full.length) work.push(w.lower(tenths(lowering)));
  if (rested) work.push(w.rests(rested));
  if (result.time_under_load_s < WINDOW_S[0] && result.outcome === "muscle_success") work.push(w.tooShort);
  else if (result.time_under_load_s > WINDOW_S[1]) work.push(w.tooLong);
  else if (result.time_under_load_s >= WINDOW_S[0]) good.push(g.inWindow);
  return { good: good.slice(0, MOST), work: work.slice(0, MOST) };
}
