"""The ``wm`` command. Each subcommand is a module of :mod:`wm_bringup.commands`.

A command module has a docstring that begins with ``wm NAME: what it does.``, ``add_arguments(parser)`` and
``run(arguments) -> int``, the exit status. It imports what is heavy only in ``run``. A WmError ends any command with
one sentence and status 2.

Exit statuses, of every command:

====  ==================================================================================================
0     done; where a question was asked (placed? equal? as declared? within the limits?): yes
1     done, and the answer is no
2     could not be done, or not to the end: a wrong command line, something missing, a fault of ``wm`` itself
129   the terminal was closed (SIGHUP), and what had been begun was ended in order
130   interrupted by Ctrl-C, likewise
143   ended by SIGTERM, likewise
====  ==================================================================================================

``wm eval`` measures, so it ends with 0 however many were placed; ``wm models bench`` ends with 2 if no back end ran.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from wm_core import install
from wm_core.errors import WmError, interrupt_in, quoted
from wm_core.names import meant

from . import commands
from .terminal import complain

EXIT_YES, EXIT_NO, EXIT_CANNOT_RUN = 0, 1, 2
EXIT_INTERRUPTED = 128 + signal.SIGINT  # as a shell reports a program ended by Ctrl-C


class Ended(KeyboardInterrupt):
    """A signal other than Ctrl-C asks this process to end; whoever ends in order at Ctrl-C does so now, too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def interrupted_status(interrupt: KeyboardInterrupt) -> int:
    """The exit status of a command that ended in order because of ``interrupt``."""
    return 128 + interrupt.number if isinstance(interrupt, Ended) else EXIT_INTERRUPTED


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the console script; ends the process."""
    try:
        sys.exit(run(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # before the command has begun
        sys.exit(EXIT_INTERRUPTED)
    except Exception:  # status 1 would be an answer
        traceback.print_exc()
        complain("this is a fault of wm itself; please report it with the lines above")
        sys.exit(EXIT_CANNOT_RUN)


def run(argv: Sequence[str]) -> int:
    """Run one command line. Returns its exit status; raises SystemExit on --help and on a wrong command line."""
    parser = _Parser(
        prog="wm",
        description="Control a Franka by planning in the latent space of a world model.",
        epilog="'wm COMMAND --help' tells more; './wm test' runs the tests. "
        "Exit status: 0 yes or done, 1 no, 2 could not, 130 and 143 interrupted.",
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
    arguments, unread = parser.parse_known_args(argv)
    if unread:
        command = subparsers.choices[arguments.command]
        known = [option for action in command._actions for option in action.option_strings]
        command.error(f"nobody reads {' '.join(unread)}{meant(unread[0], known)}")
    try:
        with _ends_in_order():
            return int(arguments.command_run(arguments))
    except WmError as error:
        if (interrupt := interrupt_in(error)) is not None:
            return interrupted_status(interrupt)
        complain(str(error))
        return EXIT_CANNOT_RUN
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", *(name for name in sys.modules if name.startswith("wm_"))):
            raise
        complain(f"'wm {arguments.command}' needs the Python module {missing}: {_how(missing)}")
        return EXIT_CANNOT_RUN
    except KeyboardInterrupt as interrupt:
        return interrupted_status(interrupt)
    except BrokenPipeError:  # whoever read our words has seen enough, as in `wm models list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is None:
            raise
        complain(f"{quoted(str(error.filename))} cannot be used: {error.strerror}; give another path")
        return EXIT_CANNOT_RUN


def command_modules() -> dict[str, Any]:
    """The subcommands by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(commands.__path__))
    return {name: importlib.import_module(f"{commands.__name__}.{name}") for name in names}


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP raise :class:`Ended`, as SIGINT raises KeyboardInterrupt."""

    def end(number: int, _: FrameType | None) -> None:
        raise Ended(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # lifeline.py keeps it back until somebody asks for it
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _how(module: str) -> str:
    if module in ("rclpy", "rcl_interfaces", "rosgraph_msgs") or module.endswith(("_msgs", "_srvs")):
        return f"source ROS 2's setup.bash, or {install.extra('ros')}"
    return install.of_module(module) or "run ./wm of the clone, or pip install -e ."


class _Parser(argparse.ArgumentParser):
    """Refuses a value that is empty, such as a shell variable that is not set: as a path it would be this folder."""

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        whole = action.nargs == argparse.PARSER  # the words of a subcommand, whose own parser sees them next
        if not whole and any(not text.strip() for text in arg_strings):
            raise argparse.ArgumentError(action, "its value is empty, such as a shell variable that is not set")
        return super()._get_values(action, arg_strings)


class _CommandFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults behind each option that has one, and the module's description as it is written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, [], False) else super()._get_help_string(action)


if __name__ == "__main__":
    main()
