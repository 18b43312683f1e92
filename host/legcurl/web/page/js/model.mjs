// What the page knows: the machines as the service last told. Views ask `machines`; `changed` says
// which machine has news since the last frame.

import { takeHeadlines } from "./machine-state.mjs";

const TRACE_S = 21; // a little more than is shown

/** All machines, by id. */
export class Model {
  constructor() {
    this.machines = new Map();
    this.changed = new Set();
    this.trace = null; // of the machine that is shown large
    this.moving = []; // names of the moving figures, in the order in which they come
    this.greeted = false; // whether the service has said all it knows
  }

  /** A new connection: it says which machines there are; the trace comes from its beginning. */
  greet({ machines, moving, headlines }) {
    this.moving = moving;
    takeHeadlines(headlines);
    for (const id of this.machines.keys()) if (!machines.includes(id)) this.machines.delete(id);
    this.greeted = true;
    if (this.trace) this.follow(this.trace.machine);
  }

  /** A machine's full state. */
  takeMachine(state) {
    this.machines.set(state.id, state);
    this.changed.add(state.id);
  }

  /** The moving figures of some machines. */
  takeMoving(payload) {
    for (const [id, figures] of Object.entries(payload.m)) {
      const machine = this.machines.get(id);
      if (!machine) continue;
      this.moving.forEach((name, i) => {
        machine[name] = figures[i];
      });
      this.changed.add(id);
    }
  }

  /** Begins the trace of one machine, or none. */
  follow(id) {
    this.trace = id === null ? null : { machine: id, t: [], angle: [], phase: [], line: null, lead: null };
  }

  /** Samples of the machine that is shown large. */
  takeTrace(payload) {
    const trace = this.trace;
    if (!trace || trace.machine !== payload.machine || !payload.t.length) return;
    const last = trace.t.at(-1);
    if (last !== undefined && payload.t.at(-1) < trace.t[0]) return this.restart(payload);
    payload.angle.forEach((angle, i) => {
      const t = payload.t[i];
      if (last !== undefined && t <= last) return;
      trace.t.push(t);
      trace.angle.push(angle);
      trace.phase.push(payload.phase);
    });
    trace.line = payload.line ?? trace.line;
    const newest = trace.t.at(-1);
    let old = 0;
    while (trace.t[old] < newest - TRACE_S) old += 1;
    if (old) for (const row of [trace.t, trace.angle, trace.phase]) row.splice(0, old);
    // Sensor time runs on between arrivals: the earliest arrival so far says how far ahead of our
    // clock it is. Slowly forgotten, because the two clocks drift.
    const lead = newest - performance.now() / 1000;
    trace.lead = trace.lead === null ? lead : Math.max(lead, trace.lead - 0.002);
  }

  /** The sensor's clock began anew: what was before is of another time. */
  restart(payload) {
    this.follow(payload.machine);
    this.takeTrace(payload);
  }

  /** Gives and forgets the ids of machines that have news. */
  news() {
    const ids = this.changed;
    this.changed = new Set();
    return ids;
  }
}
