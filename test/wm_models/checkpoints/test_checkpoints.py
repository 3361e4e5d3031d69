"""What the readers of checkpoints share."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wm_core.errors import BundleError, ConfigError
from wm_models import checkpoints
from wm_models.checkpoints import READERS
from wm_models.checkpoints.dino_wm import RECIPE


@pytest.mark.parametrize("name", list(READERS))
def test_where_a_checkpoint_comes_from_is_said_without_pytorch(name):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['safetensors'] = None\n"
        f"from wm_bringup import cli; sys.exit(cli.main(['models', 'import', '{name}']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "https://" in done.stdout and "MIT licence" in done.stdout


def test_what_the_sources_name():
    source = {name: READERS.load(name).source for name in READERS}
    assert "MIT" in source["vjepa2_ac"] and "CC-BY-NC" in source["vjepa2_ac"]
    assert "weights.pt" in source["lewm"] and "MIT" in source["lewm"]
    assert RECIPE.splitlines()[0] in source["dino_wm"] and "Apache-2.0" in source["dino_wm"]


def test_readers_by_name(tmp_path):
    with pytest.raises(BundleError, match="no checkpoint reader 'gpt'"):
        checkpoints.read("gpt", tmp_path)
    with pytest.raises(
        ConfigError,
        match="options of 'vjepa2_ac' has an unknown key 'colour'; remove it, there are: encoder, encoder_h",
    ):
        checkpoints.read("vjepa2_ac", tmp_path / "a.pt", {"colour": 1})
    with pytest.raises(BundleError, match="there is no checkpoint at"):
        checkpoints.read("vjepa2_ac", tmp_path / "a.pt")


def test_names_are_known_without_torch():
    code = """
import sys
sys.modules["torch"] = None
from wm_core.errors import BundleError
from wm_models import checkpoints
assert "vjepa2_ac" in checkpoints.READERS
try:
    checkpoints.read("vjepa2_ac", "some.pt")
except BundleError as error:
    assert "pip install -e '.[train]'" in str(error), error
else:
    raise SystemExit("no error without torch")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
