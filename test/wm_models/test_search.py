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
from wm_core.config import from_dict
from wm_core.errors import BundleError, ConfigError
from wm_models.architectures import conv_jepa, vjepa2_ac
from wm_models.backends import BackendError
from wm_models.bundle import ActionSpec, BundleSpec, LatentSpec, PreprocessSpec
from wm_models.search import Bounds, SearchConfig
from wm_models.search.bench import cheapest_equal, next_queries, plan_benchmark, random_queries, shifted
from wm_models.search.device import DeviceSearch

LOW, HIGH = (-0.075,) * 3 + (0.0,) * 3 + (-0.75,), (0.075,) * 3 + (0.0,) * 3 + (0.75,)
STATE = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.2, 0.5])
SMALL = SearchConfig(samples=48, iterations=4, elites=6)
TOKENS, CHANNELS = 2, 7
EFFECT = np.random.default_rng(0).normal(size=(7, TOKENS * CHANNELS)).astype(np.float32)


def make_spec(tokens=TOKENS, channels=CHANNELS, low=LOW, high=HIGH, levels=None, energy="l1", history=1) -> BundleSpec:
    return BundleSpec(
        name="made",
        architecture="none",
        licence="Apache-2.0",
        step_period_s=1.0,
        latent=LatentSpec(tokens, channels),
        preprocess=PreprocessSpec(16, 16),
        action=ActionSpec(low, high, levels),
        energy=energy,
        history=history,
    )


class Windowed(nn.Module):
    """The mean of the window's latents plus a linear effect of the last action; ``spoil`` makes some of them NaN."""

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


def goal_after(latent, action):
    return latent + (np.asarray(action, np.float32) @ EFFECT).reshape(latent.shape)


def same(a, b, atol=0.0):
    for name in ("mean", "std", "elites", "energies", "history"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0.0, atol=atol)


# Against the official planner.


@pytest.fixture(scope="session")
def official():
    """Values of facebookresearch/vjepa2's planner at a small size, with a predictor that has its weights."""
    with np.load(Path(__file__).parents[1] / "data" / "vjepa2_ac_public.npz") as file:
        data = dict(file)
    told = json.loads(str(data["config_json"][0]))

    def sizes(part, width):
        return vjepa2_ac.Sizes(part[width], part["depth"], part["num_heads"], part["mlp_hidden_dim"])

    model = vjepa2_ac.Config(
        image_px=64,
        encoder=sizes(told["encoder"], "embed_dim"),
        predictor=sizes(told["predictor"], "predictor_embed_dim"),
    )
    predictor = vjepa2_ac.predictor(model).eval()
    weights = {k.removeprefix("predictor/"): torch.from_numpy(v) for k, v in data.items() if k.startswith("predictor/")}
    predictor.load_state_dict(weights)
    return SimpleNamespace(
        data=data,
        cem=told["cem"],
        predictor=predictor,
        spec=make_spec(*model.latent_shape, history=model.history),
        start=(data["enc_tokens"][0], data["roll_goal"], data["roll_pose0"]),
    )


def paper(official, **changes) -> SearchConfig:
    cem = official.cem
    return SearchConfig(
        **{
            "samples": cem["samples"],
            "iterations": cem["cem_steps"],
            "horizon": cem["rollout"],
            "elites": cem["topk"],
            **{name: cem[name] for name in cem if name.startswith("momentum")},
            **changes,
        }
    )


@pytest.mark.parametrize("way", ["cache", "windows", "chunks"])
def test_the_search_is_that_of_the_official_planner(official, way):
    predictor = OnlyForward(official.predictor) if way == "windows" else official.predictor
    config = paper(official, memory_mb=0.5) if way == "chunks" else paper(official)
    search = DeviceSearch(predictor, official.spec, config)
    assert search.info()["rollout"] == ("windows" if way == "windows" else "cache")
    assert (search.info()["chunk"] < 16) == (way == "chunks")
    noise = np.zeros((config.iterations, config.samples, config.horizon, 7))
    noise[..., [0, 1, 2, 6]] = np.swapaxes(official.data["cem_noise"], 1, 2)
    found = search.plan(*official.start, noise=noise)
    np.testing.assert_allclose(found.history, official.data["cem_energies"], rtol=0.0, atol=5e-6)
    np.testing.assert_allclose(found.mean, official.data["cem_action"], rtol=0.0, atol=1e-5)


