"""The command line: `hall check`, `show`, `schema`, `metrics`, `validate`, `run` and so on.

Results go to standard output, progress, warnings and problems to standard error. What a command
needs is imported when it runs, so that help and checks are there at once.
"""

from __future__ import annotations

import enum
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sim import terminal
from sim.errors import HallError, Mark, Problem, ScenarioError
from sim.texts import one_line

if TYPE_CHECKING:
    from sim.experiment import Experiment
    from sim.loading import Loaded


class EngineChoice(enum.StrEnum):
    """What --engine takes."""

    auto = "auto"
    simpy = "simpy"
    compiled = "compiled"


USAGE, NOT_WRITTEN, INTERRUPTED, CLOSED_PIPE, BUG = 2, 5, 130, 141, 1
_CLICK_ERROR: Final = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""What typer raises for a wrong option; where it lives depends on the version of typer."""

_EXIT_CODES: Final = """\
Exit codes:
    0  done
    1  a bug in hall, a law of the simulation broken (--check), a known answer missed
       (validate), or too little memory
    2  a wrong option or scenario; every problem in a line of its own
    5  a results folder that cannot be written or read, an output that takes no more
  130  interrupted (143: ended by kill)
  141  the output was closed (hall ... | head)

HALL_DEBUG=1 shows tracebacks, NO_COLOR=1 turns colours off."""


def _as_it_stands(text: str) -> str:
    """Text whose lines help does not fill."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))


def _examples(*lines: str) -> str:
    return _as_it_stands("\n".join(["Examples:", *(f"  {line}" for line in lines)]))


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from sim.results import version

        terminal.write(f"hall {version()}\n")
        raise typer.Exit


