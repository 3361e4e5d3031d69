from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from wm_core.errors import BundleError, ConfigError
from wm_models.bundle import ActionSpec, Bundle, LatentSpec, PreprocessSpec, write_bundle


def edit(bundle: Bundle, **changes) -> Path:
    path = bundle.path / "bundle.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return bundle.path


def list_files(bundle: Bundle, *names: str) -> None:
    """List these files as they are now."""
    edit(bundle, files={name: hashlib.sha256((bundle.path / name).read_bytes()).hexdigest() for name in names})


def one_sentence(error: pytest.ExceptionInfo[BundleError], *words: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text


def test_a_written_bundle_loads_as_it_was_written(bundle, spec_with):
    loaded = Bundle.load(str(bundle.path))
    assert loaded == bundle
    assert loaded.spec.files.keys() == {"encoder.onnx", "predictor.onnx"}
    assert loaded.spec == spec_with(files=loaded.spec.files)
    assert loaded.file("encoder.onnx") == bundle.path / "encoder.onnx"
    assert (bundle.path / "CARD.md").read_text() == "# Tiny\n"


def test_bundle_yaml_reads_well(bundle):
    text = (bundle.path / "bundle.yaml").read_text()
    assert text.startswith("name: tiny\n")
    assert "gripper_levels: [-0.75, 0.0, 0.75]" in text


def test_missing_folder(tmp_path):
    with pytest.raises(BundleError) as error:
        Bundle.load(tmp_path / "nothing")
    one_sentence(error, "nothing", "fetch")


def test_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(BundleError) as error:
        Bundle.load(tmp_path)
    one_sentence(error, "bundle.yaml")


def test_missing_file(bundle):
    (bundle.path / "predictor.onnx").unlink()
    with pytest.raises(BundleError) as error:
        Bundle.load(bundle.path)
    one_sentence(error, "predictor.onnx", "missing", "fetch")


def test_changed_file(bundle):
    file = bundle.path / "predictor.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BundleError) as error:
        Bundle.load(bundle.path)
    one_sentence(error, "predictor.onnx", "sha256", "export it again")


def test_graph_that_is_not_listed(bundle):
    shutil.copy(bundle.path / "predictor.onnx", bundle.path / "predictor.onnx.data")
    with pytest.raises(BundleError) as error:
        Bundle.load(bundle.path)
    one_sentence(error, "predictor.onnx.data", "not listed")


@pytest.mark.parametrize("location", ["encoder.data", "weights.bin", "predictor.weights", "sub/predictor.data"])
def test_weights_in_a_file_that_is_not_listed(bundle, with_weights_in, location):
    graph = with_weights_in(bundle.path / "predictor.onnx", location)
    list_files(bundle, *bundle.spec.files)
    with pytest.raises(BundleError) as error:
        Bundle.load(bundle.path)
    one_sentence(error, str(graph), f"'{location}'", "does not list")


def test_weights_in_a_file_that_is_listed(bundle, with_weights_in):
    with_weights_in(bundle.path / "predictor.onnx", "weights.bin")
    list_files(bundle, *bundle.spec.files, "weights.bin")
    assert "weights.bin" in Bundle.load(bundle.path).spec.files
    weights = bundle.path / "weights.bin"
    weights.write_bytes(bytes(weights.stat().st_size))
    with pytest.raises(BundleError) as error:
        Bundle.load(bundle.path)
    one_sentence(error, "weights.bin", "sha256")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"colour": "red"}, "colour"),
        ({"preprocess": {"height": 8, "width": 8, "gamma": 2.0}}, "gamma"),
        ({"format": 2}, "format 2"),
        ({"history": 0}, "history 0"),
        ({"trained_on": "the moon"}, "the moon"),
        ({"energy": "cosine"}, "cosine"),
        ({"pose_frame": "wrist"}, "wrist"),
        ({"step_period_s": 0}, "step_period_s"),
        ({"step_period_s": float("nan")}, "step_period_s"),
        ({"latent": {"tokens": 0, "channels": 3}}, "latent"),
        ({"files": {}}, "no files"),
        ({"files": {"../secret": "00"}}, "../secret"),
        ({"files": {"bundle.yaml": "00"}}, "bundle.yaml"),
        ({"files": {"encoder.onnx": 5}}, "encoder.onnx"),
    ],
)
def test_refused_values_name_the_file_and_the_key(bundle, changes, word):
    with pytest.raises(BundleError) as error:
        Bundle.load(edit(bundle, **changes))
    one_sentence(error, "bundle.yaml", word)


@pytest.mark.parametrize("text", ["{", "- a list", "", "\x00"])
def test_bundle_yaml_that_is_no_mapping(bundle, text):
    (bundle.path / "bundle.yaml").write_text(text)
    with pytest.raises(BundleError) as error:
        Bundle.load(bundle.path)
    one_sentence(error, "bundle.yaml")


def test_file_that_the_bundle_does_not_have(bundle):
    with pytest.raises(BundleError, match=r"proposal\.onnx"):
        bundle.file("proposal.onnx")


@pytest.mark.parametrize(
    "values",
    [
        {"height": 0, "width": 8},
        {"height": 8, "width": 8, "min_aspect": 2.0},
        {"height": 8, "width": 8, "min_aspect": 0.0},
        {"height": 8, "width": 8, "interpolation": "cubic"},
        {"height": 8, "width": 8, "std": (1.0, 0.0, 1.0)},
        {"height": 8, "width": 8, "mean": (0.0, float("nan"), 0.0)},
    ],
)
def test_preprocess_spec_refuses(values):
    with pytest.raises(ConfigError):
        PreprocessSpec(**values)


def test_action_spec_refuses_and_takes_zero_as_a_range():
    zero, one = (0.0,) * 7, (1.0,) * 7
    assert ActionSpec(zero, zero).high == zero
    with pytest.raises(ConfigError, match="lower end first"):
        ActionSpec(one, zero)
    with pytest.raises(ConfigError, match="finite"):
        ActionSpec(zero, (*one[:6], float("inf")))
    for levels in ((), (0.5, 1.5), (float("nan"),)):
        with pytest.raises(ConfigError, match="gripper_levels"):
            ActionSpec(zero, one, levels)


def test_latent_spec_refuses():
    with pytest.raises(ConfigError, match="empty"):
        LatentSpec(1, 0)


def test_writing_replaces_a_bundle_and_leaves_nothing_else(bundle, graphs, spec_with):
    write_bundle(bundle.path, spec_with(name="newer"), graphs, "# Newer\n")
    assert Bundle.load(bundle.path).spec.name == "newer"
    assert [p.name for p in bundle.path.parent.iterdir()] == ["tiny"]
    assert bundle.path.stat().st_mode & 0o777 == 0o755


def test_writing_never_replaces_another_folder(tmp_path, graphs, spec_with):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(BundleError, match="choose another folder"):
        write_bundle(tmp_path, spec_with(), graphs, "")
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_failed_write_leaves_the_old_bundle(bundle, graphs, spec_with, tmp_path):
    with pytest.raises(BundleError) as error:
        write_bundle(bundle.path, spec_with(), graphs | {"decoder.onnx": tmp_path / "missing.onnx"}, "")
    one_sentence(error, "missing.onnx")
    assert Bundle.load(bundle.path) == bundle
    assert [p.name for p in bundle.path.parent.iterdir()] == ["tiny"]


def test_numbers_of_numpy_can_be_written(tmp_path, graphs, spec_with):
    period: float = np.float64(0.5)
    assert write_bundle(tmp_path / "b", spec_with(step_period_s=period), graphs, "").spec.step_period_s == 0.5
