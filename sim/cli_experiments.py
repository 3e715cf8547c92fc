"""The commands that run experiments, and those that read what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim import terminal
from sim.cli_options import (
    Budget,
    Check,
    Cluster,
    DryRun,
    Engine,
    EngineChoice,
    FigureFile,
    Figures,
    Files,
    Jobs,
    Json,
    KeepLog,
    Metrics,
    Only,
    Output,
    Reference,
    Replications,
    Seed,
    Settings,
    Until,
    Wanted,
    With,
    examples,
    names_in,
)
from sim.errors import Mark, Problem, ScenarioError
from sim.exit_codes import INCOMPLETE, NOT_WRITTEN
from sim.texts import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sim.experiment import Experiment
    from sim.loading import Loaded
    from sim.precision import Precision

experiments = typer.Typer()


@experiments.command(
    short_help="Simulate scenarios and show what comes out.",
    epilog=examples(
        "hall run scenarios/tutorial.yaml",
        "hall run scenarios/tutorial.yaml --set pools.windows.shifts.day.servers=4",
        "hall run scenarios/tutorial.yaml --metric waiting_time_mean --metric utilisation:windows",
        "hall run scenarios/lanzhou-2015.yaml --precision 2% --jobs 2",
        "hall run scenarios/lanzhou-2015.yaml -r 500 --dry-run",
        "hall run scenarios/tutorial.yaml --json | jq .estimates",
    ),
)
def run(
    files: Files,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    reforms: With = None,
    until: Until = None,
    metrics: Metrics = None,
    precision: Wanted = None,
    budget: Budget = 1000,
    output: Output = None,
    figures: Figures = False,
    keep_log: KeepLog = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    check: Check = False,
    dry_run: DryRun = False,
    only: Only = None,
) -> None:
    """Simulate scenarios and show what comes out, with 95 % intervals.

    What is done is kept in a results folder: after an interruption the same command goes on from
    there, and when all is there it answers at once.
    """
    from sim import report

    if only is not None:
        others = {"--precision": precision, "--output": output, "--figures": figures}
        others |= {"--keep-log": keep_log, "--dry-run": dry_run}
        if named := ", ".join(option for option, value in others.items() if value):
            found = f"one replication alone is run without {named}"
            raise ScenarioError([Problem(Mark("hall run --only"), "", found)])
    loaded = _load(files, settings, reforms, until)
    if dry_run:
        most = replications if precision is None else max(replications, budget)
        _forecast(loaded, most, seed, metrics, None, output, engine, jobs)
        return
    experiment = _run(
        loaded,
        replications,
        seed,
        folder=None if only is not None else _folder(loaded, seed, output),
        precision=_precision(precision, budget),
        metrics=metrics or (),
        engine=engine.value,
        jobs=jobs,
        cluster=cluster,
        keep_log=keep_log or (),
        figures=figures,
        only=only,
        check=check,
    )
    _show(experiment, as_json, report.run_report)


@experiments.command(
    short_help="Compare scenarios with a reference.",
    epilog=examples(
        "hall compare scenarios/lanzhou-2015.yaml scenarios/lanzhou-2020.yaml",
        "hall compare scenarios/lanzhou-2015.yaml --with three-in-one,bank-filing",
        "hall compare scenarios/lanzhou-2015.yaml --until 2018-12-31 -r 30 -o results/2018",
        "hall compare my-reform.yaml scenarios/lanzhou-2015.yaml --reference lanzhou-2015",
    ),
)
def compare(
    files: Files,
    replications: Replications = 10,
    seed: Seed = 1,
    settings: Settings = None,
    reforms: With = None,
    until: Until = None,
    reference: Reference = None,
    metrics: Metrics = None,
    precision: Wanted = None,
    budget: Budget = 1000,
    output: Output = None,
    keep_log: KeepLog = None,
    as_json: Json = False,
    engine: Engine = EngineChoice.auto,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    check: Check = False,
    dry_run: DryRun = False,
) -> None:
    """Compare scenarios with the first one, or with the one that is named.

    Reforms (--with, --until) change all but the first; a single file under reforms is compared with
    itself as it is.

    All have the same luck; the intervals of the differences hold together.

    Published figures stand beside the simulated ones. Tables and figures are written into the
    results folder, which is kept as `hall run` keeps it.
    """
    from sim.comparison_report import compare_report

    is_reformed = bool(reforms) or until is not None
    if len(files) == 1 and is_reformed:
        files = files * 2
    if len(files) < 2:
        found = "two files or more are wanted, or one --with reforms; 'hall run' runs one"
        raise ScenarioError([Problem(Mark("hall compare"), "", found)])
    loaded = _load(files, settings, reforms, until, plain=1)
    if dry_run:
        most = replications if precision is None else max(replications, budget)
        _forecast(loaded, most, seed, metrics, reference, output, engine, jobs)
        return
    experiment = _run(
        loaded,
        replications,
        seed,
        folder=_folder(loaded, seed, output),
        precision=_precision(precision, budget),
        metrics=metrics or (),
        reference=reference,
        engine=engine.value,
        jobs=jobs,
        cluster=cluster,
        keep_log=keep_log or (),
        figures=True,
        check=check,
    )
    _show(experiment, as_json, compare_report)


Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Results folder.", show_default=False)
]


@experiments.command(
    short_help="Draw the figures of a results folder.",
    epilog=examples("hall plot results/tutorial-0a1b2c3d"),
)
def plot(folder: Folder) -> None:
    """Draw the figures of a results folder, once more or for the first time."""
    from sim.results import redraw

    for path in redraw(folder):
        terminal.write(f"{one_line(path)}\n")


@experiments.command(
    short_help="Check that a results folder is what it says.",
    epilog=examples(
        "hall verify results/tutorial-0a1b2c3d",
        "hall verify results/tutorial-0a1b2c3d --sample 20",
    ),
)
def verify(
    folder: Folder,
    sample: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many replications to do once more.")
    ] = 3,
) -> None:
    """Check every checksum of a results folder, and do some replications once more.

    Exit code 5 if a file or a replication is not what it was.
    """
    from sim import verifying

    with terminal.ProgressLine() as progress:
        findings = verifying.verify(folder, sample, progress)
    for line in findings.lines():
        terminal.write(f"{line}\n")
    for problem in findings.problems:
        terminal.say(problem)
    if findings.problems:
        raise typer.Exit(NOT_WRITTEN)


@experiments.command(
    short_help="Judge whether scenarios leave out enough of their beginning.",
    epilog=examples(
        "hall warm-up scenarios/tutorial.yaml",
        "hall warm-up scenarios/lanzhou-2015.yaml --plot warm-up.png",
        "hall warm-up scenarios/tutorial.yaml --set 'horizon.warm_up=20 working days'",
    ),
)
def warm_up(
    files: Files,
    replications: Replications = 20,
    seed: Seed = 1,
    settings: Settings = None,
    reforms: With = None,
    until: Until = None,
    plot: FigureFile = None,
) -> None:
    """Judge whether scenarios leave out enough of their beginning, when halls are still empty.

    MSER-5 judges the number of cases in progress day by day, from the first simulated day on;
    Welch's moving average shows it. Of a hall with a load of 1 or more, which is never steady, the
    growth of the backlog is told.
    """
    from sim.figures import check_figure_file, write_figure
    from sim.warm_up_report import warm_up_report
    from sim.warm_up_study import study_warm_up

    loaded = _load(files, settings, reforms, until)
    if plot is not None:
        check_figure_file(plot)
    with terminal.ProgressLine() as progress:
        studies = study_warm_up(loaded, replications, seed, progress=progress, say=terminal.say)
    if plot is not None:
        from sim.warm_up_plot import warm_up_figure

        write_figure(warm_up_figure(studies, f"Seed {seed}."), plot)
    terminal.show(warm_up_report(studies, seed))
    if plot is not None:
        terminal.write(f"figure: {one_line(plot)}\n")


# What commands share


def _load(
    files: Sequence[Path],
    settings: Sequence[str] | None,
    reforms: list[str] | None,
    until: str | None,
    plain: int = 0,
) -> dict[str, Loaded]:
    from sim.sources import load_all

    loaded = load_all(files, settings or (), names_in(reforms), until, plain)
    for document in loaded.values():
        warn(document)
    return loaded


def warn(loaded: Loaded) -> None:
    """What in a right scenario is most likely not meant."""
    from sim.check_report import load_warnings

    for warning in load_warnings(loaded):
        terminal.say(f"warning: {warning}")


def _folder(loaded: Mapping[str, Loaded], seed: int, output: Path | None) -> Path:
    from sim.definition import Definition
    from sim.results import default_folder

    return default_folder(Definition.of(loaded, seed)) if output is None else output


def _precision(wanted: float | None, budget: int) -> Precision | None:
    from sim import precision

    return None if wanted is None else precision.Precision(wanted, budget=budget)


def _forecast(
    loaded: Mapping[str, Loaded],
    replications: int,
    seed: int,
    metrics: Sequence[str] | None,
    reference: str | None,
    output: Path | None,
    engine: EngineChoice,
    jobs: int,
) -> None:
    """What `_run` would do, with what it would complain of."""
    from sim.chosen_metrics import choose
    from sim.comparison import reference_among
    from sim.forecast import forecast

    choose(metrics or (), loaded)
    reference_among(reference, loaded)
    folder = _folder(loaded, seed, output)
    lines = forecast(loaded, replications, seed, folder, engine.value, jobs, terminal.say)
    terminal.write("".join(f"{line}\n" for line in lines))


def _run(loaded: Mapping[str, Loaded], *arguments: Any, **options: Any) -> Experiment:
    from sim import running

    with terminal.ProgressLine() as progress:
        return running.run(loaded, *arguments, progress=progress, say=terminal.say, **options)


def _show(
    experiment: Experiment, as_json: bool, report_of: Callable[[Experiment], RenderableType]
) -> None:
    from sim import report

    show(
        as_json,
        lambda: report.as_json(experiment),
        lambda: report_of(experiment),
        experiment.folder,
        missing_of(experiment),
    )


def show(
    as_json: bool,
    data: Callable[[], object],
    report: Callable[[], RenderableType],
    folder: Path | None,
    missing: Iterable[str] = (),
) -> None:
    """Print what came out, as data or as a report, and say what is missing of it.

    Raises typer.Exit, with its exit code, if anything is.
    """
    if as_json:
        terminal.write_json(data())
    else:
        terminal.show(report())
        if folder is not None:
            terminal.write(f"results: {one_line(folder)}\n")
    is_complete = True
    for text in missing:
        terminal.say(text)
        is_complete = False
    if not is_complete:
        raise typer.Exit(INCOMPLETE)


def missing_of(experiment: Experiment) -> Iterator[str]:
    """Each replication that failed, with the command that repeats it."""
    from sim.results import command_to_repeat

    for one in experiment.missing:
        yield f"{one.text}; to repeat it: {command_to_repeat(experiment, one)}"
