// Keeps the tablet's screen on while the page is looked at, where the browser lets a page ask for
// that: only over https or on the computer itself.

/** Asks now, and again whenever the page comes back into view: the browser lets go when it goes. */
export function stayAwake() {
  if (!("wakeLock" in navigator)) return;
  const ask = () => {
    // Refused (a battery that is low): then the screen sleeps, and the page says since when.
    if (document.visibilityState === "visible") navigator.wakeLock.request("screen").catch(() => null);
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}
