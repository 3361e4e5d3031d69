"""From SI units to a model's own numbers: order, shares, z-scores, and that they survive precision and device."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime
import pytest
import torch

from wm_core import config
from wm_core.errors import ConfigError
from wm_models.action_map import ActionMap, ProprioMap
from wm_models.layers.actions import ActionAdapter, ProprioAdapter

PICKED = ActionMap(dims=(6, 0, 2), frameskip=2, mean=(0.1, 0.0, -0.02), std=(0.5, 0.01, 0.04))


def test_identity():
    actions = torch.randn(4, 3, 7)
    assert torch.equal(ActionAdapter(ActionMap())(actions), actions)
    assert torch.equal(ProprioAdapter(ProprioMap())(actions), actions)


def test_selects_orders_shares_and_scales():
    assert PICKED.size == 6
    found = ActionAdapter(PICKED)(torch.tensor([0.04, 9.0, 0.08, 9.0, 9.0, 9.0, 1.0]))
    # The gripper's 1.0 is two shares of 0.5, 0.8 standard deviations above the mean; and so on.
    block = [0.8, 2.0, 1.5]
    torch.testing.assert_close(found, torch.tensor(block + block))


def test_mean_actions_become_zeros():
    action = torch.zeros(7)
    action[list(PICKED.dims)] = PICKED.frameskip * torch.tensor(PICKED.mean)
    torch.testing.assert_close(ActionAdapter(PICKED)(action), torch.zeros(6), atol=1e-6, rtol=0)


def test_proprio():
    adapter = ProprioAdapter(ProprioMap((2, 6), (0.3, 0.5), (0.1, 0.5)))
    states = torch.tensor([[0.5, 0.0, 0.4, 3.1, 0.0, 0.0, 1.0], [0.5, 0.0, 0.1, 3.1, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(adapter(states), torch.tensor([[1.0, 1.0], [-2.0, -1.0]]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_stays_float32_in_a_module_of_another_precision(dtype):
    actions = torch.randn(5, 7)
    outer = torch.nn.Sequential(ActionAdapter(PICKED), torch.nn.Linear(6, 2)).to(dtype)
    assert outer[1].weight.dtype == dtype
    assert torch.equal(outer[0](actions), ActionAdapter(PICKED)(actions))


def test_built_without_memory():
    """A back end may build a module on the meta device and give it its weights afterwards."""
    with torch.device("meta"):
        adapter = ActionAdapter(PICKED)
    adapter.to_empty(device="cpu")
    actions = torch.randn(5, 7)
    assert torch.equal(adapter(actions), ActionAdapter(PICKED)(actions))
    assert not adapter.state_dict()  # the weights of a published model load strictly


@pytest.mark.parametrize("values", [ActionMap(), PICKED])
def test_is_plain_data(values):
    assert config.from_dict(ActionMap, dataclasses.asdict(values)) == values


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dims": ()}, "action dims"),
        ({"dims": (0, 0), "mean": (0.0, 0.0), "std": (1.0, 1.0)}, "different indices"),
        ({"dims": (7,), "mean": (0.0,), "std": (1.0,)}, "from 0 to 6"),
        ({"dims": (0, 1)}, "each of the 2 dims, not 7 and 7"),
        ({"frameskip": 0}, "frameskip = 0"),
        ({"std": (0.0,) * 7}, "std .* positive"),
        ({"mean": (float("nan"),) * 7}, "must be finite"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, reason):
    with pytest.raises(ConfigError, match=reason):
        ActionMap(**changes)


def test_proprio_is_checked_as_well():
    with pytest.raises(ConfigError, match="proprio mean and std"):
        ProprioMap(dims=(0, 1))


def test_as_onnx(tmp_path):
    adapter, actions = ActionAdapter(PICKED).eval(), torch.randn(300, 3, 7)
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        adapter, (actions[:2, :2],), dynamo=True, opset_version=20, dynamic_shapes=(free,), verbose=False
    )
    program.save(str(tmp_path / "adapter.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "adapter.onnx"), providers=["CPUExecutionProvider"])
    for batch, frames in ((1, 1), (64, 2), (300, 3)):
        given = actions[:batch, :frames]
        (found,) = session.run(None, {session.get_inputs()[0].name: given.numpy()})
        np.testing.assert_allclose(found, adapter(given).numpy(), rtol=2e-6, atol=1e-6)
