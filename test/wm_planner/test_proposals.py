from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wm_core.errors import BundleError
from wm_models.bundle import ActionSpec, BundleSpec, LatentSpec, PreprocessSpec, write_bundle
from wm_planner.path import flange_state
from wm_planner.proposals.onnx import OnnxProposal

TOKENS, CHANNELS, HORIZON = 2, 3, 3
LATENT, GOAL = np.full((TOKENS, CHANNELS), 1.0, np.float32), np.full((TOKENS, CHANNELS), 1.5, np.float32)


def make_bundle(folder, frame="tcp", name="log_std", log_std=-2.0):
    """A proposal of 0.1 (goal - latent summed) + the state in each of three steps, with a fixed deviation."""

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Sub", ["goal", "latent"], ["gap"]),
        helper.make_node("ReduceSum", ["gap", "axes"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "gain"], ["push"]),
        helper.make_node("Add", ["push", "state"], ["row"]),
        helper.make_node("Unsqueeze", ["row", "one"], ["step"]),
        helper.make_node("Expand", ["step", "shape"], ["action"]),
        helper.make_node("Identity", ["spread"], [name]),
    ]
    constants = {
        "axes": np.array([2], dtype=np.int64),
        "gain": np.float32(0.1),
        "one": np.array([1], dtype=np.int64),
        "shape": np.array([1, HORIZON, 7], dtype=np.int64),
        "spread": np.full((1, HORIZON, 7), log_std, dtype=np.float32),
    }
    constants["axes"] = np.array([1, 2], dtype=np.int64)
    nodes.insert(3, helper.make_node("Reshape", ["push", "flat"], ["flat_push"]))
    nodes[4] = helper.make_node("Add", ["flat_push", "state"], ["row"])
    constants["flat"] = np.array([1, 1], dtype=np.int64)
    graph = helper.make_graph(
        nodes,
        "proposal",
        [value("latent", [1, TOKENS, CHANNELS]), value("goal", [1, TOKENS, CHANNELS]), value("state", [1, 7])],
        [value("action", [1, HORIZON, 7]), value(name, [1, HORIZON, 7])],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    source = folder / "source.onnx"
    source.write_bytes(model.SerializeToString())
    spec = BundleSpec(
        name="tiny",
        architecture="none",
        licence="Apache-2.0",
        step_period_s=0.25,
        latent=LatentSpec(TOKENS, CHANNELS),
        preprocess=PreprocessSpec(8, 8),
        action=ActionSpec((-0.05,) * 7, (0.05,) * 7),
        pose_frame=frame,
    )
    return write_bundle(folder / "bundle", spec, {"proposal.onnx": source}, "# Tiny\n")


@pytest.mark.parametrize("frame", ["tcp", "flange"])
def test_the_graph_gives_the_first_candidate_the_mean_and_the_spread(tmp_path, state, frame):
    proposal = OnnxProposal(make_bundle(tmp_path, frame))
    proposed = proposal.propose(LATENT, GOAL, state)
    row = 0.3 + (state if frame == "tcp" else flange_state(state))
    np.testing.assert_allclose(proposed.mean, np.tile(row, (HORIZON, 1)), atol=1e-5)
    np.testing.assert_array_equal(proposed.candidates[0], proposed.mean)
    np.testing.assert_allclose(proposed.std, np.exp(-2.0), rtol=1e-5)
    proposal.close()


def test_a_graph_with_other_names_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"log_std.*export it again"):
        OnnxProposal(make_bundle(tmp_path, name="spread_out"))


def test_an_answer_that_is_not_finite_is_refused(tmp_path, state):
    proposal = OnnxProposal(make_bundle(tmp_path, log_std=np.nan))
    with pytest.raises(ValueError, match="not finite"):
        proposal.propose(LATENT, GOAL, state)
    proposal.close()
