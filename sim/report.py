"""What the command line shows: tables and lines of plain text, made of an experiment.

Every function gives something that a rich console prints. Text from files is never markup, and
control characters in it become U+FFFD. No number stands without its interval and the number of
replications, no time without the share of cases that were unfinished.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sim.comparison_report import published_report
from sim.labels import Labels, limit, title
from sim.metric_definitions import HALL, METRICS
from sim.numbers import Number, or_none, percent, records
from sim.offered_load import offered_load
from sim.report_parts import (
    Rows,
    backlog_growth,
    bracketed,
    counts_table,
    header,
    interval_note,
    left_out,
    plain_table,
    remarks,
    unfinished_note,
)
from sim.texts import one_line
from sim.time_tables import horizon_dates

if TYPE_CHECKING:
    from sim.experiment import Experiment


# Reports


def run_report(experiment: Experiment) -> RenderableType:
    """Scenario by scenario: what was run, published figures, headline metrics, and counts."""
    parts: list[RenderableType] = []
    for name, loaded in experiment.scenarios.items():
        case_types = [*loaded.scenario.whole.case_types, HALL]
        parts += [header(experiment, name), Text(), *published_report(experiment, [name])]
        parts += [_headline_table(experiment, name), interval_note(experiment)]
        parts += [*unfinished_note(experiment, [name]), Text()]
        parts += [counts_table(experiment, [name], case_types), Text()]
    return Group(*parts, *remarks(experiment))


def metrics_report() -> RenderableType:
    """Every metric: name, unit, what it is of, definition."""
    table = plain_table("metric", "unit", "of", "definition")
    for metric in METRICS.values():
        of = ", ".join(subject.replace("_", " ") for subject in metric.subjects)
        table.add_row(metric.name, metric.unit, of, metric.definition)
    return table


def as_json(experiment: Experiment) -> dict[str, Any]:
    """The same as plain data, in full precision; null where there is no number."""
    names = list(experiment.scenarios)
    tables = {"estimates": experiment.estimates, "published": experiment.published()}
    if len(names) > 1:
        tables["differences"] = experiment.differences()
    return {
        "seed": experiment.seed,
        "replications": experiment.replications,
        "confidence": experiment.confidence,
        "reference": experiment.reference,
        "leading": list(experiment.leading.named),
        "engine": experiment.engine,
        "remarks": list(experiment.remarks),
        "missing": [asdict(missing) for missing in experiment.missing],
        "results": None if experiment.folder is None else str(experiment.folder),
        "scenarios": [_scenario_data(experiment, name) for name in names],
        **{name: records(table) for name, table in tables.items()},
    }


def _scenario_data(experiment: Experiment, name: str) -> dict[str, Any]:
    scenario = experiment.scenarios[name].scenario
    _, first, last = horizon_dates(scenario)
    loads = offered_load(scenario)
    is_steady = not any(load.is_overload for load in loads)
    backlog = None
    if not is_steady:
        growth = backlog_growth(experiment, name)
        backlog = {end: or_none(getattr(growth, end)) for end in ("mean", "low", "high")}
    return {
        "name": name,
        "label": scenario.label.text() if scenario.label else None,
        "from": str(first),
        "to": str(last),
        "load": {load.pool: or_none(load.load) for load in loads},
        "steady": is_steady,
        "backlog_growth": backlog,
    }


def _headline_table(experiment: Experiment, name: str) -> Table:
    scenario = experiment.scenarios[name].scenario
    rows = Rows.of(experiment.estimates, name)
    labels = Labels.of({name: experiment.scenarios[name]})
    table = plain_table(
        "of", "metric", "^mean", f"!{percent(experiment.confidence)} interval", "unit", "unfinished"
    )
    leading = set(experiment.leading_keys)
    last = ""
    # What is of the hall stands together, below its parts.
    for (metric, subject), row in sorted(rows.by_key.items(), key=lambda row: row[0][1] == HALL):
        if (metric, subject) not in leading:
            continue
        definition = METRICS[metric]
        of = one_line(labels.subject(metric, subject))
        number = Number(definition, experiment.replications, (row.mean, row.low, row.high))
        table.add_row(
            "" if of == last else of,
            title(metric) + bracketed(limit(scenario, metric, subject)),
            number.text(row.mean),
            number.interval(row),
            definition.unit,
            "; ".join(filter(None, left_out([rows], definition, subject, ""))).removeprefix(
                "unfinished "
            ),
        )
        last = of
    return table
