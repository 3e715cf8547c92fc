"""What the command line shows of scenarios beside each other and beside published figures.

As in `report`: no number without its interval and the number of replications. Below each table
stands what its intervals are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from sim.chosen_metrics import promised_case_types
from sim.labels import Labels, limit, statistic, title
from sim.metric_definitions import HALL, METRICS, Metric
from sim.numbers import (
    Interval,
    Number,
    percent,
    replications_text,
    round_number,
    together_text,
)
from sim.report_parts import (
    Rows,
    SectionTable,
    bracketed,
    counts_table,
    header,
    interval_note,
    left_out,
    note,
    remarks,
    unfinished_note,
)
from sim.scenario import Scenario
from sim.texts import one_line
from sim.time_tables import horizon_dates

if TYPE_CHECKING:
    from sim.experiment import Experiment

SHORT_NAME: Final = 16
"""Letters of a scenario's name that is never broken."""
MOST_REPLICATIONS: Final = 1_000_000
"""As many as can be run: of more it is only said that they are more."""
_RELATIONS: Final = {"equals": "", "at_least": "at least ", "at_most": "at most "}


def compare_report(experiment: Experiment) -> RenderableType:
    """Published beside simulated figures, differences from the reference, and what was run."""
    names = list(experiment.scenarios)
    parts: list[RenderableType] = [*published_report(experiment, names)]
    for name in names:
        if name != experiment.reference:
            parts += [_differences_report(experiment, name), Text()]
    parts += [*_differences_notes(experiment), Text()]
    for name in names:
        parts += [header(experiment, name), Text()]
    scenarios = [experiment.scenarios[name].scenario for name in names]
    if any(_days(scenario) != _days(scenarios[0]) for scenario in scenarios):
        remark = "Horizons or calendars differ: the days that are compared are not the same days."
        parts += [Text(remark), Text()]
    promised = promised_case_types(experiment.scenarios)
    case_types = [name for name in Labels.of(experiment.scenarios).case_types if name in promised]
    parts += [counts_table(experiment, names, [*case_types, HALL]), Text()]
    return Group(*parts, *remarks(experiment))


def _days(scenario: Scenario) -> object:
    return horizon_dates(scenario), scenario.calendar


# Published figures


def published_report(experiment: Experiment, names: Sequence[str]) -> list[RenderableType]:
    """Published figures in the order of the files; what each scenario simulates stands below."""
    published = experiment.published()
    published = published[published["scenario"].isin(names)]
    if published.empty:
        return []
    labels = Labels.of(experiment.scenarios)
    is_short = max(map(len, names)) <= SHORT_NAME
    table = SectionTable(
        *(f"{'!' * is_short}scenario", "^published", "^simulated", "^distance"),
        *(f"{percent(experiment.confidence)} interval", "verdict", "kept in"),
    )
    rows = {name: Rows.of(experiment.estimates, name) for name in names}
    entries: dict[tuple[str, str], list[Any]] = {}
    for entry in published.itertuples(index=False):
        entries.setdefault((str(entry.metric), str(entry.subject)), []).append(entry)
    for (metric, subject), found in entries.items():
        definition = METRICS[metric]
        limits = {n: limit(experiment.scenarios[n].scenario, metric, subject) for n in names}
        about = {limits[entry.scenario] for entry in found}
        # A share on time of something else that was promised is another figure.
        own = {entry.scenario for entry in found}
        beside = [n for n in names if n in own or limits[n] in about]
        beside = [n for n in beside if (metric, subject) in rows[n].by_key]
        text = f"{one_line(labels.subject(metric, subject))}: {title(metric)}"
        told = [one_line(entry.label) for entry in found if entry.label != entry.id]
        details = (
            statistic(metric),
            ", ".join(dict.fromkeys(limits[n] for n in beside)),
            *left_out([rows[n] for n in beside], definition, subject, ", "),
        )
        table.begin(f"{told[0] if told else text}, {definition.unit}{bracketed(*details)}")
        for name in beside:
            row = rows[name].by_key[metric, subject]
            for entry in [entry for entry in found if entry.scenario == name] or [None]:
                figures = (row.mean, row.low, row.high, *([entry.published] if entry else ()))
                number = Number(definition, experiment.replications, figures)
                relation = _RELATIONS[entry.relation] if entry else ""
                table.add_row(
                    one_line(name),
                    relation + number.given(entry.published) if entry else "-",
                    number.text(row.mean),
                    number.signed(entry.distance) if entry else "",
                    number.interval(row),
                    entry.verdict if entry else "",
                    f"{entry.kept} of {entry.replications}" if entry else "",
                )
    runs = f"{replications_text(experiment.replications)}, seed {experiment.seed}"
    heading = Text.assemble(("Published and simulated", "bold"), f" ({runs})")
    kept = (
        "kept in: how many replications keep the figure, each by itself; "
        "Wilson's interval for their share is in published.csv and --json"
    )
    return [heading, table, interval_note(experiment), note(kept), Text()]


