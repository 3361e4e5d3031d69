"""For which run plans are made, over the words of a controller; no transport."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_planner.runs import NOT_READY, TOO_LATE, Runs

A, B = "0000000a", "0000000b"


def heard(*words: tuple[str, str], ready: bool = True) -> Runs:
    runs = Runs()
    if ready:
        runs.ready()
    for word in words:
        runs.hear(*word)
    return runs


def test_nothing_is_planned_before_a_start() -> None:
    assert not Runs().planning
    assert not heard(("idle", A)).planning
    assert not heard(("idle", A), ("stopped", A)).planning
    assert not heard(("idle", A), ("fault", A)).planning


def test_a_run_whose_start_was_seen_is_planned_for() -> None:
    runs = heard(("idle", A))
    assert runs.hear("holding", A) and runs.planning and not runs.running and runs.run == A
    assert not runs.hear("running", A), "it began before"
    assert runs.planning and runs.running


def test_a_stop_does_not_end_a_run() -> None:
    runs = heard(("idle", A), ("running", A))
    runs.hear("stopped", A)
    assert not runs.planning and runs.run == A and not runs.done
    assert not runs.hear("holding", A) and runs.planning and not runs.running


def test_a_start_that_was_overtaken_by_a_stop_is_still_a_start() -> None:
    runs = heard(("idle", A), ("stopped", A))
    assert runs.hear("holding", A) and runs.planning


@pytest.mark.parametrize("first", ["holding", "running"])
def test_a_run_that_was_in_progress_is_ended(first: str) -> None:
    runs = heard((first, A))
    assert not runs.planning and runs.done and not runs.reached and runs.run == A and runs.refused == TOO_LATE
    runs.hear("stopped", A)
    assert not runs.hear("holding", A) and not runs.planning
    runs.hear("idle", B)
    assert runs.hear("holding", B) and runs.planning and not runs.done and runs.refused == ""


def test_stopped_at_first_a_run_may_be_in_progress() -> None:
    runs = heard(("stopped", A))
    assert not runs.hear("holding", A) and not runs.planning and runs.refused == TOO_LATE


def test_a_run_that_began_before_the_goals_is_ended() -> None:
    runs = heard(("idle", A), ("holding", A), ready=False)
    assert not runs.planning and runs.done and runs.refused == NOT_READY
    runs.ready()
    assert not runs.planning and not runs.hear("running", A) and not runs.planning
    runs.hear("idle", B)
    assert runs.hear("running", B) and runs.planning


def test_goals_that_come_while_idle_are_in_time() -> None:
    runs = heard(("idle", A), ready=False)
    runs.ready()
    assert runs.hear("holding", A) and runs.planning


def test_after_the_end_nothing_but_another_start_helps() -> None:
    runs = heard(("idle", A), ("running", A))
    runs.finish(runs.turn, True)
    assert runs.done and runs.reached and not runs.planning
    for mode in ("holding", "running", "stopped", "holding", "running", "fault", "running"):
        assert not runs.hear(mode, A) and not runs.planning
    runs.hear("idle", B)
    assert runs.run == A and runs.done and runs.reached, "the result stays until the next run begins"
    runs.hear("stopped", B)
    runs.hear("idle", B)
    assert runs.hear("holding", B) and runs.run == B and not runs.done and not runs.reached


def test_a_run_that_someone_else_ended_has_no_result() -> None:
    runs = heard(("idle", A), ("running", A), ("idle", B))
    assert runs.run is None and not runs.done


def test_a_run_that_nobody_announced_is_not_planned_for() -> None:
    runs = heard(("idle", A), ("running", A))
    assert not runs.hear("running", B) and not runs.planning and runs.refused == TOO_LATE


def test_a_result_of_an_earlier_turn_ends_nothing() -> None:
    runs = heard(("idle", A), ("running", A))
    turn = runs.turn
    runs.replace()
    runs.finish(turn, True)
    assert not runs.done and runs.planning
    turn = runs.turn
    runs.hear("idle", B)
    runs.hear("running", B)
    runs.finish(turn, True)
    assert not runs.done and runs.planning


def test_for_which_run_goals_can_be_shown() -> None:
    runs = heard()
    assert runs.open == ""
    runs.hear("idle", A)
    assert runs.open == A
    runs.hear("running", A)
    assert runs.open == A
    runs.finish(runs.turn, True)
    assert runs.open == ""
    runs.hear("stopped", A)
    assert runs.open == ""
    runs.hear("idle", B)
    assert runs.open == B


def test_what_cannot_be_read_stops_planning_until_it_can() -> None:
    runs = heard(("idle", A), ("running", A))
    runs.lost()
    assert not runs.planning and not runs.done
    runs.hear("running", A)
    assert runs.planning


words = st.tuples(st.sampled_from(["idle", "holding", "running", "stopped", "fault", ""]), st.sampled_from("abc"))


@given(st.lists(st.one_of(words, st.sampled_from(["ready", "finish", "replace", "lost"])), max_size=30))
def test_only_a_start_that_was_seen_in_readiness_leads_to_plans(events: list) -> None:
    """Whatever comes: plans are due only for a run that was heard of idle, while ready, and that has not ended."""
    runs, ready, idle, ended, mode = Runs(), False, None, set(), ("", "")
    may: set[str] = set()
    for event in events:
        if event == "ready":
            ready = True
            runs.ready()
        elif event == "finish":
            runs.finish(runs.turn, True)
        elif event == "replace":
            runs.replace()
        elif event == "lost":
            mode = ("", mode[1])
            runs.lost()
        else:
            mode = event
            runs.hear(*event)
        if mode[0] == "idle" and ready:
            idle = mode[1]
            may = {idle}
        elif mode[0] == "idle":
            may = set()
        if runs.done and runs.run is not None:
            ended.add(runs.run)
        if runs.planning:
            assert mode[0] in ("holding", "running") and runs.run == mode[1] and mode[1] in may
