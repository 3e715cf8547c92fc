"""Pieces that reports of one scenario and of several have in common.

Every function gives something that a rich console prints, of text from files with `one_line`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sim.check_report import load_line
from sim.labels import Labels
from sim.metric_definitions import HALL, METRICS, Metric
from sim.numbers import Interval, Number, replications_text
from sim.offered_load import PoolLoad, offered_load
from sim.output_analysis import wilson_interval
from sim.texts import one_line
from sim.time_tables import horizon_dates

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiment import Experiment

LONGEST_WORD: Final = 20
"""Columns that are left for words in a narrow window; longer ones are broken."""
MOST_COLUMNS: Final = 10_000
_PLACE: Final = "\u2060"
"""Stands in a table where a heading belongs: a character of no width that no other text needs."""
COUNTS: Final = ("arrivals", "finished", "in_progress", "lost")


def header(experiment: Experiment, name: str) -> RenderableType:
    """What was run of one scenario."""
    scenario = experiment.scenarios[name].scenario
    begins, first, last = horizon_dates(scenario)
    heading = Text(one_line(name), "bold")
    if scenario.label:
        heading.append(f"  {one_line(scenario.label.text())}", "not bold")
    warm_up = f", simulated from {begins}" if begins < first else ""
    runs = f"{replications_text(experiment.replications)}, seed {experiment.seed}"
    lines = [f"{first} to {last}{warm_up}; {runs}"]
    if reforms := [one_line(reform.name) for reform in experiment.scenarios[name].reforms]:
        lines.append(f"reforms, from the first day on: {', '.join(reforms)}")
    if phases := scenario.phases[1:]:
        number = sum(len(phase.reforms) for phase in phases)
        lines.append(f"reforms, on their dates: {number}, {phases[0].since} to {phases[-1].since}")
    lines.append(load_line(scenario))
    if overloads := [load for load in offered_load(scenario) if load.is_overload]:
        backlog = backlog_text(overloads, backlog_growth(experiment, name))
        lines.append(f"{backlog}; times are those of this horizon, no steady state")
    return Group(heading, *(note(line) for line in lines))


def backlog_text(overloads: Sequence[PoolLoad], growth: Interval) -> str:
    """Pools with a load of 1 or more, and how fast the hall's backlog grows, if it does.

    People who leave, and overtime, may keep it from growing.
    """
    pools = ", ".join(f"{one_line(load.pool)} ({load.load:.2f})" for load in overloads)
    metric = METRICS["backlog_growth"]
    number = Number(metric, growth.replications, (growth.mean, growth.low, growth.high))
    says = "the backlog grows by" if growth.low > 0 else "growth of the backlog:"
    found = f"{number.text(growth.mean)} {number.interval(growth)} cases per working day"
    if not math.isfinite(growth.low):
        found = f"{number.text(growth.mean)} cases per working day, {number.interval(growth)}"
    return f"load 1 or more in {pools}: {says} {found}"


def backlog_growth(experiment: Experiment, name: str) -> Interval:
    """Of the whole hall in a scenario, in cases per working day."""
    return Rows.of(experiment.estimates, name).by_key["backlog_growth", HALL]


def remarks(experiment: Experiment) -> list[RenderableType]:
    """What there is to say of how it was run."""
    if not experiment.remarks:
        return []
    return [*(Text(one_line(remark)) for remark in experiment.remarks), Text()]


def unfinished_note(experiment: Experiment, names: Sequence[str]) -> list[RenderableType]:
    """What is called unfinished, if some of these scenarios have promises."""
    if not any(experiment.scenarios[name].scenario.whole.promises for name in names):
        return []
    texts = [
        "unfinished: cases whose clock still runs at the end, counted as taking longer than that"
    ]
    for name in names:
        rows = Rows.of(experiment.estimates, name)
        if any(rows.has_lost(promise) for promise in experiment.scenarios[name].scenario.promises):
            texts.append("lost: cases that left for good; no time of theirs counts, kept or broken")
            break
    return list(map(note, texts))


def counts_table(
    experiment: Experiment, names: Sequence[str], case_types: Sequence[str]
) -> RenderableType:
    """How many cases there were, of these case types in these scenarios."""
    labels = Labels.of(experiment.scenarios)
    rows = {name: Rows.of(experiment.estimates, name).by_key for name in names}
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


def interval_note(experiment: Experiment) -> RenderableType:
    """What the intervals of means, quantiles and shares are."""
    if experiment.replications == 1:
        return note(
            "1 replication: no intervals over replications; those of shares on time are Wilson's "
            "over its cases, too narrow since these share their queues"
        )
    return note("intervals: Student's t over replications, each by itself")


def note(text: str) -> RenderableType:
    """A line below a table."""
    return Padding(Text(text), (0, 0, 0, 2))


def bracketed(*texts: str) -> str:
    """Those that say something, in brackets with a space in front; nothing for nothing."""
    said = "; ".join(filter(None, texts))
    return f" ({said})" if said else ""


@dataclass(frozen=True)
class Rows:
    """The estimates of one scenario, by metric and subject."""

    by_key: Mapping[tuple[str, str], Interval]

    @classmethod
    def of(cls, estimates: pd.DataFrame, name: str) -> Rows:
        """Those in a table with columns as `Experiment.estimates`."""
        mine = estimates[estimates["scenario"] == name]
        keys = zip(mine["metric"], mine["subject"], strict=True)
        values = mine[["mean", "low", "high", "replications"]].itertuples(index=False, name=None)
        rows = {key: Interval(*row) for key, row in zip(keys, values, strict=True)}
        return cls({key: _within(rows, *key) for key in rows})

    def share(self, name: str, subject: str) -> str:
        """A share in words; empty if there is none."""
        row = self.by_key.get((name, subject))
        if row is None:
            return ""
        return "-" if math.isnan(row.mean) else f"{100 * row.mean:.1f} %"

    def has_lost(self, subject: str) -> bool:
        """Whether cases of a promise were lost."""
        row = self.by_key.get(("lost_share", subject))
        return row is not None and row.mean > 0


def left_out(rows: Sequence[Rows], metric: Metric, subject: str, between: str) -> list[str]:
    """What shares of cases some scenarios have no full time of, if this metric is one of times."""
    if metric.subjects != ("promise",):
        return []
    unfinished = [row.share("unfinished_share", subject) for row in rows]
    lost = [row.share("lost_share", subject) for row in rows]
    return [
        f"unfinished {between.join(unfinished)}" * any(unfinished),
        f"lost {between.join(lost)}" * any(row.has_lost(subject) for row in rows),
    ]


def _within(rows: Mapping[tuple[str, str], Interval], metric: str, subject: str) -> Interval:
    """A row; of a share on time in one replication with Wilson's interval over its cases."""
    row = rows[metric, subject]
    if metric != "on_time_share" or row.replications != 1:
        return row
    promised = rows["promised_cases", subject]
    if promised.replications != 1:  # one of several that has cases at all
        return row
    cases = round(promised.mean)
    low, high = wilson_interval(round(row.mean * cases), cases)
    return replace(row, low=low, high=high)


