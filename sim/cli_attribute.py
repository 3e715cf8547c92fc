"""`hall attribute`: which reform bought how much."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from sim import terminal
from sim.cli_experiments import show
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

studies = typer.Typer()


class Sorting(enum.StrEnum):
    """What --sort takes."""

    date = "date"
    size = "size"


def _groups(texts: list[str] | None) -> dict[str, list[str]]:
    """`NAME=REFORM,REFORM`, each once."""
    groups: dict[str, list[str]] = {}
    for text in texts or ():
        name, equals, reforms = text.partition("=")
        names = names_in([reforms])
        if not equals or not all(names):
            raise typer.BadParameter(f"--group '{text}' is not NAME=REFORM,REFORM")
        if name in groups:
            raise typer.BadParameter(f"--group '{name}' is given twice")
        groups[name] = names
    return groups


@studies.command(
    short_help="Tell how much of a change each reform bought.",
    epilog=examples(
        "hall attribute scenarios/lanzhou-2015.yaml --with three-in-one,bank-filing,open-5-3",
        "hall attribute scenarios/lanzhou-2015.yaml --until 2020-12-31 \\",
        "    --groups scenarios/groups/lanzhou.yaml -r 20 -j 2",
        "hall attribute old.yaml new.yaml --group online=filing,courier --metric waiting_time_mean",
    ),
)
def attribute(
    file: File,
    to: Annotated[
        Path | None,
        typer.Argument(
            metavar="TO",
            help="Scenario file that extends FILE and lists reforms; or else --with, --until.",
            show_default=False,
        ),
    ] = None,
    reforms: With = None,
    until: Until = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=REFORM,...",
            help="Switch these reforms together; may be given several times.",
            show_default=False,
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File that says which are switched together.", show_default=False
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME[:SUBJECT]",
            help="What is attributed, in the place of mean times of promises and mean visits; "
            "several times.",
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        Sorting, typer.Option(help="Groups by their dates, or the largest share first.")
    ] = Sorting.date,
    orders: Annotated[
        int | None,
        typer.Option(
            min=4,
            max=10_000,
            metavar="N",
            help="Sample so many orders (an even number), in the place of running every "
            "combination; unless told, 20 if there are more than 10 groups.",
            show_default=False,
        ),
    ] = None,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
) -> None:
    """Tell how much of the change from one scenario to another each reform bought.

    Every combination of reforms, or of groups of them, is run on the same random numbers. A reform
    gets the mean of what it changes over all orders in which they can come (its Shapley value), so
    that all of them add up to the whole change; beside it what it does alone, and after all others.
    """
    from sim.studies import attribution_report, attribution_study, reform_groups

    if orders is not None and orders % 2:
        raise typer.BadParameter(
            f"--orders {orders}: each goes with its reverse, so an even number"
        )
    switches = reform_groups.switches(
        file,
        to,
        reforms=names_in(reforms),
        until=until,
        groups=_groups(group),
        groups_file=groups,
        settings=settings or (),
    )
    with terminal.ProgressLine() as progress:
        found = attribution_study.attribute(
            switches,
            metrics or (),
            replications,
            seed,
            orders=orders,
            sort=sort.value,
            folder=output or attribution_study.default_folder(switches, seed, orders),
            engine=engine.value,
            jobs=jobs,
            progress=progress,
            say=terminal.say,
        )
    show(
        as_json,
        lambda: attribution_report.as_json(found),
        lambda: attribution_report.attribution_report(found, sort.value),
        found.folder,
        (one.text for one in found.missing),
    )
