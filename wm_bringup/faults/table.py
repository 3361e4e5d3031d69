"""Every fault of the campaign, and how the arm must answer it.

The time to a hold is bounded by two parts: the limit of detection (until when nobody can know) and the watchdog that
follows. Each detection limit names its reason.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wm_controller import launcher
from wm_controller.interface import HEARTBEAT_CEILING_S
from wm_core import topics
from wm_core.errors import ConfigError, quoted
from wm_core.limits import CEILING
from wm_core.names import meant
from wm_core.reports import AT_REST, LATCHED, Mode

from .clocks import SetClock, SimulatedClock
from .inject import Alter, Freeze, Injection, Kill, Load, SecondController, SecondRun
from .interposer_node import RIVAL
from .launched import CLOSED, CTRL_C, CTRL_S, CTRL_Z, DiskFull, Key, LauncherSignal, WmSignal
from .measure import SILENT
from .services import SetParameters, Spam

COMMAND_LOSS_S = CEILING["plan_timeout_s"]
STATE_LOSS_S = CEILING["state_timeout_s"]
#: A plan promises motion for one step of the shipped model from its frame on; only then is the next one overdue.
PLAN_S = 0.25
#: A still picture can be told from a still scene only when the arm has moved meanwhile.
FROZEN_S = 1.0
#: A new publisher has to be discovered, and the controller counts publishers ten times a second.
RIVAL_S = 1.25
#: A new process first has to be found itself, by each other one on its own; see docs/faults.md.
STRANGER_S = 2.5
#: The controller says its state twice a second, whether it has changed or not.
SAID_S = 0.5
#: A clock that is set is seen at the next tick.
CLOCK_S = 0.1
#: The controller looks at its launcher ten times a second.
LAUNCHER_S = 0.2
#: ``wm`` shows a line twice a second or more; the controller then waits for its heartbeat.
LAUNCHER_BEAT_S = 0.5 + launcher.HEARTBEAT_S
#: A node that ends in order is told so by a signal, which its executor sees after 50 ms at most; ``wm`` asks first.
END_S = 0.5
#: An arm that does not follow is given about a second, as a slow one follows late.
BLOCKED_S = 1.5
#: The controller's own limit. That plans and latents are missing is seen much sooner; here they go on.
HEARTBEAT_S = HEARTBEAT_CEILING_S
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
        expected: the modes in which it may end; "silent" where the controller is gone without a word.
        detect_s: how long nobody can know of it.
        loss_s: how long the watchdog may take from there; None: no hold is demanded.
        lasts_s: for how long it is done, at most.
        settings: parameters, as the words of ``--set``.
        goes_on: whether the arm may go on by itself afterwards; then its first rest counts, not its last motion.
        overshoot_m: how far the arm may run past the place at which the target came to rest.
        exits: exit status of the ``wm`` or launcher that the fault is about; None: as that of any run.
    """

    name: str
    injection: Injection
    expected: Sequence[str] = AT_REST
    detect_s: float = 0.0
    loss_s: float | None = COMMAND_LOSS_S
    lasts_s: float = 2.0
    settings: Sequence[str] = ()
    goes_on: bool = False
    overshoot_m: float = OVERSHOOT_M
    exits: int | None = None

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
    return Fault(name, injection, expected=(Mode.RUNNING, Mode.HOLDING), loss_s=None, **more)


def _rival(topic: str, **more: Any) -> Fault:
    name = f"rival_{topic.replace('/', '_')}"
    return Fault(name, Alter(topic, RIVAL), **{"detect_s": RIVAL_S, "lasts_s": 3.0, **more})


def _garbage(topic: str, **more: Any) -> Fault:
    return Fault(f"garbage_{topic.replace('/', '_')}", Alter(topic, "garbage"), **{"lasts_s": 3.0, **more})


def _clock(name: str, injection: Injection) -> Fault:
    """Once all clocks agree again the arm may go on; a clock that stands still ends in a stop."""
    anything = (Mode.RUNNING, *AT_REST)
    return Fault(name, injection, anything, detect_s=CLOCK_S, loss_s=0.0, lasts_s=3.0, goes_on=True)


