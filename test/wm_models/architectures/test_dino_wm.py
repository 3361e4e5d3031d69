"""DINO-WM against values computed with the official code (gaoyuezhou/dino_wm) at a reduced size, DINOv2 against
transformers."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from wm_core import config
from wm_core.errors import ConfigError
from wm_models.action_map import ActionMap, ProprioMap
from wm_models.architectures import build, dino_wm
from wm_models.architectures.dino_wm import Config, energy, stretch_positions

DATA = Path(__file__).parents[2] / "data"
#: Ten times the rounding error of the official code.
TOLERANCE = 3e-5


class Reference:
    """The arrays of the fixture as tensors, its settings, and the predictor that it was computed with."""

    def __init__(self) -> None:
        self.arrays = np.load(DATA / "dino_wm_public.npz")
        self.settings = s = json.loads(str(self.arrays["config_json"][0]))
        side = int(s["num_patches"] ** 0.5)
        self.config = Config(
            image_px=14 * side,
            encoder_width=s["visual_dim"],
            encoder_depth=2,
            encoder_heads=4,
            encoder_hidden=64,
            proprio_embedding=s["proprio_emb_dim"],
            action_embedding=s["action_emb_dim"],
            predictor_depth=s["predictor"]["depth"],
            predictor_heads=s["predictor"]["heads"],
            predictor_head_dim=s["predictor"]["dim_head"],
            predictor_hidden=s["predictor"]["mlp_dim"],
            history=s["num_hist"],
            actions=ActionMap((1, 0), 5, (0.001, -0.002), (0.01, 0.02)),
            proprio=ProprioMap((0, 1, 2, 6), (0.5, 0.0, 0.2, 0.5), (0.1, 0.2, 0.1, 0.5)),
        )
        names = (name for name in self.arrays.files if "/" in name)
        self.weights = {name.replace("/", ".", 1): self[name] for name in names}
        self.predictor = dino_wm.predictor(self.config).eval()
        self.predictor.load_state_dict(self.weights)
        #: The predictor on the model's own states (B, K, p) and actions (B, K, a) instead of 7-D ones.
        self.raw = copy.deepcopy(self.predictor)
        self.raw.proprio_adapter = self.raw.action_adapter = torch.nn.Identity()

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])

    def split(self, fused: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Patches (..., P, Dv), and the embeddings of state and action as the first patch holds them."""
        visual, proprio, action = (
            self.config.latent_shape[1],
            self.config.proprio_embedding,
            self.config.action_embedding,
        )
        patches, states, actions = fused.split([visual, proprio, action], -1)
        return patches, states[..., 0, :], actions[..., 0, :]

    def with_actions(self, fused: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Fused latents (B, K, P, D) with the embedding of other actions (B, K, a) on every patch."""
        embedding = self.predictor.action_encoder(actions)[:, :, None].expand(-1, -1, fused.shape[2], -1)
        return torch.cat([fused[..., : -embedding.shape[-1]], embedding], -1)

    def rollout(self, frames: int, actions: torch.Tensor) -> torch.Tensor:
        """Upstream's rollout from the first observed frames of sample 0: all fused latents (S, n + ..., P, D)."""
        samples = len(actions)
        seen, proprio = (self[name][:1, :frames].expand(samples, -1, *self[name].shape[2:]) for name in OBSERVED)
        fused = self.predictor.fuse(seen, proprio, actions[:, :frames])
        for step in range(frames, actions.shape[1] + 1):
            following = self.predictor.predictor(fused[:, -self.config.history :])[:, -1:]
            if step < actions.shape[1]:
                following = self.with_actions(following, actions[:, step : step + 1])
            fused = torch.cat([fused, following], 1)
        return fused


OBSERVED = ("visual_tokens", "proprio")


@pytest.fixture(scope="module", name="ref")
def reference() -> Reference:
    return Reference()


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def assert_near(found: torch.Tensor, wanted: torch.Tensor, atol: float = TOLERANCE) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), atol=atol, rtol=0)


# --- the predictor ---------------------------------------------------------------------------------------------------


def test_embeddings_and_fused_latent(ref):
    assert_near(ref.predictor.proprio_encoder(ref["proprio"]), ref["proprio_emb"])
    assert_near(ref.predictor.proprio_encoder(ref["goal_proprio"]), ref["goal_proprio_emb"])
    assert_near(ref.predictor.action_encoder(ref["actions"]), ref["action_emb"])
    assert_near(ref.predictor.fuse(ref["visual_tokens"], ref["proprio"], ref["actions"]), ref["z"])


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_predictor(ref, frames):
    wanted = ref[f"pred_T{frames}"]
    assert_near(ref.predictor.predictor(ref["z"][:, :frames]), wanted)
    window = (ref[name][:, :frames] for name in (*OBSERVED, "actions"))
    assert_near(ref.raw(*window), ref.split(wanted)[0][:, -1])


