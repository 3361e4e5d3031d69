"""Plans that were made once and are to be made again: what a redesign of the search must not change by accident.

``golden_host.npz``: episodes of the simulated cell as the planner saw them, and what it answered.
``golden_device.npz``: searches of small models of V-JEPA 2-AC's architecture on the device path. Both are recorded by

    python test/wm_planner/golden.py

and only where a change of the plans is meant. ``--check`` instead counts how many are made again bit for bit, which
only the machine that recorded them can be asked: another processor rounds differently.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from wm_controller.node_config import ControllerNodeConfig
from wm_core import config
from wm_core.limits import Limits
from wm_lab.evaluate import Evaluator
from wm_lab.search_bench import PAPER
from wm_models import architectures, imagination
from wm_models.bundle import ActionSpec, Bundle, BundleSpec, LatentSpec, PreprocessSpec
from wm_models.imagination import Proposed
from wm_models.imagination.device import DeviceImagination
from wm_models.world_model import WorldModel
from wm_planner.action_space import ActionSpace
from wm_planner.guardrails.projection import make_feasible
from wm_planner.optimisers.cem import Cem
from wm_planner.planner import Planner, PlannerConfig, PlanResult

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
HOST, DEVICE = FOLDER / "golden_host.npz", FOLDER / "golden_device.npz"
#: The presets by the names that they had when the plans were recorded.
PRESETS = {"sim": "panda_pick_place", "sim_cem": "panda_pick_place_cem"}
#: Plans of each preset, and the scene of its first episode: one that nothing is scored or trained on.
PLANS, FIRST_SEED = 50, 900
Arrays = dict[str, np.ndarray]


# --- the host path ----------------------------------------------------------------------------------------------------
def make_planner(preset: str) -> Planner:
    """The planner of the simulated cell with the bundle that ships."""
    bundle = Bundle.load(ROOT / "models" / "panda_pick_place")
    settings = config.load(PlannerConfig, ROOT / "config" / "planner" / f"{PRESETS[preset]}.yaml")
    return Planner(imagination.load(bundle), sim_arm().limits, settings)


def sim_arm() -> ControllerNodeConfig:
    return config.load(ControllerNodeConfig, ROOT / "config" / "arms" / "sim.yaml")


def answer(result: PlanResult) -> Arrays:
    """What is kept of a plan: itself, its cost, and where its elites lead."""
    return {
        "actions": result.actions,
        "costs": np.array([result.energy, result.goal_energy]),
        "paths": result.paths,
        "walk": np.array([result.subgoal, result.done, result.hold]),
    }


def replay(preset: str, episode: Arrays) -> Iterator[Arrays]:
    """The answers to an episode's queries, in order: each plan starts from the one before."""
    planner = make_planner(preset)
    planner.set_goals(episode["goals"])
    for latent, state, stamp_s in zip(episode["latents"], episode["states"], episode["stamps_s"], strict=True):
        yield answer(planner.plan(latent, state, float(stamp_s)))


