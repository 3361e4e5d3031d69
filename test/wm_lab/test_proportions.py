"""Against scipy 1.17.1 and statsmodels 0.15.0, whose values stand here, and against sums of exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from wm_lab.proportions import mcnemar, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # scipy.stats.binomtest(...).proportion_ci(0.95, "wilson"); statsmodels' proportion_confint agrees to 3e-16.
    [
        (0, 10, 0.0, 0.27753279986288926),
        (10, 10, 0.7224672001371109, 1.0),
        (1, 3, 0.06149194472039626, 0.7923403991979523),
        (95, 100, 0.8882495307680809, 0.978456320845632),
        (7, 20, 0.1811918241010821, 0.5671457233147637),
        (97, 100, 0.9154806357094724, 0.9897454759759611),
        (293, 300, 0.9526280277317246, 0.9886523397008747),
        (500, 1000, 0.4690696003681042, 0.5309303996318958),
        (0, 0, 0.0, 1.0),  # ours: nothing was tried, so nothing is known
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # statsmodels.stats.contingency_tables.mcnemar(..., exact=True), and scipy.stats.binomtest(first, first + second).
    [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (5, 5, 1.0),
        (0, 6, 0.03125),
        (3, 11, 0.057373046875),
        (12, 30, 0.007915897334896727),
        (40, 25, 0.08168153394154003),
        (150, 100, 0.0018833009350761602),
        (2, 200, 6.379835262863242e-57),
    ],
)
def test_mcnemar(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p, rel=1e-9)
    assert mcnemar(second, first) == mcnemar(first, second)


@pytest.mark.parametrize("count", [1, 2, 7, 24, 61])
def test_mcnemar_is_the_binomial_test(count: int) -> None:
    """The two-sided p-value: the probability of all that is no likelier than what was seen, with 1/2."""
    chances = [Fraction(comb(count, k), 2**count) for k in range(count + 1)]
    for seen in range(count + 1):
        exact = sum(chance for chance in chances if chance <= chances[seen])
        assert mcnemar(seen, count - seen) == pytest.approx(float(exact), rel=1e-12)
