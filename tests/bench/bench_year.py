"""A year of forty gyms in one PostgreSQL: how fast it fills, how large it is, how quick to look at.

    tests/debian-packages postgres=postgresql
    make bench-year                              # 1.4 million sets
    make bench-year ARGS='--gyms 4 --days 30'  # a taste

Rows go in by COPY, day by day, into the tables as they are: with every index and every reference
checked, and every commit on the disk. Reps are those of simulated lifters, measured by the product.
Pages are asked for through the store's own methods, as the web service does, each for another
client, machine, gym or set, drawn by a fixed seed; the same pages of a store with a hundredth of
the days are asked for in between, so what grows with the years shows in the ratio.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import perf_counter

import psycopg
from legcurl.events import SetResult
from legcurl.links.sim_address import SimOptions
from legcurl.motion import analyze
from legcurl.simulator.world import World
from legcurl.store import Store, open_store
from legcurl.store.maintenance.retention import vacuum
from legcurl.store.maintenance.verify import size_of
from legcurl.store.queries import REP_FIELDS, SET_FIELDS, as_us
from legcurl.store.records import SetQuery
from postgres_server import PostgresServer, postgres_server

SEED = 7
BEGIN = datetime(2025, 1, 1, 6, tzinfo=UTC)
OPEN_S = 16 * 3600
CLIENTS_A_GYM = 400
LIFTERS = ("steady", "early", "sloppy", "quits", "partials")
SHAPES_A_LIFTER = 6
ASKED = 200  # of each page
WARM = 10
LIMIT_MS = 100.0
SERVER = {  # a small server of the year; the rest is PostgreSQL's default
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "2GB",
}


@dataclass(frozen=True)
class Size:
    """How much is simulated."""

    gyms: int
    machines: int
    sets_a_day: int
    days: int

    @property
    def sets(self) -> int:
        return self.gyms * self.machines * self.sets_a_day * self.days


class Shape:
    """A measured set as text for COPY, but for what differs from set to set."""

    def __init__(self, result: SetResult) -> None:
        self.length_us = round((result.end_s - result.start_s) * 1e6)
        self.fields = "\t".join(_text(getattr(result, name)) for name in SET_FIELDS)
        self.reps = [
            "\t".join(_text(getattr(rep, name)) for name in REP_FIELDS) for rep in result.reps
        ]


def shapes() -> list[Shape]:
    """Sets of all kinds of lifters."""
    found = []
    for lifter in LIFTERS:
        for seed in range(SHAPES_A_LIFTER):
            trace = list(World(SimOptions(lifter=lifter, seed=seed, pace="fast")).sensor_trace(50))
            found += map(Shape, analyze([t for t, _ in trace], [angle for _, angle in trace]))
    return found


def fill(server: PostgresServer, name: str, size: Size, known: list[Shape]) -> float:
    """Load so many days; gives the seconds it took."""
    draw = random.Random(SEED)
    open_store(server.url(name)).close()
    begun = perf_counter()
    with closing(psycopg.connect(server.url(name))) as connection:
        _put_gyms(connection, size)
        for day in range(size.days):
            sets, reps = _day(draw, size, day, known)
            columns = ", ".join(SET_FIELDS)
            _copy(
                connection,
                "sets (id, machine_id, client_id, started_us, load_kg, detection, log, "
                f"log_start_us, log_end_us, {columns})",
                sets,
            )
            _copy(connection, f"reps (set_id, {', '.join(REP_FIELDS)})", reps)
            connection.commit()
            if sys.stderr.isatty():
                print(f"\r{name}: day {day + 1} of {size.days}", end="", file=sys.stderr)
    return perf_counter() - begun


def _put_gyms(connection: psycopg.Connection, size: Size) -> None:
    gyms = [f"gym-{gym:02}" for gym in range(size.gyms)]
    _copy(connection, "gyms (id, name)", [f"{gym}\tGym {gym}" for gym in gyms])
    _copy(
        connection,
        "machines (id, name, gym_id)",
        [f"{gym}:curl-{n}\tLeg curl {n}\t{gym}" for gym in gyms for n in range(size.machines)],
    )
    since = as_us(BEGIN)
    _copy(
        connection,
        "clients (id, since_us)",
        [f"{_client(gym, n)}\t{since}" for gym in range(size.gyms) for n in range(CLIENTS_A_GYM)],
    )


def _day(
    draw: random.Random, size: Size, day: int, known: list[Shape]
) -> tuple[list[str], list[str]]:
    sets, reps = [], []
    morning = as_us(BEGIN + timedelta(days=day))
    for gym in range(size.gyms):
        for machine in range(size.machines):
            log = f"{gym:02x}{machine:02x}58388317712f-{day // 30:08x}"
            for _ in range(size.sets_a_day):
                shape = draw.choice(known)
                in_log = (day % 30) * 86_400_000_000 + draw.randrange(OPEN_S * 1_000_000)
                set_id = f"gym-{gym:02}:{log}-{in_log // 1000}"
                started = morning + in_log % 86_400_000_000
                client = (
                    _client(gym, draw.randrange(CLIENTS_A_GYM)) if draw.random() < 0.9 else r"\N"
                )
                sets.append(
                    f"{set_id}\tgym-{gym:02}:curl-{machine}\t{client}\t{started}\t"
                    f"{draw.randrange(8, 40) * 2.5}\t1.0.0\t{log}\t{in_log}\t"
                    f"{in_log + shape.length_us}\t{shape.fields}"
                )
                reps += [f"{set_id}\t{rep}" for rep in shape.reps]
    return sets, reps


def _copy(connection: psycopg.Connection, into: str, lines: list[str]) -> None:
    with connection.cursor().copy(f"COPY {into} FROM STDIN".encode()) as copy:
        rest = iter(lines)
        while some := list(islice(rest, 5000)):
            copy.write("\n".join(some) + "\n")


def _client(gym: int, number: int) -> str:
    return f"gym-{gym:02}:{random.Random(gym * 1000 + number).randrange(2**32):08x}"


def _text(value: object) -> str:
    if value is None:
        return r"\N"
    return str(value).replace("\\", r"\\").replace("\t", " ").replace("\n", " ")


def pages(size: Size) -> dict[str, Callable[[Store, random.Random], object]]:
    """What the pages ask of the store."""

    def gym(draw: random.Random) -> str:
        return f"gym-{draw.randrange(size.gyms):02}"

    def machine(draw: random.Random) -> str:
        return f"{gym(draw)}:curl-{draw.randrange(size.machines)}"

    def history(store: Store, draw: random.Random) -> object:
        client = _client(draw.randrange(size.gyms), draw.randrange(CLIENTS_A_GYM))
        return store.client(client), all_of(store, SetQuery(client_id=client))

    def day(store: Store, draw: random.Random) -> object:
        since = BEGIN + timedelta(days=draw.randrange(size.days))
        until = since + timedelta(days=1)
        return all_of(store, SetQuery(machine_id=machine(draw), since=since, until=until))

    def deep(store: Store, draw: random.Random) -> object:
        until = BEGIN + timedelta(seconds=draw.randrange(size.days * 86400))
        return store.find_sets(SetQuery(gym_id=gym(draw), until=until))

    def one_set(store: Store, draw: random.Random) -> object:
        (newest,) = store.find_sets(SetQuery(machine_id=machine(draw), limit=1)).sets
        stored = store.get_set(newest.id)
        client = None if stored.client is None else stored.client.id
        return store.find_sets(SetQuery(client_id=client, until=stored.started, limit=10))

    return {
        "a client's history, all of it": history,
        "a machine's day": day,
        "a machine's newest 50": lambda store, draw: store.find_sets(
            SetQuery(machine_id=machine(draw))
        ),
        "a gym's newest 50": lambda store, draw: store.find_sets(SetQuery(gym_id=gym(draw))),
        "a gym's 50 before some moment": deep,
        "all gyms' newest 50": lambda store, draw: store.find_sets(SetQuery()),
        "a set and the one before it": one_set,
    }


def all_of(store: Store, query: SetQuery) -> int:
    """All pages of a query; gives how many sets."""
    count = 0
    while True:
        page = store.find_sets(query)
        count += len(page.sets)
        if page.next is None:
            return count
        query = replace(query, before=page.next)


def timed(stores: list[Store], sizes: list[Size], what: str) -> Iterator[list[float]]:
    """Milliseconds of a page, of each store, asked for turn by turn."""
    draws = [random.Random(f"{SEED} {what}") for _ in stores]
    ms: list[list[float]] = [[] for _ in stores]
    for _ in range(WARM + ASKED):
        for store, size, draw, of_store in zip(stores, sizes, draws, ms, strict=True):
            begun = perf_counter()
            pages(size)[what](store, draw)
            of_store.append((perf_counter() - begun) * 1e3)
    return (sorted(of_store[WARM:]) for of_store in ms)


def main() -> int:
    """Print the figures; fail beyond the limit."""
    options = argparse.ArgumentParser()
    options.add_argument("--gyms", type=int, default=40)
    options.add_argument("--machines", type=int, default=12)
    options.add_argument("--sets-per-day", type=int, default=8, help="of each machine")
    options.add_argument("--days", type=int, default=365)
    asked = options.parse_args()
    year = Size(asked.gyms, asked.machines, asked.sets_per_day, asked.days)
    little = replace(year, days=max(round(year.days / 100), 1))
    known = shapes()
    worst = 0.0
    with postgres_server(SERVER) as server:
        names = [server.new_database(), server.new_database()]
        seconds = fill(server, names[0], year, known)
        fill(server, names[1], little, known)
        stores = [open_store(server.url(name)) for name in names]
        begun = perf_counter()
        for store in stores:
            vacuum(store)  # what the server does by itself within hours
        settled = perf_counter() - begun
        reps = sum(len(shape.reps) for shape in known) / len(known)
        print(
            f"{year.gyms} gyms of {year.machines} machines, {year.days} days: {year.sets} sets, "
            f"about {year.sets * reps:.0f} reps, without raw traces"
        )
        print(
            f"loaded in {seconds:.0f} s: {year.sets / seconds:.0f} sets a second, or "
            f"{year.sets * reps / seconds:.0f} reps; vacuumed and analysed in {settled:.0f} s"
        )
        size_bytes = size_of(stores[0])
        print(f"{size_bytes / 1e9:.2f} GB, {size_bytes / year.sets:.0f} bytes a set with its reps")
        print(f"{'page, ms':34}{'p50':>8}{'p95':>8}{'1 %: p50':>10}{'p95':>8}{'ratio p95':>11}")
        for what in pages(year):
            of_year, of_little = timed(stores, [year, little], what)
            p50, p95 = (of_year[int(len(of_year) * part)] for part in (0.5, 0.95))
            few50, few95 = (of_little[int(len(of_little) * part)] for part in (0.5, 0.95))
            worst = max(worst, p95)
            print(f"{what:34}{p50:8.1f}{p95:8.1f}{few50:10.1f}{few95:8.1f}{p95 / few95:11.1f}")
        for store in stores:
            store.close()
    print(f"slowest p95: {worst:.1f} ms (at most {LIMIT_MS:.0f})")
    return worst > LIMIT_MS


if __name__ == "__main__":
    sys.exit(main())
