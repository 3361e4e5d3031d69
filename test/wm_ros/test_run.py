"""How a node of ours ends, as a process, and that nothing it says can hold it up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wm_ros.run import Signals

NODE = """
import sys, time
from dataclasses import dataclass
from std_msgs.msg import String
from wm_core.errors import WmError
from wm_ros.node import WmNode
from wm_ros.run import run_node

@dataclass(frozen=True)
class Config:
    out: str = ""
    fails: str = ""
    kind: str = ""
    rates: tuple[float, ...] = ()

class Ending(WmNode[Config]):
    def __init__(self):
        super().__init__("ending", Config)
        self.say = self.create_publisher(String, "said", 1)
        if self.config.fails == "making":
            raise RuntimeError("made badly")
        if self.config.fails == "import":
            print("made", flush=True)
            try:
                time.sleep(60.0)
            except KeyboardInterrupt:
                raise {"WmError": WmError, "ImportError": ImportError}[self.config.kind]("a library cannot be loaded")
        if self.config.fails == "slow":
            print("made", flush=True)
            time.sleep(60.0)
        self.ticks = 0
        self.create_timer(0.01, self.tick)

    def tick(self):
        self.ticks += 1
        if self.ticks == 1:
            print("made", flush=True)
        if self.config.fails == "tick":
            raise RuntimeError("ticked badly")
        if self.config.fails == "hangs":
            time.sleep(60.0)

    def suspended(self):
        print("suspended", flush=True)

    def close(self):
        self.say.publish(String(data="still here"))
        print("closed", self.context.ok(), flush=True)

