"""The one shape of every checkpoint reader, and what several of them say of a model's actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_core import config as configuration
from wm_core.errors import BundleError

from ..action_map import ActionMap
from ..bundle import ActionSpec, PreprocessSpec

if TYPE_CHECKING:
    from torch import Tensor

#: Standard deviations around the mean within which the planner looks for actions.
_SPREAD = 2.0


@dataclass(frozen=True)
class Reader:
    """A family of checkpoints.

    ``source`` says where its files come from and under which licences, ``options`` is the frozen dataclass of what a
    file does not say, and ``read(path, options)`` reads one. It imports torch, and its architecture, only when called,
    so that the source can be told on a machine without PyTorch. It raises BundleError on a file that is missing,
    damaged or, with a list, of another model, and ConfigError on options that make no sense.
    """

    source: str
    options: type[Any]
    read: Callable[[str | Path, Any], Imported]


@dataclass(frozen=True)
class ActionOptions:
    """What no file of a model trained on z-scored actions says of them.

    ``action_dims``: which of the 7-D action the model's are, in its order; None: all seven. ``action_mean`` and
    ``action_std``: of one of its actions over the training data, a number for each of them, in m, rad and gripper
    closedness. ``step_period_s``: robot time of one step; the default is 5 actions at the 10 Hz of Push-T.
    ``action_low`` and ``action_high``: range (7,) of one step's action in which to plan; None: two standard deviations
    about the mean, and 0 where the model knows nothing. ``pose_frame``: what the actions move, ``tcp`` or ``flange``.
    """

    action_dims: tuple[int, ...] | None = None
    action_mean: tuple[float, ...] | None = None
    action_std: tuple[float, ...] | None = None
    action_low: tuple[float, ...] | None = None
    action_high: tuple[float, ...] | None = None
    step_period_s: float = 0.5
    pose_frame: str = "tcp"


@dataclass(frozen=True)
class Imported:
    """A checkpoint as this package sees it: what a bundle says of the model, and its weights.

    ``config`` is the ``Config`` of ``wm_models.architectures.<architecture>``. ``parts`` holds, for each part that the
    architecture builds ("encoder", "predictor"), a state dict that loads strictly into it; its tensors may lie in a
    mapped file, so write one part at a time. The other fields are those of :class:`wm_models.bundle.BundleSpec`.
    ``notes`` is a paragraph for the model card: what is inferred about these weights, and what to mind.
    """

    architecture: str
    config: Any
    parts: dict[str, dict[str, Tensor]]
    preprocess: PreprocessSpec
    step_period_s: float
    action: ActionSpec
    pose_frame: str
    energy: str
    history: int
    licence: str
    planner: str = ""
    notes: str = ""


def action_map(
    wanted: int,
    dims: Sequence[int] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    frameskip: int,
    where: str | Path,
) -> ActionMap:
    """The map of a model that takes ``wanted`` numbers for one step. Raises BundleError where that does not add up."""
    dims = list(range(len(ActionMap().dims))) if dims is None else dims
    if mean is None or std is None:
        raise BundleError(
            f"{where} does not say how its actions were z-scored; give the options action_mean and action_std, one "
            "number for each of action_dims, in m, rad and gripper closedness"
        )
    values = {"dims": dims, "frameskip": frameskip, "mean": mean, "std": std}
    found = configuration.from_dict(ActionMap, values, "the options of the actions")
    if found.size != wanted:
        raise BundleError(
            f"{where} takes {wanted} numbers for one action, not frameskip x dims = {frameskip} x {len(found.dims)}; "
            "give the options action_dims and frameskip that it was trained with"
        )
    return found


def action_range(actions: ActionMap, low: Sequence[float] | None, high: Sequence[float] | None) -> ActionSpec:
    """The given range, or what lies two standard deviations about the mean; standing still is always within."""
    least, most = [0.0] * 7, [0.0] * 7
    for d, mean, std in zip(actions.dims, actions.mean, actions.std, strict=True):
        least[d] = min(0.0, actions.frameskip * (mean - _SPREAD * std))
        most[d] = max(0.0, actions.frameskip * (mean + _SPREAD * std))
    values = {"low": least if low is None else low, "high": most if high is None else high}
    return configuration.from_dict(ActionSpec, values, "the action range (options action_low and action_high)")


def action_notes(actions: ActionMap) -> str:
    """A sentence for the model card."""
    share = f"{actions.frameskip} equal shares of one action" if actions.frameskip > 1 else "one action"
    return f"A step is {share}, of which the model knows the dims {list(actions.dims)}; its z-scores are options."
