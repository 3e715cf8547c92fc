"""The figures: tables in, matplotlib figures out.

Every function takes tidy tables (pandas), a mapping `labels` from id to display text, and a caption, and returns a
`Figure` that no pyplot state knows, so it works without a display and in threads.

Each figure names its metric and its units and ends with a caption: the caller's words, then the scenarios, the number
of replications, what the band or interval is, and what was left out. A scenario has one colour, line, marker and hatch,
by its place in `scenarios` (the order of the results; by default the order of appearance in the table), so that it
looks alike in every figure and can be told apart in grey.

Labels are text and nothing else: `$`, `<b>` and `[/red]` are drawn as they stand. Chinese comes from the font in
`sim/fonts`; a character in neither font is drawn as a box.
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
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

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
# petroff10, in an order that keeps the first four apart in grey.
_COLOURS: Final = (
    *("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "#94a4a2"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
# 10 colours, 9 markers and 7 lines: no pair of scenarios below 70 shares colour and line.
_LINES: Final = (
    "-",
    (0, (5, 2)),
    (0, (6, 2, 1, 2)),
    (0, (1, 1.2)),
    (0, (9, 3)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 2)),
)
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_HATCHES: Final = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++")


@dataclass(frozen=True)
class Style:
    """How one scenario is drawn, in every figure."""

    colour: str
    line: Any
    """A matplotlib line style."""
    marker: str
    hatch: str


def style_at(position: int) -> Style:
    """The style of the scenario at this position (from 0) of the results."""
    kinds: tuple[tuple[Any, ...], ...] = (_COLOURS, _LINES, _MARKERS, _HATCHES)
    return Style(*(kind[position % len(kind)] for kind in kinds))


@contextmanager
def _look() -> Iterator[None]:
    """The look of every figure, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", _LOOK]):
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG at 150 dpi; the same figure always gives the same bytes (no date, no version)."""
    content = BytesIO()
    with _look(), warnings.catch_warnings():
        # A label may hold any character. The box drawn for one in neither font says enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(content, format="png", metadata={"Software": None})
    path.write_bytes(content.getvalue())


@_look()
def lead_time_figure(
    lead_times: pd.DataFrame,
    limits: Mapping[tuple[str, str], float],
    labels: Mapping[str, str],
    caption: str,
    scenarios: Sequence[str] = (),
) -> Figure:
    """Share of cases finished within a number of counted working days: one panel per time, one step line per scenario.

    lead_times  scenario, replication, time, working_days, share; a row where a share first holds is enough.
    limits      the promise in working days, by (scenario, time); drawn as a dashed line with the share that keeps it.
    """
    title = "Lead time: cases finished within so many working days"
    if lead_times.empty:
        return _nothing(title, "no lead times", caption)
    times = list(lead_times["time"].unique())
    cast = _Cast.of(lead_times, scenarios, labels)
    figure, panels = _grid(title, -(-len(times) // 3), min(3, len(times)), (4.2, 3.2))
    notes = []
    for ax, time in zip(panels.flat, times, strict=False):
        part = lead_times[lead_times["time"] == time]
        promises = {name: limits[name, time] for name in cast.styles if (name, time) in limits}
        days = np.arange(int(part["working_days"].max()) + 2)
        finished = {
            name: wide.reindex(days).ffill().fillna(0.0) * 100
            for name, wide in _by_replication(part, "working_days", "share")
        }
        ends = [
            int(np.argmax(wide.mean(axis=1) >= wide.mean(axis=1).iloc[-1] - 0.5))
            for wide in finished.values()
        ]
        right = max([3, *ends, *promises.values()]) * 1.05 + 0.5
        if right < days[-2]:
            notes = ["An axis ends where every line is within half a percent point of its end."]
        for name, wide in finished.items():
            _line(ax, wide, cast.styles[name], step=True)
        drawn_at: list[float] = []
        for name, limit in promises.items():
            style = cast.styles[name]
            ax.axvline(limit, color=style.colour, linestyle="--", linewidth=1.1)
            text = f"promise {limit:g} d"
            if name in finished:
                kept = float(finished[name].mean(axis=1).iloc[min(int(limit), len(days) - 1)])
                ax.plot(
                    limit, kept, style.marker, color=style.colour, markeredgecolor="black", zorder=4
                )
                text += f": {kept:.1f} %"
            near = sum(abs(limit - other) < right / 12 for other in drawn_at)
            drawn_at.append(limit)
            at = {
                "xytext": (3 + 12 * near, 4),
                "textcoords": "offset points",
                "rotation": 90,
                "fontsize": 8,
            }
            ax.annotate(text, (limit, 0), color=style.colour, va="bottom", **at)
        ax.set(xlim=(0, right), ylim=(0, 105), ylabel="share of cases finished (%)")
        ax.set_xlabel("counted working days (day of acceptance = 0)")
        ax.set_title(_shown(labels, time))
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    notes.append(
        "Dashed: the promise, and the share of cases finished within it." if limits else ""
    )
    return _finish(figure, cast, cast.line_handle, caption, _band(lead_times), *notes)


@_look()
def half_hour_figure(
    half_hours: pd.DataFrame, labels: Mapping[str, str], caption: str, scenarios: Sequence[str] = ()
) -> Figure:
    """Mean waiting time (min) above utilisation (%) over the day, for the pools with the longest waiting.

    half_hours  scenario, replication, pool, half_hour (s since midnight), waiting_time_mean (s), utilisation (0 to 1);
                closed half-hours are missing or NaN and leave a gap in the line.
    """
    title = "Mean waiting time and utilisation over the day"
    if half_hours.empty:
        return _nothing(title, "no half-hours", caption)
    pools, left_out = _largest(half_hours, "pool", "waiting_time_mean", MAX_POOLS)
    cast = _Cast.of(half_hours, scenarios, labels)
    columns = min(4, len(pools))
    figure, panels = _grid(title, 2 * -(-len(pools) // columns), columns, (3.4, 2.1))
    for number, pool in enumerate(pools):
        part = half_hours[half_hours["pool"] == pool]
        row, column = 2 * (number // columns), number % columns
        shown = (
            ("waiting_time_mean", 1 / 60, "mean waiting\ntime (min)"),
            ("utilisation", 100, "utilisation (%)"),
        )
        for ax, (value, scale, unit) in zip(panels[row : row + 2, column], shown, strict=True):
            for name, wide in _by_replication(part, "half_hour", value):
                _line(ax, _gapped(wide * scale), cast.styles[name])
            ax.set_ylim(0, max(105 if value == "utilisation" else 1, ax.get_ylim()[1]))
            _time_axis(ax, half_hours)
            if column == 0:
                ax.set_ylabel(unit)
        panels[row, column].set_title(_shown(labels, pool))
        panels[row, column].set_xlabel("")
    notes = (
        f"Waiting: of those who came in that half-hour; each panel has its own scale.{left_out}",
    )
    return _finish(figure, cast, cast.line_handle, caption, _band(half_hours), *notes)


@_look()
def queue_length_figure(
    half_hours: pd.DataFrame, labels: Mapping[str, str], caption: str, scenarios: Sequence[str] = ()
) -> Figure:
    """Queue length over the day: median, 25-75 % and 10-90 % of working days; pools down, scenarios across.

    half_hours  scenario, replication, pool, half_hour, queue_length_mean, queue_length_p10, ... p25, p50, p75, p90.
    """
    title = "Queue length over the day"
    if half_hours.empty:
        return _nothing(title, "no half-hours", caption)
    pools, left_out = _largest(half_hours, "pool", "queue_length_mean", MAX_QUEUES)
    cast = _Cast.of(half_hours, scenarios, labels)
    width = float(np.clip(11 / len(cast.styles), 2.4, 4.2))
    figure, panels = _grid(title, len(pools), len(cast.styles), (width, 1.9), sharey="row")
    quantiles = [f"queue_length_p{percent}" for percent in (10, 25, 50, 75, 90)]
    for row, pool in zip(panels, pools, strict=True):
        for ax, (name, style) in zip(row, cast.styles.items(), strict=True):
            part = half_hours[(half_hours["pool"] == pool) & (half_hours["scenario"] == name)]
            mean = _gapped(part.groupby("half_hour")[quantiles].mean())
            p10, p25, p50, p75, p90 = (mean[quantile] for quantile in quantiles)
            x = mean.index + HALF_HOUR / 2
            ax.fill_between(x, p10, p90, color=style.colour, alpha=0.2, linewidth=0)
            ax.fill_between(x, p25, p75, color=style.colour, alpha=0.4, linewidth=0)
            ax.plot(
                x, p50, color=style.colour, linestyle=style.line, marker=style.marker, markersize=3
            )
            _time_axis(ax, half_hours)
            if ax not in panels[-1]:
                ax.set_xlabel("")
        row[0].set_ylim(0, max(1, row[0].get_ylim()[1]))
        row[0].set_ylabel("queue length (cases)")
        row[0].set_title(_shown(labels, pool))
    note = "Line: median of working days; bands: 25 to 75 % and 10 to 90 % of them; each a mean over the replications."
    return _finish(figure, cast, cast.line_handle, caption, note + left_out)


@_look()
def visits_figure(
    visits: pd.DataFrame, labels: Mapping[str, str], caption: str, scenarios: Sequence[str] = ()
) -> Figure:
    """Share of finished cases by number of visits: one panel per case type, one bar per scenario, the mean marked.

    visits  scenario, replication, case_type, visits (whole number), share (of finished cases); missing rows are 0.
    """
    title = "Visits to the hall per finished case"
    if visits.empty:
        return _nothing(title, "no visits", caption)
    case_types = list(visits["case_type"].unique())
    cast = _Cast.of(visits, scenarios, labels)
    places = {name: place for place, name in enumerate(cast.styles)}
    width = 0.8 / len(places)
    figure, panels = _grid(title, -(-len(case_types) // 3), min(3, len(case_types)), (3.9, 3.0))
    for ax, case_type in zip(panels.flat, case_types, strict=False):
        part = visits[visits["case_type"] == case_type]
        highest = 0.0
        for name, wide in _by_replication(part, "visits", "share"):
            style, place = cast.styles[name], places[name]
            shares = wide.fillna(0.0) * 100
            mean, low, high = shares.mean(axis=1), shares.min(axis=1), shares.max(axis=1)
            highest = max(highest, float(high.max()))
            x = shares.index + (place + 0.5) * width - 0.4
            look = {"color": style.colour, "hatch": style.hatch, "edgecolor": "white"}
            ax.bar(
                x, mean, width, yerr=(mean - low, high - mean), ecolor="#333333", capsize=2, **look
            )
            average = float((mean * mean.index).sum() / mean.sum()) if mean.sum() else np.nan
            height = 0.97 - 0.075 * place
            ax.plot(
                average,
                height,
                style.marker,
                color=style.colour,
                transform=ax.get_xaxis_transform(),
            )
            ax.vlines(
                average,
                0,
                height,
                style.colour,
                style.line,
                transform=ax.get_xaxis_transform(),
                linewidth=1,
            )
            at = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
            ax.annotate(f"mean {average:.2f}", (average, height), xycoords=ax.get_xaxis_transform(), **at)
        ax.set(xlabel="visits per case", ylabel="share of finished cases (%)")
        ax.set_ylim(0, max(1.0, highest) / max(0.3, 0.94 - 0.075 * len(places)))
        ax.set_xlim(part["visits"].min() - 0.6, part["visits"].max() + 1.1)
        ax.set_title(_shown(labels, case_type))
        ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    notes = (_band(visits, "Whiskers"), "Upright line: mean number of visits.")
    return _finish(figure, cast, cast.bar_handle, caption, *notes)


@_look()
def difference_figure(
    differences: pd.DataFrame,
    labels: Mapping[str, str],
    caption: str,
    scenarios: Sequence[str] = (),
    interval: str = "95 % confidence interval",
) -> Figure:
    """Paired differences from the reference with their intervals: one panel per unit, a line at zero.

    differences  metric, subject, unit, reference, scenario, difference, low, high, reference_mean, replications;
                 optionally label, instead of the labels of metric and subject. Without interval: low and high NaN.
    """
    title = "Paired differences from the reference"
    if differences.empty:
        return _nothing(title, "no differences", caption)
    table = differences.reset_index(drop=True).fillna({"subject": ""})
    table["row"] = pd.factorize(pd.MultiIndex.from_frame(table[["metric", "subject", "unit"]]))[0]
    left_out = max(0, int(table["row"].max()) + 1 - MAX_ROWS)
    table = table[table["row"] < MAX_ROWS]
    units = [part for _, part in table.groupby("unit", sort=False)]
    references = list(table["reference"].unique())
    cast = _Cast.of(table, [*scenarios, *references], labels)
    places = {name: place for place, name in enumerate(cast.styles)}
    step = 0.8 / len(places)
    heights = [part["row"].nunique() * max(0.42, 0.2 * len(places)) + 0.3 for part in units]
    figure, panels = _grid(
        title, len(units), 1, (9.0, sum(heights) / len(units) + 0.4), height_ratios=heights
    )
    for ax, part in zip(panels.flat, units, strict=True):
        rows = {row: y for y, row in enumerate(part["row"].unique())}
        names = {row["row"]: _row_name(row, labels) for row in part.to_dict("records")}
        for row in part.to_dict("records"):
            style = cast.styles[row["scenario"]]
            y = rows[row["row"]] - 0.4 + (places[row["scenario"]] + 0.5) * step
            known = bool(np.isfinite(row["low"]) and np.isfinite(row["high"]))
            if known:
                ax.plot(
                    (row["low"], row["high"]),
                    (y, y),
                    color=style.colour,
                    linewidth=2,
                    solid_capstyle="butt",
                )
            fill = style.colour if known else "white"
            ax.plot(
                row["difference"],
                y,
                style.marker,
                color=style.colour,
                markerfacecolor=fill,
                markersize=6,
            )
            ax.text(
                1.01,
                y,
                _values(row, known),
                va="center",
                fontsize=8,
                transform=ax.get_yaxis_transform(),
            )
        ax.axvline(0, color="black", linewidth=1.2)
        ax.margins(x=0.08)
        ax.set_yticks(range(len(rows)), list(names.values()))
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        against = ", ".join(
            _shown(labels, reference).replace("\n", " ") for reference in references
        )
        ax.set_xlabel(f"difference from {against} ({_shown(labels, part['unit'].iloc[0])})")
    notes = [
        f"Dot: mean of the paired differences; line and brackets: {interval}; in parentheses: share of the reference.",
        "Hollow: no interval." if table["low"].isna().any() else "",
        f"{left_out} rows left out." if left_out else "",
    ]
    return _finish(figure, cast, cast.dot_handle, caption, *notes)


@dataclass(frozen=True)
class _Cast:
    """The scenarios of one figure: their styles, names and numbers of replications."""

    styles: dict[str, Style]
    names: dict[str, str]
    replications: dict[str, int]

    @classmethod
    def of(cls, table: pd.DataFrame, scenarios: Sequence[str], labels: Mapping[str, str]) -> _Cast:
        present = list(table["scenario"].unique())
        order = list(dict.fromkeys([*scenarios, *present]))
        groups = table.groupby("scenario")
        counts = (
            groups["replications"].max()
            if "replications" in table
            else groups["replication"].nunique()
        )
        shown = [name for name in order if name in present]
        return cls(
            {name: style_at(order.index(name)) for name in shown},
            {name: _shown(labels, name) for name in shown},
            {name: int(counts[name]) for name in shown},
        )

    def line_handle(self, name: str) -> Line2D:
        style = self.styles[name]
        return Line2D(
            [], [], color=style.colour, linestyle=style.line, marker=style.marker, markersize=5
        )

    def dot_handle(self, name: str) -> Line2D:
        return Line2D(
            [], [], color=self.styles[name].colour, marker=self.styles[name].marker, linewidth=2
        )

    def bar_handle(self, name: str) -> Patch:
        style = self.styles[name]
        return Patch(facecolor=style.colour, hatch=style.hatch, edgecolor="white")

    def sentence(self) -> str:
        names = {name: text.replace("\n", " ") for name, text in self.names.items()}
        each = [f"{count} replication{'s'[: count != 1]}" for count in self.replications.values()]
        if len(set(each)) == 1:
            return f"Scenarios: {', '.join(names.values())}; {each[0]} each."
        return f"Scenarios: {', '.join(f'{n} ({e})' for n, e in zip(names.values(), each, strict=True))}."


def _grid(
    title: str, rows: int, columns: int, size: tuple[float, float], **options: Any
) -> tuple[Figure, Any]:
    """A figure with rows x columns panels of this size (inches); `_finish` removes the ones left empty."""
    figure = Figure(
        figsize=(max(7.5, columns * size[0]), rows * size[1] + 1.5), layout="constrained"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    if "height_ratios" in options:
        options = {"gridspec_kw": options}
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def _finish(
    figure: Figure, cast: _Cast, handle: Callable[[str], Any], caption: str, *notes: str
) -> Figure:
    """The figure with its legend and caption, without its empty panels."""
    for ax in figure.axes:
        if not ax.has_data():
            ax.remove()
    columns = min(len(cast.names), max(1, int(figure.get_figwidth() // 2.6)))
    figure.legend(
        [handle(name) for name in cast.names],
        list(cast.names.values()),
        loc="outside upper left",
        ncols=columns,
    )
    return _captioned(figure, " ".join([caption, cast.sentence(), *notes]))


def _captioned(figure: Figure, text: str) -> Figure:
    # The layout keeps room for a "supxlabel", not for a free text.
    text = _fitted(" ".join(text.split()), columns=int(figure.get_figwidth() * 15))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="#333333")
    return figure


def _nothing(title: str, what: str, caption: str) -> Figure:
    figure, _ = _grid(title, 1, 1, (7.5, 1.0))
    figure.clear()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.text(0.5, 0.5, f"nothing to show: {what} in these results", ha="center")
    return _captioned(figure, caption)


def _shown(labels: Mapping[str, str], name: object, columns: int = 34, lines: int = 4) -> str:
    """The label of this id, or the id itself, broken into lines that fit."""
    return _fitted(str(labels.get(str(name), name)), columns, lines)


def _fitted(text: str, columns: int, lines: int = 40) -> str:
    """The text in lines of so many columns (a hanzi takes two); control characters become U+FFFD."""
    fitted = []
    for paragraph in text.split("\n"):
        clean = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in paragraph)
        line, used = "", 0
        for word in re.findall(rf"\s|[^\s\u2e80-\uffef]{{1,{columns}}}|\S", clean):
            width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in word)
            if used + width > columns and not word.isspace():
                fitted.append(line.rstrip())
                line, used = "", 0
            line, used = line + word, used + width
        fitted.append(line.rstrip())
    return "\n".join(
        fitted if len(fitted) <= lines else [*fitted[: lines - 1], fitted[lines - 1] + " …"]
    )


def _by_replication(
    table: pd.DataFrame, key: str, value: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each scenario with its values: one row per key (sorted), one column per replication."""
    for name, part in table.groupby("scenario", sort=False):
        yield str(name), part.pivot(index=key, columns="replication", values=value).sort_index()


