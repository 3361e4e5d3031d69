"""Inputs for the tiny predictor, and two graphs that are awkward to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

WEIGHT = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)


@pytest.fixture
def inputs():
    """inputs(n) -> arrays of a batch of n for a predictor of latents (4, 3)."""

    def draw(n: int = 5) -> dict[str, np.ndarray]:
        shapes = {"latent": (n, 4, 3), "state": (n, 7), "action": (n, 7)}
        rng = np.random.default_rng(2)
        return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    return draw


@pytest.fixture
def weight() -> np.ndarray:
    """WEIGHT above."""
    return WEIGHT


@pytest.fixture
def in_precision(tmp_path):
    """in_precision(dtype) -> y = x @ WEIGHT, computed in ``dtype`` between float32 ends, as the exporter writes it."""

    def make(dtype: int) -> Path:
        nodes = [
            helper.make_node("Cast", ["x"], ["rounded"], to=dtype),
            helper.make_node("MatMul", ["rounded", "weight"], ["product"]),
            helper.make_node("Cast", ["product"], ["y"], to=TensorProto.FLOAT),
        ]
        name, raw = {
            TensorProto.FLOAT: ("float32", WEIGHT),
            TensorProto.FLOAT16: ("float16", WEIGHT.astype(np.float16)),
            TensorProto.BFLOAT16: ("bfloat16", (WEIGHT.view(np.uint32) >> 16).astype(np.uint16)),  # its upper half
        }[dtype]
        weight = helper.make_tensor("weight", dtype, WEIGHT.shape, raw.tobytes(), raw=True)
        return _save(tmp_path / f"{name}.onnx", nodes, [weight], ["batch", 8], {"precision": name})

    return make


@pytest.fixture
def fragile(tmp_path) -> Path:
    """A graph of x (batch, 8) that only runs with a batch of 3."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["columns"], perm=[1, 0]),
        helper.make_node("MatMul", ["columns", "three_rows"], ["y"]),
    ]
    rows = helper.make_tensor("three_rows", TensorProto.FLOAT, [3, 8], WEIGHT[:3].ravel())
    return _save(tmp_path / "fragile.onnx", nodes, [rows], [8, 8], {})


def _save(path: Path, nodes: list, constants: list, out: list, metadata: dict[str, str]) -> Path:
    ends = {"x": ["batch", 8], "y": out}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items())
    graph = helper.make_graph(nodes, path.stem, [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path
