// Histories: a client's sets over time, a machine's day. A table and a line each for load, reps
// and time under load; both as CSV.

import { get } from "./api.mjs";
import { draw, make } from "./dom.mjs";
import { clock, dayAndTime, percent } from "./format.mjs";
import { strings } from "./strings.mjs";

/** A client's sets. */
export class ClientHistory {
  constructor(id) {
    const path = `api/clients/${encodeURIComponent(id)}`;
    this.element = make("section", { class: "history" });
    fill(this.element, `${path}/history`, `${path}/sets.csv`, (found) => found.client.name || found.client.id, true);
  }

  close() {}
}

/** A machine's sets of today. */
export class MachineDay {
  constructor(id) {
    const path = `api/stations/${encodeURIComponent(id)}/day`;
    this.element = make("section", { class: "history" });
    fill(this.element, path, `${path}.csv`, (found) => found.machine.name, false);
  }

  close() {}
}

async function fill(element, path, csv, title, lines) {
  try {
    const found = await get(path);
    const sets = found.sets.filter((row) => !row.deleted);
    element.replaceChildren(
      make("h1", {}, title(found)),
      lines && sets.length > 1 ? make(
        "div", { class: "columns" },
        line(strings.historyColumns.load, sets.map((row) => row.load_kg)),
        line(strings.historyColumns.reps, sets.map((row) => row.completed_reps)),
        line(strings.historyColumns.time, sets.map((row) => row.time_under_load_s)),
      ) : null,
      sets.length ? make("div", { class: "card scroll" }, table(found.sets)) : make("p", { class: "muted" }, strings.noSets),
      make("p", {}, make("a", { class: "button", href: csv, download: "" }, strings.csv)),
    );
  } catch (error) {
    element.replaceChildren(make("p", { class: "trouble", role: "alert" }, strings.failedRequest(error.message)));
  }
}

function table(sets) {
  const c = strings.historyColumns;
  const row = (stored) => make(
    "tr", { "data-deleted": stored.deleted },
    make("td", {}, make("a", { href: `#/set/${encodeURIComponent(stored.id)}` }, dayAndTime(stored.started))),
    make("td", {}, stored.machine.name), make("td", {}, stored.load_kg === null ? "–" : strings.kg(stored.load_kg)),
    make("td", {}, String(stored.completed_reps)), make("td", {}, clock(stored.time_under_load_s)),
    make("td", {}, `${stored.holds_met}/${stored.completed_reps}`),
    make("td", {}, stored.velocity_loss === null ? "–" : strings.percent(percent(stored.velocity_loss))),
    make("td", {}, strings.outcomes[stored.outcome]),
  );
  return make(
    "table", {},
    make("thead", {}, make("tr", {}, ...[c.when, c.machine, c.load, c.reps, c.time, c.holds, c.loss, c.outcome].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...sets.map(row)),
  );
}

function line(title, values) {
  // Oldest first; the service gives newest first. What is not known leaves a hole.
  const series = values.slice().reverse();
  const known = series.filter((value) => value !== null);
  const top = Math.max(...known, 1) * 1.1;
  const points = series.map((value, i) => (value === null ? null : [(i / Math.max(series.length - 1, 1)) * 296 + 2, 116 - (value / top) * 108])).filter(Boolean);
  return make(
    "div", { class: "card" }, make("h3", {}, title),
    draw(
      "svg", { class: "spark", viewBox: "0 0 300 120", preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${known.map((value) => Math.round(value * 10) / 10).join(", ")}` },
      draw("polyline", { points: points.map((point) => point.join(",")).join(" "), fill: "none", stroke: "currentColor", "stroke-width": 3, "vector-effect": "non-scaling-stroke" }),
    ),
  );
}