@app.callback(
    epilog=_examples(
        "hall check scenarios/tutorial.yaml     is everything in the file all right?",
        "hall run scenarios/tutorial.yaml       simulate it",
        "hall compare scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
        "hall run --help                        more examples",
    )
    + "\n\n"
    + _as_it_stands(_EXIT_CODES)
)
def hall(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Simulate government service halls: where the days go, and what a reform changes.

    A scenario file says who comes, what they go through, and who works when.
    """


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
Replications = Annotated[
    int,
    typer.Option(
        "--replications", "-r", min=1, max=1_000_000, metavar="N", help="How many runs of each."
    ),
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
        help="Write tables and figures into this folder; earlier results there are replaced.",
        show_default=False,
    ),
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
Check = Annotated[
    bool, typer.Option("--check", help="Assert on every run the laws that hold in every run.")
]


@app.command(
    epilog=_examples(
        "hall check scenarios/tutorial.yaml",
        "hall check scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
    )
)
def check(files: Files, settings: Settings = None) -> None:
    """Check scenario files without running them.

    Every problem is shown with file, line and column. Then: how many numbers are stated by a
    source, derived, calibrated or assumed, which ones say nothing, and the load of each pool.
    """
    from sim.check_report import check_report
    from sim.loading import load_document

    problems = 0
    for file in files:
        try:
            loaded = load_document(file, settings or ())
        except ScenarioError as error:
            _say_problems(error)
            problems += len(error.problems)
            continue
        terminal.write("".join(f"{line}\n" for line in check_report(loaded)))
        _warn(loaded)
    if problems:
        terminal.say(f"{problems} problem{'s' * (problems != 1)}")
        raise typer.Exit(USAGE)


@app.command(
    short_help="Print a scenario with every value explicit.",
    epilog=_examples(
        "hall show scenarios/lanzhou-2020.yaml",
        "hall show scenarios/tutorial.yaml --set pools.windows.shifts.day.servers=4",
    ),
)
def show(file: File, settings: Settings = None) -> None:
    """Print a scenario as it is run: every value explicit, with where it is from."""
    from sim.loading import load_document, resolved_yaml

    terminal.write(resolved_yaml(load_document(file, settings or ())))


@app.command(
    short_help="Print the JSON Schema of scenario files.",
    epilog=_examples(
        "hall schema > scenarios/schema.json",
    ),
)
def schema() -> None:
    """Print the JSON Schema of scenario files, from which editors complete and explain."""
    from sim.loading import json_schema
    from sim.schema import schema_text

    terminal.write(schema_text(json_schema()))


@app.command(
    short_help="List every metric and its definition.",
    epilog=_examples(
        "hall metrics",
    ),
)
def metrics() -> None:
    """List every metric: its name, unit, what it can be of, and its definition."""
    from sim import report

    terminal.show(report.metrics_report())


@app.command(
    short_help="Simulate halls with known answers.",
    epilog=_examples(
        "hall validate",
        "hall validate --seed 7",
    ),
)
def validate(seed: Seed = 1) -> None:
    """Simulate halls whose answers queueing theory knows, and compare; takes some ten seconds.

    The theory is computed from the same parameters as the halls. Exit code 1 if an answer is wrong.
    """
    from sim import known_answers
    from sim.known_answers_report import known_answers_report

    with terminal.ProgressLine() as progress:
        findings = known_answers.validate(known_answers.known_halls(), seed, progress)
    terminal.show(known_answers_report(findings, seed))
    if not all(finding.is_right for finding in findings):
        raise typer.Exit(BUG)


@app.command(
    short_help="Simulate scenarios and show what comes out.",
    epilog=_examples(
        "hall run scenarios/tutorial.yaml",
        "hall run scenarios/tutorial.yaml --set pools.windows.shifts.day.servers=4",
        "hall run scenarios/lanzhou-2015.yaml -r 30 --output results/2015",
        "hall run scenarios/tutorial.yaml --json | jq .estimates",
    ),
)
def run(
    files: Files,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
    check: Check = False,
) -> None:
    """Simulate scenarios and show what comes out, with 95 % intervals."""
    from sim import report

    loaded = _load(files, settings)
    if output is not None:
        _check_folder(output)
    experiment = _experiment(loaded, replications, seed, engine, jobs, check)
    folder = None if output is None else _write_results(experiment, output)
    if as_json:
        terminal.write_json(report.as_json(experiment, folder))
    else:
        terminal.show(report.run_report(experiment))
        _show_folder(folder)


@app.command(
    short_help="Compare scenarios with the first one.",
    epilog=_examples(
        "hall compare scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
        "hall compare scenarios/lanzhou-2015.yaml my-reform.yaml -r 30 -o results/my-reform",
    ),
)
def compare(
    files: Files,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
    check: Check = False,
) -> None:
    """Compare scenarios with the first one: the same luck for all, differences with intervals.

    Published figures stand beside the simulated ones. Tables and figures are written to
    results/NAME-vs-NAME, or to the folder that --output names.
    """
    from sim import report
    from sim.results import file_names

    if len(files) < 2:
        found = "two files or more are wanted; 'hall run' runs one"
        raise ScenarioError([Problem(Mark("hall compare"), "", found)])
    loaded = _load(files, settings)
    if output is None:
        output = Path("results", "-vs-".join(file_names(list(loaded)).values())[:120])
    _check_folder(output)
    experiment = _experiment(loaded, replications, seed, engine, jobs, check)
    folder = _write_results(experiment, output)
    if as_json:
        terminal.write_json(report.as_json(experiment, folder))
    else:
        terminal.show(report.compare_report(experiment))
        _show_folder(folder)


@app.command(
    short_help="Draw the figures of a results folder once more.",
    epilog=_examples(
        "hall plot results/lanzhou-2015-vs-lanzhou-2020",
    ),
)
def plot(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Results folder.", show_default=False)
    ],
) -> None:
    """Draw the figures of a results folder once more, from its tables."""
    from sim.results import redraw

    for path in redraw(folder):
        terminal.write(f"{one_line(path)}\n")


# What commands share


def _load(files: Sequence[Path], settings: Sequence[str] | None) -> dict[str, Loaded]:
    from sim.experiment import load_all

    loaded = load_all(files, settings or ())
    for document in loaded.values():
        _warn(document)
    return loaded


def _check_folder(folder: Path) -> None:
    from sim.results import check_folder

    check_folder(folder)


def _experiment(
    loaded: dict[str, Loaded],
    replications: int,
    seed: int,
    engine: EngineChoice,
    jobs: int,
    check: bool,
) -> Experiment:
    from sim import experiment

    with terminal.ProgressLine() as progress:
        return experiment.run(
            loaded,
            replications,
            seed,
            engine=engine.value,
            jobs=jobs,
            progress=progress,
            say=terminal.say,
            check=check,
        )


def _write_results(experiment: Experiment, folder: Path) -> Path:
    from sim.results import write_results

    write_results(experiment, folder)
    return folder


def _show_folder(folder: Path | None) -> None:
    if folder is not None:
        terminal.write(f"results: {one_line(folder)}\n")


def _warn(loaded: Loaded) -> None:
    from sim.check_report import load_warnings

    for warning in load_warnings(loaded):
        terminal.say(f"warning: {warning}")


def _say_problems(error: ScenarioError) -> None:
    for problem in error.problems:
        terminal.say(str(problem))


# From the shell and back


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    terminal.prepare()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer gives this one as a code, earlier versions raise Abort
            terminal.say("interrupted")
        return code
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
        return _failed(error)


def _invoke(arguments: Sequence[str]) -> int:
    code = app(list(arguments) or ["--help"], prog_name="hall", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    """Say what went wrong, in one line for each problem."""
    if os.environ.get("HALL_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, _CLICK_ERROR):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "hall"
        message: str = error.format_message()  # type: ignore[attr-defined]
        terminal.say(f"{path}: {message} (see '{path} --help')")
        return USAGE
    if isinstance(error, ScenarioError):
        _say_problems(error)
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
