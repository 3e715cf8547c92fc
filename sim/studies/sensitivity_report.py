"""What `hall sensitivity` shows: by metric, the assumed numbers that move it most."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from sim.labels import Labels, title
from sim.metric_definitions import METRICS, Metric
from sim.numbers import Interval, Number, or_none, percent, records, replications_text
from sim.report_parts import note, plain_table
from sim.studies.sensitivity import NOT_MOVED, Effect, End, Ranking, Sensitivity
from sim.texts import one_line

MOST: Final = 20
"""Groups that are shown of a metric."""


def sensitivity_report(found: Sensitivity) -> RenderableType:
    """What was moved, then metric by metric the groups with the largest effects."""
    scenario = found.loaded.scenario
    heading = Text(f"Sensitivity of {one_line(found.loaded.name)}", "bold")
    if scenario.label:
        heading.append(f"  {one_line(scenario.label.text())}", "not bold")
    parts: list[RenderableType] = [heading, *map(note, _about(found)), Text()]
    for ranking in found.rankings:
        parts += [*_ranking(found, ranking), Text()]
    said = (Text(one_line(remark)) for remark in found.remarks)
    return Group(*parts, *map(note, _notes(found)), *said)


def _about(found: Sensitivity) -> list[str]:
    assumed = found.assumptions
    left_out = len(assumed.left_out)
    stated = sum(group.is_stated for group in assumed.groups)
    lines = [
        f"{assumed.num_moved + left_out} assumed numbers: {assumed.num_moved} in "
        f"{len(assumed.groups)} groups are moved, one group at a time; {left_out} are left out"
    ]
    lines += [f"  {count} left out: {reason}" for reason, count in assumed.reasons()]
    usual = f"±{percent(found.share)}, times of day by half an hour, servers by at least 1"
    ranges = f"ranges: {usual}" + (f"; {stated} groups as the file says" if stated else "")
    runs = f"{replications_text(found.replications)} of each, seed {found.seed}"
    return [*lines, ranges, f"{runs}, in pairs that share their random numbers"]


def _ranking(found: Sensitivity, ranking: Ranking) -> list[RenderableType]:
    metric = METRICS[ranking.metric]
    labels = Labels.of({found.loaded.name: found.loaded})
    of = one_line(labels.subject(metric.name, ranking.subject))
    number = Number(metric, found.replications, (ranking.now,))
    unit = "" if title(metric.name).startswith(metric.unit) else f" {metric.unit}"
    heading = Text.assemble((f"{of}: {title(metric.name)}", "bold"))
    heading.append(f", now {number.text(ranking.now)}{unit}")
    moving = ranking.moving()
    if not moving:
        return [heading, note(_summary(found, ranking))]
    table = plain_table(
        "assumed", "^from", "^now", "^to", "^effect at from", "^effect at to", "!joint intervals"
    )
    for effect in moving[:MOST]:
        group = effect.group
        table.add_row(
            one_line(group.label),
            *(group.low_text, group.now_text, group.high_text),
            *(_effect(metric, found, end) for end in (effect.low, effect.high)),
            "  ".join(_interval(metric, found, end) for end in (effect.low, effect.high)),
        )
    return [heading, table, note(_summary(found, ranking))]


def _effect(metric: Metric, found: Sensitivity, end: End) -> str:
    if end == NOT_MOVED:
        return ""
    return _number(metric, found, end).signed(end.difference) + " !" * end.is_overload


def _interval(metric: Metric, found: Sensitivity, end: End) -> str:
    if end == NOT_MOVED:
        return "-"
    row = Interval(end.difference, end.low, end.high, end.replications)
    return _number(metric, found, end).interval(row)


def _number(metric: Metric, found: Sensitivity, end: End) -> Number:
    row = (end.difference, end.low, end.high)
    return Number(metric, found.replications, row, is_difference=True)


def _summary(found: Sensitivity, ranking: Ranking) -> str:
    """How many groups, and how many numbers, move the metric, and upset the published figure."""
    moving = ranking.moving()
    groups, numbers = len(found.assumptions.groups), found.assumptions.num_moved
    said = f"moved by {_count(moving)}, of {groups} groups ({numbers} numbers)"
    if len(moving) > MOST:
        said += f"; the first {MOST} are shown, all are in effects.csv"
    if ranking.published is not None:
        upsetting = ranking.upsetting()
        told = ", ".join(one_line(effect.group.label) for effect in upsetting)
        said += "; the published figure is kept in all of them"
        if upsetting:
            said = said.removesuffix("kept in all of them")
            said += f"no longer kept under {_count(upsetting)}: {told}"
    return said


def _count(effects: list[Effect]) -> str:
    numbers = sum(effect.group.num_numbers for effect in effects)
    return (
        f"{len(effects)} group{'s' * (len(effects) != 1)} ({numbers} number{'s' * (numbers != 1)})"
    )


def _notes(found: Sensitivity) -> list[str]:
    if found.replications == 1:
        return ["1 replication: no intervals, so that no effect can be told from chance"]
    ends = [end for r in found.rankings for e in r.moving() for end in (e.low, e.high)]
    overload = (
        "!: a pool gets more work than it can do, which none does now: the effect may grow with "
        "the horizon"
    )
    return [
        *([overload] if any(end.is_overload for end in ends) else []),
        "moved: the joint interval of an end leaves out 0; those of one metric hold together at "
        "95 % (Bonferroni), Student's t on pairs",
        "one group at a time: what several do together is not looked at",
    ]


def as_json(found: Sensitivity) -> dict[str, Any]:
    """The same as plain data, in full precision; null where there is no number."""
    tables = found.tables()
    rankings = [
        {
            "metric": ranking.metric,
            "subject": ranking.subject,
            "now": or_none(ranking.now),
            "moved_by_groups": len(ranking.moving()),
            "moved_by_numbers": sum(effect.group.num_numbers for effect in ranking.moving()),
            "published_upset_by": [effect.group.key for effect in ranking.upsetting()],
        }
        for ranking in found.rankings
    ]
    return {
        "scenario": found.loaded.name,
        "seed": found.seed,
        "replications": found.replications,
        "range": found.share,
        "remarks": list(found.remarks),
        "results": None if found.folder is None else str(found.folder),
        "numbers_moved": found.assumptions.num_moved,
        "metrics": rankings,
        **{name: records(table) for name, table in tables.items()},
    }
