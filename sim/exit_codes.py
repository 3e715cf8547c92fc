"""What goes wrong, as one line and an exit code for the shell.

  0  done
  1  a bug in hall, a law of the simulation broken (--check), a known answer missed (validate), or
     too little memory
  2  a wrong option or scenario; every problem in a line of its own
  4  replications are missing: some failed, or a cluster went away; the rest is kept
  5  a results folder or a cluster that cannot be used, an output that takes no more
130  interrupted (143: ended by kill)
141  the output was closed (hall ... | head)
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Final

import typer

from sim import terminal
from sim.errors import HallError, ScenarioError
from sim.signals import arrived

BUG, USAGE, INCOMPLETE, NOT_WRITTEN, INTERRUPTED, CLOSED_PIPE = 1, 2, 4, 5, 130, 141
_CLICK_ERROR: Final = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""What typer raises for a wrong option; where it lives depends on the version of typer."""


def exit_code(command: Callable[[], object]) -> int:
    """Run a command; gives its exit code, and says what went wrong in a line for each problem."""
    try:
        code = command()
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer gives this one as a code, earlier versions raise Abort
            terminal.say("interrupted")
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        terminal.close_output()
        return CLOSED_PIPE
    except SystemExit as error:
        # Help is printed by typer, which ends the program when the pipe is closed.
        if isinstance(error.__context__, BrokenPipeError):
            terminal.close_output()
            return CLOSED_PIPE
        raise
    except (KeyboardInterrupt, typer.Abort):
        terminal.say("interrupted")
        return INTERRUPTED
    except OSError as error:
        if error.filename is not None:
            return _failed(error)
        # Files have names: this is the output.
        terminal.close_output()
        terminal.say(f"hall: the output cannot be written: {error.strerror or error}")
        return NOT_WRITTEN
    except Exception as error:
        if arrived and not isinstance(error, HallError):
            # Interrupted in the midst of something: that it broke is no news.
            terminal.say("interrupted")
            return INTERRUPTED
        return _failed(error)


def _failed(error: Exception) -> int:
    if os.environ.get("HALL_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, _CLICK_ERROR):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "hall"
        message: str = error.format_message()  # type: ignore[attr-defined]
        terminal.say(f"{path}: {message} (see '{path} --help')")
        return USAGE
    if isinstance(error, ScenarioError):
        say_problems(error)
        return error.exit_code
    if isinstance(error, HallError):
        for line in str(error).splitlines():
            terminal.say(line)
        return error.exit_code
    if isinstance(error, MemoryError):
        reason = str(error) or "a shorter horizon or fewer cases need less"
        terminal.say(f"hall: needs more memory than there is: {reason}")
        return BUG
    advice = "" if os.environ.get("HALL_DEBUG") else "; HALL_DEBUG=1 shows where"
    terminal.say(f"hall: unexpected {type(error).__name__}: {error}{advice}")
    return BUG


def say_problems(error: ScenarioError) -> None:
    """Each problem in a line."""
    for problem in error.problems:
        terminal.say(str(problem))
