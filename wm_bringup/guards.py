"""What watches over a real arm, and the refusal to leave any of it out unless a person says so in so many words.

A configuration can only tighten limits, but it can switch a guard off, or point it at a topic on which nothing is said.
So the final configuration is compared with the arm's preset alone, guard by guard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wm_controller.node_config import ControllerNodeConfig
from wm_core.errors import ConfigError
from wm_core.names import unknown

#: Configuration of the arm's preset, and the final one -> whether the second has the guard, as far as the first has it.
Kept = Callable[[ControllerNodeConfig, ControllerNodeConfig], bool]


def _set(name: str) -> Kept:
    """A value that null switches off."""
    return lambda preset, final: getattr(final, name) is not None or getattr(preset, name) is None


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


#: By the key of controller.yaml that holds it.
GUARDS: dict[str, Kept] = {
    "force_hold_n": _set("force_hold_n"),
    "force_stop_n": _set("force_stop_n"),
    "torque_hold_nm": _set("torque_hold_nm"),
    "torque_stop_nm": _set("torque_stop_nm"),
    "robot": _set("robot"),
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
FRANKA = ControllerNodeConfig(
    force_hold_n=15.0,
    force_stop_n=30.0,
    torque_hold_nm=12.8,
    torque_stop_nm=25.6,
    robot="fr3",
    require=("wrench", "joints"),
)


def dropped(preset: ControllerNodeConfig, final: ControllerNodeConfig) -> list[str]:
    """The names of the guards that ``final`` lacks."""
    # The topics of an arm are its preset's alone.
    offers = (preset, final), (FRANKA, final)
    return [
        name
        for name, kept in GUARDS.items()
        if not all(kept(*pair) for pair in (offers[:1] if name.startswith("measured.") else offers))
    ]


def check(preset: ControllerNodeConfig, final: ControllerNodeConfig, allowed: Sequence[str], source: str) -> None:
    """Refuse a configuration of a real arm that drops a guard which is not in ``allowed``.

    ``source`` names the arm's preset in the sentence. Raises ConfigError, also on an allowance that is not needed: who
    gives it believes a guard to be off that is on.
    """
    for name in allowed:
        if name not in GUARDS:
            raise ConfigError(unknown("guard", name, GUARDS))
    missing = dropped(preset, final)
    if unasked := [name for name in missing if name not in allowed]:
        plural = "s" if len(unasked) > 1 else ""
        flags = " ".join(f"--drop-guard {name}" for name in unasked)
        raise ConfigError(
            f"the configuration drops the guard{plural} {', '.join(unasked)}, which {source} or a Franka's driver "
            f"offers; restore what was changed, or say so: {flags} (ros2 launch: drop_guards:={','.join(unasked)})"
        )
    if unneeded := [name for name in allowed if name not in missing]:
        raise ConfigError(f"the guard {unneeded[0]} is not dropped by the configuration; leave out that it may be")
