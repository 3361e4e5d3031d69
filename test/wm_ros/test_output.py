"""What a node says must never make it wait: pipes, terminals and sockets that nobody reads."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from wm_ros.output import never_wait_for_a_reader

Ends = tuple[int, int]  # ours, and that of whoever reads


def pipe() -> Ends:
    theirs, ours = os.pipe()
    return ours, theirs


def terminal() -> Ends:
    theirs, ours = os.openpty()
    return ours, theirs


def sockets() -> Ends:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def without_reader() -> Ends:
    ours, theirs = pipe()
    os.close(theirs)
    return ours, -1


@pytest.fixture
def hurry() -> Iterator[None]:
    """Whoever waits is interrupted."""

    def late(*_: object) -> None:
        raise AssertionError("it waits for a reader")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def say(descriptor: int, megabytes: int = 1) -> int:
    """Write much; returns how many bytes were taken."""
    taken = 0
    for _ in range(megabytes * 256):
        with suppress(BlockingIOError, BrokenPipeError):
            taken += os.write(descriptor, b"x" * 4096)
    return taken


@pytest.mark.parametrize("make", [pipe, terminal, sockets])
@pytest.mark.parametrize("proc", [True, False], ids=["proc", "no_proc"])
def test_what_is_not_read_is_lost(
    make: Callable[[], Ends], proc: bool, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = make()
    if not proc:

        def refuse(*_: object) -> int:
            raise OSError

        monkeypatch.setattr(os, "open", refuse)
    never_wait_for_a_reader(ours)
    assert 0 < say(ours) < 1 << 20
    while not say(ours):  # a terminal wants to be read more than once
        os.read(theirs, 1 << 20)
    for descriptor in (ours, theirs):
        os.close(descriptor)


@pytest.mark.parametrize("make", [pipe, terminal])
def test_whoever_shares_it_goes_on_waiting(make: Callable[[], Ends], hurry: None) -> None:
    """A shell whose terminal does not wait any more loses what it prints."""
    ours, theirs = make()
    shared = os.dup(ours)
    never_wait_for_a_reader(ours)
    assert not os.get_blocking(ours) and os.get_blocking(shared)
    for descriptor in (ours, shared, theirs):
        os.close(descriptor)


def test_a_pipe_whose_reader_is_gone(hurry: None) -> None:
    ours, _ = without_reader()
    never_wait_for_a_reader(ours)
    assert say(ours) == 0
    os.close(ours)


def test_a_file_loses_nothing(tmp_path: Path, hurry: None) -> None:
    with open(tmp_path / "log", "ab") as log:
        never_wait_for_a_reader(log.fileno())
        assert say(log.fileno()) == 1 << 20 and os.get_blocking(log.fileno())


def test_one_that_is_closed_is_left_alone(hurry: None) -> None:
    ours, theirs = pipe()
    os.close(ours)
    os.close(theirs)
    never_wait_for_a_reader(ours)
