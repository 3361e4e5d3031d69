"""Files in the layout of stable-worldmodel: random weights at a reduced size, as the official code computed with."""

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
from wm_models.action_map import ActionMap
from wm_models.architectures import build
from wm_models.architectures.lewm import Config
from wm_models.bundle import Bundle, BundleSpec
from wm_models.importer import import_checkpoint

REFERENCE = np.load(Path(__file__).parents[2] / "data" / "lewm_public.npz")
SETTINGS = json.loads(str(REFERENCE["config_json"][0]))
ACTIONS = {"action_dims": [0, 1], "action_mean": [0.001, -0.002], "action_std": [0.01, 0.02]}


def read(path, **options):
    """As the command line asks for it: paths are text."""
    text = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    return checkpoints.read("lewm", path, text)


def official() -> dict[str, torch.Tensor]:
    """The weights under their names of today."""
    names = (name for name in REFERENCE.files if "/" in name)
    return {name.replace("/", ".", 1): torch.from_numpy(REFERENCE[name]) for name in names}


def settings_file() -> dict:
    """``config.json`` as stable-worldmodel writes it; the heads of a ViT of this width cannot be told otherwise."""
    package = "stable_worldmodel.wm.lewm"
    head = {"_target_": f"{package}.module.MLP", "hidden_dim": SETTINGS["proj_hidden_dim"]}
    image = {"size": "tiny", "patch_size": 14, "image_size": 56, "num_attention_heads": 3}
    return {
        "_target_": f"{package}.LeWM",
        "encoder": {"_target_": "stable_pretraining.backbone.utils.vit_hf", "pretrained": False, **image},
        "predictor": {"_target_": f"{package}.module.Predictor", **SETTINGS["predictor"]},
        "action_encoder": {"_target_": f"{package}.module.Embedder", "input_dim": 10, "emb_dim": 48},
        "projector": head,
        "pred_proj": head,
    }


def write(folder: Path, state: dict, settings: dict | None = None) -> Path:
    torch.save(state, folder / "weights.pt")
    (folder / "config.json").write_text(json.dumps(settings_file() if settings is None else settings))
    return folder / "weights.pt"


def old_names(state: dict) -> dict:
    names = json.loads(str(REFERENCE["v4_key_map_json"][0]))
    assert any(new != old for new, old in names.items())
    return {names.get(name, name): tensor for name, tensor in state.items()}


