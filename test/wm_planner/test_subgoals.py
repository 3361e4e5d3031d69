from __future__ import annotations

import numpy as np
import pytest

from wm_core.config import from_dict
from wm_core.errors import ConfigError, GoalError
from wm_planner.subgoals import PASSED, REACHED, SubgoalConfig, Subgoals, threshold

PERIOD_S = 0.25
NEVER = {"plateau_steps": None, "budget_steps": None}


def walk(subgoals, energies, start_s=100.0, step_s=PERIOD_S):
    """Feed one energy per frame, the same to every sub-goal; the index after each."""
    seen = []
    for k, energy in enumerate(energies):
        subgoals.tick(start_s + k * step_s)
        while subgoals.update(energy):
            pass
        seen.append(subgoals.index)
    return seen


def machine(gaps=(1.0, 1.0), **config):
    return Subgoals(SubgoalConfig(**config), gaps, PERIOD_S)


def one(subgoals, energy, stamp_s):
    subgoals.tick(stamp_s)
    return subgoals.update(energy)


def test_the_larger_of_fraction_and_floor_is_the_threshold():
    config = SubgoalConfig(reached_fraction=0.5, reached_energy=0.2, done_fraction=0.1, done_energy=0.3)
    assert threshold(config, 1.0, last=False) == 0.5
    assert threshold(config, 0.1, last=False) == 0.2
    assert threshold(config, 1.0, last=True) == 0.3


def test_a_sub_goal_is_reached_at_a_fraction_of_the_gap_before_it():
    goals = machine(gaps=(2.0, 4.0, 1.0), reached_fraction=0.5, **NEVER)
    assert not one(goals, 10.0, 0.0)
    assert not one(goals, 5.1, 0.0), "the first goal's reference is the first energy, 10"
    assert one(goals, 5.0, 0.0)
    assert not one(goals, 1.1, 0.0)
    assert one(goals, 1.0, 0.0)
    assert one(goals, 2.0, 0.0)
    assert goals.last and goals.index == 3


def test_a_demonstration_that_begins_at_its_first_image_does_not_wait_there():
    assert one(machine(gaps=(1.0,), **NEVER), 0.01, 0.0)


def test_several_sub_goals_can_fall_in_one_frame_but_the_last_is_not_passed():
    assert walk(machine(), [0.0, 0.0]) == [2, 2]


def test_a_plateau_moves_on():
    seen = walk(machine(plateau_steps=3.0, budget_steps=None), [0.9, 0.8, 0.7, 0.69, 0.69, 0.69, 0.69])
    assert seen == [0, 0, 0, 0, 0, 1, 1]


def test_steady_progress_is_no_plateau():
    assert walk(machine(plateau_steps=3.0, budget_steps=None), np.linspace(2.0, 1.2, 9)) == [0] * 9


def test_a_budget_moves_on():
    seen = walk(machine(gaps=(1.0, 1.0), plateau_steps=None, budget_steps=4.0), [1.0] * 12)
    assert seen == [0] * 4 + [1] * 4 + [2] * 4


def test_time_is_counted_in_steps_whatever_the_planning_rate():
    seen = walk(machine(plateau_steps=None, budget_steps=4.0), [1.0] * 45, step_s=PERIOD_S / 5)
    assert seen.index(1) == 20 and seen.index(2) == 40


def test_a_pause_counts_as_one_step_and_a_clock_that_jumps_back_as_none():
    goals = machine(plateau_steps=None, budget_steps=3.0)
    for stamp_s in (0.0, 1000.0, 0.0, 0.0, PERIOD_S):
        assert not one(goals, 1.0, stamp_s)
    assert one(goals, 1.0, 2 * PERIOD_S)


def test_done_needs_a_moment_below_the_threshold():
    goals = machine(gaps=(), done_fraction=0.5, done_steps=2.0)
    walk(goals, [1.0, 0.4, 0.6, 0.4, 0.4])
    assert not goals.done
    one(goals, 0.4, 100.0 + 5 * PERIOD_S)
    assert goals.done
    one(goals, 9.0, 200.0)
    assert goals.done, "done stays done"
    goals.reset()
    assert not goals.done and goals.index == 0


def test_each_goal_may_have_its_own_budget():
    goals = machine(plateau_steps=None, budgets_steps=(4.0, 10.0, 4.0))
    seen = walk(goals, [1.0] * 18)
    assert not goals.done
    seen += walk(goals, [1.0], start_s=100.0 + 18 * PERIOD_S)
    assert seen == [0] * 4 + [1] * 10 + [2] * 5 and goals.done


def test_budgets_for_another_number_of_goals_are_refused():
    with pytest.raises(GoalError, match="3 goal pictures, but budgets_steps is for 2"):
        machine(gaps=(1.0, 1.0), budgets_steps=(4.0, 10.0))
    with pytest.raises(ConfigError, match="budgets_steps"):
        SubgoalConfig(budgets_steps=(4.0, float("nan")))


def test_the_last_goal_has_no_budget_unless_it_is_given_one():
    goals = machine(gaps=())
    walk(goals, [1.0] * 100)
    assert not goals.done
    goals = machine(gaps=(), done_budget_steps=5.0)
    walk(goals, [1.0] * 6)
    assert goals.done


def test_what_was_reached_is_told_from_what_was_passed():
    goals = machine(gaps=(1.0, 1.0), plateau_steps=None, budget_steps=2.0, done_budget_steps=2.0, done_steps=0.0)
    walk(goals, [0.0], step_s=0.0)
    assert goals.outcomes == [REACHED, REACHED, REACHED] and goals.done and goals.reached
    goals.reset()
    assert goals.outcomes == [] and not goals.reached
    walk(goals, [1.0] * 3)
    assert goals.outcomes == [PASSED] and not goals.reached
    walk(goals, [1.0] * 8)
    assert goals.outcomes == [PASSED] * 3 and goals.done and not goals.reached


def test_an_arm_that_has_not_moved_has_reached_nothing():
    goals = machine(gaps=(1.0,), done_steps=0.0)
    goals.tick(0.0)
    assert goals.update(0.0, moved=False)
    goals.update(0.0, moved=False)
    assert goals.done and goals.outcomes == [PASSED, PASSED]


def test_a_pause_is_no_time():
    goals = machine(plateau_steps=None, budget_steps=2.0)
    for k in range(50):
        assert not one(goals, 1.0, 0.2 * k)
        goals.pause()
    assert goals.index == 0


def test_reset_forgets_the_first_reference():
    goals = machine(gaps=(0.1,), reached_fraction=0.5, **NEVER)
    one(goals, 10.0, 0.0)
    goals.reset()
    assert not one(goals, 4.0, 0.0)
    assert one(goals, 2.0, 0.0)


@pytest.mark.parametrize("name", list(SubgoalConfig.__dataclass_fields__))
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_nonsense_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        SubgoalConfig(**{name: value})


def test_it_reads_from_a_mapping():
    assert from_dict(SubgoalConfig, {"budget_steps": None, "plateau_steps": 4}) == SubgoalConfig(
        budget_steps=None, plateau_steps=4.0
    )
