"""For all tests: a ROS domain of the session's own on the loopback, one thread per library, no test deadlines."""

from __future__ import annotations

import os

import hypothesis

# Set at import, before anything of ROS or OpenMP starts; the nodes that a test starts inherit it.
# Domains above 101 have ports from which Linux also serves outgoing connections.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["OMP_NUM_THREADS"] = "1"
# MuJoCo chooses when it is first imported, by whichever test comes first.
os.environ.setdefault("MUJOCO_GL", "egl")

# A shared or throttled machine is slow at times; that is no failure.
hypothesis.settings.register_profile("wm", deadline=None)
hypothesis.settings.load_profile("wm")
