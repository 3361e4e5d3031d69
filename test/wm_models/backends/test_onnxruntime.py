from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from wm_core.errors import BundleError
from wm_models.backends import BackendError, load_backend


@pytest.fixture
def predictor(graphs):
    backend = load_backend("onnxruntime", graphs["predictor.onnx"])
    yield backend
    backend.close()


def test_runs_the_graph(predictor, effect, inputs):
    given = inputs()
    out = predictor.infer(given)
    assert out.keys() == {"next_latent"}
    np.testing.assert_allclose(
        out["next_latent"], given["latent"] + (given["action"] @ effect).reshape(5, 4, 3), atol=1e-5
    )


def test_io_and_info(predictor):
    assert predictor.io.inputs["latent"].shape == (None, 4, 3)
    assert predictor.io.outputs["next_latent"].dtype == "float32"
    info = predictor.info()
    assert info["backend"] == "onnxruntime"
    assert info["precision"] == "float32"
    assert info["threads"] == 1


def test_threads_do_not_change_the_result(predictor, graphs, inputs):
    two = load_backend("onnxruntime", graphs["predictor.onnx"], threads=2)
    assert two.info()["threads"] == 2
    np.testing.assert_array_equal(two.infer(inputs())["next_latent"], predictor.infer(inputs())["next_latent"])


def test_can_be_called_from_several_threads(predictor, inputs):
    wanted = predictor.infer(inputs())["next_latent"]
    with ThreadPoolExecutor(3) as pool:
        for out in pool.map(lambda _: predictor.infer(inputs())["next_latent"], range(30)):
            np.testing.assert_array_equal(out, wanted)


def test_warmup_fills_the_free_dimension(predictor):
    assert predictor.warmup(3)["next_latent"].shape == (3, 4, 3)


def test_wrong_inputs_are_refused_before_they_run(predictor, inputs):
    with pytest.raises(ValueError, match="needs the inputs"):
        predictor.infer({"latent": inputs()["latent"]})
    with pytest.raises(ValueError, match="needs the inputs"):
        predictor.infer(inputs() | {"extra": np.zeros(1, np.float32)})
    with pytest.raises(ValueError, match="'state' must be float32, not float64"):
        predictor.infer(inputs() | {"state": np.zeros((5, 7))})
    with pytest.raises(ValueError, match="'action' must have the shape"):
        predictor.infer(inputs() | {"action": np.zeros((5, 6), np.float32)})
    with pytest.raises(ValueError, match="'action' must have the shape"):
        predictor.infer(inputs() | {"action": np.zeros(7, np.float32)})
    with pytest.raises(ValueError, match=r"inputs of one batch, not \[3, 5\]"):
        predictor.infer(inputs() | {"action": np.zeros((3, 7), np.float32)})


def test_a_graph_that_fails_while_it_runs(fragile):
    backend = load_backend("onnxruntime", fragile)
    assert backend.warmup(3)["y"].shape == (8, 8)
    with pytest.raises(BackendError, match="ONNX Runtime failed") as error:
        backend.warmup(2)
    assert "\n" not in str(error.value)


def test_a_closed_back_end_says_so(predictor, inputs):
    predictor.close()
    predictor.close()
    with pytest.raises(BackendError, match="closed"):
        predictor.infer(inputs())


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["encoder.onnx", "predictor.onnx"])
def test_truncated_graph(graphs, tmp_path, name, part):
    data = graphs[name].read_bytes()
    (tmp_path / name).write_bytes(data[: int(part * len(data))])
    with pytest.raises(BundleError, match="cannot be read as an ONNX model") as error:
        load_backend("onnxruntime", tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "export it again" in str(error.value)
    assert "\n" not in str(error.value)


def test_file_that_is_no_graph(tmp_path):
    (tmp_path / "encoder.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BundleError, match="cannot be read"):
        load_backend("onnxruntime", tmp_path / "encoder.onnx")


def test_reports_the_precision_between_float32_inputs_and_outputs(in_precision, weight):
    backend = load_backend("onnxruntime", in_precision(onnx.TensorProto.FLOAT16))
    assert backend.io.inputs["x"].dtype == backend.io.outputs["y"].dtype == "float32"
    assert backend.info()["precision"] == "float16"
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    out = backend.infer({"x": x})["y"]
    assert 0.0 < np.abs(out - x @ weight).max() < 0.01  # it really rounds


def test_what_the_cpu_has_no_kernels_for_is_said(in_precision):
    with pytest.raises(BundleError, match="choose another back end, or export the bundle in float32"):
        load_backend("onnxruntime", in_precision(onnx.TensorProto.BFLOAT16))


def test_a_graph_of_a_newer_format_says_so_and_what_to_do(graphs, tmp_path):
    model = onnx.load(graphs["predictor.onnx"])
    model.ir_version = 99
    path = tmp_path / ("a_folder_with_a_long_name" * 6) / "predictor.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        BundleError, match=r"was written for a newer ONNX Runtime than .*; .* -m pip install --upgrade"
    ) as error:
        load_backend("onnxruntime", path)
    assert "99" in str(error.value) and str(path) in str(error.value)


def test_a_graph_that_cannot_be_read_says_why(graphs, tmp_path):
    model = onnx.load(graphs["predictor.onnx"])
    model.graph.node[0].op_type = "NobodyKnowsThis"
    path = tmp_path / "predictor.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=r"cannot be read as an ONNX model .*NobodyKnowsThis.*fetch the bundle again"):
        load_backend("onnxruntime", path)
