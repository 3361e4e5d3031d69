from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from wm_core import pose
from wm_core.errors import BundleError, ConfigError
from wm_lab.search_bench import PAPER
from wm_models.architectures import conv_jepa, vjepa2_ac
from wm_models.backends import BackendError
from wm_models.backends.torch import Options
from wm_models.bundle import ActionSpec, BundleSpec, LatentSpec, PreprocessSpec
from wm_models.imagination import Proposed
from wm_models.imagination.base import Parts
from wm_models.imagination.device import Captured, DeviceImagination
from wm_planner.action_space import ActionSpace
from wm_planner.optimisers.cem import Cem

LOW, HIGH = (-0.075,) * 3 + (0.0,) * 3 + (-0.75,), (0.075,) * 3 + (0.0,) * 3 + (0.75,)
STATE = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.2, 0.5])
TOKENS, CHANNELS = 2, 7
EFFECT = np.random.default_rng(0).normal(size=(7, TOKENS * CHANNELS)).astype(np.float32)
ACTIONS = np.random.default_rng(1).uniform(LOW, HIGH, (48, 3, 7))


def make_spec(tokens=TOKENS, channels=CHANNELS, energy="l1", history=1) -> BundleSpec:
    return BundleSpec(
        name="made",
        architecture="none",
        licence="Apache-2.0",
        step_period_s=1.0,
        latent=LatentSpec(tokens, channels),
        preprocess=PreprocessSpec(16, 16),
        action=ActionSpec(LOW, HIGH),
        energy=energy,
        history=history,
    )


class Windowed(nn.Module):
    """The mean of the window's latents plus a linear effect of the last action; ``spoil`` makes some of them wrong."""

    def __init__(self, spoil=lambda latent: latent):
        super().__init__()
        self.effect = nn.Parameter(torch.from_numpy(EFFECT.copy()))
        self.spoil = spoil

    def forward(self, latents, states, actions):
        moved = (actions[:, -1] @ self.effect).view(-1, TOKENS, CHANNELS)
        return self.spoil(latents.mean(1) + moved)


class Flat(nn.Module):
    """As Windowed with one frame, and the state follows the action."""

    def __init__(self):
        super().__init__()
        self.inner = Windowed()

    def forward(self, latent, state, action):
        return self.inner(latent[:, None], state[:, None], action[:, None]), state + action


class OnlyForward(nn.Module):
    """A predictor without its shortcuts."""

    def __init__(self, predictor):
        super().__init__()
        self.predictor = predictor

    def forward(self, latents, states, actions):
        return self.predictor(latents, states, actions)


def numbers(seed=0, shape=(TOKENS, CHANNELS)):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def price(model, actions, now=None, goal=None, state=STATE):
    now, goal = (numbers(0) if now is None else now), (numbers(1) if goal is None else goal)
    return model.price(model.take(now), state, actions, model.take(goal))["goal"]


# --- against the official planner -------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def official():
    """Values of facebookresearch/vjepa2's planner at a small size, with a predictor that has its weights."""
    with np.load(Path(__file__).parents[2] / "data" / "vjepa2_ac_public.npz") as file:
        data = dict(file)
    told = json.loads(str(data["config_json"][0]))

    def sizes(part, width):
        return vjepa2_ac.Sizes(part[width], part["depth"], part["num_heads"], part["mlp_hidden_dim"])

    config = vjepa2_ac.Config(
        image_px=64,
        encoder=sizes(told["encoder"], "embed_dim"),
        predictor=sizes(told["predictor"], "predictor_embed_dim"),
    )
    weights = {k.removeprefix("predictor/"): torch.from_numpy(v) for k, v in data.items() if k.startswith("predictor/")}

    def predictor():
        module = vjepa2_ac.predictor(config).eval()
        module.load_state_dict(weights)
        return module

    return SimpleNamespace(
        data=data,
        cem=told["cem"],
        predictor=predictor,
        spec=make_spec(*config.latent_shape, history=config.history),
        now=data["enc_tokens"][0],
        goal=data["roll_goal"],
        state=data["roll_pose0"],
    )


