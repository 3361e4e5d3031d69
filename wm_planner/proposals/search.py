"""The device search as a proposal: a whole search with the model's own predictor, as the start of the planner's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.limits import Limits
from wm_models import architectures
from wm_models.bundle import Bundle
from wm_models.search import Bounds, SearchConfig

from ..guardrails.step import max_step_m, max_turn_rad
from ..optimisers.base import Proposed
from ..path import flange_state
from .base import Proposal

Array = NDArray[np.float64]


class SearchProposal(Proposal):
    """Runs :class:`wm_models.search.device.DeviceSearch` on ``predictor.safetensors`` of a bundle.

    Its mean, then its elites, are the first candidates of the planner's own search, which projects, checks and scores
    them, and begins with its mean and standard deviation. The limits are given to the search only so that it looks
    where the planner may go. The actions are in the bundle's pose frame, as those of ``OnnxProposal`` are.

    Raises BundleError where the bundle has no such weights or PyTorch is not installed, BackendError where the device
    cannot be had.
    """

    def __init__(self, bundle: Bundle, config: SearchConfig, limits: Limits, threads: int = 1) -> None:
        predictor = architectures.load(bundle, "predictor")
        from wm_models.search.device import DeviceSearch

        self._config, self._flange = config, bundle.spec.pose_frame == "flange"
        period_s = bundle.spec.step_period_s
        longest_m, largest_rad = max_step_m(limits, period_s), max_turn_rad(limits, period_s)
        bounds = Bounds(limits.box_min_m, limits.box_max_m, longest_m, largest_rad)
        self._search = DeviceSearch(predictor, bundle.spec, config, bounds, threads)
        self._search.warmup()
        self.reset()

    def reset(self) -> None:
        """Forget the last result, so that the next search starts anew."""
        self._last: tuple[NDArray[Any], Array] | None = None

    def propose(self, latent: NDArray[Any], goal: NDArray[Any], state: Array) -> Proposed:
        """See :class:`Proposal`. Proposes nothing where the model returned no finite energy.

        Raises ValueError and BackendError as :meth:`DeviceSearch.plan` does.
        """
        start = None
        if self._config.warm_std > 0.0 and self._last is not None and np.array_equal(self._last[0], goal):
            start = self._last[1]
        self._last = None
        model_state = flange_state(state) if self._flange else state
        found = self._search.plan(latent, goal, model_state, mean=start, position=state[:3])
        if not len(found.elites):
            return Proposed()
        self._last = goal.copy(), np.concatenate([found.mean[1:], found.mean[-1:]])
        return Proposed(np.concatenate([found.mean[None], found.elites]), found.mean, found.std)

    def info(self) -> dict[str, object]:
        """What runs the search."""
        return self._search.info()

    def close(self) -> None:
        """Free the search."""
        self._search.close()
