"""LeWorldModel against values computed with the official code (galilai-group/stable-worldmodel) at a reduced size."""

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
from wm_models.action_map import ActionMap
from wm_models.architectures import build, lewm
from wm_models.architectures.lewm import Config, energy

DATA = Path(__file__).parents[2] / "data"
#: A single forward pass, a rollout, and a goal cost: ten times the rounding error of the official code.
FORWARD, ROLLOUT, COST = 3e-5, 5e-5, 1e-3
ENCODER_PARTS = ("encoder.", "projector.")


class Reference:
    """The arrays of the fixture as tensors, its settings, and the model that it was computed with."""

    def __init__(self) -> None:
        self.arrays = np.load(DATA / "lewm_public.npz")
        self.settings = s = json.loads(str(self.arrays["config_json"][0]))
        image, step, action = s["encoder"], s["predictor"], s["action_encoder"]
        self.config = Config(
            image_px=image["image_size"],
            patch_px=image["patch_size"],
            encoder_width=image["hidden_size"],
            encoder_depth=image["num_hidden_layers"],
            encoder_heads=image["num_attention_heads"],
            encoder_hidden=image["intermediate_size"],
            norm_eps=image["layer_norm_eps"],
            latent_dim=s["embed_dim"],
            projector_hidden=s["proj_hidden_dim"],
            predictor_depth=step["depth"],
            predictor_heads=step["heads"],
            predictor_head_dim=step["dim_head"],
            predictor_hidden=step["mlp_dim"],
            history=s["history_size"],
            smoothed_dim=action["smoothed_dim"],
            action_hidden=action["mlp_scale"] * action["emb_dim"],
            dropout=step["dropout"],
            actions=ActionMap((0, 1), 5, (0.001, -0.002), (0.01, 0.02)),
        )
        self.encoder = lewm.encoder(self.config).eval()
        self.predictor = lewm.predictor(self.config).eval()
        self.encoder.load_state_dict(self.weights("encoder"))
        self.predictor.load_state_dict(self.weights("predictor"))
        #: The predictor on the model's own actions (B, K, A) instead of 7-D ones.
        self.raw = copy.deepcopy(self.predictor)
        self.raw.adapter = torch.nn.Identity()

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])

    def weights(self, part: str) -> dict[str, torch.Tensor]:
        """Official weights of a part under their official names."""
        names = (name for name in self.arrays.files if "/" in name)
        state = {name.replace("/", ".", 1): self[name] for name in names}
        return {n: t for n, t in state.items() if n.startswith(ENCODER_PARTS) == (part == "encoder")}

    def rollout(self, observed: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Embeddings (N, n, D) and actions (N, n - 1 + H, A) to all embeddings (N, n + H, D); the window slides."""
        latents, first = observed[:, :, None], observed.shape[1]
        for step in range(first - 1, actions.shape[1]):
            window = slice(max(0, step + 1 - self.config.history), step + 1)
            following = self.raw(latents[:, window], torch.empty(0), actions[:, window])
            latents = torch.cat([latents, following[:, None]], 1)
        return latents[:, :, 0]


@pytest.fixture(scope="module", name="ref")
def reference() -> Reference:
    return Reference()


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def assert_near(found: torch.Tensor, wanted: torch.Tensor, atol: float) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), atol=atol, rtol=0)


def test_encoder(ref):
    images = ref["pixels"].flatten(0, 1)
    assert_near(ref.encoder.encoder(images), ref["cls"].flatten(0, 1), FORWARD)
    latent = ref.encoder(images)
    assert latent.shape[1:] == ref.config.latent_shape
    assert_near(latent[:, 0], ref["emb"].flatten(0, 1), FORWARD)
    assert_near(ref.encoder(ref["goal_pixels"][:, 0]), ref["goal_emb"], FORWARD)


def test_action_encoder(ref):
    assert_near(ref.predictor.action_encoder(ref["actions"]), ref["act_emb"], FORWARD)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_predictor(ref, frames):
    latents, actions = ref["emb"][:, :frames, None], ref["actions"][:, :frames]
    wanted = ref[f"pred_T{frames}"]
    assert_near(ref.raw.predictions(latents, actions), wanted, FORWARD)
    assert_near(ref.raw(latents, torch.zeros(2, frames, 7), actions)[:, 0], wanted[:, -1], FORWARD)


@pytest.mark.parametrize(("name", "frames"), [("h1", 1), ("hfull", 3)])
def test_rollout_and_goal_cost(ref, name, frames):
    assert frames in (1, ref.config.history)
    candidates = ref["roll_candidates"]
    batch, samples = candidates.shape[:2]
    executed = ref["actions"][:, None, : frames - 1].expand(-1, samples, -1, -1)
    observed = ref["emb"][:, None, :frames].expand(-1, samples, -1, -1)
    found = ref.rollout(observed.flatten(0, 1), torch.cat([executed, candidates], 2).flatten(0, 1))
    found = found.unflatten(0, (batch, samples))
    assert_near(found, ref[f"roll_{name}_emb"], ROLLOUT)
    # Upstream sums the squares, a bundle's energy is their mean.
    goal = ref["goal_emb"][:, None]
    cost = ref.config.latent_dim * energy(found[:, :, -1:], goal)
    assert_near(cost, ref[f"roll_{name}_cost"], COST)


def test_actions_in_si_units(ref):
    """The 7-D action is shared among the sub-actions and z-scored; what the model does not know changes nothing."""
    actions = 0.02 * torch.randn(2, 3, 7)
    mapping = ref.config.actions
    z = (actions[..., :2] / mapping.frameskip - torch.tensor(mapping.mean)) / torch.tensor(mapping.std)
    latents, states = ref["emb"][:, :, None], torch.randn(2, 3, 7)
    wanted = ref.raw(latents, states, z.repeat(1, 1, mapping.frameskip))
    assert_near(ref.predictor(latents, states, actions), wanted, FORWARD)
    other = torch.cat([actions[..., :2], torch.randn(2, 3, 5)], -1)
    assert torch.equal(ref.predictor(latents, states + 1.0, other), ref.predictor(latents, states, actions))


# --- sizes, training, precision --------------------------------------------------------------------------------------


def small(**changes) -> Config:
    sizes = {
        **{"image_px": 16, "patch_px": 8, "encoder_width": 24, "encoder_depth": 1, "encoder_hidden": 32},
        **{"latent_dim": 16, "projector_hidden": 32, "predictor_depth": 2, "predictor_heads": 4},
        **{"predictor_head_dim": 8, "predictor_hidden": 32, "action_hidden": 32, "actions": ActionMap()},
    }
    return Config(**(sizes | changes))


def test_full_size():
    with torch.device("meta"):
        published = Config(actions=ActionMap((0, 1), 5, (0.0,) * 2, (1.0,) * 2))
        parts = lewm.encoder(published), lewm.predictor(published)
        assert parts[0](torch.empty(2, 3, 224, 224)).shape == (2, *published.latent_shape)
    total = sum(weights.numel() for part in parts for weights in part.parameters())
    assert total == 18_034_478
    assert len([name for part in parts for name in part.state_dict()]) == 303


def test_config_is_plain_data():
    for given in (Config(), small(actions=ActionMap((0, 6), 2, (0.0, 0.1), (0.1, 1.0)))):
        assert config.from_dict(Config, dataclasses.asdict(given)) == given


@pytest.mark.parametrize(
    "settings",
    [{"image_px": 220}, {"patch_px": 0}, {"history": 0}, {"encoder_heads": 5}, {"dropout": 1.0}, {"norm_eps": 0.0}],
)
def test_sizes_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        config.from_dict(Config, settings)


def test_a_window_beyond_the_history_is_refused():
    model = build("lewm", "predictor", dataclasses.asdict(small(history=2)))
    with pytest.raises(ValueError, match="longer than the model's history of 2"):
        model(torch.zeros(1, 3, 1, 16), torch.zeros(1, 3, 7), torch.zeros(1, 3, 7))


def test_fresh_blocks_hand_on_what_they_get():
    """adaLN-zero: an untrained predictor ignores the action, and its blocks do nothing yet."""
    torch.manual_seed(0)
    model = lewm.predictor(small()).eval()
    x, actions = torch.randn(2, 3, 16), torch.randn(2, 3, 7)
    block = model.predictor.transformer.layers[0]
    assert torch.equal(block(x, torch.randn(2, 3, 16), model.predictor.causal), x)
    assert torch.equal(model.predictions(x[:, :, None], actions), model.predictions(x[:, :, None], 2 * actions))


def test_one_whole_head_has_no_output_projection():
    model = lewm.predictor(small(predictor_heads=1, predictor_head_dim=16)).eval()
    assert not [name for name in model.state_dict() if "to_out" in name]
    assert model(torch.randn(2, 2, 1, 16), torch.zeros(2, 2, 7), torch.zeros(2, 2, 7)).shape == (2, 1, 16)


@torch.enable_grad()
def test_trains():
    """In training mode, dropout and BatchNorm included, a linear motion of the latent is learned within seconds."""
    torch.manual_seed(0)
    settings = small(dropout=0.1, predictor_depth=1)
    encoder, predictor = lewm.encoder(settings).train(), lewm.predictor(settings).train()
    optimiser = torch.optim.AdamW([*encoder.parameters(), *predictor.parameters()], lr=3e-3)
    images, actions = torch.randn(8, 4, 3, 16, 16), torch.randn(8, 3, 7)
    losses = []
    for _ in range(40):
        latents = encoder(images.flatten(0, 1)).unflatten(0, (8, 4))
        found = predictor.predictions(latents[:, :-1].detach(), actions)
        assert found.shape == (8, 3, settings.latent_dim)
        loss = (found - latents[:, 1:, 0].detach()).square().mean() + (latents.mean() - 1.0) ** 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    unused = [n for part in (encoder, predictor) for n, p in part.named_parameters() if p.grad is None]
    assert not unused
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    assert predictor.pred_proj.net[1].num_batches_tracked == 40


@pytest.mark.parametrize(("dtype", "worst"), [(torch.bfloat16, 4e-2), (torch.float16, 6e-3)])
def test_half_precision(ref, dtype, worst):
    """Inputs and outputs stay float32; the bound is relative to the largest value."""
    encoder, predictor = copy.deepcopy(ref.encoder).to(dtype), copy.deepcopy(ref.raw).to(dtype)
    latents = encoder(ref["pixels"].flatten(0, 1))
    found = predictor(ref["emb"][:, :, None], torch.zeros(2, 3, 7), ref["actions"])
    assert latents.dtype == found.dtype == torch.float32
    assert_near(latents[:, 0], ref["emb"].flatten(0, 1), worst * float(ref["emb"].abs().max()))
    assert_near(found[:, 0], ref["pred_T3"][:, -1], worst * float(ref["pred_T3"].abs().max()))


def test_built_without_memory(ref):
    """A back end may build on the meta device and assign the weights as the file has them."""
    with torch.device("meta"):
        predictor = lewm.predictor(ref.config).eval()
    predictor.load_state_dict(ref.weights("predictor"), assign=True)
    window = ref["emb"][:, :, None], torch.zeros(2, 3, 7), 0.01 * torch.randn(2, 3, 7)
    assert torch.equal(predictor(*window), ref.predictor(*window))


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
    known = {entry.name for entry in session.get_inputs()}
    (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items() if name in known})
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
        return {name: 0.05 * torch.randn(batch, frames, *shape) for name, shape in shapes.items()}

    session = export(ref.predictor, tmp_path / "predictor.onnx", window(2, 2), 2)
    for batch in (1, 64, 300):
        for frames in range(1, ref.config.history + 1):
            assert relative(session, ref.predictor, window(batch, frames)) <= 2e-6


def test_a_half_precision_graph_has_no_sequences(tmp_path):
    """Which TensorRT does not read; the exporter takes them out of float32 graphs only."""
    model, latents, sevens = lewm.predictor(small()).eval().bfloat16(), torch.randn(2, 2, 1, 16), torch.randn(2, 2, 7)
    program = torch.onnx.export(
        model, (latents, sevens, sevens), dynamo=True, opset_version=20, optimize=False, verbose=False
    )
    operators = {node.op_type for node in program.model.graph.all_nodes()}
    assert "MatMul" in operators and not [name for name in operators if "Sequence" in name]
