"""What the files of PyTorch hold, and whether it fits a model."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from wm_core.errors import BundleError
from wm_models.state_dicts import entry, fit, read_checkpoint, strip


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "some.pt"
    torch.save({"model": {"a": torch.arange(3.0)}, "epoch": 4, "opt": {"lr": 0.1}}, path)
    return path


class Code:
    """An object that a checkpoint must not be able to bring to life."""


def test_reads_a_training_dict(saved):
    found = read_checkpoint(saved)
    assert sorted(found) == ["epoch", "model", "opt"]
    assert torch.equal(found["model"]["a"], torch.arange(3.0))


def test_reads_a_file_of_an_old_pytorch(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(read_checkpoint(tmp_path / "old.pt")["a"], torch.ones(2))


def test_tensors_stay_in_the_file(tmp_path):
    path = tmp_path / "large.pt"
    torch.save({"a": torch.zeros(2_000_000), "b": torch.zeros(2_000_000)}, path)
    found = read_checkpoint(path)
    mapped = Path("/proc/self/maps")
    if not mapped.exists():
        pytest.skip("needs /proc")
    assert str(path) in mapped.read_text()
    assert found["a"].shape == (2_000_000,)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, saved):
    whole = saved.read_bytes()
    cases = {
        "text.pt": b"<html>not found</html>",
        "empty.pt": b"",
        "half.pt": whole[: len(whole) // 2],
        "pickle.pt": pickle.dumps([1, 2, 3], protocol=2),
        "zip.pt": whole.replace(b"data.pkl", b"data.xyz"),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BundleError, match=name):
            read_checkpoint(tmp_path / name)
    with pytest.raises(BundleError, match="there is no checkpoint at"):
        read_checkpoint(tmp_path / "missing.pt")
    with pytest.raises(BundleError, match="there is no checkpoint at"):
        read_checkpoint(tmp_path)


def test_pickled_objects_are_never_run(tmp_path):
    torch.save({"model": Code()}, tmp_path / "code.pt")
    with pytest.raises(BundleError, match=r"code\.pt holds pickled Python objects"):
        read_checkpoint(tmp_path / "code.pt")


def test_a_bare_tensor_is_refused(tmp_path):
    torch.save(torch.ones(2), tmp_path / "tensor.pt")
    with pytest.raises(BundleError, match="holds a Tensor, not names and tensors"):
        read_checkpoint(tmp_path / "tensor.pt")


def test_entry(saved):
    found = read_checkpoint(saved)
    assert list(entry(found, "model", saved)) == ["a"]
    with pytest.raises(BundleError, match=r"no state dict 'encoder' \(it has: epoch, model, opt\)"):
        entry(found, "encoder", saved)
    with pytest.raises(BundleError, match="no state dict 'epoch'"):
        entry(found, "epoch", saved)
    with pytest.raises(BundleError, match=r"'opt' holds more than tensors \(lr\)"):
        entry(found, "opt", saved)


def test_strip():
    one = torch.ones(1)
    found = strip({"module.backbone.a.w": one, "backbone.module.b": one, "c.module.d": one}, ("module.", "backbone."))
    assert list(found) == ["a.w", "b", "c.module.d"]
    with pytest.raises(BundleError, match="'a' twice"):
        strip({"module.a": one, "a": one}, ("module.",))


def test_fit_returns_what_the_module_needs_in_its_order():
    module = torch.nn.Linear(2, 3)
    state = {"extra": torch.ones(1), "bias": torch.zeros(3), "weight": torch.ones(3, 2)}
    found = fit(module, state, ignore=("extra", "not there"))
    assert list(found) == ["weight", "bias"]
    module.load_state_dict(found)
    assert fit({"bias": (3,)}, {"bias": state["bias"]}) == {"bias": state["bias"]}
    assert fit({"n": ()}, {"n": torch.tensor(4)})["n"] == 4


def test_fit_lists_every_fault():
    shapes = dict.fromkeys("abcdefghi", (2,))
    state = {
        "h": torch.ones(2, 1),
        "i": torch.tensor([1.0, float("nan")]),
        "a": torch.ones(2),
        "odd": torch.ones(1),
    }
    with pytest.raises(BundleError) as caught:
        fit(shapes, state, where="the file")
    sentence = str(caught.value)
    assert sentence.startswith("the file does not fit the model (6 missing: b, c, d, e, f and 1 more; 1 unknown: odd; ")
    assert "1 of another shape: h (2, 1) for (2,); 1 not finite: i" in sentence
    for value in (float("inf"), -float("inf"), float("nan")):
        with pytest.raises(BundleError, match="1 not finite: a"):
            fit({"a": (2,)}, {"a": torch.tensor([value, 1.0], dtype=torch.bfloat16)})
