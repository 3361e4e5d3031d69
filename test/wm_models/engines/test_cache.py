from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wm_core.errors import BundleError
from wm_models.backends import BackendError
from wm_models.engines.cache import EngineCache, default_folder, graph_digest, key

FACTS = {"graph": "0" * 64, "max_batch": 256, "tensorrt": "10.12.0.36", "gpu": "NVIDIA L4", "driver": 12080}


class Builder:
    """Counts what it builds; a plan is opened unless it is listed in ``foreign``."""

    def __init__(self, foreign: tuple[bytes, ...] = ()) -> None:
        self.built, self.foreign = 0, foreign

    def build(self) -> tuple[bytes, dict[str, str]]:
        self.built += 1
        return f"plan {self.built}".encode(), {"precision": "bfloat16"}

    def opened(self, plan: bytes) -> str | None:
        return None if plan in self.foreign else plan.decode()


def engine(cache: EngineCache, builder: Builder, facts=FACTS):
    return cache.engine(facts, builder.build, builder.opened)


def plan_of(folder: Path, facts=FACTS) -> Path:
    return folder / f"{key(facts)}.plan"


def test_an_engine_is_built_once_and_keeps_its_notes(tmp_path):
    folder, builder = tmp_path / "a" / "b", Builder()
    assert engine(EngineCache(folder), builder) == ("plan 1", {"precision": "bfloat16"})
    assert engine(EngineCache(folder), builder) == ("plan 1", {"precision": "bfloat16"})
    assert builder.built == 1
    record = json.loads(plan_of(folder).with_suffix(".json").read_text())
    assert record["facts"] == FACTS  # for people
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]  # no temporary file stays


@pytest.mark.parametrize("name", FACTS)
def test_another_engine_for_every_other_fact(tmp_path, name):
    cache, builder = EngineCache(tmp_path), Builder()
    assert engine(cache, builder)[0] == "plan 1"
    assert engine(cache, builder, FACTS | {name: "other"})[0] == "plan 2"
    assert engine(cache, builder)[0] == "plan 1"


def test_the_order_of_facts_does_not_matter():
    assert key(FACTS) == key(dict(reversed(FACTS.items())))


@pytest.mark.parametrize(
    "damage",
    [
        lambda plan: plan.write_bytes(b""),
        lambda plan: plan.write_bytes(b"plan 2"),
        lambda plan: plan.unlink(),
        lambda plan: plan.with_suffix(".json").unlink(),
        lambda plan: plan.with_suffix(".json").write_text(""),
        lambda plan: plan.with_suffix(".json").write_text("[]"),
        lambda plan: plan.with_suffix(".json").write_text('{"facts": {}}'),
        lambda plan: plan.with_suffix(".json").write_bytes(b"\xff\xfe"),
    ],
    ids=["empty", "changed", "no plan", "no json", "empty json", "a list", "other facts", "no text"],
)
def test_a_damaged_engine_is_built_again(tmp_path, damage):
    builder = Builder()
    engine(EngineCache(tmp_path), builder)
    damage(plan_of(tmp_path))
    assert engine(EngineCache(tmp_path), builder)[0] == "plan 2"
    assert engine(EngineCache(tmp_path), builder)[0] == "plan 2"


def test_facts_that_do_not_match_the_name_are_a_miss(tmp_path, caplog):
    builder = Builder()
    engine(EngineCache(tmp_path), builder)
    record = plan_of(tmp_path).with_suffix(".json")
    record.write_text(record.read_text().replace("NVIDIA L4", "NVIDIA T4"))
    assert engine(EngineCache(tmp_path), builder)[0] == "plan 2"
    assert "is of another engine" in caplog.text


def test_an_engine_that_does_not_open_is_built_again(tmp_path, caplog):
    builder = Builder(foreign=(b"plan 1",))
    builder.built = 1
    engine(EngineCache(tmp_path), builder)  # plan 2
    builder.foreign = (b"plan 2",)  # as after a change of the machine that no fact shows
    assert engine(EngineCache(tmp_path), builder)[0] == "plan 3"
    assert "does not fit this machine" in caplog.text


def test_a_new_engine_that_does_not_open_is_an_error_and_is_not_kept(tmp_path):
    with pytest.raises(BackendError, match="just built cannot be loaded"):
        engine(EngineCache(tmp_path), Builder(foreign=(b"plan 1",)))
    assert not plan_of(tmp_path).exists()


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail():
        raise BundleError("no")

    with pytest.raises(BundleError):
        EngineCache(tmp_path).engine(FACTS, fail, bytes.decode)
    assert engine(EngineCache(tmp_path), Builder())[0] == "plan 1"


def test_one_builds_and_the_others_wait(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    builder, started = Builder(), threading.Barrier(4)

    def slow_build():
        time.sleep(0.2)
        return builder.build()

    def one(_):
        started.wait()
        return EngineCache(tmp_path).engine(FACTS, slow_build, builder.opened)[0]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == ["plan 1"] * 4
    assert builder.built == 1
    assert "waiting for another process" in caplog.text


def test_processes_that_build_at_once_agree(tmp_path):
    code = (
        "import os, sys, time\n"
        "from wm_models.engines.cache import EngineCache\n"
        "def build():\n"
        "    time.sleep(0.2)\n"
        "    return f'plan of {os.getpid()}'.encode(), {}\n"
        "print(EngineCache(sys.argv[1]).engine({'graph': 'x'}, build, bytes.decode)[0])\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    found = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert len(set(found)) == 1
    assert found[0] in {f"plan of {process.pid}" for process in processes}


def test_timings_are_kept_for_each_machine(tmp_path):
    cache = EngineCache(tmp_path)
    assert cache.timing({"gpu": "L4"}) == b""
    cache.store_timing({"gpu": "L4"}, b"measured")
    assert cache.timing({"gpu": "L4"}) == b"measured"
    assert cache.timing({"gpu": "T4"}) == b""


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match=r"cannot write the engine cache .*; set cache to another folder"):
        engine(EngineCache(tmp_path / "file" / "cache"), Builder())


def test_the_default_folder_is_the_users(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_folder() == Path("/x/wm_bringup/tensorrt")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/lab")
    assert default_folder() == Path("/home/lab/.cache/wm_bringup/tensorrt")


@pytest.mark.parametrize("location", ["predictor.onnx.data", "encoder.data", "weights.bin", "parts/weights"])
def test_the_digest_covers_weights_in_other_files(tmp_path, location, with_weights_in):
    weights, other = tmp_path / location, tmp_path / "encoder.onnx"
    weights.parent.mkdir(exist_ok=True)
    graph = with_weights_in(tmp_path / "predictor.onnx", location)
    before = graph_digest(graph)
    other.write_bytes(b"of no concern")
    assert graph_digest(graph) == before
    weights.write_bytes(bytes(len(weights.read_bytes())))
    changed = graph_digest(graph)
    assert changed != before
    content = graph.read_bytes()
    graph.write_bytes(content + content)
    assert graph_digest(graph) not in (before, changed)
    weights.unlink()
    with pytest.raises(BundleError, match=r"cannot read .*" + location):
        graph_digest(graph)
    with pytest.raises(BundleError, match=r"cannot read .*proposal.onnx"):
        graph_digest(tmp_path / "proposal.onnx")
