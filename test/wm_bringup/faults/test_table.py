"""The table of faults, and how a run is judged by it."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest

from wm_bringup import graph
from wm_bringup.faults import campaign
from wm_bringup.faults.inject import INTERPOSER, Alter, Freeze, Kill
from wm_bringup.faults.interposer_node import RIVAL, TOPICS
from wm_bringup.faults.launched import WmSignal
from wm_bringup.faults.measure import Measures
from wm_bringup.faults.run import Result, judge
from wm_bringup.faults.table import FAULTS, Fault, chosen
from wm_bringup.live_run import Outcome
from wm_core import reports, results
from wm_core.errors import ConfigError

GOOD = Measures("holding", "why", "holding", 0.3, 0.34, 0.35, 0.4, 0.1, 0.1, 0.02, 0.02, 0.0, 0.001, {}, 0.02, 50.0)
FAULT = Fault("some", Alter("planner/plan", "drop"), detect_s=0.25)
ENDED = Outcome(1, "holding: why")


def declared() -> graph.Graph:
    return graph.pick_place("sim", bundle="bundle", goal="goal", record_goal=False)


def test_names_are_unique_and_can_be_chosen() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) >= 30
    assert [fault.name for fault in chosen(["plan_flood", "planner_killed"])] == ["plan_flood", "planner_killed"]
    assert chosen([]) == FAULTS
    with pytest.raises(ConfigError, match="no fault 'flood'"):
        chosen(["flood"])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_fits_the_graph(fault: Fault) -> None:
    before = declared()
    after = fault.injection.prepare(before)
    names = [spec.name for spec in before.nodes]
    if isinstance(fault.injection, (Kill, Freeze)):
        assert fault.injection.node in names and after == before
    if isinstance(fault.injection, Alter):
        assert [spec.name for spec in after.nodes] == [*names, INTERPOSER]
        moved = [spec.name for spec in after.nodes if spec.remappings]
        if fault.injection.fault == RIVAL:
            assert moved == []
        else:
            assert fault.injection.topic in TOPICS and len(moved) == 1
            (source,) = (spec for spec in after.nodes if spec.remappings)
            assert source.remappings == ((fault.injection.topic, f"{fault.injection.topic}/true"),)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_fault_may_take_longer_than_it_lasts(fault: Fault) -> None:
    if fault.rest_within_s is not None:
        assert fault.rest_within_s < fault.lasts_s


def test_a_run_as_declared_has_no_failures() -> None:
    assert judge(FAULT, GOOD, ENDED, 0, "") == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"outcome": "running"}, "it ended running"),
        ({"hold_s": None}, "a hold was reported never"),
        ({"hold_s": 0.7}, "a hold was reported after 0.70 s"),
        ({"rest_s": 1.5}, "the target moved for 1.50 s"),
        ({"overshoot_m": 0.006}, "the arm overshot by 6.0 mm"),
        ({"violations": {"speed": 2}}, "violations: speed 2"),
        ({"rate_hz": 100.0}, "targets came at 100 Hz, not at 50 Hz"),
    ],
)
def test_each_measure_is_judged(changes: dict, sentence: str) -> None:
    (failure,) = judge(FAULT, dataclasses.replace(GOOD, **changes), ENDED, 0, "", 50.0)
    assert sentence in failure


def test_where_the_arm_may_go_on_its_first_rest_counts() -> None:
    clock = dataclasses.replace(FAULT, expected=("running",), goes_on=True)
    on = dataclasses.replace(GOOD, outcome="running", rest_s=2.9, overshoot_m=0.1)
    assert judge(clock, on, ENDED, 0, "") == []
    late = judge(clock, dataclasses.replace(on, first_rest_s=2.0), ENDED, 0, "")
    assert late == ["the target moved for 2.00 s, not at most 0.90 s"]
    assert judge(clock, dataclasses.replace(on, first_rest_s=None), ENDED, 0, "") == ["the target did not come to rest"]


def test_a_fault_of_the_launcher_is_judged_by_its_exit_status() -> None:
    killed = Fault("wm_killed", WmSignal(signal.SIGKILL), ("holding",), exits=-9)
    assert judge(killed, GOOD, Outcome(-9, "wm ended with status -9"), 0, "") == []
    assert judge(killed, GOOD, Outcome(1, "wm ended with status 1"), 0, "") == [
        "it ended with status 1, not -9: wm ended with status 1"
    ]


def test_orphans_complaints_and_exits_are_judged() -> None:
    assert judge(FAULT, GOOD, ENDED, 2, "") == ["2 processes were left behind"]
    assert judge(FAULT, GOOD, ENDED, 0, "the second run was not refused") == ["the second run was not refused"]
    assert "status 2" in judge(FAULT, GOOD, Outcome(2, "planner was killed by SIGKILL"), 0, "")[0]
    assert judge(FAULT, None, Outcome(2, "no GL"), 0, "") == ["the fault was not done: no GL"]
    kill = Fault("planner_killed", Kill("planner"), detect_s=0.25)
    assert judge(kill, GOOD, Outcome(2, "planner was killed by SIGKILL; the arm holds where it was"), 0, "") == []
    assert "name of the node" in judge(kill, GOOD, ENDED, 0, "")[0]


def test_the_table_lines_up_with_its_head() -> None:
    good = campaign.row(Result("some", GOOD, 1, "message", 0, ()))
    bad = campaign.row(Result("some", None, 2, "no GL", 0, ("the fault was not done",)))
    column, reason = campaign.HEAD.index("as declared"), campaign.HEAD.index("reason")
    assert good[column:].startswith("yes ") and good[reason:] == "why"
    assert bad[column:].startswith("NO ") and bad[reason:] == "no GL"


def test_json_holds_everything(tmp_path: Path) -> None:
    results.write_json(tmp_path / "out.json", [reports.as_dict(Result("some", GOOD, 1, "m", 0, ("f",)))])
    assert '"hold_s": 0.3' in (tmp_path / "out.json").read_text()
