"""``wm config``: what each node would be configured by, and which file says each value.

``wm config show`` takes the options of ``wm pick_place`` that a configuration depends on, and starts nothing. The same
values come of the same options in ``ros2 launch`` and, for planner and controller, in ``wm eval``.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from wm_bringup import paths
from wm_core.errors import ConfigError
from wm_core.names import unknown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="config_action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print every value and where it comes from", description=__doc__)
    show.add_argument("node", nargs="?", help="one node alone, such as planner")
    show.add_argument("--mode", choices=("sim", "mock_crisp", "real"), default="sim", help="simulated or real")
    show.add_argument("--model", metavar="BUNDLE", help=f"default: {paths.DEFAULT_BUNDLE}, in simulation")
    show.add_argument("--arm", metavar="PRESET", help="a name from config/arms, or a file; default: that of the mode")
    show.add_argument("--config", type=Path, metavar="FOLDER", help="folder of <node>.yaml files")
    show.add_argument("--set", action="append", default=[], metavar="NODE.KEY=VALUE", help="one parameter")
    show.add_argument(
        "--drop-guard", action="append", default=[], metavar="GUARD", help="a guard that may be left out or loosened"
    )
    show.add_argument("--changed", action="store_true", help="only what is not the default of the code")
    show.add_argument("--json", action="store_true", help="as JSON: node -> key -> [value, place]")


def run(arguments: argparse.Namespace) -> int:
    from wm_bringup import bundles, graph
    from wm_core import parameters

    declared = graph.pick_place(
        arguments.mode,
        bundle=bundles.chosen(arguments.model, arguments.mode, dry_run=True).path.resolve(),
        goal="goals",
        arm=arguments.arm,
        config=arguments.config,
        settings=parameters.from_words(arguments.set),
        drop_guards=arguments.drop_guard,
    )
    found = graph.effective(declared)
    if arguments.node is not None and arguments.node not in found:
        raise ConfigError(unknown("node", arguments.node, found))
    nodes = {
        name: [setting for setting in settings if setting.place or not arguments.changed]
        for name, settings in found.items()
        if arguments.node in (None, name)
    }
    if arguments.json:
        print(json.dumps({name: {s.key: [s.value, s.place] for s in some} for name, some in nodes.items()}, indent=1))
        return 0
    for name, settings in nodes.items():
        print(f"{name}:")
        rows = [(setting.key, json.dumps(_plain(setting.value)), setting.place) for setting in settings]
        key_width = max((len(key) for key, _, _ in rows), default=0)
        value_width = min(max((len(value) for _, value, _ in rows), default=0), 40)
        for key, value, place in rows:
            print(f"  {key:{key_width}}  {value:{value_width}}  {_shown(place)}")
    return 0


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(place: str) -> str:
    if not place:
        return "default"
    return os.path.relpath(place) if os.path.isabs(place) and Path(place).is_relative_to(Path.cwd()) else place
