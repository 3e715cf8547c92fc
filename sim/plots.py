"""The figures: tables in, matplotlib figures out.

Every function takes a tidy table (pandas), a mapping `labels` from id to display text and a
caption, and returns a `Figure` that pyplot does not know, so it needs no display.

A figure names its metric and units and ends with a caption: the caller's words, then scenarios,
number of replications, what band or interval is drawn, what was left out. A scenario has one
colour, line, marker and hatch, by its place in `scenarios` (the order of the results; without it,
of appearance in the table): it looks alike in every figure and can be told apart in grey.

Labels are plain text: `$`, `<b>` and `[/red]` are drawn as they stand. Chinese comes from the font
in `sim/fonts`; a character that neither font has is drawn as a box.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

Labels = Mapping[str, str]
"""From id to display text; an id without one is shown as it is."""

FONTS: Final = ("DejaVu Sans", "Service Hall Sans")
MAX_POOLS: Final = 8
MAX_QUEUES: Final = 6
MAX_ROWS: Final = 60
HALF_HOUR: Final = 1800
"""Seconds."""

fontManager.addfont(Path(__file__).parent / "fonts" / "ServiceHallSans-Regular.otf")

_LOOK: Final[dict[str, Any]] = {
    "font.family": list(FONTS),
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "hatch.linewidth": 0.7,
    "savefig.dpi": 150,
    "text.parse_math": False,
}
_SMALL: Final[dict[str, Any]] = {
    "fontsize": 8,
    "bbox": {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.8},
}
# petroff10, in an order that keeps the first ones apart in grey.
_COLOURS: Final = "#3f90da #bd1f01 #ffa90e #832db6 #94a4a2 #a96b59 #e76300 #b9ac70 #717581 #92dadd"
# 10 colours and 7 lines: no two of the first 70 scenarios share both.
_DASHES: Final = ((), (5, 2), (6, 2, 1, 2), (1, 1.2), (9, 3), (3, 1, 1, 1, 1, 1), (2, 2))
_MARKERS: Final = "os^DvPX<>"
_HATCHES: Final = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++")


@dataclass(frozen=True)
class Style:
    """How one scenario is drawn, in every figure."""

    colour: str
    dashes: tuple[float, ...]
    """Lengths on and off, in line widths; empty for a solid line."""
    marker: str
    hatch: str

    @property
    def line(self) -> dict[str, Any]:
        """Options of a line with markers."""
        dashes = (0, self.dashes) if self.dashes else "-"
        return {"color": self.colour, "linestyle": dashes, "marker": self.marker, "markersize": 3.5}

    @property
    def bar(self) -> dict[str, Any]:
        """Options of a bar."""
        return {"facecolor": self.colour, "hatch": self.hatch, "edgecolor": "white"}


def style_at(position: int) -> Style:
    """The style of the scenario at this position (from 0) of the results."""
    kinds: tuple[Sequence[Any], ...] = (_COLOURS.split(), _DASHES, _MARKERS, _HATCHES)
    return Style(*(kind[position % len(kind)] for kind in kinds))


@contextmanager
def _look() -> Iterator[None]:
    """The look of every figure, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", _LOOK]), warnings.catch_warnings():
        # A label may hold any character; the box drawn for one in neither font says enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG at 150 dpi: the same bytes for the same figure (no date in it)."""
    content = BytesIO()
    with _look():
        figure.savefig(content, format="png", metadata={"Software": None})
    path.write_bytes(content.getvalue())


