"""The tables of an experiment, filled replication by replication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.comparison import unit_of
from sim.durations import format_time_of_day
from sim.timeline import MINUTE

if TYPE_CHECKING:
    import pandas as pd

    from sim.metrics import Measures

METRIC_COLUMNS: Final = ["scenario", "replication", "metric", "subject", "unit", "value"]
TEXTS: Final = ("scenario", "metric", "subject", "unit")
LEAD_TIME_COLUMNS: Final = ["scenario", "replication", "time", "unit", "lead_time", "share"]
HALF_HOUR_COLUMNS: Final = [
    *("scenario", "replication", "pool", "half_hour", "utilisation", "waiting_time_mean_min"),
    *(f"queue_length_{name}" for name in ("mean", "p10", "p25", "p50", "p75", "p90")),
]
VISIT_COLUMNS: Final = ["scenario", "replication", "case_type", "visits", "share"]
DETAILED: Final = 100
"""Replications of which distributions are kept: more would change no figure, and take memory."""


@dataclass(frozen=True, eq=False)
class Tables:
    """Values as they come in, of metrics without the names that each replication repeats."""

    keys: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Metric and subject of each value, by scenario."""
    values: list[tuple[str, int, np.ndarray]] = field(default_factory=list)
    """Scenario, replication, and its values."""
    lead_times: list[tuple[object, ...]] = field(default_factory=list)
    half_hours: list[tuple[object, ...]] = field(default_factory=list)
    visits: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, scenario: str, replication: int, measures: Measures) -> None:
        """Add the measures of a replication, which has the same metrics as the others."""
        values = measures.values  # noqa: PD011 (no pandas)
        keys = self.keys.setdefault(scenario, list(values))
        self.values.append((scenario, replication, np.array([values[key] for key in keys])))
        if replication >= DETAILED:
            return
        for rows, columns, table in (
            (self.lead_times, LEAD_TIME_COLUMNS, measures.lead_times),
            (self.half_hours, HALF_HOUR_COLUMNS, _readable(measures.half_hours)),
            (self.visits, VISIT_COLUMNS, measures.visits),
        ):
            # A hall without pools has a table without columns.
            parts = [table.get(column, []) for column in columns[2:]]
            rows += [(scenario, replication, *row) for row in zip(*parts, strict=True)]

    def frames(self) -> dict[str, Any]:
        """The tables of an `Experiment`, in pandas."""
        import pandas as pd

        return {
            "metrics": self._metrics(),
            "lead_times": pd.DataFrame(self.lead_times, columns=LEAD_TIME_COLUMNS),
            "half_hours": pd.DataFrame(self.half_hours, columns=HALF_HOUR_COLUMNS),
            "visits": pd.DataFrame(self.visits, columns=VISIT_COLUMNS),
        }

    def _metrics(self) -> Any:
        import pandas as pd

        # Numbers for names: a thousand replications would repeat them a million times.
        lengths = [len(values) for _, _, values in self.values]
        columns: dict[str, Any] = {
            "scenario": _numbered([name for name, _, _ in self.values], lengths),
            "replication": np.repeat([number for _, number, _ in self.values], lengths),
        }
        keys = [(name, *key) for name in self.keys for key in self.keys[name]]
        first = dict(zip(self.keys, np.cumsum([0, *map(len, self.keys.values())]), strict=False))
        which = np.concatenate([first[n] + np.arange(len(values)) for n, _, values in self.values])
        names = [(metric, subject, unit_of(metric)) for _, metric, subject in keys]
        for column, texts in zip(
            ("metric", "subject", "unit"), zip(*names, strict=True), strict=True
        ):
            columns[column] = _numbered(texts, 1)[which]
        columns["value"] = np.concatenate([values for _, _, values in self.values])
        return pd.DataFrame(columns, columns=METRIC_COLUMNS)


def _numbered(texts: Sequence[str], repeats: Any) -> Any:
    """The texts, each so often, as a pandas Categorical whose categories are in their order."""
    import pandas as pd

    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    codes = np.array([numbers[text] for text in texts], np.min_scalar_type(-len(numbers)))
    categories: Any = list(numbers)
    return pd.Categorical.from_codes(np.repeat(codes, repeats), categories)


def numbered(metrics: pd.DataFrame) -> pd.DataFrame:
    """A table of metrics with its texts as categories, as `Tables` gives it."""
    return metrics.assign(**{column: _numbered(list(metrics[column]), 1) for column in TEXTS})


def _readable(half_hours: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The table with times of day as text, and waiting in minutes."""
    if not half_hours:
        return {}
    return {
        **half_hours,
        "half_hour": [format_time_of_day(seconds) for seconds in half_hours["half_hour"]],
        "waiting_time_mean_min": [w / MINUTE for w in half_hours["waiting_time_mean"]],
    }
