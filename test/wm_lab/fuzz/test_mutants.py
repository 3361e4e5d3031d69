"""The fuzzer misses the guards that are taken out; all of them: ``python -m wm_lab.fuzz --mutants``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wm_lab.fuzz import mutants
from wm_lab.fuzz.mutants import MUTANTS, Mutant, hunt

#: Those that a few sessions show.
QUICK = [
    "a fault of the clock holds",
    "no resume at once after a stop",
    "a stop latches in a hold",
    "nothing but resume leaves a fault",
    "a run that ended does not go on",
    "the gripper hears nothing while not running",
    "a second voice holds",
    "a lost launcher stops",
    "huge deltas are refused, not shortened",
    "an old plan is refused the second time as well",
    "contact is looked at",
    "a start clears no stop",
    "an arm outside box and cone holds",
    "a twist brakes in a hold",
]


@pytest.mark.parametrize("guard", QUICK)
def test_a_guard_that_is_taken_out_is_missed(guard: str) -> None:
    (mutant,) = [m for m in MUTANTS if m.guard == guard]
    verdict = hunt(mutant, seed=0, most=60, ticks=150)
    assert verdict.sessions is not None and verdict.violation


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.guard)
def test_each_guard_is_there_and_is_put_back(mutant: Mutant) -> None:
    before = [vars(of).get(name) for of, name, _ in mutant.changes]
    with mutant.loose():
        assert all(vars(of)[name] is not kept for (of, name, _), kept in zip(mutant.changes, before, strict=True))
    assert [vars(of).get(name) for of, name, _ in mutant.changes] == before


def test_each_guard_is_named_once() -> None:
    assert len({mutant.guard for mutant in MUTANTS}) == len(MUTANTS)


def test_a_guard_that_nobody_misses_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from wm_lab.fuzz import __main__ as command

    idle = Mutant("a guard that guards nothing", ((mutants, "MUTANTS", lambda honest: honest),))
    (missed,) = [m for m in MUTANTS if m.guard == "the gripper hears nothing while not running"]
    monkeypatch.setattr(command, "MUTANTS", (missed, idle))
    monkeypatch.setattr(sys, "argv", ["fuzz", "--mutants", "--sequences", "10", "--ticks", "100"])
    assert command.main() == 1
    told = capsys.readouterr().out
    assert (
        "a guard that guards nothing                  NOT NOTICED" in told and "2 guards, 1 of them not missed" in told
    )


def test_help_says_what_it_does() -> None:
    command = [sys.executable, "-m", "wm_lab.fuzz", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert "--mutants" in done.stdout
