"""What the runs have in common that measure a live graph instead of finishing a task."""

from __future__ import annotations

import time
from collections.abc import Callable

from std_srvs.srv import Trigger

from wm_core.errors import WmError

from .pick_place import ANSWER_TIMEOUT_S, SPIN_S, PickPlace
from .report import Film

TARGET_TOPIC, ARM_TOPIC = "arm/target_pose", "arm/current_pose"  # of the simulated arm


class NoFilm(Film):
    """Encoding a film would take from the nodes the time that is measured."""

    def __init__(self) -> None:
        pass

    def add(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


class LiveRun(PickPlace):
    """A run as ``wm pick_place`` brings it up and takes it down; a subclass says in ``_act`` what happens between."""

    def _watch(self, seconds: float, true: Callable[[], bool] = lambda: False) -> bool:
        """Spin for this time or until ``true()``, whatever happens to the children. Whether it became true.

        The user's wish to stop ends it at once.
        """
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0.0 and not self._interrupted():
            self._spin(min(left_s, SPIN_S))
            if true():
                return True
        return False

    def _trigger(self, service: str) -> str:
        """Call a Trigger service; the message of its answer. Raises WmError if it refuses or does not come."""
        client = self._monitor.create_client(Trigger, service)
        try:
            self._watch(ANSWER_TIMEOUT_S, client.service_is_ready)
            answer = client.call_async(Trigger.Request())
            if not self._watch(ANSWER_TIMEOUT_S, answer.done):
                raise WmError(f"'{service}' did not answer within {ANSWER_TIMEOUT_S:g} s")
            if not answer.result().success:
                raise WmError(f"'{service}' was refused: {answer.result().message}")
            return str(answer.result().message)
        finally:
            self._monitor.destroy_client(client)