def _gapped(table: pd.DataFrame) -> pd.DataFrame:
    """The table by half-hour with an empty row after each half-hour before a pause: no line across lunch."""
    starts = table.index.to_numpy()
    pauses = starts[:-1][np.diff(starts) > HALF_HOUR] + HALF_HOUR
    return table.reindex(np.union1d(starts, pauses))


def _line(ax: Axes, wide: pd.DataFrame, style: Style, step: bool = False) -> None:
    """The mean over the replications, with a band from the smallest to the largest if there are several."""
    x = wide.index.to_numpy() + (0 if step else HALF_HOUR / 2)
    mark = {} if step else {"marker": style.marker, "markersize": 3}
    where = {"drawstyle": "steps-post"} if step else {}
    ax.plot(x, wide.mean(axis=1), color=style.colour, linestyle=style.line, **mark, **where)
    if wide.shape[1] > 1:
        low, high = wide.min(axis=1), wide.max(axis=1)
        ax.fill_between(
            x, low, high, step="post" if step else None, color=style.colour, alpha=0.2, linewidth=0
        )


def _band(table: pd.DataFrame, what: str = "Bands") -> str:
    most = table.groupby("scenario")["replication"].nunique().max()
    return (
        f"{what}: smallest to largest replication." if most > 1 else "1 replication: no interval."
    )


