"""V-JEPA 2-AC against values computed with the official code (facebookresearch/vjepa2) at a reduced size."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wm_core import config, pose
from wm_core.errors import ConfigError
from wm_models.architectures import build, vjepa2_ac
from wm_models.architectures.vjepa2_ac import Config, Sizes, energy, feature_norm, fold, integrate, official_shapes
from wm_models.bundle import PreprocessSpec
from wm_models.preprocess import preprocess

DATA = Path(__file__).parents[2] / "data"
#: A single forward pass, a rollout, and energies: ten times the rounding error of the official code.
FORWARD, ROLLOUT, ENERGY = 5e-5, 1e-4, 5e-6


class Reference:
    """The arrays of the fixture as tensors, its settings, and the model that it was computed with."""

    def __init__(self) -> None:
        self.arrays = np.load(DATA / "vjepa2_ac_public.npz")
        self.settings = json.loads(str(self.arrays["config_json"][0]))
        encoder, predictor = self.settings["encoder"], self.settings["predictor"]
        self.config = Config(
            image_px=encoder["img_size"],
            patch_px=encoder["patch_size"],
            encoder=Sizes(encoder["embed_dim"], encoder["depth"], encoder["num_heads"], encoder["mlp_hidden_dim"]),
            predictor=Sizes(
                predictor["predictor_embed_dim"],
                predictor["depth"],
                predictor["num_heads"],
                predictor["mlp_hidden_dim"],
            ),
            history=predictor["num_frames"] // predictor["tubelet_size"],
            norm_eps=encoder["ln_eps"],
        )
        self.encoder = vjepa2_ac.encoder(self.config).eval()
        self.predictor = vjepa2_ac.predictor(self.config).eval()
        self.encoder.load_state_dict(self.weights("encoder"))
        self.predictor.load_state_dict(self.weights("predictor"))

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])

    def weights(self, part: str) -> dict[str, torch.Tensor]:
        """Official weights, the patch embedding folded."""
        state = {name.removeprefix(f"{part}/"): self[name] for name in self.arrays.files if name.startswith(f"{part}/")}
        patch = "patch_embed.proj.weight"
        return state if part == "predictor" else state | {patch: fold(state[patch])}

    def window(self, frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The first frames of the predictor's inputs: latents, states, actions."""
        states, actions = self["pred_states"][:, :frames], self["pred_actions"][:, :frames]
        latents = self["enc_tokens"].view(len(states), -1, *self["enc_tokens"].shape[1:])[:, :frames]
        return latents, states, actions


@pytest.fixture(scope="module", name="ref")
def reference() -> Reference:
    return Reference()


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def assert_near(found: torch.Tensor | np.ndarray, wanted: torch.Tensor | np.ndarray, atol: float) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), atol=atol, rtol=0)


def assert_same_poses(found: torch.Tensor, wanted: torch.Tensor, atol: float = 2e-6) -> None:
    d = (found - wanted).double()
    d[..., 3:6] = torch.remainder(d[..., 3:6] + math.pi, 2 * math.pi) - math.pi
    assert float(d.abs().max()) <= atol


def test_encoder(ref):
    tokens = ref.encoder.tokens(ref["enc_frames"])
    assert_near(tokens, ref["enc_tokens_prenorm"], FORWARD)
    assert_near(feature_norm(tokens), ref["enc_tokens"], FORWARD)
    assert_near(ref.encoder(ref["enc_frames"]), ref["enc_tokens"], FORWARD)
    assert tokens.shape[1:] == ref.config.latent_shape


def test_from_a_raw_frame_to_a_latent(ref):
    px = ref.config.image_px
    image = torch.from_numpy(preprocess(ref["prep_wide_raw"].numpy()[None], PreprocessSpec(px, px)))
    assert_near(image[0], ref["prep_small_wide_train"], 1e-4)
    assert_near(ref.encoder(image)[0], ref["e2e_tokens"], FORWARD)
    assert_near(ref.encoder(ref["prep_small_wide_train"][None])[0], ref["e2e_tokens"], FORWARD)