@_look()
def lead_time_figure(
    lead_times: pd.DataFrame,
    limits: Mapping[tuple[str, str], float],
    labels: Labels,
    caption: str,
    scenarios: Sequence[str] = (),
) -> Figure:
    """Share of cases finished within d counted working days: a panel per time, steps per scenario.

    lead_times  scenario, replication, time, working_days, share; days without a row keep the share
                of the day before.
    limits      the promise in working days by (scenario, time): a dashed line and the share kept.
    """
    title = "Lead time: share of cases finished within so many working days"
    if lead_times.empty:
        return _nothing(title, "no lead times", caption)
    times = list(lead_times["time"].unique())
    cast = _Cast.of(lead_times, scenarios, labels)
    figure, panels = _grid(len(times), 3, (4.2, 3.2))
    promised = "Dashed upright: promise, and share finished within it." * bool(limits)
    notes = [_band(lead_times), promised]
    for ax, time in zip(panels.flat, times, strict=False):
        part = lead_times[lead_times["time"] == time]
        promises = {name: limits[name, time] for name in cast.styles if (name, time) in limits}
        slowest = int(part["working_days"].max())
        days = np.arange(int(max([slowest, *promises.values()]) * 1.1) + 5)
        means: dict[str, pd.Series[float]] = {}
        for name, wide in _by_replication(part, "working_days", "share"):
            filled = wide.reindex(days).ffill().fillna(0.0) * 100
            _curve(ax, filled, cast.styles[name], step=True)
            means[name] = filled.mean(axis=1)
        # A few cases that take very long shall not squeeze all others into the left margin.
        ends = [int((mean >= mean.iloc[-1] - 0.5).argmax()) for mean in means.values()]
        right = max([3, *ends, *promises.values()]) * 1.1 + 0.5
        if right < slowest:
            notes[2:] = ["The axis may end where each line is within half a point of its end."]
        drawn: list[float] = []
        for name, limit in promises.items():
            style, text = cast.styles[name], f"promise {limit:g} d"
            near = sum(abs(limit - other) < right / 14 for other in drawn)
            drawn.append(limit)
            # Shifted dashes, so that two scenarios with one promise both show.
            ax.axvline(limit, color=style.colour, linestyle=(4 * near, (4, 4)), linewidth=1.2)
            if name in means:
                kept = means[name].iloc[int(limit)]
                ax.plot(limit, kept, **style.line | {"markersize": 6, "markeredgecolor": "black"})
                text += f": {kept:.1f} %"
            at: dict[str, Any] = {"xytext": (4 + 13 * near, 5), "textcoords": "offset points"}
            ax.annotate(text, (limit, 0), color=style.colour, rotation=90, **at, **_SMALL)
        ax.set(xlim=(0, right), ylim=(0, 105), ylabel="share of cases finished (%)")
        ax.set_xlabel("counted working days (day of acceptance = 0)")
        ax.set_title(_shown(labels, time))
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return _finish(figure, title, cast, _line_key, caption, *notes)


@_look()
def half_hour_figure(
    half_hours: pd.DataFrame, labels: Labels, caption: str, scenarios: Sequence[str] = ()
) -> Figure:
    """Mean waiting time above utilisation over the day, for the pools with the longest waiting.

    half_hours  scenario, replication, pool, half_hour (s since midnight), waiting_time_mean (s),
                utilisation (1 = always busy); no row or NaN, as when closed, leaves a gap.
    """
    title = "Mean waiting time and utilisation over the day"
    if half_hours.empty:
        return _nothing(title, "no half-hours", caption)
    pools, left_out = _largest(half_hours, "waiting_time_mean", MAX_POOLS)
    cast = _Cast.of(half_hours, scenarios, labels)
    figure, panels = _grid(len(pools), 4, (3.4, 2.1), high=2)
    shown = (
        ("waiting_time_mean", 1 / 60, 1.0, "mean waiting\ntime (min)"),
        ("utilisation", 100, 105.0, "utilisation (%)"),
    )
    for number, pool in enumerate(pools):
        part = half_hours[half_hours["pool"] == pool]
        row, column = divmod(number, panels.shape[1])
        for below, (value, scale, top, unit) in enumerate(shown):
            ax = panels[2 * row + below, column]
            for name, wide in _by_replication(part, "half_hour", value):
                _curve(ax, _gapped(wide * scale), cast.styles[name])
            ax.set_ylim(0, max(top, ax.get_ylim()[1]))
            ax.set_ylabel("" if column else unit)
            _time_axis(ax, half_hours, "time of day" * below)
        panels[2 * row, column].set_title(_shown(labels, pool))
    note = (
        "Points: half-hours, at their middle; waiting of those who came then, own scale each panel."
    )
    return _finish(figure, title, cast, _line_key, caption, _band(half_hours), note, left_out)


