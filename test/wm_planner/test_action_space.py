from __future__ import annotations

import numpy as np
import pytest

from wm_core.errors import ConfigError
from wm_planner.action_space import ActionSpace

LOW, HIGH = np.full(7, -0.5), np.full(7, 0.5)


def test_actions_are_clipped_and_pinned_dimensions_stay_pinned():
    low, high = LOW.copy(), HIGH.copy()
    low[3:6] = high[3:6] = 0.0
    space = ActionSpace(low, high)
    assert list(space.continuous) == [0, 1, 2, 6]
    actions = np.array([[9.0, -9.0, 0.2, 9.0, -9.0, 0.1, 9.0]])
    np.testing.assert_array_equal(space.conform(actions), [[0.5, -0.5, 0.2, 0.0, 0.0, 0.0, 0.5]])
    assert actions[0, 0] == 9.0


@pytest.mark.parametrize(("drawn", "taken"), [(-0.9, -0.75), (-0.4, -0.75), (-0.3, 0.0), (0.1, 0.0), (0.6, 0.75)])
def test_a_gripper_with_levels_takes_the_nearest(drawn, taken):
    low, high = LOW.copy(), HIGH.copy()
    low[6], high[6] = -0.75, 0.75
    space = ActionSpace(low, high, (-0.75, 0.75))
    assert 6 not in space.continuous
    assert space.conform([0, 0, 0, 0, 0, 0, drawn])[6] == taken


@pytest.mark.parametrize(("drawn", "taken"), [(-0.3, -0.3), (-0.2, 0.0), (0.249, 0.0), (0.25, 0.25)])
def test_a_continuous_gripper_has_a_dead_band(drawn, taken):
    assert ActionSpace(LOW, HIGH).conform([0, 0, 0, 0, 0, 0, drawn])[6] == taken


def test_a_pinned_gripper_is_pinned_whatever_its_levels():
    low, high = LOW.copy(), HIGH.copy()
    low[6] = high[6] = 0.0
    space = ActionSpace(low, high, (-0.75, 0.75))
    assert space.levels is None and space.conform(np.ones(7))[6] == 0.0


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [(LOW[:6], HIGH, None), (HIGH, LOW, None), (LOW * np.nan, HIGH, None), (LOW, HIGH, (np.nan,))],
)
def test_nonsense_is_refused(low, high, levels):
    with pytest.raises(ConfigError):
        ActionSpace(low, high, levels)
