"""Starts the nodes of a graph and waits, as ``ros2 launch`` does: nothing happens to them when it is killed.

    python -m wm_bringup.faults.launcher FOLDER

FOLDER holds ``graph.yaml``, a list of nodes; it gets their logs, and ``pids``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import yaml

from wm_bringup.graph import NodeSpec, node_environment
from wm_bringup.processes import node_command
from wm_core.topics import CONTROLLER

GRAPH, PIDS = "graph.yaml", "pids"


def main() -> None:
    folder = Path(sys.argv[1])
    children = []
    for values in yaml.safe_load((folder / GRAPH).read_text(encoding="utf-8")):
        spec = NodeSpec(values["name"], values["module"], values["parameters"], tuple(map(tuple, values["remappings"])))
        if spec.name == CONTROLLER:
            spec.parameters["launcher_pid"] = os.getpid()
        with open(folder / f"{spec.name}.log", "wb") as log:
            children.append(
                subprocess.Popen(
                    node_command(spec, folder),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env={**os.environ, **node_environment(spec, os.environ)},
                )
            )
    (folder / PIDS).write_text("\n".join(str(child.pid) for child in children), encoding="ascii")
    while all(child.poll() is None for child in children):
        time.sleep(0.1)


if __name__ == "__main__":
    main()
