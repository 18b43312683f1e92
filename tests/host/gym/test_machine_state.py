"""The reducer: what a viewer should see after each event of a set."""

from dataclasses import replace

from legcurl.events import (
    Cue,
    FailureSuspected,
    FailureWithdrawn,
    LinkChanged,
    MuscleSuccess,
    Phase,
    Progress,
    RepCorrected,
    RepCounted,
    RepEnded,
    SamplesMissing,
    SensorTrouble,
    SetEnded,
    SetStarted,
)
from legcurl.gym.machine_state import CUE_LASTS_S, NOTE_LASTS_S, MachineState
from scripted_set import FAILED, SENSOR, a_set, rep, resting, set_of


def after(*events) -> MachineState:
    state = MachineState()
    for event in events:
        state = state.apply(event)
    return state


def states():
    """Every event of the scripted set with the picture after it."""
    state = MachineState()
    for event in a_set():
        state = state.apply(event)
        yield event, state


def progress(
    t_s: float, phase: Phase = "hold", hold_s: float = 0.0, fraction: float = 0.5
) -> Progress:
    return Progress(t_s, 250.0, fraction, phase, 0, hold_s, t_s)


def test_a_state_is_never_changed_in_place():
    before = after(*a_set())
    copy = replace(before)
    before.apply(LinkChanged("lost", "unplugged"))
    assert before == copy


def test_the_count_is_that_of_completed_reps_at_every_moment():
    seen = 0
    for event, state in states():
        if isinstance(event, RepEnded):
            seen += event.rep.completed
        assert state.completed_reps == seen
    assert seen == 7


def test_a_rep_that_counts_at_its_top_is_counted_there_or_taken_back_aloud():
    seen = after(SetStarted(1.0, 0.5), RepCounted(2.0, 1, 3))
    assert (seen.count, seen.completed_reps) == (3, 1)
    taken_back = RepCorrected(4.0, None, None, 0, "it did not count after all", 2)
    seen = seen.apply(taken_back)
    assert seen.count == 2
    assert seen.note is not None
    assert "taken back" in seen.note.text


def test_the_picture_before_during_and_after_a_set():
    stages = [state.stage for _, state in states()]
    assert stages == sorted(stages, key=["before", "during", "after"].index)
    assert set(stages) == {"before", "during", "after"}


def test_the_hold_counts_up_and_stays_readable_until_the_next_lift():
    highest = 0.0
    for event, state in states():
        if isinstance(event, Progress) and event.phase == "hold":
            assert state.hold_s == event.hold_s
            highest = event.hold_s
        elif isinstance(event, Progress) and event.phase == "eccentric" and not state.doubt:
            assert state.hold_s >= highest > 2.0
        elif isinstance(event, Progress) and event.phase == "concentric":
            assert state.hold_s == 0.0
            highest = 0.0


def test_a_measured_hold_replaces_the_live_one():
    one = rep(1, FAILED, 4.0)
    state = after(
        SENSOR, progress(8.0, hold_s=3.3), progress(9.0, "eccentric"), RepEnded(10, one, 1)
    )
    assert state.hold_s == one.hold_s


def test_the_highest_point_of_the_attempt_is_kept_while_it_goes_down():
    state = after(progress(1.0, "bottom", fraction=0.0), progress(2.0, "concentric", fraction=0.6))
    state = state.apply(progress(3.0, "eccentric", fraction=0.2))
    assert (state.rom_fraction, state.reached_fraction) == (0.2, 0.6)
    state = state.apply(progress(4.0, "bottom", fraction=0.0))
    assert state.apply(progress(5.0, "concentric", fraction=0.1)).reached_fraction == 0.1


def test_rest_at_the_bottom_is_counted_and_forgotten_at_the_next_lift():
    state = after(*resting(20.0, 2.0, done=1, set_s=10.0))
    assert abs(state.rest_s - 1.9) < 1e-6
    assert state.apply(progress(22.0, "concentric")).rest_s == 0.0


def test_a_doubt_is_shown_at_once_and_is_no_success():
    state = after(SENSOR, FailureSuspected(70.0, 69.2, 0.55, "creeping"))
    assert state.doubt is not None
    assert state.success is None