@pytest.mark.parametrize("way", ["cache", "windows", "chunks"])
def test_a_search_with_the_settings_of_the_paper_is_that_of_the_official_planner(official, way):
    predictor = OnlyForward(official.predictor()) if way == "windows" else official.predictor()
    model = DeviceImagination(predictor, official.spec, memory_mb=0.5 if way == "chunks" else 1024.0)
    assert model.info()["rollout"] == ("windows" if way == "windows" else "cache")
    told, energies = official.cem, []
    assert (model._chunk(told["samples"], told["rollout"]) < 16) == (way == "chunks")
    now, goal, space = model.take(official.now), model.take(official.goal), ActionSpace(LOW, HIGH, deadband=0.0)

    def score(actions):
        energies.append(model.price(now, official.state, actions, goal)["goal"][:, -1])
        return energies[-1]

    problem = SimpleNamespace(
        space=space, horizon=told["rollout"], scale=np.array(HIGH), project=space.conform, score=score
    )
    config = replace(
        PAPER,
        samples=told["samples"],
        iterations=told["cem_steps"],
        elites=told["topk"],
        momentum=told["momentum_mean"],
        momentum_std=told["momentum_std"],
        momentum_gripper=told["momentum_mean_gripper"],
        momentum_std_gripper=told["momentum_std_gripper"],
    )
    noise = np.swapaxes(official.data["cem_noise"], 1, 2)
    found = Cem(config, lambda *_: (noise, np.zeros(noise.shape[:3]))).optimise(problem)
    np.testing.assert_allclose(energies[:-1], official.data["cem_energies"], rtol=0.0, atol=5e-6)
    answer = ActionSpace(LOW, HIGH).conform(found.actions)
    np.testing.assert_allclose(answer, official.data["cem_action"], rtol=0.0, atol=1e-5)


def test_imagined_latents_and_energies_are_the_official_ones(official):
    model = DeviceImagination(official.predictor(), official.spec)
    actions = official.data["roll_actions"]  # turns as well, and a gripper that reaches its stops
    energies = price(model, actions, official.now, official.goal, official.state)
    for steps in range(1, actions.shape[1] + 1):
        wanted = official.data["roll_energy_steps"][:, steps - 1]
        np.testing.assert_allclose(energies[:, steps - 1], wanted, rtol=0.0, atol=5e-6)
    for k, steps in ((0, 1), (1, 3)):
        foreseen = model.foresee(model.take(official.now), official.state, actions[k, :steps])
        np.testing.assert_allclose(model.show(foreseen), official.data["roll_reps"][k, steps], rtol=0.0, atol=1e-4)


def test_cached_keys_and_values_change_nothing(official):
    actions = official.data["roll_actions"]
    cached, plain = (
        price(DeviceImagination(predictor, official.spec), actions, official.now, official.goal, official.state)
        for predictor in (official.predictor(), OnlyForward(official.predictor()))
    )
    np.testing.assert_allclose(cached, plain, rtol=0.0, atol=1e-5)


def test_beyond_its_history_a_model_with_a_cache_slides_its_window(official):
    predictor = official.predictor()
    model = DeviceImagination(predictor, replace(official.spec, history=2))
    actions = official.data["roll_actions"][:2]
    latents, states = [np.stack([official.now] * 2)], [np.stack([official.state] * 2)]
    for k in range(3):
        window = slice(max(0, k - 1), k + 1)
        given = np.stack(latents[window], 1), np.stack(states[window], 1), actions[:, window]
        with torch.no_grad():
            latents.append(predictor(*(torch.from_numpy(np.float32(x)) for x in given)).numpy())
        states.append(pose.integrate(states[-1], actions[:, k]))
    for k in range(2):
        foreseen = model.show(model.foresee(model.take(official.now), official.state, actions[k, :3]))
        np.testing.assert_allclose(foreseen, latents[-1][k], rtol=0.0, atol=2e-5)


