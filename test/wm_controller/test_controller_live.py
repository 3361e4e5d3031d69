"""The controller as a process of its own, with a stand-in for all that is around it; judged by the stream it publishes.

Times are those of this process's steady clock, at which messages came. How late messages come on a machine that is busy
is measured alongside, and allowed for.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_bringup import transport
from wm_controller.interface import RESUME_QUIET_S, RESUME_SILENCE_S
from wm_core.limits import Limits
from wm_ros import convert, qos

pytestmark = pytest.mark.live

KINDS = ("pose_stream", "twist_stream")
START = np.array([0.45, -0.2, 0.3, np.pi, 0.0, 0.3])
PERIOD_S = 1.0  # of a plan: an arm that does not brake goes on for as long
SPEED_M_S = 0.05
LIMITS = Limits()
#: From this speed to rest; the ramps of the acceleration take some ticks at both ends.
BRAKES_S = SPEED_M_S / LIMITS.accel_m_s2 + 0.1
#: Braking begins within this time of wall time; jerk being bounded, the speed has fallen by 15 % after the next one.
BEGINS_S, FALLS_S = 0.1, 0.06
#: How often the queue orders are tried; a campaign sets it to 20.
REPEATS = int(os.environ.get("WM_LIVE_REPEATS", "1"))

# The clock that a person sets is that of this one process. The three signals are such as end no process.
CONTROLLER = """
import signal, sys
from wm_controller.controller_node import ControllerNode
from wm_ros.run import run_node

class Shifted(ControllerNode):
    shift_s = 0.0
    fails = False
    loaded = None

    def now_s(self):
        return super().now_s() + self.shift_s

    def _tick(self):
        if Shifted.loaded is None:
            Shifted.loaded = set(sys.modules)
        if Shifted.fails:
            raise RuntimeError("a bug")
        super()._tick()

    def close(self):
        late = set(sys.modules) - (Shifted.loaded or set())
        print("imported while it ran:", sorted(late), file=sys.stderr, flush=True)
        super().close()

def shift(by_s):
    def handler(*_):
        Shifted.shift_s += by_s
    return handler

def fail(*_):
    Shifted.fails = True

