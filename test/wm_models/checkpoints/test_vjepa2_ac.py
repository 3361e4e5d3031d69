"""Files in the layouts of facebookresearch/vjepa2 (random weights, reduced size) and of facebookresearch/jepa-wms."""

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
from wm_models.architectures import build
from wm_models.architectures.vjepa2_ac import Config, Sizes, official_shapes
from wm_models.checkpoints import Imported


def read(path, **options):
    """As the command line asks for it: paths are text."""
    text = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    return checkpoints.read("vjepa2_ac", path, text)


DATA = Path(__file__).parents[2] / "data"
OFFICIAL, BACKBONE = DATA / "vjepa2_ac_public_ckpt.pt", DATA / "vjepa2_ac_public_ckpt_backbone.pt"
REFERENCE = np.load(DATA / "vjepa2_ac_public.npz")
SETTINGS = json.loads(str(REFERENCE["config_json"][0]))
#: What no shape tells.
KNOWN = {
    "encoder_heads": SETTINGS["encoder"]["num_heads"],
    "predictor_heads": SETTINGS["predictor"]["num_heads"],
    "image_px": SETTINGS["encoder"]["img_size"],
}


def sizes(of: dict, width: str) -> Sizes:
    return Sizes(of[width], of["depth"], of["num_heads"], of["mlp_hidden_dim"])


def modules(found: Imported) -> dict[str, torch.nn.Module]:
    """The parts as a bundle's user builds them."""
    parts = {}
    for part, state in found.parts.items():
        parts[part] = build(found.architecture, part, dataclasses.asdict(found.config))
        parts[part].load_state_dict(state)
    return parts


@pytest.mark.parametrize("path", [OFFICIAL, BACKBONE], ids=["trainer", "backbone"])
def test_import(path):
    found = read(path, **KNOWN)
    encoder, predictor = SETTINGS["encoder"], SETTINGS["predictor"]
    assert found.config == Config(
        image_px=encoder["img_size"],
        patch_px=encoder["patch_size"],
        encoder=sizes(encoder, "embed_dim"),
        predictor=sizes(predictor, "predictor_embed_dim"),
    )
    parts = modules(found)
    with torch.no_grad():
        latent = parts["encoder"](torch.from_numpy(REFERENCE["enc_frames"]))
        np.testing.assert_allclose(latent, REFERENCE["enc_tokens"], atol=5e-5, rtol=0)
        latents, _ = parts["predictor"].rollout(
            latent[0], *(torch.from_numpy(REFERENCE[name]) for name in ("roll_pose0", "roll_actions"))
        )
    np.testing.assert_allclose(latents, REFERENCE["roll_reps"][:, 1:], atol=1e-4, rtol=0)


def test_what_a_bundle_says_of_it():
    found = read(OFFICIAL, **KNOWN)
    assert (found.architecture, found.licence, found.energy, found.pose_frame) == ("vjepa2_ac", "MIT", "l1", "flange")
    assert found.step_period_s == 1.0
    assert read(OFFICIAL, **KNOWN, step_period_s=0.25).step_period_s == 0.25
    assert found.action.high == (0.075, 0.075, 0.075, 0.0, 0.0, 0.0, 0.75)
    assert found.action.low == tuple(-limit for limit in found.action.high)
    assert (found.preprocess.max_aspect, found.preprocess.interpolation) == (1.35, "bilinear")
    assert found.preprocess.mean == tuple(SETTINGS["imagenet_mean"])
    assert found.preprocess.std == tuple(SETTINGS["imagenet_std"])
    assert "horizon of 1" in found.notes
    assert config.from_dict(Config, dataclasses.asdict(found.config)) == found.config


