from __future__ import annotations

import numpy as np
import pytest

from wm_core import pose
from wm_core.errors import BundleError
from wm_models.backends import BackendError, BackendUnavailableError
from wm_models.bundle import LatentSpec, write_bundle
from wm_models.preprocess import preprocess
from wm_models.world_model import WorldModel

RNG = np.random.default_rng(3)
LATENT = RNG.normal(size=(4, 3)).astype(np.float32)
STATE = np.array([0.5, 0.0, 0.3, 3.1, 0.1, -0.2, 0.4])
ACTIONS = RNG.uniform(-0.3, 0.3, size=(6, 3, 7))


@pytest.fixture
def model(bundle):
    model = WorldModel(bundle)
    yield model
    model.close()


def test_encode_preprocesses_and_runs_the_encoder(model):
    frames = RNG.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    latents = model.encode(frames)
    images = preprocess(frames, model.spec.preprocess)
    wanted = images.reshape(2, 3, 2, 4, 2, 4).mean(axis=(3, 5)).reshape(2, 3, 4).transpose(0, 2, 1)
    assert latents.shape == (2, *model.latent_shape)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(latents, wanted, atol=1e-6)


def test_rollout_follows_each_candidate_step_by_step(model, effect):
    latents, states = model.rollout(LATENT, STATE, ACTIONS)
    assert latents.shape == (6, 3, 4, 3)
    assert latents.dtype == np.float32
    wanted = LATENT + (np.cumsum(ACTIONS, axis=1) @ effect).reshape(6, 3, 4, 3)
    np.testing.assert_allclose(latents, wanted, atol=1e-5)
    state = np.repeat(STATE[None], 6, axis=0)
    for step in range(3):
        state = pose.integrate(state, ACTIONS[:, step])
        np.testing.assert_allclose(states[:, step], state, atol=1e-12)


def test_states_that_the_predictor_predicts_are_taken(make_bundle, save, tmp_path):
    model = WorldModel(make_bundle({"predictor.onnx": save["predictor"](tmp_path / "p.onnx", with_state=True)}))
    _, states = model.rollout(LATENT, STATE, ACTIONS)
    np.testing.assert_allclose(states, STATE + 2.0 * np.cumsum(ACTIONS, axis=1), atol=1e-5)


@pytest.mark.parametrize("history", [1, 2, 3, 5])
def test_a_window_fills_with_imagined_frames_and_then_slides(make_bundle, save, tmp_path, effect, history):
    model = WorldModel(make_bundle({"predictor.onnx": save["window"](tmp_path / "w.onnx")}, history=history))
    actions = RNG.uniform(-0.3, 0.3, size=(6, 4, 7))
    latents, states = model.rollout(LATENT, STATE, actions)
    seen = [np.repeat(LATENT[None], 6, axis=0)]
    for step in range(4):
        seen.append(np.mean(seen[-history:], axis=0) + (actions[:, step] @ effect).reshape(6, 4, 3))
        np.testing.assert_allclose(latents[:, step], seen[-1], atol=1e-5)
    np.testing.assert_allclose(states[:, 0], pose.integrate(np.repeat(STATE[None], 6, 0), actions[:, 0]), atol=1e-12)


@pytest.mark.parametrize("part", ["predictor", "window"])
def test_chunks_that_fit_the_memory_change_nothing(make_bundle, save, tmp_path, part):
    bundle = make_bundle({"predictor.onnx": save[part](tmp_path / "p.onnx")}, history=1 if part == "predictor" else 3)
    whole, states = WorldModel(bundle).rollout(LATENT, STATE, ACTIONS)
    small = WorldModel(bundle, memory_mb=1e-6)
    calls = []
    predictor = small._parts["predictor"]
    run = predictor._run
    predictor._run = lambda inputs: (calls.append(len(next(iter(inputs.values())))), run(inputs))[1]
    parts, same_states = small.rollout(LATENT, STATE, ACTIONS)
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(same_states, states)
    assert set(calls) == {1} and len(calls) == ACTIONS.shape[0] * ACTIONS.shape[1]


def test_a_history_without_a_window_is_refused(make_bundle):
    with pytest.raises(BundleError, match="has history 3, but its predictor takes one frame"):
        WorldModel(make_bundle(history=3))


def test_rollout_leaves_its_inputs_alone(model):
    before = LATENT.copy(), STATE.copy(), ACTIONS.copy()
    model.rollout(LATENT, STATE, ACTIONS)
    for now, was in zip((LATENT, STATE, ACTIONS), before, strict=True):
        np.testing.assert_array_equal(now, was)


def test_rollout_takes_float32_and_views(model):
    wanted, _ = model.rollout(LATENT, STATE, ACTIONS)
    fortran, single = np.asfortranarray(LATENT), ACTIONS.astype(np.float32)
    np.testing.assert_allclose(model.rollout(fortran, STATE, single)[0], wanted, atol=1e-6)
    np.testing.assert_array_equal(model.rollout(LATENT, STATE, ACTIONS[::-1, ::-1])[0].shape, wanted.shape)


def test_rollout_of_nothing(model):
    assert model.rollout(LATENT, STATE, ACTIONS[:, :0])[0].shape == (6, 0, 4, 3)
    assert model.rollout(LATENT, STATE, ACTIONS[:0])[1].shape == (0, 3, 7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["latent", "state", "actions"])
def test_rollout_refuses_what_is_not_finite(model, which, bad):
    values = {"latent": LATENT.copy(), "state": STATE.copy(), "actions": ACTIONS.copy()}
    values[which].flat[0] = bad
    with pytest.raises(ValueError, match=f"{which} holds a number that is not finite"):
        model.rollout(**values)


