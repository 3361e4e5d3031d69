"""The parts of a bundle: what goes into each, and what comes out. Everything that asks reads it here.

A part is the graph ``<part>.onnx`` or the weights ``<part>.safetensors`` of a bundle. All inputs and outputs are
float32, in SI units and the conventions of :mod:`wm_core.pose`; images are normalised as the bundle says.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wm_core.errors import BundleError
from wm_core.names import unknown
from wm_core.pose import STATE_DIM

if TYPE_CHECKING:
    from torch import nn

    from .backends import Backend
    from .bundle import BundleSpec

#: A number, or a name: T tokens, C channels, h and w of the encoder's image are the bundle's; B (batch), K (frames of a
#: window), H (steps of a plan) and L (levels of the gripper) are free.
Dim = int | str
Shape = tuple[Dim, ...]
Sizes = tuple[int | None, ...]

#: A part with this before its name prices a latent, see :meth:`wm_models.imagination.Imagination.price`.
TERM = "term_"


@dataclass(frozen=True)
class Form:
    """Inputs and outputs by name, in the order in which a module takes and gives them.

    ``optional``: inputs that a model may not look at, and outputs that it need not give, the last ones first.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    optional: frozenset[str] = frozenset()

    @property
    def windowed(self) -> bool:
        """Whether it looks back on a window of frames."""
        return any("K" in shape for shape in self.inputs.values())


@dataclass(frozen=True)
class Part:
    """What a part may look like.

    ``needed``: every bundle has it. ``single``: it is asked one at a time, so that a batch fixed at one will do.
    """

    forms: tuple[Form, ...]
    needed: bool = False
    single: bool = False

    def form(self, names: Collection[str]) -> Form:
        """The form with inputs of these names; the first one if there is no such."""
        return next((form for form in self.forms if next(iter(form.inputs)) in names), self.forms[0])


LATENT: Shape = ("B", "T", "C")
STATE: Shape = ("B", STATE_DIM)

PARTS = {
    "encoder": Part((Form({"image": ("B", 3, "h", "w")}, {"latent": LATENT}),), needed=True),
    # What follows one frame, or the last one of a window of K = 1..history frames, in which action k leaves frame k.
    "predictor": Part(
        (
            Form(
                {"latent": LATENT, "state": STATE, "action": STATE},
                {"next_latent": LATENT, "next_state": STATE},
                frozenset({"next_state"}),
            ),
            Form(
                {
                    "latents": ("B", "K", "T", "C"),
                    "states": ("B", "K", STATE_DIM),
                    "actions": ("B", "K", STATE_DIM),
                },
                {"next_latent": LATENT, "next_state": STATE},
                frozenset({"states", "next_state"}),
            ),
        ),
        needed=True,
    ),
    # The first actions towards a goal, the logarithm of their standard deviations, and odds of the gripper's levels.
    "proposal": Part(
        (
            Form(
                {"latent": LATENT, "goal": LATENT, "state": STATE},
                {"action": ("B", "H", STATE_DIM), "log_std": ("B", "H", STATE_DIM), "gripper_odds": ("B", "H", "L")},
                frozenset({"gripper_odds"}),
            ),
        ),
        single=True,
    ),
    # A latent on the way.
    "subgoal": Part((Form({"latent": LATENT, "goal": LATENT}, {"subgoal": LATENT}),), single=True),
    # A picture of a latent, as the encoder's input.
    "decoder": Part((Form({"latent": LATENT}, {"image": ("B", 3, "h", "w")}),), single=True),
}
_TERM = Part((Form({"latent": LATENT, "goal": LATENT}, {"value": ("B",)}),))
NEEDED = tuple(name for name, part in PARTS.items() if part.needed)


def known(name: str) -> bool:
    """Whether there is such a part."""
    return name in PARTS or (name.startswith(TERM) and name != TERM)


def declared(name: str) -> Part:
    """The declaration of a part. Raises BundleError if there is no such part."""
    if not known(name):
        raise BundleError(unknown("part of a bundle", name, [*PARTS, f"{TERM}NAME"]))
    return PARTS.get(name, _TERM)


def of_files(names: Iterable[str]) -> list[str]:
    """The parts that files of these names are, those that every bundle has first."""
    found = {name.partition(".")[0] for name in names if name.endswith((".onnx", ".safetensors"))}
    return sorted(found, key=lambda name: (name not in NEEDED, name))


def form_of(name: str, module: nn.Module) -> Form:
    """The form that a module has, by the names of what it takes."""
    return declared(name).form(inspect.signature(module.forward).parameters)


def sized(shape: Shape, spec: BundleSpec) -> Sizes:
    """A shape with the bundle's own numbers, and None for what is free."""
    own = _own(spec)
    return tuple(dim if isinstance(dim, int) else own.get(dim) for dim in shape)


def filled(shape: Shape, spec: BundleSpec, batch: int, window: int = 1) -> tuple[int, ...]:
    """The shape of an input for a batch, and for a window of so many frames if it has one."""
    own = {"B": batch, "K": window, **_own(spec)}
    return tuple(dim if isinstance(dim, int) else own[dim] for dim in shape)


def _own(spec: BundleSpec) -> dict[str, int]:
    latent, image = spec.latent, spec.preprocess
    return {"T": latent.tokens, "C": latent.channels, "h": image.height, "w": image.width}


def check(backend: Backend, part: str, spec: BundleSpec, where: object) -> None:
    """Compare what runs a part with its declaration and the bundle; the outputs by running it once on zeros.

    ``where`` is what runs, for sentences. Raises BundleError where a name, a shape or a type is another, and what
    ``infer`` raises where it cannot run.
    """
    wanted_part, io, again = declared(part), backend.io, "; export the bundle again"
    form, batch = wanted_part.form(io.inputs), 1 if wanted_part.single else 2
    for kind, wanted, found in (("inputs", form.inputs, io.inputs), ("outputs", form.outputs, io.outputs)):
        names = {name for name in wanted if name in found or name not in form.optional}
        if names != found.keys():
            raise BundleError(f"{where} must have the {kind} {sorted(names)}, not {sorted(found)}{again}")
        for name, tensor in found.items():
            if tensor.dtype != "float32":
                raise BundleError(f"{where}: '{name}' must be float32, not {tensor.dtype}{again}")
    for name, tensor in io.inputs.items():
        shape = sized(form.inputs[name], spec)
        if not tensor.accepts(filled(form.inputs[name], spec, batch)):
            free = "" if wanted_part.single else " with a free batch"
            raise BundleError(f"{where}: '{name}' must have the shape {shape}{free}, not {tensor.shape}{again}")
    for name, array in backend.warmup(batch).items():
        shape = sized(form.outputs[name], spec)
        if len(array.shape) != len(shape) or any(
            size not in (None, found) for size, found in zip((batch, *shape[1:]), array.shape, strict=True)
        ):
            raise BundleError(f"{where}: '{name}' must have the shape {shape}, not {array.shape}{again}")
