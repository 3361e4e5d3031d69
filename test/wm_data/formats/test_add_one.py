"""Another package adds a data format: one file, no edit here, and what is trained on changes by it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, episode

from wm_core.errors import ConfigError, WmError
from wm_data.episode import Episode
from wm_data.formats import opened
from wm_training.dataset import Episodes

FORMAT = '''
import json
import numpy as np
from wm_data.episode import ARRAYS, DataSpec, Episode
from wm_data.formats import DataFormat

class Single(DataFormat):
    """A file for each episode."""

    def spec(self):
        return DataSpec.read(json.loads((self.folder / "about.json").read_text()), "about.json")

    def episodes(self):
        for path in sorted(self.folder.glob("*.npz")):
            with np.load(path) as file:
                yield Episode(*(file[name] for name in ARRAYS))

    def begin(self, spec):
        self.folder.mkdir()
        (self.folder / "about.json").write_text(json.dumps(spec.as_dict()))
        return [range(spec.episodes)]

    def write(self, numbers, episodes):
        for number, episode in zip(numbers, episodes):
            np.savez(self.folder / f"{number:05d}.npz", **vars(episode))

class Mirrored(Single):
    """As recorded by a camera that is mounted upside down; only read."""

    def episodes(self):
        for e in super().episodes():
            yield Episode(e.frames[:, ::-1, ::-1], e.stamps_s, e.states, e.asked, e.executed, e.camera_pose)

    begin = DataFormat.begin
'''


@pytest.fixture
def lab(foreign_package) -> None:
    foreign_package(
        {"lab/__init__.py": "", "lab/single.py": FORMAT},
        {"wm_bringup.formats": {"single": "lab.single:Single", "mirrored": "lab.single:Mirrored"}},
    )


def test_a_format(lab, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    data = opened(folder, "single")
    (part,) = data.begin(SPEC)
    data.write(part, [episode(number) for number in part])
    assert data.spec() == SPEC
    for number, made in enumerate(data.episodes()):
        for field in fields(Episode):
            np.testing.assert_array_equal(getattr(made, field.name), getattr(episode(number), field.name))
    plain, mirrored = Episodes(folder, "single"), Episodes(folder, "mirrored")
    np.testing.assert_array_equal(plain.frames[:, :, ::-1, ::-1], mirrored.frames)
    with pytest.raises(WmError, match="cannot be written in the format"):
        opened(folder, "mirrored").begin(SPEC)


def test_without_the_package_it_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no data format 'single'.* shards"):
        opened(tmp_path, "single")
