"""`/metrics`: what is counted, and who may read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from legcurl.errors import ConfigError
from legcurl.events import LinkChanged, SamplesMissing, SensorTrouble
from legcurl.gym.measures import Measure
from legcurl.web.authentication import Access, hashed
from played import play_set
from prometheus_client.parser import text_string_to_metric_families
from room import URL, Room, room

SET = "sim:?seed=5&pace=fast"
PIN, TOKEN = "2468-coach", "a token of a monitor"


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        yield made


async def figures(here: Room) -> dict[tuple[str, ...], float]:
    """Each sample's value, by its name and the values of its labels."""
    answer = await here.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_set_is_counted_with_its_samples_and_attempts(here: Room):
    ended = play_set(here.service.gym.machines["machine-2"], SET)
    told = await figures(here)
    assert told["legcurl_sets_total", "machine-2", ended.set.outcome] == 1
    assert told["legcurl_reps_total", "machine-2", "done"] == ended.set.completed_reps
    failed = sum(rep.failed for rep in ended.set.reps)
    assert failed
    assert told["legcurl_reps_total", "machine-2", "failed"] == failed
    assert told["legcurl_samples_total", "machine-2"] > 100 * ended.set.time_under_load_s
    assert told["legcurl_samples_total", "machine-1"] == 0
    assert ("legcurl_sets_total", "machine-1", ended.set.outcome) not in told


async def test_what_is_missing_is_counted_by_reason(here: Room):
    bus = here.service.gym.machines["machine-1"].bus
    for length_s, reason in ((1.5, "evicted"), (0.25, "evicted"), (3.0, "reboot")):
        bus.tell(SamplesMissing(10.0, length_s, 0, reason))  # type: ignore[arg-type]
    told = await figures(here)
    assert told["legcurl_gaps_total", "machine-1", "evicted"] == 2
    assert told["legcurl_missing_seconds_total", "machine-1", "evicted"] == 1.75
    assert told["legcurl_missing_seconds_total", "machine-1", "reboot"] == 3.0


async def test_links_and_faults_are_told_as_they_are(here: Room):
    one, two = here.service.gym.machines.values()
    play_set(one, SET)
    two.bus.tell(LinkChanged("lost", "unplugged"))
    one.bus.tell(SensorTrouble(1.0, "weak_magnet", active=True))
    told = await figures(here)
    assert told["legcurl_station_up", "machine-1"] == 1
    assert told["legcurl_station_up", "machine-2"] == 0
    assert told["legcurl_link_state", "machine-2", "lost"] == 1
    assert told["legcurl_link_state", "machine-2", "up"] == 0
    assert told["legcurl_stations",] == 2
    assert told["legcurl_stations_up",] == 1
    assert told["legcurl_sensor_faults", "machine-1"] == 1
    assert told["legcurl_machine_info", "machine-1", "Leg curl 1"] == 1


async def test_the_store_and_the_pages_are_told(here: Room):
    here.service.writer.trouble = "disk full"
    here.page.broadcast.skipped = 7
    told = await figures(here)
    assert told["legcurl_store_up",] == 0
    assert told["legcurl_sets_waiting",] == 0
    assert told["legcurl_viewer_messages_skipped_total",] == 7
    assert told["legcurl_viewers",] == 0
    assert told["process_open_fds",] > 3
    assert told["process_resident_memory_bytes",] > 1e6


async def test_an_event_is_as_old_as_its_sample(here: Room):
    class Aged:
        counts = here.service.gym.machines["machine-1"].counts

        def age_s(self, t_s: float) -> float | None:
            return None if t_s > 5 else 0.045

        def wall_time_s(self, t_s: float) -> float | None:
            return None

    machine = here.service.gym.machines["machine-1"]
    machine.station = Aged()  # type: ignore[assignment]
    machine.bus.tell(SensorTrouble(1.0, "weak_magnet", active=True))
    machine.bus.tell(SensorTrouble(9.0, "weak_magnet", active=False))  # nobody can tell how old
    machine.bus.tell(LinkChanged("lost", "unplugged"))  # of no sample
    told = await figures(here)
    assert told["legcurl_event_latency_seconds_count",] == 1
    assert told["legcurl_event_latency_seconds_bucket", "0.04"] == 0
    assert told["legcurl_event_latency_seconds_bucket", "0.05"] == 1
    machine.station = None


async def test_other_parts_hang_their_figures_on_it(here: Room):
    class Journal:
        def measures(self):
            return [
                Measure("legcurl_journal_bytes", "Bytes in the journal.", 4096),
                Measure("legcurl_journal_losses", "Times it was not written.", 3, "counter"),
            ]

    here.service.metrics.add(Journal())
    told = await figures(here)
    assert told["legcurl_journal_bytes",] == 4096
    assert told["legcurl_journal_losses_total",] == 3


async def test_two_services_in_one_process_count_apart(here: Room, tmp_path: Path):
    (tmp_path / "other").mkdir()
    async with room(tmp_path / "other") as other:
        play_set(other.service.gym.machines["machine-1"], SET)
        assert (await figures(other))["legcurl_samples_total", "machine-1"] > 0
        assert (await figures(here))["legcurl_samples_total", "machine-1"] == 0


async def test_a_name_with_every_sign_stays_one_label(tmp_path: Path):
    name = 'a "quoted"\\back\nslash} 1 \u202e🏋'
    async with room(tmp_path, names=(name,)) as here:
        assert (await figures(here))["legcurl_machine_info", "machine-1", name] == 1


async def test_with_a_pin_metrics_need_a_session_or_the_monitors_token(tmp_path: Path):
    access = Access({"change": hashed(PIN)}, metrics_token=TOKEN)
    async with room(tmp_path, access=access) as here:
        refused = await here.get("/metrics")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "legcurl_" not in refused.text
        for wrong in ("Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"):
            headers = {b"authorization": wrong.encode("latin-1")}
            assert (await here.client.get("/metrics", headers=headers)).status_code == 401, wrong
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert (await here.get("/metrics", headers=headers)).status_code == 200
        assert (await here.get("/api/stations", headers=headers)).status_code == 401
        assert (await here.client.post(f"{URL}/metrics", headers=headers)).status_code == 405
        await here.sign_in(PIN)
        assert (await here.get("/metrics")).status_code == 200


async def test_without_a_token_no_token_is_right(tmp_path: Path):
    async with room(tmp_path, access=Access({"change": hashed(PIN)})) as here:
        for empty in ("Bearer ", "Bearer", "bearer None"):
            answer = await here.get("/metrics", headers={"authorization": empty})
            assert answer.status_code == 401


def test_a_token_that_could_be_guessed_is_refused():
    with pytest.raises(ConfigError, match="at least 16"):
        Access({}, metrics_token="short")
