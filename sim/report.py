"""What the command line shows: tables and lines of plain text, made of an experiment.

Every function gives something that a rich console prints. Text from files is never markup, and
control characters in it become U+FFFD. No number stands without its interval and the number of
replications, no time without the share of cases that were unfinished.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sim.labels import Labels, limit, one_line, title
from sim.loading import Loaded, provenance
from sim.metric_definitions import HALL, METRICS, Metric
from sim.offered_load import PoolLoad, offered_load
from sim.plan import horizon_dates
from sim.resolved import Provenance

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiment import Experiment

NEARLY_FULL: Final = 0.9
"""A load above this is marked."""
COUNTS: Final = ("arrivals", "finished", "in_progress", "lost")
KINDS: Final = ("stated", "derived", "calibrated", "assumed", None)
_SIGNS: Final = {"equals": "=", "at_least": ">=", "at_most": "<="}


# Reports


def run_report(experiment: Experiment) -> RenderableType:
    """Scenario by scenario: what was run, headline metrics, published figures, and counts."""
    return Group(*(_scenario_report(experiment, name) for name in experiment.scenarios))


def compare_report(experiment: Experiment) -> RenderableType:
    """The scenarios, published beside simulated figures, and differences from the first one."""
    names = list(experiment.scenarios)
    parts: list[RenderableType] = []
    for name in names:
        parts += [_header(experiment, name), _counts_table(experiment, name), Text()]
    published = _published_table(experiment, names)
    if published.row_count:
        parts += [Text("Published and simulated", "bold"), published, Text()]
    parts += [_differences_report(experiment, name) for name in names[1:]]
    return Group(*parts)


def check_report(loaded: Loaded) -> RenderableType:
    """Where a scenario's numbers are from, those without a statement, and the load of each pool."""
    rows = provenance(loaded)
    without = [row for row in rows if row.kind is None]
    counts = Counter(row.kind for row in rows)
    shares = [f"{counts[kind]} {kind or 'without a statement'}" for kind in KINDS]
    lines = [
        Text(f"{one_line(loaded.path)}: ok"),
        Text(f"  {len(rows)} numbers: {', '.join(shares)}"),
        *(Text(f"    {_statement(row)}") for row in without),
    ]
    return Group(*lines, _load_line(offered_load(loaded.scenario)))


def load_warnings(loaded: Loaded) -> list[str]:
    """One line for each pool that gets more work than it can do."""
    return [
        f"{one_line(loaded.path)}: pool '{load.pool}' has load {_load(load)}: "
        "its queue grows for as long as the hall is open"
        for load in offered_load(loaded.scenario)
        if load.load >= 1
    ]


def metrics_report() -> RenderableType:
    """Every metric: name, unit, what it is of, definition."""
    table = _table("metric", "unit", "of", "definition")
    for metric in METRICS.values():
        of = ", ".join(subject.replace("_", " ") for subject in metric.subjects)
        table.add_row(metric.name, metric.unit, of, metric.definition)
    return table


def as_json(experiment: Experiment, folder: Path | None = None) -> dict[str, Any]:
    """The same as plain data, in full precision; null where there is no number.

    folder  where the results were written, if they were.
    """
    names = list(experiment.scenarios)
    tables = {"estimates": experiment.estimates, "published": experiment.published()}
    if len(names) > 1:
        tables["differences"] = experiment.differences()
    return {
        "seed": experiment.seed,
        "replications": experiment.replications,
        "confidence": experiment.confidence,
        "results": None if folder is None else str(folder),
        "scenarios": [_scenario_data(experiment, name) for name in names],
        **{name: _records(table) for name, table in tables.items()},
    }


