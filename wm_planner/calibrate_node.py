"""calibrate_node: which way a model's axes lie for the real camera, from small moves of the real arm.

It takes the planner's place in the graph, so every move is a plan that the controller's envelope stands above.
After ``start`` the arm makes short random moves around where it then stands, and rests after each; what the model
believes to see between two rests is compared with what was measured. The axes go into the camera's preset, from where
the planner reads them; without a clear answer nothing is written. Whatever is wrong in between, the arm rests with a
sentence that says why, and the moves go on when it is well again; a move that was disturbed is made anew. An arm that
was moved away is not led back: after a ``resume`` the moves go on around where it then stands.

One round is made, with the hand as it is: only the simulator turns it with the axes, in several rounds (see
wm_lab/calibrate.py). A model that never saw a turned hand may so be read a few degrees wrong.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from wm_core import axes
from wm_core.errors import WmError
from wm_core.limits import Limits
from wm_core.reports import LATCHED, CalibrateStatus, Health
from wm_models import imagination
from wm_models.bundle import Bundle
from wm_ros import convert
from wm_ros.diagnostics import Diagnostics
from wm_ros.node import WmNode
from wm_ros.run import run_node
from wm_ros.worker import Worker

from .calibration import CalibrationError, Move, RandomMoves, calibrate
from .node_config import CalibrateNodeConfig
from .role import Role
from .sight import Seen, Sight

#: From one frame to the next an arm at rest is measured to move less than this; a Franka's noise is below 0.1 mm.
REST_M = 0.0005
#: A move that ends further than this share of its length from where it was to end was disturbed.
ASTRAY = 0.5


def move_period_s(limits: Limits, longest_m: float, step_period_s: float) -> float:
    """How long a move takes from rest to rest, in s: at least a step of the model, and longer for an arm that is slow.

    The model looks at the two ends only, so how long the way took does not matter to it. Speed and acceleration of
    ``limits`` must not be zero.
    """
    length_m = min(longest_m, limits.step_m)
    return max(step_period_s, length_m / limits.speed_m_s + limits.speed_m_s / limits.accel_m_s2)


class CalibrateNode(WmNode[CalibrateNodeConfig]):
    """The executor's thread makes the moves; in the end, one worker thread fits the axes."""

    def __init__(self) -> None:
        super().__init__("calibrate", CalibrateNodeConfig)
        c = self.config
        axes.check(c.out)  # what cannot take them is refused now, not when all moves are made
        bundle = Bundle.load(c.bundle)
        self._name = bundle.spec.name
        self._model = imagination.load(bundle, c.backend, c.threads, c.memory_mb)
        self._model.with_axes(replace(c.axes, yaw_rad=1.0))  # a model that cannot be turned is refused now, too
        self._period_s = move_period_s(c.limits, c.longest_m, bundle.spec.step_period_s)
        self._rng = np.random.default_rng(c.seed)  # one for all regions, or each would get the same moves
        self._draw: RandomMoves | None = None  # around where the arm stood; None until it is known where a run begins
        self._anew = False  # whether a person has let the arm go on since the last move, by start or resume
        self._moves: list[Move] = []
        self._last: Seen | None = None
        self._before: Seen | None = None  # before the move that is being made, whose way (3,) in m is:
        self._way_m, self._due_s = np.zeros(3), -math.inf  # earlier frames say nothing of the arm at rest
        self._acted = False
        self._astray = self._over = ""
        self._found: dict[str, float] = {}
        self._failed = False
        self._worker = Worker(lambda error: self._fail(f"the fit failed: {error}"))
        self._role = Role(self, "calibrate", self._on_mode, self._report)
        self._role.runs.ready()
        self._sight = Sight(self, c, self._on_seen)
        Diagnostics(self, self._health)
        minutes = c.moves * (2.0 * self._period_s + c.settle_s) / 60.0
        self.get_logger().info(f"{c.moves} moves of {self._period_s:.2f} s, about {minutes:.1f} minutes; call start")

    # --- moves --------------------------------------------------------------------------------------------------------
    def _on_mode(self, begins: bool) -> None:
        acted, self._acted = self._acted, self._role.runs.planning
        if begins:
            self._draw = None
        if begins or self._acted != acted:
            self._begin_anew()  # meanwhile a person may have moved the arm, or stood before the camera
        self._anew |= begins or self._role.runs.mode in LATCHED
        if begins and (self._found or self._failed):
            self._end()  # once calibrated, no start leads to more moves

    def _begin_anew(self) -> None:
        """Forget the move that was begun; the next one starts from an arm that has settled."""
        self._before, self._due_s = None, self.now_s() + self.config.settle_s

    def _on_seen(self, seen: Seen) -> None:
        last, self._last = self._last, seen
        if self._over or not self._role.runs.planning or (last is not None and seen.stamp_s == last.stamp_s):
            return  # the same frame again tells nothing of rest
        if last is None or seen.stamp_s < last.stamp_s:  # the first frame, or the clock was set
            return self._begin_anew()
        if seen.stamp_s < self._due_s:
            return
        if not np.linalg.norm(seen.state[:3] - last.state[:3]) <= REST_M:
            return self._sight.refuse("the arm does not come to rest")
        if seen.latent.shape != self._model.latent_shape or not np.isfinite(seen.latent).all():
            return self._sight.refuse(f"the latent is not {self._model.latent_shape} finite numbers")
        if self._before is not None:
            self._take(self._before, seen)
        if len(self._moves) == self.config.moves:
            self._over = f"fitting the axes to {len(self._moves)} moves"
            return self._worker.submit(self._find)
        try:
            self._move(seen)
        except CalibrationError as error:
            if not self._moves:
                return self._fail(str(error))
            self._sight.refuse(str(error))  # a person may still move the arm to where there is room, and resume

    def _take(self, before: Seen, after: Seen) -> None:
        """Keep the move that has ended, unless the arm went elsewhere."""
        off_m, asked_m = np.linalg.norm([after.state[:3] - before.state[:3] - self._way_m, self._way_m], axis=1)
        if off_m <= ASTRAY * asked_m:
            self._moves.append(Move(before.latent, before.state, after.latent, after.state))
            self._astray = ""
        else:
            where = f"{1e3 * off_m:.0f} mm beside the end of a move of {1e3 * asked_m:.0f} mm"
            self._astray = f"the arm came to rest {where}; controller/state says what held it"
            self.warn(self._astray)

    def _move(self, seen: Seen) -> None:
        """Ask for the next move, from the arm at rest."""
        c, now_s, here = self.config, self.now_s(), seen.state[:3]
        self._before = None
        moved_away = self._draw is not None and not self._draw.led_to(here)
        if moved_away and not self._anew:
            return self._sight.refuse("the arm was moved away; stop, and resume to go on around where it is")
        if moved_away or self._draw is None:  # a stop alone moves no region: that one was cleared for the arm
            self._draw = RandomMoves(c, c.limits, self._period_s, here, self._rng)
        plan, self._anew = self._draw.next(here), False
        # Stamped now, not with the frame: the arm rests, so the pose is the same, and the move loses no time.
        self._role.plan(convert.plan_to_msg(plan, self._period_s, convert.s_to_stamp(now_s), c.base_frame))
        self._before, self._way_m, self._due_s = seen, plan[0, :3], now_s + 2.0 * self._period_s + c.settle_s

    # --- the end ------------------------------------------------------------------------------------------------------
    def _find(self) -> None:
        """Fit the axes and write them; in the worker's thread."""
        c = self.config
        try:
            found, fit = calibrate(self._model, self._moves, replace(c.axes, yaw_rad=0.0), c)
            angle, error_deg = np.degrees(found.yaw_rad), np.degrees(fit.error_rad)
            axes.store(c.out, found, f"bundle {self._name}, {fit.moves} moves of the arm, +-{error_deg:.1f} degrees")
        except (WmError, OSError) as error:
            return self._fail(str(error))
        self._found = {"angle_deg": float(angle), "error_deg": float(error_deg)}
        self._found |= {"residual": fit.residual, "condition": fit.condition, "scale": fit.scale}
        self._over = (
            f"the axes lie turned by {angle:.1f} degrees, standard error {error_deg:.1f}, residual "
            f"{100 * fit.residual:.0f} %, condition {fit.condition:.2f}; written to {c.out}"
        )
        self.get_logger().info(self._over)
        self._end()

    def _fail(self, sentence: str) -> None:
        """The last word: no plan follows it, and nothing is written."""
        self._over, self._failed = f"not calibrated: {sentence}", True
        self.get_logger().error(self._over)
        self._end()

    def _end(self) -> None:
        self._role.runs.finish(self._role.runs.turn, bool(self._found))

    # --- reports ------------------------------------------------------------------------------------------------------
    def _why_not(self) -> str:
        """Why no move is made now, whatever the controller does; "" if all is there."""
        return self._sight.trouble or self._astray or self._sight.silence

    def _report(self) -> CalibrateStatus:
        progress = f"move {len(self._moves) + 1} of {self.config.moves}"
        reason = next(filter(None, (self._over, self._why_not(), self._role.idle)), progress)
        planned = self._before is not None and not self._over
        return CalibrateStatus(planned=planned, reason=reason, **self._figures())

    def _figures(self) -> dict[str, Any]:
        """The angle of the axes and its standard error are in degrees."""
        return {"failed": self._failed, "moves": len(self._moves), "of": self.config.moves, **self._found}

    def _health(self) -> Health:
        why_not = "" if self._over else self._why_not()
        return Health(not (why_not or self._failed), self._over if self._over else why_not, self._figures())

    def close(self) -> None:
        self._worker.close()
        self._model.close()


def main() -> None:
    sys.exit(run_node(CalibrateNode))


if __name__ == "__main__":
    main()
