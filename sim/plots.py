"""The figures: tables in, matplotlib figures out.

Every function takes a tidy table (pandas), a mapping `labels` from the ids in it to display text, a
caption, and `scenarios`: their labels in the order of the results (without it, of appearance in
the table). It returns a `Figure` that pyplot does not know, so it needs no display. What all
figures have in common is in `plot_style`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.metric_definitions import WORKING_DAYS
from sim.plot_style import (
    HALF_HOUR,
    SMALL,
    Cast,
    Labels,
    Style,
    bar_key,
    dot_key,
    finish,
    fitted,
    grid,
    line_key,
    look,
    nothing,
    num_replications,
    shown,
    time_axis,
)
from sim.texts import one_line

MAX_POOLS: Final = 8
MAX_QUEUES: Final = 6
MAX_CASE_TYPES: Final = 9
MAX_ROWS: Final = 60
STEPS: Final = (1, 2, 5, 10)
"""Between ticks, times a power of ten."""
POINTS: Final = "percentage points"
"""The unit of differences of shares, which are not shown relative to a mean."""

# By the unit of a lead time: what its axis says, and the shortest axis.
_LEAD_TIMES: Final = {
    WORKING_DAYS: ("counted working days (day 0: the clock starts)", 3.0),
    "h": ("hours, nights and days off included", 0.25),
    "working h": ("working hours (only open hours count)", 0.25),
}


@look()
def lead_time_figure(
    lead_times: pd.DataFrame,
    limits: Mapping[tuple[str, str], float],
    labels: Labels,
    caption: str,
    scenarios: Labels | None = None,
) -> Figure:
    """Share finished within each time: a panel per time and unit, steps per scenario.

    lead_times  scenario, replication, time, unit, lead_time, share; a lead time without a row keeps
                the share of the one before.
    limits      the promise by (scenario, time), in the unit that the scenario's rows have: a dashed
                line and the share kept.
    """
    title = "Lead times: share finished within so much time"
    if lead_times.empty:
        return nothing(title, "no lead times", caption)
    parts = [
        (str(time), str(unit), part)
        for (time, unit), part in lead_times.groupby(["time", "unit"], sort=False)
    ]
    cast = Cast.of(lead_times, scenarios)
    figure, panels = grid(len(parts), 3, (4.2, 3.2))
    promised = "Dashed upright: promise, and share finished within it." * bool(limits)
    notes = [_band(lead_times), promised]
    for ax, (time, unit, part) in zip(panels.flat, parts, strict=False):
        means: dict[str, pd.Series[float]] = {}
        promises = {
            name: limits[name, time]
            for name in cast.styles
            if (name, time) in limits and name in set(part["scenario"])
        }
        axis, least = _LEAD_TIMES[unit]
        slowest = max([least, part["lead_time"].max(), *promises.values()])
        instants = np.unique([0.0, *part["lead_time"], *promises.values(), 1.2 * slowest + 1])
        for name, wide in _by_replication(part, "lead_time", "share"):
            filled = wide.reindex(instants).ffill().fillna(0.0) * 100
            _curve(ax, filled, cast.styles[name], step=True)
            means[name] = filled.mean(axis=1)
        # A few cases that take very long shall not squeeze all others into the left margin.
        ends = [instants[(mean >= mean.iloc[-1] - 0.5).argmax()] for mean in means.values()]
        right = max([least, *ends, *promises.values()]) * 1.15
        if right < slowest:
            notes[2:] = ["The axis may end where each line is within half a point of its end."]
        drawn: list[float] = []
        for name, limit in promises.items():
            style, kept = cast.styles[name], means[name].loc[limit]
            near = sum(abs(limit - other) < right / 14 for other in drawn)
            drawn.append(limit)
            # Shifted dashes, so that two scenarios with one promise both show.
            ax.axvline(limit, color=style.colour, linestyle=(4 * near, (4, 4)), linewidth=1.2)
            ax.plot(limit, kept, **style.line | {"markersize": 6, "markeredgecolor": "black"})
            at: dict[str, Any] = {"xytext": (4 + 13 * near, 5), "textcoords": "offset points"}
            text = f"promise {_limit(limit, unit)}: {kept:.1f} %"
            ax.annotate(text, (limit, 0), color=style.colour, rotation=90, **at, **SMALL)
        # A little to the left of 0, where much that is done the same day stands.
        ax.set(xlim=(-right / 40, right), ylim=(0, 105), ylabel="share finished (%)", xlabel=axis)
        ax.set_title(shown(labels, time))
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=unit == WORKING_DAYS, steps=STEPS))
    return finish(figure, title, cast, line_key, caption, *notes)


@look()
def half_hour_figure(
    half_hours: pd.DataFrame, labels: Labels, caption: str, scenarios: Labels | None = None
) -> Figure:
    """Mean waiting time above utilisation over the day, for the pools with the longest waiting.

    half_hours  scenario, replication, pool, half_hour (s since midnight), waiting_time_mean (s),
                utilisation (1 = always busy); no row or NaN, as when closed, leaves a gap.
    """
    title = "Mean waiting time and utilisation over the day"
    if half_hours.empty:
        return nothing(title, "no half-hours", caption)
    pools, left_out = _chosen(half_hours, "waiting_time_mean", MAX_POOLS, "mean waiting")
    cast = Cast.of(half_hours, scenarios)
    figure, panels = grid(len(pools), 4, (3.4, 2.1), high=2)
    values = (
        ("waiting_time_mean", 1 / 60, 1.0, "mean waiting\ntime (min)"),
        ("utilisation", 100, 105.0, "utilisation (%)"),
    )
    for number, pool in enumerate(pools):
        part = half_hours[half_hours["pool"] == pool]
        row, column = divmod(number, panels.shape[1])
        for below, (value, scale, top, unit) in enumerate(values):
            ax = panels[2 * row + below, column]
            for name, wide in _by_replication(part, "half_hour", value):
                _curve(ax, _gapped(wide * scale), cast.styles[name])
            ax.set_ylim(0, max(top, ax.get_ylim()[1]))
            ax.set_ylabel("" if column else unit)
            time_axis(ax, half_hours, "time of day" * below)
        panels[2 * row, column].set_title(shown(labels, pool))
    note = (
        "Points: half-hours, at their middle; waiting of those who came then, own scale each panel."
    )
    return finish(figure, title, cast, line_key, caption, _band(half_hours), note, left_out)


@look()
def queue_length_figure(
    half_hours: pd.DataFrame, labels: Labels, caption: str, scenarios: Labels | None = None
) -> Figure:
    """Queue length over the day, median and quantiles of days: pools down, scenarios across.

    half_hours  scenario, replication, pool, half_hour, waiting_time_mean, and queue_length_mean,
                _p10, _p25, ... _p90.
    """
    title = "Queue length over the day"
    if half_hours.empty:
        return nothing(title, "no half-hours", caption)
    pools, left_out = _chosen(half_hours, "queue_length_mean", MAX_QUEUES, "mean queue")
    cast = Cast.of(half_hours, scenarios)
    size = (float(np.clip(11 / len(cast.styles), 2.4, 4.2)), 1.9)
    figure, panels = grid(len(cast.styles), len(cast.styles), size, high=len(pools), sharey="row")
    quantiles = [f"queue_length_p{percent}" for percent in (10, 25, 50, 75, 90)]
    for row, pool in zip(panels, pools, strict=True):
        for ax, (name, style) in zip(row, cast.styles.items(), strict=True):
            part = half_hours[(half_hours["pool"] == pool) & (half_hours["scenario"] == name)]
            if part.empty:
                absent = "not in this scenario"
                ax.text(0.5, 0.4, absent, ha="center", color="#666666", transform=ax.transAxes)
            else:
                _queue(ax, part.groupby("half_hour")[quantiles].mean(), style)
            ax.text(0.99, 0.97, cast.names[name], ha="right", va="top", transform=ax.transAxes)
            time_axis(ax, half_hours, "time of day" * (pool == pools[-1]))
        row[0].set_ylim(0, max(1, row[0].get_ylim()[1] * 1.2))
        row[0].set(ylabel="queue length (cases)", title=shown(labels, pool))
    note = "Line: median of the working days; bands: 25 to 75 % and 10 to 90 % of them."
    each = "Each is a mean over replications."
    return finish(figure, title, cast, line_key, caption, note, each, left_out)


@look()
def visits_figure(
    visits: pd.DataFrame, labels: Labels, caption: str, scenarios: Labels | None = None
) -> Figure:
    """Share of finished cases by number of visits, and the mean: a panel per case type.

    Case types of which all cases have the same number in all scenarios are left out, if others are
    there.

    visits  scenario, replication, case_type, visits (whole number), share; no row is a share of 0.
    """
    title = "Visits to the hall per finished case"
    if visits.empty:
        return nothing(title, "no visits", caption)
    case_types, left_out = _varied(visits)
    cast = Cast.of(visits, scenarios)
    width = 0.8 / len(cast.styles)
    room = min(0.7, 0.06 + 0.075 * len(cast.styles))
    figure, panels = grid(len(case_types), 3, (3.9, 3.0))
    for ax, case_type in zip(panels.flat, case_types, strict=False):
        part = visits[(visits["case_type"] == case_type) & (visits["share"] > 0)]
        above = ax.get_xaxis_transform()
        for name, wide in _by_replication(part, "visits", "share"):
            style, place = cast.styles[name], cast.place(name)
            shares = wide.fillna(0.0) * 100
            mean, low, high = shares.mean(axis=1), shares.min(axis=1), shares.max(axis=1)
            x = shares.index + (place + 0.5) * width - 0.4
            ax.bar(x, mean, width, **style.bar)
            if shares.shape[1] > 1:
                ax.errorbar(x, mean, (mean - low, high - mean), fmt="none", ecolor="#333333")
            average = float((mean * mean.index).sum() / mean.sum()) if mean.sum() else np.nan
            height = 0.97 - 0.075 * place
            ax.plot((average,) * 2, (0, height), transform=above, markevery=[1], **style.line)
            at: dict[str, Any] = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(f"mean {average:.2f}", (average, height), xycoords=above, **at, **SMALL)
        ax.set(xlabel="visits per case", ylabel="share of finished cases (%)")
        ax.set_ylim(0, max(1.0, part["share"].max() * 100) / (1 - room))
        ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 100])
        ax.set_xlim(part["visits"].min() - 0.6, part["visits"].max() + 1.1)
        ax.set_title(shown(labels, case_type))
        ax.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    notes = (_band(visits, "Whiskers"), "Upright line: mean number of visits.", left_out)
    return finish(figure, title, cast, bar_key, caption, *notes)


@look()
def difference_figure(
    differences: pd.DataFrame,
    labels: Labels,
    caption: str,
    scenarios: Labels | None = None,
    interval: str = "95 % confidence interval",
) -> Figure:
    """Paired differences from the reference with intervals and a line at zero: a panel per unit.

    differences  metric, subject, unit, reference, scenario, difference, low, high, reference_mean,
                 replications; perhaps label, which stands in for the labels of metric and subject.
                 NaN in low or high: no interval.
    """
    title = "Paired differences from the reference"
    if differences.empty:
        return nothing(title, "no differences", caption)
    table = differences.fillna({"subject": "", "unit": ""})
    table["row"] = table.groupby(["unit", "metric", "subject"], sort=False).ngroup()
    left_out = max(0, int(table["row"].max()) + 1 - MAX_ROWS)
    table = table[table["row"] < MAX_ROWS]
    units = [part for _, part in table.groupby("unit", sort=False)]
    references = {str(name): str(name) for name in table["reference"].unique()}
    scenarios = {**(scenarios or {})}
    cast = Cast.of(table, scenarios | {n: n for n in references if n not in scenarios})
    against = ", ".join(one_line(shown(scenarios, reference)) for reference in references)
    step = 0.8 / len(cast.styles)
    heights = [0.4 + part["row"].nunique() * max(0.42, 0.16 / step) for part in units]
    size = (9.0, sum(heights) / len(units) + 0.4)
    figure, panels = grid(1, 1, size, high=len(units), height_ratios=heights)
    for ax, part in zip(panels.flat, units, strict=True):
        names: dict[int, str] = {}
        for line in part.to_dict("records"):
            names.setdefault(line["row"], _row_name(line, labels))
            style = cast.styles[line["scenario"]]
            y = list(names).index(line["row"]) - 0.4 + (cast.place(line["scenario"]) + 0.5) * step
            known = bool(np.isfinite(line["low"]) and np.isfinite(line["high"]))
            if known:
                ax.plot((line["low"], line["high"]), (y, y), color=style.colour, linewidth=2)
            filled = {"markersize": 6, "markerfacecolor": style.colour if known else "white"}
            ax.plot(line["difference"], y, **style.line | filled)
            text, beside = _values(line, known), ax.get_yaxis_transform()
            ax.text(1.01, y, text, va="center", transform=beside, **SMALL)
        ax.axvline(0, color="black", linewidth=1.2)
        ax.xaxis.set_major_locator(MaxNLocator(8, steps=STEPS))
        ax.margins(x=0.08)
        ax.set_yticks(range(len(names)), list(names.values()))
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        unit = one_line(fitted(str(part["unit"].iloc[0]), 34))
        ax.set_xlabel(f"difference from {against} ({unit})")
    notes = (
        f"Reference: {against}. Dot: mean paired difference; line and brackets: {interval};",
        "in parentheses: relative to the mean of the reference.",
        "Hollow: no interval." * bool(table[["low", "high"]].isna().to_numpy().any()),
        f"{left_out} rows left out." * bool(left_out),
    )
    return finish(figure, title, cast, dot_key, caption, *notes)


# Which rows and panels


def _by_replication(
    table: pd.DataFrame, key: str, value: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each scenario with its values: one row per key (sorted), one column per replication."""
    for name, part in table.groupby("scenario", sort=False):
        # Not pivot_table, which would average rows given twice.
        yield str(name), part.pivot(index=key, columns="replication", values=value)  # noqa: PD010


