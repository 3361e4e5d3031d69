"""Limits: a configuration can tighten a ceiling, never loosen it."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest

from wm_core import config
from wm_core.errors import ConfigError
from wm_core.limits import BOX_CEILING_MAX_M, BOX_CEILING_MIN_M, CEILING, Limits


def test_the_defaults_and_the_ceilings_themselves_are_allowed() -> None:
    Limits()
    assert Limits(BOX_CEILING_MIN_M, BOX_CEILING_MAX_M, **CEILING).speed_m_s == CEILING["speed_m_s"]


def test_every_scalar_limit_has_a_ceiling() -> None:
    assert {f.name for f in fields(Limits)} - {"box_min_m", "box_max_m"} == set(CEILING)


@pytest.mark.parametrize("name", CEILING)
@pytest.mark.parametrize("factor", [1.01, -0.01, math.nan, math.inf])
def test_looser_negative_and_not_finite_are_refused(name: str, factor: float) -> None:
    with pytest.raises(ConfigError, match=name):
        Limits(**{name: CEILING[name] * factor})


@pytest.mark.parametrize("name", CEILING)
def test_zero_is_a_limit(name: str) -> None:
    assert getattr(Limits(**{name: 0.0}), name) == 0.0


@pytest.mark.parametrize(
    "box",
    [
        {"box_min_m": (0.10, -0.35, 0.02)},
        {"box_max_m": (0.70, 0.35, 0.71)},
        {"box_min_m": (0.50, 0.0, 0.3), "box_max_m": (0.40, 0.1, 0.4)},
        {"box_min_m": (math.nan, -0.35, 0.02)},
    ],
)
def test_a_box_outside_its_ceiling_or_inside_out_is_refused(box: dict) -> None:
    with pytest.raises(ConfigError, match="box"):
        Limits(**box)


def test_from_yaml_values() -> None:
    limits = config.from_dict(Limits, {"speed_m_s": 0, "box_min_m": [0.3, -0.1, 0]})
    assert limits.speed_m_s == 0.0
    assert limits.box_min_m == (0.3, -0.1, 0.0)
    with pytest.raises(ConfigError, match="did you mean 'speed_m_s'"):
        config.from_dict(Limits, {"speed_ms": 0.1})
