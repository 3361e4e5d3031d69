"""What an interposer does to the messages that pass it. Every fault of a stream is one small class here.

An alteration takes a message and the time (s) and returns what to publish instead: pairs of the time at which it is due
and the message. It may change the message that it was given. Unlike the rest of the house it picks messages apart
itself: a lie must not pass the checks of :mod:`wm_ros.convert` first.
"""

from __future__ import annotations

import array
import copy
import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from wm_core.errors import ConfigError
from wm_ros import convert

Out = list[tuple[float, Any]]

#: A flood lasts until the next plan has come for sure: plans come four times a second.
FLOOD_S = 0.4


class Alteration(ABC):
    """Args: value: how much, in the unit that the subclass names; most need none."""

    def __init__(self, value: float) -> None:
        self._value = value

    @abstractmethod
    def __call__(self, msg: Any, now_s: float) -> Out:
        """What to publish instead of ``msg``, and when."""


class Drop(Alteration):
    """Silence."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        return []


class Delay(Alteration):
    """Each message comes ``value`` seconds later, with the stamp that it had."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        return [(now_s + self._value, msg)]


class Freeze(Alteration):
    """The first message again and again, under the stamps of those that follow: a driver that resends its buffer."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self._first: Any = None

    def __call__(self, msg: Any, now_s: float) -> Out:
        if self._first is None:
            self._first = copy.deepcopy(msg)
        out = copy.copy(self._first)
        out.header = msg.header
        return [(now_s, out)]


class ShiftStamp(Alteration):
    """The stamp is ``value`` seconds later (below zero: earlier) than it should be."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        msg.header.stamp = convert.s_to_stamp(convert.stamp_to_s(msg.header.stamp) + self._value)
        return [(now_s, msg)]


class Poison(Alteration):
    """One number of the message becomes ``value``: NaN or infinity."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        if hasattr(msg, "encoding"):  # a latent
            numbers = np.frombuffer(bytes(msg.data), dtype=np.float32).copy()
            numbers[numbers.size // 2] = self._value
            msg.data = array.array("B", numbers.tobytes())
        elif hasattr(msg, "points"):  # a plan
            msg.points[0].positions = [self._value, *list(msg.points[0].positions)[1:]]
        else:
            msg.pose.position.z = self._value
        return [(now_s, msg)]


class Jump(Alteration):
    """A measured pose lies ``value`` metres beside the true one, from one message to the next."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        msg.pose.position.y += self._value
        return [(now_s, msg)]


class Push(Alteration):
    """A force of ``value`` newton upwards, as long as the fault lasts."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        msg.wrench.force.z = self._value
        return [(now_s, msg)]


class Spike(Push):
    """The same force in a single message."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        out = super().__call__(msg, now_s) if self._value else [(now_s, msg)]
        self._value = 0.0
        return out


class Sink(Alteration):
    """The measured arm sinks, ``value`` metres each second: a payload that the driver does not know of."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self._began_s: float | None = None

    def __call__(self, msg: Any, now_s: float) -> Out:
        if self._began_s is None:
            self._began_s = now_s
        msg.pose.position.z -= self._value * (now_s - self._began_s)
        return [(now_s, msg)]


class Garbage(Alteration):
    """What no node of ours would send: a report that is no JSON, an encoding that there is not, joints of no name."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        if hasattr(msg, "encoding"):
            msg.encoding = "no such thing"
        elif hasattr(msg, "joint_names"):
            msg.joint_names = ["\x1b[2J" * 1000]
        elif hasattr(msg, "position"):  # joints
            msg.position = []
        elif hasattr(msg, "wrench"):
            msg.wrench.torque.x = math.nan
        elif hasattr(msg, "pose"):
            msg.pose.orientation.x = msg.pose.orientation.y = msg.pose.orientation.z = msg.pose.orientation.w = 0.0
        else:
            msg.data = "{"
        return [(now_s, msg)]


class Swap(Alteration):
    """Every two messages change places."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self._kept: Any = None

    def __call__(self, msg: Any, now_s: float) -> Out:
        if self._kept is None:
            self._kept = msg
            return []
        kept, self._kept = self._kept, None
        return [(now_s, msg), (now_s, kept)]


class Flood(Alteration):
    """Each plan comes ``value`` times a second, freshly stamped, every other one with its motion reversed."""

    def __call__(self, msg: Any, now_s: float) -> Out:
        back = copy.deepcopy(msg)
        for point in back.points:
            point.positions = [-x for x in point.positions]
        out: Out = []
        for k in range(int(FLOOD_S * self._value)):
            due_s = now_s + k / self._value
            again = copy.copy(back if k % 2 else msg)
            again.header = copy.copy(msg.header)
            again.header.stamp = convert.s_to_stamp(due_s)
            out.append((due_s, again))
        return out


ALTERATIONS: dict[str, type[Alteration]] = {
    "drop": Drop,
    "delay": Delay,
    "freeze": Freeze,
    "shift_stamp": ShiftStamp,
    "poison": Poison,
    "jump": Jump,
    "push": Push,
    "spike": Spike,
    "sink": Sink,
    "garbage": Garbage,
    "swap": Swap,
    "flood": Flood,
}


def make(name: str, value: float) -> Alteration:
    """The alteration ``name``. Raises ConfigError where there is none."""
    if name not in ALTERATIONS:
        raise ConfigError(f"'{name}' is not one of the alterations {', '.join(ALTERATIONS)}")
    if name != "poison" and not math.isfinite(value):
        raise ConfigError(f"the value {value} of the alteration '{name}' is not finite")
    return ALTERATIONS[name](value)
