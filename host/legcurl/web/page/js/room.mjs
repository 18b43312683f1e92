// The room: a tile a machine, those that need a coach first. A tile alone tells what its lifter
// is doing: the count, one word in a colour of its own, the hold ring, the set's clock.
//
// The tiles are as large as the screen lets them be: one machine fills a wall, sixty fit on it.

import { make, say, set, show, style } from "./dom.mjs";
import { clock } from "./format.mjs";
import { byAttention, remark, tone, word } from "./machine-state.mjs";
import { Ring } from "./ring.mjs";
import { strings } from "./strings.mjs";

const SORT_MS = 1500; // tiles that jump about cannot be read: an order has to last so long first
const TOUCHED_MS = 2500; // and nothing moves under a finger, or just before one
const MOVE_MS = 350;
const GAP = 12; // of the style sheet's .room
const MIN_WIDTH = 150;
const MIN_HEIGHT = 138;
const RATIO = 1.5; // of a tile that looks right

/** The page of all machines. */
export class Room {
  constructor(model) {
    this.model = model;
    this.tiles = new Map();
    this.grid = make("ul", { class: "room", "aria-label": strings.room });
    this.empty = make(
      "div", { class: "empty" },
      make("p", {}, strings.noMachines), make("p", { class: "muted" }, strings.noMachinesRemedy),
    );
    this.element = make("section", {}, make("h1", { class: "spoken" }, strings.room), this.grid, this.empty);
    this.sorted = "";
    this.sortAt = 0;
    this.waiting = false; // for an order to last
    this.fitted = 0; // tiles that the columns were chosen for; 0: choose anew
    this.observer = new ResizeObserver(() => {
      this.fitted = 0;
    });
    this.observer.observe(document.documentElement);
    this.observer.observe(this.grid);
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    for (const kind of ["pointermove", "pointerdown"]) {
      this.grid.addEventListener(kind, () => {
        this.sortAt = Math.max(this.sortAt, performance.now() + TOUCHED_MS);
      }, { passive: true });
    }
    show(this.empty, false);
  }

  /** Called once a frame with the ids that have news. */
  frame(news) {
    for (const id of news) if (this.model.machines.has(id)) this.update(this.model.machines.get(id));
    for (const [id, tile] of this.tiles) {
      if (this.model.machines.has(id)) continue;
      tile.element.remove();
      this.tiles.delete(id);
      this.sorted = ""; // what is shown is another room
    }
    show(this.empty, this.model.greeted && this.model.machines.size === 0);
    if (news.size || this.waiting) this.sort();
    if (this.fitted !== this.tiles.size) this.fit();
  }

  close() {
    this.observer.disconnect();
  }

  update(machine) {
    let tile = this.tiles.get(machine.id);
    if (!tile) {
      tile = new Tile(machine.id);
      this.tiles.set(machine.id, tile);
      this.sortAt = 0;
    }
    tile.update(machine);
  }

  sort() {
    const order = [...this.model.machines.values()].sort(byAttention).map((machine) => machine.id);
    const wanted = order.join("\n");
    const now = performance.now();
    this.waiting = wanted !== this.sorted;
    if (!this.waiting) {
      if (this.sortAt < now + SORT_MS) this.sortAt = now + SORT_MS;
      return;
    }
    if (now < this.sortAt) return;
    const focused = document.activeElement;
    const same = this.grid.childElementCount === order.length;
    const before = same && !this.still.matches ? this.places() : null;
    this.grid.replaceChildren(...order.map((id) => this.tiles.get(id).element));
    if (this.grid.contains(focused)) focused.focus({ preventScroll: true });
    if (before) this.glide(before);
    this.sorted = wanted;
    this.sortAt = now + SORT_MS;
  }

  /** As many columns as let the tiles be largest. */
  fit() {
    const count = this.tiles.size;
    const width = this.grid.clientWidth;
    const height = window.innerHeight - this.grid.offsetTop - GAP;
    if (!count || !width) return;
    this.fitted = count;
    const [columns, row] = largest(count, width, height);
    style(this.grid, "--columns", String(columns));
    style(this.grid, "--row", `${row}px`);
  }

  places() {
    return new Map([...this.tiles].map(([id, { element }]) => [id, [element.offsetLeft, element.offsetTop, element.isConnected]]));
  }

  glide(before) {
    for (const [id, { element }] of this.tiles) {
      const [left, top, shown] = before.get(id);
      const [x, y] = [left - element.offsetLeft, top - element.offsetTop];
      if (shown && (x || y)) {
        element.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], { duration: MOVE_MS, easing: "ease-out" });
      }
    }
  }
}

function largest(count, width, height) {
  let best = [1, MIN_HEIGHT, 0];
  for (let columns = 1; columns <= count; columns += 1) {
    const wide = (width - GAP * (columns - 1)) / columns;
    if (columns > 1 && wide < MIN_WIDTH) break;
    const rows = Math.ceil(count / columns);
    const high = (height - GAP * (rows - 1)) / rows;
    const scrolls = high < MIN_HEIGHT;
    // Where there is too little room for all, the more of them on the screen the better.
    const used = count / (rows * columns);
    const size = scrolls ? columns / 1000 : Math.min(wide / RATIO, high) * used ** 0.8;
    const row = Math.max(MIN_HEIGHT, Math.min(high, wide / 1.1));
    if (size > best[2]) best = [columns, Math.floor(row), size];
  }
  return best;
}

class Tile {
  constructor(id) {
    this.name = make("h2", {});
    this.count = make("strong", { class: "count" });
    this.countWord = make("span", { class: "count-word" });
    this.word = make("span", { class: "word" });
    this.remark = make("span", { class: "remark" });
    this.clock = make("span", { class: "clock" });
    this.ring = new Ring();
    this.link = make(
      "a", { class: "tile", href: `#/machine/${encodeURIComponent(id)}` },
      make("span", { class: "top" }, this.name, this.clock),
      make("span", { class: "figure" }, this.count, this.countWord),
      this.ring.element, this.word, this.remark,
    );
    this.element = make("li", {}, this.link);
  }

  update(machine) {
    say(this.name, machine.name);
    say(this.count, String(machine.count));
    say(this.countWord, strings.countWord(machine.count));
    say(this.word, word(machine));
    say(this.remark, remark(machine));
    say(this.clock, machine.stage === "before" ? "" : clock(machine.set_s));
    set(this.link, "data-tone", tone(machine));
    set(this.link, "data-stage", machine.stage);
    this.ring.update(machine.hold_s, machine.target, machine.phase === "hold");
  }
}
