"""Which figures an experiment has, from its tables, labels and promises; and figures as files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sim.durations import parse_time_of_day
from sim.errors import ResultsError
from sim.experiment import Experiment
from sim.files import write_whole
from sim.labels import Labels, limit, title
from sim.metric_definitions import METRICS, lead_time_limit
from sim.numbers import together_text
from sim.texts import one_line
from sim.timeline import MINUTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_figures(experiment: Experiment) -> Iterator[tuple[str, bytes]]:
    """Name and PNG of every figure, one at a time; the same bytes for the same experiment."""
    from sim import plot_style

    for name, figure in experiment_figures(experiment):
        yield name, plot_style.rendered(figure)


def write_figure(figure: Figure, path: Path) -> None:
    """Write one figure in the format that the ending of the file's name says.

    It takes the place of an earlier one when it is complete. Raises ResultsError.
    """
    from sim import plot_style

    try:
        write_whole(path, plot_style.rendered(figure, path.suffix[1:].lower()))
    except OSError as error:
        raise _cannot_be_written(path, error.strerror or error) from None


def check_figure_file(path: Path) -> None:
    """Raise ResultsError if no figure can be written there. Nothing stays behind."""
    if path.is_dir():
        raise ResultsError(f"{one_line(path)}: is a folder, not a file")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _cannot_be_written(path, error.strerror or error) from None


def _cannot_be_written(path: Path, reason: object) -> ResultsError:
    return ResultsError(f"{one_line(path)}: cannot write the figure: {reason}")


def experiment_figures(experiment: Experiment) -> Iterator[tuple[str, Figure]]:
    """Name and figure, one at a time; differences only if there are two scenarios or more."""
    from sim import plots

    labels = Labels.of(experiment.scenarios)
    names = labels.scenarios
    caption = f"Seed {experiment.seed}; the warm-up is not counted."
    limits = {
        (name, time): lead_time_limit(promise.within)
        for name, loaded in experiment.scenarios.items()
        for time, promise in loaded.scenario.whole.promises.items()
    }
    lead_times, half_hours = experiment.lead_times, _in_seconds(experiment.half_hours)
    yield (
        "lead_times",
        plots.lead_time_figure(lead_times, limits, labels.promises, caption, names),
    )
    yield "half_hours", plots.half_hour_figure(half_hours, labels.pools, caption, names)
    yield "queue_lengths", plots.queue_length_figure(half_hours, labels.pools, caption, names)
    yield "visits", plots.visits_figure(experiment.visits, labels.case_types, caption, names)
    if len(experiment.months):
        from sim.month_plot import month_figure

        yield "months", month_figure(experiment.months, experiment.scenarios, caption)
    if len(names) > 1:
        differences, left_out = headline_differences(experiment)
        count = int(experiment.headline_differences()["joint_low"].notna().sum())
        together = f", all of which {together_text(experiment.confidence, count)}" if count else ""
        interval = f"paired t interval{together}"
        if left_out:
            caption += f" Differences that are 0 in every replication: {left_out}, left out."
        yield "differences", plots.difference_figure(differences, {}, caption, names, interval)


def _in_seconds(half_hours: pd.DataFrame) -> pd.DataFrame:
    """The table as `plots` takes it."""
    return half_hours.assign(
        half_hour=[parse_time_of_day(text) for text in half_hours["half_hour"]],
        waiting_time_mean=half_hours["waiting_time_mean_min"] * MINUTE,
    )


def headline_differences(experiment: Experiment) -> tuple[pd.DataFrame, int]:
    """The differences that lead a report with their joint intervals, shares in points, labelled.

    Without those that are 0 in every replication of every scenario; and how many these are.
    """
    from sim.plots import POINTS

    found = experiment.headline_differences()
    found = found.assign(low=found["joint_low"], high=found["joint_high"])
    # An interval of no width is one of values that are all the same.
    is_same = (found["difference"] == 0) & (found[["low", "high"]].fillna(0) == 0).all(axis=1)
    is_same = is_same.groupby([found["metric"], found["subject"]]).transform("all")
    chosen = found[~is_same].copy()
    is_share = [METRICS[metric].is_share for metric in chosen["metric"]]
    for column in ("reference_mean", "scenario_mean", "difference", "low", "high"):
        chosen.loc[is_share, column] *= 100
    chosen.loc[is_share, "unit"] = POINTS
    labels = Labels.of(experiment.scenarios)
    chosen["label"] = [
        f"{title(metric)}{_limits(experiment, metric, subject)}: {labels.subject(metric, subject)}"
        for metric, subject in zip(chosen["metric"], chosen["subject"], strict=True)
    ]
    return chosen, len(found[is_same].groupby(["metric", "subject"]))


def _limits(experiment: Experiment, metric: str, subject: str) -> str:
    """What an on-time share is about, since each scenario has promises of its own."""
    scenarios = [loaded.scenario for loaded in experiment.scenarios.values()]
    found = {limit(scenario, metric, subject) for scenario in scenarios} - {""}
    if len(found) > 1:
        return " (own promise)"
    return "".join(f" ({text})" for text in found)
