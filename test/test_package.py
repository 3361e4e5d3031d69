"""package.xml against what the code imports."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
#: Comes with the arm's driver, where there is a Franka; rosdep does not know it for every distribution.
OF_THE_ARM = {"franka_msgs"}


def test_every_package_of_messages_that_the_code_imports_is_a_dependency() -> None:
    named = {element.text for element in ElementTree.parse(ROOT / "package.xml").iter("exec_depend")}
    imported = {
        name
        for path in ROOT.glob("wm_*/**/*.py")
        for name in re.findall(r"^\s*(?:from|import) (\w+_(?:msgs|srvs|interfaces))\b", path.read_text(), re.MULTILINE)
    }
    assert "sensor_msgs" in imported
    assert imported - OF_THE_ARM - named == set()
