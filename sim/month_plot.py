"""The figure of a long horizon: lead times, backlog, visits and stocks, with the reforms marked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from sim.labels import Labels
from sim.loading import Loaded
from sim.plot_style import SMALL, Cast, finish, fitted, grid, line_key, look, nothing
from sim.plots import STEPS
from sim.texts import one_line

TITLE: Final = "Month by month"
MOST_OF_A_KIND: Final = 3
"""Panels."""
Panel = tuple[str, str, str, str]
"""Metric, subject, heading, and what stands on the axis."""


@look()
def month_figure(months: pd.DataFrame, loaded: Mapping[str, Loaded], caption: str) -> Figure:
    """Means over replications: a panel for each promise, and for backlog, visits and stocks.

    months  scenario, replication, month, metric, subject, value, see `Experiment.months`.
    """
    if months.empty:
        return nothing(TITLE, "no horizon of more than a year", caption)
    labels = Labels.of(loaded)
    cast = Cast.of(months, labels.scenarios)
    panels = list(
        _panels(loaded, labels, set(zip(months["metric"], months["subject"], strict=True)))
    )
    reforms = _reforms(loaded)
    figure, axes = grid(len(panels), 2, (6.4, 2.6))
    for ax, (metric, subject, heading, unit) in zip(axes.flat, panels, strict=False):
        part = months[(months["metric"] == metric) & (months["subject"] == subject)]
        _lines(ax, part, cast, thin=False)
        if metric == "working_days_median":
            is_late = (months["metric"] == "working_days_p90") & (months["subject"] == subject)
            _lines(ax, months[is_late], cast, thin=True)
        if metric == "stock":
            _published(ax, loaded, subject)
        else:
            ax.set_ylim(bottom=0)
        # Room for the numbers of the reforms.
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.15 * (high - low))
        ax.set_title(fitted(heading, columns=70, lines=2))
        ax.set_ylabel(unit)
        _mark(ax, list(reforms))
    for ax in figure.axes:
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
        ax.xaxis.set_major_locator(MultipleLocator(1))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}"))
    several = bool(months["replication"].max() > months["replication"].min())
    notes = [
        "Lead times and visits: of those who come in the month; backlog and stock: at its end.",
        "Thick: half of the cases are done within this time; thin: 90 %.",
        *["Lines: mean over replications; bands: from the smallest to the largest."] * several,
        *[f"Upright, from left to right: {_told(reforms)}."] * bool(reforms),
    ]
    return finish(figure, TITLE, cast, line_key, caption, *notes)


def _panels(
    loaded: Mapping[str, Loaded], labels: Labels, there: set[tuple[str, str]]
) -> Iterator[Panel]:
    scenarios = [document.scenario.whole for document in loaded.values()]
    promises = {n: p for s in reversed(scenarios) for n, p in s.promises.items() if p.per == "case"}
    case_types = list(dict.fromkeys(n for p in promises.values() for n in p.case_types))
    published = {f.subject for s in scenarios for f in s.published.values() if f.metric == "stock"}
    stocks = [
        name
        for scenario in scenarios
        for name, stock in scenario.stocks.items()
        if stock.share_of is None and name in published
    ]
    for metric, subjects, names, what, unit in (
        ("working_days_median", list(promises), labels.promises, "", "working days"),
        ("in_progress", case_types, labels.case_types, "in progress", "cases"),
        ("visits_mean", case_types, labels.case_types, "mean visits", "visits"),
        ("stock", list(dict.fromkeys(stocks)), labels.stocks, "", "stock"),
    ):
        found = [subject for subject in subjects if (metric, subject) in there]
        for subject in found[:MOST_OF_A_KIND]:
            heading = one_line(names.get(subject, subject))
            yield metric, subject, f"{heading}: {what}" if what else heading, unit


def _lines(ax: Axes, part: pd.DataFrame, cast: Cast, thin: bool) -> None:
    for name, of_scenario in part.groupby("scenario", sort=False, observed=True):
        by_month = of_scenario.groupby("month", sort=True)["value"]
        x = [_year(dt.date.fromisoformat(f"{month}-15")) for month in by_month.groups]
        look_of_line: dict[str, Any] = cast.styles[str(name)].line | {"marker": ""}
        ax.plot(x, by_month.mean(), **look_of_line, linewidth=0.8 if thin else 1.8)
        if not thin:
            colour = look_of_line["color"]
            ax.fill_between(x, by_month.min(), by_month.max(), color=colour, alpha=0.2, linewidth=0)


def _year(date: dt.date) -> float:
    """A date on the axis."""
    begin = dt.date(date.year, 1, 1)
    return date.year + (date - begin).days / (dt.date(date.year + 1, 1, 1) - begin).days


def _reforms(loaded: Mapping[str, Loaded]) -> dict[dt.date, list[str]]:
    """Labels of the reforms that take effect within the horizon of any scenario, by date."""
    found: dict[dt.date, list[str]] = {}
    for document in loaded.values():
        for name, reform in document.scenario.dated_reforms.items():
            label = one_line(reform.label.text()) if reform.label else name
            here = found.setdefault(reform.effective, [])
            if label not in here:
                here.append(label)
    return dict(sorted(found.items()))


def _told(reforms: Mapping[dt.date, Sequence[str]]) -> str:
    return "; ".join(
        f"{number} {date} {', '.join(labels)}"
        for number, (date, labels) in enumerate(reforms.items(), start=1)
    )


def _mark(ax: Axes, dates: Sequence[dt.date]) -> None:
    """An upright for each day on which something takes effect, numbered where there is room."""
    last = -1.0
    low = True
    for number, date in enumerate(dates, start=1):
        x = _year(date)
        ax.axvline(x, color="#555555", linewidth=0.7, linestyle=":")
        low = not low if x - last < 0.12 else False
        last = x
        at: dict[str, Any] = {"ha": "center", "va": "top", "xycoords": ax.get_xaxis_transform()}
        ax.annotate(str(number), (x, 0.92 if low else 0.99), **at, **SMALL | {"fontsize": 7})


def _published(ax: Axes, loaded: Mapping[str, Loaded], subject: str) -> None:
    """What is known of a stock, and what was published of its end."""
    for document in loaded.values():
        scenario = document.scenario.whole
        stock = scenario.stocks.get(subject)
        if stock is not None:
            ax.plot(_year(stock.known_on), stock.known, "ko", markersize=5)
        for figure in scenario.published.values():
            if (figure.metric, figure.subject) == ("stock", subject) and figure.equals is not None:
                end = ax.dataLim.x1
                ax.plot(end, figure.equals, "k*", markersize=9)
                ax.annotate(
                    f"published {figure.equals:,.0f}",
                    (end, figure.equals),
                    xytext=(-2, -34),
                    textcoords="offset points",
                    ha="right",
                    **SMALL,
                )
