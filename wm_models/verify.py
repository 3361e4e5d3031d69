"""A back end against torch in float32, part by part, on random inputs. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from wm_core.errors import BundleError

from . import architectures
from .backends import load_part
from .bundle import Bundle
from .export import PRECISIONS, difference, example_inputs
from .parts import form_of, of_files


@dataclass(frozen=True)
class Verdict:
    """The largest relative difference of one part over several batches, and what its precision allows."""

    backend: str
    part: str
    precision: str
    difference: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the difference is a number within the tolerance."""
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        found = f"{self.difference:.1e} of {self.tolerance:.0e}  {'ok' if self.ok else 'DIFFERS'}"
        return f"{self.backend:32} {self.part:10} {self.precision:9} {found}"


def verify(bundle: Bundle, backend: str, batches: tuple[int, ...] = (1, 7)) -> Iterator[Verdict]:
    """Compare each part that has weights.

    Raises BundleError if none has any, and what :func:`wm_models.backends.load_part` raises.
    """
    if not any(name.endswith(".safetensors") for name in bundle.spec.files):
        raise BundleError(f"{bundle.path} holds no weights to compare with, only graphs; import its checkpoint again")
    for part in of_files(name for name in bundle.spec.files if name.endswith(".safetensors")):
        module = architectures.load(bundle, part)
        runner = load_part(backend, bundle, part)
        try:
            worst, computed = 0.0, str(runner.info()["precision"])
            # Weights that were rounded stay so, however exactly they are computed with.
            kinds = [kind.strip() for kind in (bundle.spec.precision, *computed.split(","))]
            tolerance = max(PRECISIONS.get(kind, PRECISIONS["bfloat16"])[1] for kind in kinds)
            form = form_of(part, module)
            windows = range(1, bundle.spec.history + 1) if form.windowed else (1,)
            for batch in batches:
                for window in windows:
                    inputs = example_inputs(form, bundle.spec, batch, window)
                    with torch.no_grad():
                        expected = module(*inputs.values())
                    wanted = runner.io.inputs
                    found = runner.infer({key: value.numpy() for key, value in inputs.items() if key in wanted})
                    targets = expected if isinstance(expected, tuple) else (expected,)
                    for array, target in zip(found.values(), targets, strict=True):
                        worst = max(worst, difference(array, target.numpy()))
            yield Verdict(backend, part, computed, worst, tolerance)
        finally:
            runner.close()
