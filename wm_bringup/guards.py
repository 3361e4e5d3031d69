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


def _heard(name: str) -> Kept:
    """An input on the topic of the arm's driver; on another one only if nothing moves before it is heard there."""
    topic = f"{name}_topic"
    return lambda preset, final: (
        getattr(final.measured, topic) == getattr(preset.measured, topic) or name in final.require
    )


#: By the key of controller.yaml that holds it.
GUARDS: dict[str, Kept] = {
    "force_hold_n": _set("force_hold_n"),
    "force_stop_n": _set("force_stop_n"),
    "robot": _set("robot"),
    "require.wrench": _required("wrench"),
    "require.joints": _required("joints"),
    "require.robot": _required("robot"),
    "require.planner": _required("planner"),
    "require.encoder": _required("encoder"),
    "measured.wrench_topic": _heard("wrench"),
    "measured.joints_topic": _heard("joints"),
    "measured.robot_topic": _heard("robot"),
}
#: What every Franka's driver offers, whatever a preset says: a person's own preset may not forget it in silence.
FRANKA = ControllerNodeConfig(force_hold_n=15.0, force_stop_n=30.0, robot="fr3", require=("wrench", "joints"))


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
