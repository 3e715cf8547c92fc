"""What `hall calibrate` shows: values before and after, the targets in all circumstances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from sim.labels import Labels, title
from sim.metric_definitions import METRICS
from sim.numbers import Interval, Number, or_none, records, replications_text
from sim.report_parts import SectionTable, note, plain_table
from sim.studies.calibration import CIRCUMSTANCES, Calibration
from sim.studies.fits import Parameter, Point
from sim.studies.points import Result
from sim.studies.write_back import Change
from sim.texts import one_line

_RELATIONS: Final = {"equals": "", "at_least": "at least ", "at_most": "at most "}


def calibration_report(found: Calibration, changes: Sequence[Change], written: bool) -> Group:
    """Parameters, targets, what cannot be met, and what is to change in which file.

    changes  the values of the outcome in their files.
    written  whether they stand there now.
    """
    scenario = found.fit.loaded.scenario
    heading = Text(f"Calibration of {one_line(found.fit.loaded.name)}", "bold")
    if scenario.label:
        heading.append(f"  {one_line(scenario.label.text())}", "not bold")
    runs = f"{replications_text(found.replications)} of each point, seed {found.seed}"
    count = len({v.point for v in found.trials if (v.demand, v.luck) == CIRCUMSTANCES["as it is"]})
    parts: list[RenderableType] = [heading, note(f"{found.how}; {count} points; {runs}"), Text()]
    parts += [_parameters(found), *_parameter_notes(found), Text()]
    parts += [_targets(found), *_target_notes(), Text()]
    for name, point in found.nearest.items():
        parts.append(Text(_unmet(found, name, point)))
    parts += [Text(line) for line in _verdict(found, changes, written)]
    parts += [Text(one_line(remark)) for remark in found.remarks]
    return Group(*parts)


def _parameters(found: Calibration) -> RenderableType:
    table = plain_table(
        *("parameter", "^values", "^from", "^to", "^now", "^fitted", "^outcome"),
        "!targets kept over",
    )
    for number, parameter in enumerate(found.fit.parameters):
        kept = found.ranges[number]
        table.add_row(
            one_line(_name(parameter)),
            str(len(parameter.places) or len(parameter.paths)),
            *(
                parameter.text(value)
                for value in (
                    parameter.low,
                    parameter.high,
                    parameter.start,
                    found.best[number],
                    found.outcome[number],
                )
            ),
            f"{parameter.text(kept[0])} to {parameter.text(kept[1])}" if kept else "-",
        )
    return table


def _name(parameter: Parameter) -> str:
    is_labelled = parameter.label != parameter.name
    return f"{parameter.label} ({parameter.name})" if is_labelled else parameter.name


def _parameter_notes(found: Calibration) -> list[RenderableType]:
    steps = ", ".join(
        f"{parameter.name} "
        + (
            f"{parameter.step / 60:g} min"
            if ":" in parameter.text(parameter.low)
            else str(parameter.kind.written(parameter.step))
        )
        for parameter in found.fit.parameters
    )
    prefer = [f"{p.name} as {p.prefer} as will do" for p in found.fit.parameters if p.prefer]
    return [
        note("values: how many of the files are this one parameter; steps: " + steps),
        *([note("preferred: " + ", ".join(prefer))] if prefer else []),
        note("targets kept over: how far it may move from the outcome alone, within its bounds"),
    ]


def _targets(found: Calibration) -> RenderableType:
    labels = Labels.of({found.fit.loaded.name: found.fit.loaded})
    table = SectionTable(
        *("values", "!circumstances", "^wanted", "^simulated", "^companion"),
        *("95 % interval", "verdict", "kept in"),
    )
    points: dict[str, Point] = {"now": found.fit.start}
    if found.best != found.fit.start:
        points["fitted"] = found.best
    for name, target in found.fit.targets.items():
        metric = METRICS[target.metric]
        relation = next(r for r in _RELATIONS if getattr(target, r) is not None)
        figure: float = getattr(target, relation)
        told = target.label.text() if target.label else name
        of = one_line(labels.subject(target.metric, target.subject))
        about = title(target.metric)
        about += f" of {of}" * (of not in one_line(told))
        about += f", {metric.unit}" * (not about.startswith(metric.unit))
        table.begin(f"{one_line(told)}: {about}")
        for values, point in points.items():
            for place, circumstances in enumerate(CIRCUMSTANCES):
                row = found.trial(point, circumstances)[name]
                numbers = (row.simulated, row.low, row.high, figure)
                number = Number(metric, found.replications, numbers)
                wanted = _RELATIONS[relation] + number.given(figure)
                if target.tolerance:
                    wanted += f" ± {number.given(target.tolerance)}"
                table.add_row(
                    values * (place == 0),
                    circumstances,
                    wanted * (place == 0),
                    number.text(row.simulated),
                    _companion(row, metric.is_share),
                    number.interval(Interval(row.simulated, row.low, row.high, row.replications)),
                    row.verdict,
                    f"{row.kept} of {row.replications}",
                )
    return table


def _companion(row: Result, is_share: bool) -> str:
    if math.isnan(row.companion):
        return "-"
    return f"{100 * row.companion:.1f}" if is_share else f"{row.companion:,.2f}"


def _target_notes() -> list[RenderableType]:
    return [
        note(
            "companion: what is fitted; a median of whole days is d where its companion, of cases "
            "spread over half a day to either side, is within half a day of d"
        ),
        note("intervals: Student's t over replications, each by itself"),
        note(
            "demand: of all who come at random; other random numbers: the next seed, which the fit "
            "has not seen"
        ),
    ]


def _unmet(found: Calibration, name: str, point: Point) -> str:
    """What is to be said of a target that the fit misses."""
    at_best, nearest = found.trial(found.best)[name], found.trial(point)[name]
    metric = METRICS[nearest.target.metric]
    number = Number(metric, found.replications, (nearest.simulated, at_best.simulated))
    said = f"{name}: {at_best.verdict} by the fit"
    had = f"{number.text(nearest.simulated)} {metric.unit} at {found.fit.text(point)}"
    if nearest.is_kept:
        lost = [key for key, row in found.trial(point).items() if not row.is_kept]
        return f"{said}; met with {found.fit.text(point)}, which misses {', '.join(lost)}"
    none = "no point that was tried meets it"
    if found.is_whole:
        none = "within these bounds it cannot be met"
    return f"{said}; {none}: nearest is {had} ({nearest.verdict})"


def _verdict(found: Calibration, changes: Sequence[Change], written: bool) -> list[str]:
    if found.stays and found.best != found.fit.start:
        lines = [
            f"The present values stay ({found.fit.text(found.fit.start)}): they keep every target "
            f"in as many replications as the fit ({found.fit.text(found.best)}), in all "
            f"{len(CIRCUMSTANCES)} circumstances."
        ]
    elif found.stays:
        lines = [f"The present values are the fit: {found.fit.text(found.best)}."]
    else:
        lines = [f"Fitted: {found.fit.text(found.best)}."]
    new = [change for change in changes if change.is_new]
    if found.missed:
        missed, ending = ", ".join(found.missed), " of:" if new else "."
        lines.append(f"The outcome misses {missed}: --write writes nothing{ending}")
    elif new and not written:
        lines.append("To change (--write does it, and says that they were calibrated):")
    lines += [f"  {one_line(change.text)}" for change in new]
    if written:
        lines.append(f"written: {len(changes)} values and where they are from, {len(new)} new")
    return lines


def as_json(found: Calibration, changes: Sequence[Change], written: bool) -> dict[str, Any]:
    """The same as plain data, in full precision; null where there is no number."""
    tables = found.tables()
    return {
        "scenario": found.fit.loaded.name,
        "seed": found.seed,
        "replications": found.replications,
        "search": found.how,
        "stays": found.stays,
        "fitted": found.fit.text(found.best),
        "outcome": found.fit.text(found.outcome),
        "results": None if found.folder is None else str(found.folder),
        "changes": [
            {"place": str(c.mark), "path": c.path, "before": c.before, "after": c.after}
            for c in changes
            if c.is_new
        ],
        "written": written,
        "unmet": {
            name: {
                "nearest": found.fit.text(point),
                "simulated": or_none(found.trial(point)[name].simulated),
                "verdict": found.trial(point)[name].verdict,
            }
            for name, point in found.nearest.items()
        },
        "missed": found.missed,
        "remarks": list(found.remarks),
        "parameters": records(tables["parameters"]),
        "targets": records(tables["targets"]),
    }
