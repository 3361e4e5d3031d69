"""A trained run as a bundle: the specification, and the card that says how it was made and what it scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wm_core.errors import WmError
from wm_data.episode import DataSpec
from wm_models.bundle import SIMULATOR, ActionSpec, Bundle, BundleSpec, LatentSpec, PreprocessSpec

from .recipes.base import build
from .train import MEAN, METRICS, STD, load_model, load_proposal

NAME = "panda_pick_place"


def bundle_spec(setup: dict[str, Any]) -> BundleSpec:
    """The bundle's specification for a run's set-up, as :func:`wm_training.train.load_model` returns it."""
    data = _data_of(setup)
    model = build(setup["recipe"], setup["model"])
    return BundleSpec(
        name=NAME if setup["architecture"] == "conv_jepa" else f"{NAME}_{setup['architecture']}",
        architecture=setup["architecture"],
        licence="Apache-2.0",
        step_period_s=data.step_period_s,
        pose_frame=data.pose_frame,
        latent=LatentSpec(tokens=1, channels=model.latent_dim),
        preprocess=PreprocessSpec(
            height=model.image_px,
            width=model.image_px,
            min_aspect=1.0,
            max_aspect=1.0,
            interpolation="area",
            mean=MEAN,
            std=STD,
        ),
        action=ActionSpec(data.action.low, data.action.high, data.action.gripper_levels),
        energy="l2",
        history=getattr(model.sizes, "history", 1),
        planner=NAME,
        trained_on=SIMULATOR if data.world == SIMULATOR else "",
        model=setup["model"],
    )


def export(run: str | Path, out: str | Path, scores: str | Path | None = None) -> Bundle:
    """Export the trained model in ``run`` to the bundle ``out``; ``scores`` is the JSON file of ``wm eval``.

    Raises WmError where the run or the scores cannot be read, BundleError where a graph differs from torch.
    """
    from wm_models.export import export_bundle

    model, setup = load_model(run)
    proposal = load_proposal(run, setup)
    card = _card(Path(run), setup, scores, proposal is not None)
    parts = {"encoder": model.encoder, "predictor": model.predictor}
    return export_bundle(out, bundle_spec(setup), parts | ({"proposal": proposal} if proposal else {}), card)


def _data_of(setup: dict[str, Any]) -> DataSpec:
    return DataSpec.read(setup["data"], "the data set of this run")


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WmError(f"cannot read {path}: {error}") from None


def _card(run: Path, setup: dict[str, Any], scores: str | Path | None, proposal: bool) -> str:
    train = setup["train"]
    held_out = _read(run / METRICS)["held_out"] if (run / METRICS).exists() else {}
    lines = [
        f"# {bundle_spec(setup).name}",
        "",
        f"A small JEPA (architecture {setup['architecture']}) of a simulated Franka Panda with a Robotiq 2F-85 that",
        "picks and places a cube, seen by one exterior camera. It works in this repository's simulator only; it was",
        "never shown a real arm.",
        "",
        "## Data",
        _data_of(setup).about,
        "",
        "## Training",
        f"`wm train`, {train['iterations']} iterations of {train['windows']} windows of {train['horizon']} steps, "
        f"AdamW {train['learning_rate']}, seed {train['seed']}, end to end. Loss: "
        + " + ".join(f"{loss['weight']:g} {name}" for name, loss in train["losses"].items())
        + ", as in `wm_training/losses`. No target network.",
        "",
        *([_PROPOSAL, ""] if proposal else []),
        "Held-out terms: " + (", ".join(f"{k} {v:.4f}" for k, v in held_out.items()) or "not measured") + ".",
        "",
        "ONNX against PyTorch, largest relative difference at batches 1, 64, 300: {parity}.",
        "",
        "## Scores",
    ]
    if scores is None:
        lines.append("Not scored yet: run `wm eval`.")
    else:
        lines += ["| `wm eval` | |", "|---|---|"]
        lines += [f"| {key} | {_plain(value)} |" for key, value in _read(Path(scores)).items()]
    return "\n".join(lines) + "\n"


_PROPOSAL = (
    "The proposal is a goal-conditioned inverse model (hindsight goals, frozen latents) that imitates the data; the "
    "search starts from it."
)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