@pytest.mark.parametrize(
    ("which", "value"),
    [
        ("latent", LATENT.T),
        ("latent", LATENT[None]),
        ("latent", LATENT.astype(np.int32)),
        ("state", STATE[:6]),
        ("state", STATE[None]),
        ("actions", ACTIONS[0]),
        ("actions", ACTIONS[..., :6]),
        ("actions", np.zeros((6, 3, 7), dtype=np.uint8)),
    ],
)
def test_rollout_refuses_other_shapes_and_kinds(model, which, value):
    values = {"latent": LATENT, "state": STATE, "actions": ACTIONS} | {which: value}
    with pytest.raises(ValueError, match=f"{which} must"):
        model.rollout(**values)


def test_a_latent_too_large_for_float32_is_not_finite(model):
    with pytest.raises(ValueError, match="not finite"):
        model.rollout(LATENT.astype(np.float64) * 1e39, STATE, ACTIONS)


@pytest.mark.parametrize(("energy", "distance"), [("l1", np.abs), ("l2", np.square)])
def test_energy(make_bundle, energy, distance):
    model = WorldModel(make_bundle(energy=energy), parts=("predictor",))
    latents, _ = model.rollout(LATENT, STATE, ACTIONS)
    energies = model.energy(latents, LATENT)
    assert energies.shape == (6, 3)
    assert energies.dtype == np.float32
    np.testing.assert_allclose(energies, distance(latents - LATENT).mean(axis=(2, 3)), rtol=1e-6)
    assert model.energy(LATENT, LATENT) == 0.0
    assert model.energy(LATENT, LATENT).shape == ()


def test_energy_refuses_and_passes_nan_on(model):
    with pytest.raises(ValueError, match="goal holds"):
        model.energy(LATENT, np.full_like(LATENT, np.nan))
    with pytest.raises(ValueError, match="goal must"):
        model.energy(LATENT, LATENT[:2])
    with pytest.raises(ValueError, match="latents must"):
        model.energy(LATENT[:2], LATENT)
    with pytest.raises(ValueError, match="latents must"):
        model.energy(LATENT.astype(np.float64), LATENT)
    with pytest.raises(ValueError, match="latents must"):
        model.energy(np.float32(1.0), LATENT)
    broken = np.stack([LATENT, np.full_like(LATENT, np.nan)])
    np.testing.assert_array_equal(np.isnan(model.energy(broken, LATENT)), [False, True])


def test_one_part_alone(bundle, tmp_path):
    encoder = WorldModel(bundle, parts=("encoder",))
    assert encoder.info().keys() == {"encoder"}
    with pytest.raises(ValueError, match="without its predictor"):
        encoder.rollout(LATENT, STATE, ACTIONS)
    with pytest.raises(ValueError, match="without its encoder"):
        WorldModel(bundle, parts=("predictor",)).encode(np.zeros((1, 8, 8, 3), np.uint8))
    for parts in ((), ("decoder",)):
        with pytest.raises(ValueError, match="parts must"):
            WorldModel(bundle, parts=parts)


def test_info_and_close(bundle):
    model = WorldModel(bundle, threads=2)
    for part in ("encoder", "predictor"):
        assert model.info()[part]["backend"] == "onnxruntime"
        assert model.info()[part]["precision"] == "float32"
        assert model.info()[part]["threads"] == 2
    model.close()
    with pytest.raises(BackendError, match="closed"):
        model.rollout(LATENT, STATE, ACTIONS)


def test_unknown_back_end(bundle):
    with pytest.raises(BackendUnavailableError, match="abacus"):
        WorldModel(bundle, backend="abacus")


def test_truncated_graph_with_the_right_sha(make_bundle, graphs, tmp_path):
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(graphs["encoder.onnx"].read_bytes()[:-20])
    with pytest.raises(BundleError, match=r"encoder\.onnx cannot be read as an ONNX model"):
        WorldModel(make_bundle({"encoder.onnx": cut}))


def test_graph_of_another_part(make_bundle, graphs):
    with pytest.raises(BundleError, match=r"predictor\.onnx must have the inputs .*'latent'.*'state'.*export"):
        WorldModel(make_bundle({"predictor.onnx": graphs["encoder.onnx"]}))


@pytest.mark.parametrize("part", ["encoder", "predictor"])
def test_graph_with_a_fixed_batch(make_bundle, save, tmp_path, part):
    graph = save[part](tmp_path / "fixed.onnx", batch=1)
    with pytest.raises(BundleError, match="free batch"):
        WorldModel(make_bundle({f"{part}.onnx": graph}))


def test_graph_of_another_image_size(make_bundle, save, tmp_path):
    with pytest.raises(BundleError, match=r"encoder\.onnx: 'image' must have the shape"):
        WorldModel(make_bundle({"encoder.onnx": save["encoder"](tmp_path / "e.onnx", size=16)}))


def test_latent_that_is_not_what_the_bundle_says(make_bundle):
    with pytest.raises(BundleError, match="'latent' must have the shape"):
        WorldModel(make_bundle(latent=LatentSpec(2, 6)), parts=("encoder",))


def test_bundle_without_a_predictor(tmp_path, graphs, spec_with):
    only = {"encoder.onnx": graphs["encoder.onnx"]}
    bundle = write_bundle(tmp_path / "encoder_only", spec_with(), only, "")
    assert WorldModel(bundle, parts=("encoder",)).encode(np.zeros((1, 8, 8, 3), np.uint8)).shape == (1, 4, 3)
    with pytest.raises(BundleError, match=r"has no predictor\.onnx"):
        WorldModel(bundle)
