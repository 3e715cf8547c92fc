"""Scenarios against each other, and against what was published: tables in, tables out.

Replication n of every scenario shares its luck (common random numbers), so differences are taken
replication by replication: the interval is that of the differences, not of two separate means.

Shares are 0 to 1 in every table, as their unit `share` says.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.loading import Loaded
from sim.metric_definitions import HALL, METRICS
from sim.output_analysis import CONFIDENCE, Estimate, estimate
from sim.scenario import Published
from sim.tree import find

if TYPE_CHECKING:
    import pandas as pd

SHARE_UNIT: Final = "share"
"""In the place of `%`, which would say that 0.9 is less than one per cent."""
KEY: Final = ["metric", "subject", "unit"]
ESTIMATES: Final = ["scenario", *KEY, "mean", "low", "high", "replications"]
DIFFERENCES: Final = [
    *KEY,
    "reference",
    "scenario",
    "reference_mean",
    "scenario_mean",
    "difference",
    "low",
    "high",
    "replications",
    "gain_from_pairing",
]
PUBLISHED: Final = [
    "scenario",
    "id",
    "label",
    *KEY,
    "relation",
    "published",
    "tolerance",
    "simulated",
    "low",
    "high",
    "replications",
    "distance",
    "verdict",
    "source",
]


def unit_of(metric: str) -> str:
    """The unit of a metric's values in the tables."""
    definition = METRICS[metric]
    return SHARE_UNIT if definition.is_share else definition.unit


def estimates_table(metrics: pd.DataFrame, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Mean and interval of each metric: columns `ESTIMATES`.

    metrics  scenario, replication, metric, subject, unit, value.
    """
    import pandas as pd

    rows = []
    for key, values in metrics.groupby(["scenario", *KEY], sort=False, observed=True)["value"]:
        found = estimate(values.to_numpy(), confidence)
        rows.append((*key, found.mean, found.low, found.high, found.num_replications))
    return pd.DataFrame(rows, columns=ESTIMATES)


def paired_differences(
    metrics: pd.DataFrame, reference: str, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Every other scenario minus the reference, for what both have: columns `DIFFERENCES`.

    metrics  scenario, replication, metric, subject, unit, value.

    Means are over the replications in which both have a value. `gain_from_pairing` is how many
    times as many replications would give the same interval without common random numbers:
    infinite if the difference is the same in each, NaN if nothing varies or there is one pair.

    Raises ValueError if there is no scenario of that name.
    """
    import pandas as pd

    wide = {
        str(name): part.pivot(index=KEY, columns="replication", values="value")  # noqa: PD010
        for name, part in metrics.groupby("scenario", sort=False, observed=True)
    }
    if reference not in wide:
        raise ValueError(f"no scenario {reference!r}; scenarios: {', '.join(wide)}")
    order = metrics.loc[metrics["scenario"] == reference, KEY].drop_duplicates()
    keys = list(order.itertuples(index=False, name=None))
    rows = []
    for name, other in wide.items():
        if name == reference:
            continue
        replications = wide[reference].columns.intersection(other.columns)
        before = wide[reference][replications]
        after = other[replications]
        known = set(after.index)
        for key in keys:
            if key in known:
                x, y = before.loc[key].to_numpy(), after.loc[key].to_numpy()
                rows.append((*key, reference, name, *_difference(x, y, confidence)))
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _difference(
    before: np.ndarray, after: np.ndarray, confidence: float
) -> tuple[float, float, float, float, float, int, float]:
    both = np.isfinite(before) & np.isfinite(after)
    before, after = before[both], after[both]
    found = estimate(after - before, confidence)
    means = (estimate(before).mean, estimate(after).mean)
    gain = math.nan
    if found.is_estimable:
        unpaired = before.var(ddof=1) + after.var(ddof=1)
        paired = (after - before).var(ddof=1) if found.half_width else 0.0
        if paired:
            gain = float(unpaired / paired)
        elif unpaired:
            gain = math.inf
    return *means, found.mean, found.low, found.high, found.num_replications, gain


def promised_case_types(scenarios: Mapping[str, Loaded]) -> set[str]:
    """The case types that a promise of any of these scenarios names."""
    promises = [p for loaded in scenarios.values() for p in loaded.scenario.promises.values()]
    return {name for promise in promises for name in promise.case_types}


def headlines(differences: pd.DataFrame, case_types: Collection[str]) -> pd.DataFrame:
    """The rows that lead a report: of case types, only these; and the hall."""
    is_headline = [
        METRICS[metric].is_headline
        and ("case_type" not in METRICS[metric].subjects or subject in (HALL, *case_types))
        for metric, subject in zip(differences["metric"], differences["subject"], strict=True)
    ]
    return differences[is_headline]


def published_table(
    scenarios: Mapping[str, Loaded], metrics: pd.DataFrame, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Every published figure beside the simulated one: columns `PUBLISHED`.

    scenarios  by the name that they have in the tables.
    metrics    scenario, replication, metric, subject, unit, value.

    distance  simulated minus published, in the metric's unit.
    verdict   `met`, `within tolerance`, `missed by ...`, or `no value` (in some replications); that
              of the mean, however wide its interval.
    source    what the scenario file says about where the figure is from.
    """
    import pandas as pd

    wanted = {
        (name, figure.metric, figure.subject)
        for name, loaded in scenarios.items()
        for figure in loaded.scenario.published.values()
    }
    simulated = {
        key: (estimate(values.to_numpy(), confidence), len(values))
        for key, values in metrics.groupby(
            ["scenario", "metric", "subject"], sort=False, observed=True
        )["value"]
        if key in wanted
    }
    rows = []
    for name, loaded in scenarios.items():
        for figure_id, figure in loaded.scenario.published.items():
            key = (name, figure.metric, figure.subject)
            found = simulated.get(key) or (estimate([]), 0)
            rows.append((name, figure_id, *_published_row(loaded, figure_id, figure, *found)))
    return pd.DataFrame(rows, columns=PUBLISHED)


def _published_row(
    loaded: Loaded, figure_id: str, figure: Published, found: Estimate, replications: int
) -> Iterator[object]:
    relation = next(r for r in ("equals", "at_least", "at_most") if getattr(figure, r) is not None)
    published: float = getattr(figure, relation)
    node = find(loaded.tree, ["published", figure_id, relation])
    yield figure.label.text() if figure.label else figure_id
    yield from (figure.metric, figure.subject, unit_of(figure.metric), relation, published)
    yield figure.tolerance
    yield from (found.mean, found.low, found.high, found.num_replications)
    yield found.mean - published
    missing = replications - found.num_replications
    if missing and found.num_replications:
        # A time without a value was not reached within the horizon: it is no small one.
        yield f"no value in {missing} of {replications} replications"
    else:
        yield verdict(found.mean, relation, published, figure.tolerance, unit_of(figure.metric))
    yield (node.source if node is not None else None) or ""


def verdict(simulated: float, relation: str, published: float, tolerance: float, unit: str) -> str:
    """What a simulated figure is to the published one."""
    if math.isnan(simulated):
        return "no value"
    distance = simulated - published
    missing = {"equals": abs(distance), "at_least": -distance, "at_most": distance}[relation]
    # Means of shares round in the last place.
    if missing <= 1e-9 * max(1.0, abs(published)):
        return "met"
    if missing <= tolerance * (1 + 1e-9):
        return "within tolerance"
    if unit == SHARE_UNIT:
        return f"missed by {100 * missing:.3g} percentage points"
    return f"missed by {missing:.3g} {unit}"