@pytest.mark.parametrize(("raw", "size"), [("wide", 256), ("4x3", 256), ("small_wide", 64)])
@pytest.mark.parametrize("crop", ["train", "square"])
def test_preprocessing(ref, raw, size, crop):
    spec = PreprocessSpec(size, size) if crop == "train" else PreprocessSpec(size, size, 1.0, 1.0)
    image = preprocess(ref[f"prep_{raw.removeprefix('small_')}_raw"].numpy()[None], spec)[0]
    step = ref.settings["prep_stride"] if size == ref.settings["prep_size"] else 1
    assert_near(image[:, ::step, ::step], ref[f"prep_{raw}_{crop}"], 1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_predictor(ref, frames):
    latents, states, actions = ref.window(frames)
    raw = ref.predictor.head(ref.predictor.hidden(latents, ref.predictor.conditions(states, actions)))
    assert_near(raw.flatten(1, 2), ref[f"pred_T{frames}_raw"], FORWARD)
    assert_near(feature_norm(raw).flatten(1, 2), ref[f"pred_T{frames}_ln"], FORWARD)
    last = ref[f"pred_T{frames}_ln"].unflatten(1, (frames, -1))[:, -1]
    assert_near(ref.predictor(latents, states, actions), last, FORWARD)


def test_predictor_with_a_third_condition(ref):
    """Upstream's camera extrinsics, which the released model does not use: the weights and the sequence are right."""
    latents, states, actions = ref.window(3)
    camera = ref.predictor.extrinsics_encoder(ref["pred_extrinsics"])[:, :, None]
    conditions = torch.cat([ref.predictor.conditions(states, actions), camera], 2)
    raw = ref.predictor.head(ref.predictor.hidden(latents, conditions))
    assert_near(raw.flatten(1, 2), ref["pred_ext_T3_raw"], FORWARD)


def test_mask(ref):
    tokens = 2 + ref.config.latent_shape[0]
    np.testing.assert_array_equal(ref.predictor.mask(2, tokens), ref["attn_mask_T2"].bool())


def test_steps_with_a_cache_equal_the_window(ref):
    latents, states, actions = ref.window(3)
    cache = ref.predictor.cache(len(latents), 3)
    for k in range(3):
        found, cache = ref.predictor.step(latents[:, k], states[:, k], actions[:, k], cache)
        assert cache.frames == k + 1
        assert_near(found, ref.predictor(latents[:, : k + 1], states[:, : k + 1], actions[:, : k + 1]), 5e-6)


def test_rollout(ref):
    start, actions = ref["roll_reps"][0, 0], ref["roll_actions"]
    latents, states = ref.predictor.rollout(start, ref["roll_pose0"], actions)
    assert_near(latents, ref["roll_reps"][:, 1:], ROLLOUT)
    assert_same_poses(states, ref["roll_poses"][:, 1:])
    assert_near(energy(latents, ref["roll_goal"]), ref["roll_energy_steps"], ENERGY)
    assert_near(energy(latents, ref["roll_goal"])[:, -1], ref["roll_energy"], ENERGY)
    # A start for each sample, and from windows instead of a cache.
    again, _ = ref.predictor.rollout(ref["roll_reps"][:, 0], ref["roll_poses"][:, 0], actions)
    assert_near(again, latents, 5e-6)
    for k in range(3):
        window = torch.cat([ref["roll_reps"][:, :1], latents[:, :k]], 1)
        assert_near(ref.predictor(window, ref["roll_poses"][:, : k + 1], actions[:, : k + 1]), latents[:, k], ROLLOUT)
    # One step needs no cache.
    assert_near(ref.predictor.rollout(start, ref["roll_pose0"], actions[:, :1])[0], latents[:, :1], 5e-6)


def test_planner(ref):
    """Upstream's cross-entropy method with its own draws, on this model."""
    cem = ref.settings["cem"]
    limit = torch.tensor([cem["maxnorm"]] * 3 + [0.75])
    keep_mean = torch.tensor([cem["momentum_mean"]] * 3 + [cem["momentum_mean_gripper"]])
    keep_std = torch.tensor([cem["momentum_std"]] * 3 + [cem["momentum_std_gripper"]])
    mean = torch.zeros(cem["rollout"], 4)
    std = torch.tensor([cem["maxnorm"]] * 3 + [1.0]).expand(cem["rollout"], -1)
    for noise, wanted in zip(ref["cem_noise"], ref["cem_energies"], strict=True):
        draws = (noise.movedim(0, 1) * std + mean).clamp(-limit, limit)
        actions = torch.cat([draws[..., :3], torch.zeros(*draws.shape[:2], 3), draws[..., 3:]], -1)
        latents, _ = ref.predictor.rollout(ref["enc_tokens"][0], ref["roll_pose0"], actions)
        energies = energy(latents[:, -1], ref["roll_goal"])
        assert_near(energies, wanted, ENERGY)
        best = draws[energies.argsort()[: cem["topk"]]]
        mean = (1 - keep_mean) * best.mean(0) + keep_mean * mean
        std = (1 - keep_std) * best.std(0) + keep_std * std
    gripper = torch.where(mean[:, 3:].abs() < 0.25, 0.0, mean[:, 3:])
    assert_near(torch.cat([mean[:, :3], torch.zeros(cem["rollout"], 3), gripper], -1), ref["cem_action"], 1e-5)


def test_integrated_poses(ref):
    found = integrate(ref["pose_step_in"], ref["pose_step_action"])
    assert_same_poses(found, ref["pose_step_out"])
    assert_same_poses(found, torch.from_numpy(pose.integrate(ref["pose_step_in"], ref["pose_step_action"])))
    steps = integrate(ref["diff_poses"][:-1], ref["diff_actions"])
    assert_same_poses(steps, ref["diff_poses"][1:])
    assert_near(pose.difference(ref["diff_poses"][:-1], ref["diff_poses"][1:]), ref["diff_actions"], 2e-6)
    still = torch.tensor([0.4, 0.0, 0.3, math.pi, 0.1, -3.0, 0.5])
    assert torch.equal(integrate(still, torch.zeros(7)), still)


def test_a_locked_pose_keeps_its_rotation():
    """At a pitch of +-pi/2 the angles may differ, but not the rotation that they stand for."""
    states = torch.tensor(
        [[0.0, 0.0, 0.0, 0.7, sign * math.pi / 2, yaw, 0.0] for sign in (1, -1) for yaw in (0.0, 0.4)]
    )
    actions = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.0]).expand(4, -1)
    found = pose.euler_to_matrix(integrate(states, actions)[:, 3:6])
    wanted = pose.euler_to_matrix(actions[:, 3:6]) @ pose.euler_to_matrix(states[:, 3:6])
    assert_near(found, wanted, 2e-6)


