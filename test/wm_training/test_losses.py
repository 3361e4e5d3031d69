"""SIGReg against the published implementation, on its stored inputs and projections."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wm_training.losses.sigreg import sigreg  # noqa: E402

FIXTURE = Path(__file__).parent.parent / "data" / "sigreg_public.npz"
DISTRIBUTIONS = ("gaussian", "collapsed", "shifted", "anisotropic")


@pytest.fixture(scope="module")
def reference():
    with np.load(FIXTURE, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def test_the_fixture_is_the_published_one(reference):
    assert json.loads(str(reference["config_json"][0]))["family"] == "sigreg"


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_loss_and_gradient_are_the_published_ones(reference, name):
    latents = torch.from_numpy(reference[f"{name}_emb"]).requires_grad_()
    loss = sigreg(latents, torch.from_numpy(reference["projection_raw"]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(reference[f"{name}_loss"]), rel=1e-5)
    np.testing.assert_allclose(latents.grad.numpy(), reference[f"{name}_grad"], atol=1e-6, rtol=0)


def test_a_normal_latent_scores_lower_than_any_other(reference):
    directions = torch.from_numpy(reference["projection_raw"])
    loss = {name: float(sigreg(torch.from_numpy(reference[f"{name}_emb"]), directions)) for name in DISTRIBUTIONS}
    assert all(loss["gaussian"] < loss[name] for name in DISTRIBUTIONS[1:])
