"""Graphs equal their modules, in every precision, at every batch and window; a bundle can be exported again."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wm_core.errors import BundleError, ConfigError  # noqa: E402
from wm_models import architectures, export, importer  # noqa: E402
from wm_models.bundle import Bundle  # noqa: E402
from wm_models.verify import verify  # noqa: E402
from wm_models.world_model import WorldModel  # noqa: E402

SMALL = {"image_px": 32, "channels": [8, 8, 8], "latent_dim": 16, "hidden_dim": 32, "blocks": 1}


def quiet(step: str) -> None:
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A bundle that holds weights only."""
    return importer.random_bundle("conv_jepa", tmp_path_factory.mktemp("random") / "small", SMALL, None, quiet).path


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_weights_become_graphs_that_equal_torch(weights, tmp_path, precision):
    if precision == "bfloat16":
        pytest.importorskip("openvino", reason="nothing else runs bfloat16 graphs on a CPU; pip install openvino")
    said = []
    bundle = importer.export_again(weights, tmp_path / "graphs", precision, said.append)
    assert bundle.spec.precision == precision
    assert any(precision in step for step in said)
    card = (bundle.path / "CARD.md").read_text()
    assert f"Graphs in {precision}" in card and "{parity}" not in card and "not compared" not in card
    backend = "openvino" if precision == "bfloat16" else "onnxruntime"
    verdicts = list(verify(bundle, backend))
    assert {v.part for v in verdicts} == {"encoder", "predictor"}
    for verdict in verdicts:
        assert verdict.ok and verdict.difference > 0.0, verdict
        assert "ok" in str(verdict)
    if precision != "float32":
        assert max(v.difference for v in verdicts) > 1e-5, "it is in half precision"


@pytest.mark.parametrize("history", [1, 3])
def test_a_window_is_free_up_to_the_history(tmp_path, history):
    sizes = {"image_px": 28, "encoder_width": 24, "encoder_depth": 1, "encoder_heads": 2, "encoder_hidden": 32}
    sizes |= {"latent_dim": 16, "projector_hidden": 32, "predictor_depth": 1, "predictor_heads": 2}
    sizes |= {"predictor_head_dim": 8, "predictor_hidden": 32, "action_hidden": 16, "history": history}
    bundle = importer.random_bundle("lewm", tmp_path / "window", sizes, "float32", quiet)
    assert "{parity}" not in (bundle.path / "CARD.md").read_text()
    assert all(verdict.ok for name in ("onnxruntime", "torch:precision=float16") for verdict in verify(bundle, name))
    rng = np.random.default_rng(1)
    state = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
    start, actions = rng.normal(size=(1, 16)).astype(np.float32), rng.uniform(-0.05, 0.05, (3, 4, 7))
    graphs, reference = (WorldModel(bundle, name).rollout(start, state, actions) for name in ("onnxruntime", "torch"))
    np.testing.assert_allclose(graphs[0], reference[0], atol=1e-5)


def test_a_bundle_of_weights_runs_on_torch_and_says_what_it_lacks_for_others(weights):
    model = WorldModel(Bundle.load(weights), "torch")
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    assert model.encode(frames).shape == (2, 1, 16)
    assert model.info()["encoder"]["backend"] == "torch"
    with pytest.raises(BundleError, match=r"no encoder\.onnx"):
        WorldModel(Bundle.load(weights))


def test_a_graph_that_differs_is_not_written(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(export.PRECISIONS, "float32", (torch.float32, 1e-12))
    with pytest.raises(BundleError, match="differs from torch"):
        importer.export_again(weights, tmp_path / "graphs", "float32", quiet)
    assert not (tmp_path / "graphs").exists()


def test_weights_that_do_not_fit_are_refused(weights, tmp_path):
    bundle = Bundle.load(weights)
    with pytest.raises(BundleError, match="architecture 'perceptron'"):
        architectures.build("perceptron", "encoder", {})
    with pytest.raises(BundleError, match="has no decoder"):
        architectures.build("conv_jepa", "decoder", {})
    with pytest.raises(ConfigError, match="unknown key 'depth'"):
        importer.random_bundle("conv_jepa", tmp_path / "r", {"depth": 3}, None, quiet)
    other = importer.random_bundle("conv_jepa", tmp_path / "other", SMALL | {"latent_dim": 8}, None, quiet)
    (other.path / "encoder.safetensors").write_bytes(bundle.file("encoder.safetensors").read_bytes())
    with pytest.raises(BundleError, match="does not hold the weights"):
        architectures.load(other, "encoder")


def test_graphs_alone_cannot_be_exported_again(bundle, tmp_path):
    with pytest.raises(BundleError, match="no weights to export"):
        importer.export_again(bundle.path, tmp_path / "again", "float32", quiet)
