"""The closed loop in one process: the simulated arm under the real controller, step by step.

Data collection and evaluation both run through here, so the model learns, and is judged on, the motion that the
controller's envelope really lets through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_controller.controller import ArmState, Controller, ControllerConfig, Plan
from wm_controller.monitor import EnvelopeMonitor
from wm_sim.scene import TIMESTEP_S, Measured, PandaScene

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """A camera frame (h, w, 3) uint8 RGB, the measured state (7,) at the same instant, and its stamp."""

    frame: NDArray[np.uint8]
    state: Array
    stamp_s: float


class ClosedLoop:
    """Scene, controller and, if wanted, an independent judge of what the controller commands.

    Args:
        scene: the simulated arm; its clock is the loop's clock.
        config: of the controller.
        step_period_s: duration of one plan step.
        monitor: judges every command; data collection goes without, it costs a quarter of the time.
    """

    def __init__(
        self,
        scene: PandaScene,
        config: ControllerConfig,
        step_period_s: float,
        monitor: EnvelopeMonitor | None = None,
    ) -> None:
        self.scene = scene
        self._config = config
        self._step_period_s = step_period_s
        self._tick_s = 1.0 / config.rate_hz
        self.monitor = monitor
        self.begin()

    def begin(self) -> None:
        """A new episode: a fresh controller, started, from wherever the arm stands."""
        self.controller = Controller(self._config)
        if self.monitor is not None:
            self.monitor.check(self.scene.time_s, None)  # a new stream
        self._report_state()
        self.controller.start(self.scene.time_s)

    def observe(self) -> Observation:
        return Observation(self.scene.render(), self.scene.state().state, self.scene.time_s)

    def step(self, deltas: Array | None, latency_s: float = 0.0) -> None:
        """Run one step period.

        Args:
            deltas: the plan (H, 7) made from the observation at the start of the step, or None to hold.
            latency_s: how long after the observation the plan reaches the controller, which meanwhile goes on with
                the previous one.
        """
        begin, end = self.scene.time_s, self.scene.time_s + self._step_period_s
        plan = None if deltas is None else Plan(begin, self._step_period_s, np.atleast_2d(deltas))
        while (now := self.scene.time_s) < end - TIMESTEP_S / 2:
            if plan is not None and now - begin >= latency_s - 1e-9:
                self.controller.on_plan(plan, now)
                plan = None
            command = self.controller.tick(now)
            if command.pose is not None:
                if self.monitor is not None:
                    self.monitor.check(now, command.pose, gripper=command.gripper)
                self.scene.set_target(command.pose)
            if command.gripper is not None:
                self.scene.set_gripper(command.gripper)
            self.scene.advance(min(self._tick_s, end - now))
            self._report_state()

    def _report_state(self) -> None:
        measured: Measured = self.scene.state()
        now = self.scene.time_s
        self.controller.on_state(ArmState(now, measured.pose, measured.gripper), now)
