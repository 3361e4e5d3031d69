"""Adversarial sessions with the real controller core, judged by who knows nothing of it.

``python -m wm_lab.fuzz --sequences 10000 --seed 0`` runs them and prints what was found; sequence k has the seed
``seed + k``, so that ``--sequences 1 --seed N`` repeats a single one. ``--mutants`` takes out one guard of the
controller after the other and fails if that goes unnoticed.
"""

from .chance import RATES
from .session import LIMITS, Found, Session

__all__ = ["LIMITS", "RATES", "Found", "Session"]
