"""Another package adds an optimiser, a cost, a proposal, a gate, and a bundle adds a term: one file each, no edit here.

Each is named in a planner's file and changes what is planned.
"""

from __future__ import annotations

import numpy as np
import pytest

from wm_core.config import from_dict
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_planner.planner import Planner, PlannerConfig

ORIGIN, GOAL = np.zeros((1, 7), dtype=np.float32), np.zeros((1, 1, 7), dtype=np.float32)
GOAL[0, 0, :2] = 1.0

OPTIMISER = '''
from dataclasses import dataclass
import numpy as np
from wm_planner.optimisers import Optimiser, OptimiserConfig, Solution

@dataclass(frozen=True)
class Shooting(OptimiserConfig):
    kind: str = "shooting"
    tries: int = 50

    @property
    def candidates(self):
        return self.tries

    def make(self):
        return _Shooting(self)

class _Shooting(Optimiser):
    """The best of a few random plans."""

    def __init__(self, config):
        self._config = config
        self.reset()

    def reset(self):
        self._rng = np.random.default_rng(0)

    def optimise(self, problem, elapsed_steps=1, proposed=None):
        draws = self._rng.uniform(-1, 1, (self._config.tries, problem.horizon, 7)) * problem.scale
        candidates = problem.project(draws)
        costs = problem.score(candidates)
        order = np.argsort(costs)
        return Solution(candidates[order[0]], float(costs[order[0]]), candidates[order[:5]], costs[order[:5]])
'''

COST = '''
from dataclasses import dataclass
from wm_planner.costs import Cost

@dataclass(frozen=True)
class Low(Cost):
    """Stay below a height."""

    kind: str = "low"
    height_m: float = 0.3
    weight: float = 10.0

    def __call__(self, candidates):
        return self.weight * (candidates.states[:, 1:, 2] - self.height_m).clip(min=0.0).sum(axis=1)
'''

PROPOSAL = """
from dataclasses import dataclass
import numpy as np
from wm_models.imagination import Proposed
from wm_planner.proposals import Proposal, ProposalConfig

@dataclass(frozen=True)
class Push(ProposalConfig):
    kind: str = "push"
    step_m: float = 0.03

    def make(self, model):
        return _Push(self)

class _Push(Proposal):
    def __init__(self, config):
        self._config = config

    def propose(self, now, goal, state, horizon):
        actions = np.zeros((horizon, 7))
        actions[:, 2] = self._config.step_m
        return Proposed(actions, np.full((horizon, 7), 1e-6))
"""

GATE = """
from dataclasses import dataclass
from wm_planner.gates import Gate

@dataclass(frozen=True)
class Near(Gate):
    kind: str = "near"
    most: float = 0.1

    def __call__(self, moment):
        return "" if moment.goal_energy <= self.most else f"the goal is too far away: {moment.goal_energy:.2f}"
"""


@pytest.fixture
def lab(foreign_package):
    return foreign_package(
        {"lab/__init__.py": "", "lab/shooting.py": OPTIMISER, "lab/low.py": COST, "lab/push.py": PROPOSAL}
        | {"lab/near.py": GATE},
        {
            "wm_bringup.optimisers": {"shooting": "lab.shooting:Shooting"},
            "wm_bringup.costs": {"low": "lab.low:Low"},
            "wm_bringup.proposals": {"push": "lab.push:Push"},
            "wm_bringup.gates": {"near": "lab.near:Near"},
        },
    )


@pytest.fixture
def plan(additive, state):
    def plan(**values):
        planner = Planner(additive(), Limits(), from_dict(PlannerConfig, values))
        planner.set_goals(GOAL)
        return planner.plan(ORIGIN, state, 0.0)

    return plan


def test_an_optimiser(lab, plan) -> None:
    result, few = plan(optimiser={"kind": "shooting"}), plan(optimiser={"kind": "shooting", "tries": 6})
    assert len(result.paths) == len(few.paths) == 5
    assert plan().energy < result.energy < few.energy


def test_a_cost(lab, plan, state) -> None:
    state[2] = 0.3
    up = {"goal": {}, "smoothness": {"weight": 0.0}}
    free = plan(costs=up).actions[:, 2].sum()
    held = plan(costs=up | {"low": {}}).actions[:, 2].sum()
    assert held <= 1e-3 and held < free + 1e-3


def test_a_proposal(lab, plan) -> None:
    config = {"samples": 8, "iterations": 1, "elites": 2, "kept_elites": 1, "least_std": 0.0, "initial_std": 0.01}
    actions = plan(optimiser=config, proposal={"kind": "push", "step_m": 0.02}).actions
    assert np.abs(plan(optimiser=config).actions[:, 2]).max() < 0.01
    assert actions[:, 2].max() in (pytest.approx(0.02, abs=1e-3), pytest.approx(0.0, abs=1e-3))


def test_a_gate(lab, plan) -> None:
    result = plan(gates={"near": {}})
    assert result.hold and result.reason == "the goal is too far away: 0.29"
    assert not plan(gates={"near": {"most": 0.5}}).hold


def test_without_the_package_they_are_not_known(plan) -> None:
    for values in ({"optimiser": {"kind": "shooting"}}, {"costs": {"goal": {}, "low": {}}}, {"gates": {"near": {}}}):
        with pytest.raises(ConfigError, match=r"there is no (optimiser|cost|gate)"):
            plan(**values)