def _chosen(half_hours: pd.DataFrame, value: str, most: int, what: str) -> tuple[list[str], str]:
    """The pools that are shown, and what the caption says of the others.

    Where cases come in most half-hours there is a line to draw; a pool that is fed by a gate has
    one dot a day, and comes after all others.
    """
    comes = half_hours.assign(comes=half_hours["waiting_time_mean"].notna())
    by_pool = comes.groupby(["scenario", "pool"], sort=False)["comes"].mean().groupby("pool").max()
    means = half_hours.groupby("pool", sort=False)[value].mean()
    order = pd.DataFrame({"is_fed": by_pool.reindex(means.index) >= 0.5, "mean": means})
    pools = list(order.sort_values(["is_fed", "mean"], ascending=False).index)
    left_out = len(pools) - most
    note = (
        f"Pools: largest {what} first, those to which cases come in less than half of "
        f"their half-hours last; {left_out} left out."
    )
    return pools[:most], note * (left_out > 0)


def _varied(visits: pd.DataFrame) -> tuple[list[str], str]:
    """The case types that are shown, and what the caption says of the others."""
    case_types = list(visits["case_type"].unique())
    numbers = visits[visits["share"] > 0].groupby("case_type")["visits"].nunique()
    varied = [name for name in case_types if numbers.get(name, 0) > 1]
    same = (len(case_types) - len(varied)) * bool(varied)
    more = max(0, len(case_types) - same - MAX_CASE_TYPES)
    notes = (
        f"{same} case type{'s' * (same != 1)} left out: all cases with one and the same number."
        * bool(same),
        f"{more} more left out." * bool(more),
    )
    return (varied or case_types)[:MAX_CASE_TYPES], " ".join(filter(None, notes))


