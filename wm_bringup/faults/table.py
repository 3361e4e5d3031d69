"""Every fault of the campaign, and how the arm must answer it.

The time to a hold is bounded by two parts: the limit of detection (until when nobody can know) and the watchdog that
follows. Each detection limit names its reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wm_core.errors import ConfigError
from wm_core.limits import CEILING

from .inject import Alter, Freeze, Injection, Kill, Load, SecondController, SecondRun
from .interposer_node import RIVAL
from .measure import AT_REST, FAULT, HOLDING, RUNNING, SILENT, STOPPED

COMMAND_LOSS_S = CEILING["plan_timeout_s"]
STATE_LOSS_S = CEILING["state_timeout_s"]
#: A plan promises motion for one step of the shipped model from its frame on; only then is the next one overdue.
PLAN_S = 0.25
#: A still picture can be told from a still scene only when the arm has moved meanwhile.
FROZEN_S = 1.0
#: A new publisher has to be discovered, and the controller counts publishers at the rate of its diagnostics.
RIVAL_S = 1.25
#: From the report of a hold to the last motion: braking from full speed, with a margin for the jerk limit.
BRAKE_S = 0.3
#: A report waits for its tick; a machine that is shared is late now and then.
TICK_S = 0.05
#: The arm may run past the place at which the target came to rest by no more than this.
OVERSHOOT_M = 0.005


@dataclass(frozen=True)
class Fault:
    """One row of the campaign.

    Attributes:
        name: as in ``wm faults --only``.
        injection: how it is done.
        expected: the modes in which it may end; "silent" where the controller itself is gone.
        detect_s: how long nobody can know of it.
        loss_s: how long the watchdog may take from there; None: no hold is demanded.
        lasts_s: for how long it is done, at most.
        settings: parameters, as the words of ``--set``.
    """

    name: str
    injection: Injection
    expected: Sequence[str] = AT_REST
    detect_s: float = 0.0
    loss_s: float | None = COMMAND_LOSS_S
    lasts_s: float = 2.0
    settings: Sequence[str] = ()

    @property
    def hold_within_s(self) -> float | None:
        """How soon after the fault the controller must report a hold or stop; None where it cannot or need not."""
        return None if self.loss_s is None or SILENT in self.expected else self.detect_s + self.loss_s + TICK_S

    @property
    def rest_within_s(self) -> float | None:
        """How soon after the fault the last motion must have been commanded; None where motion may go on."""
        return None if self.loss_s is None else self.detect_s + self.loss_s + TICK_S + BRAKE_S

    @property
    def dies(self) -> str:
        """The node that the fault kills; ""."""
        return self.injection.node if isinstance(self.injection, Kill) else ""


def _plan_loss(name: str, injection: Injection, **more: Any) -> Fault:
    return Fault(name, injection, detect_s=PLAN_S, loss_s=COMMAND_LOSS_S, **more)


def _state_loss(name: str, injection: Injection, **more: Any) -> Fault:
    return Fault(name, injection, loss_s=STATE_LOSS_S, **more)


def _harmless(name: str, injection: Injection, **more: Any) -> Fault:
    """The run goes on, or holds for as long as it must; it only may do no harm."""
    return Fault(name, injection, expected=(RUNNING, HOLDING), loss_s=None, **more)


#: What only a person's ``resume`` ends.
_LATCHED = (STOPPED, FAULT)
_FRAMES, _POSE, _WRENCH = "camera/image_raw", "arm/current_pose", "arm/wrench"
#: The force limits of a first day in a lab, as in config/arms/fr3_crisp.yaml; the simulated cell has none.
_FORCE = ("controller.force_hold_n=15.0", "controller.force_stop_n=30.0")

FAULTS: tuple[Fault, ...] = (
    # A process dies.
    _plan_loss("encoder_killed", Kill("encoder")),
    _plan_loss("planner_killed", Kill("planner")),
    Fault("controller_killed", Kill("controller"), expected=(SILENT,)),
    _state_loss("arm_killed", Kill("sim_arm")),
    # The camera.
    _plan_loss("camera_silent", Alter(_FRAMES, "drop")),
    Fault("camera_frozen", Alter(_FRAMES, "freeze"), detect_s=FROZEN_S, lasts_s=3.0),
    _plan_loss("frames_delayed", Alter(_FRAMES, "delay", 1.0)),
    _plan_loss("frames_from_the_future", Alter(_FRAMES, "shift_stamp", 1.0)),
    _plan_loss("frames_from_the_past", Alter(_FRAMES, "shift_stamp", -1.0)),
    # The latent.
    _plan_loss("latent_nan", Alter("latent", "poison", math.nan)),
    _plan_loss("latent_inf", Alter("latent", "poison", math.inf)),
    _harmless("latents_reordered", Alter("latent", "swap")),
    # The plan.
    _plan_loss("plan_nan", Alter("planner/plan", "poison", math.nan)),
    _plan_loss("plan_inf", Alter("planner/plan", "poison", math.inf)),
    _plan_loss("plan_from_the_future", Alter("planner/plan", "shift_stamp", 1.0)),
    _plan_loss("plan_from_the_past", Alter("planner/plan", "shift_stamp", -1.5)),
    _harmless("plans_reordered", Alter("planner/plan", "swap")),
    _harmless("plan_flood", Alter("planner/plan", "flood", 1000.0)),
    # The measured arm.
    _state_loss("state_silent", Alter(_POSE, "drop")),
    _state_loss("state_nan", Alter(_POSE, "poison", math.nan)),
    _state_loss("state_inf", Alter(_POSE, "poison", math.inf)),
    _state_loss("state_jump", Alter(_POSE, "jump", 0.2)),
    _state_loss("state_from_the_future", Alter(_POSE, "shift_stamp", 1.0)),
    _state_loss("state_from_the_past", Alter(_POSE, "shift_stamp", -1.0)),
    _state_loss("force_push", Alter(_WRENCH, "push", 20.0), settings=_FORCE),
    _state_loss("force_spike", Alter(_WRENCH, "spike", 60.0), settings=_FORCE, expected=_LATCHED),
    # A process stands still and comes back.
    _plan_loss("encoder_frozen", Freeze("encoder")),
    _plan_loss("planner_frozen", Freeze("planner")),
    Fault("controller_frozen", Freeze("controller"), expected=(SILENT,)),
    _state_loss("arm_frozen", Freeze("sim_arm")),
    # Others on the machine and on the domain.
    Fault("two_publishers", Alter("arm/target_pose", RIVAL), expected=_LATCHED, detect_s=RIVAL_S),
    Fault("second_controller", SecondController(), expected=_LATCHED, detect_s=RIVAL_S),
    _harmless("second_run", SecondRun(), lasts_s=30.0),
    _harmless("full_load", Load(), lasts_s=4.0),
)


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """The faults of these names, all if there are none. Raises ConfigError on an unknown one."""
    by_name = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in by_name:
            raise ConfigError(f"there is no fault '{name}'; 'wm faults --list' names them")
    return tuple(by_name[name] for name in names) if names else FAULTS