def _largest(table: pd.DataFrame, key: str, value: str, most: int) -> tuple[list[str], str]:
    """The keys with the largest mean value, largest first, and what the caption says of the others."""
    order = list(
        table.groupby(key, sort=False)[value]
        .mean()
        .sort_values(ascending=False, kind="stable")
        .index
    )
    left_out = len(order) - most
    return order[
        :most
    ], f" {left_out} {key}{'s'[: left_out != 1]} with less left out." if left_out > 0 else ""


def _time_axis(ax: Axes, half_hours: pd.DataFrame) -> None:
    first, last = int(half_hours["half_hour"].min()), int(half_hours["half_hour"].max()) + HALF_HOUR
    ax.set_xlim(first, last)
    ax.set_xlabel("time of day")
    ax.xaxis.set_major_locator(MultipleLocator(HALF_HOUR * (4 if last - first < 12 * 3600 else 8)))
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{int(x) // 3600:02d}:{int(x) % 3600 // 60:02d}")
    )


def _row_name(row: Mapping[Any, Any], labels: Mapping[str, str]) -> str:
    """The label of a difference: its own, or those of metric and subject, line by line (English, then Chinese)."""
    if isinstance(row.get("label"), str):
        return _fitted(row["label"], 34, 3)
    parts = (_shown(labels, row[part]).split("\n") for part in ("metric", "subject"))
    return _fitted(
        "\n".join(": ".join(filter(None, pair)) for pair in zip_longest(*parts, fillvalue="")),
        44,
        3,
    )


def _values(row: Mapping[Any, Any], known: bool) -> str:
    """The numbers beside a difference, such as `−3.2 [−3.9, −2.5] (−26 %)`."""
    text = _signed(row["difference"])
    if known:
        text += f" [{_signed(row['low'])}, {_signed(row['high'])}]"
    if row["reference_mean"] and np.isfinite(row["difference"] / row["reference_mean"]):
        text += f" ({row['difference'] / row['reference_mean']:+.0%})".replace("%", " %").replace(
            "-", "−"
        )
    if not known:
        count = int(row["replications"])
        text += f"  {count} replication{'s'[: count != 1]}: no interval"
    return text


def _signed(value: float) -> str:
    if not np.isfinite(value):
        return "no value"
    return (f"{value:+,.0f}" if abs(value) >= 100 else f"{value:+.3g}").replace("-", "−")
