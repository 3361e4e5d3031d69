"""Every event in every mode, spelt out a second time; and what must hold of any sequence of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_controller.supervisor import EVENTS, TABLE, Supervisor
from wm_core.reports import LATCHED, Mode

#: How to come to each mode from a new supervisor, and what each of EVENTS then leads to, in their order:
#: start, stop, resume, end, fine, hold, fault.
EXPECTED = {
    "idle": ([], "holding stopped idle idle idle idle idle"),
    "holding": (["start"], "holding stopped holding idle running holding fault"),
    "running": (["start", "fine"], "running stopped running idle running holding fault"),
    "stopped": (["start", "fine", "stop"], "stopped stopped holding stopped stopped stopped stopped"),
    "fault": (["start", "fine", "fault"], "fault stopped holding fault fault fault fault"),
}


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(Mode) == set(EXPECTED)
    assert all(set(row) == set(EVENTS) for row in TABLE.values())


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_mode(mode: Mode, event: str) -> None:
    way, row = EXPECTED[mode]
    then = dict(zip(EVENTS, row.split(), strict=True))
    supervisor = Supervisor()
    for step in way:
        supervisor.take(step, "because")
    assert supervisor.mode == mode
    assert supervisor.take(event, "because") == supervisor.mode == then[event]
    assert supervisor.latched == (then[event] in LATCHED)
    assert supervisor.started == (then[event] in ("running", "holding"))
    assert supervisor.in_run == ((then[event] != "idle" and mode != "idle" and event != "end") or event == "start")


@pytest.mark.parametrize("latch", ["stop", "fault"])
def test_a_run_that_ends_while_it_is_stopped_goes_idle_by_resume(latch: str) -> None:
    supervisor = Supervisor()
    for event in ("start", "fine", latch, "end"):
        supervisor.take(event, "because")
    assert supervisor.latched and not supervisor.in_run
    assert supervisor.take("start") == supervisor.take("fine") == supervisor.mode
    assert supervisor.take("resume") == "idle"
    assert supervisor.reason == "waiting for start"


def test_a_stop_before_the_start_goes_back_to_idle() -> None:
    supervisor = Supervisor()
    supervisor.take("stop")
    assert supervisor.take("start") == "stopped"
    assert supervisor.take("resume") == "idle"
    assert supervisor.reason == "waiting for start"


def test_reasons() -> None:
    supervisor = Supervisor()
    assert supervisor.reason == "waiting for start"
    supervisor.take("start")
    assert supervisor.reason == "waiting for a plan"
    supervisor.take("fine")
    assert supervisor.reason == ""
    supervisor.take("hold", "no arm state yet")
    assert supervisor.reason == "no arm state yet"
    supervisor.take("fault", "the robot reports joint_reflex")
    supervisor.take("fault", "another")
    supervisor.take("stop", "stopped by the operator")
    assert supervisor.reason == "the robot reports joint_reflex; call resume to go on"
    supervisor.take("resume")
    assert supervisor.reason == "waiting for a plan"
    supervisor.take("end", "the last goal was reached")
    for event in ("fine", "hold", "resume", "end"):
        supervisor.take(event, "because")
        assert supervisor.reason == "the last goal was reached; call start"


def test_an_event_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        Supervisor().take("go")


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_only_a_person_ends_a_stop_and_nobody_runs_without_a_start(events: list[str]) -> None:
    supervisor, started = Supervisor(), False
    for event in events:
        before = supervisor.mode
        after = supervisor.take(event, "because")
        started |= event == "start" and before == "idle"
        if before in LATCHED and after not in LATCHED:
            assert event == "resume"
        if after == "running":
            assert started and event in ("fine", "start", "resume")
            assert event == "fine" or before == "running"
        if event in ("stop", "fault", "hold"):
            assert after != "running"
        assert bool(supervisor.reason) == (after != "running")


def test_what_no_resume_can_mend_does_not_ask_for_one() -> None:
    supervisor = Supervisor()
    supervisor.take("start")
    supervisor.take("stop", "the controller was ended; start the stack again")
    assert supervisor.reason == "the controller was ended; start the stack again"
