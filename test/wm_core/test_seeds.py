from __future__ import annotations

import argparse

import pytest

from wm_core import seeds
from wm_core.errors import ConfigError


@pytest.mark.parametrize(("given", "seed"), [(0, 0), ("0", 0), ("7", 7), (seeds.LARGEST, 2**32 - 1)])
def test_a_seed_is_taken_as_number_or_text(given: int | str, seed: int) -> None:
    assert seeds.checked(given) == seeds.option(str(given)) == seed


@pytest.mark.parametrize(
    "given", [-1, seeds.LARGEST + 1, 2**64, "", "three", "1.0", "1_0", "\u00b2", "\u0663", "9" * 5000]
)
def test_what_is_no_seed_is_one_sentence(given: int | str) -> None:
    says = r"the seed .* is no whole number within 0\.\.4294967295; give one, such as 3"
    with pytest.raises(ConfigError, match=says) as refused:
        seeds.checked(given)
    assert len(str(refused.value)) < 200
    with pytest.raises(argparse.ArgumentTypeError, match=says):
        seeds.option(str(given))
