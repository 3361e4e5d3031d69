"""A real arm keeps what watches over it, unless a person says so in so many words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from wm_bringup import graph, guards, presets
from wm_controller.arms import ARMS, ArmConfig
from wm_controller.arms.grippers import GRIPPERS
from wm_controller.node_config import ControllerNodeConfig
from wm_core import parameters
from wm_core.config import merge
from wm_core.errors import ConfigError
from wm_core.share import share

WITHOUT = {
    "force_hold_n": "force_hold_n: null",
    "force_stop_n": "force_stop_n: null",
    "torque_hold_nm": "torque_hold_nm: null",
    "torque_stop_nm": "torque_stop_nm: null",
    "robot": "robot: null\nrequire: [wrench]",
    "require.wrench": "require: [joints]",
    "require.joints": "require: [wrench]",
    "measured.wrench_topic": "require: [joints]\nmeasured: {wrench_topic: arm/wrench}",
    "measured.joints_topic": "require: [wrench]\nmeasured: {joints_topic: joint_states}",
    "measured.robot_topic": "measured: {robot_topic: nowhere}",
    "measured.shared_topics": "measured: {shared_topics: [franka_robot_state_broadcaster/robot_state]}",
}
#: What goes with it of itself.
BESIDES = {
    "robot": ["require.joints"],
    "measured.wrench_topic": ["require.wrench"],
    "measured.joints_topic": ["require.joints"],
}


def every_arm() -> list[ArmConfig]:
    """One of each kind, and a pose stream with each kind of gripper."""
    return [ARMS.load(name)() for name in ARMS] + [
        ARMS.load("pose_stream")(gripper=GRIPPERS.load(name)()) for name in GRIPPERS
    ]


def declare(mode: str = "real", **options) -> graph.Graph:
    return graph.pick_place(mode, **({"bundle": "/bundle", "goal": "/goal"} | options))


@pytest.mark.parametrize("mode", ["real", "mock_crisp"])
@pytest.mark.parametrize("name", WITHOUT)
def test_a_guard_is_dropped_only_in_so_many_words(name: str, mode: str, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text(WITHOUT[name])
    names = [name, *BESIDES.get(name, [])]
    with pytest.raises(ConfigError, match=r"drops the guard") as error:
        declare(mode, config=tmp_path)
    for missing in names:
        assert f"--drop-guard {missing}" in str(error.value)
    assert "fr3_crisp.yaml" in str(error.value) and "drop_guards:=" in str(error.value)
    assert declare(mode, config=tmp_path, drop_guards=names).nodes
    if len(names) > 1:
        with pytest.raises(ConfigError, match=f"drops the guard {re.escape(names[1])},"):
            declare(mode, config=tmp_path, drop_guards=names[:1])


def test_a_setting_drops_no_guard_either() -> None:
    with pytest.raises(ConfigError, match="drops the guard force_stop_n"):
        declare(settings={"controller": {"force_stop_n": None}})


@pytest.mark.parametrize(
    "text", ["arm: {kind: twist_stream}\n", "arm: {pose_topic: x}\n", "measured: {gripper_topic: x}\n"]
)
def test_a_preset_of_ones_own_may_not_forget_a_guard_in_silence(text: str, tmp_path: Path) -> None:
    (tmp_path / "arm.yaml").write_text(text)
    with pytest.raises(
        ConfigError, match=r"force_hold_n, force_stop_n, torque_hold_nm, torque_stop_nm, robot, require"
    ):
        declare(arm=str(tmp_path / "arm.yaml"))


@pytest.mark.parametrize("mode", ["real", "mock_crisp"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_the_simulators_arm_is_no_other_under_whatever_name(mode: str, dry_run: bool, tmp_path: Path) -> None:
    """Nothing of it is to be dropped: it has no guard."""
    shipped = share() / "config" / "arms" / "sim.yaml"
    copies = {"mine.yaml": shipped.read_text(), "empty.yaml": "", "slow.yaml": "rate_hz: 50\nforce_hold_n: 15\n"}
    for name, text in copies.items():
        (tmp_path / name).write_text(text)
    for arm in ("sim", str(shipped), *(str(tmp_path / name) for name in copies)):
        with pytest.raises(ConfigError, match=r"is the simulator's arm.*fr3_crisp.*or give the topics") as error:
            declare(mode, arm=arm, dry_run=dry_run)
        assert "drop" not in str(error.value)


def test_an_arm_that_speaks_on_the_simulators_topics_and_has_its_guards_is_another(tmp_path: Path) -> None:
    limits = "force_hold_n: 15\nforce_stop_n: 30\ntorque_hold_nm: 10\ntorque_stop_nm: 20\n"
    (tmp_path / "arm.yaml").write_text(f"{limits}robot: fr3\nrequire: [wrench, joints]\n")
    assert declare(arm=str(tmp_path / "arm.yaml")).nodes


def test_every_shipped_preset_has_all_guards() -> None:
    for name in presets.arms():
        assert name == "sim" or declare(arm=name).nodes


def test_what_tightens_or_moves_to_another_topic_that_is_waited_for_is_no_drop(tmp_path: Path) -> None:
    text = "force_stop_n: 20\nmeasured: {wrench_topic: /left/wrench, robot_topic: /left/state}\n"
    (tmp_path / "controller.yaml").write_text(text + "require: [wrench, joints, robot]\n")
    assert declare(config=tmp_path).nodes


@pytest.mark.parametrize("text", ["joint_prefix: left_", "joints_topic: joint_states"])
def test_joints_that_are_read_otherwise_must_be_waited_for(text: str, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text(f"measured: {{{text}}}\n")
    assert declare(config=tmp_path).nodes
    (tmp_path / "controller.yaml").write_text(f"measured: {{{text}}}\nrequire: [wrench]\n")
    with pytest.raises(ConfigError, match=r"require\.joints, measured\.joints_topic"):
        declare(config=tmp_path)


def test_a_robots_state_that_is_read_otherwise_is_blind(tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("measured: {robot_format: json}\n")
    with pytest.raises(ConfigError, match=r"drops the guard measured\.robot_topic"):
        declare(config=tmp_path)
    assert declare("mock_crisp").nodes, "the stand-in has no other"


def test_a_calibration_keeps_its_guards_as_well() -> None:
    with pytest.raises(ConfigError, match="drops the guard force_stop_n"):
        settings = {"controller": {"force_stop_n": None}}
        graph.calibrate("real", bundle="/bundle", out="/camera.yaml", settings=settings)


def test_an_allowance_that_is_not_needed_or_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="the guard force_stop_n is not dropped by the configuration; leave out"):
        declare(drop_guards=["force_stop_n"])
    with pytest.raises(ConfigError, match=r"no guard 'force-stop' \(did you mean 'force_stop_n'\?\); there are: "):
        declare(drop_guards=["force-stop"])
    with pytest.raises(ConfigError, match="in simulation"):
        declare("sim", drop_guards=["force_stop_n"])


def test_every_guard_is_tried() -> None:
    tried = {*WITHOUT, *LOOSER, *guards.SAME, "arm.tcp_m_rad"}
    kinds = [ControllerNodeConfig(arm=arm) for arm in every_arm()]
    table = {name for config in kinds for name in guards.table(config, config)}
    assert table - tried == {"require.robot", "require.planner", "require.encoder"}


@pytest.mark.parametrize("arm", [name for name in presets.arms() if name != "sim"])
def test_the_joints_ends_of_another_robot_are_no_limits(arm: str) -> None:
    ours = parameters.build(ControllerNodeConfig, {"config": str(presets.arm(arm))}, "controller").robot
    other = {"fr3": "fer", "fer": "fr3"}[str(ours)]
    given: dict[str, Any] = {"arm": arm, "settings": {"controller": {"robot": other}}}
    with pytest.raises(ConfigError, match=f"drops the guard robot, .*robot = {other} in place of {ours}"):
        declare(**given)
    assert declare(**given, drop_guards=["robot"]).nodes


#: A preset of one's own with room on both sides of each limit, and what is looser and tighter than it.
OWN = """
robot: fr3
force_hold_n: 15.0
force_stop_n: 30.0
torque_hold_nm: 10.0
torque_stop_nm: 20.0
require: [wrench, joints]
execute_steps: 2
plan_max_age_s: 0.5
heartbeat_s: 2.0
max_condition: 20.0
joint_margin_rad: 0.3
limits:
  box_min_m: [0.3, -0.3, 0.1]
  box_max_m: [0.6, 0.3, 0.5]
  jerk_m_s3: 20.0
  rot_jerk_rad_s3: 40.0
  tilt_rad: 0.3
  leash_m: 0.03
  leash_rad: 0.2
  plan_timeout_s: 0.2
  state_timeout_s: 0.1
