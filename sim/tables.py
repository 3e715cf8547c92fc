"""The tables of an experiment, filled replication by replication."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.comparison import unit_of
from sim.durations import format_time_of_day
from sim.records import Record, read
from sim.timeline import MINUTE

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLUMNS: Final = ["scenario", "replication", "metric", "subject", "unit", "value"]
TEXTS: Final = ("scenario", "metric", "subject", "unit")
LEAD_TIME_COLUMNS: Final = ["scenario", "replication", "time", "unit", "lead_time", "share"]
HALF_HOUR_COLUMNS: Final = [
    *("scenario", "replication", "pool", "half_hour", "utilisation", "waiting_time_mean_min"),
    *(f"queue_length_{name}" for name in ("mean", "p10", "p25", "p50", "p75", "p90")),
]
VISIT_COLUMNS: Final = ["scenario", "replication", "case_type", "visits", "share"]
MONTH_COLUMNS: Final = ["scenario", "replication", "month", "metric", "subject", "value"]


@dataclass(frozen=True, eq=False)
class Tables:
    """Values as they come in, of metrics without the names that each replication repeats."""

    keys: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Metric and subject of each value, by scenario."""
    values: list[tuple[str, int, np.ndarray]] = field(default_factory=list)
    """Scenario, replication, and its values."""
    details: list[tuple[str, int, Mapping[str, Any]]] = field(default_factory=list)
    """Scenario, early replication, and its distributions by the name of their table."""

    def add(self, scenario: str, replication: int, record: Record) -> None:
        """Add what is kept of a replication, which has the same metrics as the others."""
        keys, data = read(record)
        self.keys.setdefault(scenario, keys)
        self.values.append((scenario, replication, np.array(data.pop("values"))))
        if data:
            self.details.append((scenario, replication, data))

    def frames(self) -> dict[str, Any]:
        """The tables of an `Experiment`, in pandas."""
        return {
            "metrics": self._metrics(),
            "lead_times": self._details("lead_times", LEAD_TIME_COLUMNS),
            "half_hours": self._details("half_hours", HALF_HOUR_COLUMNS),
            "visits": self._details("visits", VISIT_COLUMNS),
            "months": self._details("months", MONTH_COLUMNS),
        }

    def _details(self, name: str, columns: Sequence[str]) -> Any:
        import pandas as pd

        tables = [data[name] for _, _, data in self.details]
        if name == "half_hours":
            tables = [_readable(table) for table in tables]
        # A hall without pools has a table without columns.
        lengths = np.array([len(table.get(columns[-1], ())) for table in tables], dtype=np.int64)
        table: dict[str, Any] = {
            "scenario": np.repeat([scenario for scenario, _, _ in self.details], lengths),
            "replication": np.repeat([number for _, number, _ in self.details], lengths),
        }
        for column in columns[2:]:
            table[column] = [*itertools.chain.from_iterable(t.get(column, ()) for t in tables)]
        return pd.DataFrame(table, columns=list(columns))

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


def _readable(half_hours: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    """The table with times of day as text, and waiting in minutes."""
    if not half_hours:
        return half_hours
    return {
        **half_hours,
        "half_hour": [_time_of_day(seconds) for seconds in half_hours["half_hour"]],
        "waiting_time_mean_min": [w / MINUTE for w in half_hours["waiting_time_mean"]],
    }


_time_of_day = functools.cache(format_time_of_day)
