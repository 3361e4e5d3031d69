"""Whether a message is of the publisher that the graph shows, by the number that its publisher gave it.

A program that publishes once and ends may be gone before anybody looks into the graph. Middlewares do not tell who sent
a message, but each publisher counts its own (``publication_sequence_number``): what does not go on from the last one is
of somebody else.
"""

from __future__ import annotations

#: Of somebody else that goes on for so long, the graph tells, too: it is the right one, and the last was not.
MOST_STRANGE = 10


class Numbers:
    """The numbers of the messages of one topic."""

    def __init__(self) -> None:
        self._publisher: bytes | None = None
        self._last = 0
        self._strange = 0

    def strange(self, number: int | None, publisher: bytes | None) -> bool:
        """Whether the message ``number`` is of another publisher than ``publisher``.

        Args:
            number: None where the middleware does not tell it; then it is of nobody else.
            publisher: the id of the only one that the graph shows; None: there is none, or more than one.
        """
        if number is None:
            return False
        if publisher != self._publisher or self._strange == MOST_STRANGE:
            self._publisher, self._last, self._strange = publisher, number - 1, 0
        if number <= self._last:
            self._strange += 1
            return True
        self._last, self._strange = number, 0
        return False