@_look()
def queue_length_figure(
    half_hours: pd.DataFrame, labels: Labels, caption: str, scenarios: Sequence[str] = ()
) -> Figure:
    """Queue length over the day, median and quantiles of days: pools down, scenarios across.

    half_hours  scenario, replication, pool, half_hour, and queue_length_mean, _p10, _p25, ... _p90.
    """
    title = "Queue length over the day"
    if half_hours.empty:
        return _nothing(title, "no half-hours", caption)
    pools, left_out = _largest(half_hours, "queue_length_mean", MAX_QUEUES)
    cast = _Cast.of(half_hours, scenarios, labels)
    size = (float(np.clip(11 / len(cast.styles), 2.4, 4.2)), 1.9)
    figure, panels = _grid(len(cast.styles), len(cast.styles), size, high=len(pools), sharey="row")
    quantiles = [f"queue_length_p{percent}" for percent in (10, 25, 50, 75, 90)]
    for row, pool in zip(panels, pools, strict=True):
        for ax, (name, style) in zip(row, cast.styles.items(), strict=True):
            part = half_hours[(half_hours["pool"] == pool) & (half_hours["scenario"] == name)]
            mean = _gapped(part.groupby("half_hour")[quantiles].mean())
            x = mean.index + HALF_HOUR / 2
            p10, p25, p50, p75, p90 = (mean[quantile] for quantile in quantiles)
            ax.fill_between(x, p10, p90, color=style.colour, alpha=0.2, linewidth=0)
            ax.fill_between(x, p25, p75, color=style.colour, alpha=0.4, linewidth=0)
            ax.plot(x, p50, **style.line)
            ax.text(0.99, 0.97, cast.names[name], ha="right", va="top", transform=ax.transAxes)
            _time_axis(ax, half_hours, "time of day" * (pool == pools[-1]))
        row[0].set_ylim(0, max(1, row[0].get_ylim()[1] * 1.2))
        row[0].set(ylabel="queue length (cases)", title=_shown(labels, pool))
    note = "Line: median of the working days; bands: 25 to 75 % and 10 to 90 % of them."
    each = "Each is a mean over replications."
    return _finish(figure, title, cast, _line_key, caption, note, each, left_out)


@_look()
def visits_figure(
    visits: pd.DataFrame, labels: Labels, caption: str, scenarios: Sequence[str] = ()
) -> Figure:
    """Share of finished cases by number of visits, and the mean: a panel per case type.

    visits  scenario, replication, case_type, visits (whole number), share; no row is a share of 0.
    """
    title = "Visits to the hall per finished case"
    if visits.empty:
        return _nothing(title, "no visits", caption)
    case_types = list(visits["case_type"].unique())
    cast = _Cast.of(visits, scenarios, labels)
    width = 0.8 / len(cast.styles)
    room = min(0.7, 0.06 + 0.075 * len(cast.styles))
    figure, panels = _grid(len(case_types), 3, (3.9, 3.0))
    for ax, case_type in zip(panels.flat, case_types, strict=False):
        part = visits[visits["case_type"] == case_type]
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
            ax.annotate(f"mean {average:.2f}", (average, height), xycoords=above, **at, **_SMALL)
        ax.set(xlabel="visits per case", ylabel="share of finished cases (%)")
        ax.set_ylim(0, max(1.0, part["share"].max() * 100) / (1 - room))
        ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 100])
        ax.set_xlim(part["visits"].min() - 0.6, part["visits"].max() + 1.1)
        ax.set_title(_shown(labels, case_type))
        ax.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    notes = (_band(visits, "Whiskers"), "Upright line: mean number of visits.")
    return _finish(figure, title, cast, _bar_key, caption, *notes)


