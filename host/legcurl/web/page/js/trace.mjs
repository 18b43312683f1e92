// The live trace of the last 20 s on a canvas: the angle as a fraction of the range, the phases
// shaded behind it, the target as a line. Drawn once a frame at the screen's own resolution.
//
// Time flows with the sensor's clock: its newest sample is drawn the moment it is here, and
// between arrivals the picture slides on, so that motion is smooth at any frame rate.

const SPAN_S = 20;
const MARGIN = 8; // on the right: room for the dot of the newest sample
const TOP = 1.12;
const BOTTOM = -0.14; // at rest the weight hangs lower than where reps begin
const INSIDE = 6; // pixels: what lies beyond is drawn at the edge, and the dot is whole
const BREAK_S = 0.3; // a hole in the samples is a hole in the line
const UNKNOWN_SPAN_DEG = 60; // shown at least, while the lifter's range is unknown

/** Draws `model.trace` into a canvas while `running`. */
export class Trace {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.resized = true;
    this.observer = new ResizeObserver(() => {
      this.resized = true;
    });
    this.observer.observe(canvas);
    this.readColours();
  }

  /** Forget the canvas. */
  close() {
    this.observer.disconnect();
  }

  /** Colours come from the style sheet, so that light and dark are decided in one place. */
  readColours() {
    const style = getComputedStyle(this.canvas);
    this.colours = Object.fromEntries(
      ["ink", "muted", "line", "lift", "hold-fill", "lower"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
    );
  }

  draw(trace, target, still) {
    if (this.resized) this.resize();
    const { context, width, height } = this;
    context.clearRect(0, 0, width, height);
    const y = (fraction) => height * (1 - (fraction - BOTTOM) / (TOP - BOTTOM));
    this.rule(y(target), [6, 5], this.colours.muted);
    this.rule(y(0), [], this.colours.line);
    if (!trace || trace.t.length < 2) return;
    const newest = trace.t.at(-1);
    const flowing = still || trace.lead === null ? newest : performance.now() / 1000 + trace.lead;
    const end = Math.max(newest, Math.min(flowing, newest + 0.5));
    const x = (t) => (width - MARGIN) * (1 - (end - t) / SPAN_S);
    this.shade(trace, x, height);
    const inside = (fraction) => Math.min(Math.max(y(fraction), INSIDE), height - INSIDE);
    this.line(trace, x, inside, scale(trace));
  }

  shade(trace, x, height) {
    const { context, colours } = this;
    const tint = { concentric: colours.lift, hold: colours["hold-fill"], eccentric: colours.lower };
    context.globalAlpha = 0.22;
    let from = 0;
    for (let i = 1; i <= trace.t.length; i += 1) {
      if (i < trace.t.length && trace.phase[i] === trace.phase[from]) continue;
      const colour = tint[trace.phase[from]];
      if (colour) {
        const right = x(trace.t[Math.min(i, trace.t.length - 1)]);
        context.fillStyle = colour;
        context.fillRect(x(trace.t[from]), 0, right - x(trace.t[from]), height);
      }
      from = i;
    }
    context.globalAlpha = 1;
  }

  line(trace, x, y, fraction) {
    const { context } = this;
    context.beginPath();
    let pen = false;
    trace.t.forEach((t, i) => {
      const angle = trace.angle[i];
      if (angle === null || (i && t - trace.t[i - 1] > BREAK_S)) pen = false;
      if (angle === null) return;
      if (pen) context.lineTo(x(t), y(fraction(angle)));
      else context.moveTo(x(t), y(fraction(angle)));
      pen = true;
    });
    context.strokeStyle = this.colours.ink;
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.stroke();
    const last = trace.angle.at(-1);
    if (last === null) return;
    context.beginPath();
    context.arc(x(trace.t.at(-1)), y(fraction(last)), 5, 0, 2 * Math.PI);
    context.fillStyle = this.colours.ink;
    context.fill();
  }

  rule(y, dashes, colour) {
    const { context } = this;
    context.beginPath();
    context.setLineDash(dashes);
    context.moveTo(0, y);
    context.lineTo(this.width, y);
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.stroke();
    context.setLineDash([]);
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    const box = this.canvas.getBoundingClientRect();
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * scale);
    this.canvas.height = Math.round(box.height * scale);
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.readColours();
    this.resized = false;
  }
}

/** From degrees to fractions of the range; to the picture's height, while no range is known. */
function scale(trace) {
  if (trace.line) {
    const [anchor, fraction, perDegree] = trace.line;
    return (angle) => fraction + shortWay(angle - anchor) * perDegree;
  }
  const known = trace.angle.filter((angle) => angle !== null);
  const first = known[0] ?? 0;
  const along = known.map((angle) => shortWay(angle - first));
  const low = Math.min(0, ...along);
  const span = Math.max(UNKNOWN_SPAN_DEG, Math.max(0, ...along) - low);
  return (angle) => (shortWay(angle - first) - low) / span;
}

function shortWay(degrees) {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}
