"""What `hall warm-up` shows: whether each scenario leaves out enough, and Welch's average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from sim.numbers import Interval, replications_text
from sim.report_parts import backlog_text, plain_table
from sim.texts import one_line
from sim.warm_up import BATCH
from sim.warm_up_study import WarmUpStudy

DAYS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Working days at whose end Welch's average is shown."""


def warm_up_report(studies: Mapping[str, WarmUpStudy], seed: int) -> RenderableType:
    """Scenario by scenario the verdict, then a table of Welch's averages.

    studies  one or more, by the name of the scenario.
    """
    parts: list[RenderableType] = []
    for name, study in studies.items():
        label = study.loaded.scenario.label
        heading = Text(one_line(name), "bold")
        if label:
            heading.append(f"  {one_line(label.text())}", "not bold")
        parts += [heading, *(Padding(Text(line), (0, 0, 0, 2)) for line in _lines(study)), Text()]
    days = [day for day in DAYS if day <= max(len(study.welch) for study in studies.values())]
    table = plain_table("cases in progress", *(f"^day {day}" for day in days))
    for name, study in studies.items():
        averages = study.welch
        numbers = (f"{averages[day - 1]:,.1f}" if day <= len(averages) else "-" for day in days)
        table.add_row(one_line(name), *numbers)
    runs = replications_text(next(iter(studies.values())).num_replications)
    windows = dict.fromkeys(str(study.window) for study in studies.values())
    notes = (
        f"cases in progress at the end of a working day, from an empty hall; mean of {runs}, "
        f"seed {seed}",
        f"MSER-5 judges it in batches of {BATCH} working days; the table has Welch's moving "
        f"average, over {' or '.join(windows)} working days to either side",
    )
    remarks = dict.fromkeys(remark for study in studies.values() for remark in study.remarks)
    return Group(
        *parts,
        table,
        *(Padding(Text(note), (0, 0, 0, 2)) for note in notes),
        *(Text(one_line(remark)) for remark in remarks),
    )


def _lines(study: WarmUpStudy) -> list[str]:
    if not study.num_days:
        return ["no working day is simulated"]
    first, last = study.date_of(1), study.date_of(study.num_days)
    simulated = f"{first} to {last}: {_days(study.num_days)} simulated"
    return [simulated, verdict(study)]


def verdict(study: WarmUpStudy) -> str:
    """Whether the scenario leaves out enough, and what to set if it does not."""
    if study.overloads:
        found = study.growth
        growth = Interval(found.mean, found.low, found.high, found.num_replications)
        return f"{backlog_text(study.overloads, growth)}; no steady state, so no warm-up to judge"
    left_out = f"the file leaves out {_days(study.left_out)}"
    if study.wanted is None:
        return f"{left_out}; MSER-5 can judge {2 * BATCH} working days or more"
    if study.is_at_limit:
        return (
            f"{left_out}; MSER-5 asks for {study.wanted} or more, the most that it can: "
            "not steady, or too short to tell; simulate longer (horizon.to)"
        )
    until = f" (to {study.date_of(study.wanted)})" if study.wanted else ""
    asked = f"{left_out}; MSER-5 asks for {study.wanted}{until}"
    if study.left_out >= study.wanted:
        return f"{asked}: enough"
    mean = study.in_progress.mean(axis=0)
    ours, theirs = mean[study.left_out :].mean(), mean[study.wanted :].mean()
    return (
        f"{asked}: too short; set horizon.warm_up to '{study.wanted} working days' or more\n"
        f"cases in progress on the days that are left: {ours:,.2f} and {theirs:,.2f}; where these "
        "hardly differ, MSER-5 leaves out an early peak, as after holidays, not a hall that fills"
    )


def _days(count: int) -> str:
    return f"{count} working day{'s' * (count != 1)}"
