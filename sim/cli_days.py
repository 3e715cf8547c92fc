"""`hall days`: where the days go."""

from __future__ import annotations

from typing import Annotated

import typer

from sim import terminal
from sim.cli_experiments import missing_of, show, warn
from sim.cli_options import (
    Cluster,
    Engine,
    EngineChoice,
    Files,
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


Promises = Annotated[
    list[str] | None,
    typer.Option(
        "--promise",
        metavar="NAME",
        help="Split the time of this promise; several times; all of them unless some are named. "
        "Where nothing is promised: a case type, from arrival to departure.",
        show_default=False,
    ),
]


@studies.command(
    short_help="Show where the days of cases go.",
    epilog=examples(
        "hall days scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
        "hall days scenarios/lanzhou-2015.yaml --promise registration",
        "hall days scenarios/tutorial.yaml --set pools.windows.shifts.day.servers=4",
    ),
)
def days(
    files: Files,
    promises: Promises = None,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    reforms: With = None,
    until: Until = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
    cluster: Cluster = None,
) -> None:
    """Show where the days of cases go: their lead times, split along critical paths.

    From the end of each case the way is walked back to what was complete last, and the time is
    split, to the second: until the person comes, until a tray is carried over or somebody signs,
    until a server is free, the service, delays; and the closed hours in each of them.

    Tables and a figure are written into the folder studies/ of the results folder, which is kept as
    `hall run` keeps it.
    """
    from sim.definition import Definition
    from sim.results import default_folder
    from sim.sources import load_all
    from sim.studies.days import study_days
    from sim.studies.days_report import as_json as days_as_json
    from sim.studies.days_report import days_report

    loaded = load_all(files, settings or (), names_in(reforms), until)
    for document in loaded.values():
        warn(document)
    with terminal.ProgressLine() as progress:
        study = study_days(
            loaded,
            replications,
            seed,
            promises=promises or (),
            folder=default_folder(Definition.of(loaded, seed)) if output is None else output,
            engine=engine.value,
            jobs=jobs,
            cluster=cluster,
            progress=progress,
            say=terminal.say,
        )
    show(
        as_json,
        lambda: days_as_json(study),
        lambda: days_report(study),
        study.experiment.folder,
        missing_of(study.experiment),
    )
