from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from wm_core.errors import BundleError
from wm_models.backends import BackendError, load_backend

openvino = pytest.importorskip("openvino", reason="openvino is not installed: pip install -e '.[openvino]'")


@pytest.fixture
def predictor(graphs):
    backend = load_backend("openvino", graphs["predictor.onnx"])
    yield backend
    backend.close()


def test_agrees_with_onnx_runtime_at_every_batch(predictor, graphs, inputs):
    reference = load_backend("onnxruntime", graphs["predictor.onnx"])
    for n in (1, 5, 300, 2):
        np.testing.assert_allclose(
            predictor.infer(inputs(n))["next_latent"], reference.infer(inputs(n))["next_latent"], atol=1e-5
        )


def test_io_and_info(predictor, graphs):
    assert predictor.io == load_backend("onnxruntime", graphs["predictor.onnx"]).io
    info = predictor.info()
    assert (info["backend"], info["device"], info["threads"]) == ("openvino", "cpu", 1)
    assert info["precision"] == "float32"  # not what the plugin likes best
    assert predictor.warmup(3)["next_latent"].shape == (3, 4, 3)


def test_threads_are_those_that_were_asked_for(graphs):
    assert load_backend("openvino", graphs["predictor.onnx"], threads=2).info()["threads"] == 2


def test_bfloat16_is_what_runs_or_is_refused(predictor, graphs, inputs):
    options = {"precision": "bfloat16"}
    try:  # a CPU that lists it must do it; some releases do it on others, too
        rounded = load_backend("openvino", graphs["predictor.onnx"], options=options)
    except BackendError as error:
        assert "set precision: float32" in str(error)
        assert "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return
    assert rounded.info()["precision"] == "bfloat16"
    assert rounded.io == predictor.io
    error = np.abs(rounded.infer(inputs())["next_latent"] - predictor.infer(inputs())["next_latent"]).max()
    assert 1e-4 < error < 0.1  # it really rounds


def test_outputs_are_the_callers_own(predictor, inputs):
    first = predictor.infer(inputs())["next_latent"]
    kept = first.copy()
    predictor.infer({name: 2 * array for name, array in inputs().items()})
    np.testing.assert_array_equal(first, kept)


def test_inputs_may_be_views_and_are_not_changed(predictor, inputs):
    wide = {name: np.repeat(array, 2, axis=-1) for name, array in inputs().items()}
    views = {name: array[..., ::2] for name, array in wide.items()}
    np.testing.assert_array_equal(predictor.infer(views)["next_latent"], predictor.infer(inputs())["next_latent"])


def test_can_be_called_from_several_threads(predictor, inputs):
    wanted = {n: predictor.infer(inputs(n))["next_latent"] for n in range(1, 9)}
    batches = list(wanted) * 4
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda n: predictor.infer(inputs(n))["next_latent"], batches)
        for n, out in zip(batches, found, strict=True):
            np.testing.assert_array_equal(out, wanted[n])


def test_a_failure_while_it_runs(predictor, inputs, monkeypatch):
    class Broken:
        def infer(self, *args, **kwargs):
            raise RuntimeError("Exception from\n src/inference.cpp")

    monkeypatch.setattr(predictor, "_request", Broken())
    with pytest.raises(BackendError, match=r"OpenVINO failed: Exception from src/inference.cpp"):
        predictor.infer(inputs())


@pytest.mark.parametrize(
    ("dtype", "runs"), [(onnx.TensorProto.FLOAT16, "float32"), (onnx.TensorProto.BFLOAT16, "bfloat16")]
)
def test_reports_what_it_makes_of_a_graph_of_low_precision(in_precision, weight, dtype, runs):
    backend = load_backend("openvino", in_precision(dtype))
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert backend.info()["precision"] == runs
    assert backend.io.inputs["x"].dtype == backend.io.outputs["y"].dtype == "float32"
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    assert 0.0 < np.abs(backend.infer({"x": x})["y"] - x @ weight).max() < 0.1  # its weights are rounded


def test_a_closed_back_end_says_so(predictor, inputs):
    predictor.close()
    predictor.close()
    with pytest.raises(BackendError, match="openvino back end is closed"):
        predictor.infer(inputs())


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_truncated_graph(graphs, tmp_path, part):
    data = graphs["predictor.onnx"].read_bytes()
    (tmp_path / "predictor.onnx").write_bytes(data[: int(part * len(data))])
    with pytest.raises(BundleError, match=r"predictor.onnx cannot be read as an ONNX model") as error:
        load_backend("openvino", tmp_path / "predictor.onnx")
    assert "\n" not in str(error.value)


def test_missing_graph(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        load_backend("openvino", tmp_path / "encoder.onnx")