arm:
  kind: twist_stream
  gripper: {kind: franka, topic: franka_gripper/grasp, open: 0.08, closed: 0.0}
"""
LOOSER: dict[str, tuple[Any, Any]] = {
    "force_hold_n": (15.1, 15.0),
    "force_stop_n": (65.0, 15.0),
    "torque_hold_nm": (11.0, 0.0),
    "torque_stop_nm": (55.0, 10.0),
    "execute_steps": (3, 1),
    "plan_max_age_s": (0.51, 0.1),
    "heartbeat_s": (3.0, 1.0),
    "max_condition": (30.0, 10.0),
    "joint_margin_rad": (0.29, 0.31),
    "limits.box_min_m": ([0.4, -0.3, 0.05], [0.3, -0.2, 0.2]),
    "limits.box_max_m": ([0.5, 0.4, 0.4], [0.6, 0.2, 0.4]),
    "limits.speed_m_s": (0.25, 0.0),
    "limits.rot_speed_rad_s": (0.5, 0.1),
    "limits.accel_m_s2": (2.0, 0.2),
    "limits.rot_accel_rad_s2": (4.0, 0.5),
    "limits.jerk_m_s3": (40.0, 10.0),
    "limits.rot_jerk_rad_s3": (80.0, 10.0),
    "limits.step_m": (0.075, 0.01),
    "limits.step_rad": (0.3, 0.1),
    "limits.tilt_rad": (0.5, 0.1),
    "limits.leash_m": (0.05, 0.01),
    "limits.leash_rad": (0.35, 0.1),
    "limits.plan_timeout_s": (0.3, 0.1),
    "limits.state_timeout_s": (0.2, 0.05),
    "arm.twist.target_timeout_s": (0.3, 0.05),
    "arm.gripper.speed_m_s": (0.1, 0.01),
    "arm.gripper.force_n": (70.0, 1.0),
}


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "own.yaml").write_text(OWN)
    return str(tmp_path / "own.yaml")


@pytest.mark.parametrize("mode", ["real", "mock_crisp"])
@pytest.mark.parametrize("name", LOOSER)
def test_what_is_looser_than_the_preset_is_a_guard_dropped(name: str, mode: str, own: str, tmp_path: Path) -> None:
    looser, tighter = LOOSER[name]
    more = {"force_hold_n": 15.0, "torque_hold_nm": 0.0} if name.endswith(("stop_n", "stop_nm")) else {}
    for values in ({"settings": {"controller": {name: looser}}}, {"config": tmp_path / "folder"}):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / "controller.yaml").write_text(yaml.safe_dump(parameters.nest({name: looser})))
        with pytest.raises(ConfigError, match=f"drops the guard {re.escape(name)}, which .*own.yaml.*in place of"):
            declare(mode, arm=own, **values)
        assert declare(mode, arm=own, drop_guards=[name], **values).nodes
    assert declare(mode, arm=own, settings={"controller": {**more, name: tighter}}).nodes


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("arm.kind", "twist_stream"),
        ("arm.tcp_m_rad", [0.0, 0.0, 0.1, 0.0, 0.0, 0.0]),
        ("measured.tcp_m_rad", [0.0, 0.0, -0.3, 0.0, 0.0, 0.0]),
        ("measured.tcp_m_rad", [0.0, 0.0, 0.0, 0.0, 0.0, 0.1]),
    ],
)
def test_the_limits_are_about_one_way_to_move_one_tool(name: str, other: Any, tmp_path: Path) -> None:
    settings = {"controller": {name: other}}
    with pytest.raises(ConfigError, match=rf"drops the guard {name}, .*\({name} = .* in place of .*preset of your own"):
        declare(settings=settings)
    assert declare(settings=settings, drop_guards=[name]).nodes
    copy = yaml.safe_load((share() / "config" / "arms" / "fr3_crisp.yaml").read_text())
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(merge(copy, parameters.nest({name: other}))))
    assert declare(arm=str(own)).nodes


def test_where_nothing_is_moved_it_does_not_matter_how() -> None:
    assert declare(arm="fr3_servo", settings={"controller": {"arm.kind": "dry_run"}}).nodes


def test_a_preset_of_ones_own_sets_its_own_baseline(own: str) -> None:
    assert declare(arm=own).nodes


def test_every_number_of_the_controller_is_a_limit_or_known_to_be_none() -> None:
    """A new one must be put on the list, with the direction in which it is tighter."""

    def numbers(values: dict[str, Any]) -> Iterator[str]:
        for key, value in parameters.flatten(values).items():
            first = value[0] if isinstance(value, tuple) and value else value
            if first is None or (isinstance(first, (int, float)) and not isinstance(first, bool)):
                yield key

    none = {"rate_hz", "launcher_pid", "arm.twist.gain_per_s", "arm.tcp_m_rad", *guards.SAME} - {"arm.kind"}
    none |= {"arm.gripper.open", "arm.gripper.closed", "measured.joint_prefix"}
    none |= {"measured.gripper.open", "measured.gripper.closed", "measured.gripper.slack"}
    found, caps = set(), set()
    for arm in every_arm():
        found |= set(numbers(dataclasses.asdict(ControllerNodeConfig(arm=arm))))
        caps |= {f"arm.{key}" for key in arm.caps()}
    assert found == {*guards.LIMITS, *caps, *none}


@pytest.mark.parametrize("arm", [name for name in presets.arms() if name != "sim"])
def test_the_simulator_has_no_other_arm_beside_it(arm: str) -> None:
    with pytest.raises(ConfigError, match=f"mode sim moves the simulated arm alone, and .*{arm}.yaml"):
        declare("sim", arm=arm)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("arm.pose_topic", "target_pose"),
        ("arm.pose_topic", "/arm/target_pose"),
        ("arm.kind", "twist_stream"),
        ("arm.gripper.topic", "gripper/commands"),
        ("arm.gripper.kind", "robotiq"),
        ("measured.pose_topic", "franka_robot_state_broadcaster/current_pose"),
        ("measured.wrench_topic", "x"),
        ("measured.gripper_topic", "x"),
        ("measured.joints_topic", "x"),
        ("measured.robot_topic", "x"),
    ],
)
def test_no_setting_leads_the_simulators_controller_to_another_arm(key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"simulated arm alone, and {re.escape(key)} = '{value}'"):
        declare("sim", settings={"controller": {key: value}})
    copy = yaml.safe_load((share() / "config" / "arms" / "sim.yaml").read_text())
    (tmp_path / "arm.yaml").write_text(yaml.safe_dump(copy))
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(parameters.nest({key: value})))
    with pytest.raises(ConfigError, match=re.escape(key)):
        declare("sim", arm=str(tmp_path / "arm.yaml"), config=tmp_path)


def test_the_simulator_takes_a_preset_of_ones_own_and_keeps_its_guards(tmp_path: Path) -> None:
    text = (share() / "config" / "arms" / "sim.yaml").read_text()
    (tmp_path / "arm.yaml").write_text(text + "force_stop_n: 20\n")
    own = str(tmp_path / "arm.yaml")
    assert declare("sim", arm=own).nodes and declare("sim", arm="sim", dry_run=True).nodes
    with pytest.raises(ConfigError, match="drops the guard force_stop_n"):
        declare("sim", arm=own, settings={"controller": {"force_stop_n": None}})
    with pytest.raises(ConfigError, match=r"drops the guard limits\.step_m"):
        declare("sim", arm=own, settings={"controller": {"limits.step_m": 0.06}})
    assert declare("sim", settings={"controller": {"limits.step_m": 0.06}}).nodes, "nobody stands beside that arm"
    assert declare("sim", settings={"controller": {"arm.gripper.kind": "none"}}).nodes
