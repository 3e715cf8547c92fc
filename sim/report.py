"""What the command line shows: tables and lines of plain text, made of an experiment.

Every function gives something that a rich console prints. Text from files is never markup, and
control characters in it become U+FFFD. No number stands without its interval and the number of
replications, no time without the share of cases that were unfinished.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sim.check_report import load_line
from sim.comparison import promised_case_types
from sim.labels import Labels, limit, statistic, title
from sim.metric_definitions import HALL, METRICS, Metric
from sim.numbers import Interval, Number, replications_text
from sim.offered_load import offered_load
from sim.planning import horizon_dates
from sim.scenario import Scenario
from sim.texts import one_line

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiment import Experiment

SENT_AWAY: Final = ("turned_away", "reneged")
"""Metrics that are shown where there are some."""
COUNTS: Final = ("arrivals", "finished", "in_progress", "lost")
_RELATIONS: Final = {"equals": "", "at_least": "at least ", "at_most": "at most "}


# Reports


def run_report(experiment: Experiment) -> RenderableType:
    """Scenario by scenario: what was run, published figures, headline metrics, and counts."""
    parts: list[RenderableType] = []
    for name, loaded in experiment.scenarios.items():
        case_types = [*loaded.scenario.case_types, HALL]
        parts += [_header(experiment, name), Text(), *_published_report(experiment, [name])]
        parts += [_headline_table(experiment, name), *_unfinished_note(experiment, [name]), Text()]
        parts += [_counts_table(experiment, [name], case_types), Text()]
    return Group(*parts, *_engine_note(experiment))


def compare_report(experiment: Experiment) -> RenderableType:
    """Published beside simulated figures, differences from the first one, and what was run."""
    names = list(experiment.scenarios)
    parts: list[RenderableType] = [*_published_report(experiment, names)]
    for name in names[1:]:
        parts += [_differences_report(experiment, name), Text()]
    for name in names:
        parts += [_header(experiment, name), Text()]
    scenarios = [experiment.scenarios[name].scenario for name in names]
    if any(_days(scenario) != _days(scenarios[0]) for scenario in scenarios):
        remark = "Horizons or calendars differ: the days that are compared are not the same days."
        parts += [Text(remark), Text()]
    promised = promised_case_types(experiment.scenarios)
    case_types = [name for name in Labels.of(experiment.scenarios).case_types if name in promised]
    parts += [_counts_table(experiment, names, [*case_types, HALL]), Text()]
    return Group(*parts, *_engine_note(experiment))


def metrics_report() -> RenderableType:
    """Every metric: name, unit, what it is of, definition."""
    table = plain_table("metric", "unit", "of", "definition")
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
        "engine": experiment.engine,
        "remark": experiment.remark or None,
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


def _header(experiment: Experiment, name: str) -> RenderableType:
    scenario = experiment.scenarios[name].scenario
    begins, first, last = horizon_dates(scenario)
    heading = Text(one_line(name), "bold")
    if scenario.label:
        heading.append(f"  {one_line(scenario.label.text())}", "not bold")
    warm_up = f", simulated from {begins}" if begins < first else ""
    runs = f"{replications_text(experiment.replications)}, seed {experiment.seed}"
    return Group(
        heading,
        Text(f"  {first} to {last}{warm_up}; {runs}"),
        Padding(Text(load_line(scenario)), (0, 0, 0, 2)),
    )


def _engine_note(experiment: Experiment) -> list[RenderableType]:
    """Which engine did it, where there is something to say of it."""
    if not experiment.remark:
        return []
    return [Text(f"{experiment.engine} engine: {one_line(experiment.remark)}"), Text()]


def _days(scenario: Scenario) -> object:
    return horizon_dates(scenario), scenario.calendar


def _headline_table(experiment: Experiment, name: str) -> Table:
    scenario = experiment.scenarios[name].scenario
    rows = _Rows.of(experiment.estimates, name)
    labels = Labels.of({name: experiment.scenarios[name]})
    table = plain_table("of", "metric", "^mean", "!95 % interval", "unit", "unfinished")
    sent_away = _sent_away(experiment)
    last = ""
    # What is of the hall stands together, below its parts.
    for (metric, subject), row in sorted(rows.by_key.items(), key=lambda row: row[0][1] == HALL):
        definition = METRICS[metric]
        if not definition.is_headline and (metric, subject) not in sent_away:
            continue
        of = one_line(labels.subject(metric, subject))
        number = Number(definition, experiment.replications, (row.mean, row.low, row.high))
        table.add_row(
            "" if of == last else of,
            title(metric) + _bracketed(limit(scenario, metric, subject)),
            number.text(row.mean),
            number.interval(row),
            definition.unit,
            rows.unfinished(definition, subject),
        )
        last = of
    return table


def _sent_away(experiment: Experiment) -> set[tuple[str, str]]:
    """Metric and subject where people were turned away or left in some scenario."""
    found = experiment.estimates
    some = found[found["metric"].isin(SENT_AWAY) & (found["mean"] > 0)]
    return set(zip(some["metric"], some["subject"], strict=True))


def _unfinished_note(experiment: Experiment, names: Sequence[str]) -> list[RenderableType]:
    """What the column of that name says, if there is something in it."""
    if not any(experiment.scenarios[name].scenario.promises for name in names):
        return []
    note = "unfinished: cases whose clock still runs at the end, counted as taking longer than that"
    return [Padding(Text(note), (0, 0, 0, 2))]


def _counts_table(
    experiment: Experiment, names: Sequence[str], case_types: Sequence[str]
) -> RenderableType:
    labels = Labels.of(experiment.scenarios)
    rows = {name: _Rows.of(experiment.estimates, name).by_key for name in names}
    heading = f"cases (mean of {replications_text(experiment.replications)})"
    scenario = ["scenario"] * (len(names) > 1)
    table = plain_table(heading, *scenario, "^arrivals", "^finished", "^in progress", "^lost")
    for subject in case_types:
        text = one_line(labels.subject(COUNTS[0], subject))
        for name in names:
            means = [rows[name].get((metric, subject)) for metric in COUNTS]
            if any(means):
                counts = (f"{row.mean:,.1f}" if row else "-" for row in means)
                table.add_row(text, *[one_line(name)] * len(scenario), *counts)
                text = ""
    return table


def _published_report(experiment: Experiment, names: Sequence[str]) -> list[RenderableType]:
    """Published figures in the order of the files; what others simulate stands below each."""
    published = experiment.published()
    published = published[published["scenario"].isin(names)]
    if published.empty:
        return []
    labels = Labels.of(experiment.scenarios)
    columns = ("^published", "^simulated", "^distance", "unit", "95 % interval", "verdict")
    table = plain_table("figure", "scenario", *columns)
    rows = {name: _Rows.of(experiment.estimates, name) for name in names}
    entries: dict[tuple[str, str], list[Any]] = {}
    for entry in published.itertuples(index=False):
        entries.setdefault((str(entry.metric), str(entry.subject)), []).append(entry)
    for (metric, subject), found in entries.items():
        text = f"{one_line(labels.subject(metric, subject))}: {title(metric)}"
        own = [one_line(entry.label) for entry in found if entry.label != entry.id]
        text = own[0] if own else text
        limits = {n: limit(experiment.scenarios[n].scenario, metric, subject) for n in names}
        about = {limits[entry.scenario] for entry in found}
        for name in names:
            row = rows[name].by_key.get((metric, subject))
            mine = [entry for entry in found if entry.scenario == name] or [None]
            # A share on time of something else that was promised is another figure.
            if row is None or (mine == [None] and limits[name] not in about):
                continue
            for entry in mine:
                figures = (row.mean, row.low, row.high, *([entry.published] if entry else ()))
                number = Number(METRICS[metric], experiment.replications, figures)
                relation = _RELATIONS[entry.relation] if entry else ""
                table.add_row(
                    text,
                    one_line(name),
                    relation + number.given(entry.published) if entry else "-",
                    number.text(row.mean),
                    number.signed(entry.distance) if entry else "",
                    METRICS[metric].unit + _bracketed(limits[name] or statistic(metric)),
                    number.interval(row),
                    entry.verdict if entry else "",
                )
                text = ""
    runs = f"{replications_text(experiment.replications)}, seed {experiment.seed}"
    return [Text.assemble(("Published and simulated", "bold"), f" ({runs})"), table, Text()]


def _differences_report(experiment: Experiment, name: str) -> RenderableType:
    differences = experiment.differences()
    leading = set(experiment.headline_differences().index)
    sent_away = _sent_away(experiment)
    keys = zip(differences["metric"], differences["subject"], strict=True)
    is_shown = [
        i in leading or k in sent_away for i, k in zip(differences.index, keys, strict=True)
    ]
    differences = differences[is_shown].sort_values(
        "subject", key=lambda subjects: subjects == HALL, kind="stable"
    )
    labels = Labels.of(experiment.scenarios)
    reference = next(iter(experiment.scenarios))
    pair = (reference, name)
    unfinished = [_Rows.of(experiment.estimates, n) for n in pair]
    scenarios = [experiment.scenarios[n].scenario for n in pair]
    table = plain_table(
        "of", "metric", "^before", "^after", "^difference", "95 % interval", "unit", "unfinished"
    )
    last = ""
    rows: Iterable[Any] = differences[differences["scenario"] == name].itertuples(index=False)
    for row in rows:
        metric = METRICS[row.metric]
        figures = (row.reference_mean, row.scenario_mean, row.difference, row.low, row.high)
        number = Number(metric, experiment.replications, figures, is_difference=True)
        of = one_line(labels.subject(metric.name, row.subject))
        limits = dict.fromkeys(limit(scenario, metric.name, row.subject) for scenario in scenarios)
        shares = [estimates.unfinished(metric, row.subject) for estimates in unfinished]
        table.add_row(
            "" if of == last else of,
            title(metric.name) + _bracketed(" -> ".join(limits)),
            number.text(row.reference_mean),
            number.text(row.scenario_mean),
            number.signed(row.difference),
            number.interval(Interval(row.difference, row.low, row.high, row.replications)),
            "% points" if metric.is_share else metric.unit,
            " -> ".join(shares) if any(shares) else "",
        )
        last = of
    heading = Text(f"{one_line(name)} (after) minus {one_line(reference)} (before)", "bold")
    runs = (
        f"  {replications_text(experiment.replications)} in pairs that share their random numbers"
    )
    notes = [*_unfinished_note(experiment, pair), *_only_in_one(scenarios)]
    return Group(heading, Text(runs), table, *notes)


def _only_in_one(scenarios: Sequence[Scenario]) -> list[RenderableType]:
    """How much there is of which there is no difference."""
    counts = []
    for one, several, things in (
        ("promise", "promises", [scenario.promises for scenario in scenarios]),
        ("pool", "pools", [scenario.pools for scenario in scenarios]),
        ("case type", "case types", [scenario.case_types for scenario in scenarios]),
    ):
        count = len(set(things[0]) ^ set(things[1]))
        counts += [f"{count} {one if count == 1 else several}"] * bool(count)
    if not counts:
        return []
    return [Text(f"  in only one of them, so without a difference: {', '.join(counts)}")]


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


@dataclass(frozen=True)
class _Rows:
    """The estimates of one scenario."""

    by_key: Mapping[tuple[str, str], Interval]

    @classmethod
    def of(cls, estimates: pd.DataFrame, name: str) -> _Rows:
        mine = estimates[estimates["scenario"] == name]
        keys = zip(mine["metric"], mine["subject"], strict=True)
        values = mine[["mean", "low", "high", "replications"]].itertuples(index=False, name=None)
        return cls({key: Interval(*row) for key, row in zip(keys, values, strict=True)})

    def unfinished(self, metric: Metric, subject: str) -> str:
        """The share of cases without an end, if this metric is a time to an end."""
        row = self.by_key.get(("unfinished_share", subject))
        if metric.subjects != ("promise",) or row is None:
            return ""
        return "-" if math.isnan(row.mean) else f"{100 * row.mean:.1f} %"


def plain_table(*columns: str) -> Table:
    """A table without lines but one below its head.

    Columns of `^` names are set to the right; those and columns of `!` names never wrap.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        side: Literal["left", "right"] = "right" if column.startswith("^") else "left"
        name = column.lstrip("^!")
        table.add_column(name, justify=side, no_wrap=name != column, overflow="fold")
    return table
