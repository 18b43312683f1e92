// Numbers and times as they are shown. A figure that is not known is a dash, never a zero.

/** What is not known. */
export const UNKNOWN = "–";

/** Seconds with one decimal, cut rather than rounded: 2.96 s has not reached 3 s. */
export function tenths(seconds) {
  return seconds === null || seconds === undefined ? UNKNOWN : (Math.floor(seconds * 10 + 1e-6) / 10).toFixed(1);
}

/** Seconds of something that is over, with one decimal, as the set's picture and the terminal round it. */
export function rounded(seconds) {
  return seconds.toFixed(1);
}

/** A hold that is over: rounded, but one that is too short never reads as the shortest that is long enough. */
export function held(seconds, target) {
  const text = rounded(seconds);
  const flatters = seconds < target.hold_met_s - 1e-9 && text === rounded(target.hold_met_s);
  return flatters ? (Math.floor(seconds * 100) / 100).toFixed(2) : text;
}

/** A fraction in whole per cent, cut. */
export function percent(fraction) {
  return fraction === null || fraction === undefined ? UNKNOWN : String(Math.floor(fraction * 100 + 1e-6));
}

/** Minutes and seconds: 1:05. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** The time of day of a moment, in the tablet's own way. */
export function timeOfDay(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** A day, short. */
export function day(moment) {
  return new Date(moment).toLocaleDateString([], { day: "numeric", month: "short" });
}

/** Kilograms with as many decimals as they have. */
export function kilograms(load) {
  return load === null || load === undefined ? UNKNOWN : load.toLocaleString([], { maximumFractionDigits: 2 });
}

/** Day and time, short. */
export function dayAndTime(moment) {
  return new Date(moment).toLocaleString([], {
    weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  });
}
