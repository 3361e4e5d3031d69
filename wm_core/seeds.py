"""Seeds of random numbers, as they are given from outside."""

from __future__ import annotations

import argparse

from .errors import ConfigError, quoted

#: Every generator that gets a seed (numpy, torch, random) and every integer of ROS 2 on its way there takes as much.
LARGEST = 2**32 - 1


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
