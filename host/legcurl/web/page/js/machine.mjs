// One machine, full screen: what a coach must see in half a second from two metres, and the trace.

import { post } from "./api.mjs";
import { make, say, set, show } from "./dom.mjs";
import { clock, percent, tenths } from "./format.mjs";
import { AfterSet } from "./after.mjs";
import { RangeBar, RepsRow, SetClock } from "./bars.mjs";
import { Entered, Entry } from "./choosing.mjs";
import { blinding, remark, tone, word } from "./machine-state.mjs";
import { Ring } from "./ring.mjs";
import { strings } from "./strings.mjs";
import { Trace } from "./trace.mjs";

const LOSS_FROM = 0.01; // less is nothing to show

/** The page of one machine. */
export class MachineView {
  constructor(model, id, mayChange) {
    this.model = model;
    this.id = id;
    this.may = mayChange;
    this.shownSet = null;
    this.below = null; // its page, below the figures
    this.build();
    this.trace = new Trace(this.canvas);
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.trace.readColours();
    this.scheme.addEventListener("change", this.recolour);
    model.follow(id);
    this.target = 0.9;
    const known = model.machines.get(id);
    if (known) this.update(known);
  }

  /** Called once a frame with the ids that have news. */
  frame(news) {
    const machine = this.model.machines.get(this.id);
    show(this.unknown, this.model.greeted && !machine);
    if (machine && news.has(this.id)) this.update(machine);
    this.trace.draw(this.model.trace, this.target, this.still.matches);
  }

  /** A set was stored, of this machine or another. */
  stored(kept) {
    if (kept.machine === this.id) this.showSet(kept.set_id);
  }

  /** A stored set is not what it was. */
  corrected(setId) {
    this.below?.corrected(setId);
  }

  close() {
    this.below?.close();
    this.trace.close();
    this.scheme.removeEventListener("change", this.recolour);
    this.model.follow(null);
    set(document.body, "data-tone", null);
  }

  build() {
    this.name = make("h1", {});
    this.lamp = make("span", { class: "lamp" });
    this.unknown = make("p", { class: "trouble", role: "alert" }, strings.noSuchMachine);
    this.entry = this.may ? new Entry((fields) => this.expect(fields)) : new Entered();
    this.trouble = make("p", { class: "trouble", role: "alert" });
    this.count = make("strong", { class: "count" });
    this.countWord = make("span", { class: "count-word" });
    this.word = make("p", { class: "word" });
    this.remark = make("p", { class: "remark" });
    this.toes = make("p", { class: "toes" }, strings.toes);
    this.loss = make("p", { class: "loss" });
    this.ring = new Ring();
    this.range = new RangeBar();
    this.clock = new SetClock();
    this.reps = new RepsRow();
    this.canvas = make("canvas", { role: "img", "aria-label": strings.trace });
    this.after = make("div", { class: "after" });
    show(this.trouble, false);
    show(this.unknown, false);
    this.element = make(
      "section", { class: "machine" },
      make(
        "div", { class: "head" },
        make("div", { class: "title" }, this.name, this.lamp),
        make("a", { class: "button", href: `#/day/${encodeURIComponent(this.id)}` }, strings.day),
        this.entry.element,
      ),
      this.unknown,
      this.trouble,
      make(
        "div", { class: "now" },
        make("div", { class: "counter" }, this.count, this.countWord),
        make("div", { class: "state" }, this.word, this.remark),
        this.ring.element,
      ),
      make("div", { class: "bars" }, this.range.element, this.clock.element),
      make("div", { class: "past" }, make("div", { class: "trace" }, this.canvas), this.reps.element),
      make("div", { class: "foot" }, this.toes, this.loss),
      this.after,
    );
  }

  update(machine) {
    say(this.name, machine.name);
    say(this.lamp, lampWords(machine));
    set(this.lamp, "data-link", blinding(machine) ? "fault" : machine.link);
    say(this.count, String(machine.count));
    say(this.countWord, strings.countWord(machine.count));
    say(this.word, word(machine));
    say(this.remark, remark(machine) || resting(machine));
    const colour = tone(machine);
    set(this.element, "data-tone", colour);
    set(document.body, "data-tone", colour);
    set(this.element, "data-stage", machine.stage);
    this.target = machine.target.full_rom;
    this.ring.update(machine.hold_s, machine.target, machine.phase === "hold");
    this.range.update(machine.rom, machine.reached, machine.target.full_rom);
    this.clock.update(machine.set_s, machine.target.window_s);
    this.reps.update(machine.reps, machine.target);
    this.entry.update(machine.client, machine.load_kg);
    const loss = machine.velocity_loss ?? 0;
    show(this.loss, loss >= LOSS_FROM);
    if (loss >= LOSS_FROM) say(this.loss, strings.speedLost(percent(loss)));
    show(this.toes, machine.stage !== "after");
    set(this.element, "aria-label", strings.machineLabel(machine.name, machine.count, word(machine), clock(machine.set_s)));
    if (machine.stage === "after") this.showSet(machine.set_id);
    else if (machine.stage === "during") this.showSet(null);
  }

  /** Below the figures: the set that has just been, until the next begins. */
  showSet(id) {
    if (id === this.shownSet) return;
    this.shownSet = id;
    this.below?.close();
    this.below = id ? new AfterSet(id, this.may, { below: true }) : null;
    this.after.replaceChildren(...(id ? [this.below.element] : []));
  }

  async expect(fields) {
    try {
      await post(`api/stations/${encodeURIComponent(this.id)}/next`, fields);
      show(this.trouble, false);
    } catch (error) {
      say(this.trouble, strings.failedRequest(error.message));
      show(this.trouble, true);
    }
  }
}

function resting(machine) {
  return machine.rest_s > machine.target.rest_s && machine.stage === "during" ? strings.rest(tenths(machine.rest_s)) : "";
}

function lampWords(machine) {
  if (machine.link !== "up") return strings.links[machine.link];
  return machine.fault ? strings.faultShort : strings.sensorOk;
}