LAYOUTS = {
    "transformers 5": lambda state: state,
    "transformers 4": old_names,
    "wrapped": lambda state: {f"module.{name}": tensor for name, tensor in old_names(state).items()},
    "compiled": lambda state: {name.replace("encoder.", "encoder._orig_mod.", 1): t for name, t in state.items()},
    "training dict": lambda state: {"state_dict": {f"model.{name}": t for name, t in state.items()}, "epoch": 3},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_import(tmp_path, layout):
    found = read(write(tmp_path, LAYOUTS[layout](official())), **ACTIONS)
    image, step = SETTINGS["encoder"], SETTINGS["predictor"]
    assert found.config == Config(
        image_px=image["image_size"],
        encoder_width=image["hidden_size"],
        encoder_depth=image["num_hidden_layers"],
        encoder_heads=image["num_attention_heads"],
        encoder_hidden=image["intermediate_size"],
        latent_dim=SETTINGS["embed_dim"],
        projector_hidden=SETTINGS["proj_hidden_dim"],
        predictor_depth=step["depth"],
        predictor_heads=step["heads"],
        predictor_head_dim=step["dim_head"],
        predictor_hidden=step["mlp_dim"],
        history=SETTINGS["history_size"],
        action_hidden=192,
        actions=ActionMap((0, 1), 5, (0.001, -0.002), (0.01, 0.02)),
    )
    parts = {part: build(found.architecture, part, dataclasses.asdict(found.config)) for part in found.parts}
    for part, module in parts.items():
        module.load_state_dict(found.parts[part])
    parts["predictor"].adapter = torch.nn.Identity()  # the fixture has the model's own actions
    with torch.no_grad():
        latents = parts["encoder"](torch.from_numpy(REFERENCE["pixels"]).flatten(0, 1)).unflatten(0, (2, 3))
        np.testing.assert_allclose(latents[:, :, 0], REFERENCE["emb"], atol=3e-5, rtol=0)
        following = parts["predictor"].predictions(latents, torch.from_numpy(REFERENCE["actions"]))
        np.testing.assert_allclose(following, REFERENCE["pred_T3"], atol=3e-5, rtol=0)


def test_what_a_bundle_says_of_it(tmp_path):
    write(tmp_path, official())
    found = read(tmp_path, **ACTIONS, step_period_s=0.25)  # the folder will do
    assert (found.architecture, found.licence, found.energy, found.pose_frame) == ("lewm", "MIT", "l2", "tcp")
    assert (found.step_period_s, found.history) == (0.25, 3)
    assert (found.preprocess.height, found.preprocess.min_aspect, found.preprocess.max_aspect) == (56, 1.0, 1.0)
    # Five shares, two standard deviations about the mean.
    np.testing.assert_allclose(found.action.high, [0.105, 0.19, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(found.action.low, [-0.095, -0.21, 0, 0, 0, 0, 0])
    assert "sum of squares" in found.notes
    assert config.from_dict(Config, dataclasses.asdict(found.config)) == found.config


def test_options_may_stand_in_the_settings(tmp_path):
    extra = {"action_mean": [0.0] * 5, "action_std": [1.0] * 5, "frameskip": 2}
    found = read(write(tmp_path, official(), settings_file() | extra), action_dims=[0, 1, 2, 5, 6])
    assert found.config.actions == ActionMap((0, 1, 2, 5, 6), 2, (0.0,) * 5, (1.0,) * 5)
    own = read(tmp_path, **ACTIONS, frameskip=5, action_low=[-0.1] * 7, action_high=[0.2] * 7)
    assert own.config.actions.mean == (0.001, -0.002)
    assert (own.action.low, own.action.high) == ((-0.1,) * 7, (0.2,) * 7)


def test_settings_elsewhere(tmp_path):
    path = write(tmp_path, official())
    (tmp_path / "config.json").rename(tmp_path / "other.json")
    with pytest.raises(BundleError, match=r"there is no .*config\.json.*download it with the weights"):
        read(path, **ACTIONS)
    assert read(path, **ACTIONS, config=tmp_path / "other.json").history == 3


def test_a_bundle_for_the_torch_back_end(tmp_path):
    path = write(tmp_path, old_names(official()))
    said: list[str] = []
    import_checkpoint("lewm", path, tmp_path / "bundle", ACTIONS, None, said.append)
    spec: BundleSpec = Bundle.load(tmp_path / "bundle").spec
    assert (spec.architecture, spec.history, spec.latent.tokens, spec.latent.channels) == ("lewm", 3, 1, 48)
    assert said


def test_actions_that_do_not_add_up(tmp_path):
    path = write(tmp_path, official())
    with pytest.raises(BundleError, match="z-scored; give the options action_mean and action_std"):
        read(path)
    with pytest.raises(BundleError, match="takes 10 numbers for one action, not frameskip x dims = 5 x 7"):
        read(path, action_mean=[0.0] * 7, action_std=[1.0] * 7)
    with pytest.raises(BundleError, match="not frameskip x dims = 4 x 2"):
        read(path, **ACTIONS, frameskip=4)
    with pytest.raises(ConfigError, match="one number for each of the 2 dims"):
        read(path, action_dims=[0, 1], action_mean=[0.0], action_std=[1.0, 1.0])
    with pytest.raises(ConfigError, match="action_low and action_high"):
        read(path, **ACTIONS, action_low=[0.0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("encoder.layernorm.bias"), r"1 missing: encoder\.layernorm\.bias"),
        (lambda s: s.pop("predictor.pos_embedding"), r"1 missing: predictor\.pos_embedding"),
        (lambda s: s.pop("action_encoder.patch_embed.weight"), "missing: action_encoder"),
        (lambda s: s.update({"encoder.pooler.dense.weight": torch.zeros(2)}), "1 unknown: encoder.pooler"),
        (lambda s: s.update({"projector.net.1.running_var": torch.zeros(3)}), r"running_var \(3,\) for \(128,\)"),
        (lambda s: s["pred_proj.net.0.bias"].fill_(float("inf")), r"1 not finite: pred_proj\.net\.0\.bias"),
        (lambda s: s.update(note="text"), "holds more than tensors"),
        (lambda s: [s.pop(name) for name in list(s)] and s.update(weight=torch.zeros(3)), "1 unknown: weight"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_a_list(tmp_path, change, sentence):
    state = official()
    change(state)
    with pytest.raises(BundleError, match=sentence):
        read(write(tmp_path, state), **ACTIONS, encoder_heads=3)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"encoder": {}}, "has no 'predictor'"),
        ([], "does not describe a LeWorldModel"),
        ({"encoder": {}, "predictor": {"heads": 4}}, "give the option encoder_heads"),
        ({"encoder": {"num_attention_heads": 3}, "predictor": {"heads": 7}}, "7 attention heads cannot share the 64"),
        ({"encoder": {"num_attention_heads": 5}, "predictor": {"heads": 4}}, "multiple of encoder_heads = 5"),
        ({"encoder": {"num_attention_heads": "x"}, "predictor": {"heads": 4}}, "must be of type int"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, settings, sentence):
    with pytest.raises(BundleError, match=sentence):
        read(write(tmp_path, official(), settings), **ACTIONS)


def test_damaged_files(tmp_path):
    path = write(tmp_path, official())
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BundleError, match="not valid JSON"):
        read(path, **ACTIONS)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BundleError, match="download it again"):
        read(path, **ACTIONS)
    with pytest.raises(BundleError, match="there is no checkpoint"):
        read(tmp_path / "missing.pt", **ACTIONS)
