"""Every architecture that can be trained: what it predicts, that it learns, and that its bundle runs as any other."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wm_core.errors import WmError  # noqa: E402
from wm_models.verify import verify  # noqa: E402
from wm_models.world_model import WorldModel  # noqa: E402
from wm_training.card import export  # noqa: E402
from wm_training.dataset import Episodes  # noqa: E402
from wm_training.recipes import RECIPES  # noqa: E402
from wm_training.recipes.base import build  # noqa: E402
from wm_training.train import TrainConfig, Trainer  # noqa: E402

SMALL = {
    "conv_jepa": {"channels": (8, 8, 8), "latent_dim": 16, "hidden_dim": 32, "blocks": 1},
    "lewm": {
        "image_px": 64,
        "patch_px": 16,
        "encoder_width": 32,
        "encoder_depth": 1,
        "encoder_heads": 2,
        "encoder_hidden": 64,
        "latent_dim": 16,
        "projector_hidden": 32,
        "predictor_depth": 1,
        "predictor_heads": 2,
        "predictor_head_dim": 16,
        "predictor_hidden": 32,
        "action_hidden": 16,
        "dropout": 0.0,
        "actions": {"dims": [0, 1, 2, 6], "frameskip": 1, "mean": [0.0] * 4, "std": [0.06, 0.06, 0.06, 1.0]},
    },
}


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_the_first_imagined_step_is_the_teacher_forced_one(recipe):
    torch.manual_seed(0)
    model = build(recipe, SMALL[recipe]).eval()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    latents, states, actions = torch.randn(5, 4, 1, 16), torch.randn(5, 4, 7), torch.randn(5, 3, 7)
    said = model.predict(latents, states, actions)
    assert said.forced.shape == said.rolled.shape == (5, 3, 1, 16)
    torch.testing.assert_close(said.forced[:, 0], said.rolled[:, 0])
    assert not torch.allclose(said.forced[:, 1], said.rolled[:, 1]), "later steps build on what was imagined"
    later = latents.clone()
    later[:, 1:] += 1.0
    torch.testing.assert_close(model.predict(later, states, actions).rolled, said.rolled, msg="only the start is seen")


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_it_learns_and_its_bundle_runs(recipe, data, tmp_path):
    config = TrainConfig(iterations=30, windows=16, horizon=3, warmup=2, holdout=0.2)
    trainer = Trainer(Episodes(data), tmp_path / "run", config, recipe, SMALL[recipe])
    batch = trainer.episodes.windows(np.random.default_rng(5), trainer.training, 32, 3)
    with torch.no_grad():
        before = trainer.objective(trainer.model, *batch)[1]["loss"]
    trainer.run()
    with torch.no_grad():
        assert trainer.objective(trainer.model, *batch)[1]["loss"] < 0.8 * before
    bundle = export(tmp_path / "run", tmp_path / "bundle")
    assert all(verdict.ok for verdict in verify(bundle, "onnxruntime"))
    world = WorldModel(bundle)
    latent = world.encode(np.zeros((1, 64, 64, 3), np.uint8))[0]
    state = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
    latents, states = world.rollout(latent, state, np.full((3, 5, 7), 0.01))
    assert latents.shape == (3, 5, 1, 16) and states.shape == (3, 5, 7)
    assert np.isfinite(latents).all()
    world.close()


def test_a_recipe_that_is_not_known_is_refused():
    with pytest.raises(WmError, match="no recipe 'vjepa2_ac'; there are: conv_jepa, lewm"):
        build("vjepa2_ac")