sys.exit(run_node(Ending))
"""


class Process:
    def __init__(self, tmp_path: Path, *parameters: str, before: tuple[str, ...] = ()) -> None:
        file = tmp_path / "ending.py"
        file.write_text(NODE)
        words = [word for p in parameters for word in ("-p", p)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.child = subprocess.Popen(
            [*before, sys.executable, str(file), "--ros-args", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # whatever these tests were started by
        )  # fmt: skip

    def line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def end(self) -> tuple[int, str, str]:
        out, error = self.child.communicate(timeout=30.0)
        return self.child.returncode, out, error


ENDING = (
    "INT",
    "TERM",
    "HUP",
    "QUIT",
    "USR1",
    "USR2",
    "ALRM",
    "XCPU",
    "VTALRM",
    "PROF",
    "IO",
    "PWR",
    "STKFLT",
    "RTMAX",
)


@pytest.mark.parametrize("kind", ["WmError", "ImportError"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_loads_it_blames_nothing(tmp_path: Path, number: signal.Signals, kind: str) -> None:
    process = Process(tmp_path, "fails:=import", f"kind:={kind}")
    assert process.line() == "made"
    process.child.send_signal(number)
    assert process.end() == (0, "", "")


@pytest.mark.parametrize("number", [getattr(signal, f"SIG{name}") for name in ENDING])
def test_it_closes_while_it_can_speak(tmp_path: Path, number: signal.Signals) -> None:
    process = Process(tmp_path)
    assert process.line() == "made"
    process.child.send_signal(number)
    process.child.send_signal(number)
    status, out, error = process.end()
    assert (status, out) == (0, "closed True\n") and "Traceback" not in error


def test_an_exception_in_a_callback_closes_it_and_keeps_its_traceback(tmp_path: Path) -> None:
    status, out, error = Process(tmp_path, "fails:=tick").end()
    assert status == 1 and "closed True" in out and "RuntimeError: ticked badly" in error


def test_one_while_it_is_made_keeps_its_traceback_too(tmp_path: Path) -> None:
    status, out, error = Process(tmp_path, "fails:=making").end()
    assert status == 1 and out == "" and "RuntimeError: made badly" in error


def test_making_it_can_be_interrupted(tmp_path: Path) -> None:
    process = Process(tmp_path, "fails:=slow")
    assert process.line() == "made"
    process.child.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_a_ctrl_c_that_comes_twice_while_it_is_made_is_one(tmp_path: Path) -> None:
    """From the terminal, and from launch."""
    for pause_s in (0.0, 0.005, 0.05):
        process = Process(tmp_path, "fails:=slow")
        assert process.line() == "made"
        process.child.send_signal(signal.SIGINT)
        time.sleep(pause_s)
        process.child.send_signal(signal.SIGINT)
        status, _, error = process.end()
        assert status == 0 and "Traceback" not in error


def test_who_insists_interrupts_a_callback_that_hangs(tmp_path: Path) -> None:
    process = Process(tmp_path, "fails:=hangs")
    assert process.line() == "made"
    process.child.send_signal(signal.SIGTERM)
    time.sleep(1.3)
    process.child.send_signal(signal.SIGTERM)
    status, out, _ = process.end()
    assert status == 0 and "closed True" in out


def test_each_signal_is_either_handled_or_left_alone() -> None:
    """Whoever sends it: what is not handled either does nothing by itself, or is a fault of the process."""
    handled = {*Signals.ENDING, *Signals.SUSPENDING}
    assert handled.isdisjoint(Signals.ALONE) and handled | {*Signals.ALONE} == signal.valid_signals()


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_it_is_told_before_it_is_suspended(tmp_path: Path, number: signal.Signals) -> None:
    process = Process(tmp_path)
    assert process.line() == "made"
    time.sleep(0.3)
    process.child.send_signal(number)
    assert process.line() == "suspended"
    stat = Path(f"/proc/{process.child.pid}/stat")
    deadline = time.monotonic() + 10.0
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.child.send_signal(signal.SIGCONT)
    process.child.send_signal(signal.SIGTERM)
    assert process.end()[:2] == (0, "closed True\n")


def test_a_handler_that_is_there_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    others = {signal.SIGUSR1: print, signal.SIGALRM: signal.SIG_IGN, signal.SIGPROF: None, signal.SIGTERM: print}
    monkeypatch.setattr(signal, "getsignal", lambda number: others.get(number, signal.SIG_DFL))
    monkeypatch.setattr(signal, "signal", lambda number, _: taken.append(number))
    Signals()
    assert set(Signals.ENDING) - set(taken) == {signal.SIGUSR1, signal.SIGALRM, signal.SIGPROF}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ROS_DOMAIN_ID": "400"}, "ROS_DOMAIN_ID = '400' is no domain; give a number from 0 to 232"),
        ({"ROS_DOMAIN_ID": "two"}, "ROS_DOMAIN_ID = 'two' is no domain"),
        ({"HOME": "", "ROS_LOG_DIR": ""}, "ROS cannot begin its log: .*; set HOME or ROS_LOG_DIR"),
        (
            {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"},
            "ROS cannot start with .*SECURITY_ENABLE",
        ),
    ],
)
def test_an_environment_that_ros_cannot_use_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    status, _, error = Process(tmp_path).end()
    said = [line for line in error.splitlines() if line.startswith("ending: ")]
    assert status == 2 and len(said) == 1 and re.search(says, said[0]) and "Traceback" not in error


def test_nohup_is_respected(tmp_path: Path) -> None:
    process = Process(tmp_path, before=("nohup",))
    assert process.line() == "made"
    process.child.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.child.poll() is None
    process.child.terminate()
    assert process.end()[0] == 0


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("rates:=[0, 0, 0.1034]", "rates:=[0, 0, 0.1034]"),
        ("fails:={", "fails:={"),
        ("fail:=x", "unknown key 'fail'; did you mean 'fails'?"),
        ("use_sim_time:=maybe", "'use_sim_time' to 'maybe' of type 'STRING', expecting type 'BOOL'"),
        ("config:=/nowhere.yaml", "cannot read /nowhere.yaml"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, parameter: str, says: str) -> None:
    status, _, error = Process(tmp_path, parameter).end()
    said = [line for line in error.splitlines() if line.startswith("ending: ")]
    assert status == 2 and len(said) == 1 and says in said[0] and "Traceback" not in error
    if "0.1034" in parameter:
        assert said[0].endswith("ROS wants the numbers of a list alike: write 0.0 in place of 0")
