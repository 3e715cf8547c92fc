"""The entry point of `hall` and of `python -m sim`: signals first, everything else later.

Nothing that takes time is imported before signals are handled, so that Ctrl-C never shows
a traceback. A signal becomes KeyboardInterrupt: what is being written is put away on the way out.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import Final

from sim.signals import Stopped, arrived

SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")
GARBAGE: Final = 100_000
"""New objects after which Python looks for garbage."""
PAUSE: Final = 2.0
"""Seconds in which further signals do not disturb the putting away."""


def main() -> int:
    """Run the command of the command line; gives its exit code, 128 + the signal that ended it."""
    arrived.clear()

    def stop(number: int, _: object) -> None:
        if not arrived or time.monotonic() - arrived[-1][1] > PAUSE:
            arrived.append((number, time.monotonic()))
            raise Stopped

    def unraisable(lost: sys.UnraisableHookArgs) -> None:
        # Where Python cannot raise, as in a weak reference's callback, the signal comes once more.
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = arrived.pop()[0] if arrived else signal.SIGINT
            threading.Timer(0.01, signal.raise_signal, (number,)).start()
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = unraisable
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    # What is ignored stays so: `nohup hall ...`.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    # Of which there are none here; to look for them reads what is said of every package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Nothing here multiplies matrices, and threads that wait to do so keep the processors busy.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # So that tables are written in memory that simulations have left.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Imports leave hardly any garbage, and to look for it takes as long as a year of a hall.
    gc.set_threshold(GARBAGE)
    try:
        for number in numbers:
            signal.signal(number, stop)
        from sim.cli import main as command

        code = command()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        if sys.stderr is not None:
            print("interrupted", file=sys.stderr)
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        # What is left goes with the process; to take it apart first would take as long as to start.
        gc.freeze()
    return 128 + arrived[0][0] if arrived else code


if __name__ == "__main__":
    sys.exit(main())