class Recorder:
    """A planner that keeps what it was asked and what it answered, for :class:`Evaluator` to run."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.goals = np.empty(0)
        self.asked: list[Arrays] = []
        self.answers: list[Arrays] = []

    def set_goals(self, goals: np.ndarray) -> None:
        self.goals, self.asked, self.answers = goals, [], []
        self._planner.set_goals(goals)

    def plan(self, latent: np.ndarray, state: np.ndarray, stamp_s: float) -> PlanResult:
        result = self._planner.plan(latent, state, stamp_s)
        if not result.done:
            self.asked.append({"latents": latent.copy(), "states": state.copy(), "stamps_s": np.float64(stamp_s)})
            self.answers.append(answer(result))
        return result

    def episode(self, most: int) -> Arrays:
        """The first plans since the goals were set, ``most`` at most."""
        rows = [query | made for query, made in zip(self.asked, self.answers, strict=True)][:most]
        return {"goals": self.goals, **{name: np.stack([row[name] for row in rows]) for name in rows[0]}}


def record_host() -> Arrays:
    kept: Arrays = {}
    model = WorldModel(Bundle.load(ROOT / "models" / "panda_pick_place"))
    for preset in PRESETS:
        recorder, count, seed = Recorder(make_planner(preset)), 0, FIRST_SEED
        evaluator = Evaluator(model, recorder, sim_arm())
        while count < PLANS:
            evaluator.run(seed)
            episode = recorder.episode(PLANS - count)
            kept |= {f"{preset}/{seed}/{name}": value for name, value in episode.items()}
            count, seed = count + len(episode["latents"]), seed + 1
        evaluator.close()
    return kept


# --- the device path --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Case:
    """One small model and how it is searched."""

    horizon: int
    warm: bool = False
    levels: tuple[float, ...] | None = None
    bounded: bool = False


CASES = {
    "paper": Case(1),
    "two_steps": Case(2, bounded=True),
    "levels": Case(2, levels=(-0.75, 0.0, 0.75), bounded=True),
    "warm": Case(3, warm=True),
}
QUERIES = 5
SAMPLES, ITERATIONS, ELITES = 96, 5, 10
MODEL = {
    "image_px": 64,
    "encoder": {"width": 24, "depth": 1, "heads": 2, "hidden": 48},
    "predictor": {"width": 48, "depth": 2, "heads": 2, "hidden": 96},
    "extrinsics_weight": False,
}
SHAPE = (16, 24)
STATE = np.array([0.45, 0.05, 0.3, np.pi, 0.0, 0.2, 0.5])
LOW, HIGH = (-0.075,) * 3 + (0.0,) * 3 + (-0.75,), (0.075,) * 3 + (0.0,) * 3 + (0.75,)


def make_predictor() -> torch.nn.Module:
    """The architecture of V-JEPA 2-AC's predictor, small, with weights that depend on no version of PyTorch."""
    rng = np.random.default_rng(7)
    module = architectures.build("vjepa2_ac", "predictor", MODEL)
    weights = {
        key: torch.from_numpy((0.2 * rng.standard_normal(tuple(value.shape))).astype(np.float32))
        for key, value in sorted(module.state_dict().items())
    }
    weights["action_encoder.weight"] *= 40.0
    module.load_state_dict(weights)
    return module.eval()


def queries(case: Case, name: str) -> Iterator[Arrays]:
    """What each search is asked, noise included; the goals are latents that the model itself can reach or not."""
    rng = np.random.default_rng(sorted(CASES).index(name))
    for _ in range(QUERIES):
        query = {
            "latent": rng.standard_normal(SHAPE).astype(np.float32),
            "goal": rng.standard_normal(SHAPE).astype(np.float32),
            "noise": rng.standard_normal((ITERATIONS, SAMPLES, case.horizon, 7)).astype(np.float32),
        }
        if case.warm:
            query["mean"] = rng.uniform(LOW, HIGH, (case.horizon, 7))
        yield query


#: The paper's search, which the device path once had to itself.
SETTING = replace(
    PAPER, samples=SAMPLES, iterations=ITERATIONS, elites=ELITES, momentum_gripper=0.3, momentum_std_gripper=0.15
)
LIMITS = Limits((0.4, 0.0, 0.2), (0.5, 0.08, 0.4), speed_m_s=0.25, step_m=0.06, step_rad=0.1)


@dataclass
class Free:
    """A planning problem with the model's range alone, or with the limits above, and without the stack's dead band."""

    model: DeviceImagination
    query: Arrays
    case: Case

    def __post_init__(self) -> None:
        self.space = ActionSpace(LOW, HIGH, self.case.levels, deadband=0.0)
        self.horizon = self.case.horizon
        self.now, self.goal = self.model.take(self.query["latent"]), self.model.take(self.query["goal"])

    @property
    def scale(self) -> np.ndarray:
        return np.array(HIGH)

    def project(self, actions: np.ndarray) -> np.ndarray:
        wanted = self.space.conform(actions)
        return make_feasible(STATE, wanted, LIMITS, 1.0) if self.case.bounded else wanted

    def score(self, actions: np.ndarray) -> np.ndarray:
        return self.model.price(self.now, STATE, actions, self.goal)["goal"][:, -1]


