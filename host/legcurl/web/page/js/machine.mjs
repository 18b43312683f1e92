// One machine, full screen: what a coach must see in half a second from two metres, and the trace.

import { make, say, set, show } from "./dom.mjs";
import { clock, percent, tenths } from "./format.mjs";
import { RangeBar, RepsRow, SetClock } from "./bars.mjs";
import { remark, tone, word } from "./machine-state.mjs";
import { Ring } from "./ring.mjs";
import { strings } from "./strings.mjs";
import { Trace } from "./trace.mjs";

/** The page of one machine; `actions` are elements that go beside its name. */
export class MachineView {
  constructor(model, id, actions = []) {
    this.model = model;
    this.id = id;
    this.name = make("h1", {});
    this.lamp = make("span", { class: "lamp" });
    this.count = make("output", { class: "count" });
    this.word = make("p", { class: "word" });
    this.remark = make("p", { class: "remark" });
    this.toes = make("p", { class: "toes" }, strings.toes);
    this.loss = make("p", { class: "loss" });
    this.ring = new Ring("");
    this.range = new RangeBar();
    this.clock = new SetClock();
    this.reps = new RepsRow();
    this.canvas = make("canvas", { class: "trace", role: "img", "aria-label": strings.trace });
    this.after = make("div", { class: "after" });
    this.element = make(
      "section", { class: "machine" },
      make("div", { class: "head" }, this.name, this.lamp, make("div", { class: "actions" }, ...actions)),
      make(
        "div", { class: "now" },
        make("div", { class: "counter" }, this.count, make("span", { class: "count-word" }, strings.count)),
        make("div", { class: "state" }, this.word, this.remark),
        make("div", { class: "ring-box" }, this.ring.element, make("span", { class: "ring-target" })),
      ),
      make("div", { class: "bars" }, this.range.element, this.clock.element, this.loss),
      this.canvas,
      this.reps.element,
      this.toes,
      this.after,
    );
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

  frame(news) {
    if (news.has(this.id)) this.update(this.model.machines.get(this.id));
    this.trace.draw(this.model.trace, this.target, this.still.matches);
  }

  close() {
    this.trace.close();
    this.scheme.removeEventListener("change", this.recolour);
    this.model.follow(null);
  }

  update(machine) {
    say(this.name, machine.name);
    say(this.lamp, machine.link === "up" ? strings.sensorOk : strings.links[machine.link]);
    set(this.lamp, "data-link", machine.faults?.length ? "fault" : machine.link);
    say(this.count, String(machine.count));
    say(this.word, word(machine));
    say(this.remark, remark(machine) || (machine.rest_s >= 1 && machine.stage === "during" ? strings.rest(tenths(machine.rest_s)) : ""));
    set(this.element, "data-tone", tone(machine));
    set(this.element, "data-stage", machine.stage);
    this.target = machine.target.full_rom;
    this.ring.update(machine.hold_s, machine.target.hold_s, machine.phase === "hold");
    this.range.update(machine.rom, machine.reached, machine.target.full_rom);
    this.clock.update(machine.set_s, machine.target.window_s);
    this.reps.update(machine.reps);
    const loss = machine.velocity_loss;
    show(this.loss, loss !== null && loss !== undefined && loss > 0);
    if (loss > 0) say(this.loss, strings.speedLost(percent(loss)));
    show(this.toes, machine.stage !== "after");
    set(this.element, "aria-label", `${machine.name}, ${machine.count}, ${word(machine)}, ${clock(machine.set_s)}`);
  }
}