@_look()
def difference_figure(
    differences: pd.DataFrame,
    labels: Labels,
    caption: str,
    scenarios: Sequence[str] = (),
    interval: str = "95 % confidence interval",
) -> Figure:
    """Paired differences from the reference with intervals and a line at zero: a panel per unit.

    differences  metric, subject, unit, reference, scenario, difference, low, high, reference_mean,
                 replications; perhaps label, which stands in for the labels of metric and subject.
                 NaN in low or high: no interval.
    """
    title = "Paired differences from the reference"
    if differences.empty:
        return _nothing(title, "no differences", caption)
    table = differences.fillna({"subject": "", "unit": ""})
    table["row"] = table.groupby(["unit", "metric", "subject"], sort=False).ngroup()
    left_out = max(0, int(table["row"].max()) + 1 - MAX_ROWS)
    table = table[table["row"] < MAX_ROWS]
    units = [part for _, part in table.groupby("unit", sort=False)]
    references = list(table["reference"].unique())
    cast = _Cast.of(table, [*scenarios, *references], labels)
    against = ", ".join(_one_line(_shown(labels, reference)) for reference in references)
    step = 0.8 / len(cast.styles)
    heights = [0.4 + part["row"].nunique() * max(0.42, 0.16 / step) for part in units]
    size = (9.0, sum(heights) / len(units) + 0.4)
    figure, panels = _grid(1, 1, size, high=len(units), height_ratios=heights)
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
            ax.text(1.01, y, text, va="center", transform=beside, **_SMALL)
        ax.axvline(0, color="black", linewidth=1.2)
        ax.margins(x=0.08)
        ax.set_yticks(range(len(names)), list(names.values()))
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        unit = _one_line(_fitted(str(part["unit"].iloc[0]), 34))
        ax.set_xlabel(f"difference from {against} ({unit})")
    notes = (
        f"Reference: {against}. Dot: mean paired difference; line and brackets: {interval};",
        "in parentheses: relative to the mean of the reference.",
        "Hollow: no interval." * bool(table[["low", "high"]].isna().to_numpy().any()),
        f"{left_out} rows left out." * bool(left_out),
    )
    return _finish(figure, title, cast, _dot_key, caption, *notes)


@dataclass(frozen=True)
class _Cast:
    """The scenarios of one figure: their styles, names and numbers of replications."""

    styles: dict[str, Style]
    names: dict[str, str]
    replications: dict[str, int]

    @classmethod
    def of(cls, table: pd.DataFrame, scenarios: Sequence[str], labels: Labels) -> _Cast:
        order = list(dict.fromkeys([*scenarios, *table["scenario"]]))
        parts = {str(name): part for name, part in table.groupby("scenario")}
        shown = [name for name in order if name in parts]
        return cls(
            {name: style_at(order.index(name)) for name in shown},
            {name: _shown(labels, name) for name in shown},
            {name: _num_replications(parts[name]) for name in shown},
        )

    def place(self, name: str) -> int:
        return list(self.styles).index(name)

    def sentence(self) -> str:
        names = [_one_line(name) for name in self.names.values()]
        counts = [f"{n} replication{'s' * (n != 1)}" for n in self.replications.values()]
        if len(set(counts)) == 1:
            return f"Scenarios: {', '.join(names)}; {counts[0]} each."
        pairs = zip(names, counts, strict=True)
        return f"Scenarios: {', '.join(f'{name} ({count})' for name, count in pairs)}."


Key = Callable[[Style], Artist]
"""What the legend shows of a style."""


def _line_key(style: Style) -> Artist:
    return Line2D([], [], **style.line | {"markersize": 5})


def _dot_key(style: Style) -> Artist:
    return Line2D([], [], **style.line | {"markersize": 6, "linestyle": "-", "linewidth": 2})


def _bar_key(style: Style) -> Artist:
    return Patch(**style.bar)