def test_a_withdrawn_doubt_leaves_a_note_for_a_while():
    state = after(FailureSuspected(70.0, 69.2, 0.55, "creeping"))
    state = state.apply(FailureWithdrawn(71.0, "he pushed it through"))
    assert state.doubt is None
    assert state.note is not None
    assert "pushed it through" in state.note.text
    assert state.apply(progress(71.0 + NOTE_LASTS_S + 0.1)).note is None


def test_muscle_success_replaces_the_suspicion_until_a_full_rep():
    state = after(
        FailureSuspected(70.0, 69.2, 0.55, "creeping"),
        MuscleSuccess(72.0, 69.2, "mid_lift", "crept and sank"),
    )
    assert state.doubt is None
    assert state.success is not None
    assert state.apply(FailureWithdrawn(80.0, "a full rep followed")).success is None


def test_a_corrected_rep_takes_the_place_of_the_old_one():
    first, second = rep(1, FAILED, 4.0), rep(2, FAILED, 14.0)
    seen = after(SetStarted(9, 4), RepEnded(9, first, 0), RepEnded(20, second, 0))
    better = replace(second, completed=True)
    corrected = seen.apply(RepCorrected(25, second, better, 1, "the range was another lifter's"))
    assert corrected.reps == (first, better)
    assert corrected.completed_reps == 1
    withdrawn = corrected.apply(RepCorrected(26, first, None, 1, "it was no rep"))
    assert withdrawn.reps == (better,)


def test_the_next_set_starts_with_a_clean_picture():
    ended = after(*a_set())
    assert ended.stage == "after"
    assert ended.result is not None
    begun = ended.apply(SetStarted(200.0, 190.0))
    assert (begun.stage, begun.completed_reps, begun.reps) == ("during", 0, ())
    assert begun.result is None
    assert begun.success is None
    assert begun.sets_ended == 1


def test_a_finished_set_shows_its_final_result_and_not_the_last_live_one():
    reps = [rep(1, FAILED, 4.0), replace(rep(2, FAILED, 14.0), completed=True)]
    state = after(SetStarted(9, 4), RepEnded(9, reps[0], 0), SetEnded(40, set_of(reps)))
    assert state.completed_reps == 1
    assert state.reps == tuple(reps)


def test_a_lost_link_leaves_the_set_open():
    state = after(*(event for event in a_set() if not isinstance(event, SetEnded)))
    lost = state.apply(LinkChanged("lost", "unplugged"))
    assert (lost.stage, lost.reps, lost.link) == (state.stage, state.reps, "lost")
    assert lost.apply(LinkChanged("restored", "")).link == "up"


def test_faults_are_shown_while_they_last():
    state = after(
        SensorTrouble(5.0, "weak_magnet", active=True), SensorTrouble(6.0, "bus_error", active=True)
    )
    assert state.faults == ("weak_magnet", "bus_error")
    assert state.apply(SensorTrouble(7.0, "weak_magnet", active=False)).faults == ("bus_error",)


def test_a_blinding_fault_is_shown_before_a_newer_one():
    state = after(SensorTrouble(5.0, "bus_error", True), SensorTrouble(6.0, "weak_magnet", True))
    assert (state.shown_fault, state.blind) == ("bus_error", True)
    state = after(SensorTrouble(5.0, "weak_magnet", True), SensorTrouble(6.0, "unknown", True))
    assert (state.shown_fault, state.blind) == ("unknown", False)


def test_missing_samples_are_told_once():
    state = after(SamplesMissing(12.0, 3.5, 350, "evicted"))
    assert state.note is not None
    assert "3.5 s" in state.note.text


def test_a_cue_is_shown_for_the_movement_it_concerns():
    state = after(Cue(10.0, "squeeze"))
    assert state.cue is not None
    assert state.apply(progress(10.0 + CUE_LASTS_S)).cue is None


def test_a_restarted_sensor_brings_a_new_clock_and_no_old_notes():
    state = after(SENSOR, SamplesMissing(1e6, 3.5, 350, "evicted"))
    assert state.note is not None
    restarted = state.apply(replace(SENSOR, boot_id=SENSOR.boot_id + 1))
    assert restarted.note is None