# --- other layouts, precisions and sizes -----------------------------------------------------------------------------


def small(**changes) -> Config:
    return Config(32, 16, Sizes(24, 2, 2, 32), Sizes(16, 2, 2, 24), **changes)


def test_full_size():
    lines = [
        line.split(" ", 2) for line in (DATA / "vjepa2_ac_full_keys.txt").read_text().splitlines() if line[0] != "#"
    ]
    wanted: dict[str, dict[str, tuple[int, ...]]] = {"encoder": {}, "predictor": {}}
    for part, name, shape in lines:
        wanted[part][name] = tuple(int(size) for size in shape.strip("()").split(",") if size)
    found = official_shapes(Config())
    assert found == wanted
    totals = {part: sum(map(math.prod, shapes.values())) for part, shapes in found.items()}
    assert totals == {"encoder": 1_012_173_952, "predictor": 305_220_992}


def test_shapes_can_be_found_without_computing():
    with torch.device("meta"):
        encoder, predictor = vjepa2_ac.encoder(Config()), vjepa2_ac.predictor(Config())
        latent = encoder(torch.empty(2, 3, 256, 256))
        following = predictor(latent[:, None].expand(-1, 3, -1, -1), torch.empty(2, 3, 7), torch.empty(2, 3, 7))
    assert latent.shape == following.shape == (2, *Config().latent_shape)


def test_config_is_plain_data():
    for given in (Config(), small(state_token=False, history=2)):
        assert config.from_dict(Config, dataclasses.asdict(given)) == given
    assert Config().latent_shape == (256, 1408)


