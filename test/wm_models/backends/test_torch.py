from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")
pytest.importorskip("safetensors", reason="safetensors is not installed: pip install -e '.[train]'")

from safetensors.torch import save_file  # noqa: E402

from wm_core.errors import BundleError, WmError  # noqa: E402
from wm_models.architectures import ARCHITECTURES, Architecture  # noqa: E402
from wm_models.backends import BackendError, load_backend  # noqa: E402
from wm_models.bundle import LatentSpec, write_bundle  # noqa: E402

T, C = 2, 3


@dataclass(frozen=True)
class Config:
    gain: float = 1.0


class Encoder(torch.nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.project = torch.nn.Linear(3 * 8 * 8, T * C)

    def forward(self, image):
        return self.project(image.flatten(1)).reshape(-1, T, C)


class Predictor(torch.nn.Module):
    """Of one frame; it also predicts the state."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gain = config.gain
        self.effect = torch.nn.Linear(7, T * C)

    def forward(self, latent, state, action):
        return latent + self.gain * self.effect(action).reshape(-1, T, C), state + action


class WindowPredictor(torch.nn.Module):
    """Of a window; it takes float32 whatever its weights, and computes on the states in float32."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.effect = torch.nn.Linear(7, T * C)

    def forward(self, latents, states, actions):
        if latents.shape[1] > 3:
            raise ValueError("a window of 4 frames is\nlonger than 3")
        assert states.dtype == torch.float32
        moved = self.effect((states + actions).mean(1).to(self.effect.weight.dtype))
        return latents[:, -1] + moved.reshape(-1, T, C)


@pytest.fixture
def make(tmp_path, spec_with, monkeypatch):
    """make(predictor class, weights of parts that differ, **changes of the spec) -> folder of a bundle, no graphs."""

    def bundle(predictor=Predictor, weights=None, **changes) -> Path:
        toy = Architecture(Config, {"encoder": Encoder, "predictor": predictor})
        monkeypatch.setattr(ARCHITECTURES, "load", {"toy": toy}.__getitem__)
        torch.manual_seed(0)
        files = {}
        for part, module in (("encoder", Encoder), ("predictor", predictor)):
            files[f"{part}.safetensors"] = tmp_path / f"{part}.safetensors"
            save_file((weights or {}).get(part, module(Config()).state_dict()), files[f"{part}.safetensors"])
        values = {"architecture": "toy", "latent": LatentSpec(T, C), "model": asdict(Config(gain=2.0))}
        return write_bundle(tmp_path / "toy", spec_with(**(values | changes)), files, "# Toy\n").path

    return bundle


def inputs(n: int = 5) -> dict[str, np.ndarray]:
    shapes = {"latent": (n, T, C), "state": (n, 7), "action": (n, 7)}
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def weights_of(folder: Path, part: str = "predictor") -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / f"{part}.safetensors")


def test_runs_the_architecture_on_the_weights_of_the_bundle(make):
    folder, given = make(), inputs()
    backend = load_backend("torch", folder / "predictor.onnx")  # which does not exist
    w, out = weights_of(folder), backend.infer(given)
    moved = 2.0 * (given["action"] @ w["effect.weight"].T + w["effect.bias"]).reshape(-1, T, C)  # gain of the spec
    np.testing.assert_allclose(out["next_latent"], given["latent"] + moved, atol=1e-5)
    np.testing.assert_array_equal(out["next_state"], given["state"] + given["action"])
    assert all(array.dtype == np.float32 for array in out.values())


def test_io_and_info(make):
    folder = make()
    encoder, predictor = (load_backend("torch", folder / f"{part}.onnx") for part in ("encoder", "predictor"))
    assert encoder.io.inputs["image"].shape == (None, 3, 8, 8)
    assert {name: tensor.shape for name, tensor in encoder.io.outputs.items()} == {"latent": (None, T, C)}
    assert {name: tensor.shape for name, tensor in predictor.io.inputs.items()} == {
        "latent": (None, T, C),
        "state": (None, 7),
        "action": (None, 7),
    }
    assert {name: tensor.shape for name, tensor in predictor.io.outputs.items()} == {
        "next_latent": (None, T, C),
        "next_state": (None, 7),
    }
    info = predictor.info()
    assert (info["backend"], info["device"], info["precision"], info["threads"]) == ("torch", "cpu", "float32", 1)
    assert info["version"] == torch.__version__


