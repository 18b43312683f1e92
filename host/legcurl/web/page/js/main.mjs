// The page begins here: the stream feeds the model, the address chooses the view, and once a
// frame the view shows what is new.

import { post, session } from "./api.mjs";
import { make, replace, say, set, show } from "./dom.mjs";
import { timeOfDay } from "./format.mjs";
import { MachineView } from "./machine.mjs";
import { Model } from "./model.mjs";
import { Room } from "./room.mjs";
import { Sound } from "./sound.mjs";
import { Speaker } from "./speaker.mjs";
import { Stream } from "./stream.mjs";
import { strings } from "./strings.mjs";
import { AfterSet } from "./after.mjs";
import { GymHistory, gymsOf } from "./gyms.mjs";
import { ClientHistory, MachineDay } from "./history.mjs";
import { signIn } from "./signin.mjs";
import { stayAwake } from "./wake.mjs";

const CAUGHT_UP_MS = 8000;

const main = document.getElementById("main");
const blindLine = document.getElementById("blind");
const model = new Model();
const sound = new Sound();
const speaker = new Speaker(document.getElementById("spoken"));
let view = null;
let told = 0;
let who = { rights: [], signed_in: false };
let gyms = []; // of a store of many, which has no machines of its own

const stream = new Stream(
  {
    hello: (greeting) => model.greet(greeting),
    machine: (state) => take(() => model.takeMachine(state)),
    moving: (figures) => take(() => model.takeMoving(figures)),
    trace: (samples) => model.takeTrace(samples),
    set: (stored) => view?.stored?.(stored),
    corrected: (stored) => view?.corrected?.(stored.set_id),
    gone: () => {
      if (blindLine.hidden) tell(strings.skipped);
    },
  },
  (since, until) => {
    set(document.body, "data-blind", until === null);
    if (until === null) {
      clearTimeout(told);
      set(blindLine, "data-blind", true);
      say(blindLine, strings.blindSince(timeOfDay(since)));
      show(blindLine, true);
    } else {
      tell(strings.blindWas(timeOfDay(since), timeOfDay(until)));
    }
  },
  refused,
);

// Either the session is over, and the PIN is wanted again; or the address names a machine that the
// service does not have: then its room is followed, which says so.
async function refused() {
  try {
    await session();
    stream.watch(null);
  } catch (error) {
    if (error.status === 401) location.reload();
  }
}

function take(change) {
  change();
  for (const id of model.changed) {
    const machine = model.machines.get(id);
    if (!machine) continue;
    if (view?.id === undefined || view.id === id) sound.heed(machine);
    speaker.heed(machine, view?.id);
  }
}

function tell(text) {
  set(blindLine, "data-blind", false);
  say(blindLine, text);
  show(blindLine, true);
  clearTimeout(told);
  told = setTimeout(() => show(blindLine, false), CAUGHT_UP_MS);
}

function route() {
  const [, kind = "", id = ""] = location.hash.split("/").map(decoded);
  view?.close();
  const may = who.rights.includes("change") && !gyms.length;
  if (kind === "machine") view = new MachineView(model, id, may);
  else if (kind === "set") view = new AfterSet(id, may);
  else if (kind === "client") view = new ClientHistory(id);
  else if (kind === "day") view = new MachineDay(id);
  else if (gyms.length && (kind === "gym" || !model.machines.size)) view = new GymHistory(gyms, kind === "gym" ? id : "");
  else view = new Room(model);
  set(document.body, "data-view", kind || "room");
  main.replaceChildren(view.element);
  buildBar(kind !== "");
  window.scrollTo(0, 0);
  for (const known of model.machines.keys()) model.changed.add(known);
  stream.watch(kind === "machine" ? id : null);
}

// A typed address may have an invalid encoding: then it is taken as it stands.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

function buildBar(away) {
  const voice = make("button", { type: "button", "aria-pressed": String(sound.voice), onclick: () => {
    sound.voice = !sound.voice;
    set(voice, "aria-pressed", String(sound.voice));
  } }, strings.voice);
  const tones = make("button", { type: "button", "aria-pressed": String(sound.on), onclick: () => {
    set(tones, "aria-pressed", String(sound.toggle()));
    show(voice, sound.on && sound.speaks);
  } }, strings.sound);
  const full = make("button", { type: "button", onclick: fullScreen }, strings.fullScreen);
  const leave = make("button", { type: "button", onclick: signOut }, strings.signOut);
  show(voice, sound.on && sound.speaks);
  show(full, document.fullscreenEnabled === true);
  show(leave, who.signed_in);
  replace(
    document.getElementById("bar"),
    make("a", { class: away ? "button home" : "home", href: "#/" }, away ? strings.toRoom : strings.product),
    make("span", { class: "gap" }), tones, voice, full, leave,
  );
}

async function signOut() {
  try {
    await post("api/logout", {});
    location.reload();
  } catch (error) {
    tell(strings.failedRequest(error.message));
  }
}

function frame() {
  view?.frame?.(model.news());
  requestAnimationFrame(frame);
}

async function begin() {
  document.documentElement.lang = strings.lang;
  const skip = document.getElementById("skip");
  say(skip, strings.skip);
  skip.addEventListener("click", (event) => {
    event.preventDefault(); // the address is taken: it names the view
    main.focus();
  });
  who = await signIn(session, main);
  gyms = await gymsOf().catch(() => []); // what is wrong with the store is said by what needs it
  window.addEventListener("hashchange", () => {
    route();
    main.focus({ preventScroll: true }); // the link that was followed is gone: go on from the new view
  });
  route();
  stayAwake();
  requestAnimationFrame(frame);
}

begin();
