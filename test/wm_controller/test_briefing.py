"""What an operator is told before anything moves."""

from __future__ import annotations

import os
from pathlib import Path

import rclpy

from wm_controller.briefing import Readiness, briefing
from wm_controller.controller_node import ControllerNode
from wm_core.share import share
from wm_ros.node import SETTLE_S


def say(*arguments: str) -> dict[str, str]:
    """The briefing of a node that was started so, line by line."""
    rclpy.init(args=["--ros-args", *arguments])
    node = ControllerNode()
    lines = briefing(node, os.getpid()).splitlines()[1:]
    node.destroy_node()
    return dict(line.strip().split(": ", 1) for line in lines)


def test_it_names_files_limits_and_what_everything_is_called_in_truth(context: None, tmp_path: Path) -> None:
    preset, lab = share() / "config" / "arms" / "fr3_crisp.yaml", tmp_path / "controller.yaml"
    lab.write_text("force_hold_n: 8\nlimits: {box_max_m: [0.6, 0.3, 0.5]}\n")
    lines = say(
        *("-p", f"config:=[{preset}, {lab}]", "-p", "limits.speed_m_s:=0.05", "-r", "__ns:=/lab"),
        *("-r", "target_pose:=/elsewhere", "-r", "stop:=/panic", "-r", "planner/plan:=/theirs"),
    )
    base = preset.parent / "base" / "franka.yaml"
    assert lines["configuration"] == f"{base}; above it {preset}; above it {lab}; above it limits.speed_m_s = 0.05"
    assert lines["box for the TCP in 'base', m"] == "x 0.25 to 0.6, y -0.35 to 0.3, z 0.02 to 0.5"
    assert lines["at most"].startswith("0.05 m/s, 0.3 rad/s, ")
    assert lines["contact"] == "holds above 8 N or 12.8 Nm; stops above 30 N or 25.6 Nm"
    assert lines["joints"] == "of a fr3, 0.1 rad off their ends"
    assert lines["moves only while it hears of"] == "pose, gripper, wrench, joints"
    assert "/elsewhere" in lines["publishes"] and "/target_pose" not in lines["publishes"]
    assert "/theirs" in lines["listens to"] and "/lab/planner/plan" not in lines["listens to"]
    assert lines["answers"] == "/lab/resume, /lab/start, /panic"
    assert lines["stops if this process ends or is suspended"].startswith(f"{os.getpid()} (")


def test_it_says_what_is_not_there(context: None) -> None:
    lines = say("-p", "arm.kind:=dry_run")
    assert lines["arm"] == "dry_run: nothing moves"
    assert (lines["contact"], lines["joints"]) == ("not looked at", "not watched")
    assert lines["configuration"] == "arm.kind = dry_run"


def test_it_is_ready_once_and_says_what_is_missing_only_if_that_takes_long() -> None:
    told = Readiness("/start")
    missing = "no arm state for 0.31 s; see whether the arm's driver still runs"
    assert told.say(0.0, True, missing) == ""
    assert told.say(SETTLE_S - 0.1, True, missing) == ""
    assert told.say(SETTLE_S, True, missing) == f"not ready to start: {missing}"
    assert told.say(SETTLE_S + 1.0, True, missing.replace("0.31", "9.31")) == "", "the same, but for a number"
    assert told.say(SETTLE_S + 2.0, True, "no wrench yet") == "not ready to start: no wrench yet"
    assert told.say(20.0, True, "") == "ready: call /start to begin"
    assert told.say(21.0, True, "") == ""
    assert told.say(22.0, True, missing) == ""
    assert told.say(23.0, True, "") == "ready: call /start to begin"


def test_during_a_run_nothing_is_said_of_a_start_and_after_it_again() -> None:
    told = Readiness("/start")
    assert told.say(0.0, True, "") != ""
    assert told.say(1.0, False, "") == ""
    assert told.say(2.0, False, "no arm state") == ""
    assert told.say(3.0, True, "") == "ready: call /start to begin"