# Lines and axes


def _gapped(table: pd.DataFrame) -> pd.DataFrame:
    """The table by half-hour with an empty row at the start of each pause: no line across lunch."""
    starts = table.index.to_numpy()
    pauses = starts[:-1][np.diff(starts) > HALF_HOUR] + HALF_HOUR
    return table.reindex(np.union1d(starts, pauses))


def _curve(ax: Axes, wide: pd.DataFrame, style: Style, step: bool = False) -> None:
    """The mean over replications; with several, a band from the smallest to the largest."""
    x = wide.index.to_numpy() + (0 if step else HALF_HOUR / 2)
    shape = {"marker": "", "drawstyle": "steps-post"} if step else {}
    ax.plot(x, wide.mean(axis=1), **style.line | shape)
    if wide.shape[1] > 1:
        band: dict[str, Any] = {"color": style.colour, "alpha": 0.2, "linewidth": 0}
        band["step"] = "post" if step else None
        ax.fill_between(x, wide.min(axis=1), wide.max(axis=1), **band)


def _queue(ax: Axes, means: pd.DataFrame, style: Style) -> None:
    """The median of the days in the bands of the middle half and of 10 to 90 %."""
    means = _gapped(means)
    x = means.index + HALF_HOUR / 2
    p10, p25, p50, p75, p90 = (means[quantile] for quantile in means)
    ax.fill_between(x, p10, p90, color=style.colour, alpha=0.2, linewidth=0)
    ax.fill_between(x, p25, p75, color=style.colour, alpha=0.4, linewidth=0)
    ax.plot(x, p50, **style.line)


