"""Which goal pictures are in use, and which wait; their latents come one by one, and in any order.

Anybody can show pictures, and a latent does not tell who showed its picture. So each carries the run that it belongs
to: the planner's own folder the planner's instance, and is used as soon as it is encoded; everybody else's the run of
the controller, and waits until someone asks for it. Whatever carries neither is left aside: it displaces nothing.

One set is what shares one stamp, one run and one count. Pictures that were meant as one but stamped one by one are so
many parts of sets, or so many sets of one picture. Where more than one whole set waits, nobody can tell which one was
meant: none is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import GoalError, quoted

Latents = NDArray[np.float32]

#: Sets of one run that are collected at the same time: one that is shown anew, and a stray picture or two beside it.
WAITING = 4


@dataclass(frozen=True)
class Label:
    """What all pictures of a set have in common: whose they are, when they were shown, and how many they are."""

    run: str
    stamp_s: float
    count: int


class GoalSets:
    """See the module.

    Args:
        shape: (T, C) of the model's latents.
        own: label of the planner's own pictures; None if others show them.

    Attributes:
        in_use: label of the set that is planned with; None before the first.
        aside: the newest sentence about pictures that were left aside; "" before the first.
        left_aside: how many they were.
    """

    def __init__(self, shape: Sequence[int], own: Label | None = None) -> None:
        self._shape, self._own = tuple(shape), own
        self.in_use: Label | None = None
        self.aside, self.left_aside = "", 0
        self._latents: dict[Label, dict[int, Latents]] = {} if own is None else {own: {}}

    @property
    def count(self) -> int:
        """How many sub-goals there are, or will be."""
        label = self.in_use or self._own
        return 0 if label is None else label.count

    @property
    def missing(self) -> str:
        """One sentence as long as there is no set to plan with, then ""."""
        if self.in_use is not None:
            return ""
        return "there are no goal pictures" if self._own is None else self._progress(self._own)

    @property
    def own_missing(self) -> list[int]:
        """Which of the planner's own pictures are still to be encoded, as long as they are to be used."""
        if self._own is None or self.in_use is not None:
            return []
        return [k for k in range(self._own.count) if k not in self._latents[self._own]]

    def pending(self, run: str) -> str:
        """What waits to be used in this run, in one sentence; "" if nothing does."""
        label = self._newest(run)
        if label is None:
            return ""
        if (count := len(self._waiting(run))) > 1:
            return f"{count} whole sets of goal pictures wait; only one may"
        return self._progress(label)

    def add(self, label: Label, index: int, latent: Latents, run: str) -> Latents | None:
        """Take the latent of one picture; ``run`` is the one that goals can be shown for, "" for none.

        Returns the planner's own set (n, T, C) when it is complete. Raises GoalError with the
        reason why the picture is left aside.
        """
        if label == self._own:
            if self.in_use is not None:
                return None  # a new encoder encodes them again
        elif not run or label.run != run:
            self._leave(
                f"goal pictures of {quoted(label.run)} belong to no run that lasts or is next" if label.run else NO_RUN
            )
        if latent.shape != self._shape:
            self._leave(
                f"a goal latent has shape {latent.shape}, the model's is {self._shape}; encode with the same bundle"
            )
        if not np.isfinite(latent).all():
            self._leave("a goal latent holds a number that is not finite; see the encoder and its pictures")
        mine = self._latents.setdefault(label, {})
        known = index in mine
        mine.setdefault(index, latent)  # what carries this label later may be someone else's
        if label == self._own:
            return self._stacked(label) if not known and len(mine) == label.count else None
        self._latents[label] = self._latents.pop(label)  # to the end: the newest
        self.keep(run)
        waiting = [other for other in self._latents if other != self._own]
        waiting.sort(key=self._whole)  # a set that is whole makes room last; among equals the oldest goes first
        self._forget(waiting[: max(0, len(waiting) - WAITING)])
        return None

    def next(self, run: str) -> tuple[Label, Latents]:
        """The one complete set (n, T, C) that waits for this run. Raises GoalError if there is none, or another one.

        Then whole sets are dropped, so that whoever shows one set alone afterwards finds no other beside it.
        """
        waiting = self._newest(run)
        if waiting is None:
            raise GoalError(
                f"no goal pictures wait for run {quoted(run)}; "
                f"publish them with the frame id subgoal_<k>_of_<n>_run_{run or '<run>'}"
            )
        if not self._whole(waiting):
            parts = [label for label in self._of(run) if not self._whole(label)]
            if len(parts) == 1:
                raise GoalError(f"{self._progress(waiting)}; call again when all are")
            raise GoalError(
                f"goal pictures of {len(parts)} stamps wait, and no set is whole ({self._shown(parts)}); {ONE_SET}"
            )
        if len(whole := self._waiting(run)) > 1:
            shown = self._shown(whole)
            self.drop(run)
            raise GoalError(
                f"{len(whole)} whole sets of goal pictures waited ({shown}), and which one is meant is not known: "
                f"all are dropped; end who else publishes them; {ONE_SET}"
            )
        return waiting, self._stacked(waiting)

    def drop(self, run: str) -> None:
        """Forget the whole sets that wait for this run: they cannot be used."""
        self._forget(self._waiting(run))

    def keep(self, run: str) -> None:
        """Forget what was shown for other runs: they have ended."""
        self._forget([label for label in self._latents if label.run != run])

    def use(self, label: Label) -> None:
        """The set of this label, which :meth:`add` or :meth:`next` gave, is in use; no other waits any more."""
        self.in_use = label
        self._latents.clear()

    def _stacked(self, label: Label) -> Latents:
        return np.stack([self._latents[label][k] for k in range(label.count)])

    def _whole(self, label: Label) -> bool:
        return len(self._latents[label]) == label.count

    def _waiting(self, run: str) -> list[Label]:
        """The whole sets of others that wait for this run."""
        return [label for label in self._of(run) if self._whole(label)]

    def _newest(self, run: str) -> Label | None:
        """What waits for this run: the whole set that was shown last or, if none is whole, the last."""
        return max(self._of(run), key=lambda a: (self._whole(a), a.stamp_s), default=None)

    def _of(self, run: str) -> list[Label]:
        """The sets and parts of sets of others that were shown for this run."""
        return [label for label in list(self._latents) if label != self._own and run and label.run == run]

    def _shown(self, labels: list[Label]) -> str:
        return ", ".join(f"{len(self._latents[a])} of {a.count} stamped {a.stamp_s:.3f}" for a in labels)

    def _progress(self, label: Label) -> str:
        return f"{len(self._latents[label])} of {label.count} goal pictures are encoded"

    def _forget(self, labels: list[Label]) -> None:
        for label in labels:
            if label != self._own:
                del self._latents[label]

    def _leave(self, sentence: str) -> NoReturn:
        self.left_aside += 1
        self.aside = sentence
        raise GoalError(sentence)


ONE_SET = "the pictures of a set share one stamp: publish all of one set under one new stamp, and call again"
NO_RUN = (
    "goal pictures that belong to no run are left aside; publish them with the frame id "
    "subgoal_<k>_of_<n>_run_<run> and call planner/use_goals"
)