@pytest.mark.parametrize(
    "settings",
    [
        {"image_px": 250},
        {"patch_px": 0},
        {"history": 0},
        {"norm_eps": 0.0},
        {"encoder": {"width": 64, "depth": 1, "heads": 3, "hidden": 8}},
        {"encoder": {"width": 6, "depth": 1, "heads": 2, "hidden": 8}},
        {"predictor": {"width": 64, "depth": 0, "heads": 2, "hidden": 8}},
    ],
)
def test_sizes_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        config.from_dict(Config, settings)


def test_without_a_state_token():
    torch.manual_seed(0)
    model = build("vjepa2_ac", "predictor", dataclasses.asdict(small(state_token=False, extrinsics_weight=False)))
    assert not [name for name in model.state_dict() if name.startswith(("state_encoder", "extrinsics_encoder"))]
    latents, states, actions = torch.randn(2, 3, 4, 24), torch.randn(2, 3, 7), torch.randn(2, 3, 7)
    found = model(latents, states, actions)
    assert torch.equal(found, model(latents, states + 1.0, actions))
    assert not torch.allclose(found, model(latents, states, actions + 1.0), atol=1e-3)
    rolled, _ = model.rollout(latents[:, 0], states[:, 0], actions)
    window = torch.cat([latents[:, :1], rolled[:, :2]], 1)
    assert_near(rolled[:, 2], model(window, states, actions), 5e-6)


def test_a_window_beyond_the_history_is_refused():
    model = build("vjepa2_ac", "predictor", dataclasses.asdict(small(history=2)))
    latents, sevens = torch.zeros(1, 3, 4, 24), torch.zeros(1, 3, 7)
    with pytest.raises(ValueError, match="longer than the model's history of 2"):
        model(latents, sevens, sevens)
    with pytest.raises(ValueError, match="longer than the model's history of 2"):
        model.rollout(latents[0, 0], sevens[0, 0], sevens)
    _, full = model.step(latents[:, 0], sevens[:, 0], sevens[:, 0], model.cache(1, 1))
    with pytest.raises(ValueError, match="no room for another frame"):
        model.step(latents[:, 0], sevens[:, 0], sevens[:, 0], full)


@pytest.mark.parametrize(("dtype", "worst"), [(torch.bfloat16, 6e-2), (torch.float16, 6e-3)])
def test_half_precision(ref, dtype, worst):
    """Inputs and outputs stay float32; the bound is on the largest difference, for latents of unit variance."""
    encoder = vjepa2_ac.encoder(ref.config).eval()
    predictor = vjepa2_ac.predictor(ref.config).eval()
    encoder.load_state_dict(ref.weights("encoder"))
    predictor.load_state_dict(ref.weights("predictor"))
    encoder.to(dtype)
    predictor.to(dtype)
    latent = encoder(ref["enc_frames"])
    assert latent.dtype == torch.float32
    assert_near(latent, ref["enc_tokens"], worst)
    found = predictor(*ref.window(3))
    assert found.dtype == torch.float32
    assert_near(found, ref["pred_T3_ln"].unflatten(1, (3, -1))[:, -1], worst)
    latents, states = predictor.rollout(ref["enc_tokens"][0], ref["roll_pose0"], ref["roll_actions"])
    assert latents.dtype == states.dtype == torch.float32
    assert_same_poses(states, ref["roll_poses"][:, 1:])
    assert_near(energy(latents, ref["roll_goal"]), ref["roll_energy_steps"], worst / 10)


def test_weights_of_another_type_than_the_tables(ref):
    """A back end may build on the meta device and assign the weights as the file has them."""
    with torch.device("meta"):
        predictor = vjepa2_ac.predictor(ref.config).eval()
    half = {name: tensor.bfloat16() for name, tensor in ref.weights("predictor").items()}
    predictor.load_state_dict(half, assign=True)
    assert_near(predictor(*ref.window(2)), ref["pred_T2_ln"].unflatten(1, (2, -1))[:, -1], 6e-2)


