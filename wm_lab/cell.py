"""One cell of an evaluation: a bundle, a planner and a case, and the closed loop that they make."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wm_controller.node_config import ControllerNodeConfig
from wm_core import results
from wm_models import imagination
from wm_models.bundle import SPEC_NAME, Bundle, sha256
from wm_models.world_model import WorldModel
from wm_planner.node_config import PlannerNodeConfig
from wm_planner.planner import Planner

from .evaluate import Case, Evaluator


@dataclass(frozen=True)
class Cell:
    """All that an episode depends on, but for its seed. ``bundle``, ``planner`` and ``case`` are names.

    ``settings`` are all in force, the limits, the axes and the back end as well.
    """

    bundle: str
    planner: str
    case: str
    folder: Path
    settings: PlannerNodeConfig
    controller: ControllerNodeConfig
    setup: Case

    @property
    def name(self) -> str:
        return f"{self.bundle}, {self.planner}, {self.case}"

    def effective(self) -> dict[str, Any]:
        """The configuration that is in force, the bundle's aside."""
        return {
            "planner": asdict(self.settings),
            "controller": asdict(self.controller),
            "case": asdict(self.setup),
        }

    @functools.cached_property
    def ids(self) -> dict[str, str]:
        """Names and digests that tell this cell from others, and from itself with another bundle or configuration."""
        text = results.to_json(self.effective(), indent=None)
        return {
            "bundle": self.bundle,
            "planner": self.planner,
            "case": self.case,
            "bundle_sha256": sha256(self.folder / SPEC_NAME),
            "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        }

    @contextmanager
    def opened(self) -> Iterator[Evaluator]:
        """The closed loop, as long as this is open. Raises WmError where the parts do not go together."""
        bundle, s = Bundle.load(self.folder), self.settings
        with ExitStack() as stack:
            encoder = stack.enter_context(closing(WorldModel(bundle, s.backend, s.threads, parts=("encoder",))))
            imagined = imagination.load(bundle, s.backend, s.threads, s.memory_mb, s.axes)
            stack.callback(imagined.close)
            planner = Planner(imagined, s.limits, s)
            hand_yaw_rad = s.axes.yaw_rad if s.axes.turned_hand else 0.0
            evaluator = Evaluator(encoder, planner, self.controller, self.setup, hand_yaw_rad)
            yield stack.enter_context(closing(evaluator))
