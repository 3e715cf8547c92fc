"""Which figures an experiment has: its tables, labels and promises, handed to `plots`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment import Experiment
from sim.labels import Labels, limit, one_line, title
from sim.metric_definitions import METRICS
from sim.timeline import Clock

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_figures(experiment: Experiment, folder: Path) -> list[Path]:
    """Draw every figure as PNG into a folder that is there; gives their paths.

    Each takes the place of an earlier one when it is complete. Raises OSError.
    """
    from sim import plots

    paths = []
    for name, figure in experiment_figures(experiment):
        path = folder / f"{name}.png"
        new = folder / f".{name}-{secrets.token_hex(4)}.tmp"
        try:
            plots.save_figure(figure, new)
            new.replace(path)
        finally:
            with suppress(OSError):
                new.unlink()
        paths.append(path)
    return paths


def experiment_figures(experiment: Experiment) -> Iterator[tuple[str, Figure]]:
    """Name and figure, one at a time; differences only if there are two scenarios or more."""
    from sim import plots

    names = list(experiment.scenarios)
    labels = Labels.of(experiment.scenarios)
    caption = f"Seed {experiment.seed}; the warm-up is not counted."
    limits = {
        (name, promise_name): promise.within.amount
        for name, loaded in experiment.scenarios.items()
        for promise_name, promise in loaded.scenario.promises.items()
        if promise.within.clock is Clock.WORKING_DAYS
    }
    times = labels.scenarios | labels.promises
    yield (
        "lead_times",
        plots.lead_time_figure(experiment.lead_times, limits, times, caption, names),
    )
    pools = labels.scenarios | labels.pools
    yield "half_hours", plots.half_hour_figure(experiment.half_hours, pools, caption, names)
    yield "queue_lengths", plots.queue_length_figure(experiment.half_hours, pools, caption, names)
    case_types = labels.scenarios | labels.case_types
    yield "visits", plots.visits_figure(experiment.visits, case_types, caption, names)
    if len(names) > 1:
        differences = headline_differences(experiment)
        interval = f"{experiment.confidence:.0%} confidence interval".replace("%", " %")
        yield (
            "differences",
            plots.difference_figure(differences, labels.scenarios, caption, names, interval),
        )


def headline_differences(experiment: Experiment) -> pd.DataFrame:
    """The differences of the metrics that lead a report, shares in points, with row labels."""
    differences = experiment.differences()
    labels = Labels.of(experiment.scenarios)
    chosen = differences[[METRICS[metric].is_headline for metric in differences["metric"]]].copy()
    is_share = [METRICS[metric].is_share for metric in chosen["metric"]]
    for column in ("reference_mean", "scenario_mean", "difference", "low", "high"):
        chosen.loc[is_share, column] *= 100
    chosen.loc[is_share, "unit"] = "percentage points"
    chosen["label"] = [
        f"{title(metric)}{_limits(experiment, metric, subject)}: "
        f"{one_line(labels.subject(metric, subject))}"
        for metric, subject in zip(chosen["metric"], chosen["subject"], strict=True)
    ]
    return chosen


def _limits(experiment: Experiment, metric: str, subject: str) -> str:
    """What an on-time share is about, since each scenario has promises of its own."""
    scenarios = [loaded.scenario for loaded in experiment.scenarios.values()]
    found = {limit(scenario, metric, subject) for scenario in scenarios} - {""}
    if len(found) > 1:
        return " (each its own promise)"
    return "".join(f" ({text})" for text in found)
