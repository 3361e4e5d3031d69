"""wm models: bring a published world model, check it, and time it.

Nothing is downloaded: 'wm models import' says where each checkpoint comes from and under which licence.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wm_bringup import paths
from wm_bringup.commands import refuse_to_replace
from wm_core import config, install
from wm_core.errors import ConfigError, WmError
from wm_core.share import share
from wm_lab import bench

BUNDLE_HELP = "a bundle in models/ by name, or a path"
BACKENDS_HELP = "names, each with options if need be: torch:device=cuda,precision=bfloat16"
PRECISIONS = ("float32", "float16", "bfloat16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, text: str, **settings: Any) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=text, formatter_class=parser.formatter_class, **settings)
        command.set_defaults(models_run=globals()[f"_{name}"])
        return command

    add("list", "the bundles, architectures and back ends that are here")
    command = add("import", "a published checkpoint as a bundle; without a file: where to get it")
    command.add_argument("model", help="whose checkpoint: one of those that 'wm models list' names")
    command.add_argument("checkpoint", type=Path, nargs="?", help="the file (or folder) of the checkpoint")
    command.add_argument("--out", type=Path, help="folder of the bundle; models/MODEL if not given")
    command.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="what the file does not say"
    )
    _precision(command, "also export graphs in this precision; the torch back end needs none")
    _force(command)

    command = add("random", "a bundle with random weights, for benchmarks of a size whose checkpoint is not at hand")
    command.add_argument("architecture")
    command.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="sizes that differ")
    _precision(command, "also export graphs in this precision")
    _force(command)

    command = add("export", "graphs of a bundle's weights in another precision, compared with torch")
    command.add_argument("bundle", help=BUNDLE_HELP)
    command.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    command.add_argument("--precision", choices=PRECISIONS, default="bfloat16")
    _force(command)

    command = add("verify", "a back end against torch, on random inputs")
    command.add_argument("bundle", help=BUNDLE_HELP)
    command.add_argument("--backends", nargs="+", default=["onnxruntime"], help=BACKENDS_HELP)

    command = add("build", "TensorRT engines ahead of the first start; or only check that the graphs would build")
    command.add_argument("bundle", help=BUNDLE_HELP)
    command.add_argument("--check", action="store_true", help="with tensorrt-rtx, on a machine without a GPU")

    command = add("bench", "every back end side by side: ms per frame and per plan")
    command.add_argument("bundle", help=BUNDLE_HELP)
    everyone = ["onnxruntime", "openvino", "openvino:precision=bfloat16", "torch"]
    command.add_argument("--backends", nargs="+", default=everyone, help=BACKENDS_HELP)
    command.add_argument("--samples", type=int, default=128, help="candidates per iteration")
    command.add_argument("--iterations", type=int, default=4, help="iterations per plan")
    command.add_argument("--horizon", type=int, default=2, help="steps per candidate")
    command.add_argument("--repeats", type=int, default=20, help="plans to time")
    command.add_argument("--threads", type=int, default=1, help="CPU threads of each graph")

    command = add("search", "whole searches on random queries: time against energy, until fewer samples get as far")
    command.add_argument("bundle", help=BUNDLE_HELP)
    command.add_argument("--backend", default="onnxruntime", help=BACKENDS_HELP)
    command.add_argument("--samples", type=int, default=800, help="of the reference; the defaults are V-JEPA 2-AC's")
    command.add_argument("--iterations", type=int, default=10, help="of the reference")
    command.add_argument("--elites", type=int, default=10, help="of the reference")
    command.add_argument("--horizon", type=int, default=1, help="steps per candidate")
    command.add_argument(
        "--ablate", action="store_true", help="instead: from the paper's search to ours, one setting after the other"
    )
    command.add_argument("--share", type=float, default=0.99, help="of the reference's fall in energy: what is equal")
    command.add_argument("--memory-mb", type=float, default=1024.0, help="for the candidates, weights not counted")
    command.add_argument("--queries", type=int, default=4, help="random starts and goals")
    command.add_argument("--repeats", type=int, default=5, help="plans to time")
    command.add_argument("--threads", type=int, default=1, help="CPU threads")


def _precision(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--precision", choices=PRECISIONS, help=text)


def _force(command: argparse.ArgumentParser) -> None:
    command.add_argument("--force", action="store_true", help="replace the bundle that is at --out")


def run(args: argparse.Namespace) -> int:
    try:
        if "bundle" in args:
            args.bundle = paths.bundle_folder(args.bundle)
        return args.models_run(args)
    except ImportError as error:
        raise WmError(f"this needs PyTorch, onnx and safetensors ({error}): {install.extra('train')}") from None


def _list(args: argparse.Namespace) -> int:
    from wm_models.architectures import ARCHITECTURES
    from wm_models.backends import available
    from wm_models.bundle import Bundle
    from wm_models.checkpoints import READERS

    for name, fault in available().items():
        print(f"back end      {name:14} {fault if fault else 'ready'}")
    for name in ARCHITECTURES:
        print(f"architecture  {name}")
    for name in READERS:
        print(f"checkpoint    {name}")
    for spec in sorted((share() / "models").glob("*/bundle.yaml")):
        bundle = Bundle.load(spec.parent)
        size = sum(f.stat().st_size for f in bundle.path.iterdir())
        print(f"bundle        {bundle.spec.name:14} {bundle.spec.architecture}, {size / 1e6:.1f} MB")
    return 0


def _import(args: argparse.Namespace) -> int:
    from wm_models.checkpoints import READERS

    source = READERS.load(args.model).source  # a name that nobody knows is no question of what is installed
    if args.checkpoint is None:
        print(source)
        return 0
    out = Path("models") / args.model if args.out is None else args.out
    refuse_to_replace(out, args.force)
    from wm_models import importer

    bundle = importer.import_checkpoint(args.model, args.checkpoint, out, _options(args.option), args.precision, _say)
    return _report(bundle)


def _random(args: argparse.Namespace) -> int:
    from wm_models.architectures import ARCHITECTURES

    ARCHITECTURES.check(args.architecture)
    refuse_to_replace(args.out, args.force)
    from wm_models import importer

    return _report(importer.random_bundle(args.architecture, args.out, _options(args.set), args.precision, _say))


def _export(args: argparse.Namespace) -> int:
    refuse_to_replace(args.out, args.force)
    from wm_models import importer

    return _report(importer.export_again(args.bundle, args.out, args.precision, _say))


def _verify(args: argparse.Namespace) -> int:
    from wm_models.bundle import Bundle
    from wm_models.verify import verify

    bundle, worst_status = Bundle.load(args.bundle), 0
    for name in args.backends:
        for row in verify(bundle, name):
            print(row)
            worst_status = max(worst_status, int(not row.ok))
    return worst_status


def _build(args: argparse.Namespace) -> int:
    from wm_models.backends import load_backend
    from wm_models.bundle import Bundle

    bundle = Bundle.load(args.bundle)
    for name in sorted(bundle.spec.files):
        if not name.endswith(".onnx"):
            continue
        _say(f"building {name}")
        if args.check:
            from wm_models.engines.rtx import check_build

            print(f"{name}: builds ({check_build(bundle.file(name))})")
        else:
            backend = load_backend("tensorrt", bundle.file(name))
            print(f"{name}: {backend.info()}")
            backend.close()
    return 0


def _bench(args: argparse.Namespace) -> int:
    from wm_models.bundle import Bundle

    bundle, setting = Bundle.load(args.bundle), bench.Setting(args.samples, args.iterations, args.horizon)
    print(f"{args.bundle.name}: {setting.samples} x {setting.iterations}, horizon {setting.horizon}, p50 / p99")
    print(f"{'back end':32}{'precision':14}{'threads':9}{'ms per frame':20}ms per plan")
    ran = False
    for row in bench.table(bundle, args.backends, setting, args.repeats, args.threads):
        name, precision, threads, frame, plan = row.cells()
        print(f"{name:32}{precision:14}{threads:9}{frame:20}{plan}".rstrip())
        ran |= not row.fault
    if not ran:
        raise WmError("none of these back ends runs here; the table says why")
    return 0


def _search(args: argparse.Namespace) -> int:
    from wm_lab import search_bench
    from wm_models import imagination
    from wm_models.bundle import Bundle
    from wm_planner.optimisers.cem import CemConfig

    reference = CemConfig(
        samples=args.samples, iterations=args.iterations, elites=args.elites, kept_elites=min(args.elites, 4)
    )
    model = imagination.load(Bundle.load(args.bundle), args.backend, args.threads, args.memory_mb)
    try:
        queries = search_bench.random_queries(model, args.queries)
        print(f"{args.bundle.name}: {args.backend}, horizon {args.horizon}, {args.queries} queries")
        if args.ablate:
            print(f"{'setting':28}{'ms p50':>12}{'ms p99':>12}{'energy':>12}")
            for name, setting in search_bench.ablation(reference):
                row = search_bench.measure(model, setting, args.horizon, queries, args.repeats)
                print(f"{name:28}{row.p50_ms:12.1f}{row.p99_ms:12.1f}{row.energy:12.5f}", flush=True)
            return 0
        print(f"{'samples':>10}{'iterations':>12}{'ms p50':>12}{'ms p99':>12}{'energy':>10}{'share of the fall':>20}")
        rows = search_bench.cheapest_equal(model, reference, args.horizon, queries, args.repeats, args.share)
        for row in rows:
            figures = f"{row.p50_ms:12.1f}{row.p99_ms:12.1f}{row.energy:10.4f}{row.share:20.3f}"
            print(f"{row.setting.samples:10}{row.setting.iterations:12}{figures}", flush=True)
    finally:
        model.close()
    return 0


def _options(words: list[str]) -> dict[str, Any]:
    """``["history=1"]`` to ``{"history": 1}``. Raises ConfigError."""
    options: dict[str, Any] = {}
    for word in words:
        key, value = config.assignment(word)
        if key in options:
            raise ConfigError(f"'{word}' gives '{key}' a second time; remove one")
        options[key] = value
    return options


def _say(step: str) -> None:
    print(f"... {step}", flush=True)


def _report(bundle: Any) -> int:
    size = sum(f.stat().st_size for f in bundle.path.iterdir())
    print(f"{bundle.path}: {size / 1e6:.1f} MB")
    return 0