signal.signal(signal.SIGURG, shift(-10.0))
signal.signal(signal.SIGWINCH, shift(10.0))
signal.signal(signal.SIGCHLD, fail)
sys.exit(run_node(Shifted))
"""
#: Starts the controller and lives on, as ``ros2 launch`` does.
PARENT = "import subprocess, sys; child = subprocess.Popen(sys.argv[1:]); print(child.pid, flush=True); child.wait()"


class Cell:
    """An arm that follows at once, one who plans to move along y for ever, and the clients of an operator."""

    def __init__(
        self, folder: Path, kind: str, simulated: bool = False, parent: bool = False, error: int | None = None
    ) -> None:
        self.kind, self.simulated = kind, simulated
        self.shift_s, self.clock_runs, self.clock_back_s, self.clock_s = 0.0, simulated, 0.0, -1.0
        self.plans, self.planned_s = True, 0.0
        self.pose = START.copy()
        self.states: list[dict] = []
        self.moves: list[tuple[float, float]] = []  # when a target or twist came, and how much it moves
        self.sent_s: list[float] = []  # when targets came
        self.begun_s = time.monotonic()
        self._context = rclpy.context.Context()
        rclpy.init(context=self._context)
        self._arm, self._planner = (rclpy.create_node(n, context=self._context) for n in ("arm", "planner"))
        self._poses = self._arm.create_publisher(PoseStamped, "arm/current_pose", qos.SENSOR)
        self._grippers = self._arm.create_publisher(JointState, "arm/gripper", qos.SENSOR)
        self._plans = self._planner.create_publisher(JointTrajectory, "planner/plan", qos.COMMAND)
        self._status = self._planner.create_publisher(String, "planner/status", qos.LATCHED)
        self._clock = self._arm.create_publisher(ClockMessage, "/clock", 1) if simulated else None
        self._arm.create_subscription(PoseStamped, "arm/target_pose", self._on_target, 50)
        self._arm.create_subscription(TwistStamped, "servo_node/delta_twist_cmds", self._on_twist, 50)
        self._arm.create_subscription(String, "controller/state", self._on_state, qos.LATCHED)
        self.clients = {n: self._arm.create_client(Trigger, n) for n in ("start", "stop", "resume")}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._arm.create_timer(0.01, self._live, clock=steady)
        self._planner.create_timer(0.1, self._plan, clock=steady)
        self._executor = SingleThreadedExecutor(context=self._context)
        for node in (self._arm, self._planner):
            self._executor.add_node(node)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        file = folder / "controller.py"
        file.write_text(CONTROLLER)
        parameters = [f"arm.kind:={kind}", "arm.gripper.kind:=none", f"use_sim_time:={str(simulated).lower()}"]
        command = [sys.executable, str(file), "--ros-args", *(w for p in parameters for w in ("-p", p))]
        self.log, self._stderr = folder / "log", (folder / "log").open("w")
        # As wm and the launch files start it: sharing no memory, or a call could wait for a suspended process.
        env = {**os.environ, **transport.of_controller(os.environ), "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, *command] if parent else command,
            stdout=subprocess.PIPE, stderr=self._stderr if error is None else error, env=env, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline()) if parent else self.process.pid

    # --- around the controller ----------------------------------------------------------------------------------------
    def _spin(self) -> None:
        while not self._over.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def _now_s(self) -> float:
        if self.simulated:
            return max(self.clock_s, 0.0)
        return time.time() + self.shift_s

    def _live(self) -> None:
        if self._clock is not None and self.clock_runs:
            self.clock_s = 100.0 + time.monotonic() - self.begun_s - self.clock_back_s
            self._clock.publish(ClockMessage(clock=convert.s_to_stamp(self.clock_s)))
        stamp = convert.s_to_stamp(self._now_s())
        self._grippers.publish(convert.gripper_to_msg(0.0, stamp))
        self._poses.publish(convert.pose_to_msg(self.pose, stamp, "base"))

    def _plan(self) -> None:
        self._status.publish(String(data=json.dumps({"instance": "one", "run": "", "done": False})))
        if self.plans and time.monotonic() - self.planned_s >= 0.5 * PERIOD_S:
            self.planned_s = time.monotonic()
            deltas = np.zeros((2, 7))
            deltas[:, 1] = SPEED_M_S * PERIOD_S
            self._plans.publish(convert.plan_to_msg(deltas, PERIOD_S, convert.s_to_stamp(self._now_s()), "base"))

    def _on_target(self, msg: PoseStamped) -> None:
        now_s, pose = time.monotonic(), convert.msg_to_pose(msg)
        self.sent_s.append(now_s)
        if self.kind == "pose_stream":
            self.moves.append((now_s, float(np.linalg.norm(pose[:3] - self.pose[:3]))))
        self.pose = pose

    def _on_twist(self, msg: TwistStamped) -> None:
        v, w = msg.twist.linear, msg.twist.angular
        self.moves.append((time.monotonic(), float(np.linalg.norm([v.x, v.y, v.z, w.x, w.y, w.z]))))

    def _on_state(self, msg: String) -> None:
        self.states.append(json.loads(msg.data))

    # --- what a test does and asks ------------------------------------------------------------------------------------
    def until(self, true: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}; states {self.states[-3:]}; log {self.log.read_text()[-2000:]}")
            time.sleep(0.01)

    def call(self, name: str) -> Trigger.Response:
        self.until(self.clients[name].service_is_ready, f"no service {name}")
        answer = self.clients[name].call_async(Trigger.Request())
        self.until(answer.done, f"{name} is not answered")
        return answer.result()

    @property
    def mode(self) -> str:
        return self.states[-1]["mode"] if self.states else ""

    def move(self) -> None:
        """Start, and wait until the arm moves at an even speed by a plan that has just begun."""

        def started() -> bool:
            return self.call("start").success or self.mode in ("holding", "running")

        self.until(started, "not started")
        self.until(
            lambda: self.mode == "running" and self._moving() and 0.1 < time.monotonic() - self.planned_s < 0.2,
            "it does not move",
        )

    def _moving(self) -> bool:
        return len(self.moves) > 20 and all(moved > 1e-4 for _, moved in self.moves[-15:])

    def goes_on(self) -> bool:
        """Whether it moves again. On a busy machine a hold may have lasted for so long that an operator is asked."""
        if self.mode == "stopped":
            self.call("resume")
            time.sleep(RESUME_SILENCE_S)
        return self._moving()

    def assert_brakes(self, since_s: float, seen_s: float = 0.0) -> None:
        """Braking begins in time after ``since_s``, and ends at rest.

        ``seen_s``: how long it may take until the cause is seen. A machine that is busy holds up ticks and messages,
        here as in the controller: three of the longest gaps between two messages are allowed for. Who did not brake
        would go on for half a second and more.
        """
        self.until(lambda: self._rest_s(since_s) is not None, "it does not come to rest", 6.0)
        rest_s = self._rest_s(since_s)
        assert rest_s is not None
        before = [(t, moved) for t, moved in self.moves if since_s - 0.5 < t <= since_s]
        after = [(t, moved) for t, moved in self.moves if since_s < t <= rest_s]
        assert after[-1][1] < 1e-4, "the stream ended in motion"
        held_up_s = float(np.diff([t for t, _ in before + after]).max())
        speed = float(np.median([moved for _, moved in before[-5:]]))
        even = [t for t, moved in after if moved > 0.85 * speed]
        begins_s = next(t for t, _ in after if t > max([since_s, *even]))
        assert begins_s - since_s < BEGINS_S + FALLS_S + seen_s + 3.0 * held_up_s
        assert rest_s - begins_s < BRAKES_S + 3.0 * held_up_s

    def _rest_s(self, since_s: float) -> float | None:
        """When the first of three messages came that move nothing, or one that was the last of all."""
        late = [(t, moved) for t, moved in list(self.moves) if t > since_s]
        for a, b, c in zip(late, late[1:], late[2:], strict=False):
            if max(a[1], b[1], c[1]) < 1e-7:
                return a[0]
        # An arm at rest that is silent is sent nothing more: how many still come before that depends on the ticks.
        ended = late and late[-1][1] < 1e-4 and time.monotonic() - late[-1][0] > 0.3
        return late[-1][0] if ended else None

    def said(self, words: str) -> bool:
        return any(words in state["reason"] for state in self.states)

    def babble(self) -> None:
        """Give the controller cause for warnings."""
        for text in ("{", "[]", "no report"):
            self._status.publish(String(data=text))

    def signal(self, number: signal.Signals) -> float:
        now_s = time.monotonic()
        os.kill(self.pid, number)
        return now_s

    def close(self) -> None:
        for pid in {self.pid, self.process.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._over.set()  # rclpy crashes where nodes are destroyed under a thread that spins
        self._thread.join()
        self._executor.shutdown()
        for node in (self._arm, self._planner):
            node.destroy_node()
        rclpy.shutdown(context=self._context)
        self._stderr.close()


@pytest.fixture
def cells(tmp_path: Path, new_domain: Callable[[], None]) -> Iterator[Callable[..., Cell]]:
    made: list[Cell] = []

    def make(*args: object, **more: object) -> Cell:
        new_domain()  # of a controller that was killed the graph tells for 20 s
        made.append(Cell(tmp_path, *args, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for cell in made:
        cell.close()


# --- clocks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("number", "by_s"), [(signal.SIGURG, -10.0), (signal.SIGWINCH, 10.0)], ids=["back", "forward"])
def test_the_machines_clock_is_set(cells: Callable[..., Cell], kind: str, number: signal.Signals, by_s: float) -> None:
    cell = cells(kind)
    cell.move()
    cell.plans = False
    since_s = cell.signal(number)
    cell.assert_brakes(since_s)
    cell.until(lambda: cell.said(f"the clock was set {'forward' if by_s > 0 else 'back'} by "), "it does not say why")
    cell.shift_s = by_s  # the arm is on the same machine
    cell.plans = True
    cell.until(cell.goes_on, "it does not go on")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["stops", "steps back"])
def test_the_simulated_clock(cells: Callable[..., Cell], kind: str, what: str) -> None:
    cell = cells(kind, simulated=True)
    cell.move()
    cell.plans, since_s = False, time.monotonic()
    if what == "stops":
        cell.clock_runs = False
        cell.assert_brakes(since_s)
        cell.until(lambda: cell.said("the simulated clock has stood still for "), "it does not say why")
    else:
        cell.clock_back_s = 5.0
        cell.assert_brakes(since_s)
        cell.until(lambda: cell.said("the clock was set back by "), "it does not say why")


def test_a_simulated_clock_that_never_starts(cells: Callable[..., Cell]) -> None:
    cell = cells("twist_stream", simulated=True)
    cell.clock_runs = False
    cell.call("start")
    cell.until(lambda: cell.said("nothing is heard on /clock yet"), "it does not say why")
    time.sleep(0.5)
    assert all(moved == 0.0 for _, moved in cell.moves) and cell.mode != "running"


# --- ends -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD, signal.SIGTSTP],
)
def test_every_way_out_stops_the_arm(cells: Callable[..., Cell], kind: str, number: signal.Signals) -> None:
    """SIGCHLD stands for a bug: here it makes the tick raise."""
    cell = cells(kind)
    cell.move()
    since_s = cell.signal(number)
    if number == signal.SIGTSTP:
        cell.until(lambda: cell.mode == "stopped", "it is not stopped")
    else:
        assert cell.process.wait(10.0) == (1 if number == signal.SIGCHLD else 0)
        cell.until(lambda: cell.mode == "stopped", "it does not say that it is stopped", 2.0)
    # A stream of poses ends with the last target, which on a busy machine is too old to be sent once more.
    cell.until(lambda: cell._rest_s(since_s) is not None or cell.moves[-1][1] < 1e-7, "it is not told to rest", 2.0)
    heard = len(cell.moves)
    time.sleep(0.2)
    assert all(moved < 1e-7 for _, moved in cell.moves[heard:]), "it is moved once more"
    assert cell.moves[-1][0] - since_s < 2.0
    if number == signal.SIGTSTP:
        cell.signal(signal.SIGCONT)
        time.sleep(0.5)
        assert cell.mode == "stopped" and cell.said("suspended") and not cell._moving()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_imported_while_it_runs(cells: Callable[..., Cell], kind: str) -> None:
    """A library that is first loaded in mid-motion holds up the ticks by a tenth of a second."""
    cell = cells(kind)
    cell.move()
    cell.babble()
    time.sleep(2.5)  # diagnostics among others
    cell.plans = False
    cell.until(lambda: cell.mode == "holding", "it does not hold")
    assert cell.call("stop").success
    time.sleep(RESUME_QUIET_S + 0.2)
    assert cell.call("resume").success
    cell.plans = True
    cell.until(cell._moving, "it does not go on")
    cell.signal(signal.SIGURG)
    cell.until(lambda: cell.said("the clock was set back"), "it does not notice the clock")
    cell.signal(signal.SIGTERM)
    assert cell.process.wait(10.0) == 0
    assert "imported while it ran: []" in cell.log.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_has_to_read_what_it_says(cells: Callable[..., Cell], kind: str) -> None:
    """A pipe that is full, as where the terminal of ``ros2 launch`` is paused: a warning would wait for ever."""
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(ours, b"x" * 4096):
            pass
    os.set_blocking(ours, True)
    cell = cells(kind, error=ours)
    cell.move()
    cell.babble()
    cell.until(lambda: cell.mode == "running" and cell._moving(), "it does not go on")
    since_s = time.monotonic()
    assert cell.call("stop").success
    cell.assert_brakes(since_s)
    assert cell.mode == "stopped"
    cell.signal(signal.SIGTERM)
    assert cell.process.wait(10.0) == 0
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_end_of_who_started_it_stops_the_arm(cells: Callable[..., Cell], number: signal.Signals) -> None:
    cell = cells("twist_stream", parent=True)
    cell.move()
    since_s = time.monotonic()
    os.kill(cell.process.pid, number)
    cell.assert_brakes(since_s, seen_s=0.1)  # it looks ten times a second
    says = "which started the stack, is " + ("gone" if number == signal.SIGKILL else "suspended")
    cell.until(lambda: cell.said(says), "it does not say why")
    cell.until(lambda: cell.mode == "stopped", "it is not stopped")


# --- services ---------------------------------------------------------------------------------------------------------
@pytest.mark.timeout(400 * REPEATS)
@pytest.mark.parametrize("paused", [True, False], ids=["paused", "awake"])
def test_a_stop_wins_over_all_that_waits(cells: Callable[..., Cell], paused: bool) -> None:
    both = [cells(kind) for kind in KINDS]
    for cell in both:
        cell.move()
    for order in list(itertools.permutations(both[0].clients)) * REPEATS:
        for cell in both:
            cell.until(lambda cell=cell: cell.mode == "running", "it does not run")
            if paused:
                cell.signal(signal.SIGSTOP)
            answers = [cell.clients[name].call_async(Trigger.Request()) for name in order]
            if paused:
                time.sleep(0.05)
                cell.signal(signal.SIGCONT)
            cell.until(lambda answers=answers: all(a.done() for a in answers), "not answered")
            # The state may be late on a busy machine; a hold by itself would become a stop only after 2 s.
            said = [answer.result().message for answer in answers]
            cell.until(lambda cell=cell: cell.mode == "stopped", f"not stopped after {order}: {said}", 1.5)
        time.sleep(0.3)
        moves = [len(cell.moves) for cell in both]
        time.sleep(0.9)
        for cell, before in zip(both, moves, strict=True):
            assert cell.mode == "stopped" and all(moved < 1e-7 for _, moved in cell.moves[before:]), order
        time.sleep(RESUME_SILENCE_S - 1.0)  # the resume among them was too early, as a program's is
        for cell in both:
            answer = cell.call("resume")
            assert answer.success, (order, answer.message)
            cell.pose = cell.pose if cell.pose[1] < 0.2 else START.copy()


def test_calls_do_not_raise_the_rate_of_the_stream(cells: Callable[..., Cell]) -> None:
    cell = cells("pose_stream")
    cell.move()
    before, since_s, calls = len(cell.sent_s), time.monotonic(), []
    while time.monotonic() - since_s < 1.0:
        calls.append(cell.clients["start"].call_async(Trigger.Request()))
        time.sleep(0.002)
    rate_hz = (len(cell.sent_s) - before) / (time.monotonic() - since_s)
    assert sum(call.done() for call in calls) > 30 and rate_hz < 60.0