def _band(table: pd.DataFrame, what: str = "Bands") -> str:
    several = num_replications(table) > 1
    return f"{what}: smallest to largest replication." if several else "1 replication: no interval."


# Texts


def _limit(limit: float, unit: str) -> str:
    """A promise as the label of its line."""
    if unit != WORKING_DAYS:
        return f"{limit:.4g} {unit}"
    return f"{limit:g} d" if limit else "same day"


def _row_name(line: Mapping[Any, Any], labels: Labels) -> str:
    """The label of a difference, or those of metric and subject, line by line."""
    if isinstance(line.get("label"), str):
        return fitted(line["label"], columns=50, lines=3)
    ids = (line["metric"], line["subject"])
    parts = (str(labels.get(str(name), name)).split("\n") for name in ids)
    pairs = zip_longest(*parts, fillvalue="")
    return fitted("\n".join(": ".join(filter(None, pair)) for pair in pairs), columns=50, lines=3)


def _values(line: Mapping[Any, Any], known: bool) -> str:
    """The numbers beside a difference, such as `−3.20 [−3.90, −2.50] (−26 %)`."""
    numbers = [line[name] for name in ("difference", "low", "high")[: 3 if known else 1]]
    is_whole = all(np.isfinite(value) and value == int(value) for value in numbers)
    difference, *ends = (_signed(value, is_whole) for value in numbers)
    text = f"{difference} [{', '.join(ends)}]" if known else difference
    share = line["difference"] / (line["reference_mean"] or np.nan)
    if np.isfinite(share) and line["unit"] != POINTS:
        text += f" ({share * 100:+.0f} %)".replace("-", "−")
    count = int(line["replications"])
    return text if known else f"{text}  {count} replication{'s' * (count != 1)}: no interval"


def _signed(value: float, is_whole: bool) -> str:
    if not np.isfinite(value):
        return "no value"
    whole = is_whole or abs(value) >= 99.95
    return (f"{value:+,.0f}" if whole else f"{value:+#.3g}").replace("-", "−")
