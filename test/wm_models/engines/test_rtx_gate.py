"""Graphs parse and build with TensorRT-RTX, which needs no GPU. It says nothing about numbers or speed."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from wm_core.errors import BundleError, ConfigError
from wm_models.backends import BackendUnavailableError
from wm_models.engines.rtx import check_build

SHIPPED = Path(__file__).parents[3] / "models" / "panda_pick_place"


@pytest.fixture
def rtx():
    return pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed: pip install tensorrt-rtx")


@pytest.mark.parametrize("part", ["encoder", "predictor", "proposal"])
def test_the_shipped_graphs_build(rtx, part):
    found = check_build(SHIPPED / f"{part}.onnx")
    assert found["precision"] == "float32"
    assert found["version"] == rtx.__version__
    assert found["compute_capability"] == "8.9"
    assert found["engine_bytes"] > 100_000
    assert found["seconds"] < 60.0


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(TensorProto.FLOAT, "float32"), (TensorProto.FLOAT16, "float16"), (TensorProto.BFLOAT16, "bfloat16")],
)
def test_precision_is_that_of_the_graph(rtx, in_precision, dtype, name):
    assert check_build(in_precision(dtype), max_batch=4)["precision"] == name


def test_a_window_of_frames_builds(rtx, tmp_path):
    ends = [
        helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["batch", "window", 4, 3]),
        helper.make_tensor_value_info("next_latent", TensorProto.FLOAT, ["batch", 4, 3]),
    ]
    nodes = [helper.make_node("ReduceMean", ["latents", "axis"], ["next_latent"], keepdims=0)]
    save(tmp_path / "predictor.onnx", nodes, ends, [helper.make_tensor("axis", TensorProto.INT64, [1], [1])])
    assert check_build(tmp_path / "predictor.onnx", max_batch=4, max_window=3)["engine_bytes"] > 0


def test_a_graph_with_weights_in_another_file_builds(rtx, graphs, tmp_path):
    model = onnx.load(graphs["predictor.onnx"])
    onnx.save_model(
        model, tmp_path / "predictor.onnx", save_as_external_data=True, location="predictor.onnx.data", size_threshold=0
    )
    assert check_build(tmp_path / "predictor.onnx", max_batch=4)["engine_bytes"] > 0
    (tmp_path / "predictor.onnx.data").unlink()
    with pytest.raises(BundleError, match="cannot parse"):
        check_build(tmp_path / "predictor.onnx", max_batch=4)


def test_a_broken_graph_is_refused_with_the_parsers_reason(rtx, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    data = (SHIPPED / "encoder.onnx").read_bytes()
    (tmp_path / "encoder.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match=r"tensorrt_rtx cannot parse .*Failed to parse the ONNX model") as error:
        check_build(tmp_path / "encoder.onnx")
    assert "\n" not in str(error.value)
    with pytest.raises(BundleError, match="cannot parse"):
        check_build(tmp_path / "missing.onnx")


def test_an_unknown_operator_is_named(rtx, tmp_path):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("state", "y")]
    save(tmp_path / "odd.onnx", [helper.make_node("Oddness", ["state"], ["y"], domain="lab")], ends, [])
    with pytest.raises(BundleError, match="Oddness"):
        check_build(tmp_path / "odd.onnx")


def test_ends_must_be_float32(rtx, tmp_path):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, ["batch", 4]) for name in ("state", "y")]
    save(tmp_path / "half.onnx", [helper.make_node("Relu", ["state"], ["y"])], ends, [])
    with pytest.raises(BundleError, match="'state' must be float32, not float16"):
        check_build(tmp_path / "half.onnx")


def test_unknown_compute_capability(rtx):
    with pytest.raises(ConfigError, match=r"capabilities .*8\.9.*, not 5\.0"):
        check_build(SHIPPED / "encoder.onnx", compute_capability="5.0")


def test_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(BackendUnavailableError, match="pip install --upgrade tensorrt-rtx"):
        check_build(SHIPPED / "encoder.onnx")


def test_the_window_comes_from_the_bundle_beside_the_graph(rtx, tmp_path):
    shutil.copy(SHIPPED / "encoder.onnx", tmp_path)
    (tmp_path / "bundle.yaml").write_text("nonsense: 1")
    with pytest.raises(ConfigError, match="nonsense"):
        check_build(tmp_path / "encoder.onnx")


def save(path: Path, nodes: list, ends: list, constants: list) -> None:
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("lab", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