def test_imagined_latents_and_energies_are_the_official_ones(official):
    search = DeviceSearch(official.predictor, official.spec, paper(official))
    latent, goal, state = official.start
    actions = official.data["roll_actions"]  # turns as well, and a gripper that reaches its stops
    for steps in (1, 3):
        imagined = search.imagine(latent, state, actions[:, :steps])
        np.testing.assert_allclose(imagined, official.data["roll_reps"][:, steps], rtol=0.0, atol=1e-4)
        energies = search.energy(latent, goal, state, actions[:, :steps])
        np.testing.assert_allclose(energies, official.data["roll_energy_steps"][:, steps - 1], rtol=0.0, atol=5e-6)


def test_cached_keys_and_values_change_nothing(official):
    config = paper(official, horizon=4, samples=16)
    plans = [
        DeviceSearch(predictor, official.spec, config).plan(*official.start)
        for predictor in (official.predictor, OnlyForward(official.predictor))
    ]
    same(*plans, atol=1e-5)


def test_beyond_its_history_a_model_with_a_cache_slides_its_window(official):
    search = DeviceSearch(official.predictor, replace(official.spec, history=2), paper(official, horizon=3, samples=8))
    assert search.info()["rollout"] == "windows"
    latent, _, state = official.start
    actions = official.data["roll_actions"][:2]
    latents, states = [np.stack([latent, latent])], [np.stack([state, state])]
    for k in range(3):
        window = slice(max(0, k - 1), k + 1)
        given = np.stack(latents[window], 1), np.stack(states[window], 1), actions[:, window]
        with torch.no_grad():
            latents.append(official.predictor(*(torch.from_numpy(np.float32(x)) for x in given)).numpy())
        states.append(pose.integrate(states[-1], actions[:, k]))
    np.testing.assert_allclose(search.imagine(latent, state, actions), latents[-1], rtol=0.0, atol=2e-5)


def test_in_bfloat16_the_energies_are_nearly_the_same(official):
    exact = DeviceSearch(official.predictor, official.spec, paper(official)).plan(*official.start).history[0]
    copy = vjepa2_ac.Predictor(vjepa2_ac.Config(64, 16, vjepa2_ac.Sizes(66, 3, 3, 288), vjepa2_ac.Sizes(48, 3, 3, 192)))
    copy.load_state_dict(official.predictor.state_dict())
    search = DeviceSearch(copy, official.spec, paper(official, precision="bfloat16"))
    assert search.info()["precision"] == "bfloat16"
    rough = search.plan(*official.start).history[0]
    np.testing.assert_allclose(rough, exact, rtol=2e-2)
    assert np.corrcoef(rough, exact)[0, 1] > 0.8


# What it finds.


@pytest.mark.parametrize("predictor", [Windowed(), Flat()])
@pytest.mark.parametrize("energy", ["l1", "l2"])
def test_the_action_that_leads_to_the_goal_is_found(predictor, energy):
    search = DeviceSearch(predictor, make_spec(energy=energy), replace(SMALL, samples=300, iterations=12, elites=20))
    latent, wanted = numbers(), np.array([0.03, -0.05, 0.06, 0.0, 0.0, 0.0, 0.5])
    found = search.plan(latent, goal_after(latent, wanted), STATE)
    np.testing.assert_allclose(found.mean[0, :3], wanted[:3], atol=2e-3)
    np.testing.assert_allclose(found.mean[0, 6], wanted[6], atol=2e-2)
    assert np.all(np.diff(found.energies) >= 0.0)
    np.testing.assert_array_equal(found.energies[0], found.history[-1].min())


