"""Converted checkpoints of DINO-WM, with random weights at a reduced size, beside weights in the layout of DINOv2."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from wm_core import config
from wm_core.errors import BundleError, ConfigError
from wm_models import checkpoints
from wm_models.action_map import ActionMap, ProprioMap
from wm_models.architectures import build, dino_wm
from wm_models.architectures.dino_wm import Config, stretch_positions
from wm_models.bundle import Bundle
from wm_models.checkpoints.dino_wm import MODULES, RECIPE
from wm_models.importer import import_checkpoint

REFERENCE = np.load(Path(__file__).parents[2] / "data" / "dino_wm_public.npz")
SETTINGS = json.loads(str(REFERENCE["config_json"][0]))
#: What no shape tells; 3 x 3 patches of 14 px.
KNOWN = {
    "image_px": 42,
    "encoder_heads": 4,
    "predictor_heads": SETTINGS["predictor"]["heads"],
    "action_dims": [1, 0],
    "action_mean": [0.001, -0.002],
    "action_std": [0.01, 0.02],
    "proprio_dims": [0, 1, 2, 6],
    "proprio_mean": [0.5, 0.0, 0.2, 0.5],
    "proprio_std": [0.1, 0.2, 0.1, 0.5],
}
EXPECTED = Config(
    image_px=42,
    encoder_width=SETTINGS["visual_dim"],
    encoder_depth=2,
    encoder_heads=4,
    encoder_hidden=64,
    predictor_depth=SETTINGS["predictor"]["depth"],
    predictor_heads=SETTINGS["predictor"]["heads"],
    predictor_head_dim=SETTINGS["predictor"]["dim_head"],
    predictor_hidden=SETTINGS["predictor"]["mlp_dim"],
    history=SETTINGS["num_hist"],
    actions=ActionMap((1, 0), 5, (0.001, -0.002), (0.01, 0.02)),
    proprio=ProprioMap((0, 1, 2, 6), (0.5, 0.0, 0.2, 0.5), (0.1, 0.2, 0.1, 0.5)),
)


def read(path, **options):
    """As the command line asks for it: paths are text."""
    text = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    return checkpoints.read("dino_wm", path, text)


def modules() -> dict[str, dict[str, torch.Tensor]]:
    """The state dicts of a converted checkpoint."""
    return {
        module: {
            name.removeprefix(f"{module}/"): torch.from_numpy(REFERENCE[name])
            for name in REFERENCE.files
            if name.startswith(f"{module}/")
        }
        for module in MODULES
    }


def image_weights(side: int = 5) -> dict[str, torch.Tensor]:
    """DINOv2's weights, its positions being those of a larger image."""
    torch.manual_seed(0)
    return dino_wm.encoder(dataclasses.replace(EXPECTED, image_px=14 * side)).state_dict()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    torch.save(modules(), tmp_path / "dino_wm.pt")
    torch.save(image_weights(), tmp_path / "dinov2.pth")
    return tmp_path / "dino_wm.pt", tmp_path / "dinov2.pth"


def test_import(files):
    path, encoder = files
    found = read(path, encoder=encoder, **KNOWN)
    assert found.config == EXPECTED
    parts = {part: build(found.architecture, part, dataclasses.asdict(found.config)) for part in found.parts}
    for part, module in parts.items():
        module.load_state_dict(found.parts[part])
    state = image_weights()
    torch.testing.assert_close(parts["encoder"].pos_embed.data, stretch_positions(state["pos_embed"], 3))
    predictor = parts["predictor"]
    predictor.proprio_adapter = predictor.action_adapter = torch.nn.Identity()  # the fixture has the model's own
    with torch.no_grad():
        window = (torch.from_numpy(REFERENCE[name]) for name in ("visual_tokens", "proprio", "actions"))
        np.testing.assert_allclose(predictor(*window), REFERENCE["pred_visual"][:, -1], atol=3e-5, rtol=0)


def test_other_layouts(files):
    """Weights from a distributed wrapper, and DINOv2 in the same file under upstream's name for it."""
    path, encoder = files
    wanted = read(path, encoder=encoder, **KNOWN)
    wrapped = {m: {f"module.{name}": t for name, t in state.items()} for m, state in modules().items()}
    image = {f"base_model.{name}": tensor for name, tensor in image_weights().items()}
    whole = path.with_name("whole.pt")
    torch.save(wrapped | {"encoder": image, "epoch": 100}, whole)
    found = read(whole, **KNOWN)
    assert found.config == wanted.config
    for part, state in wanted.parts.items():
        assert list(state) == list(found.parts[part])
        assert all(torch.equal(tensor, found.parts[part][name]) for name, tensor in state.items())


