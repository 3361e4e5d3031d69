"""How to install what is not there, as a sentence may say it."""

from __future__ import annotations

import sys
import traceback

#: The extra of setup.py that has a library, by the name that the library is imported by.
_EXTRAS = {
    "mujoco": "sim",
    "gym_hil": "sim",
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
    "safetensors": "train",
    "openvino": "openvino",
    "tensorrt": "tensorrt",
    "cuda": "tensorrt",
}
_PACKAGES = {"onnxruntime": "onnxruntime", "tensorrt_rtx": "tensorrt-rtx"}
#: What an extra needs besides, for the end of its sentence.
_BESIDES = {"tensorrt": " on a machine with an NVIDIA GPU"}


def extra(name: str) -> str:
    """The command that installs one of setup.py's extras where ``./wm`` runs.

    The bare word ``pip`` is the system's for someone who only ever called ``./wm``: it refuses, or installs elsewhere.
    """
    return f".venv/bin/pip install -e '.[{name}]' (in the clone)"


def package(name: str) -> str:
    """The command that installs a package from PyPI, or upgrades it, for the Python that runs.

    That is the clone's own one under ``./wm``, and the system's, or that of a virtual environment, in a ROS workspace.
    """
    return f"{sys.executable} -m pip install --upgrade {name}"


def ros_package(name: str) -> str:
    """How a package of messages comes to a machine with ROS 2."""
    return (
        f"apt-get install ros-$ROS_DISTRO-{name.replace('_', '-')}, or build {name} in a workspace, and source that "
        "workspace where the nodes start"
    )


def advice(error: BaseException) -> str:
    """``"; install it: ..."`` for the end of a sentence about an import that failed, "" where that would not help.

    The import of a library may itself fail for want of another, of which the error speaks: who was importing counts.
    """
    importers = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    hows = (of_module(str(name).partition(".")[0]) for name in (getattr(error, "name", None), *importers))
    return next((f"; install it: {how}" for how in hows if how), "")


def of_module(library: str) -> str:
    """How to install what ``import library`` needs, "" where that is not one of the extras."""
    if library in _EXTRAS:
        return extra(_EXTRAS[library]) + _BESIDES.get(_EXTRAS[library], "")
    return package(_PACKAGES[library]) if library in _PACKAGES else ""
