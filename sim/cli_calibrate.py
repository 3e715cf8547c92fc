"""`hall calibrate` and `hall sensitivity`: values that nobody measured."""

from __future__ import annotations

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
    Metrics,
    Output,
    Replications,
    Seed,
    Settings,
    examples,
    share_of,
)
from sim.errors import Mark, Problem, ScenarioError

studies = typer.Typer()


@studies.command(
    short_help="Fit free parameters of a scenario to published figures.",
    epilog=examples(
        "hall calibrate scenarios/lanzhou-2015.yaml",
        "hall calibrate scenarios/lanzhou-2020.yaml --fit my-fit.yaml -r 20 -j 2",
        "hall calibrate scenarios/lanzhou-2015.yaml --write",
    ),
)
def calibrate(
    file: File,
    fit_file: Annotated[
        Path | None,
        typer.Option(
            "--fit",
            metavar="FILE",
            help="What is free and what it is fitted to; unless told, the file of the scenario's "
            "name in the folder fits/ beside the scenarios.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        int,
        typer.Option(
            min=1,
            max=100_000,
            metavar="N",
            help="The most points that a search tries; some more are tried at the bounds, around "
            "its end and along each parameter.",
        ),
    ] = 100,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the values, and where they are from, into the files, if they keep every "
            "target.",
        ),
    ] = False,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
) -> None:
    """Fit free parameters of a scenario to published figures.

    All values are tried on the same random numbers. The fit is then looked at with a tenth less and
    more demand, on other random numbers, and along each parameter; what cannot be met is said, with
    the nearest that can be had. Everything is kept: the same command goes on, or answers at once.
    """
    from sim.loading import load_document
    from sim.plot_style import rendered
    from sim.studies import calibration_report, write_back
    from sim.studies.calibration import calibrate as fit_to_targets
    from sim.studies.calibration_plot import calibration_figure
    from sim.studies.fits import fit_file_of, read_fit
    from sim.studies.study_files import open_study, study_folder, write_study

    if write and settings:
        found = "a scenario under --set is not that of its files; write the value there first"
        raise ScenarioError([Problem(Mark("hall calibrate --write"), "", found)])
    loaded = load_document(file, settings or ())
    fit_file = fit_file or fit_file_of(file)
    fit = read_fit(fit_file, loaded)
    folder = output or study_folder("calibrate", loaded, seed, fit.definition, budget)
    with open_study(folder):
        with terminal.ProgressLine() as progress:
            came = fit_to_targets(
                *(fit, replications, seed),
                budget=budget,
                folder=folder,
                engine=engine.value,
                jobs=jobs,
                progress=progress,
                say=terminal.say,
            )
        figure = calibration_figure(came, f"Seed {seed}; the warm-up is not counted.")
        write_study(folder, came.tables(), [("calibration", rendered(figure))])
    changes = write_back.changes(fit, came.outcome)
    # What misses its targets is not to say that it was calibrated against them.
    written = write and not came.missed
    if written:
        confirmed = came.stays and came.best != fit.start
        statement = write_back.statement(fit.targets, fit_file, confirmed)
        write_back.write_back(fit, came.outcome, statement, lambda: load_document(file))
    show(
        as_json,
        lambda: calibration_report.as_json(came, changes, written),
        lambda: calibration_report.calibration_report(came, changes, written),
        folder,
        (one.text for one in came.missing),
    )


@studies.command(
    short_help="Rank what is assumed by what it does to the answer.",
    epilog=examples(
        "hall sensitivity scenarios/tutorial.yaml",
        "hall sensitivity scenarios/lanzhou-2015.yaml --range 30% -j 2",
        "hall sensitivity scenarios/lanzhou-2020.yaml --metric waiting_time_mean:tax_windows",
    ),
)
def sensitivity(
    file: File,
    share: Annotated[
        float,
        typer.Option(
            "--range",
            metavar="SHARE",
            parser=share_of("range such as 20%"),
            help="How far numbers move for which the file says no range, such as (20 to 40 min).",
        ),
    ] = 0.2,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    metrics: Metrics = None,
    output: Output = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
) -> None:
    """Move every assumed number over its range, and rank what that does to the answer.

    Numbers that belong together, such as the times of an activity, move together, one group at a
    time, on the same random numbers. Looked at are the published figures, or those of --metric.
    Everything is kept: the same command goes on, or answers at once.
    """
    from sim.loading import load_document
    from sim.plot_style import rendered
    from sim.studies.sensitivity import sensitivity as move_what_is_assumed
    from sim.studies.sensitivity_plot import sensitivity_figures
    from sim.studies.sensitivity_report import as_json as data_of
    from sim.studies.sensitivity_report import sensitivity_report
    from sim.studies.study_files import open_study, study_folder, write_study

    loaded = load_document(file, settings or ())
    folder = output or study_folder("sensitivity", loaded, seed, share, metrics or ())
    with open_study(folder):
        with terminal.ProgressLine() as progress:
            found = move_what_is_assumed(
                *(loaded, replications, seed),
                share=share,
                metrics=metrics or (),
                folder=folder,
                engine=engine.value,
                jobs=jobs,
                progress=progress,
                say=terminal.say,
            )
        figures = ((name, rendered(figure)) for name, figure in sensitivity_figures(found))
        write_study(folder, found.tables(), figures)
    show(
        as_json,
        lambda: data_of(found),
        lambda: sensitivity_report(found),
        folder,
        (one.text for one in found.missing),
    )
