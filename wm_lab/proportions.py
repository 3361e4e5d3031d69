"""How sure a share of successes is, and whether two shares on the same scenes differ."""

from __future__ import annotations

import math
from statistics import NormalDist

#: Two-sided 95 % of a normal distribution.
Z_95 = NormalDist().inv_cdf(0.975)


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927, doi:10.2307/2276774); 95 % by default."""
    if trials == 0:
        return 0.0, 1.0
    p = successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value of McNemar's test (McNemar 1947, doi:10.1007/BF02295996).

    Of pairs, those count in which one of the two alone succeeded; without a difference either is as likely as the
    other, so that their number is binomial with 1/2. Exact in integers before the one division.
    """
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(discordant, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / 2**discordant)