def test_a_small_gripper_delta_is_none_and_a_pinned_dimension_stays():
    low, high = (-0.05, 0.02, -0.05, 0.0, 0.0, 0.0, -1.0), (0.05, 0.02, 0.05, 0.0, 0.0, 0.0, 1.0)
    search = DeviceSearch(Windowed(), make_spec(low=low, high=high), replace(SMALL, iterations=8))
    latent = numbers()
    found = search.plan(latent, goal_after(latent, [0.03, 0.02, 0.0, 0.0, 0.0, 0.0, 0.1]), STATE)
    assert found.mean[0, 6] == 0.0 and np.any(found.elites[..., 6] != 0.0)
    for actions in (found.mean, found.elites):
        np.testing.assert_array_equal(actions[..., 1], 0.02)
        np.testing.assert_array_equal(actions[..., 3:6], 0.0)


def test_a_gripper_with_levels_takes_only_these():
    search = DeviceSearch(Windowed(), make_spec(levels=(-0.75, 0.75)), SMALL)
    latent = numbers()
    found = search.plan(latent, goal_after(latent, [0.0] * 6 + [0.75]), STATE)
    assert set(np.unique(found.elites[..., 6])) <= {-0.75, 0.0, 0.75}
    assert found.mean[0, 6] == 0.75


def test_conv_jepa_is_imagined_as_it_predicts():
    module = conv_jepa.Predictor(conv_jepa.Config(latent_dim=8, hidden_dim=16, blocks=1)).eval()
    nn.init.normal_(module.leave.weight, std=0.1)
    search = DeviceSearch(module, make_spec(1, 8, energy="l2"), replace(SMALL, horizon=2))
    actions, latent = np.random.default_rng(0).uniform(LOW, HIGH, (5, 2, 7)), numbers(0, (1, 8))
    with torch.no_grad():
        z, s = torch.from_numpy(latent).expand(5, -1, -1), torch.from_numpy(np.float32(STATE)).expand(5, -1)
        for k in range(2):
            z, s = module(z, s, torch.from_numpy(np.float32(actions[:, k])))
    np.testing.assert_allclose(search.imagine(latent, STATE, actions), z.numpy(), atol=1e-6)
    found = search.plan(latent, z[0].numpy(), STATE)
    still, best = search.energy(latent, z[0].numpy(), STATE, np.stack([np.zeros((2, 7)), found.elites[0]]))
    assert best < still


# What it never does.


@pytest.mark.parametrize("corner", [(0.45, 0.0, 0.3), (0.699, 0.349, 0.021), (0.25, -0.35, 0.6), (0.75, 0.0, -0.01)])
def test_candidates_stay_in_range_box_and_step(corner):
    bounds = Bounds((0.25, -0.35, 0.02), (0.70, 0.35, 0.60), step_m=0.05)
    spec = make_spec(low=(-0.06,) * 3 + LOW[3:], high=(0.04,) * 3 + HIGH[3:])
    search = DeviceSearch(Windowed(), spec, replace(SMALL, horizon=3), bounds)
    seen = []
    rollout = search._rollout
    search._rollout = lambda latent, state, actions: (
        seen.append(actions.numpy().copy()),
        rollout(latent, state, actions),
    )[1]
    state = np.array([*corner, *STATE[3:]])
    found = search.plan(numbers(), numbers(1), state)
    drawn = np.concatenate(seen)
    assert len(drawn) == SMALL.samples * SMALL.iterations
    for actions, hair in ((drawn, 1e-7), (found.elites, 0.0), (found.mean[None], 0.0)):
        assert np.all(actions >= np.array(spec.action.low) - hair) and np.all(
            actions <= np.array(spec.action.high) + hair
        )
        assert np.linalg.norm(actions[..., :3], axis=-1).max() <= 0.05 + 1e-7
        path = np.concatenate([np.tile(state[:3], (len(actions), 1, 1)), actions[..., :3]], axis=1).cumsum(axis=1)
        beyond = np.maximum(bounds.box_min_m - path, path - bounds.box_max_m).clip(min=0.0)
        assert np.all(beyond[:, 1:] <= beyond[:, :-1] + 1e-6)  # from outside only ever closer


