"""From 7-D actions and states in SI units to the numbers of a model, see :mod:`wm_models.action_map`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..action_map import ActionMap, ProprioMap


class ActionAdapter(nn.Module):
    """Action (..., 7) in SI units to the model's action (..., A), A = ``ActionMap.size``: the z-scored block.

    Sub-actions follow one another, each with all of its dimensions. All of it is computed in float32, whatever the
    precision of the module that it is part of: rounded to bfloat16, half a metre would be 2 mm off.
    """

    index: Tensor
    centre: Tensor
    width: Tensor

    def __init__(self, actions: ActionMap) -> None:
        super().__init__()
        share, repeat = actions.frameskip, actions.frameskip
        # a / f - mean, over std, as one subtraction and one division. Not by a torch factory function: a module that
        # is built on the meta device has these numbers all the same.
        columns = {
            "index": np.tile(np.asarray(actions.dims, np.int64), repeat),
            "centre": np.tile(np.asarray(actions.mean) * share, repeat).astype(np.float32),
            "width": np.tile(np.asarray(actions.std) * share, repeat).astype(np.float32),
        }
        for name, column in columns.items():
            self.register_buffer(name, torch.from_numpy(column), persistent=False)

    def forward(self, actions: Tensor) -> Tensor:
        return (actions.float().index_select(-1, self.index) - self.centre) / self.width

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Go to another device, but keep the numbers and their types."""
        kept = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, column in kept.items():
            moved = self._buffers[name]
            assert column is not None and moved is not None
            self._buffers[name] = column.to(moved.device)
        return self


class ProprioAdapter(ActionAdapter):
    """State (..., 7) in SI units to the model's z-scored state (..., P), P = ``ProprioMap.size``."""

    def __init__(self, proprio: ProprioMap) -> None:
        super().__init__(ActionMap(proprio.dims, 1, proprio.mean, proprio.std))
