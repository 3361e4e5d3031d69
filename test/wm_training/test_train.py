"""Training is repeatable and resumes; its export is a bundle that runs without torch and equals it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wm_core.errors import WmError  # noqa: E402
from wm_models.bundle import Bundle  # noqa: E402
from wm_models.preprocess import preprocess  # noqa: E402
from wm_models.world_model import WorldModel  # noqa: E402
from wm_training.card import bundle_spec, export  # noqa: E402
from wm_training.dataset import Episodes  # noqa: E402
from wm_training.train import TrainConfig, Trainer, load_model, normalise  # noqa: E402

SMALL = {"channels": (8, 8, 8), "latent_dim": 16, "hidden_dim": 32, "blocks": 1}


def config(iterations: int) -> TrainConfig:
    return TrainConfig(iterations=iterations, windows=8, horizon=3, warmup=2, save_every=3, holdout=0.2)


def weights(folder):
    model, _ = load_model(folder)
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    metrics = Trainer(Episodes(data), folder, config(6), sizes=SMALL).run()
    assert all(np.isfinite(list(metrics.values())))
    return folder


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(data, run, tmp_path):
    first = Trainer(Episodes(data), tmp_path, config(6), sizes=SMALL)

    def interrupt(count, terms):
        if first.iteration == 3:
            first.save()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(interrupt)
    Trainer(Episodes(data), tmp_path, config(6), sizes=SMALL).run()
    whole = weights(run)
    for name, value in weights(tmp_path).items():
        torch.testing.assert_close(value, whole[name], msg=name)


def test_a_run_of_another_configuration_is_refused(data, run):
    with pytest.raises(WmError, match="another configuration"):
        Trainer(Episodes(data), run, config(7), sizes=SMALL)


def test_the_frames_are_prepared_as_in_the_bundle(run):
    _, setup = load_model(run)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_allclose(normalise(frames).numpy(), preprocess(frames, bundle_spec(setup).preprocess), atol=1e-5)


def test_the_exported_bundle_equals_the_trained_model(run, tmp_path):
    bundle = export(run, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "CARD.md").read_text()
    assert "1 inverse + 1 rollout + 0.05 sigreg + 1 state + 1 teacher" in card
    assert "{parity}" not in card
    assert bundle.spec.trained_on == "simulator"
    assert bundle.spec.action.low == (-0.05, -0.05, -0.05, 0.0, 0.0, 0.0, -1.0)
    world = WorldModel(Bundle.load(bundle.path))
    model, _ = load_model(run)
    frames = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    latent = world.encode(frames)
    with torch.no_grad():
        np.testing.assert_allclose(latent, model.encoder(normalise(frames)).numpy(), atol=1e-5)
        state = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
        actions = np.random.default_rng(2).uniform(-0.05, 0.05, (4, 2, 7))
        latents, states = world.rollout(latent[0], state, actions)
        z, s = torch.from_numpy(latent[:1]).repeat(4, 1, 1), torch.from_numpy(state).float().repeat(4, 1)
        for step in range(2):
            z, s = model.predictor(z, s, torch.from_numpy(actions[:, step]).float())
            np.testing.assert_allclose(latents[:, step], z.numpy(), atol=1e-5)
            np.testing.assert_allclose(states[:, step], s.numpy(), atol=1e-5)
    world.close()


def test_no_run_says_how_to_make_one(tmp_path):
    with pytest.raises(WmError, match="wm train"):
        load_model(tmp_path)
