"""`hall staff`: the cheapest staff that keeps the promises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from sim import terminal
from sim.cli_experiments import show, warn
from sim.cli_options import (
    Engine,
    EngineChoice,
    File,
    Jobs,
    Json,
    Output,
    Replications,
    Seed,
    Settings,
    Until,
    With,
    examples,
    names_in,
)
from sim.errors import Mark, Problem, ScenarioError
from sim.tree import shown

studies = typer.Typer()


@studies.command(
    short_help="Find the cheapest staff that keeps the promises.",
    epilog=examples(
        "hall staff scenarios/tutorial.yaml",
        "hall staff scenarios/tutorial.yaml --promise 'waiting_over_15_min:windows <= 10%'",
        "hall staff scenarios/lanzhou-2020.yaml --promise opening=95% --demand 1.3 -j 2",
        "hall staff scenarios/lanzhou-2020.yaml --pool registrars --pool tax_windows --cost "
        "tax_windows=1.5",
    ),
)
def staff(
    file: File,
    promises: Annotated[
        list[str] | None,
        typer.Option(
            "--promise",
            metavar="TEXT",
            help="What is to be kept: 'METRIC:SUBJECT >= LEVEL' (or <=), or NAME=95% for a promise "
            "of the scenario; several times, the first leads. Without: every promise at 95 %.",
            show_default=False,
        ),
    ] = None,
    demand: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[CASE_TYPE=]X",
            help="So many times as many cases, of every or of one case type; several times.",
            show_default=False,
        ),
    ] = None,
    pools: Annotated[
        list[str] | None,
        typer.Option(
            "--pool",
            metavar="NAME",
            help="Look for the servers of this pool only; several times.",
            show_default=False,
        ),
    ] = None,
    costs: Annotated[
        list[str] | None,
        typer.Option(
            "--cost",
            metavar="POOL[.SHIFT]=X",
            help="Cost of one server; 1 unless told; several times.",
            show_default=False,
        ),
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POOL[.SHIFT]=A-B",
            help="Fewest and most servers that are looked at, such as windows=2-6; several times.",
            show_default=False,
        ),
    ] = None,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    reforms: With = None,
    until: Until = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
) -> None:
    """Find the cheapest numbers of servers, shift by shift, that keep the promises at a demand.

    A search on shared random numbers proposes them; a check on other replications (-r) says with
    95 % confidence that they keep every promise, and what one server fewer in each pool does.

    A promise that no staff keeps is a problem, exit code 2. All is kept in a results folder, with
    tables and the figure of cost against promise; the same command again answers at once.
    """
    from sim.sources import load_all
    from sim.studies.staff_tables import as_json as as_data
    from sim.studies.staff_tables import write_staffing
    from sim.studies.staffing import find_staff
    from sim.studies.staffing_report import staffing_report
    from sim.studies.study_files import study_folder

    [loaded] = load_all([file], settings or (), names_in(reforms), until).values()
    warn(loaded)
    everywhere, of_case_types = _demand(demand or ())
    costs_of, bounds_of = _numbers_of("--cost", costs or ()), _bounds(bounds or ())
    question = [promises, everywhere, of_case_types, pools, costs_of, bounds_of]
    found = find_staff(
        loaded,
        promises or (),
        replications,
        seed,
        demand=everywhere,
        demand_of=of_case_types,
        pools=pools or (),
        costs=costs_of,
        bounds=bounds_of,
        folder=study_folder("staff", loaded, seed, *question) if output is None else output,
        engine=engine.value,
        jobs=jobs,
        progress=terminal.ProgressLine,
        say=terminal.say,
    )
    write_staffing(found)
    show(as_json, lambda: as_data(found), lambda: staffing_report(found), found.folder)


def _demand(texts: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Factor of every case type, and of those that are named."""
    of_case_types = _numbers_of("--demand", [text for text in texts if "=" in text])
    everywhere = [_number("--demand", text, text) for text in texts if "=" not in text]
    if len(everywhere) > 1:
        message = "given twice; name the case types: --demand company=1.5"
        raise ScenarioError([Problem(Mark(f"--demand {everywhere[1]:g}"), "", message)])
    return everywhere[0] if everywhere else 1.0, of_case_types


def _numbers_of(option: str, texts: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in _pairs(option, texts, "NAME=1.5").items():
        found[name] = _number(option, f"{name}={value}", value)
    return found


def _bounds(texts: Sequence[str]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for name, value in _pairs("--bounds", texts, "windows=2-6").items():
        match = re.fullmatch(r"(\d{1,6})-(\d{1,6})", value)
        if match is None:
            message = "two whole numbers are wanted, such as windows=2-6"
            raise ScenarioError([Problem(Mark(f"--bounds {shown(name)}"), "", message)])
        found[name] = (int(match[1]), int(match[2]))
    return found


def _pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value) or name in found:
            message = "given twice" if name in found else f"no name and value; write {example}"
            raise ScenarioError([Problem(Mark(f"{option} {shown(text)}"), "", message)])
        found[name] = value
    return found


def _number(option: str, text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        message = f"'{shown(value)}' is no number"
        raise ScenarioError([Problem(Mark(f"{option} {shown(text)}"), "", message)]) from None
