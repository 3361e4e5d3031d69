"""Seeds of random numbers, as they are given from outside."""

from __future__ import annotations

import argparse

from .errors import ConfigError, quoted

#: Every generator that gets a seed (numpy, torch, random) and every integer of ROS 2 on its way there takes as much.
LARGEST = 2**32 - 1

#: Which scenes are for what, so that nothing is scored on what it was trained or tuned on. Scenes of 0..999 are for
#: tuning, and those of SCORES for the scores that are published.
TUNING, SCORES = range(1_000), range(3_000, 4_000)
#: Training scenes start here, and each seed of a collection has so many of its own; nothing below is trained on.
FIRST_TRAINING, TRAINING_STRIDE = 1_000_000, 100_000


def checked(seed: int | str) -> int:
    """The seed that a number or a text is. Raises ConfigError if it is no whole number within 0..``LARGEST``."""
    text = str(seed)
    if text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST:
        return int(text)
    raise ConfigError(f"the seed {quoted(text)} is no whole number within 0..{LARGEST}; give one, such as 3")


def option(text: str) -> int:
    """The same as the type of a command's option."""
    try:
        return checked(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