# Differences


def _differences_report(experiment: Experiment, name: str) -> RenderableType:
    leading = experiment.headline_differences()
    differences = leading[leading["scenario"] == name].sort_values(
        "subject", key=lambda subjects: subjects == HALL, kind="stable"
    )
    labels = Labels.of(experiment.scenarios)
    pair = (experiment.reference, name)
    of_pair = [Rows.of(experiment.estimates, n) for n in pair]
    scenarios = [experiment.scenarios[n].scenario for n in pair]
    is_paired = bool(leading["joint_low"].notna().any())
    table = SectionTable(
        *("metric", "^before", "^after", "^difference"),
        *(f"{'!' * is_paired}joint interval", "^pairing", "verdict"),
    )
    last = ""
    for row in differences.itertuples(index=False):
        entry: Any = row
        metric = METRICS[entry.metric]
        figures = (entry.reference_mean, entry.scenario_mean, entry.difference)
        ends = (entry.joint_low, entry.joint_high)
        number = Number(metric, experiment.replications, (*figures, *ends), is_difference=True)
        of = one_line(labels.subject(metric.name, entry.subject))
        limits = dict.fromkeys(
            limit(scenario, metric.name, entry.subject) for scenario in scenarios
        )
        of += bracketed(*left_out(of_pair, metric, entry.subject, " -> "))
        if of != last:
            table.begin(of)
        table.add_row(
            title(metric.name) + bracketed(_unit(metric), " -> ".join(limits)),
            number.text(entry.reference_mean),
            number.text(entry.scenario_mean),
            number.signed(entry.difference),
            number.interval(Interval(entry.difference, *ends, entry.replications)),
            _gain(entry.gain_from_pairing),
            _verdict(entry),
        )
        last = of
    heading = Text(f"{one_line(name)} (after) minus {one_line(pair[0])} (before)", "bold")
    runs = (
        f"  {replications_text(experiment.replications)} in pairs that share their random numbers"
    )
    return Group(heading, Text(runs), table, *_only_in_one(scenarios))


def _unit(metric: Metric) -> str:
    """The unit of a metric's differences, unless its title says it."""
    unit = "% points" if metric.is_share else metric.unit
    return "" if title(metric.name).startswith(unit) else unit


def _gain(gain: float) -> str:
    """How many times as many replications independent runs would need."""
    if math.isnan(gain):
        return ""
    if math.isinf(gain):
        return "exact"
    return f"x {gain:.1f}" if gain < 9.95 else f"x {round_number(gain)}"


def _verdict(entry: Any) -> str:
    """Whether the joint interval tells the scenarios apart; empty where it does."""
    if not entry.joint_low <= 0 <= entry.joint_high:
        return ""
    if entry.joint_low == entry.joint_high:
        return "the same"
    if math.isinf(entry.joint_needed):
        return "not told apart"
    most = entry.joint_needed > MOST_REPLICATIONS
    count = f"over {MOST_REPLICATIONS:,}" if most else f"some {round_number(entry.joint_needed)}"
    return f"not told apart: {count} replications"


def _differences_notes(experiment: Experiment) -> list[RenderableType]:
    """What intervals, pairing and verdicts are, for all tables of differences."""
    leading = experiment.headline_differences()
    count = int(leading["joint_low"].notna().sum())
    if not count:
        return [interval_note(experiment), *unfinished_note(experiment, list(experiment.scenarios))]
    texts = [
        f"joint intervals {together_text(experiment.confidence, count)}, Student's t on pairs",
        "pairing: how many times as many replications independent runs would need "
        "(exact: the difference does not vary)",
    ]
    if leading["joint_needed"].notna().any():
        texts.append(
            "not told apart: the joint interval holds 0; "
            "it would not after about so many replications, if they vary as these do"
        )
    return [*map(note, texts), *unfinished_note(experiment, list(experiment.scenarios))]


def _only_in_one(scenarios: Sequence[Scenario]) -> list[RenderableType]:
    """How much there is of which there is no difference."""
    counts = []
    for one, several, things in (
        ("promise", "promises", [scenario.whole.promises for scenario in scenarios]),
        ("pool", "pools", [scenario.whole.pools for scenario in scenarios]),
        ("case type", "case types", [scenario.whole.case_types for scenario in scenarios]),
    ):
        count = len(set(things[0]) ^ set(things[1]))
        counts += [f"{count} {one if count == 1 else several}"] * bool(count)
    if not counts:
        return []
    return [note(f"in only one of them, so without a difference: {', '.join(counts)}")]