def test_channels_and_replaced_actions(ref):
    found = ref.predictor.predictor(ref["z"])
    for part, name in zip(ref.split(found), ("visual", "proprio", "action"), strict=True):
        assert_near(part, ref[f"pred_{name}"])
    assert_near(ref.with_actions(found, ref["replace_actions"]), ref["replaced"])


def test_mask(ref):
    """Nothing of a later frame reaches an earlier one, and within a frame each patch sees each."""
    tokens = ref.config.latent_shape[0]
    mask = ref.predictor.predictor.mask(3, tokens)
    frame = torch.arange(3 * tokens) // tokens
    assert torch.equal(mask, frame[:, None] >= frame[None])
    z = ref["z"].clone()
    z[:, 2] += 1.0
    assert_near(ref.predictor.predictor(z)[:, :2], ref["pred_T3"][:, :2], 1e-6)


@pytest.mark.parametrize("frames", [1, 2])
def test_upstream_rollout_and_cost(ref, frames):
    found = ref.rollout(frames, ref[f"roll_n{frames}_actions"])
    assert_near(found, ref[f"roll_n{frames}_z"])
    visual, proprio, _ = ref.split(found)
    assert_near(visual, ref[f"roll_n{frames}_visual"])
    assert_near(proprio, ref[f"roll_n{frames}_proprio"])
    patches = energy(visual[:, -1], ref["goal_visual_tokens"][0, 0])
    states = (proprio[:, -1] - ref["goal_proprio_emb"][0, 0]).square().mean(-1)
    for alpha in ref.settings["alphas"]:
        assert_near(patches + alpha * states, ref[f"roll_n{frames}_cost_last_alpha{alpha}"])


def test_rollout_of_this_package(ref):
    """It knows the state instead of predicting its embedding, the one difference from upstream. The first predicted
    frame is upstream's. With random weights what upstream predicts of the state is noise, 0.9 to 1.6 times the spread
    of the embeddings, and later frames are 26 to 70 % of the patches' spread apart: the worst case, not the usual one.
    """
    actions, wanted = ref["roll_n2_actions"], ref["roll_n2_visual"]
    samples, seen = len(actions), 2
    latents = ref["visual_tokens"][:1, :seen].expand(samples, -1, -1, -1)
    # Held still, for want of states that belong to these actions.
    states = torch.cat([ref["proprio"][:1, :seen], ref["proprio"][:1, seen - 1 : seen].expand(-1, 4, -1)], 1)
    states = states.expand(samples, -1, -1)
    for step in range(seen - 1, actions.shape[1]):
        window = slice(max(0, step + 1 - ref.config.history), step + 1)
        following = ref.raw(latents[:, window], states[:, window], actions[:, window])
        latents = torch.cat([latents, following[:, None]], 1)
    assert latents.shape == wanted.shape
    assert_near(latents[:, : seen + 1], wanted[:, : seen + 1])
    apart = [float((latents[:, k] - wanted[:, k]).std() / wanted[:, k].std()) for k in range(seen + 1, wanted.shape[1])]
    assert all(0.1 < value < 0.8 for value in apart), apart


@pytest.mark.parametrize("error", [0.01, 0.1])
def test_what_an_error_in_the_embedded_state_costs(ref, error):
    """About half of it, each as a share of its own spread: so much does upstream lose to a state that it predicts
    wrongly, and so far is a rollout here from one of upstream."""
    z, part = ref["z"].clone(), slice(ref.config.encoder_width, -ref.config.action_embedding)
    before = ref.split(ref.predictor.predictor(z))[0]
    noise = torch.randn(2, 3, 1, ref.config.proprio_embedding, generator=torch.Generator().manual_seed(0))
    z[..., part] += error * ref["proprio_emb"].std() * noise
    moved = (ref.split(ref.predictor.predictor(z))[0] - before).std() / before.std()
    assert 0.3 * error < float(moved) < 0.8 * error


