"""An experiment: scenarios x replications, as tables.

One seed gives the same tables every time, whatever the engine and the number of workers.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sim import comparison
from sim.chosen_metrics import Choice, Key
from sim.critical_path import Split
from sim.loading import Loaded
from sim.output_analysis import CONFIDENCE
from sim.records import Record
from sim.store import Store
from sim.tables import Tables
from sim.texts import one_line

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Missing:
    """A replication that could not be done."""

    scenario: str
    number: int
    reason: str

    @property
    def text(self) -> str:
        """What happened, in one line."""
        return f"replication {self.number} of {one_line(self.scenario)} failed: {self.reason}"


@dataclass(frozen=True, eq=False)
class Experiment:
    """The tables of an experiment, one row a value, and the scenarios that were run."""

    scenarios: Mapping[str, Loaded]
    """By the name that they have in the tables."""
    seed: int
    replications: int
    metrics: pd.DataFrame
    """scenario, replication, metric, subject, unit, value (NaN: nothing to measure)."""
    # of the first replications, see `records.DETAILED`; empty if run without details
    lead_times: pd.DataFrame
    """scenario, replication, time (a promise), unit, lead_time, share finished within it."""
    half_hours: pd.DataFrame
    """scenario, replication, pool, half_hour (`08:30`), utilisation (0 to 1),
    waiting_time_mean_min, queue_length_mean (cases) and quantiles over days."""
    visits: pd.DataFrame
    """scenario, replication, case_type, visits, share of finished cases."""
    months: pd.DataFrame
    """scenario, replication, month (`2015-01`), metric, subject, value: of horizons of more than a
    year, lead times and visits of those who come in the month, and what there is at its end."""
    splits: Mapping[str, Mapping[int, tuple[Split, ...]]] = field(default_factory=dict)
    """By scenario and replication, what lead times add up to; empty unless it was asked for."""
    engine: str = "simpy"
    remarks: tuple[str, ...] = ()
    """What is to be said of how it was run, a line each."""
    missing: tuple[Missing, ...] = ()
    """Replications that failed: the tables are without them."""
    folder: Path | None = None
    """Where it is kept, if it is."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds of CPU time by stage, of what was run now."""
    confidence: float = CONFIDENCE
    reference: str = field(kw_only=True)
    """Name of the scenario that the others are compared with."""
    leading: Choice = field(default_factory=Choice)
    """Which metrics lead a report."""

    def __repr__(self) -> str:
        """A line, not all scenarios and tables."""
        names = ", ".join(self.scenarios)
        return f"<Experiment: {names}; {self.replications} replications, seed {self.seed}>"

    @functools.cached_property
    def estimates(self) -> pd.DataFrame:
        """scenario, metric, subject, unit, mean, low, high, replications (with a value)."""
        return comparison.estimates_table(self.metrics, self.confidence)

    @functools.cached_property
    def leading_keys(self) -> list[Key]:
        """Metric and subject of what leads a report, in the order of the tables."""
        return self.leading.keys(self.metrics, self.scenarios)

    def differences(self, reference: str | None = None) -> pd.DataFrame:
        """Paired differences from a scenario, `reference` unless named.

        Those that lead a report have intervals that hold together too, in the last columns.
        """
        if reference is None:
            return self._own_differences
        found = comparison.paired_differences(self.metrics, reference, self.confidence)
        return comparison.with_joint_intervals(found, self.leading_keys, self.confidence)

    @functools.cached_property
    def _own_differences(self) -> pd.DataFrame:
        return self.differences(self.reference)

    def headline_differences(self) -> pd.DataFrame:
        """The differences from `reference` that lead a report."""
        return comparison.headlines(self.differences(), self.leading_keys)

    def published(self) -> pd.DataFrame:
        """Published figures beside simulated ones."""
        return comparison.published_table(self.scenarios, self.metrics, self.confidence)


def tables_of(store: Store, scenarios: Mapping[str, Loaded], numbers: range) -> Tables:
    """What is kept of these replications: the first of every scenario before the second of any.

    Raises ResultsError for a record that is damaged.
    """
    tables = Tables()
    streams = [_of_scenario(store, name, numbers) for name in scenarios]
    for number, name, record in heapq.merge(*streams, key=lambda entry: entry[0]):
        tables.add(name, number, record)
    return tables


def _of_scenario(store: Store, name: str, numbers: range) -> Iterator[tuple[int, str, Record]]:
    for number, record in store.records(name, numbers):
        yield number, name, record