class Recorder(TorchDispatchMode):
    """Names of all operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_rollout_never_waits_for_the_device(dtype):
    """No value is read by the host and none is sent from it, so that a CUDA graph can hold it all."""
    predictor = vjepa2_ac.predictor(small()).eval().to(dtype)
    latent, goal, actions = torch.randn(4, 24), torch.randn(4, 24), torch.randn(3, 2, 7)
    with Recorder() as recorder:
        energy(predictor.rollout(latent, torch.randn(7), actions)[0], goal)
    assert "linear" in recorder.names or "addmm" in recorder.names
    assert not recorder.names & {
        *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select"),
        *("lift_fresh", "lift_fresh_copy", "scalar_tensor", "arange", "full", "zeros", "ones", "_pin_memory"),
    }


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_rollout_in_a_cuda_graph(ref):
    predictor = vjepa2_ac.predictor(ref.config).eval()
    predictor.load_state_dict(ref.weights("predictor"))
    predictor.cuda()
    inputs = [ref[name].cuda() for name in ("enc_tokens", "roll_pose0", "roll_actions")]
    inputs[0] = inputs[0][0]
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        predictor.rollout(*inputs)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        latents, states = predictor.rollout(*inputs)
    graph.replay()
    assert_near(latents.cpu(), ref["roll_reps"][:, 1:], 1e-3)
    assert_same_poses(states.cpu(), ref["roll_poses"][:, 1:])


# --- other runtimes --------------------------------------------------------------------------------------------------


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
    images = 0.5 * torch.randn(300, 3, ref.config.image_px, ref.config.image_px)
    session = export(ref.encoder, tmp_path / "encoder.onnx", {"image": images[:2]}, 1)
    for batch in (1, 64, 300):
        assert relative(session, ref.encoder, {"image": images[:batch]}) <= 2e-6


def test_predictor_as_onnx(ref, tmp_path):
    def window(batch: int, frames: int) -> dict[str, torch.Tensor]:
        shapes = {"latents": ref.config.latent_shape, "states": (7,), "actions": (7,)}
        return {name: 0.5 * torch.randn(batch, frames, *shape) for name, shape in shapes.items()}

    session = export(ref.predictor, tmp_path / "predictor.onnx", window(2, 2), 2)
    for batch in (1, 64, 300):
        for frames in (1, 2, 3):
            assert relative(session, ref.predictor, window(batch, frames)) <= 2e-6


def test_encoder_agrees_with_transformers():
    """Random weights in Hugging Face's video encoder, which sees the frame twice."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = Sizes(48, 2, 2, 96)
    theirs = transformers.VJEPA2Model(
        transformers.VJEPA2Config(
            patch_size=16,
            crop_size=64,
            frames_per_clip=2,
            hidden_size=sizes.width,
            num_hidden_layers=sizes.depth,
            num_attention_heads=sizes.heads,
            mlp_ratio=sizes.hidden / sizes.width,
            pred_hidden_size=24,
            pred_num_attention_heads=2,
            pred_num_hidden_layers=1,
        )
    ).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    state = theirs.encoder.state_dict()
    for layer in range(sizes.depth):
        for kind in ("weight", "bias"):
            name = f"layer.{layer}.attention"
            fused = [state.pop(f"{name}.{part}.{kind}") for part in ("query", "key", "value")]
            state[f"{name}.qkv.{kind}"] = torch.cat(fused)
    spelling = (("embeddings.patch_embeddings", "patch_embed"), ("layernorm.", "norm."), ("attention.", "attn."))
    for old, new in (*spelling, ("layer.", "blocks.")):
        state = {name.replace(old, new): tensor for name, tensor in state.items()}
    state["patch_embed.proj.weight"] = fold(state["patch_embed.proj.weight"])
    ours = vjepa2_ac.encoder(Config(64, 16, encoder=sizes)).eval()
    ours.load_state_dict(state)
    image = torch.randn(2, 3, 64, 64)
    wanted = theirs(image[:, None].expand(-1, 2, -1, -1, -1), skip_predictor=True).last_hidden_state
    assert_near(ours.tokens(image), wanted, FORWARD)