def _scenario_data(experiment: Experiment, name: str) -> dict[str, Any]:
    scenario = experiment.scenarios[name].scenario
    _, first, last = horizon_dates(scenario)
    return {
        "name": name,
        "label": scenario.label.text() if scenario.label else None,
        "from": str(first),
        "to": str(last),
        "load": {load.pool: _or_none(load.load) for load in offered_load(scenario)},
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.to_dict("records")
    return [{str(key): _or_none(value) for key, value in row.items()} for row in rows]


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# Pieces


def _scenario_report(experiment: Experiment, name: str) -> RenderableType:
    parts = [_header(experiment, name), _headline_table(experiment, name), Text()]
    published = _published_table(experiment, [name])
    if published.row_count:
        parts += [Text("Published and simulated", "bold"), published, Text()]
    return Group(*parts, _counts_table(experiment, name), Text())


def _header(experiment: Experiment, name: str) -> RenderableType:
    scenario = experiment.scenarios[name].scenario
    begins, first, last = horizon_dates(scenario)
    heading = Text(one_line(name), "bold")
    if scenario.label:
        heading.append(f"  {one_line(scenario.label.text())}", "not bold")
    warm_up = f", simulated from {begins}" if begins < first else ""
    runs = f"{_replications(experiment.replications)}, seed {experiment.seed}"
    return Group(
        heading,
        Text(f"  {first} to {last}{warm_up}; {runs}"),
        _load_line(offered_load(scenario)),
        Text(),
    )


def _load_line(loads: Sequence[PoolLoad]) -> RenderableType:
    texts = [f"{load.pool} {_load(load)}" for load in loads]
    marked = f"  (! above {NEARLY_FULL:g})" if any(t.endswith("!") for t in texts) else ""
    line = "load: " + ("  ".join(texts) + marked if texts else "no pools")
    return Padding(Text(line), (0, 0, 0, 2))


def _load(load: PoolLoad) -> str:
    return f"{load.load:.2f}{'!' if load.load > NEARLY_FULL else ''}"


def _headline_table(experiment: Experiment, name: str) -> Table:
    scenario = experiment.scenarios[name].scenario
    rows = _Rows.of(experiment.estimates, name)
    labels = Labels.of({name: experiment.scenarios[name]})
    table = _table("of", "metric", "^mean", "!95 % interval", "unit", "unfinished")
    last = ""
    for (metric, subject), row in rows.by_key.items():
        definition = METRICS[metric]
        if not definition.is_headline:
            continue
        of = one_line(labels.subject(metric, subject))
        number = _Number(definition, experiment.replications)
        table.add_row(
            "" if of == last else of,
            title(metric),
            number.mean(row.mean),
            number.interval(row),
            _unit(definition.unit, limit(scenario, metric, subject)),
            rows.unfinished(definition, subject),
        )
        last = of
    return table


def _counts_table(experiment: Experiment, name: str) -> Table:
    rows = _Rows.of(experiment.estimates, name)
    labels = Labels.of({name: experiment.scenarios[name]})
    table = _table("cases (mean)", "^arrivals", "^finished", "^in progress", "^lost")
    scenario = experiment.scenarios[name].scenario
    for subject in [*scenario.case_types, HALL]:
        means = (rows.by_key.get((metric, subject)) for metric in COUNTS)
        label = one_line(labels.case_types.get(subject, subject))
        table.add_row(label, *(f"{row.mean:,.1f}" if row else "-" for row in means))
    return table


def _published_table(experiment: Experiment, names: Sequence[str]) -> Table:
    """Published figures in the order of the files; what others simulate stands below each."""
    published = experiment.published()
    published = published[published["scenario"].isin(names)]
    labels = Labels.of(experiment.scenarios)
    table = _table("figure", "scenario", "^published", *_NUMBERS, "unit", "^distance", "verdict")
    rows = {name: _Rows.of(experiment.estimates, name) for name in names}
    scenarios = {name: loaded.scenario for name, loaded in experiment.scenarios.items()}
    entries: dict[tuple[str, str], list[Any]] = {}
    for entry in published.itertuples(index=False):
        entries.setdefault((str(entry.metric), str(entry.subject)), []).append(entry)
    for (metric, subject), found in entries.items():
        definition = METRICS[metric]
        number = _Number(definition, experiment.replications)
        text = f"{one_line(labels.subject(metric, subject))}: {title(metric)}"
        own = [one_line(entry.label) for entry in found if entry.label != entry.id]
        text = own[0] if own else text
        for name in names:
            row = rows[name].by_key.get((metric, subject))
            if row is None:
                continue
            mine = [entry for entry in found if entry.scenario == name] or [None]
            for entry in mine:
                table.add_row(
                    text,
                    one_line(name),
                    f"{_SIGNS[entry.relation]} {number.mean(entry.published)}" if entry else "-",
                    number.mean(row.mean),
                    number.interval(row),
                    _unit(definition.unit, limit(scenarios[name], metric, subject)),
                    number.signed(entry.distance) if entry else "",
                    entry.verdict if entry else "",
                )
                text = ""
    return table


def _differences_report(experiment: Experiment, name: str) -> RenderableType:
    differences = experiment.differences()
    labels = Labels.of(experiment.scenarios)
    reference = next(iter(experiment.scenarios))
    unfinished = [_Rows.of(experiment.estimates, n) for n in (reference, name)]
    scenarios = [experiment.scenarios[n].scenario for n in (reference, name)]
    table = _table(
        "of", "metric", "^before", "^after", "^difference", "95 % interval", "unit", "^gain",
        "unfinished",
    )  # fmt: skip
    last = ""
    rows: Iterable[Any] = differences[differences["scenario"] == name].itertuples(index=False)
    for row in rows:
        metric = METRICS[row.metric]
        if not metric.is_headline:
            continue
        number = _Number(metric, experiment.replications)
        of = one_line(labels.subject(metric.name, row.subject))
        limits = [limit(scenario, metric.name, row.subject) for scenario in scenarios]
        shares = [estimates.unfinished(metric, row.subject) for estimates in unfinished]
        table.add_row(
            "" if of == last else of,
            title(metric.name),
            number.mean(row.reference_mean),
            number.mean(row.scenario_mean),
            number.signed(row.difference),
            number.interval(_Interval(row.difference, row.low, row.high, row.replications), True),
            _unit("points" if metric.is_share else metric.unit, " -> ".join(dict.fromkeys(limits))),
            _gain(row.gain_from_pairing),
            " -> ".join(shares) if any(shares) else "",
        )
        last = of
    heading = f"{one_line(name)} (after) minus {one_line(reference)} (before)"
    runs = f"  {_replications(experiment.replications)} in pairs that share their random numbers"
    gain = "  gain: how many times the replications it would take without sharing them"
    return Group(Text(heading, "bold"), Text(runs), Text(gain), table, Text())


# Numbers


_NUMBERS: Final = ("^mean", "95 % interval")


@dataclass(frozen=True)
class _Interval:
    """A mean, its interval, and in how many replications there was a value."""

    mean: float
    low: float
    high: float
    replications: int


@dataclass(frozen=True)
class _Rows:
    """The estimates of one scenario."""

    by_key: Mapping[tuple[str, str], _Interval]

    @classmethod
    def of(cls, estimates: pd.DataFrame, name: str) -> _Rows:
        mine = estimates[estimates["scenario"] == name]
        keys = zip(mine["metric"], mine["subject"], strict=True)
        values = mine[["mean", "low", "high", "replications"]].itertuples(index=False, name=None)
        return cls({key: _Interval(*row) for key, row in zip(keys, values, strict=True)})

    def unfinished(self, metric: Metric, subject: str) -> str:
        """The share of cases without an end, if this metric is a time to an end."""
        row = self.by_key.get(("unfinished_share", subject))
        if metric.subjects != ("promise",) or row is None:
            return ""
        return "-" if math.isnan(row.mean) else f"{100 * row.mean:.1f} %"


@dataclass(frozen=True)
class _Number:
    """How the values of a metric are written: shares in per cent, others with three figures."""

    metric: Metric
    replications: int

    def mean(self, value: float) -> str:
        return self._text(value, value)

    def signed(self, value: float) -> str:
        text = self._text(value, value)
        return f"+{text}" if value > 0 and text.strip("0.") else text

    def interval(self, row: _Interval, signed: bool = False) -> str:
        if row.replications == 0:
            return "no value in any replication"
        if row.replications == 1:
            found = f"not estimable ({_replications(1)})"
        else:
            # As many decimals as the mean has.
            ends = (self._text(end, row.mean) for end in (row.low, row.high))
            found = f"[{', '.join(ends)}]"
        some = f" ({row.replications} of {self.replications})"
        return found + some if row.replications < self.replications else found

    def _text(self, value: float, like: float) -> str:
        if math.isnan(value):
            return "-"
        scale = 100 if self.metric.is_share else 1
        value, like = scale * value, abs(scale * like)
        decimals = sum(like < step for step in (100, 10, 0.1)) if like else 2
        if self.metric.is_share:
            decimals = 1
        text = f"{value:,.{decimals}f}"
        return text.removeprefix("-") if not text.strip("-0.") else text


def _unit(unit: str, promised: str) -> str:
    return f"{unit} ({promised})" if promised else unit


def _gain(gain: float) -> str:
    if math.isnan(gain):
        return "-"
    return f"{gain:,.1f}x" if gain < 1000 else "> 1000x"


def _replications(count: int) -> str:
    return f"{count} replication{'s' * (count != 1)}"


def _statement(row: Provenance) -> str:
    return f"{one_line(row.mark)}: {one_line(row.path)}: {one_line(row.value)}"


def _table(*columns: str) -> Table:
    """A table without lines but one below its head.

    Columns of `^` names are set to the right; those and columns of `!` names never wrap.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        side: Literal["left", "right"] = "right" if column.startswith("^") else "left"
        name = column.lstrip("^!")
        table.add_column(name, justify=side, no_wrap=name != column, overflow="fold")
    return table
