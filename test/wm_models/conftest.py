"""A tiny world model as real ONNX graphs: the encoder averages 4x4 patches, the predictor is linear in the action."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wm_models.bundle import ActionSpec, Bundle, BundleSpec, LatentSpec, PreprocessSpec, write_bundle

TOKENS, CHANNELS = 4, 3
#: What one unit of each action adds to the latent, (7, T * C).
EFFECT = np.random.default_rng(0).normal(size=(7, TOKENS * CHANNELS)).astype(np.float32)


def _value(name: str, shape: list[int | str], dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def _save(path: Path, nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> Path:
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def save_encoder(path: Path, size: int = 8, batch: int | str = "batch") -> Path:
    """Average pooling of (B, 3, size, size) in 4x4 patches: (B, T, C) with T row-major."""
    tokens = (size // 4) ** 2
    nodes = [
        helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Reshape", ["pooled", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["latent"], perm=[0, 2, 1]),
    ]
    return _save(
        path,
        nodes,
        [_value("image", [batch, 3, size, size])],
        [_value("latent", [batch, tokens, CHANNELS])],
        {"flat": np.array([-1, 3, tokens], dtype=np.int64)},
    )


def save_predictor(path: Path, *, with_state: bool = False, batch: int | str = "batch", effect=EFFECT) -> Path:
    """next_latent = latent + action @ EFFECT; with_state: next_state = state + 2 action, unlike any integration."""
    nodes = [
        helper.make_node("MatMul", ["action", "effect"], ["moved"]),
        helper.make_node("Reshape", ["moved", "shape"], ["delta"]),
        helper.make_node("Add", ["latent", "delta"], ["next_latent"]),
    ]
    outputs = [_value("next_latent", [batch, TOKENS, CHANNELS])]
    if with_state:
        nodes += [
            helper.make_node("Add", ["action", "action"], ["twice"]),
            helper.make_node("Add", ["state", "twice"], ["next_state"]),
        ]
        outputs.append(_value("next_state", [batch, 7]))
    inputs = [_value("latent", [batch, TOKENS, CHANNELS]), _value("state", [batch, 7]), _value("action", [batch, 7])]
    shape = np.array([-1, TOKENS, CHANNELS], dtype=np.int64)
    return _save(path, nodes, inputs, outputs, {"effect": effect, "shape": shape})


def save_window_predictor(path: Path) -> Path:
    """next_latent = mean of the window's latents + the last action @ EFFECT; it takes no states."""
    nodes = [
        helper.make_node("ReduceMean", ["latents", "frames"], ["mean"], keepdims=0),
        helper.make_node("Gather", ["actions", "last"], ["action"], axis=1),
        helper.make_node("MatMul", ["action", "effect"], ["moved"]),
        helper.make_node("Reshape", ["moved", "shape"], ["delta"]),
        helper.make_node("Add", ["mean", "delta"], ["next_latent"]),
    ]
    inputs = [_value("latents", ["batch", "window", TOKENS, CHANNELS]), _value("actions", ["batch", "window", 7])]
    constants = {
        "effect": EFFECT,
        "shape": np.array([-1, TOKENS, CHANNELS], dtype=np.int64),
        "frames": np.array([1], dtype=np.int64),
        "last": np.array(-1, dtype=np.int64),
    }
    return _save(path, nodes, inputs, [_value("next_latent", ["batch", TOKENS, CHANNELS])], constants)


def make_spec(**changes) -> BundleSpec:
    values = {
        "name": "tiny",
        "architecture": "average-pool",
        "licence": "Apache-2.0",
        "step_period_s": 0.25,
        "latent": LatentSpec(TOKENS, CHANNELS),
        "preprocess": PreprocessSpec(8, 8, min_aspect=1.0, max_aspect=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        "action": ActionSpec((-0.05,) * 6 + (-0.75,), (0.05,) * 6 + (0.75,), (-0.75, 0.0, 0.75)),
    }
    return BundleSpec(**(values | changes))


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The graph files by their name in a bundle."""
    folder = tmp_path_factory.mktemp("graphs")
    return {
        "encoder.onnx": save_encoder(folder / "encoder.onnx"),
        "predictor.onnx": save_predictor(folder / "predictor.onnx"),
    }


@pytest.fixture
def bundle(tmp_path: Path, graphs: dict[str, Path]) -> Bundle:
    """A whole bundle in a folder of its own, which a test may damage."""
    return write_bundle(tmp_path / "tiny", make_spec(), graphs, "# Tiny\n")


@pytest.fixture
def make_bundle(tmp_path: Path, graphs: dict[str, Path]):
    """make_bundle(files by name that differ, **changes of the spec) -> Bundle."""

    def make(files: dict[str, Path] | None = None, **changes) -> Bundle:
        return write_bundle(tmp_path / "made", make_spec(**changes), graphs | (files or {}), "# Made\n")

    return make


@pytest.fixture
def save():
    """The savers above, for tests that need another graph."""
    return {"encoder": save_encoder, "predictor": save_predictor, "window": save_window_predictor}


@pytest.fixture
def spec_with():
    """make_spec above."""
    return make_spec


@pytest.fixture
def effect() -> np.ndarray:
    """EFFECT above."""
    return EFFECT


@pytest.fixture
def with_weights_in(graphs):
    """with_weights_in(path, location): a predictor at ``path`` whose weights lie in another file."""

    def save(path: Path, location: str) -> Path:
        (path.parent / location).parent.mkdir(exist_ok=True)
        onnx.save_model(
            onnx.load(graphs["predictor.onnx"]), path, save_as_external_data=True, location=location, size_threshold=0
        )
        return path

    return save


# --- for back ends ----------------------------------------------------------------------------------------------------
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
        return _save_product(tmp_path / f"{name}.onnx", nodes, [weight], ["batch", 8], {"precision": name})

    return make


@pytest.fixture
def fragile(tmp_path) -> Path:
    """A graph of x (batch, 8) that only runs with a batch of 3."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["columns"], perm=[1, 0]),
        helper.make_node("MatMul", ["columns", "three_rows"], ["y"]),
    ]
    rows = helper.make_tensor("three_rows", TensorProto.FLOAT, [3, 8], WEIGHT[:3].ravel())
    return _save_product(tmp_path / "fragile.onnx", nodes, [rows], [8, 8], {})


def _save_product(path: Path, nodes: list, constants: list, out: list, metadata: dict[str, str]) -> Path:
    ends = {"x": ["batch", 8], "y": out}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items())
    graph = helper.make_graph(nodes, path.stem, [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path