def search(case: Case, name: str) -> Iterator[Arrays]:
    """The answers to the queries of one case."""
    spec = BundleSpec(
        name="small",
        architecture="vjepa2_ac",
        licence="Apache-2.0",
        step_period_s=1.0,
        latent=LatentSpec(*SHAPE),
        preprocess=PreprocessSpec(64, 64),
        action=ActionSpec(LOW, HIGH, case.levels),
        pose_frame="tcp",
        energy="l1",
        history=7,
        model=MODEL,
    )
    model = DeviceImagination(make_predictor(), spec)
    for query in queries(case, name):
        problem = Free(model, query, case)
        noise = query["noise"][..., [0, 1, 2, 6]]
        cem = Cem(SETTING, lambda *_, noise=noise: (noise, np.zeros(noise.shape[:3])))
        proposed = None
        if case.warm:
            proposed = Proposed(query["mean"], np.tile(0.5 * SETTING.start_std(problem.scale), (case.horizon, 1)))
        found = cem.optimise(problem, proposed=proposed)
        assert found is not None
        mean = ActionSpace(LOW, HIGH, case.levels).conform(found.actions)
        yield {"mean": mean, "elites": found.elites, "energies": found.elite_costs}


def record_device() -> Arrays:
    kept: Arrays = {}
    for name, case in CASES.items():
        for k, found in enumerate(search(case, name)):
            kept |= {f"{name}/{k}/{key}": value for key, value in found.items()}
    return kept


# --- both -------------------------------------------------------------------------------------------------------------
def groups(file: Path) -> dict[tuple[str, str], Arrays]:
    """The arrays of a file by their first two names: preset and seed, or case and query."""
    found: dict[tuple[str, str], Arrays] = {}
    with np.load(file) as data:
        for key in data.files:
            first, second, name = key.split("/")
            found.setdefault((first, second), {})[name] = data[key]
    return found


@dataclass(frozen=True)
class Agreement:
    """How a search compares with the recorded one: the largest difference of the elites' energies, in order, and of the
    mean; how many of the elites are among the recorded ones."""

    energy: float
    mean: float
    elites: int


def agreement(found: Arrays, kept: Arrays) -> Agreement:
    # Two elites with the same energy but for its last bit may change places.
    apart = np.abs(found["elites"][:, None] - kept["elites"][None]).max(axis=(2, 3)).min(axis=1)
    return Agreement(
        energy=float(np.abs(found["energies"] - kept["energies"]).max()),
        mean=float(np.abs(found["mean"] - kept["mean"]).max()),
        elites=int(np.count_nonzero(apart <= 1e-5)),
    )


def pairs() -> Iterator[tuple[Arrays, Arrays]]:
    """Each search of the device path as it is now, and as it was recorded."""
    kept = groups(DEVICE)
    for name, case in CASES.items():
        for k, found in enumerate(search(case, name)):
            yield found, kept[name, str(k)]


def check() -> int:
    """Print how many plans are the recorded ones bit for bit; 0 if all are."""
    same = count = 0
    for (preset, _), episode in groups(HOST).items():
        for k, made in enumerate(replay(preset, episode)):
            count += 1
            same += all(np.array_equal(made[name], episode[name][k]) for name in made)
    print(f"host: {same} of {count} plans equal bit for bit")
    rows = [agreement(found, kept) for found, kept in pairs()]
    same_elites, energy = sum(row.elites == ELITES for row in rows), max(row.energy for row in rows)
    print(f"device: {same_elites} of {len(rows)} searches with the same elites, energies within {energy:.1e}")
    return 0 if same == count and same_elites >= 0.9 * len(rows) and energy <= 1e-5 else 1


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(check())
    np.savez_compressed(HOST, **record_host())
    np.savez_compressed(DEVICE, **record_device())
