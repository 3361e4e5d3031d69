"""The measured arm: joins its pose and gripper into one state per pose, and reads its wrench and joints."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, WrenchStamped
from sensor_msgs.msg import JointState

from wm_core.errors import quoted
from wm_core.measured import MeasuredConfig
from wm_core.pose import Array

from . import convert, qos
from .clock import steady_s
from .node import WmNode

#: Grippers report at 10 Hz or more; a value older than this (against the pose's stamp) is lost, not slow.
GRIPPER_TIMEOUT_S = 0.5
WRENCH_TIMEOUT_S = 0.2
#: Poses that come with stamps so far in the past or the future, one as the other, were stamped by a clock that is off:
#: a network delivers within milliseconds, machines under chrony agree within one, and what is late is not evenly late.
BEHIND_S, AHEAD_S = 0.2, 0.05
EVEN_S, EVEN_COUNT = 0.1, 5
HISTORY = 128


@dataclass(frozen=True)
class Measured:
    """``pose`` (6,) TCP in the base frame, ``gripper`` 0 open .. 1 closed."""

    stamp_s: float
    pose: Array
    gripper: float

    @property
    def state(self) -> Array:
        """The 7-D state of :mod:`wm_core.pose`."""
        return np.append(self.pose, self.gripper)


@dataclass
class _Source:
    """One topic, and when it was last heard well: by the steady clock, and by its own stamp."""

    topic: str
    timeout_s: float = math.inf
    fault: str = ""  # of its newest message, as a sentence
    told: str = ""  # what was last said of it
    steady_s: float = -math.inf
    stamp_s: float = math.nan


class MeasuredArm:
    """Subscribes to the arm's topics.

    What is wrong with a source is told until a message of the same source is well. A state is made for each pose that
    is, from the newest gripper that was. A wrench belongs to no pose: contact between two poses is contact.

    Args:
        node: that subscribes, and whose clock is this machine's.
        base_frame: the frame id that poses and wrenches must carry.
        trouble: called with "pose", "gripper" or "wrench", and one sentence; or "" when that one is well again.
        measured: called with each state.
        wrench: called with the stamp (s) of each wrench, the wrench ``(6,)``, N and Nm in the base frame, and why it
            is not usable as such, or ""; None: the topic is not even subscribed to.
        config: names, scales and frames of the topics; None: the simulator's.
    """

    def __init__(
        self,
        node: WmNode[Any],
        base_frame: str,
        trouble: Callable[[str, str], object],
        measured: Callable[[Measured], object] = lambda _: None,
        config: MeasuredConfig | None = None,
        wrench: Callable[[float, Array, str], object] | None = None,
    ) -> None:
        self._node, self._config = node, MeasuredConfig() if config is None else config
        c = self._config
        self._base_frame, self._trouble, self._measured, self._felt = base_frame, trouble, measured, wrench
        self._pose = _Source(c.pose_topic)
        self._sources = {
            "pose": self._pose,
            "gripper": _Source(c.gripper_topic, GRIPPER_TIMEOUT_S),
            "wrench": _Source(c.wrench_topic, WRENCH_TIMEOUT_S),
        }
        self._ages_s: deque[float] = deque(maxlen=EVEN_COUNT)  # of the newest poses, when they came
        self._gripper: float | None = None
        self._others: list[str] = []  # joints of the last message on the gripper's topic that was not about it
        self._history: deque[Measured] = deque(maxlen=HISTORY)
        node.create_subscription(JointState, c.gripper_topic, self._on_gripper, qos.JOINTS)
        if wrench is not None:
            node.create_subscription(WrenchStamped, c.wrench_topic, self._on_wrench, qos.SENSOR)
        node.create_subscription(PoseStamped, c.pose_topic, self._on_pose, qos.SENSOR)

    def nearest(self, stamp_s: float) -> tuple[float, Measured | None]:
        """How far from ``stamp_s`` (s) the nearest state is, and that state; infinity and None without any."""
        best = min(self._history, key=lambda m: abs(m.stamp_s - stamp_s), default=None)
        return (math.inf, None) if best is None else (abs(best.stamp_s - stamp_s), best)

    def trouble(self, *sources: str) -> str:
        """What is wrong with the first of these sources that something is wrong with, as a sentence; else ""."""
        return next((said for name in sources if (said := self._sources[name].told)), "")

    def bad_message(self, topic: str, why: str) -> None:
        """A message of one of these topics could not even be read; the same as one that cannot be used."""
        for name, source in self._sources.items():
            if source.topic == topic:
                self._bad(name, why)

    # --- messages -----------------------------------------------------------------------------------------------------
    def _on_gripper(self, msg: JointState) -> None:
        try:
            closed = self._config.gripper.closedness(msg.name, msg.position)
        except ValueError as error:
            return self._bad("gripper", str(error))
        if closed is None:
            self._others = list(msg.name[:4])
            return
        self._gripper = closed
        self._good("gripper", convert.stamp_to_s(msg.header.stamp))

    def _on_wrench(self, msg: WrenchStamped) -> None:
        stamp_s, wrench, fault = convert.stamp_to_s(msg.header.stamp), convert.msg_to_wrench(msg), ""
        try:
            self._in_base(msg.header.frame_id)
            if not np.isfinite(wrench).all():
                raise ValueError("a wrench holds a number that is not finite; look at its driver")
            self._good("wrench", stamp_s)
        except ValueError as error:
            self._bad("wrench", str(error))
            fault = self._sources["wrench"].told
        if self._felt is not None:
            self._felt(stamp_s, wrench, fault)

    def _on_pose(self, msg: PoseStamped) -> None:
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        try:
            self._in_base(msg.header.frame_id)
            pose = self._config.tcp(convert.msg_to_pose(msg))
            self._in_time(stamp_s)
        except ValueError as error:
            return self._bad("pose", str(error))
        self._good("pose", stamp_s)
        for source in ("gripper", "wrench"):
            self._review(source)
        if self._gripper is None:
            return
        state = Measured(stamp_s, pose, self._gripper)
        self._history.append(state)
        self._measured(state)

    def _in_base(self, frame_id: str) -> None:
        if frame_id != self._base_frame:
            raise ValueError(f"the frame id is {quoted(frame_id)}, not '{self._base_frame}'; mend it or base_frame")

    def _in_time(self, stamp_s: float) -> None:
        """Raises ValueError where a pose that came just now was stamped by a clock that is off."""
        if stamp_s == 0.0:
            raise ValueError("there is no time stamp; the driver must stamp its messages")
        self._ages_s.append(age_s := self._node.now_s() - stamp_s)
        least_s, most_s = min(self._ages_s), max(self._ages_s)
        if len(self._ages_s) < EVEN_COUNT or most_s - least_s > EVEN_S or (least_s <= BEHIND_S and most_s >= -AHEAD_S):
            return
        where = f"{abs(age_s):.1f} s {'behind' if age_s > 0 else 'ahead of'}"
        if getattr(self._node.get_clock(), "ros_time_is_active", False):  # rclpy's hints know only of a Clock
            raise ValueError(f"the arm's clock is {where} /clock; let both follow the same one")
        raise ValueError(f"the arm's clock is {where} this machine: run chrony on both")

    # --- what is known of each source ---------------------------------------------------------------------------------
    def _bad(self, source: str, why: str) -> None:
        """A message cannot be used."""
        heard = self._sources[source]
        heard.fault = f"{heard.topic}: {why}"
        self._review(source)

    def _good(self, source: str, stamp_s: float) -> None:
        heard = self._sources[source]
        heard.fault, heard.steady_s, heard.stamp_s = "", steady_s(), stamp_s
        self._review(source)

    def _review(self, source: str) -> None:
        """Tell what is wrong with a source now, or that nothing is wrong any more."""
        heard = self._sources[source]
        before, heard.told = heard.told, heard.fault or self._apart(source)
        if heard.told or before:
            self._trouble(source, heard.told)

    def _apart(self, source: str) -> str:
        """Why the values of a source do not go with the poses, as a sentence; "" if they do."""
        heard, now_s = self._sources[source], steady_s()
        if heard is self._pose or math.isnan(self._pose.stamp_s):
            return ""
        off_s = self._pose.stamp_s + (now_s - self._pose.steady_s) - heard.stamp_s  # NaN if it was never heard
        if abs(off_s) <= heard.timeout_s:
            return ""
        if now_s - heard.steady_s > heard.timeout_s:
            # Whether there must be a wrench is for others to say.
            return "" if source == "wrench" else self._silent(heard, now_s)
        if heard.stamp_s == 0.0:
            return f"{heard.topic}: there is no time stamp; the driver must stamp its messages"
        where = "behind" if off_s > 0 else "ahead of"
        return (
            f"the clock of {heard.topic} is {abs(off_s):.1f} s {where} that of {self._pose.topic}: run chrony on both, "
            "or see what delays it"
        )

    def _silent(self, heard: _Source, now_s: float) -> str:
        since = "yet" if math.isnan(heard.stamp_s) else f"for {now_s - heard.steady_s:.1f} s"
        if not self._others:
            return f"nothing was heard on {heard.topic} {since}; is the gripper's driver running?"
        wanted, found = ", ".join(self._config.gripper.joints), quoted(", ".join(self._others))
        return f"nothing was heard of {wanted} on {heard.topic} {since}, which carries {found}; is its driver running?"


class ArmJoints:
    """Reads joint1..joint7 of one arm from JointStates that may be about others as well.

    Args:
        prefix: what stands before ``joint1`` in their names, such as "left_fr3_"; None: the one that there is.
    """

    def __init__(self, prefix: str | None = None) -> None:
        self._wanted = prefix
        self._seen: set[str] = set()

    def read(self, msg: JointState) -> Array | None:
        """Positions ``(7,)`` in rad of joint1..joint7, in that order.

        None where the message is about other joints (a driver may report the fingers on the same topic). What is no
        number stays in, for the watchdogs to see. Raises ValueError if it cannot be told which arm is meant.
        """
        arms: dict[str, dict[int, int]] = {}
        for index, name in enumerate(msg.name):
            if (match := re.fullmatch(r"(?!.*finger)(.*)joint_?([1-7])", name, re.DOTALL)) is None:
                continue
            arm, number = arms.setdefault(match[1], {}), int(match[2])
            if number in arm:
                raise ValueError(f"a joint state has the joint {quoted(name)} twice; give each arm a prefix of its own")
            arm[number] = index
        complete = [prefix for prefix, arm in arms.items() if len(arm) == 7]
        if self._wanted is not None:
            complete = [prefix for prefix in complete if prefix == self._wanted]
        self._seen |= set(complete[: MOST_ARMS - len(self._seen)])
        if not complete:
            return None
        if len(self._seen) > 1:
            names = " and ".join(quoted(prefix, 40) for prefix in sorted(self._seen))
            raise ValueError(
                f"the joints of several arms, {names}, are reported; set measured.joint_prefix to one of them"
            )
        if len(msg.position) != len(msg.name):
            raise ValueError(f"a joint state has {len(msg.name)} names and {len(msg.position)} positions")
        return np.array([msg.position[arms[complete[0]][k]] for k in range(1, 8)])


#: Of so many arms the names are kept for the sentence.
MOST_ARMS = 4
