"""What watches over an arm, and the refusal to leave any of it out unless a person says so in so many words.

The ceilings of the code bound every configuration. Below them the arm's preset is what a person has judged right for an
arm, and all that stands above it can only tighten: it can neither switch a guard off, nor loosen it, nor point it at a
topic on which nothing is said. So the final configuration is compared with the preset alone, guard by guard.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any

from wm_controller.node_config import ControllerNodeConfig
from wm_core.errors import ConfigError, quoted
from wm_core.limits import CEILING
from wm_core.names import unknown

from . import presets

#: Configuration of the arm's preset, and the final one -> whether the second has the guard, as far as the first has it.
Kept = Callable[[ControllerNodeConfig, ControllerNodeConfig], bool]

#: Limits by their key in controller.yaml: those that are tighter where they are lower, and where they are higher. The
#: workspace box is so axis by axis. Arms have more of their own: :meth:`wm_controller.arms.ArmConfig.caps`.
LOWER = (
    *("force_hold_n", "force_stop_n", "torque_hold_nm", "torque_stop_nm"),
    *("execute_steps", "plan_max_age_s", "heartbeat_s", "max_condition"),
    *(f"limits.{name}" for name in (*CEILING, "box_max_m")),
)
HIGHER = ("joint_margin_rad", "limits.box_min_m")
LIMITS = (*LOWER, *HIGHER)
#: What the limits are about: the joints of one robot, one way to move it, and the TCP of one tool. Another one belongs
#: into a preset of its own. Arms have more of their own: :meth:`wm_controller.arms.ArmConfig.fixed`.
SAME = ("robot", "arm.kind", "measured.tcp_m_rad")


def value(config: Any, key: str) -> Any:
    """What ``config`` has at a key such as "limits.speed_m_s"; None if it is of a kind without that key."""
    for name in key.split("."):
        config = getattr(config, name, None)
    return config


def _no_looser(key: str) -> Kept:
    """A limit; null switches one off."""
    within = operator.ge if key in HIGHER else operator.le

    def kept(preset: ControllerNodeConfig, final: ControllerNodeConfig) -> bool:
        had, has = _had(preset, final, key), value(final, key)
        if had is None or has is None:
            return had is None
        pairs = zip(has, had, strict=True) if isinstance(had, tuple) else [(has, had)]
        return all(within(*pair) for pair in pairs)

    return kept


def _had(preset: ControllerNodeConfig, final: ControllerNodeConfig, key: str) -> Any:
    """A limit of the preset; where its arm is of a kind without that limit, the default of the final arm."""
    of_arm = key.removeprefix("arm.")
    if of_arm == key or of_arm in preset.arm.caps():
        return value(preset, key)
    section, _, name = key.rpartition(".")
    default = next(field.default for field in dataclasses.fields(value(final, section)) if field.name == name)
    return -math.inf if default is dataclasses.MISSING else default


def _same(key: str) -> Kept:
    """One of :data:`SAME`; where nothing is moved, it does not matter how."""
    return lambda preset, final: (
        value(preset, key) in (None, value(final, key)) or (not final.arm.moves and key.startswith("arm."))
    )


def _required(name: str) -> Kept:
    """An input without which nothing moves."""
    return lambda preset, final: name in final.require or name not in preset.require


def _heard(name: str, *how: str) -> Kept:
    """An input as the arm's driver reports it; from elsewhere, or read otherwise, only if nothing moves without it."""
    keys = f"{name}_topic", *how
    return lambda preset, final: (
        all(getattr(final.measured, key) == getattr(preset.measured, key) for key in keys) or name in final.require
    )


def _alone(preset: ControllerNodeConfig, final: ControllerNodeConfig) -> bool:
    """One reporter of each input, but for those that the preset lets share a topic."""
    return set(final.measured.shared_topics) <= set(preset.measured.shared_topics)


#: What watches over any arm, by the key of controller.yaml that holds it.
GUARDS: dict[str, Kept] = {
    **{key: _no_looser(key) for key in LIMITS},
    **{key: _same(key) for key in SAME},
    "require.wrench": _required("wrench"),
    "require.joints": _required("joints"),
    "require.robot": _required("robot"),
    "require.planner": _required("planner"),
    "require.encoder": _required("encoder"),
    "measured.wrench_topic": _heard("wrench"),
    "measured.joints_topic": _heard("joints", "joint_prefix"),
    "measured.robot_topic": _heard("robot", "robot_format"),
    "measured.shared_topics": _alone,
}
#: What every Franka's driver offers, whatever a preset says: a person's own preset may not forget it in silence.
FRANKA = (
    "force_hold_n",
    "force_stop_n",
    "torque_hold_nm",
    "torque_stop_nm",
    "robot",
    "require.wrench",
    "require.joints",
)


