"""What a Franka says of itself, without its messages."""

from __future__ import annotations

from dataclasses import dataclass

#: The mode in which a robot does as it is told (franka_msgs/FrankaRobotState): a controller's loop runs on it.
WORKING = "MOVE"
#: What the other modes ask for that no fault is behind.
ADVICE = {
    "IDLE": ": no controller moves it; activate the arm's controller",
    "GUIDING": ": it is guided by hand; let go, then activate the arm's controller",
}
#: The modes that somebody or something has to be seen to before the arm may go on: an e-stop that is released, or a
#: reflex that is cleared, must not start the arm by itself (ISO 13850).
LATCHING = ("REFLEX", "USER_STOPPED", "AUTOMATIC_ERROR_RECOVERY")
#: A lower share of commands that arrive is "probably not sufficient" (libfranka, examples/communication_test.cpp).
SUCCESS_RATE_FLOOR = 0.9


@dataclass(frozen=True)
class RobotHealth:
    """One report. ``mode`` is OTHER, IDLE, MOVE, GUIDING, REFLEX, USER_STOPPED or AUTOMATIC_ERROR_RECOVERY.

    ``errors`` are the names of the error flags that are set, ``success_rate`` the share of the newest 100 control
    commands that the robot received in time, 0..1; it is 0 while no controller runs.
    """

    stamp_s: float
    mode: str
    errors: tuple[str, ...] = ()
    success_rate: float = 1.0

    @property
    def in_control(self) -> bool:
        """Whether the robot follows what it is sent."""
        return self.mode == WORKING and not self.errors

    @property
    def fault(self) -> str:
        """Why a person has to look at the robot, as a sentence; "" if nobody has to."""
        if self.errors:
            return f"the robot reports {', '.join(self.errors)}; follow the recovery steps"
        return f"the robot is in mode {self.mode}; follow the recovery steps" if self.mode in LATCHING else ""

    @property
    def hold(self) -> str:
        """Why the arm must wait, as a sentence; "" if it need not."""
        if self.mode != WORKING:
            return f"the robot is in mode {self.mode}{ADVICE.get(self.mode, '; look at Desk')}"
        # Written so that a rate that is no number holds as well.
        if not self.success_rate >= SUCCESS_RATE_FLOOR:
            rate = f"the robot receives only {100 * self.success_rate:.0f} % of its control commands"
            return f"{rate}; look at the network and the real-time kernel between it and its controller"
        return ""