@pytest.mark.parametrize(("width", "heads"), [(1024, 16), (1280, 16), (1408, 22), (128, 2)])
def test_heads_of_published_widths_need_no_option(tmp_path, width, heads):
    wanted = Config(encoder=Sizes(width, 1, heads, 64), predictor=Sizes(1024, 1, 16, 64))
    zeros = {
        part: {f"module.{name}": torch.zeros(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}
        for part, shapes in official_shapes(wanted).items()
    }
    torch.save(zeros, tmp_path / "zeros.pt")
    assert read(tmp_path / "zeros.pt").config == wanted


def test_heads_that_cannot_be_told():
    with pytest.raises(BundleError, match="give the options 'encoder_heads' and 'predictor_heads'"):
        read(OFFICIAL)
    with pytest.raises(ConfigError, match="even share of the width"):
        read(OFFICIAL, **KNOWN | {"encoder_heads": 5})


# --- the retrain without a state token -------------------------------------------------------------------------------


@pytest.fixture
def retrain(tmp_path: Path) -> tuple[Path, Path]:
    """The two files of JEPA-WMs: a predictor that knows no state, and the video model with its encoder."""
    official, pretrained = torch.load(OFFICIAL, weights_only=True), torch.load(BACKBONE, weights_only=True)
    unknown = ("module.state_encoder.", "module.extrinsics_encoder.")
    predictor = {name: t for name, t in official["predictor"].items() if not name.startswith(unknown)}
    paths = tmp_path / "vjepa2_ac_droid.pth.tar", tmp_path / "vitg.pt"
    torch.save({"predictor": predictor, "opt": {}, "scaler": None, "epoch": 315}, paths[0])
    torch.save({"encoder": pretrained["encoder"], "target_encoder": {}, "epoch": 800}, paths[1])
    return paths


def test_retrain(retrain):
    predictor, encoder = retrain
    found = read(predictor, encoder=encoder, **KNOWN)
    assert (found.config.state_token, found.config.extrinsics_weight) == (False, False)
    assert (found.licence, found.energy, found.action.high[0]) == ("CC-BY-NC-4.0", "l2", 0.1)
    assert (found.preprocess.min_aspect, found.preprocess.max_aspect) == (1.0, 1.0)
    assert "horizon of 1" not in found.notes
    parts = modules(found)
    with torch.no_grad():
        latent = parts["encoder"](torch.from_numpy(REFERENCE["enc_frames"][:1]))
        np.testing.assert_allclose(latent, REFERENCE["enc_tokens"][:1], atol=5e-5, rtol=0)
        zeros, ones = torch.zeros(1, 1, 7), torch.ones(1, 1, 7)
        assert torch.equal(parts["predictor"](latent[None], zeros, ones), parts["predictor"](latent[None], ones, ones))


def test_retrain_with_a_state_token(retrain):
    """JEPA-WMs call the state proprioception."""
    path, encoder = retrain
    predictor = torch.load(OFFICIAL, weights_only=True)["predictor"]
    predictor = {name.replace("state_encoder", "proprio_encoder"): t for name, t in predictor.items()}
    torch.save({"predictor": predictor}, path)
    found = read(path, encoder=encoder, **KNOWN)
    assert found.config.state_token
    assert torch.equal(
        found.parts["predictor"]["state_encoder.weight"],
        torch.from_numpy(REFERENCE["predictor/state_encoder.weight"]),
    )


def test_a_predictor_alone_asks_for_its_encoder(retrain):
    with pytest.raises(BundleError, match="holds no encoder; give the file of its encoder"):
        read(retrain[0], **KNOWN)
    with pytest.raises(BundleError, match=r"missing\.pt"):
        read(retrain[0], encoder=retrain[0].parent / "missing.pt", **KNOWN)


# --- files that are not such a model ---------------------------------------------------------------------------------


def damaged(tmp_path: Path, change) -> Path:
    checkpoint = torch.load(OFFICIAL, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, tmp_path / "damaged.pt")
    return tmp_path / "damaged.pt"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.pop("predictor"), "has no state dict 'predictor'"),
        (lambda c: c["encoder"].pop("module.norm.bias"), "'encoder' of .*1 missing: norm.bias"),
        (
            lambda c: c["predictor"].pop("module.predictor_blocks.1.attn.qkv.weight"),
            "1 missing: predictor_blocks.1.attn",
        ),
        (lambda c: c["predictor"].pop("module.predictor_embed.weight"), "missing: predictor_embed.weight"),
        (
            lambda c: c["encoder"].update({"module.norm.bias": torch.zeros(65)}),
            r"1 of another shape: norm.bias \(65,\) for \(66,\)",
        ),
        (lambda c: c["encoder"].update({"module.cls_token": torch.zeros(1)}), "1 unknown: cls_token"),
        (
            lambda c: c["encoder"]["module.blocks.2.mlp.fc2.bias"].fill_(float("nan")),
            "1 not finite: blocks.2.mlp.fc2.bias",
        ),
        (lambda c: c.update(encoder={"model": 3}), "'encoder' holds more than tensors"),
        (
            lambda c: c.update(encoder={"layers.0.weight": torch.zeros(3)}),
            "missing: patch_embed.proj.weight, .* and 479 more; 1 unknown: layers.0.weight",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_a_list(tmp_path, change, sentence):
    with pytest.raises(BundleError, match=sentence):
        read(damaged(tmp_path, change), **KNOWN)


def test_a_truncated_file_is_refused(tmp_path):
    content = OFFICIAL.read_bytes()
    for kept in (0, 1000, len(content) // 2, len(content) - 100):
        path = tmp_path / "cut.pt"
        path.write_bytes(content[:kept])
        with pytest.raises(BundleError, match=r"cut\.pt .*download it again"):
            read(path, **KNOWN)
