"""Published checkpoints, one reader per family of models: from an upstream file to all that a bundle needs.

Each reader module has ``read(path, **options) ->`` :class:`Imported`; sources.py says where its files come from.
Nothing is downloaded and nothing pickled is run; large files are mapped into memory, never copied. torch is imported
only when a reader is.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wm_core import install
from wm_core.errors import BundleError, ConfigError
from wm_core.names import unknown

from ..bundle import ActionSpec, PreprocessSpec
from .sources import SOURCES

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Name of a reader -> module, imported only when it is asked for.
READERS = {
    "vjepa2_ac": "wm_models.checkpoints.vjepa2_ac",
    "lewm": "wm_models.checkpoints.lewm",
    "dino_wm": "wm_models.checkpoints.dino_wm",
}

#: How many keys of a kind an error names before it only counts.
_NAMED = 5


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


def source(name: str) -> str:
    """Where the files of a reader come from, and their licence. Raises BundleError if it is not known."""
    _refuse_unknown(name)
    return SOURCES[name]


def reader(name: str) -> ModuleType:
    """The module that reads a family of checkpoints. Raises BundleError if it is not known or PyTorch is missing."""
    _refuse_unknown(name)
    try:
        return importlib.import_module(READERS[name])
    except ImportError as error:
        raise BundleError(f"reading a checkpoint needs PyTorch ({error}): {install.extra('train')}") from None


def _refuse_unknown(name: str) -> None:
    if name not in READERS:
        raise BundleError(unknown("checkpoint reader", name, READERS))


def read(name: str, path: str | Path, options: Mapping[str, Any] | None = None) -> Imported:
    """Read the file ``path`` with the reader ``name``; ``options`` say what the file does not, see each ``read``.

    Raises ConfigError on an option that the reader does not have, BundleError on a file that it cannot use.
    """
    module, options = reader(name), dict(options or {})
    known = list(inspect.signature(module.read).parameters)[1:]
    for option in options:
        if option not in known:
            raise ConfigError(unknown(f"option of {name} by the name", option, known))
    return module.read(path, **options)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The mapping that a ``torch.save`` file holds. Tensors stay in the file, on the CPU, until they are used.

    Raises BundleError if the file is missing, cut short, no checkpoint, or holds pickled code instead of plain tensors.
    """
    import pickle

    import torch

    path = Path(path)
    if not path.is_file():
        raise BundleError(f"there is no checkpoint at {path}; download it first and give the path of the file")
    try:
        try:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap can only be used" not in str(error):
                raise
            found = torch.load(path, map_location="cpu", weights_only=True)  # written by PyTorch before 1.6
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error) or "global" not in str(error).lower():
            raise BundleError(f"{path} is not a PyTorch checkpoint, or a damaged one; download it again") from None
        raise BundleError(
            f"{path} holds pickled Python objects, not only tensors, and running them is not safe; "
            "convert it to a state dict where you trust it"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise BundleError(f"{path} is cut short or not a PyTorch checkpoint ({reason}); download it again") from None
    if not isinstance(found, Mapping):
        raise BundleError(f"{path} holds a {type(found).__name__}, not names and tensors; give another file")
    return dict(found)


def entry(checkpoint: Mapping[str, Any], name: str, path: str | Path) -> dict[str, Tensor]:
    """One state dict of a training dict. Raises BundleError if it is not there or holds something else than tensors."""
    import torch

    state = checkpoint.get(name)
    if not isinstance(state, Mapping):
        present = ", ".join(sorted(map(str, checkpoint))[:_NAMED]) or "nothing"
        raise BundleError(f"{path} has no state dict '{name}' (it has: {present}); give another checkpoint")
    strange = [key for key, value in state.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise BundleError(f"{path}: '{name}' holds more than tensors ({_some(strange)}); give another checkpoint")
    return {str(key): value for key, value in state.items()}


def strip(state: Mapping[str, Tensor], prefixes: Iterable[str]) -> dict[str, Tensor]:
    """The state dict without the prefixes, such as ``module.``, that wrappers put before each key, nested or not.

    Raises BundleError where two keys become one.
    """
    some = tuple(prefixes)
    out: dict[str, Tensor] = {}
    for key, value in state.items():
        while prefix := next((p for p in some if key.startswith(p)), None):
            key = key.removeprefix(prefix)
        if key in out:
            raise BundleError(f"the checkpoint has '{key}' twice, under different prefixes; give another checkpoint")
        out[key] = value
    return out


def fit(
    expected: nn.Module | Mapping[str, tuple[int, ...]],
    state: Mapping[str, Tensor],
    ignore: Iterable[str] = (),
    where: str = "the checkpoint",
) -> dict[str, Tensor]:
    """The weights of ``state`` that ``expected`` (a module, or name -> shape) asks for, all of them and in its order.

    Args:
        ignore: names that may be there and are left out.
        where: how an error names the state dict.

    Raises BundleError with all that is missing, unknown, of another shape, or not finite.
    """
    shapes: Mapping[str, tuple[int, ...]]
    if isinstance(expected, Mapping):
        shapes = expected
    else:
        shapes = {key: tuple(value.shape) for key, value in expected.state_dict().items()}
    common = [key for key in shapes if key in state]
    faults = {
        "missing": [key for key in shapes if key not in state],
        "unknown": [key for key in state if key not in shapes and key not in set(ignore)],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(shapes[key])}"
            for key in common
            if tuple(state[key].shape) != tuple(shapes[key])
        ],
        "not finite": [key for key in common if not _finite(state[key])],
    }
    if any(faults.values()):
        listed = "; ".join(f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in faults.items() if keys)
        raise BundleError(f"{where} does not fit the model ({listed}); give the checkpoint that it was written for")
    return {key: state[key] for key in shapes}


def _finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    low, high = tensor.aminmax()  # NaN goes through both; nothing of the tensor's size is allocated
    return bool(low.isfinite() and high.isfinite())


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
