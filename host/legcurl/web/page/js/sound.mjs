// Sound, off until the coach switches it on: a tone for each rep, a tick for each second of a hold,
// a chord for Muscle Success; and the count spoken, where the browser can. Browsers let a page
// sound only after a touch: switching on is that touch.

import { strings } from "./strings.mjs";

const REP_HZ = 660;
const TICK_HZ = 990;
const SUCCESS_HZ = [523.25, 659.25, 783.99, 1046.5];
const VOLUME = 0.25;

/** Hears what changes on one machine and sounds it. */
export class Sound {
  constructor() {
    this.on = false;
    this.voice = false;
    this.context = null;
    this.last = new Map();
  }

  /** Switches; to be called from a click. */
  toggle() {
    this.on = !this.on;
    if (this.on) {
      this.context ??= new AudioContext();
      this.context.resume();
      this.tone(REP_HZ, 0.08);
    } else {
      window.speechSynthesis?.cancel();
    }
    return this.on;
  }

  /** Whether this browser can speak. */
  get speaks() {
    return "speechSynthesis" in window;
  }

  /** Compares a machine with what it was and sounds the difference. */
  heed(machine) {
    const before = this.last.get(machine.id);
    const now = {
      count: machine.count,
      held: machine.phase === "hold" ? Math.floor(machine.hold_s + 1e-6) : 0,
      success: Boolean(machine.success),
      stage: machine.stage,
    };
    this.last.set(machine.id, now);
    if (!this.on || !before || !this.context) return;
    if (now.success && !before.success) {
      SUCCESS_HZ.forEach((hz, i) => this.tone(hz, 0.5, i * 0.14));
      this.speak(strings.successShort);
    } else if (now.count > before.count) {
      this.tone(REP_HZ, 0.12);
      this.speak(String(now.count));
    } else if (now.held > before.held) {
      this.tone(now.held === Math.floor(machine.target.hold_s) ? TICK_HZ * 1.5 : TICK_HZ, 0.06);
    }
  }

  tone(hz, seconds, delay = 0) {
    const { context } = this;
    if (context.state !== "running") context.resume(); // a tablet that slept has stopped it
    const at = context.currentTime + delay;
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    oscillator.frequency.value = hz;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(VOLUME, at + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.001, at + seconds);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(at);
    oscillator.stop(at + seconds);
  }

  speak(text) {
    if (!this.voice || !this.speaks) return;
    window.speechSynthesis.cancel(); // the newest count is the one that counts
    window.speechSynthesis.speak(new SpeechSynthesisUtterance(text));
  }
}
