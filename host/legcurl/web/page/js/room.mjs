// The room: a tile a machine, those that need somebody first. A tile alone tells what its lifter
// is doing: the count, one word in a colour of its own, the hold ring, the set's clock.

import { make, say, set, show } from "./dom.mjs";
import { clock } from "./format.mjs";
import { byAttention, remark, tone, word } from "./machine-state.mjs";
import { Ring } from "./ring.mjs";
import { strings } from "./strings.mjs";

const SORT_MS = 1500; // tiles that jump about cannot be read: settle first

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
    this.element = make("section", {}, this.grid, this.empty);
    this.sorted = "";
    this.sortAt = 0;
  }

  /** Called once a frame with the ids that have news. */
  frame(news) {
    for (const id of news) this.update(this.model.machines.get(id));
    show(this.empty, this.model.machines.size === 0);
    this.sort();
  }

  close() {}

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
    const wanted = JSON.stringify(order);
    const now = performance.now();
    if (wanted === this.sorted) {
      this.sortAt = now + SORT_MS;
      return;
    }
    if (now < this.sortAt) return;
    const focused = document.activeElement;
    this.grid.replaceChildren(...order.map((id) => this.tiles.get(id).element));
    if (this.grid.contains(focused)) focused.focus();
    this.sorted = wanted;
    this.sortAt = now + SORT_MS;
  }
}

class Tile {
  constructor(id) {
    this.name = make("h2", {});
    this.count = make("strong", { class: "count" });
    this.countWord = make("span", { class: "count-word" });
    this.word = make("span", { class: "word" });
    this.remark = make("span", { class: "remark" });
    this.clock = make("span", { class: "clock" });
    this.ring = new Ring("");
    this.link = make(
      "a", { class: "tile", href: `#/machine/${encodeURIComponent(id)}` },
      this.name, this.clock,
      make("span", { class: "figure" }, this.count, this.countWord),
      this.ring.element, this.word, this.remark,
    );
    this.element = make("li", {}, this.link);
  }

  update(machine) {
    say(this.name, machine.name);
    say(this.count, String(machine.count));
    say(this.countWord, strings.count);
    say(this.word, word(machine));
    say(this.remark, remark(machine));
    say(this.clock, machine.stage === "before" ? "" : clock(machine.set_s));
    set(this.link, "data-tone", tone(machine));
    set(this.link, "data-stage", machine.stage);
    this.ring.update(machine.stage === "before" ? 0 : machine.hold_s, machine.target.hold_s, machine.phase === "hold");
  }
}
