"""The ``wm`` command. Each subcommand is a module of :mod:`wm_bringup.commands`.

A command module has a docstring that begins with ``wm NAME: what it does.``, ``add_arguments(parser)`` and
``run(arguments) -> int``, the exit status. It imports what is heavy only in ``run``. A WmError ends any command with
one sentence and status 2.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

from wm_core.errors import WmError

from . import commands

EXIT_CANNOT_RUN = 2
EXIT_INTERRUPTED = 130  # as a shell reports a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the console script; ends the process."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command line. Returns its exit status; raises SystemExit on --help and on a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="wm",
        description="Control a Franka by planning in the latent space of a world model.",
        epilog="'wm COMMAND --help' tells more; './wm test' runs the tests.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in command_modules().items():
        text = module.__doc__
        command = subparsers.add_parser(
            name,
            help=text.splitlines()[0].partition(": ")[2].rstrip("."),
            description=text,
            formatter_class=_CommandFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(command_run=module.run)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.command_run(arguments))
    except WmError as error:
        print(f"wm: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def command_modules() -> dict[str, Any]:
    """The subcommands by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(commands.__path__))
    return {name: importlib.import_module(f"{commands.__name__}.{name}") for name in names}


class _CommandFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults behind each option, and the module's description as it is written."""


if __name__ == "__main__":
    main()
