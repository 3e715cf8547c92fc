"""Signals that ask for the end of the program, and whether they have been heeded."""

from __future__ import annotations

from typing import Final


class Stopped(KeyboardInterrupt):
    """A signal has arrived.

    A class of its own: Python ends itself by SIGINT if KeyboardInterrupt leaves an `exec`, such as
    that of a dataclass, even if it is caught further up.
    """


arrived: Final[list[tuple[int, float]]] = []
"""Number of each signal, and when it came."""


def heed() -> None:
    """Raise Stopped once more if something has swallowed it, as imports of some libraries do."""
    if arrived:
        raise Stopped