def test_what_a_bundle_says_of_it(files):
    path, encoder = files
    found = read(path, encoder=encoder, **KNOWN)
    assert (found.architecture, found.energy, found.pose_frame) == ("dino_wm", "l2", "tcp")
    assert (found.step_period_s, found.history, found.licence) == (0.5, 3, "MIT, encoder Apache-2.0")
    assert (found.preprocess.height, found.preprocess.mean, found.preprocess.std) == (42, (0.5,) * 3, (0.5,) * 3)
    np.testing.assert_allclose(found.action.high, [0.19, 0.105, 0, 0, 0, 0, 0])
    assert "integrated, not predicted" in found.notes
    assert config.from_dict(Config, dataclasses.asdict(found.config)) == found.config


def test_a_bundle_for_the_torch_back_end(files, tmp_path):
    path, encoder = files
    options = {**KNOWN, "encoder": str(encoder)}
    import_checkpoint("dino_wm", path, tmp_path / "bundle", options, None, lambda step: None)
    spec = Bundle.load(tmp_path / "bundle").spec
    assert (spec.architecture, spec.history, spec.latent.tokens, spec.latent.channels) == ("dino_wm", 3, 9, 32)


def test_pickled_modules_come_with_a_recipe(tmp_path):
    path = tmp_path / "model_latest.pth"
    torch.save({"predictor": torch.nn.Linear(2, 2), "epoch": 3}, path)
    sentence = r"holds pickled modules.*convert it where gaoyuezhou/dino_wm is installed"
    with pytest.raises(BundleError, match=sentence) as e:
        read(path, encoder=path, **KNOWN)
    for line in RECIPE.splitlines():
        assert line in str(e.value)


def test_the_recipe_works(tmp_path, monkeypatch):
    """On modules that hold the same weights."""
    monkeypatch.chdir(tmp_path)
    torch.save(image_weights(), "dinov2.pth")
    predictor = dino_wm.predictor(EXPECTED)
    torch.save({name: getattr(predictor, name) for name in MODULES}, "model_latest.pth")
    exec(RECIPE, {"torch": torch})
    found = read("dino_wm.pt", encoder="dinov2.pth", **KNOWN)
    assert found.config == EXPECTED
    assert all(torch.equal(t, found.parts["predictor"][name]) for name, t in predictor.state_dict().items())


def test_without_an_image_encoder(files):
    with pytest.raises(BundleError, match="holds no image encoder; download dinov2_vits14_pretrain"):
        read(files[0], **KNOWN)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"action_mean": None}, "how its actions were z-scored"),
        ({"proprio_std": None}, "how its states were z-scored"),
        ({"frameskip": 2}, "takes 10 numbers for one action, not frameskip x dims = 2 x 2"),
        ({"proprio_dims": [0, 1], "proprio_mean": [0, 0], "proprio_std": [1, 1]}, "4 numbers for one state, not 2"),
        ({"image_px": 56}, "positions for 27 tokens, no multiple of the 16 patches"),
        ({"image_px": 10}, "give the option image_px"),
        ({"image_px": 45}, "must be a multiple of patch_px = 14"),
        ({"predictor_heads": 5}, "give the option predictor_heads"),
        ({"encoder_heads": 5}, "multiple of encoder_heads = 5"),
    ],
)
def test_options_that_do_not_fit(files, change, sentence):
    path, encoder = files
    with pytest.raises(BundleError, match=sentence):
        read(path, encoder=encoder, **(KNOWN | change))


def test_options_that_make_no_sense(files):
    path, encoder = files
    with pytest.raises(ConfigError, match="proprio mean and std"):
        read(path, encoder=encoder, **(KNOWN | {"proprio_mean": [0.0]}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m, i: m.pop("action_encoder"), "has no state dict 'action_encoder'"),
        (lambda m, i: m["predictor"].pop("transformer.norm.bias"), r"1 missing: predictor\.transformer\.norm\.bias"),
        (lambda m, i: m["predictor"].pop("pos_embedding"), r"1 missing: predictor\.pos_embedding"),
        (lambda m, i: m["predictor"].update(extra=torch.zeros(1)), r"1 unknown: predictor\.extra"),
        (lambda m, i: m["proprio_encoder"]["patch_embed.bias"].fill_(float("nan")), "1 not finite: proprio_encoder"),
        (lambda m, i: i.pop("cls_token"), "dinov2.*missing: cls_token"),
        (lambda m, i: i.update(register_tokens=torch.zeros(1, 4, 32)), "dinov2.*1 unknown: register_tokens"),
        (lambda m, i: i.update(pos_embed=torch.zeros(1, 24, 32)), r"pos_embed \(1, 24, 32\) for \(1, 10, 32\)"),
        (lambda m, i: i.update(note="text"), "holds more than tensors"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_a_list(files, change, sentence):
    (path, encoder), state, image = files, modules(), image_weights()
    change(state, image)
    torch.save(state, path)
    torch.save(image, encoder)
    with pytest.raises(BundleError, match=sentence):
        read(path, encoder=encoder, **KNOWN)