def test_states_and_actions_in_si_units(ref):
    states, actions = torch.rand(2, 3, 7), 0.02 * torch.randn(2, 3, 7)
    p, a = ref.config.proprio, ref.config.actions
    own_states = (states[..., list(p.dims)] - torch.tensor(p.mean)) / torch.tensor(p.std)
    own_actions = (actions[..., [1, 0]] / a.frameskip - torch.tensor(a.mean)) / torch.tensor(a.std)
    wanted = ref.raw(ref["visual_tokens"], own_states, own_actions.repeat(1, 1, a.frameskip))
    assert_near(ref.predictor(ref["visual_tokens"], states, actions), wanted)
    assert not torch.allclose(ref.predictor(ref["visual_tokens"], states + 0.1, actions), wanted, atol=1e-3)


def test_a_window_beyond_the_history_is_refused(ref):
    with pytest.raises(ValueError, match="longer than the model's history of 3"):
        ref.predictor(torch.zeros(1, 4, 9, 32), torch.zeros(1, 4, 7), torch.zeros(1, 4, 7))


# --- the encoder -----------------------------------------------------------------------------------------------------


def random_encoder(settings: Config) -> dino_wm.Encoder:
    """All parameters random, so that none hides a mistake by being 0 or 1."""
    torch.manual_seed(0)
    model = dino_wm.encoder(settings).eval()
    for weights in model.parameters():
        weights.copy_(weights + 0.1 * torch.randn_like(weights))
    return model


def transformers_names(state: dict[str, torch.Tensor], known: set[str]) -> dict[str, torch.Tensor]:
    """DINOv2's own names to those of transformers, version 5 or 4, which splits queries, keys and values."""
    five = any("attention.q_proj" in name for name in known)
    attention = ["attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"]
    if not five:
        attention = [*(f"attention.attention.{kind}" for kind in ("query", "key", "value")), "attention.output.dense"]
    table = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "mask_token": "embeddings.mask_token",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "attn.proj": attention[3],
        "ls1.gamma": "layer_scale1.lambda1",
        "ls2.gamma": "layer_scale2.lambda1",
    }
    out = {}
    for name, tensor in state.items():
        name = "layernorm" + name[4:] if name.startswith("norm.") else name.replace("blocks.", "encoder.layer.")
        for ours, theirs in table.items():
            name = name.replace(ours, theirs)
        if "attn.qkv" in name:
            for kind, part in zip(attention, tensor.chunk(3), strict=False):
                out[name.replace("attn.qkv", kind)] = part
        else:
            out[name] = tensor
    return out


@pytest.mark.parametrize("side", [3, 5])
def test_encoder_against_transformers(ref, side):
    """Also for an image larger than the position embedding was made for."""
    transformers = pytest.importorskip("transformers")
    settings = dataclasses.replace(ref.config, image_px=14 * side)
    model = random_encoder(dataclasses.replace(ref.config, image_px=14 * 3))
    state = model.state_dict()
    other = transformers.Dinov2Model(
        transformers.Dinov2Config(
            hidden_size=settings.encoder_width,
            num_hidden_layers=settings.encoder_depth,
            num_attention_heads=settings.encoder_heads,
            mlp_ratio=2,
            image_size=14 * 3,
            patch_size=14,
        )
    ).eval()
    other.load_state_dict(transformers_names(state, set(other.state_dict())))
    ours = dino_wm.encoder(settings).eval()
    ours.load_state_dict(state | {"pos_embed": stretch_positions(state["pos_embed"], side, offset=0.0)})
    images = torch.randn(2, 3, settings.image_px, settings.image_px)
    found = ours(images)
    assert found.shape[1:] == settings.latent_shape
    assert_near(found, other(images).last_hidden_state[:, 1:], 2e-5)


def test_stretched_positions():
    """The published table, 37 x 37, at 14 x 14: sampled at (i + 0.5) * 37 / 14.1 - 0.5, which a plane shows."""
    rows = torch.arange(37.0)
    plane = torch.stack([rows[:, None].expand(-1, 37), rows.expand(37, -1)], -1).view(1, -1, 2)
    table = torch.cat([torch.tensor([[[7.0, 8.0]]]), plane], 1)
    for offset in (0.0, 0.1):
        found = stretch_positions(table, 14, offset)
        assert found.shape == (1, 197, 2) and torch.equal(found[:, 0], table[:, 0])
        at = (torch.arange(14.0) + 0.5) * 37 / (14 + offset) - 0.5
        wanted = torch.stack([at[:, None].expand(-1, 14), at.expand(14, -1)], -1).view(1, -1, 2)
        # But for its rim a plane stays one, to 0.05: the kernel is not exact on it. The two rasters are 0.25 apart.
        inner = (found[:, 1:] - wanted).view(14, 14, 2)[1:-1, 1:-1]
        assert float(inner.abs().max()) < 0.06
    assert torch.equal(stretch_positions(table, 14), stretch_positions(table, 14, dino_wm.INTERPOLATE_OFFSET))
    assert stretch_positions(table, 37) is table


