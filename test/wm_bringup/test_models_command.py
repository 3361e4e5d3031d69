"""``wm models`` from the command line, on a small model with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from wm_bringup import cli

SIZES = ["image_px=32", "channels=[8, 8, 8]", "latent_dim=16", "hidden_dim=32", "blocks=1"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    sizes = [word for size in SIZES for word in ("--set", size)]
    assert cli.run(["models", "random", "conv_jepa", "--out", str(folder), "--precision", "float32", *sizes]) == 0
    return folder


def test_each_back_end_has_a_row_and_says_what_it_ran(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--samples", "8", "--iterations", "2", "--repeats", "2", "--backends", "onnxruntime", "torch", "tensorrt"]
    assert cli.run(["models", "bench", str(small), *words]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()[2:]}
    assert rows["onnxruntime"][1] == rows["torch"][1] == "float32"
    assert float(rows["onnxruntime"][3]) > 0.0 and float(rows["onnxruntime"][6]) > 0.0
    assert "cannot be loaded" in " ".join(rows["tensorrt"]) or rows["tensorrt"][1] == "float32"


def test_verify_compares_every_part(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "verify", str(small), "--backends", "onnxruntime", "torch:precision=bfloat16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(line.endswith("ok") for line in lines)


def test_a_search_is_timed_against_its_energy(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--samples", "64", "--iterations", "3", "--queries", "2", "--repeats", "1"]
    assert cli.run(["models", "search", str(small), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines[2].split()
    assert first[:2] == ["64", "3"] and float(first[2]) > 0.0 and first[5] == "1.000"
    assert len(lines) > 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["import", "gpt"], "no checkpoint reader 'gpt'"),
        (["import", "vjepa2_ac", "missing.pt"], "there is no checkpoint at missing.pt"),
        (["bench", "nowhere"], "there is no model bundle"),
        (["verify", "panda-pick-place"], "did you mean 'panda_pick_place'?"),
        (["search", "panda-pick-place"], "did you mean 'panda_pick_place'?"),
        (["build", "panda-pick-place"], "did you mean 'panda_pick_place'?"),
        (["random", "conv_jepa", "--out", "x", "--set", "latent_dim"], "not of the form KEY=VALUE"),
        (["random", "conv_jepa", "--out", "x", "--set", "colour=3"], "unknown key 'colour'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["models", *words]) == 2
    out, error = capsys.readouterr()
    assert "p50" not in out  # the head of a table of nothing
    assert sentence in error and "\n" not in error.strip()
    assert not list(tmp_path.iterdir())


def test_a_bundle_is_named_as_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["models", "verify", "panda_pick_place", "--backends", "onnxruntime"]) == 0
    assert capsys.readouterr().out


def test_without_a_file_import_says_where_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "import", "vjepa2_ac"]) == 0
    text = capsys.readouterr().out
    assert "facebookresearch/vjepa2" in text and "MIT" in text


def test_a_comparison_with_nothing_is_no_yes(small: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from dataclasses import replace

    from wm_models.bundle import Bundle, write_bundle

    bundle = Bundle.load(small)
    graphs = {name: bundle.file(name) for name in bundle.spec.files if name.endswith(".onnx")}
    write_bundle(tmp_path / "graphs", replace(bundle.spec, files={}), graphs, "# Graphs\n")
    assert cli.run(["models", "verify", str(tmp_path / "graphs")]) == 2
    assert "holds no weights to compare with, only graphs; import its checkpoint again" in capsys.readouterr().err


def test_a_bench_of_nothing_could_not_be_done(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "bench", str(small), "--backends", "abacus"]) == 2
    assert "none of these back ends runs here" in capsys.readouterr().err


def test_the_list_names_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "list"]) == 0
    text = capsys.readouterr().out
    assert "onnxruntime    ready" in text and "vjepa2_ac" in text and "panda_pick_place" in text