def table(preset: ControllerNodeConfig, final: ControllerNodeConfig) -> dict[str, Kept]:
    """:data:`GUARDS`, and those that the final arm has of its own."""
    fixed = set(preset.arm.fixed()) & set(final.arm.fixed())  # an arm of another kind is refused as such
    return {
        **GUARDS,
        **{key: _no_looser(key) for key in (f"arm.{name}" for name in final.arm.caps())},
        **{key: _same(key) for key in (f"arm.{name}" for name in sorted(fixed))},
    }


def _has(final: ControllerNodeConfig, name: str) -> bool:
    section, _, input_ = name.rpartition(".")
    return input_ in final.require if section == "require" else value(final, name) is not None


def dropped(preset: ControllerNodeConfig, final: ControllerNodeConfig, offered: Sequence[str] = FRANKA) -> list[str]:
    """The names of the guards that ``final`` lacks or has looser than ``preset``; ``offered`` it must have anyway."""
    guards = table(preset, final).items()
    return [name for name, kept in guards if not kept(preset, final) or (name in offered and not _has(final, name))]


def check(
    preset: ControllerNodeConfig,
    final: ControllerNodeConfig,
    allowed: Sequence[str],
    source: str,
    offered: Sequence[str] = FRANKA,
) -> None:
    """Refuse a configuration of an arm that drops a guard which is not in ``allowed``.

    ``source`` names the arm's preset in the sentence; for ``offered`` see :func:`dropped`. Raises ConfigError, also on
    an allowance that is not needed: who gives it believes a guard to be off that is on. Where guards are ``offered``,
    a copy of the simulator's arm is refused as such: it has none to restore.
    """
    known(allowed, table(preset, final))
    missing = dropped(preset, final, offered)
    if unasked := [name for name in missing if name not in allowed]:
        if offered and not _foreign(final):
            raise ConfigError(simulators(source))
        plural = "s" if len(unasked) > 1 else ""
        flags = " ".join(f"--drop-guard {name}" for name in unasked)
        compared = [name for name in unasked if name in (*LIMITS, *SAME) or name not in GUARDS]
        values = [(name, value(preset, name), value(final, name)) for name in compared]
        changed = ", ".join(f"{name} = {has} in place of {had}" for name, had, has in values if None not in (had, has))
        raise ConfigError(
            f"the configuration drops the guard{plural} {', '.join(unasked)}, which {source} or a Franka's driver "
            f"offers{f' ({changed})' if changed else ''}; restore what was changed, put it into a preset of your own, "
            f"or say so: {flags} (ros2 launch: drop_guards:={','.join(unasked)})"
        )
    if unneeded := [name for name in allowed if name not in missing]:
        name = unneeded[0]
        raise ConfigError(f"the guard {name} is not dropped by the configuration; leave out --drop-guard {name}")


def known(names: Sequence[str], guards: Collection[str]) -> None:
    """Raises ConfigError on a name that is none of ``guards``, those of :func:`table`."""
    for name in names:
        if name not in guards:
            raise ConfigError(unknown("guard", name, guards))


def check_simulated(final: ControllerNodeConfig, source: str) -> None:
    """Refuse a configuration that would speak or listen to another arm than the simulated one beside it.

    ``source`` names the arm's preset in the sentence. Raises ConfigError.
    """
    if key := _foreign(final):
        raise ConfigError(
            f"mode sim moves the simulated arm alone, and {key} = {quoted(str(value(final, key)))} of {source} and "
            f"what stands above it is not its '{value(_SIMULATED, key)}'; choose mode mock_crisp or real for that arm"
        )


def simulators(source: str) -> str:
    """The sentence that refuses the simulator's arm, under whatever name, where another one is to be moved."""
    others = ", ".join(name for name in presets.arms() if name != "sim")
    return (
        f"{source} is the simulator's arm, which moves in mode sim alone; choose one of {others}, or give the topics "
        "and the limits of force and torque of your arm"
    )


def _foreign(final: ControllerNodeConfig) -> str:
    """The first key by which ``final`` speaks or listens to another arm than the simulated one; "" if none does."""
    keys = [f"measured.{name}_topic" for name in ("pose", "wrench", "gripper", "joints", "robot")]
    if final.arm.moves:
        gripper = ["gripper.kind"] if value(final.arm, "gripper.moves") else []
        keys += [f"arm.{key}" for key in ("kind", *gripper, *final.arm.outputs())]
    return next((key for key in keys if value(final, key) != value(_SIMULATED, key)), "")


_SIMULATED = ControllerNodeConfig()  # the defaults are the simulated arm's