# --- sizes, precision, other runtimes --------------------------------------------------------------------------------


def test_full_size():
    with torch.device("meta"):
        encoder, predictor = dino_wm.encoder(Config(image_px=518)), dino_wm.predictor(Config())
        assert dino_wm.encoder(Config())(torch.empty(2, 3, 196, 196)).shape == (2, *Config().latent_shape)
    assert sum(weights.numel() for weights in encoder.parameters()) == 22_056_576  # dinov2_vits14
    assert Config().latent_shape == (196, 384) and Config().predictor_width == 404
    assert predictor.predictor.pos_embedding.shape == (1, 3 * 196, 404)


def test_config_is_plain_data(ref):
    for given in (Config(), ref.config):
        assert config.from_dict(Config, dataclasses.asdict(given)) == given


@pytest.mark.parametrize("settings", [{"image_px": 200}, {"patch_px": 0}, {"history": 0}, {"encoder_heads": 5}])
def test_sizes_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        config.from_dict(Config, settings)


@pytest.mark.parametrize(("dtype", "worst"), [(torch.bfloat16, 4e-2), (torch.float16, 6e-3)])
def test_half_precision(ref, dtype, worst):
    """Inputs and outputs stay float32; the bound is relative to the largest value."""
    found = copy.deepcopy(ref.raw).to(dtype)(*(ref[name] for name in (*OBSERVED, "actions")))
    wanted = ref["pred_visual"][:, -1]
    assert found.dtype == torch.float32
    assert_near(found, wanted, worst * float(wanted.abs().max()))
    encoder, images = random_encoder(ref.config), torch.randn(2, 3, ref.config.image_px, ref.config.image_px)
    exact = encoder(images)
    latent = encoder.to(dtype)(images)
    assert latent.dtype == torch.float32
    assert_near(latent, exact, worst * float(exact.abs().max()))


def test_built_without_memory(ref):
    """A back end may build on the meta device and assign the weights as the file has them."""
    with torch.device("meta"):
        predictor = build("dino_wm", "predictor", dataclasses.asdict(ref.config))
    predictor.load_state_dict(ref.weights, assign=True)
    window = ref["visual_tokens"], torch.rand(2, 3, 7), 0.02 * torch.randn(2, 3, 7)
    assert torch.equal(predictor(*window), ref.predictor(*window))


def export(
    module: torch.nn.Module, path: Path, inputs: dict[str, torch.Tensor], free: int
) -> onnxruntime.InferenceSession:
    """The module as ONNX, the first ``free`` axes of every input being dynamic."""
    program = torch.onnx.export(
        module,
        tuple(inputs.values()),
        dynamo=True,
        opset_version=20,
        input_names=list(inputs),
        dynamic_shapes=tuple(dict.fromkeys(range(free), torch.export.Dim.DYNAMIC) for _ in inputs),
        verbose=False,
    )
    program.save(str(path))
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def relative(session: onnxruntime.InferenceSession, module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> float:
    """Largest difference of a session from the module, relative to the largest value."""
    wanted = module(*inputs.values()).numpy()
    (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def test_encoder_as_onnx(ref, tmp_path):
    model, images = random_encoder(ref.config), 0.5 * torch.randn(300, 3, ref.config.image_px, ref.config.image_px)
    session = export(model, tmp_path / "encoder.onnx", {"image": images[:2]}, 1)
    for batch in (1, 64, 300):
        assert relative(session, model, {"image": images[:batch]}) <= 2e-6


def test_predictor_as_onnx(ref, tmp_path):
    def window(batch: int, frames: int) -> dict[str, torch.Tensor]:
        latents = torch.randn(batch, frames, *ref.config.latent_shape)
        return {
            "latents": latents,
            "states": torch.rand(batch, frames, 7),
            "actions": 0.05 * torch.randn(batch, frames, 7),
        }

    session = export(ref.predictor, tmp_path / "predictor.onnx", window(2, 2), 2)
    for batch in (1, 64, 300):
        for frames in range(1, ref.config.history + 1):
            assert relative(session, ref.predictor, window(batch, frames)) <= 2e-6
