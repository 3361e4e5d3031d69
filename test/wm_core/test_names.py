"""A name that nobody knows is answered with the nearest."""

from __future__ import annotations

import pytest

from wm_core.errors import ConfigError
from wm_core.names import check_topic, meant, nearest, unknown

PRESETS = ("droid", "fr3_crisp", "fr3_servo", "panda_crisp")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("fr3-crisp", "fr3_crisp"),
        ("FR3_Crisp", "fr3_crisp"),
        ("droit", "droid"),
        ("panda-crips", "panda_crisp"),
        ("moon", ""),
        ("", ""),
        (7, ""),
        ("fr3_crisp" * 100000, ""),
    ],
)
def test_nearest(name: object, near: str) -> None:
    assert nearest(name, PRESETS) == near
    assert meant(name, PRESETS) == (f"; did you mean '{near}'?" if near else "")


def test_letters_that_changed_places_are_the_likeliest_slip() -> None:
    assert nearest("modle", ("mode", "model")) == "model" and nearest("modee", ("mode", "model")) == "mode"


def test_the_refusal_says_what_was_meant_and_what_there_is() -> None:
    said = unknown("arm preset", "fr3-crisp", PRESETS)
    assert said == (
        "there is no arm preset 'fr3-crisp' (did you mean 'fr3_crisp'?); there are: droid, fr3_crisp, fr3_servo, "
        "panda_crisp"
    )
    assert unknown("arm preset", "moon", ()) == "there is no arm preset 'moon'; there are: none"
    assert len(unknown("arm preset", 10000 * "x", PRESETS)) < 200 and "\n" not in unknown("arm preset", "a\nb", PRESETS)


@pytest.mark.parametrize("name", ["a", "/a", "~/a", "a/b_2/C", "/camera/camera/color/image_raw", "_a"])
def test_topics(name: str) -> None:
    check_topic("pose_topic", name)


@pytest.mark.parametrize("name", ["", "/", "target pose", "a//b", "a/", "2a", "a/2b", "a-b", "~a", "a/~/b", "ä", "a\n"])
def test_what_is_no_topic(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^pose_topic = .* is no name of a ROS topic, such as arm/target_pose"):
        check_topic("pose_topic", name)
