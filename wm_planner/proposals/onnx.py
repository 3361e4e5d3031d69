"""A learned proposal from the model's bundle: a goal-conditioned inverse model as the start of the search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import BundleError
from wm_models.backends import load_part
from wm_models.bundle import Bundle

from ..optimisers.base import Proposed
from ..path import flange_state
from .base import Proposal

FILE = "proposal.onnx"


class OnnxProposal(Proposal):
    """Runs ``proposal.onnx``: ``latent``, ``goal`` (1, T, C), ``state`` (1, 7) -> ``action``, ``log_std`` (1, H, 7).

    Its action is the first candidate, and the search begins with its mean and standard deviation. The actions are in
    the bundle's pose frame; while the tool turns, those of a flange are only nearly those of the TCP, which is good
    enough for a start. Raises BundleError where the bundle has no such graph, BackendError where it cannot run.
    """

    def __init__(self, bundle: Bundle, backend: str = "onnxruntime", threads: int = 1) -> None:
        self._flange = bundle.spec.pose_frame == "flange"
        self._graph = load_part(backend, bundle, "proposal", threads=threads)
        for kind, wanted, found in (
            ("inputs", {"latent", "goal", "state"}, self._graph.io.inputs.keys()),
            ("outputs", {"action", "log_std"}, self._graph.io.outputs.keys()),
        ):
            if wanted != found:
                self._graph.close()
                raise BundleError(
                    f"{bundle.path / FILE} must have the {kind} {sorted(wanted)}, not {sorted(found)}; export it again"
                )

    def propose(self, latent: NDArray[Any], goal: NDArray[Any], state: NDArray[np.float64]) -> Proposed:
        """See :class:`Proposal`. Raises ValueError where the graph's answer has another shape or is not finite."""
        out = self._graph.infer(
            {
                "latent": np.ascontiguousarray(latent[None], dtype=np.float32),
                "goal": np.ascontiguousarray(goal[None], dtype=np.float32),
                "state": (flange_state(state) if self._flange else state)[None].astype(np.float32),
            }
        )
        action, log_std = (out[name].astype(np.float64) for name in ("action", "log_std"))
        return Proposed(candidates=action, mean=action[0], std=np.exp(np.minimum(log_std[0], 0.0)))

    def close(self) -> None:
        """Free the back end."""
        self._graph.close()