def _grid(
    panels: int, most: int, size: tuple[float, float], high: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure, and its panels of this size (inches), at most so many across, each `high` rows."""
    rows = -(-panels // most)
    columns = -(-panels // rows)
    inches = (max(7.5, columns * size[0]), rows * high * size[1] + 1.5)
    figure = Figure(figsize=inches, layout="constrained")
    return figure, figure.subplots(rows * high, columns, squeeze=False, **options)


def _finish(figure: Figure, title: str, cast: _Cast, key: Key, caption: str, *notes: str) -> Figure:
    """The figure with title, legend and caption, and without its empty panels."""
    for ax in figure.axes:
        if not ax.has_data():
            ax.remove()
    # The title belongs to the legend: the layout would draw a legend over a "suptitle".
    options: dict[str, Any] = {"title": title, "title_fontsize": 12, "alignment": "left"}
    options["ncols"] = min(len(cast.names), int(figure.get_figwidth() // 2.5))
    keys = [key(style) for style in cast.styles.values()]
    figure.legend(
        keys, list(cast.names.values()), loc="outside upper left", frameon=False, **options
    )
    return _captioned(figure, " ".join([caption, cast.sentence(), *notes]))


def _captioned(figure: Figure, text: str) -> Figure:
    # The layout keeps room for a "supxlabel", not for a free text.
    text = _fitted(_one_line(text), columns=int(figure.get_figwidth() * 16))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="#333333")
    # Laid out once and for all: a second layout starts from the first and differs a little.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _nothing(title: str, what: str, caption: str) -> Figure:
    figure = Figure(figsize=(7.5, 2.0), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.text(0.5, 0.5, f"nothing to show: {what} in these results", ha="center")
    return _captioned(figure, caption)


def _shown(labels: Labels, name: object) -> str:
    """The label of this id, or the id itself, in lines that fit a panel."""
    return _fitted(str(labels.get(str(name), name)), columns=34, lines=4)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fitted(text: str, columns: int, lines: int = 40) -> str:
    """The text in lines of so many columns (a hanzi takes 2); control characters become U+FFFD."""
    fitted = []
    for paragraph in text.split("\n"):
        clean = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in paragraph)
        line, used = "", 0
        for word in re.findall(rf"\s|[^\s\u2e80-\uffef]{{1,{columns}}}|\S", clean):
            width = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in word)
            if used + width > columns and not word.isspace():
                fitted.append(line.rstrip())
                line, used = "", 0
            line, used = line + word, used + width
        fitted.append(line.rstrip())
    return "\n".join(fitted[:lines]) + " …" * (len(fitted) > lines)


def _by_replication(
    table: pd.DataFrame, key: str, value: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each scenario with its values: one row per key (sorted), one column per replication."""
    for name, part in table.groupby("scenario", sort=False):
        # Not pivot_table, which would average rows given twice.
        yield str(name), part.pivot(index=key, columns="replication", values=value)  # noqa: PD010


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
        look: dict[str, Any] = {"color": style.colour, "alpha": 0.2, "linewidth": 0}
        look["step"] = "post" if step else None
        ax.fill_between(x, wide.min(axis=1), wide.max(axis=1), **look)


def _num_replications(table: pd.DataFrame) -> int:
    if "replications" in table:
        return int(table["replications"].max())
    return int(table["replication"].nunique())


def _band(table: pd.DataFrame, what: str = "Bands") -> str:
    several = _num_replications(table) > 1
    return f"{what}: smallest to largest replication." if several else "1 replication: no interval."


def _largest(half_hours: pd.DataFrame, value: str, most: int) -> tuple[list[str], str]:
    """The pools with the largest mean, largest first, and what the caption says of the others."""
    means = half_hours.groupby("pool", sort=False)[value].mean()
    pools = list(means.sort_values(ascending=False, kind="stable").index)
    left_out = f"Pools with the largest means; {len(pools) - most} left out." * (len(pools) > most)
    return pools[:most], left_out


def _time_axis(ax: Axes, half_hours: pd.DataFrame, name: str) -> None:
    first = int(half_hours["half_hour"].min())
    last = int(half_hours["half_hour"].max()) + HALF_HOUR
    ax.set(xlim=(first, last), xlabel=name)
    ax.xaxis.set_major_locator(MultipleLocator(HALF_HOUR * (4 if last - first < 43_200 else 8)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _clock(int(x))))


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def _row_name(line: Mapping[Any, Any], labels: Labels) -> str:
    """The label of a difference, or those of metric and subject, line by line."""
    if isinstance(line.get("label"), str):
        return _fitted(line["label"], columns=44, lines=3)
    ids = (line["metric"], line["subject"])
    parts = (str(labels.get(str(name), name)).split("\n") for name in ids)
    pairs = zip_longest(*parts, fillvalue="")
    return _fitted("\n".join(": ".join(filter(None, pair)) for pair in pairs), columns=44, lines=3)


def _values(line: Mapping[Any, Any], known: bool) -> str:
    """The numbers beside a difference, such as `−3.20 [−3.90, −2.50] (−26 %)`."""
    text = _signed(line["difference"])
    if known:
        text += f" [{_signed(line['low'])}, {_signed(line['high'])}]"
    share = line["difference"] / (line["reference_mean"] or np.nan)
    if np.isfinite(share):
        text += f" ({share * 100:+.0f} %)".replace("-", "−")
    count = int(line["replications"])
    return text if known else f"{text}  {count} replication{'s' * (count != 1)}: no interval"


def _signed(value: float) -> str:
    if not np.isfinite(value):
        return "no value"
    return (f"{value:+,.0f}" if abs(value) >= 99.95 else f"{value:+#.3g}").replace("-", "−")
