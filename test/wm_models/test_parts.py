"""The declared parts of a bundle, and what is not one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from wm_core.errors import BundleError
from wm_models import parts
from wm_models.backends.base import ModelIo, TensorInfo


@dataclass
class Graph:
    """A back end of these shapes, by name; None is free."""

    inputs: dict[str, tuple[int | None, ...]]
    outputs: dict[str, tuple[int, ...]]
    dtype: str = "float32"

    @property
    def io(self) -> ModelIo:
        def infos(shapes):
            return {name: TensorInfo(shape, self.dtype) for name, shape in shapes.items()}

        return ModelIo(infos(self.inputs), infos(self.outputs))

    def warmup(self, batch: int) -> dict[str, np.ndarray]:
        return {name: np.zeros((batch, *shape[1:]), self.dtype) for name, shape in self.outputs.items()}


TWO = {"latent": (None, 4, 3), "goal": (None, 4, 3)}
ONE = {"latent": (1, 4, 3), "goal": (1, 4, 3), "state": (1, 7)}
STEPS = {"action": (1, 2, 7), "log_std": (1, 2, 7)}
WINDOW = {"latents": (None, None, 4, 3), "actions": (None, None, 7)}
NEXT = {"next_latent": (0, 4, 3)}


@pytest.mark.parametrize(
    ("part", "inputs", "outputs"),
    [
        ("encoder", {"image": (None, 3, 8, 8)}, {"latent": (0, 4, 3)}),
        ("predictor", {"latent": (None, 4, 3), "state": (None, 7), "action": (None, 7)}, NEXT),
        ("predictor", WINDOW, NEXT),
        ("predictor", WINDOW | {"states": (None, None, 7)}, NEXT | {"next_state": (0, 7)}),
        ("proposal", ONE, STEPS),
        ("proposal", ONE, STEPS | {"gripper_odds": (1, 2, 3)}),
        ("subgoal", TWO, {"subgoal": (0, 4, 3)}),
        ("decoder", {"latent": (None, 4, 3)}, {"image": (0, 3, 8, 8)}),
        ("term_critic", TWO, {"value": (0,)}),
    ],
)
def test_a_part_as_it_is_declared(spec_with, part, inputs, outputs) -> None:
    parts.check(Graph(inputs, outputs), part, spec_with(), part)


@pytest.mark.parametrize(
    ("part", "graph", "sentence"),
    [
        ("encoder", Graph({"picture": (None, 3, 8, 8)}, {"latent": (0, 4, 3)}), r"inputs \['image'\], not"),
        ("encoder", Graph({"image": (None, 3, 9, 8)}, {"latent": (0, 4, 3)}), r"'image' must have the shape"),
        ("encoder", Graph({"image": (None, 3, 8, 8)}, {"latent": (0, 4, 2)}), r"'latent' must have the shape"),
        ("encoder", Graph({"image": (None, 3, 8, 8)}, {"latent": (0, 4, 3)}, "float16"), "float32, not float16"),
        ("predictor", Graph({"latents": (None, 1, 4, 3)}, NEXT), r"inputs \['actions', 'latents'\]"),
        ("predictor", Graph(WINDOW | {"hidden": (None, 2)}, NEXT), "must have the inputs"),
        ("proposal", Graph(ONE, {"action": (1, 2, 7)}), r"outputs \['action', 'log_std'\]"),
        ("proposal", Graph(ONE, STEPS | {"log_std": (1, 2, 6)}), "'log_std' must have the shape"),
        ("term_critic", Graph({"latent": (1, 4, 3), "goal": (1, 4, 3)}, {"value": (0,)}), "with a free batch"),
        ("term_critic", Graph(TWO, {"value": (0, 1)}), "'value' must have the shape"),
        ("critic", Graph(TWO, {"value": (0,)}), "no part of a bundle 'critic'.*term_NAME"),
    ],
)
def test_another_part_is_refused(spec_with, part, graph, sentence) -> None:
    with pytest.raises(BundleError, match=sentence):
        parts.check(graph, part, spec_with(), "the graph")


def test_the_parts_of_files() -> None:
    names = ["term_b.onnx", "predictor.onnx", "encoder.safetensors", "encoder.onnx", "weights.bin", "planner.yaml"]
    assert parts.of_files(names) == ["encoder", "predictor", "term_b"]
    assert parts.NEEDED == ("encoder", "predictor")