class PlainTable(Table):
    """A table that cuts nothing: where the window is too narrow it is wider."""

    def least_width(self, console: Console) -> int:
        """Columns that it takes at least: of what never wraps, and of a word of what does."""
        options = console.options.update(max_width=MOST_COLUMNS)
        width = 0
        for column in self.columns:
            cells = (column.header, *column.cells)
            found = [Measurement.get(console, options, cell) for cell in cells]
            words = min(max(one.minimum for one in found), LONGEST_WORD)
            width += 1 + (max(one.maximum for one in found) if column.no_wrap else words)
        return width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width, self.least_width(console))
        yield from super().__rich_console__(console, options.update(max_width=width))


def plain_table(*columns: str) -> PlainTable:
    """A table without lines but one below its head.

    Columns of `^` names are set to the right; those and columns of `!` names never wrap.
    """
    table = PlainTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        side: Literal["left", "right"] = "right" if column.startswith("^") else "left"
        name = column.lstrip("^!")
        table.add_column(name, justify=side, no_wrap=name != column, overflow="fold")
    return table


class SectionTable:
    """A plain table whose rows stand below headings that take the whole width."""

    def __init__(self, *columns: str) -> None:
        self._table = plain_table(*columns)
        self._headings: list[str] = []

    def begin(self, heading: str) -> None:
        """Let the rows that follow stand below this heading."""
        self._headings.append(heading)
        self._table.add_row(_PLACE)

    def add_row(self, first: str, *cells: str) -> None:
        """A row, set in if there is a heading."""
        indent = 2 * bool(self._headings)
        self._table.add_row(Padding(first, (0, 0, 0, indent)), *cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # A text that is wrapped may leave an empty line, which is no heading's.
        headings = iter(self._headings)
        width = max(options.max_width, self._table.least_width(console))
        options = options.update(max_width=width)
        for line in console.render_lines(self._table, options, pad=False):
            if any(_PLACE in segment.text for segment in line):
                yield Text(next(headings))
            else:
                yield from line
                yield Segment.line()
