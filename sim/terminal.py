"""Writing to a terminal, a file or a pipe.

Results go to standard output; progress, warnings and problems go to standard error. Nothing but a
terminal that takes them gets escape codes, and no text is taken for markup. An output that was
closed before the start (`>&-`) is one whose reader is gone.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from sim.signals import heed
from sim.texts import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress

WIDTH: Final = 160
"""Columns where there is no terminal and COLUMNS says nothing."""
NARROWEST: Final = 80
PATIENCE: Final = 2.0
"""Seconds of work below which no progress is shown."""


def prepare() -> None:
    """Let there be streams, and let Chinese come out whatever the locale says."""
    if sys.stdout is None:
        reading, writing = os.pipe()
        # To its own number, which the next file would get, and be written over.
        os.dup2(writing, 1)
        for number in {reading, writing} - {1}:
            os.close(number)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def show(shown: RenderableType) -> None:
    """Print tables and text to standard output."""
    console = console_of(sys.stdout)
    # A narrower terminal wraps lines itself: tables would cut their numbers.
    console.width = max(console.width, NARROWEST)
    with console.capture() as capture:
        console.print(shown, crop=False)
    lines = (line.rstrip() for line in capture.get().splitlines())
    write("".join(f"{line}\n" for line in lines))


def console_of(stream: Any) -> Console:
    """A console that takes no text for markup, and writes no escape codes into files."""
    from rich.console import Console

    is_plain = not stream.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=False if is_plain else None,
        color_system=None if is_plain else "auto",
        width=None if stream.isatty() or "COLUMNS" in os.environ else WIDTH,
    )


def write(text: str) -> None:
    """Write text to standard output as it stands."""
    sys.stdout.write(text)


def write_json(data: object) -> None:
    """Write data to standard output as one JSON object."""
    write(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def say(text: str) -> None:
    """Write one line to standard error, if it takes one."""
    with suppress(OSError):
        print(one_line(text), file=sys.stderr, flush=True)


@dataclass
class ProgressLine:
    """How far the work is: a bar on a terminal, elsewhere a line for every tenth."""

    begun: float = field(default_factory=time.monotonic)
    tenths: int = 0
    """Of `total`, as far as they are told."""
    total: int = 0
    bar: Progress | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Called when so many of all runs are done."""
        heed()
        if (time.monotonic() - self.begun) * total / done < PATIENCE:
            return
        if sys.stderr.isatty():
            self.draw(done, total)
            return
        if total != self.total:  # more to do than was known
            self.total, self.tenths = total, (done - 1) * 10 // total
        if done * 10 // total > self.tenths:
            self.tenths = done * 10 // total
            left = (time.monotonic() - self.begun) * (total - done) / done
            remaining = f", some {max(left, 1):.0f} s left" if done < total else ""
            say(f"{10 * self.tenths} %: {done} of {total} runs{remaining}")

    def draw(self, done: int, total: int) -> None:
        """Show the bar."""
        if self.bar is None:
            from rich import progress

            columns = (
                progress.TextColumn("{task.completed:.0f} of {task.total:.0f} runs"),
                progress.BarColumn(),
                progress.TimeRemainingColumn(),
            )
            self.bar = progress.Progress(*columns, console=console_of(sys.stderr), transient=True)
            self.bar.add_task("runs", total=total)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=done, total=total)


def close_output() -> None:
    """Nobody reads on, or nothing more fits: let Python's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
