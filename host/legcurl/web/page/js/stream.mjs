// The live connection: server-sent events into callbacks, and the truth about blindness.
//
// The service sends something at least every 5 s. When nothing has come for longer than that,
// the tablet slept, the network is gone, or the service is: then what is on the screen is old,
// and the page must say since when. EventSource reconnects by itself and sends the id of the last
// event; what it missed comes again, or a fresh state of every machine.

const QUIET_MS = 7000; // the service's 5 s, and some patience
const LOOK_MS = 1000;
const RETRY_MS = 2000; // where EventSource has given up: the service answered with an error

/** Follows the events; `watched` names the machine whose trace is wanted, or null. */
export class Stream {
  /**
   * `on` maps event names to functions of the parsed payload; `blind(since, until)` tells; `refused`
   * is called when the service answered with an error, before the next try.
   */
  constructor(on, blind, refused) {
    this.on = on;
    this.blind = blind;
    this.refused = refused;
    this.watched = null;
    this.heard = Date.now();
    this.blindSince = null;
    this.source = null;
    this.timer = setInterval(() => this.look(), LOOK_MS);
    document.addEventListener("visibilitychange", () => this.woke());
    window.addEventListener("pageshow", () => this.woke());
  }

  /** Connects anew, with the trace of one machine or of none. */
  watch(machine) {
    if (this.source && machine === this.watched) return;
    this.watched = machine;
    this.connect();
  }

  connect() {
    this.source?.close();
    const query = this.watched === null ? "" : `?machine=${encodeURIComponent(this.watched)}`;
    const source = new EventSource(`api/events${query}`);
    this.source = source;
    this.opened = Date.now();
    for (const [name, take] of Object.entries(this.on)) {
      source.addEventListener(name, (event) => {
        this.hear();
        take(JSON.parse(event.data));
      });
    }
    source.addEventListener("alive", () => this.hear());
  }

  hear() {
    const now = Date.now();
    // After a sleep, what waited on the line may be heard before anybody has looked at the clock.
    const since = this.blindSince ?? (now - this.heard > QUIET_MS ? this.heard : null);
    this.heard = now;
    this.blindSince = null;
    if (since !== null) this.blind(since, now);
  }

  look() {
    const now = Date.now();
    if (now - this.heard > QUIET_MS && this.blindSince === null) {
      this.blindSince = this.heard;
      this.blind(this.heard, null);
    }
    const closed = this.source?.readyState === EventSource.CLOSED;
    const stuck = now - Math.max(this.heard, this.opened ?? 0) > 2 * QUIET_MS;
    if (!this.source || !(closed || stuck) || now - this.opened <= RETRY_MS) return;
    if (closed) this.refused();
    this.connect();
  }

  woke() {
    // A connection that slept may look open for minutes: ask for a new one at once.
    if (document.visibilityState === "visible" && this.source && Date.now() - this.heard > QUIET_MS) {
      this.look();
      this.connect();
    }
  }
}
