"""All of the back end but the GPU: doubles stand for TensorRT and CUDA, so no kernel runs here."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from wm_core.errors import BundleError, ConfigError
from wm_models.backends import BackendError, BackendUnavailableError, load_backend
from wm_models.engines import plan as plans

_spec = importlib.util.spec_from_file_location("gpu_double", Path(__file__).with_name("gpu_double.py"))
double = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(double)

MODULES = ("wm_models.backends.tensorrt", "wm_models.engines.cuda")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """machine(TensorRT's version) -> a machine with a GPU: ``load(**options)``, ``cuda`` and the graphs ``built``."""

    def make(version: str = "10.12.0.36") -> types.SimpleNamespace:
        for name in MODULES:
            sys.modules.pop(name, None)  # not by monkeypatch, which would bring back the doubles of an earlier call
        cuda = double.Cuda()
        bindings = types.ModuleType("cuda.bindings")
        bindings.runtime = cuda
        monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
        monkeypatch.setitem(sys.modules, "tensorrt", double.tensorrt(cuda, version))
        built: list[Path] = []

        def build(trt, onnx_path, limits, configure):
            configure(settings)
            built.append(onnx_path)
            return plans.Plan(b"engine of %d" % limits.max_batch, "bfloat16")

        settings = Settings()
        monkeypatch.setattr(plans, "build", build)
        graph = tmp_path / "predictor.onnx"
        graph.write_bytes(b"a graph")

        def load(**options):
            options = {"cache": str(tmp_path / "cache"), "max_batch": 8, "max_window": double.MAX_WINDOW} | options
            return load_backend("tensorrt", graph, threads=2, options=options)

        return types.SimpleNamespace(
            load=load, cuda=cuda, built=built, graph=graph, cache=tmp_path / "cache", s=settings
        )

    yield make
    for name in MODULES:  # no later test may meet a back end on doubles
        sys.modules.pop(name, None)


class Settings:
    """A builder's configuration with a timing cache; bytes that begin with "bad" are of another machine."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def create_timing_cache(self, data):
        self.given.append(data)
        return types.SimpleNamespace(serialize=lambda: data + b"+measured", data=data)

    def set_timing_cache(self, timing, ignore_mismatch):
        assert not ignore_mismatch
        self.timing = timing
        return not timing.data.startswith(b"bad")

    def get_timing_cache(self):
        return self.timing


def inputs(n: int = 5, k: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"latents": (n, k, 4, 3), "states": (n, k, 7), "actions": (n, k, 7)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def expected(given: dict[str, np.ndarray]) -> np.ndarray:
    moved = given["states"].sum((1, 2)) + given["actions"].sum((1, 2))
    return given["latents"].sum(1) + moved[:, None, None]


def check(backend, given) -> None:
    np.testing.assert_allclose(backend.infer(given)["next_latent"], expected(given), atol=1e-5)


def test_runs_every_batch_and_window(machine):
    backend = machine().load()
    for n, k in ((1, 1), (8, 3), (5, 2), (2, 1), (8, 3)):
        check(backend, inputs(n, k))
    assert backend.warmup(2)["next_latent"].shape == (2, 4, 3)


def test_batches_larger_than_the_engine_run_in_pieces(machine):
    backend = machine().load()
    for n in (9, 16, 21):
        check(backend, inputs(n))


def test_shapes_that_repeat_are_replayed_as_a_graph(machine):
    m = machine()
    backend = m.load()
    for seed in range(5):
        check(backend, inputs(5, 2, seed))
    assert m.cuda.calls.count("cudaStreamBeginCapture") == 1  # from the second run on
    assert m.cuda.calls.count("cudaGraphLaunch") == 4
    for seed in range(3):
        check(backend, inputs(3, 3, seed))
        check(backend, inputs(5, 2, seed))  # the first graph is still right
    assert backend.info()["cuda_graphs"] == m.cuda.graphs == 2


def test_graphs_of_many_shapes_are_forgotten_oldest_first(machine):
    m = machine()
    backend = m.load(max_batch=64)
    for n in range(1, 15):
        for seed in range(2):
            check(backend, inputs(n, 1, seed))
    assert backend.info()["cuda_graphs"] == m.cuda.graphs == 8
    check(backend, inputs(1, 1, 3))


def test_without_graphs_it_goes_on_and_says_so(machine, caplog):
    m = machine()
    m.cuda.fail["cudaGraphInstantiate"] = 1
    backend = m.load()
    for seed in range(3):
        check(backend, inputs(5, 2, seed))
    assert backend.info()["cuda_graphs"] == 0
    assert caplog.text.count("runs without CUDA graphs") == 1


def test_io_and_info(machine):
    backend = machine("11.4.0.106").load()
    assert backend.io.inputs["latents"].shape == (None, None, 4, 3)
    assert backend.io.outputs["next_latent"].shape == (None, 4, 3)
    assert {tensor.dtype for tensor in (*backend.io.inputs.values(), *backend.io.outputs.values())} == {"float32"}
    assert backend.info() == {
        "backend": "tensorrt",
        "version": "11.4.0.106",
        "device": "Double (cuda)",
        "threads": 2,
        "precision": "bfloat16",
        "cuda_graphs": 0,
    }


def test_outputs_are_the_callers_own_and_inputs_may_be_views(machine):
    backend = machine().load()
    given = inputs()
    views = {name: np.repeat(array, 2, axis=-1)[..., ::2] for name, array in given.items()}
    first = backend.infer(views)["next_latent"]
    backend.infer(inputs(seed=1))
    np.testing.assert_allclose(first, expected(given), atol=1e-5)


def test_can_be_called_from_several_threads(machine):
    backend = machine().load()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: check(backend, inputs(1 + seed % 4, 1 + seed % 3, seed)), range(40)))


def test_a_window_that_is_too_long(machine):
    backend = machine().load()
    with pytest.raises(BackendError, match=r"windows of up to 3; set max_window"):
        backend.infer(inputs(2, 4))
    check(backend, inputs())


def test_failures_of_the_gpu_are_one_sentence(machine):
    m = machine()
    backend = m.load()
    m.cuda.fail["cudaStreamSynchronize"] = 700
    with pytest.raises(
        BackendError, match=r"CUDA failed in cudaStreamSynchronize: something went wrong; check the GPU 0"
    ):
        backend.infer(inputs())
    with pytest.raises(BackendError, match="not empty"):
        backend.infer(inputs(0))


def test_a_closed_back_end_frees_all(machine):
    m = machine()
    backend = m.load()
    for _ in range(3):
        backend.infer(inputs())
    backend.close()
    backend.close()
    assert m.cuda.blocks == {}
    assert m.cuda.graphs == 0
    with pytest.raises(BackendError, match="tensorrt back end is closed"):
        backend.infer(inputs())


def test_no_gpu(machine):
    m = machine()
    m.cuda.fail["cudaSetDevice"] = 35
    with pytest.raises(BackendError, match=r"CUDA failed in cudaSetDevice.*check the GPU 1 with nvidia-smi"):
        m.load(device="cuda:1")
    assert m.built == []


def test_too_little_memory_frees_what_was_taken(machine):
    m = machine()
    m.cuda.fail["cudaHostAlloc"] = 2
    with pytest.raises(BackendError, match="cudaHostAlloc"):
        m.load()
    assert m.cuda.blocks == {}


def test_an_engine_is_built_once_for_a_graph_and_its_limits(machine):
    m = machine()
    for _ in range(2):
        assert m.load().info()["precision"] == "bfloat16"  # also when it comes from the cache
    assert len(m.built) == 1
    m.load(max_batch=16)
    m.graph.write_bytes(b"another graph")
    m.load()
    assert len(m.built) == 3


def test_the_description_beside_the_engine(machine):
    m = machine()
    m.load()
    (record,) = (json.loads(path.read_text()) for path in m.cache.glob("*.json"))
    facts = record["facts"]
    assert {name: facts[name] for name in ("gpu", "compute_capability", "tensorrt", "driver", "cuda")} == {
        "gpu": "Double",
        "compute_capability": "8.9",
        "tensorrt": "10.12.0.36",
        "driver": 12080,
        "cuda": 12060,
    }
    assert (facts["max_batch"], facts["opt_batch"], facts["max_window"]) == (8, 8, 3)
    assert "no tf32" in facts["flags"]
    assert facts["system"].startswith("Linux")


def test_another_version_builds_its_own(machine):
    machine("10.12.0.36").load()
    newer = machine("11.4.0.106")
    newer.load()
    assert len(newer.built) == 1


def test_an_engine_that_tensorrt_does_not_load_is_built_again(machine, caplog):
    m = machine()
    m.load()
    (engine,), (record,) = m.cache.glob("*.plan"), m.cache.glob("*.json")
    engine.write_bytes(b"of another driver")
    facts = json.loads(record.read_text())
    record.write_text(json.dumps(facts | {"sha256": hashlib.sha256(b"of another driver").hexdigest()}))
    check(m.load(), inputs())
    assert len(m.built) == 2
    assert "does not fit this machine" in caplog.text


def test_a_failed_build_frees_the_gpu(machine, monkeypatch):
    m = machine()

    def build(*args):
        raise BundleError("cannot build")

    monkeypatch.setattr(plans, "build", build)
    with pytest.raises(BundleError):
        m.load()
    assert "cudaStreamDestroy" in m.cuda.calls


def test_measurements_serve_the_next_build(machine):
    m = machine()
    m.load()
    m.load(max_batch=16)
    assert m.s.given == [b"", b"+measured"]
    (timing,) = m.cache.glob("*.timing")
    timing.write_bytes(b"bad")
    m.load(max_batch=32)
    assert m.s.given[2:] == [b"bad", b""]
    assert timing.read_bytes() == b"+measured"


@pytest.mark.parametrize("version", ["8.6.1", "10.11.0.33", "10.3.0"])
def test_old_versions_are_refused(machine, version):
    with pytest.raises(BackendUnavailableError, match=rf"TensorRT {version} is too old, at least 10.12"):
        machine(version).load()


@pytest.mark.parametrize("version", ["10.12.0.36", "10.16.1.11", "11.0.0.114", "11.4.0.106"])
def test_supported_versions(machine, version):
    check(machine(version).load(), inputs())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "cpu"}, "must be cuda or cuda:N, not 'cpu'"),
        ({"opt_batch": 0}, "opt_batch 0 must lie within 1 and max_batch = 8"),
        ({"opt_batch": 9}, "opt_batch 9 must"),
        ({"max_window": 0}, "max_window 0 must"),
        ({"precision": "float16"}, "unknown key 'precision'"),  # it is the graph's
    ],
)
def test_options_that_make_no_sense(machine, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        machine().load(**options)


def test_without_the_libraries(graphs, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(BackendUnavailableError, match=r"pip install -e '\.\[tensorrt\]'"):
        load_backend("tensorrt", graphs["predictor.onnx"])


@pytest.mark.parametrize("name", ["Runtime", "ICudaEngine", "IExecutionContext", "TensorIOMode", "ILogger"])
def test_the_double_has_only_names_that_the_real_library_has(name):
    rtx = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed: pip install tensorrt-rtx")
    real, ours = getattr(rtx, name), getattr(double, name)
    own = {member for member, _ in inspect.getmembers(ours) if not member.startswith("_")} - set(dir(int))
    assert own - {"cuda", "shapes", "log", "name", "value"} <= set(dir(real))