def test_turns_are_shortened_too():
    spec = make_spec(low=(-0.05,) * 3 + (-0.3,) * 3 + (0.0,), high=(0.05,) * 3 + (0.3,) * 3 + (0.0,))
    found = DeviceSearch(Windowed(), spec, SMALL, Bounds(turn_rad=0.1)).plan(numbers(), numbers(1), STATE)
    lengths = np.linalg.norm(found.elites[..., 3:6], axis=-1)
    assert 0.05 < lengths.max() <= 0.1 + 1e-7
    still = DeviceSearch(Windowed(), spec, SMALL, Bounds(turn_rad=0.0, step_m=0.0)).plan(numbers(), numbers(1), STATE)
    assert not still.elites.any()


def test_the_box_is_about_the_position_that_is_given():
    search = DeviceSearch(Windowed(), make_spec(), SMALL, Bounds((0.0,) * 3, (0.5,) * 3))
    found = search.plan(numbers(), numbers(1), STATE + 9.0, position=(0.5, 0.5, 0.5))
    assert np.all(found.elites[..., :3] <= 1e-7) and found.elites.any()


@pytest.mark.parametrize(
    ("value", "share"), [(np.nan, 1.0), (np.inf, 1.0), (-np.inf, 1.0), (np.nan, 0.95), (-np.inf, 0.5)]
)
def test_a_model_that_is_not_finite_cannot_win(value, share):
    def spoil(latent):
        bad = torch.rand(len(latent), generator=torch.Generator().manual_seed(len(latent))) < share
        return torch.where(bad[:, None, None], torch.tensor(value), latent)

    search = DeviceSearch(Windowed(spoil), make_spec(), SMALL)
    found = search.plan(numbers(), numbers(1), STATE)
    for array in (found.mean, found.std, found.elites, found.energies):
        assert np.isfinite(array).all()
    assert not np.isnan(found.history).any() and found.history.min() > 0.0
    if share == 1.0:  # nothing was learned: the search is where it began
        assert not len(found.elites) and not found.mean.any()
        np.testing.assert_allclose(found.std, [[*HIGH[:6], 1.0]], rtol=1e-6)
        start = np.array([[0.02, -0.03, 0.01, 0.0, 0.0, 0.0, 0.5]])
        np.testing.assert_allclose(search.plan(numbers(), numbers(1), STATE, mean=start).mean, start, atol=1e-7)
    else:
        assert 0 < len(found.elites) <= SMALL.elites and found.mean.any()


@pytest.mark.parametrize("name", ["latent", "goal", "state", "mean", "noise", "position"])
def test_numbers_that_are_not_finite_or_of_another_shape_are_refused(name):
    search = DeviceSearch(Windowed(), make_spec(), SMALL)
    good = {"latent": numbers(), "goal": numbers(1), "state": STATE, "mean": np.zeros((1, 7)), "position": STATE[:3]}
    good["noise"] = np.zeros((4, 48, 1, 7))
    search.plan(**good)
    with pytest.raises(ValueError, match=f"{name} .*not finite"):
        search.plan(**{**good, name: np.full_like(good[name], np.nan)})
    with pytest.raises(ValueError, match=f"{name} must have the shape"):
        search.plan(**{**good, name: good[name][None]})


# How it runs.


def test_chunks_change_nothing(official):
    whole, parts = (
        DeviceSearch(official.predictor, official.spec, paper(official, samples=50, memory_mb=mb)) for mb in (1e3, 0.7)
    )
    assert whole.info()["chunk"] == 50 and 1 < parts.info()["chunk"] < 25
    same(whole.plan(*official.start), parts.plan(*official.start), atol=1e-6)


def test_equal_seeds_and_queries_give_equal_answers():
    def plan(seed, search=None):
        search = DeviceSearch(Windowed(), make_spec(), replace(SMALL, seed=seed)) if search is None else search
        return search.plan(numbers(), numbers(1), STATE)

    first = DeviceSearch(Windowed(), make_spec(), SMALL)
    same(plan(0, first), plan(0))
    same(plan(0, first), plan(0, first))
    assert np.abs(plan(1).history - plan(0).history).max() > 1e-3


