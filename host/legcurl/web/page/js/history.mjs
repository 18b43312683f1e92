// Histories: a client's sets over time, a machine's day. A table, for a client also a line each
// for load, reps, time under load and holds; both as CSV.

import { get } from "./api.mjs";
import { draw, make, replace } from "./dom.mjs";
import { nameOf } from "./choosing.mjs";
import { UNKNOWN, clock, day, dayAndTime, kilograms, percent } from "./format.mjs";
import { strings } from "./strings.mjs";

const WIDE = 300;
const HIGH = 110;
const EDGE = 12;

/** A client's sets. */
export class ClientHistory {
  constructor(id) {
    const path = `api/clients/${encodeURIComponent(id)}`;
    this.element = make("section", { class: "history" }, make("p", { class: "muted" }, strings.loading));
    fill(this.element, `${path}/history`, `${path}/sets.csv`, (found) => nameOf(found.client), lines, "client");
  }

  close() {}
}

/** A machine's sets of today. */
export class MachineDay {
  constructor(id) {
    const path = `api/stations/${encodeURIComponent(id)}/day`;
    this.element = make("section", { class: "history" }, make("p", { class: "muted" }, strings.loading));
    fill(this.element, path, `${path}.csv`, (found) => strings.dayOf(found.machine.name), () => null, "machine");
  }

  close() {}
}

// `known` is the column that the title says already.
async function fill(element, path, csv, title, above, known) {
  try {
    const found = await get(path);
    replace(
      element,
      make("div", { class: "summary" }, make("h1", {}, title(found)), make("a", { class: "button", href: csv, download: "" }, strings.csv)),
      above(found.sets.filter((row) => !row.deleted)),
      found.sets.length
        ? make("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": strings.table }, table(found.sets, known))
        : make("p", { class: "muted" }, strings.noSets),
    );
  } catch (error) {
    element.replaceChildren(make("p", { class: "trouble", role: "alert" }, strings.failedRequest(error.message)));
  }
}

/** A table of sets. `known` is what its title says already: the client, the machine, or nothing of
 * either; `gyms` are the names of gyms by their ids, where the sets may be of several. */
export function table(sets, known, gyms = new Map()) {
  const c = strings.historyColumns;
  const machine = [c.machine, ({ gym, machine: { name } }) => (gym === null ? name : strings.inGym(gyms.get(gym) ?? gym, name))];
  const client = [c.client, (stored) => (stored.client ? nameOf(stored.client) : UNKNOWN)];
  const linked = [c.client, (stored) => (stored.client ? make("a", { href: `#/client/${encodeURIComponent(stored.client.id)}` }, nameOf(stored.client)) : UNKNOWN)];
  const others = { client: [machine], machine: [client] }[known] ?? [machine, linked];
  const row = (stored) => make(
    "tr", { "data-deleted": stored.deleted },
    make("td", {}, make("a", { href: `#/set/${encodeURIComponent(stored.id)}` }, dayAndTime(stored.started))),
    ...others.map(([, shown]) => make("td", {}, shown(stored))),
    make("td", {}, stored.load_kg === null ? UNKNOWN : strings.kg(kilograms(stored.load_kg))),
    make("td", {}, String(stored.count)), make("td", {}, clock(stored.time_under_load_s)),
    make("td", {}, strings.ofAll(stored.holds_met, stored.completed_reps)),
    make("td", {}, stored.velocity_loss === null ? UNKNOWN : strings.percent(percent(Math.max(stored.velocity_loss, 0)))),
    make("td", { class: "words" }, stored.deleted ? strings.deleted : strings.outcomes[stored.outcome]),
  );
  const head = [c.when, ...others.map(([title]) => title), c.load, c.reps, c.time, c.holds, c.loss, c.outcome];
  return make(
    "table", {},
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...sets.map(row)),
  );
}

/** Four small pictures, oldest set first; a full dot is a set that ended in Muscle Success. */
function lines(sets) {
  if (sets.length < 2) return null;
  const rows = sets.slice().reverse(); // the service gives the newest first
  const c = strings.historyColumns;
  return make(
    "div", { class: "columns" },
    line(c.load, rows, (row) => row.load_kg, (kg) => strings.kg(kilograms(kg))),
    line(c.reps, rows, (row) => row.count, (n) => strings.rep(n)),
    line(c.time, rows, (row) => row.time_under_load_s, (s) => clock(s)),
    line(c.holds, rows, (row) => (row.completed_reps ? row.holds_met / row.completed_reps : null), (share) => strings.percent(percent(share))),
  );
}

function line(title, rows, value, text) {
  const known = rows.map((row, i) => ({ row, i, value: value(row) })).filter((point) => point.value !== null);
  if (!known.length) return null;
  const top = Math.max(...known.map((point) => point.value)) * 1.15 || 1;
  const x = (i) => EDGE + (i / Math.max(rows.length - 1, 1)) * (WIDE - 2 * EDGE);
  const y = (v) => HIGH - EDGE - (v / top) * (HIGH - 2 * EDGE);
  const last = known.at(-1);
  return make(
    "div", { class: "card" },
    make("h2", {}, title, make("strong", { class: "newest" }, text(last.value))),
    draw(
      "svg", { class: "spark", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": strings.overTime(title, known.map((point) => text(point.value))) },
      draw("path", { class: "spark-base", d: `M0 ${HIGH - EDGE}H${WIDE}` }),
      draw("polyline", { points: known.map((point) => `${x(point.i).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ") }),
      ...known.map((point) => draw("circle", { cx: x(point.i).toFixed(1), cy: y(point.value).toFixed(1), r: 5, class: point.row.outcome === "muscle_success" ? "success" : "other" })),
    ),
    make("p", { class: "muted ends" }, make("span", {}, day(rows[0].started)), make("span", {}, day(rows.at(-1).started))),
  );
}
