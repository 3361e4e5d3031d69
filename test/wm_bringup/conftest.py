"""A tiny but real bundle, and goal pictures of the real expert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from wm_models.bundle import ActionSpec, BundleSpec, LatentSpec, PreprocessSpec, write_bundle
from wm_sim.expert import record_goals

SIZE, CHANNELS = 32, 48


def save_graph(path: Path, nodes: list, inputs: dict, outputs: dict, constants: dict[str, np.ndarray]) -> Path:
    def values(of: dict) -> list:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *s]) for n, s in of.items()]

    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tiny", values(inputs), values(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def save_tiny_bundle(folder: Path) -> Path:
    """The encoder averages 8x8 patches; the predictor adds a fixed random effect of the action."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = save_graph(
        folder / "encoder.onnx",
        [
            helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Reshape", ["pooled", "shape"], ["latent"]),
        ],
        {"image": [3, SIZE, SIZE]},
        {"latent": [1, CHANNELS]},
        {"shape": np.array([-1, 1, CHANNELS], dtype=np.int64)},
    )
    effect = np.random.default_rng(0).normal(size=(7, CHANNELS)).astype(np.float32)
    predictor = save_graph(
        folder / "predictor.onnx",
        [
            helper.make_node("MatMul", ["action", "effect"], ["moved"]),
            helper.make_node("Reshape", ["moved", "shape"], ["delta"]),
            helper.make_node("Add", ["latent", "delta"], ["next_latent"]),
        ],
        {"latent": [1, CHANNELS], "state": [7], "action": [7]},
        {"next_latent": [1, CHANNELS]},
        {"effect": effect, "shape": np.array([-1, 1, CHANNELS], dtype=np.int64)},
    )
    spec = BundleSpec(
        name="tiny",
        architecture="average-pool",
        licence="Apache-2.0",
        step_period_s=0.25,
        latent=LatentSpec(1, CHANNELS),
        preprocess=PreprocessSpec(SIZE, SIZE, min_aspect=1.0, max_aspect=1.0),
        action=ActionSpec((-0.05, -0.05, -0.05, 0, 0, 0, -0.75), (0.05, 0.05, 0.05, 0, 0, 0, 0.75), (-0.75, 0.0, 0.75)),
    )
    write_bundle(folder / "tiny", spec, {"encoder.onnx": encoder, "predictor.onnx": predictor}, "# Tiny\n")
    return folder / "tiny"


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def goal_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of the expert in scene 1."""
    folder = tmp_path_factory.mktemp("goals")
    record_goals(1, folder, goals=3)
    return folder


@pytest.fixture(scope="session")
def small_planner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration folder: a planner that suits the tiny bundle, which has no proposal."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "planner.yaml").write_text("optimiser: {samples: 64, iterations: 3, elites: 8}\nproposal: null\n")
    return folder