#: The controller stops the arm and ends; its last word may not reach everybody in time.
_ENDED = (Mode.STOPPED, SILENT)
_FRAMES, _LATENT, _STATE = topics.CAMERA.name, topics.LATENT.name, topics.STATE.name
_PLAN, _PLANNER, _ENCODER = topics.plan("planner").name, topics.status("planner").name, topics.status("encoder").name
_POSE, _WRENCH, _GRIPPER, _TARGET = topics.POSE.name, topics.WRENCH.name, topics.GRIPPER.name, topics.TARGET.name
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
    _plan_loss("latent_nan", Alter(_LATENT, "poison", math.nan)),
    _plan_loss("latent_inf", Alter(_LATENT, "poison", math.inf)),
    _harmless("latents_reordered", Alter(_LATENT, "swap")),
    # The plan.
    _plan_loss("plan_nan", Alter(_PLAN, "poison", math.nan)),
    _plan_loss("plan_inf", Alter(_PLAN, "poison", math.inf)),
    _plan_loss("plan_from_the_future", Alter(_PLAN, "shift_stamp", 1.0)),
    _plan_loss("plan_from_the_past", Alter(_PLAN, "shift_stamp", -1.5)),
    _harmless("plans_reordered", Alter(_PLAN, "swap")),
    _harmless("plan_flood", Alter(_PLAN, "flood", 1000.0)),
    # The measured arm.
    _state_loss("state_silent", Alter(_POSE, "drop")),
    _state_loss("state_nan", Alter(_POSE, "poison", math.nan)),
    _state_loss("state_inf", Alter(_POSE, "poison", math.inf)),
    _state_loss("state_jump", Alter(_POSE, "jump", 0.2)),
    _state_loss("state_from_the_future", Alter(_POSE, "shift_stamp", 1.0)),
    _state_loss("state_from_the_past", Alter(_POSE, "shift_stamp", -1.0)),
    _state_loss("force_push", Alter(_WRENCH, "push", 20.0), settings=_FORCE),
    _state_loss("force_spike", Alter(_WRENCH, "spike", 60.0), settings=_FORCE, expected=LATCHED),
    # A process stands still and comes back.
    _plan_loss("encoder_frozen", Freeze("encoder")),
    _plan_loss("planner_frozen", Freeze("planner")),
    Fault("controller_frozen", Freeze("controller"), expected=(SILENT,)),
    _state_loss("arm_frozen", Freeze("sim_arm")),
    # Others on the machine and on the domain.
    Fault("two_publishers", Alter(_TARGET, RIVAL), expected=LATCHED, detect_s=RIVAL_S),
    Fault("second_controller", SecondController(), expected=LATCHED, detect_s=STRANGER_S, lasts_s=4.0),
    _harmless("second_run", SecondRun(), lasts_s=30.0),
    _harmless("full_load", Load(), lasts_s=4.0),
    _rival(_PLAN),
    _rival(_PLANNER),
    _rival(_ENCODER),
    _rival(_LATENT, detect_s=RIVAL_S + PLAN_S),  # the planner sees these two, and plans no more
    _rival(_STATE, detect_s=RIVAL_S + PLAN_S),
    _rival(_POSE),
    _rival(_WRENCH),
    _rival(_GRIPPER),
    # Messages that are none, from the node that should send them.
    _garbage(_FRAMES, detect_s=PLAN_S),
    _garbage(_LATENT, detect_s=PLAN_S),
    _garbage(_PLAN, detect_s=PLAN_S),
    _garbage(_PLANNER, detect_s=HEARTBEAT_S, lasts_s=5.0),
    _garbage(_ENCODER, detect_s=HEARTBEAT_S, lasts_s=5.0),
    _garbage(_STATE, detect_s=SAID_S + PLAN_S),  # the planner cannot read it, and plans no more
    _garbage(_POSE, loss_s=STATE_LOSS_S),
    _garbage(_WRENCH, loss_s=STATE_LOSS_S),
    _garbage(_GRIPPER, loss_s=STATE_LOSS_S),
    # The arm does not do what it is told.
    Fault(
        "arm_blocked",
        Alter(_TARGET, "drop"),
        detect_s=BLOCKED_S,
        lasts_s=4.0,
        overshoot_m=math.inf,  # where it stands has nothing to do with the target
    ),
    Fault("arm_sinks", Alter(_POSE, "sink", 0.1), detect_s=BLOCKED_S, lasts_s=4.0),
    # Clocks.
    _clock("clock_set_back", SetClock(-10.0)),
    _clock("clock_set_forward", SetClock(10.0)),
    _clock("sim_clock_stops", SimulatedClock("stop")),
    _clock("sim_clock_jumps_back", SimulatedClock("back")),
    _clock("sim_clock_jumps_forward", SimulatedClock("forward")),
    # Who started it is gone, or asleep.
    Fault("launcher_killed", LauncherSignal(signal.SIGKILL), LATCHED, LAUNCHER_S, lasts_s=3.0, exits=2),
    Fault("launcher_suspended", LauncherSignal(signal.SIGSTOP), LATCHED, LAUNCHER_S, lasts_s=3.0),
    Fault("wm_killed", WmSignal(signal.SIGKILL), _ENDED, END_S, lasts_s=3.0, exits=-signal.SIGKILL),
    Fault("wm_terminated", WmSignal(signal.SIGTERM), _ENDED, END_S, lasts_s=3.0, exits=143),
    Fault("wm_suspended_unasked", WmSignal(signal.SIGSTOP), LATCHED, LAUNCHER_S, lasts_s=3.0, exits=1),
    Fault("terminal_closed", Key(CLOSED), _ENDED, END_S, lasts_s=3.0, exits=129),
    Fault("ctrl_c", Key(CTRL_C), _ENDED, END_S, lasts_s=3.0, exits=130),
    # Its next word waits for a reader, and then so does its heartbeat.
    Fault("ctrl_s", Key(CTRL_S), AT_REST, LAUNCHER_BEAT_S, lasts_s=4.0, exits=1),
    Fault("ctrl_z", Key(CTRL_Z), LATCHED, END_S, lasts_s=3.0, exits=1),
    _harmless("disk_full", DiskFull(), exits=2),
    # Those who call.
    Fault("resume_spam", Spam("resume", stop=True), LATCHED, loss_s=0.0, lasts_s=3.0),
    _harmless("start_spam", Spam("start")),
    _harmless("parameters_set", SetParameters(), lasts_s=20.0),
)


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """The faults of these names, all if there are none. Raises ConfigError on an unknown one."""
    by_name = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in by_name:
            raise ConfigError(f"there is no fault {quoted(name)}{meant(name, by_name)}; 'wm faults --list' names all")
    return tuple(by_name[name] for name in names) if names else FAULTS


def listing() -> str:
    """All faults with what is expected of each."""
    rows = []
    for fault in chosen(()):
        within = "" if fault.rest_within_s is None else f", at rest within {fault.rest_within_s:.2f} s"
        rows.append(f"{fault.name:<28}{' or '.join(fault.expected)}{within}")
    return "\n".join(rows)
