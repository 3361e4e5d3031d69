from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wm_core.axes import Axes
from wm_core.errors import BundleError, ConfigError
from wm_core.path import flange_state
from wm_core.pose import integrate
from wm_models import imagination
from wm_models.imagination import Imagination

TOKENS, CHANNELS = 4, 3
RNG = np.random.default_rng(3)
LATENT, GOAL = (RNG.normal(size=(TOKENS, CHANNELS)).astype(np.float32) for _ in range(2))
STATE = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.2, 0.5])
ACTIONS = RNG.uniform(-0.05, 0.05, size=(6, 3, 7))
LATENTS = {"latent": ["batch", TOKENS, CHANNELS], "goal": ["batch", TOKENS, CHANNELS]}


def save(path: Path, nodes: list, inputs: dict, outputs: dict, constants: dict) -> Path:
    def values(shapes: dict) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "part", values(inputs), values(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def save_proposal(path: Path, steps: int = 2, log_std: float = -2.0, name: str = "log_std", odds: bool = False) -> Path:
    """0.01 (goal - latent summed) + 0.1 of the state in each of its steps, with a fixed deviation."""
    nodes = [
        helper.make_node("Sub", ["goal", "latent"], ["gap"]),
        helper.make_node("ReduceSum", ["gap", "both"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "gain"], ["push"]),
        helper.make_node("Mul", ["state", "tenth"], ["part"]),
        helper.make_node("Add", ["push", "part"], ["row"]),
        helper.make_node("Unsqueeze", ["row", "one"], ["step"]),
        helper.make_node("Expand", ["step", "shape"], ["action"]),
        helper.make_node("Identity", ["spread"], [name]),
    ]
    constants = {
        "both": np.array([1, 2], dtype=np.int64),
        "gain": np.float32(0.01),
        "tenth": np.float32(0.1),
        "one": np.array([1], dtype=np.int64),
        "shape": np.array([1, steps, 7], dtype=np.int64),
        "spread": np.full((1, steps, 7), log_std, dtype=np.float32),
    }
    outputs = {"action": [1, steps, 7], name: [1, steps, 7]}
    if odds:
        nodes.append(helper.make_node("Identity", ["chances"], ["gripper_odds"]))
        constants["chances"] = np.tile(np.float32([0.2, 0.3, 0.5]), (1, steps, 1))
        outputs["gripper_odds"] = [1, steps, 3]
    one = {"latent": [1, TOKENS, CHANNELS], "goal": [1, TOKENS, CHANNELS], "state": [1, 7]}
    return save(path, nodes, one, outputs, constants)


def guess(latent: np.ndarray, state: np.ndarray) -> np.ndarray:
    return 0.01 * (GOAL - latent).sum() + 0.1 * state


@pytest.fixture
def load(make_bundle, tmp_path):
    """load(parts by name, axes, memory_mb, **changes of the spec) -> an imagination."""
    made = []

    def load(parts=None, axes=None, memory_mb=64.0, **changes) -> Imagination:
        files = {f"{name}.onnx": path for name, path in (parts or {}).items()}
        made.append(imagination.load(make_bundle(files, **changes), memory_mb=memory_mb, axes=axes))
        return made[-1]

    yield load
    for model in made:
        model.close()


@pytest.mark.parametrize("memory_mb", [64.0, 0.0005])
@pytest.mark.parametrize("energy", ["l1", "l2"])
def test_each_step_is_priced_by_its_distance_to_the_goal(load, effect, energy, memory_mb):
    model = load(energy=energy, memory_mb=memory_mb)
    away = LATENT + (np.float32(ACTIONS).cumsum(axis=1) @ effect).reshape(6, 3, TOKENS, CHANNELS) - GOAL
    wanted = np.abs(away).mean((-2, -1)) if energy == "l1" else np.square(away).mean((-2, -1))
    found = model.price(model.take(LATENT), STATE, ACTIONS, model.take(GOAL))
    assert list(found) == ["goal"] and found["goal"].dtype == np.float64
    np.testing.assert_allclose(found["goal"], wanted, rtol=1e-5)
    here = np.abs(LATENT - GOAL).mean() if energy == "l1" else np.square(LATENT - GOAL).mean()
    assert model.distance(LATENT, GOAL) == pytest.approx(here, rel=1e-6)


def test_what_is_foreseen_surprises_nobody(load):
    model = load()
    foreseen = model.foresee(LATENT, STATE, ACTIONS[0])
    assert model.show(foreseen).shape == (TOKENS, CHANNELS)
    assert model.surprise(LATENT, STATE, ACTIONS[0], foreseen) == pytest.approx(0.0, abs=1e-6)
    assert model.surprise(LATENT, STATE, ACTIONS[0], LATENT) == pytest.approx(model.distance(foreseen, LATENT))


def test_the_model_is_asked_along_its_own_axes(load, effect):
    axes = Axes(np.radians(40.0))
    model = load(action=_round(), axes=axes)
    turned = axes.actions_to_model(ACTIONS)
    plain = load(action=_round())
    wanted = plain.price(LATENT, STATE, turned, GOAL)["goal"]
    np.testing.assert_allclose(model.price(LATENT, STATE, ACTIONS, GOAL)["goal"], wanted, rtol=1e-5)
    np.testing.assert_allclose(plain.with_axes(axes).price(LATENT, STATE, ACTIONS, GOAL)["goal"], wanted, rtol=1e-5)
    np.testing.assert_allclose(plain.price(LATENT, STATE, turned, GOAL)["goal"], wanted)


def _round():
    from wm_models.bundle import ActionSpec

    return ActionSpec((-0.05,) * 7, (0.05,) * 7)


@pytest.mark.parametrize("frame", ["tcp", "flange"])
def test_a_proposal_gives_actions_and_spread(load, tmp_path, frame):
    model = load({"proposal": save_proposal(tmp_path / "p.onnx")}, pose_frame=frame)
    model.need_proposal()
    found = model.propose(LATENT, GOAL, STATE)
    row = guess(LATENT, STATE if frame == "tcp" else flange_state(STATE))
    np.testing.assert_allclose(found.actions, np.tile(row, (2, 1)), atol=1e-5)
    np.testing.assert_allclose(found.spread, np.exp(-2.0), rtol=1e-5)
    assert found.gripper_odds is None and found.candidates is None


def test_a_proposal_is_asked_again_where_its_first_steps_lead(load, tmp_path, effect):
    model = load({"proposal": save_proposal(tmp_path / "p.onnx", odds=True)})
    found = model.propose(LATENT, GOAL, STATE, steps=5)
    assert found.actions.shape == found.spread.shape == (6, 7)
    np.testing.assert_allclose(found.gripper_odds, np.tile([0.2, 0.3, 0.5], (6, 1)), rtol=1e-6)
    latent, state = LATENT, STATE
    for pair in range(3):
        row = guess(latent, state)
        np.testing.assert_allclose(found.actions[2 * pair : 2 * pair + 2], np.tile(row, (2, 1)), atol=1e-5)
        for _ in range(2):
            latent = latent + (np.float32(row) @ effect).reshape(TOKENS, CHANNELS)
            state = integrate(state, row)


def test_a_proposal_is_turned_back(load, tmp_path):
    axes, parts = Axes(np.radians(40.0)), {"proposal": save_proposal(tmp_path / "p.onnx")}
    found = load(parts, action=_round(), axes=axes).propose(LATENT, GOAL, STATE)
    wanted = axes.actions_to_base(guess(LATENT, axes.state_to_model(STATE)))
    np.testing.assert_allclose(found.actions, np.tile(wanted, (2, 1)), atol=1e-5)


def test_a_subgoal_is_a_latent_of_the_bundles_part(load, tmp_path):
    nodes = [
        helper.make_node("Add", ["latent", "goal"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["subgoal"]),
    ]
    shape = {"subgoal": ["batch", TOKENS, CHANNELS]}
    path = save(tmp_path / "s.onnx", nodes, LATENTS, shape, {"half": np.float32(0.5)})
    model = load({"subgoal": path})
    np.testing.assert_allclose(model.show(model.subgoal(LATENT, GOAL)), (LATENT + GOAL) / 2, rtol=1e-6)


@pytest.mark.parametrize("memory_mb", [64.0, 0.0005])
def test_a_term_of_the_bundle_prices_every_step(load, tmp_path, effect, memory_mb):
    nodes = [
        helper.make_node("Mul", ["latent", "goal"], ["product"]),
        helper.make_node("ReduceSum", ["product", "both"], ["value"], keepdims=0),
    ]
    path = save(tmp_path / "t.onnx", nodes, LATENTS, {"value": ["batch"]}, {"both": np.array([1, 2], dtype=np.int64)})
    model = load({"term_critic": path}, memory_mb=memory_mb)
    model.need_term("critic")
    found = model.price(LATENT, STATE, ACTIONS, GOAL, ("critic", "goal"))
    imagined = LATENT + (np.float32(ACTIONS).cumsum(axis=1) @ effect).reshape(6, 3, TOKENS, CHANNELS)
    np.testing.assert_allclose(found["critic"], (imagined * GOAL).sum((-2, -1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["goal"], model.price(LATENT, STATE, ACTIONS, GOAL)["goal"])


def test_what_the_bundle_lacks_is_refused(load, tmp_path):
    model = load()
    for ask in (model.need_proposal, lambda: model.need_term("critic"), lambda: model.subgoal(LATENT, GOAL)):
        with pytest.raises(BundleError, match=r"has no (proposal|term_critic|subgoal)\.onnx"):
            ask()
    model.need_term("goal")
    other = load({"proposal": save_proposal(tmp_path / "p.onnx", name="spread_out")})
    with pytest.raises(BundleError, match=r"outputs .*log_std.*export the bundle again"):
        other.need_proposal()


def test_a_proposal_that_is_not_finite_is_refused(load, tmp_path):
    model = load({"proposal": save_proposal(tmp_path / "p.onnx", log_std=np.nan)})
    with pytest.raises(ValueError, match="not finite"):
        model.propose(LATENT, GOAL, STATE)


@pytest.mark.parametrize(
    "change",
    [{"state": STATE * np.nan}, {"state": STATE[:6]}, {"actions": ACTIONS[..., :6]}, {"actions": ACTIONS * np.nan}],
)
def test_numbers_that_are_none_are_refused(load, change):
    with pytest.raises(ValueError, match=r"state|action|shape|broadcast"):
        load().price(**({"now": LATENT, "state": STATE, "actions": ACTIONS, "goal": GOAL} | change))


def test_a_back_end_that_is_not_known_is_refused(bundle):
    with pytest.raises(ConfigError, match="cpuu"):
        imagination.load(bundle, "torch:device=cpuu")
    with pytest.raises(BundleError, match=r"needs|no architecture"):
        imagination.load(bundle, "torch")
