// The page begins here: the stream feeds the model, the address chooses the view, and once a
// frame the view shows what is new.

import { session } from "./api.mjs";
import { make, say, set, show } from "./dom.mjs";
import { timeOfDay } from "./format.mjs";
import { MachineView } from "./machine.mjs";
import { Model } from "./model.mjs";
import { Room } from "./room.mjs";
import { Sound } from "./sound.mjs";
import { Speaker } from "./speaker.mjs";
import { Stream } from "./stream.mjs";
import { strings } from "./strings.mjs";
import { AfterSet } from "./after.mjs";
import { ClientHistory, MachineDay } from "./history.mjs";
import { signIn } from "./signin.mjs";

const CAUGHT_UP_MS = 8000;

const main = document.getElementById("main");
const blindLine = document.getElementById("blind");
const model = new Model();
const sound = new Sound();
const speaker = new Speaker(document.getElementById("spoken"));
let view = null;
let rights = [];

const stream = new Stream(
  {
    machine: (state) => take(() => model.takeMachine(state)),
    moving: (figures) => take(() => model.takeMoving(figures)),
    trace: (samples) => model.takeTrace(samples),
    set: (stored) => view?.stored?.(stored),
    gone: () => tell(strings.skipped),
  },
  (since, until) => {
    if (until === null) {
      set(blindLine, "data-blind", true);
      say(blindLine, strings.blindSince(timeOfDay(since)));
      show(blindLine, true);
    } else {
      tell(strings.blindWas(timeOfDay(since), timeOfDay(until)));
    }
  },
);

function take(change) {
  change();
  for (const id of model.changed) {
    const machine = model.machines.get(id);
    if (view?.id === undefined || view.id === id) sound.heed(machine);
    speaker.heed(machine, view?.id);
  }
}

let told = 0;
function tell(text) {
  set(blindLine, "data-blind", false);
  say(blindLine, text);
  show(blindLine, true);
  clearTimeout(told);
  told = setTimeout(() => show(blindLine, false), CAUGHT_UP_MS);
}

function route() {
  const [, kind = "", id = ""] = location.hash.split("/").map(decodeURIComponent);
  view?.close();
  const may = rights.includes("change");
  if (kind === "machine") {
    view = new MachineView(model, id, machineActions(id));
    view.stored = attachAfter(view, id, may);
  } else if (kind === "set") view = new AfterSet(id, may);
  else if (kind === "client") view = new ClientHistory(id);
  else if (kind === "day") view = new MachineDay(id);
  else view = new Room(model);
  set(document.body, "data-view", kind || "room");
  main.replaceChildren(view.element);
  for (const known of model.machines.keys()) model.changed.add(known);
  stream.watch(kind === "machine" ? id : null);
}

/** Below a machine: its last set, as soon as there is one. */
function attachAfter(machineView, id, may) {
  let shown = null;
  const attach = (setId) => {
    if (!setId || setId === shown) return;
    shown = setId;
    machineView.after.replaceChildren(new AfterSet(setId, may).element);
  };
  const known = model.machines.get(id);
  if (known?.stage === "after") attach(known.set_id);
  return (stored) => {
    if (stored.machine === id) attach(stored.set_id);
  };
}

function machineActions(id) {
  const full = make("button", { type: "button", onclick: fullScreen }, strings.fullScreen);
  show(full, document.fullscreenEnabled === true);
  return [make("a", { class: "button", href: `#/day/${encodeURIComponent(id)}` }, strings.day), full];
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

function buildBar() {
  const bar = document.getElementById("bar");
  const soundButton = make("button", { type: "button", class: "sound", "aria-pressed": "false", onclick: () => switchSound() }, strings.sound);
  const voiceButton = make("button", { type: "button", class: "voice", "aria-pressed": "false", onclick: () => switchVoice() }, strings.voice);
  show(voiceButton, false);
  const switchSound = () => {
    set(soundButton, "aria-pressed", String(sound.toggle()));
    show(voiceButton, sound.on && sound.speaks);
  };
  const switchVoice = () => {
    sound.voice = !sound.voice;
    set(voiceButton, "aria-pressed", String(sound.voice));
  };
  bar.replaceChildren(make("a", { class: "home", href: "#/" }, strings.product), make("span", { class: "gap" }), soundButton, voiceButton);
  say(document.getElementById("skip"), strings.skip);
}

function frame() {
  view?.frame?.(model.news());
  requestAnimationFrame(frame);
}

async function begin() {
  buildBar();
  const found = await signIn(session, main);
  rights = found.rights;
  window.addEventListener("hashchange", route);
  route();
  requestAnimationFrame(frame);
}

begin();
