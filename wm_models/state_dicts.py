"""What the files of PyTorch hold, and whether it fits a model.

Nothing pickled is run; large files are mapped into memory, never copied. torch is imported only once a file is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_core.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor, nn

#: How many keys of a kind an error names before it only counts.
_NAMED = 5


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


def size(state: Mapping[str, Tensor], key: str, axis: int, official: int) -> int:
    """One size of a weight; the official one where the weight is missing, so that :func:`fit` can list what else is."""
    return state[key].shape[axis] if key in state and state[key].ndim > axis else official


def depth(state: Mapping[str, Tensor], blocks: str, official: int) -> int:
    """How many blocks there are whose names begin so; the official number where there are none."""
    numbers = [int(found[1]) for key in state if (found := re.match(rf"{re.escape(blocks)}\.(\d+)\.", key))]
    return max(numbers, default=official - 1) + 1


def shapes_of(build: Callable[[Any], nn.Module], sizes: Any) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the weights of a part, which is built without memory for them."""
    import torch

    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build(sizes).state_dict().items()}


def _finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    low, high = tensor.aminmax()  # NaN goes through both; nothing of the tensor's size is allocated
    return bool(low.isfinite() and high.isfinite())


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
