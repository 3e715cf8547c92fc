"""What the options of the command line mean, each said once; and how help texts are laid out."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer


class EngineChoice(enum.StrEnum):
    """What --engine takes."""

    auto = "auto"
    simpy = "simpy"
    compiled = "compiled"


def as_it_stands(text: str) -> str:
    """Text whose lines help does not fill."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))


def examples(*lines: str) -> str:
    """Commands to try, at the end of help."""
    return as_it_stands("\n".join(["Examples:", *(f"  {line}" for line in lines)]))


def _are_files(value: Path | list[Path]) -> Path | list[Path]:
    """Scenarios stand in files: they name others that lie beside them."""
    for path in value if isinstance(value, list) else [value]:
        if (str(path) == "-" and not path.exists()) or _PIPE.fullmatch(str(path)):
            raise typer.BadParameter(f"{path}: a scenario is a file; write it to one first")
    return value


_PIPE: Final = re.compile(r"/dev/(stdin|fd/\d+)|/proc/self/fd/\d+")
Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="Scenario files.", show_default=False, callback=_are_files),
]
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Scenario file.", show_default=False, callback=_are_files),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of every scenario; may be given several times.",
        show_default=False,
    ),
]


With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME[,NAME...]",
        help="Under these reforms, over the whole horizon whatever its dates: names in the folder "
        "reforms/ beside the scenarios, or files; may be given several times, in any order.",
        show_default=False,
    ),
]


def names_in(lists: list[str] | None) -> list[str]:
    """The names that an option was given: `one`, or `one,two`, and so on."""
    return [name.strip() for names in lists or () for name in names.split(",")]


Until = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Under all reforms of that folder in force at this date, such as 2018-12-31; over the "
        "whole horizon, whatever its dates.",
        show_default=False,
    ),
]
Replications = Annotated[
    int,
    typer.Option(
        "--replications", "-r", min=1, max=1_000_000, metavar="N", help="How many runs of each."
    ),
]
Only = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=1_000_000,
        metavar="N",
        help="Run replication N alone, and keep nothing of it.",
        show_default=False,
    ),
]


def share_of(what: str) -> Callable[[str | float], float]:
    """Reads `2%`, `2 %` or `0.02`; `what` is said to be wanted where a text is none."""

    def share(value: str | float) -> float:
        text = str(value)  # typer asks about a default too
        number = text.removesuffix("%")
        try:
            found = float(number) / (1 if number == text else 100)
        except ValueError:
            found = 0.0
        if not 0 < found < 1:
            raise typer.BadParameter(f"'{text}' is no {what}")
        return found

    return share


Wanted = Annotated[
    float | None,
    typer.Option(
        "--precision",
        metavar="SHARE",
        parser=share_of("precision such as 2%"),
        help="More runs than -r, until half the width of each interval (--metric: of which; unless "
        "told, of mean times) is at most this share of the mean, such as 2%.",
        show_default=False,
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME[:SUBJECT]",
        help="What leads the report, and is to be precise, in the place of the usual metrics; "
        "several times; all: every one.",
        show_default=False,
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The scenario that the others are compared with; the first one unless named.",
        show_default=False,
    ),
]
Budget = Annotated[
    int, typer.Option(min=1, max=1_000_000, metavar="N", help="The most runs for --precision.")
]
Seed = Annotated[
    int,
    typer.Option(min=0, max=2**63 - 1, metavar="N", help="The same seed gives the same numbers."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Results folder; unless told, results/ and a name after what defines the experiment.",
        show_default=False,
    ),
]
Figures = Annotated[bool, typer.Option("--figures", help="Draw figures into the folder too.")]


def _is_figure(value: Path | None) -> Path | None:
    if value is not None:
        from sim.plot_style import FORMATS

        if value.suffix[1:].lower() not in FORMATS:
            endings = ", ".join(f".{kind}" for kind in FORMATS)
            raise typer.BadParameter(f"{value}: the name of a figure ends in one of {endings}")
    return value


FigureFile = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw Welch's plot into this file: .png, .svg or .pdf.",
        show_default=False,
        callback=_is_figure,
    ),
]


def _numbers(text: str) -> list[int]:
    """`0`, `0,3` or `0-9`."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise typer.BadParameter(f"'{text}' is no list of replications such as 0,3 or 0-9")
        found += range(first, last + 1)
    return found


KeepLog = Annotated[
    Any,  # list[int]: typer makes a list of lists of that
    typer.Option(
        "--keep-log",
        metavar="N[,N...]",
        parser=_numbers,
        help="Write the event logs of these replications as Parquet, such as 0 or 0-4.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would run at most, how long, and how much memory."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, in full precision.")]
Engine = Annotated[
    EngineChoice,
    typer.Option(
        help="auto: the compiled engine where it saves time; the first run is SimPy's, compared.",
    ),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, max=1024, metavar="N", help="Worker processes.")
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Scheduler of a Dask cluster that does it, such as tcp://10.0.0.1:8786.",
        show_default=False,
    ),
]
Check = Annotated[
    bool, typer.Option("--check", help="Assert the laws that hold in every run on what is run now.")
]