def test_a_warm_start_begins_around_the_mean_that_is_given():
    wanted = np.array([[0.05, -0.05, 0.05, 0.0, 0.0, 0.0, 0.0]])
    latent = numbers()
    goal = goal_after(latent, wanted)
    cold = DeviceSearch(Windowed(), make_spec(), SMALL).plan(latent, goal, STATE)
    warm = DeviceSearch(Windowed(), make_spec(), replace(SMALL, warm_std=0.1)).plan(latent, goal, STATE, mean=wanted)
    assert warm.history[0].mean() < 0.5 * cold.history[0].mean()


class Watch(TorchDispatchMode):
    """Refuses whatever makes the host wait for a value."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal.default", "unique", "item")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert not any(name in str(func) for name in self.WAITS), func
        indices = args[1] if "index.Tensor" in str(func) else ()
        assert not any(i is not None and i.dtype == torch.bool for i in indices), "an index that depends on values"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("levels", [None, (-0.75, 0.75)])
def test_an_iteration_never_asks_the_host_and_writes_where_it_did_before(official, levels):
    spec = replace(official.spec, action=ActionSpec(LOW, HIGH, levels))
    bounds = Bounds((0.2, -0.4, 0.0), (0.7, 0.4, 0.6), 0.05, 0.1)
    for predictor in (official.predictor, OnlyForward(official.predictor)):
        search = DeviceSearch(predictor, spec, paper(official), bounds)
        with torch.inference_mode(), Watch():
            search._iterate()

        def addresses(search=search):
            return {k: v.data_ptr() for k, v in vars(search).items() if isinstance(v, torch.Tensor)}

        before = addresses()
        search.plan(*official.start)
        assert addresses() == before
    with pytest.raises(AssertionError), Watch():
        torch.ones(2)[torch.ones(2) > 0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_iteration_needs_nothing_from_another_device(precision):
    """On the device without data, which refuses to mix with the CPU and to tell a value, as a capture does."""
    bounds = Bounds((0.2, -0.4, 0.0), (0.7, 0.4, 0.6), 0.05, 0.1)
    model = vjepa2_ac.Config(64, 16, vjepa2_ac.Sizes(66, 3, 3, 288), vjepa2_ac.Sizes(48, 3, 3, 192))
    token = conv_jepa.Predictor(conv_jepa.Config(latent_dim=8, hidden_dim=16, blocks=1))
    for predictor, shape in (
        (vjepa2_ac.predictor(model), (16, 66)),
        (OnlyForward(vjepa2_ac.predictor(model)), (16, 66)),
        (token, (1, 8)),
    ):
        config = replace(SMALL, horizon=2, precision=precision, memory_mb=0.5)
        object.__setattr__(config, "device", "meta")
        search = DeviceSearch(predictor, make_spec(*shape, levels=(-0.75, 0.75), history=7), config, bounds)
        with torch.inference_mode():
            search._iterate()
        assert search._energies.device.type == "meta" and search._mean.dtype == torch.float32


def fake_cuda(monkeypatch, search):
    """What a capture calls of CUDA, on the CPU: a graph replays what ran under its capture, an iteration."""
    stream = SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=search._iterate))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, capture_error_mode: contextlib.nullcontext())


def test_a_captured_iteration_gives_what_an_eager_one_gives(monkeypatch):
    search = DeviceSearch(Windowed(), make_spec(), SMALL)
    eager = search.plan(numbers(), numbers(1), STATE)
    fake_cuda(monkeypatch, search)
    with torch.inference_mode():
        search._graph = search._capture()  # spoils all buffers
    same(search.plan(numbers(), numbers(1), STATE), eager)


def test_a_capture_that_fails_is_never_replaced_silently(monkeypatch):
    search = DeviceSearch(Windowed(), make_spec(), SMALL)
    fake_cuda(monkeypatch, search)

    def refuse(graph, capture_error_mode):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    with torch.inference_mode(), pytest.raises(BackendError, match=r"not permitted.*set cuda_graph: false"):
        search._capture()


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match="no GPU"):
        DeviceSearch(Windowed(), make_spec(), replace(SMALL, device="cuda", cuda_graph=True))


def test_a_model_that_does_not_fit_is_refused():
    with pytest.raises(BundleError, match="export the bundle again"):
        DeviceSearch(Windowed(lambda latent: latent[:, :1]), make_spec(), SMALL)
    with pytest.raises(BackendError, match="search failed"):
        DeviceSearch(Windowed(), make_spec(tokens=3), SMALL)


def test_info_says_what_runs():
    search = DeviceSearch(Flat(), make_spec(), SMALL)
    search.warmup()
    info = search.info()
    assert (info["backend"], info["device"], info["precision"], info["rollout"]) == (
        "torch",
        "cpu",
        "float32",
        "frames",
    )
    assert (info["samples"], info["chunk"], info["cuda_graph"]) == (48, 48, False)
    search.close()


@pytest.mark.parametrize(
    "values",
    [
        {"samples": 0}, {"iterations": 0}, {"horizon": 0}, {"elites": 1}, {"elites": 801}, {"momentum_mean": 1.0},
        {"momentum_std_gripper": -0.1}, {"initial_std": float("nan")}, {"initial_std_gripper": -1.0}, {"seed": -1},
        {"warm_std": 1.5}, {"dead_zone": float("inf")}, {"memory_mb": 0.0}, {"precision": "int8"}, {"device": "tpu"},
        {"cuda_graph": True}, {"sample": 3},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ConfigError):
        from_dict(SearchConfig, values)


@pytest.mark.parametrize(
    "values",
    [
        {"box_min_m": (0.0,) * 3}, {"box_min_m": (1.0,) * 3, "box_max_m": (0.0,) * 3}, {"step_m": -0.1},
        {"turn_rad": float("nan")},
    ],
)  # fmt: skip
def test_bounds_that_make_no_sense_are_refused(values):
    with pytest.raises(ConfigError):
        Bounds(**values)


# Benchmarks.


def test_a_benchmark_says_how_long_and_how_far():
    search = DeviceSearch(Windowed(), make_spec(), SMALL)
    row = plan_benchmark(search, repeats=5, warmup=1)
    assert 0.0 < row["min_ms"] <= row["p50_ms"] <= row["p99_ms"]
    assert row["energy"] < 0.7 * row["still_energy"] and row["rollouts"] == 192 and row["device"] == "cpu"
    with pytest.raises(ConfigError):
        plan_benchmark(search, repeats=0)


def test_fewer_rollouts_that_get_as_far_are_found():
    def make(config):
        return DeviceSearch(model, make_spec(), config)

    model, reference = Windowed(), SearchConfig(samples=200, iterations=8)
    queries = random_queries(make(reference), 4)
    grid = ((100, 6, 8), (8, 1, 2), (400, 9, 10), (200, 8, 10))
    rows = list(cheapest_equal(make, reference, queries, grid, repeats=1))
    assert rows[0]["share"] == 1.0 and rows[0]["equal"]
    assert [row["rollouts"] for row in rows[1:]] == sorted(row["rollouts"] for row in rows[1:])
    assert not rows[1]["equal"] and rows[1]["rollouts"] == 8
    assert rows[-1]["equal"] and rows[-1]["share"] >= 0.99 and rows[-1]["rollouts"] <= 1600


def test_the_next_queries_begin_where_the_plans_lead():
    search = DeviceSearch(Windowed(), make_spec(), replace(SMALL, horizon=2, warm_std=0.5))
    first = random_queries(search, 2, steps=2)
    after = next_queries(search, first)
    for before, query in zip(first, after, strict=True):
        mean = search.plan(before.latent, before.goal, before.state).mean
        np.testing.assert_allclose(query.latent, goal_after(before.latent, mean[0]), atol=1e-5)
        np.testing.assert_array_equal(query.mean, shifted(mean))
        np.testing.assert_allclose(query.state, pose.integrate(before.state, mean[0]))
        np.testing.assert_array_equal(query.mean, mean[[1, 1]])