def test_in_bfloat16_the_energies_are_nearly_the_same(official):
    actions = np.random.default_rng(0).uniform(LOW, HIGH, (40, 1, 7))
    exact, rough = (
        DeviceImagination(official.predictor(), official.spec, Options(precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert rough.info()["precision"] == "bfloat16"
    a, b = (price(model, actions, official.now, official.goal, official.state)[:, 0] for model in (exact, rough))
    np.testing.assert_allclose(a, b, rtol=2e-2)
    assert np.corrcoef(a, b)[0, 1] > 0.8


# --- what it answers --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("predictor", [Windowed(), Flat()])
@pytest.mark.parametrize("energy", ["l1", "l2"])
def test_each_step_is_priced_by_its_distance_to_the_goal(predictor, energy):
    model = DeviceImagination(predictor, make_spec(energy=energy))
    away = numbers(0) + (np.float32(ACTIONS).cumsum(axis=1) @ EFFECT).reshape(48, 3, TOKENS, CHANNELS) - numbers(1)
    wanted = np.abs(away).mean((-2, -1)) if energy == "l1" else np.square(away).mean((-2, -1))
    np.testing.assert_allclose(price(model, ACTIONS), wanted, rtol=1e-4)
    here = np.abs(numbers(0) - numbers(1)).mean() if energy == "l1" else np.square(numbers(0) - numbers(1)).mean()
    assert model.distance(model.take(numbers(0)), model.take(numbers(1))) == pytest.approx(here, rel=1e-5)


def test_surprise_is_the_distance_to_what_was_foreseen():
    model = DeviceImagination(Flat(), make_spec())
    before, done = model.take(numbers(0)), ACTIONS[0, :1]
    assert model.surprise(before, STATE, done, model.foresee(before, STATE, done)) == pytest.approx(0.0, abs=1e-6)
    assert model.surprise(before, STATE, done, before) > 0.01


def test_conv_jepa_is_imagined_as_it_predicts():
    module = conv_jepa.Predictor(conv_jepa.Config(latent_dim=8, hidden_dim=16, blocks=1)).eval()
    nn.init.normal_(module.leave.weight, std=0.1)
    model = DeviceImagination(module, make_spec(1, 8, energy="l2"))
    actions, latent = np.random.default_rng(0).uniform(LOW, HIGH, (2, 7)), numbers(0, (1, 8))
    with torch.no_grad():
        z, s = torch.from_numpy(latent)[None], torch.from_numpy(np.float32(STATE))[None]
        for action in actions:
            z, s = module(z, s, torch.from_numpy(np.float32(action))[None])
    found = model.show(model.foresee(model.take(latent), STATE, actions))
    np.testing.assert_allclose(found, z[0].numpy(), atol=1e-6)


def test_a_term_of_the_bundle_prices_every_step():
    class Sum:
        io = SimpleNamespace(inputs={"latent": None, "goal": None}, outputs={"value": None})

        def infer(self, inputs):
            assert inputs["latent"].shape == inputs["goal"].shape
            return {"value": inputs["latent"].sum(axis=(1, 2)) + inputs["goal"].sum(axis=(1, 2))}

    asked = []
    parts = Parts(lambda part: asked.append(part) or Sum())
    model = DeviceImagination(Windowed(), make_spec(), memory_mb=0.01, parts=parts)
    model.need_term("critic")
    found = model.price(model.take(numbers(0)), STATE, ACTIONS, model.take(numbers(1)), ("critic", "goal"))
    imagined = numbers(0) + (np.float32(ACTIONS).cumsum(axis=1) @ EFFECT).reshape(48, 3, TOKENS, CHANNELS)
    np.testing.assert_allclose(found["critic"], imagined.sum((-2, -1)) + numbers(1).sum(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["goal"], price(model, ACTIONS), rtol=1e-6)
    assert asked == ["term_critic"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_is_not_finite_says_so_in_its_energies(value):
    model = DeviceImagination(Windowed(lambda latent: torch.full_like(latent, value)), make_spec())
    assert not np.isfinite(price(model, ACTIONS)).any()


@pytest.mark.parametrize("latent", [np.full((TOKENS, CHANNELS), np.nan), np.zeros((1, 3)), np.zeros((2, 7), int)])
def test_a_latent_that_is_none_is_refused(latent):
    with pytest.raises(ValueError, match="latent"):
        DeviceImagination(Windowed(), make_spec()).take(latent)


# --- how it runs ------------------------------------------------------------------------------------------------------
def test_chunks_change_nothing(official):
    whole, parts = (DeviceImagination(official.predictor(), official.spec, memory_mb=mb) for mb in (1e3, 0.7))
    assert whole._chunk(50, 1) == 50 and 1 < parts._chunk(50, 1) < 25
    actions = np.random.default_rng(0).uniform(LOW, HIGH, (50, 1, 7))
    a, b = (price(model, actions, official.now, official.goal, official.state) for model in (whole, parts))
    np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-6)


class Watch(TorchDispatchMode):
    """Refuses whatever makes the host wait for a value."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal.default", "unique", "item")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert not any(name in str(func) for name in self.WAITS), func
        indices = args[1] if "index.Tensor" in str(func) else ()
        assert not any(i is not None and i.dtype == torch.bool for i in indices), "an index that depends on values"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("horizon", [1, 2])
def test_a_chunk_never_asks_the_host(official, horizon):
    for predictor in (official.predictor(), OnlyForward(official.predictor())):
        model = DeviceImagination(predictor, official.spec)
        given = model.take(official.now), torch.zeros(1, 7), torch.zeros(8, horizon, 7), model.take(official.goal)
        with torch.inference_mode(), Watch():
            assert model._energies(*given).shape == (8, horizon)
    with pytest.raises(AssertionError), Watch():
        torch.ones(2)[torch.ones(2) > 0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_chunk_needs_nothing_from_another_device(precision):
    """On the device without data, which refuses to mix with the CPU and to tell a value, as a capture does."""
    config = vjepa2_ac.Config(64, 16, vjepa2_ac.Sizes(66, 3, 3, 288), vjepa2_ac.Sizes(48, 3, 3, 192))
    token = conv_jepa.Predictor(conv_jepa.Config(latent_dim=8, hidden_dim=16, blocks=1))
    for predictor, shape in (
        (vjepa2_ac.predictor(config), (16, 66)),
        (OnlyForward(vjepa2_ac.predictor(config)), (16, 66)),
        (token, (1, 8)),
    ):
        options = Options(precision=precision)
        object.__setattr__(options, "device", "meta")
        model = DeviceImagination(predictor, make_spec(*shape, history=7), options, memory_mb=0.5)
        zeros = [torch.zeros(size, device="meta") for size in ((1, *shape), (1, 7), (8, 2, 7), (1, *shape))]
        with torch.inference_mode():
            energies = model._energies(*zeros)
        assert energies.device.type == "meta" and energies.dtype == torch.float32 and energies.shape == (8, 2)


@pytest.fixture
def fake_cuda(monkeypatch):
    """What a capture calls of CUDA, on the CPU: a graph replays what ran under its capture."""
    stream, replays = SimpleNamespace(wait_stream=lambda other: None), []
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: replays.append(1)))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, capture_error_mode: contextlib.nullcontext())
    return replays


def test_a_captured_chunk_gives_what_an_eager_one_gives(fake_cuda):
    model = DeviceImagination(Windowed(), make_spec(), memory_mb=0.01)
    eager, chunk = price(model, ACTIONS), model._chunk(48, 3)
    assert 1 < chunk < 48
    with torch.inference_mode():
        captured = Captured(model._energies, chunk, 3, model.latent_shape, torch.device("cpu"))
        out = captured._energies

        def replay():  # over the buffers, into the same place
            fake_cuda.append(1)
            out.copy_(model._energies(captured._now, captured._state, captured._actions, captured._goal))

        captured._graph.replay = replay
    model._captured = captured
    np.testing.assert_array_equal(price(model, ACTIONS), eager)
    count = len(fake_cuda)
    assert count == -(-48 // chunk)
    np.testing.assert_array_equal(price(model, ACTIONS[:2]), eager[:2])
    np.testing.assert_allclose(price(model, ACTIONS[:, :1]), eager[:, :1], rtol=1e-6)
    assert len(fake_cuda) == count, "other shapes run as they come"


def test_a_capture_that_fails_is_never_replaced_silently(monkeypatch, fake_cuda):
    def refuse(graph, capture_error_mode):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    model = DeviceImagination(Windowed(), make_spec())
    with torch.inference_mode(), pytest.raises(BackendError, match=r"not permitted.*set cuda_graph=false"):
        Captured(model._energies, 4, 1, model.latent_shape, torch.device("cpu"))


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match="no GPU"):
        DeviceImagination(Windowed(), make_spec(), Options(device="cuda"))


def test_a_model_that_does_not_fit_is_refused():
    with pytest.raises(BundleError, match="export the bundle again"):
        DeviceImagination(Windowed(lambda latent: latent[:, :1]), make_spec())
    with pytest.raises(BackendError, match="PyTorch failed"):
        DeviceImagination(Windowed(), make_spec(tokens=3))
    with pytest.raises(ConfigError, match="memory_mb"):
        DeviceImagination(Windowed(), make_spec(), memory_mb=0.0)


def test_info_says_what_runs():
    model = DeviceImagination(Flat(), make_spec())
    model.ready(48, 1)
    info = model.info()
    wanted = {"backend": "torch", "device": "cpu", "precision": "float32", "rollout": "frames", "cuda_graph": False}
    assert wanted.items() <= info.items()
    model.close()


def test_a_proposal_needs_no_more_than_its_candidates():
    assert Proposed(candidates=np.zeros((2, 1, 7))).actions is None
