"""What `hall days` shows: what lead times are made of, by part, by activity and by pool."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from sim import labels
from sim.labels import Labels
from sim.metric_definitions import METRICS
from sim.numbers import Interval, Number, or_none, records, replications_text
from sim.report_parts import SectionTable, header, note, remarks
from sim.studies.days import ALL, CLOSED, LEAD_TIME, PARTS, DaysStudy
from sim.texts import one_line

MOST: Final = 12
"""Activities, or pools, of one scenario that have a row of their own."""
OPEN_PARTS: Final = tuple(part for part in PARTS if part != CLOSED)
HEADS: Final = ("^to come", "^tray", "^server", "^served", "^delay", "^closed")
"""Of the columns of parts."""


def days_report(study: DaysStudy) -> RenderableType:
    """What was run; then for each time its parts, what differs, its activities and its pools."""
    experiment = study.experiment
    parts: list[RenderableType] = []
    for name in experiment.scenarios:
        parts += [header(experiment, name), Text()]
    for time in study.times:
        heading = Text("Where the days go: ", "bold")
        heading.append(one_line(study.time_labels[time]))
        parts += [heading, _by_part(study, time), *_differences(study, time), Text()]
        parts += [*_matrix(study, time, "activity"), *_matrix(study, time, "pool")]
    return Group(*parts, *_notes(study), *remarks(experiment))


def as_json(study: DaysStudy) -> dict[str, Any]:
    """The same as plain data, in full precision; null where there is no number."""
    experiment = study.experiment
    tables = {"lead_times": study.lead_times, "estimates": study.estimates}
    tables = {name: table[table["time"].isin(study.times)] for name, table in tables.items()}
    found = study.differences
    tables["differences"] = found[found["subject"].isin(study.times)]
    return {
        "seed": experiment.seed,
        "replications": experiment.replications,
        "confidence": experiment.confidence,
        "reference": experiment.reference,
        "engine": experiment.engine,
        "remarks": list(experiment.remarks),
        "missing": [asdict(missing) for missing in experiment.missing],
        "results": None if experiment.folder is None else str(experiment.folder),
        "working_day_hours": {n: or_none(h) for n, h in study.working_day_hours.items()},
        "unfinished_share": {
            name: {t: or_none(study.unfinished_share(name, t)) for t in study.times if t in spans}
            for name, spans in study.spans.items()
        },
        **{name: records(table) for name, table in tables.items()},
    }


# Tables


def _rows(study: DaysStudy, name: str, time: str, by: str) -> list[dict[str, Any]]:
    """The estimates of a scenario, the largest first."""
    found = study.estimates
    found = found[(found["scenario"] == name) & (found["time"] == time) & (found["by"] == by)]
    return [{str(key): value for key, value in row.items()} for row in found.to_dict("records")]


def _scenarios(study: DaysStudy, time: str) -> Iterator[tuple[str, str]]:
    """Those that have a time, each with its heading."""
    for name, spans in study.spans.items():
        if time in spans:
            span = spans[time]
            of = "batches" if span.per == "batch" else "cases"
            mine = study.lead_times
            mine = mine[(mine["scenario"] == name) & (mine["time"] == time)]
            share = study.unfinished_share(name, time)
            unfinished = "" if math.isnan(share) else f", unfinished {100 * share:.1f} %"
            yield (
                name,
                f"{one_line(name)}: {span.from_} to {span.to}; "
                f"{mine['finished'].mean():,.1f} finished {of} a replication{unfinished}",
            )


def _by_part(study: DaysStudy, time: str) -> RenderableType:
    table = SectionTable(
        "h of each finished case",
        *("^open", "^closed", "^in all", "!95 % interval", "^share", "^days", "^working days"),
    )
    for name, heading in _scenarios(study, time):
        table.begin(heading)
        opened = {row["part"]: row["hours"] for row in _rows(study, name, time, "part")}
        closed = {
            row["during"]: row["hours"]
            for row in _rows(study, name, time, "during and part")
            if row["part"] == CLOSED
        }
        whole = [row | {"during": LEAD_TIME} for row in _rows(study, name, time, ALL)]
        for row in (*_rows(study, name, time, "during"), *whole):
            during, hours = row["during"], row["hours"]
            not_open = opened.get(CLOSED, 0.0) if during == LEAD_TIME else closed.get(during, 0.0)
            cells = (hours - not_open, not_open, hours)
            table.add_row(
                one_line(labels.PARTS[during]),
                *(_hours(study, value) for value in cells),
                *_interval_and_share(study, row),
                _hours(study, hours / 24),
                _hours(study, (hours - not_open) / study.working_day_hours[name]),
            )
    return table


def _differences(study: DaysStudy, time: str) -> list[RenderableType]:
    found = study.differences
    found = found[found["subject"] == time]
    if found.empty:
        return []
    table = SectionTable("h", "^before", "^after", "^difference", "!95 % interval")
    for name, rows in found.groupby("scenario", sort=False):
        table.begin(f"{one_line(str(name))} minus {one_line(study.experiment.reference)}")
        for row in rows.to_dict("records"):
            ends = (row["difference"], row["low"], row["high"])
            number = Number(METRICS["elapsed_hours_mean"], int(row["replications"]), ends, True)
            table.add_row(
                one_line(labels.PARTS[row["metric"]]),
                *(_hours(study, row[column]) for column in ("reference_mean", "scenario_mean")),
                number.signed(row["difference"]),
                number.interval(Interval(*ends, int(row["replications"]))),
            )
    return [Text(), table]


def _matrix(study: DaysStudy, time: str, by: str) -> list[RenderableType]:
    """Rows of activities or pools, columns of the parts that they have."""
    keys = ("case_type", "activity") if by == "activity" else ("pool",)
    rows: dict[str, list[dict[str, Any]]] = {}
    hours: dict[tuple[str, ...], dict[str, float]] = {}
    for name, _ in _scenarios(study, time):
        # Rows that are of no pool are of waits for something else.
        rows[name] = [row for row in _rows(study, name, time, by) if row[keys[-1]]]
        for row in _rows(study, name, time, f"{by} and part"):
            of = hours.setdefault((name, *(row[key] for key in keys)), dict.fromkeys(PARTS, 0.0))
            of[row["part"]] += row["hours"] if row[keys[-1]] else 0.0
    parts = [part for part in PARTS if any(of[part] for of in hours.values())]
    heads = dict(zip(PARTS, HEADS, strict=True))
    table = SectionTable(
        f"{by}, h", *(heads[part] for part in parts), "^in all", "!95 % interval", "^share"
    )
    for name, of_scenario in rows.items():
        if not of_scenario:
            continue
        table.begin(one_line(name))
        others = dict.fromkeys(PARTS, 0.0)
        for number, row in enumerate(of_scenario):
            of = hours[name, *(row[key] for key in keys)]
            if number < MOST:
                cells = (_hours(study, of[part]) for part in parts)
                table.add_row(
                    _label(study, name, time, row),
                    *cells,
                    _hours(study, row["hours"]),
                    *_interval_and_share(study, row),
                )
            else:
                others = {part: others[part] + of[part] for part in PARTS}
        if more := of_scenario[MOST:]:
            cells = (_hours(study, others[part]) for part in parts)
            share = _share(sum(row["share"] for row in more))
            in_all = _hours(study, sum(others.values()))
            table.add_row(f"{len(more)} more", *cells, in_all, "", share)
    return [table, Text()] if any(rows.values()) else []


def _label(study: DaysStudy, name: str, time: str, row: dict[str, Any]) -> str:
    if row["pool"]:
        pools = Labels.of({name: study.experiment.scenarios[name]}).pools
        return one_line(pools[row["pool"]])
    return one_line(study.activity_labels[time, row["case_type"], row["activity"]])


def _hours(study: DaysStudy, value: float) -> str:
    if not value:
        return "-"
    metric = METRICS["elapsed_hours_mean"]
    return Number(metric, study.experiment.replications, (value,)).text(value)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _interval_and_share(study: DaysStudy, row: dict[str, Any]) -> tuple[str, str]:
    ends = (row["hours"], row["low"], row["high"])
    number = Number(METRICS["elapsed_hours_mean"], study.experiment.replications, ends)
    interval = number.interval(Interval(*ends, row["replications"]))
    return interval, _share(row["share"])


def _notes(study: DaysStudy) -> list[RenderableType]:
    days = {f"{hours:.4g} h" for hours in study.working_day_hours.values() if not math.isnan(hours)}
    lines = [
        "the way back from the end of a case, always to what was complete last; the parts add up "
        "to the lead time, to the second",
        f"of each finished case, mean of {replications_text(study.experiment.replications)}, "
        "Student's t over them, each interval by itself",
        "unfinished cases are left out: their lead times are longer than the horizon lets see",
        "closed hours: outside the working hours while nobody serves the case, beside what it "
        "waits for; open hours have overtime in them",
        "days are of 24 h"
        + f", working days of {' or '.join(sorted(days))} of open hours" * bool(days),
    ]
    return [*map(note, lines), Text()]
