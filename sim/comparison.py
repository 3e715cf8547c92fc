"""Scenarios against each other, and against what was published: tables in, tables out.

Replication n of every scenario shares its luck (common random numbers), so differences are taken
replication by replication: the interval is that of the differences, not of two separate means.

Means, quantiles and shares of cases have Student-t intervals over replications; the share of
replications that keep a published figure has Wilson's. An interval by itself misses in one of 20
cases; those of the differences that lead a report hold together (Bonferroni).

Shares are 0 to 1 in every table, as their unit `share` says.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.chosen_metrics import Key
from sim.errors import Mark, Problem, ScenarioError
from sim.loading import Loaded
from sim.metric_definitions import METRICS
from sim.name_checks import among
from sim.output_analysis import CONFIDENCE, Estimate, estimate, wilson_interval
from sim.promises import Published
from sim.tree import find, shown

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
    "needed",
]
JOINT: Final = ["joint_low", "joint_high", "joint_needed"]
KEPT: Final = ("met", "within tolerance")
"""Verdicts on a figure that is kept."""
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
    "kept",
    "kept_low",
    "kept_high",
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
    `needed` is about how many replications it would take until the interval leaves 0 out, from the
    variance that was seen (`Estimate.needed`): NaN where it does already.

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
        known = set(other.index)
        shared = [key for key in keys if key in known]
        before = wide[reference].loc[shared, replications].to_numpy()
        after = other.loc[shared, replications].to_numpy()
        for key, x, y in zip(shared, before, after, strict=True):
            rows.append((*key, reference, name, *_difference(x, y, confidence)))
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _difference(
    before: np.ndarray, after: np.ndarray, confidence: float
) -> tuple[float, float, float, float, float, int, float, float]:
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
    return *means, *_ends(found), found.num_replications, gain, found.needed()


def _ends(found: Estimate) -> tuple[float, float, float]:
    return found.mean, found.low, found.high


def with_joint_intervals(
    differences: pd.DataFrame, keys: Collection[Key], confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """The differences with columns `JOINT`: intervals of what leads that hold all together.

    differences  columns `DIFFERENCES`, with intervals at this confidence.
    keys         metric and subject of what leads.

    Bonferroni: of the m differences that lead, in all scenarios, and have an interval, each gets
    that of confidence 1 - (1 - confidence) / m. With the probability `confidence` or more no
    interval misses, however they depend on each other. `joint_needed` is `needed` at that
    confidence. NaN in all other rows.

    Source: Law, Simulation Modeling and Analysis, section on comparing more than two systems.
    """
    leads = _lead(differences, keys) & differences["low"].notna().to_numpy()
    each = 1 - (1 - confidence) / max(1, int(leads.sum()))
    half_widths = (differences["high"] - differences["low"]) / 2
    joint = np.full((len(differences), len(JOINT)), np.nan)
    own = zip(differences["difference"], half_widths, differences["replications"], strict=True)
    for i, (mean, half_width, count) in enumerate(own):
        if leads[i]:
            found = Estimate(mean, half_width, count, confidence).at(each)
            joint[i] = (found.low, found.high, found.needed())
    return differences.assign(**dict(zip(JOINT, joint.T, strict=True)))


def headlines(differences: pd.DataFrame, keys: Collection[Key]) -> pd.DataFrame:
    """The rows that lead a report: those of these metrics and subjects."""
    return differences[_lead(differences, keys)]


def _lead(differences: pd.DataFrame, keys: Collection[Key]) -> np.ndarray:
    wanted = set(keys)
    pairs = zip(differences["metric"], differences["subject"], strict=True)
    return np.array([pair in wanted for pair in pairs], dtype=bool)


def reference_among(name: str | None, names: Collection[str]) -> str:
    """The scenario that the others are compared with: the first one, unless one is named.

    Raises ScenarioError if there is none of that name.
    """
    if name is None:
        return next(iter(names))
    if name not in names:
        message = f"no scenario '{shown(name)}'.{among('scenario', name, names)}"
        raise ScenarioError([Problem(Mark(f"--reference {shown(name)}"), "", message)])
    return name


def published_table(
    scenarios: Mapping[str, Loaded], metrics: pd.DataFrame, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Every published figure beside the simulated one: columns `PUBLISHED`.

    scenarios  by the name that they have in the tables.
    metrics    scenario, replication, metric, subject, unit, value.

    distance  simulated minus published, in the metric's unit.
    verdict   `met`, `within tolerance`, `missed by ...`, or `no value` (in some replications); that
              of the mean, however wide its interval.
    kept      number of replications, of those with a value, whose own value meets the figure or is
              within tolerance; kept_low and kept_high are the ends of Wilson's interval for their
              share (NaN if no replication has a value).
    source    what the scenario file says about where the figure is from.
    """
    import pandas as pd

    wanted = {
        (name, figure.metric, figure.subject)
        for name, loaded in scenarios.items()
        for figure in loaded.scenario.whole.published.values()
    }
    simulated = {
        key: values.to_numpy()
        for key, values in metrics.groupby(
            ["scenario", "metric", "subject"], sort=False, observed=True
        )["value"]
        if key in wanted
    }
    rows = []
    for name, loaded in scenarios.items():
        for figure_id, figure in loaded.scenario.whole.published.items():
            key = (name, figure.metric, figure.subject)
            values = simulated.get(key, np.empty(0))
            row = _published_row(loaded, figure_id, figure, values, confidence)
            rows.append((name, figure_id, *row))
    return pd.DataFrame(rows, columns=PUBLISHED)


def _published_row(
    loaded: Loaded, figure_id: str, figure: Published, values: np.ndarray, confidence: float
) -> Iterator[object]:
    found = estimate(values, confidence)
    relation = next(r for r in ("equals", "at_least", "at_most") if getattr(figure, r) is not None)
    published: float = getattr(figure, relation)
    node = find(loaded.tree, ["published", figure_id, relation])
    yield figure.label.text() if figure.label else figure_id
    yield from (figure.metric, figure.subject, unit_of(figure.metric), relation, published)
    yield figure.tolerance
    yield from (*_ends(found), found.num_replications)
    yield found.mean - published

    def told(value: float) -> str:
        return verdict(value, relation, published, figure.tolerance, unit_of(figure.metric))

    missing = len(values) - found.num_replications
    if missing and found.num_replications:
        # A time without a value was not reached within the horizon: it is no small one.
        yield f"no value in {missing} of {len(values)} replications"
    else:
        yield told(found.mean)
    kept = sum(told(value) in KEPT for value in values[np.isfinite(values)])
    yield kept
    if found.num_replications:
        yield from wilson_interval(kept, found.num_replications, confidence)
    else:
        yield from (math.nan, math.nan)
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
