"""The command line: `hall check`, `show`, `schema`, `metrics`, `validate`, `run` and so on.

Results go to standard output, progress, warnings and problems to standard error. What a command
needs is imported when it runs, so that help and checks are there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from sim import terminal
from sim.cli_attribute import studies as attribute_study
from sim.cli_calibrate import studies as calibration_studies
from sim.cli_days import studies as days_study
from sim.cli_experiments import experiments, warn
from sim.cli_options import (
    File,
    Files,
    Seed,
    Settings,
    Until,
    With,
    as_it_stands,
    examples,
    names_in,
)
from sim.cli_staff import studies as staff_study
from sim.errors import ScenarioError
from sim.exit_codes import BUG, USAGE, exit_code, say_problems

_EXIT_CODES: Final = """\
Exit codes:
    0  done
    1  a bug in hall, a law of the simulation broken (--check), a known answer missed
       (validate), or too little memory
    2  a wrong option or scenario; every problem in a line of its own
    4  replications are missing: some failed, or a cluster went away; the rest is kept
    5  a results folder or a cluster that cannot be used, an output that takes no more
  130  interrupted (143: ended by kill)
  141  the output was closed (hall ... | head)

HALL_DEBUG=1 shows tracebacks, NO_COLOR=1 turns colours off."""


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from sim.definition import PACKAGE, version_of

        terminal.write(f"hall {version_of(PACKAGE)}\n")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "hall check scenarios/tutorial.yaml     is everything in the file all right?",
        "hall run scenarios/tutorial.yaml       simulate it",
        "hall compare scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
        "hall run --help                        more examples",
    )
    + "\n\n"
    + as_it_stands(_EXIT_CODES)
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


@app.command(
    epilog=examples(
        "hall check scenarios/tutorial.yaml",
        "hall check scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
        "hall check scenarios/lanzhou-2015.yaml --with three-in-one,bank-filing",
    )
)
def check(
    files: Files, settings: Settings = None, reforms: With = None, until: Until = None
) -> None:
    """Check scenario files without running them.

    Every problem is shown with file, line and column. Then: how many numbers are stated by a
    source, derived, calibrated or assumed, which ones say nothing, and the load of each pool.
    """
    from sim.check_report import check_report
    from sim.loading import load_document

    problems = 0
    for file in files:
        try:
            loaded = load_document(file, settings or (), names_in(reforms), until)
        except ScenarioError as error:
            say_problems(error)
            problems += len(error.problems)
            continue
        terminal.write("".join(f"{line}\n" for line in check_report(loaded)))
        warn(loaded)
    if problems:
        terminal.say(f"{problems} problem{'s' * (problems != 1)}")
        raise typer.Exit(USAGE)


@app.command(
    short_help="Print a scenario with every value explicit.",
    epilog=examples(
        "hall show scenarios/lanzhou-2020.yaml",
        "hall show scenarios/tutorial.yaml --set pools.windows.shifts.day.servers=4",
    ),
)
def show(file: File, settings: Settings = None, reforms: With = None, until: Until = None) -> None:
    """Print a scenario as it is run: every value explicit, with where it is from."""
    from sim.loading import load_document, resolved_yaml

    terminal.write(resolved_yaml(load_document(file, settings or (), names_in(reforms), until)))


@app.command(
    short_help="Print the JSON Schema of scenario files.",
    epilog=examples(
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
    epilog=examples(
        "hall metrics",
    ),
)
def metrics() -> None:
    """List every metric: its name, unit, what it can be of, and its definition."""
    from sim import report

    terminal.show(report.metrics_report())


@app.command(
    short_help="Simulate halls with known answers.",
    epilog=examples(
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


for commands in (experiments, days_study, attribute_study, calibration_studies, staff_study):
    app.add_typer(commands)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    terminal.prepare()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return exit_code(lambda: app(arguments or ["--help"], prog_name="hall", standalone_mode=False))