def test_a_predictor_of_a_window(make):
    folder = make(WindowPredictor, history=3)
    backend = load_backend("torch", folder / "predictor.onnx")
    assert {name: tensor.shape for name, tensor in backend.io.inputs.items()} == {
        "latents": (None, None, T, C),
        "states": (None, None, 7),
        "actions": (None, None, 7),
    }
    assert backend.io.outputs.keys() == {"next_latent"}
    rng = np.random.default_rng(3)
    for k in (1, 2, 3):
        latents, states, actions = (rng.normal(size=(4, k, *s)).astype(np.float32) for s in ((T, C), (7,), (7,)))
        out = backend.infer({"latents": latents, "states": states, "actions": actions})["next_latent"]
        w = weights_of(folder)
        moved = (states + actions).mean(1) @ w["effect.weight"].T + w["effect.bias"]
        np.testing.assert_allclose(out, latents[:, -1] + moved.reshape(-1, T, C), atol=1e-5)
    longer = {name: np.zeros((1, 4, *tensor.shape[2:]), np.float32) for name, tensor in backend.io.inputs.items()}
    with pytest.raises(BackendError, match="PyTorch failed: a window of 4 frames is longer than 3"):
        backend.infer(longer)


@pytest.mark.parametrize(("precision", "most"), [("bfloat16", 0.1), ("float16", 0.01)])
@pytest.mark.parametrize("predictor", [Predictor, WindowPredictor])
def test_precision_is_that_of_the_weights_between_float32_ends(make, predictor, precision, most):
    folder = make(predictor)
    exact = load_backend("torch", folder / "predictor.onnx")
    rounded = load_backend("torch", folder / "predictor.onnx", options={"precision": precision})
    assert rounded.info()["precision"] == precision
    assert rounded.io == exact.io
    given = inputs()
    if predictor is WindowPredictor:  # it asserts that states come unrounded
        given = {f"{name}s": array[:, None] for name, array in given.items()}
    out, wanted = rounded.infer(given)["next_latent"], exact.infer(given)["next_latent"]
    assert out.dtype == np.float32
    assert 0.0 < np.abs(out - wanted).max() < most


def test_read_only_and_strided_inputs(make):
    backend = load_backend("torch", make() / "predictor.onnx")
    wanted = backend.infer(inputs())["next_latent"]
    strided = {name: np.repeat(array, 2, axis=-1)[..., ::2] for name, array in inputs().items()}
    strided["state"].flags.writeable = False
    np.testing.assert_array_equal(backend.infer(strided)["next_latent"], wanted)


def test_each_back_end_keeps_its_threads(make):
    folder, before = make(), torch.get_num_threads()
    try:
        one, two = (load_backend("torch", folder / "predictor.onnx", threads=threads) for threads in (1, 2))
        one.infer(inputs())
        assert torch.get_num_threads() == one.info()["threads"] == 1
        two.infer(inputs())
        assert torch.get_num_threads() == two.info()["threads"] == 2
    finally:
        torch.set_num_threads(before)


def test_can_be_called_from_several_threads(make):
    backend = load_backend("torch", make() / "predictor.onnx")
    wanted = backend.infer(inputs())["next_latent"]
    with ThreadPoolExecutor(3) as pool:
        for out in pool.map(lambda _: backend.infer(inputs())["next_latent"], range(30)):
            np.testing.assert_array_equal(out, wanted)


def test_a_closed_back_end_says_so(make):
    backend = load_backend("torch", make() / "predictor.onnx")
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="torch back end is closed"):
        backend.infer(inputs())


def test_a_bundle_without_weights(make):
    folder = make()
    with pytest.raises(BundleError, match=r"has no proposal"):
        load_backend("torch", folder / "proposal.onnx")
    with pytest.raises(BundleError, match=r"no part of a bundle 'decode' \(did you mean 'decoder'\?\)"):
        load_backend("torch", folder / "decode.onnx")
    (folder / "encoder.safetensors").unlink()
    with pytest.raises(BundleError, match="weights"):
        load_backend("torch", folder / "encoder.onnx")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state | {"extra": torch.zeros(1)},
        lambda state: {name: value for name, value in state.items() if "bias" not in name},
        lambda state: state | {"effect.bias": torch.zeros(2)},
    ],
    ids=["unknown", "missing", "shape"],
)
def test_weights_of_another_model_are_refused(make, change):
    folder = make(weights={"predictor": change(Predictor(Config()).state_dict())})
    with pytest.raises(BundleError, match="weights of a toy predictor") as error:
        load_backend("torch", folder / "predictor.onnx")
    assert "\n" not in str(error.value)


def test_damaged_weights(make):
    folder = make()
    (folder / "predictor.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BundleError, match="weights"):
        load_backend("torch", folder / "predictor.onnx")


def test_a_model_that_is_not_its_architectures(make):
    with pytest.raises(WmError, match="unknown key 'depth'"):
        load_backend("torch", make(model={"depth": 3}) / "predictor.onnx")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu_is_said_and_the_cpu_is_not_taken(make):
    with pytest.raises(BackendError, match="finds no GPU for the device 'cuda:1'; set device: cpu"):
        load_backend("torch", make() / "predictor.onnx", options={"device": "cuda:1"})
