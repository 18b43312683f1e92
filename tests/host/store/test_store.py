"""What the store promises: a set goes in whole, comes out the same, and is never overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from legcurl.errors import InputError
from legcurl.store import Expected, Machine, SetQuery, open_store
from legcurl.training_method import STANDARD, TrainingMethod
from made_sets import FIRST, MACHINE, measured, new_set


def test_a_set_comes_out_as_it_went_in(store):
    new = new_set()
    assert store.add_set(new) == new.id
    stored = store.get_set(new.id)
    assert stored.result == stored.original == new.result
    assert stored.started == new.started
    assert stored.machine == MACHINE
    assert not stored.deleted
    assert not stored.corrected


def test_a_set_keeps_its_method_and_the_reps_that_count_by_it(store):
    method = TrainingMethod(hold_target_s=2.0, counted_fraction=0.7, count_at="top")
    result = replace(measured()[1], method=method, counted_reps=9)
    store.add_set(new_set(result=result))
    store.add_set(new_set(1))
    judged, standard = (store.get_set(f"set-000{number}").original for number in (0, 1))
    assert (judged.judged_by, judged.count) == (method, 9)
    assert (standard.judged_by, standard.count) == (STANDARD, result.completed_reps)
    store.correct("set-0000", "count", 11, who="coach")
    assert store.get_set("set-0000").result.count == 11


def test_the_same_set_again_changes_nothing(store):
    new = new_set()
    store.add_set(new)
    store.change_set(new.id, {"note": "slow down"})
    store.add_set(replace(new, result=replace(new.result, completed_reps=99)))
    assert store.get_set(new.id).result == new.result
    assert store.get_set(new.id).note == "slow down"
    assert len(store.find_sets(SetQuery()).sets) == 1


def shifted(new, by_s):
    """The same set as another look at the log might measure it."""
    result = replace(new.result, start_s=new.result.start_s + by_s)
    return replace(new, id=f"{new.id}-again", result=result)


def test_a_set_measured_again_a_little_differently_is_the_same_set(store):
    new = new_set(log="sensor-1-boot-7")
    store.add_set(new)
    for by_s in (-2.0, -0.01, 0.01, 2.0):
        assert store.add_set(shifted(new, by_s)) == new.id
    assert [stored.id for stored in store.find_sets(SetQuery()).sets] == [new.id]
    assert store.get_set(new.id).result == new.result


def test_a_set_measured_by_the_clock_of_another_service_is_the_same_set(store):
    """The one began before the sensor restarted, and counts on; the other knows only this boot."""
    new = new_set(log="sensor-1-boot-7")
    store.add_set(new)
    later = replace(new.result, start_s=new.result.start_s + 500, end_s=new.result.end_s + 500)
    again = replace(new, id="again", result=later, log_zero_us=500_000_000)
    assert store.add_set(again) == new.id


def test_sets_of_other_logs_or_of_none_are_other_sets(store):
    store.add_set(new_set(0, log="sensor-1-boot-7"))
    others = [
        new_set(1, log="sensor-1-boot-8"),
        new_set(2, log="sensor-2-boot-7"),
        new_set(3, log=""),
        new_set(4, log=""),
    ]
    for other in others:
        assert store.add_set(other) == other.id
    assert len(store.find_sets(SetQuery()).sets) == 5


def test_the_next_set_of_the_same_log_is_another_set(store):
    first = new_set(0, log="sensor-1-boot-7")
    store.add_set(first)
    length_s = first.result.end_s - first.result.start_s
    result = replace(
        first.result,
        start_s=first.result.end_s + 0.01,
        end_s=first.result.end_s + 0.01 + length_s,
    )
    store.add_set(replace(first, id="set-0001", result=result))
    assert len(store.find_sets(SetQuery()).sets) == 2


def test_a_set_is_stored_though_its_client_is_gone(store):
    store.add_set(new_set(expected=Expected("gone", 40.0, FIRST)))
    stored = store.get_set("set-0000")
    assert stored.client is None
    assert stored.load_kg == 40.0


def test_storing_a_set_uses_up_only_its_own_entries(store):
    store.put_machine(MACHINE)
    entered = Expected(None, 40.0, FIRST)
    newer = Expected(None, 50.0, FIRST + timedelta(seconds=1))
    store.expect(MACHINE.id, entered)
    store.add_set(new_set(0, expected=entered))
    assert store.expected(MACHINE.id) == Expected()
    store.expect(MACHINE.id, newer)
    store.add_set(new_set(1, expected=entered))
    assert store.expected(MACHINE.id) == newer


def test_stored_sets_survive_reopening(url):
    with open_store(url) as first:
        first.add_set(new_set())
    with open_store(url) as second:
        assert second.get_set("set-0000").result == new_set().result


def test_a_trace_comes_back_sample_for_sample_and_is_small(store):
    trace, _ = measured()
    store.add_set(new_set())
    kept = store.trace("set-0000")
    assert kept is not None
    assert kept.t_us == trace.t_us
    assert kept.angle_deg == trace.angle_deg
    with store.reading() as connection:
        size = connection.execute(sa.text("select length(samples) from traces")).scalar()
    minutes = (trace.t_us[-1] - trace.t_us[0]) / 60e6
    assert size / minutes <= 10_000


def test_blind_samples_stay_blind(store):
    trace, _ = measured("sensor_faults", 3)
    assert any(angle != angle for angle in trace.angle_deg)
    store.add_set(new_set(lifter="sensor_faults", seed=3))
    kept = store.trace("set-0000")
    assert str(kept.angle_deg) == str(trace.angle_deg)


def test_a_set_belongs_to_the_client_expected_on_the_machine(store):
    anna = store.add_client("Anna")
    store.put_machine(MACHINE)
    store.expect(MACHINE.id, Expected(anna.id, 42.5, FIRST))
    store.add_set(new_set(expected=store.expected(MACHINE.id)))
    stored = store.get_set("set-0000")
    assert stored.client == anna
    assert stored.load_kg == 42.5


def test_a_correction_shows_and_the_original_stays(store):
    store.add_set(new_set())
    measured_count = store.get_set("set-0000").original.completed_reps
    store.correct("set-0000", "count", measured_count + 1, who="coach", reason="saw one more")
    store.correct("set-0000", "outcome", "stopped", who="coach")
    stored = store.get_set("set-0000")
    assert stored.result.completed_reps == measured_count + 1
    assert stored.result.outcome == "stopped"
    assert stored.original.completed_reps == measured_count
    assert stored.original.outcome == "muscle_success"
    assert [(c.kind, c.who, c.reason) for c in stored.corrections] == [
        ("count", "coach", "saw one more"),
        ("outcome", "coach", ""),
    ]


def test_a_deleted_set_can_be_restored(store):
    store.add_set(new_set())
    store.correct("set-0000", "delete", None, who="coach")
    assert store.get_set("set-0000").deleted
    store.correct("set-0000", "restore", None, who="coach")
    assert not store.get_set("set-0000").deleted


def test_pages_are_newest_first_and_complete(store):
    for number in range(25):
        store.add_set(new_set(number, trace=None))
    seen, before = [], None
    while True:
        page = store.find_sets(SetQuery(limit=10, before=before))
        seen += [stored.id for stored in page.sets]
        before = page.next
        if before is None:
            break
    assert seen == [f"set-{number:04}" for number in reversed(range(25))]


def test_sets_are_found_by_machine_client_and_time(store):
    anna = store.add_client("Anna")
    other = Machine("curl-2", "Leg curl 2")
    store.add_set(new_set(0, trace=None))
    store.add_set(new_set(1, trace=None, machine=other, expected=Expected(anna.id)))
    store.add_set(new_set(2, trace=None, expected=Expected(anna.id)))

    def found(**conditions):
        return [stored.id for stored in store.find_sets(SetQuery(**conditions)).sets]

    assert found(machine_id="curl-2") == ["set-0001"]
    assert found(client_id=anna.id) == ["set-0002", "set-0001"]
    assert found(since=FIRST + timedelta(minutes=3)) == ["set-0002", "set-0001"]
    assert found(until=FIRST + timedelta(minutes=3)) == ["set-0000"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"load_kg": -1}, "0 to 500 kg"),
        ({"load_kg": "40"}, "0 to 500 kg"),
        ({"load_kg": float("nan")}, "0 to 500 kg"),
        ({"note": "x" * 2001}, "at most 2000"),
        ({"note": 7}, "at most 2000"),
        ({"client_id": "nobody"}, "no client"),
        ({"client_id": ["nobody"]}, "no client"),
        ({"note": "half a \ud83d"}, "at most 2000"),
        ({"outcome": "stopped"}, "no field 'outcome'"),
    ],
)
def test_an_invalid_change_is_refused_whole(store, change, words):
    store.add_set(new_set())
    with pytest.raises(InputError, match=words):
        store.change_set("set-0000", {"note": "new", **change})
    assert store.get_set("set-0000").note == ""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("count", -1),
        ("count", 1.5),
        ("count", True),
        ("count", None),
        ("outcome", "won"),
        ("tidy", 1),
    ],
)
def test_an_invalid_correction_is_refused(store, kind, value):
    store.add_set(new_set())
    with pytest.raises(InputError):
        store.correct("set-0000", kind, value, who="coach")
    assert store.get_set("set-0000").corrections == ()


def test_unknown_sets_and_clients_are_named(store):
    with pytest.raises(InputError, match="no set 'gone'"):
        store.get_set("gone")
    with pytest.raises(InputError, match="no set 'gone'"):
        store.correct("gone", "delete", None, who="coach")
    with pytest.raises(InputError, match="no set 'gone'"):
        store.change_set("gone", {"note": "x"})
    with pytest.raises(InputError, match="no client 'gone'"):
        store.client("gone")


def test_names_are_kept_as_they_are(store):
    names = ["<script>alert(1)</script>", "Zoë 'O\"Neill", "שלום", "a" * 80]
    assert [store.add_client(name).name for name in names] == names
    assert {client.name for client in store.clients()} == set(names)
    with pytest.raises(InputError, match="at most 80"):
        store.add_client("a" * 81)


def test_the_migrations_lead_to_the_tables_that_the_code_expects(store):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from legcurl.store.tables import metadata

    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
