from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
sys.path.insert(0, str(Path(__file__).parent))  # stand_ins.py
