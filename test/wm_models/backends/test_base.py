from __future__ import annotations

import subprocess
import sys

import pytest

from wm_core.errors import BundleError, ConfigError, one_line
from wm_models.backends import (
    BACKENDS,
    BackendError,
    BackendUnavailableError,
    available,
    load_backend,
    load_part,
)


def test_unknown_back_end(graphs):
    with pytest.raises(BackendUnavailableError, match=r"no back end 'abacus'; there are: onnxruntime.*tensorrt"):
        load_backend("abacus", graphs["encoder.onnx"])
    with pytest.raises(BackendUnavailableError, match=r"no back end 'onnx-runtime' \(did you mean 'onnxruntime'\?\)"):
        load_backend("onnx-runtime", graphs["encoder.onnx"])


def test_a_long_error_keeps_its_beginning_and_its_end():
    text = "where " * 30 + "in the middle " * 50 + "and why"
    line = one_line(text)
    assert len(line) == 200 and line.startswith("where where") and line.endswith("and why") and " ... " in line
    assert (
        one_line("short\n  text") == "short text"
        and len(one_line("x" * 201)) == 200
        and one_line("y" * 200) == "y" * 200
    )


def test_no_threads(graphs):
    with pytest.raises(BackendError, match="at least one thread"):
        load_backend("onnxruntime", graphs["encoder.onnx"], threads=0)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("onnxruntime", {"precision": "bfloat16"}, "back end 'onnxruntime' has an unknown key 'precision'"),
        ("openvino", {"precison": "bfloat16"}, "unknown key 'precison'; did you mean 'precision'?"),
        ("openvino", {"precision": "float16"}, "must be one of float32, bfloat16, not 'float16'"),
        ("openvino", {"precision": 16}, "precision must be of type str"),
        ("torch", {"precision": "int8"}, "must be one of float32, bfloat16, float16, not 'int8'"),
        ("torch", {"device": "tpu"}, "device of torch must be one of cpu, cuda, not 'tpu'"),
    ],
)
def test_options_that_make_no_sense(graphs, name, options, sentence):
    pytest.importorskip(name)
    with pytest.raises(ConfigError, match=sentence):
        load_backend(name, graphs["encoder.onnx"], options=options)


def test_a_missing_library_is_named_and_nothing_else_is_taken(graphs, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "wm_models.backends.onnxruntime", raising=False)
    with pytest.raises(BackendUnavailableError, match=r"install it: .* -m pip install --upgrade onnxruntime"):
        load_backend("onnxruntime", graphs["encoder.onnx"])


def test_available_says_what_to_install(monkeypatch):
    for library, name in (("tensorrt", "tensorrt"), ("openvino", "openvino")):
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, f"wm_models.backends.{name}", raising=False)
    found = available()
    assert set(found) == set(BACKENDS)
    assert found["onnxruntime"] == ""
    assert found["tensorrt"].endswith("pip install -e '.[tensorrt]' (in the clone) on a machine with an NVIDIA GPU")
    assert "pip install -e '.[openvino]'" in found["openvino"]


def test_the_package_imports_no_library():
    code = (
        "import sys, wm_models.backends, wm_models.engines.rtx, wm_models.engines.cache\n"
        "print([m for m in ('torch', 'openvino', 'onnxruntime', 'tensorrt', 'tensorrt_rtx', 'cuda', 'onnx')"
        " if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_part_of_a_bundle_with_options_in_one_word(bundle):
    pytest.importorskip("openvino")
    assert load_part("onnxruntime", bundle, "encoder").io.inputs.keys() == {"image"}
    backend = load_part("openvino:precision=float32", bundle, "predictor", threads=2)
    assert (backend.name, backend.info()["precision"], backend.info()["threads"]) == ("openvino", "float32", 2)


@pytest.mark.parametrize(
    ("backend", "error", "sentence"),
    [
        ("openvino:bfloat16", ConfigError, "'bfloat16' in the back end 'openvino:bfloat16' is not of the form"),
        ("openvino:device=cpu", ConfigError, "unknown key 'device'"),
        ("abacus:precision=float32", BackendUnavailableError, "no back end 'abacus'"),
    ],
)
def test_words_that_make_no_sense(bundle, backend, error, sentence):
    pytest.importorskip("openvino")
    with pytest.raises(error, match=sentence):
        load_part(backend, bundle, "encoder")


def test_a_part_that_the_bundle_has_not(bundle):
    with pytest.raises(BundleError, match=r"has no proposal.onnx for the back end 'onnxruntime'; export it again"):
        load_part("onnxruntime", bundle, "proposal")
