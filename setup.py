"""One ROS 2 package (ament_python) that also installs with plain pip."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "wm_bringup"
ROOT = Path(__file__).parent


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """Every file under ``folder``, as data files of ``share/wm_bringup``."""
    files: dict[str, list[str]] = {}
    for path in sorted((ROOT / folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            inside = path.relative_to(ROOT)
            files.setdefault(f"share/{PACKAGE}/{inside.parent.as_posix()}", []).append(inside.as_posix())
    return list(files.items())


setup(
    name=PACKAGE,
    version="0.1.0",
    description="Control a Franka arm by planning in the latent space of a JEPA world model.",
    maintainer="wm_bringup maintainers",
    maintainer_email="wm-bringup@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["wm_*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *shared("launch"),
        *shared("config"),
        *shared("models"),
    ],
    install_requires=["numpy", "onnxruntime>=1.17", "opencv-python-headless", "PyYAML", "tqdm", "typing_extensions"],
    extras_require={
        # ROS 2 Jazzy as wheels, for machines without an apt install of ROS 2.
        "ros": [
            "ros-rclpy[fastrtps]==7.1.6",
            "ros-jazzy-std-msgs",
            "ros-jazzy-sensor-msgs",
            "ros-jazzy-geometry-msgs",
            "ros-jazzy-diagnostic-msgs",
            "ros-jazzy-trajectory-msgs",
            "ros-jazzy-visualization-msgs",
            "ros-jazzy-std-srvs",
        ],
        # The scene's meshes come from gym-hil, installed with --no-deps (see ./wm): only its asset files are read, and
        # what it depends on (gamepads, key loggers) needs a compiler.
        "sim": ["mujoco>=3.3,<3.9", "tqdm"],
        # An unpinned torch pulls several GB of CUDA packages.
        "train": ["torch==2.13.0", "onnx", "onnxscript", "safetensors>=0.5,<1"],
        "openvino": ["openvino>=2026.1,<2027"],
        # For the robot's GPU machine; its wheels fetch several GB from NVIDIA's own index.
        "tensorrt": ["tensorrt>=10.12,<12", "cuda-python>=12.8"],
        # Parses and builds graphs as TensorRT would, on a machine without a GPU.
        "tensorrt-check": ["tensorrt-rtx>=1.7,<2"],
        # transformers: its encoders are compared with ours.
        "dev": [
            *("pytest", "pytest-xdist", "pytest-timeout>=2.3,<3", "hypothesis"),
            *("ruff", "mypy", "types-PyYAML", "import-linter>=2.17,<3"),
            *("openvino>=2026.1,<2027", "transformers>=5,<6"),
        ],
    },
    tests_require=["pytest"],  # without this, `colcon test` runs no test
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "wm = wm_bringup.cli:main",
            "camera_node = wm_perception.camera_node:main",
            "encoder_node = wm_perception.encoder_node:main",
            "planner_node = wm_planner.planner_node:main",
            "calibrate_node = wm_planner.calibrate_node:main",
            "controller_node = wm_controller.controller_node:main",
            "sim_arm_node = wm_sim.sim_arm_node:main",
            "crisp_arm_node = wm_sim.crisp_arm_node:main",
        ],
    },
)
