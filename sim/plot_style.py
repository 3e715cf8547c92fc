"""How figures look: font, colours, panels, legend, title and caption.

A figure names its metric and units and ends with a caption: the caller's words, then scenarios,
number of replications, what band or interval is drawn, what was left out. A scenario has one
colour, line, marker and hatch, by its place in the results: it looks alike in every figure and can
be told apart in grey.

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
from pathlib import Path
from typing import Any, Final

import matplotlib.style
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from sim.durations import format_time_of_day
from sim.texts import one_line

Labels = Mapping[str, str]
"""From id to display text; an id without one is shown as it is."""

HALF_HOUR: Final = 1800
"""Seconds."""
FONTS: Final = ("DejaVu Sans", "Service Hall Sans")
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
    "svg.hashsalt": "hall",
    "text.parse_math": False,
}
SMALL: Final[dict[str, Any]] = {
    "fontsize": 8,
    "bbox": {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.8},
}
FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "png": ("Software",),
    "svg": ("Creator", "Date"),
    "pdf": ("CreationDate", "Creator", "Producer"),
}
"""How a figure can be written, and what is not written about it."""
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
def look() -> Iterator[None]:
    """The look of every figure, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", _LOOK]), warnings.catch_warnings():
        # A label may hold any character; the box drawn for one in neither font says enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a file: the same bytes for the same figure (no date in it).

    kind  a key of FORMATS; PNG has 150 dpi.
    """
    content = BytesIO()
    with look():
        figure.savefig(content, format=kind, metadata=dict.fromkeys(FORMATS[kind]))
    return content.getvalue()


@dataclass(frozen=True)
class Cast:
    """The scenarios of one figure: their styles, names and numbers of replications."""

    styles: dict[str, Style]
    names: dict[str, str]
    replications: dict[str, int]

    @classmethod
    def of(cls, table: pd.DataFrame, scenarios: Labels | None) -> Cast:
        """Those that the table has, in the order of `scenarios`, which holds their labels."""
        scenarios = scenarios or {}
        order = list(dict.fromkeys([*scenarios, *table["scenario"]]))
        parts = {str(name): part for name, part in table.groupby("scenario")}
        there = [name for name in order if name in parts]
        return cls(
            {name: style_at(order.index(name)) for name in there},
            {name: shown(scenarios, name) for name in there},
            {name: num_replications(parts[name]) for name in there},
        )

    def place(self, name: str) -> int:
        """The position of a scenario (from 0) among those of this figure."""
        return list(self.styles).index(name)

    def sentence(self) -> str:
        """What the caption says of them."""
        names = [one_line(name) for name in self.names.values()]
        counts = [f"{n} replication{'s' * (n != 1)}" for n in self.replications.values()]
        if len(set(counts)) == 1:
            return f"Scenarios: {', '.join(names)}; {counts[0]} each."
        pairs = zip(names, counts, strict=True)
        return f"Scenarios: {', '.join(f'{name} ({count})' for name, count in pairs)}."


Key = Callable[[Style], Artist]
"""What the legend shows of a style."""


def line_key(style: Style) -> Artist:
    """A line with a marker."""
    return Line2D([], [], **style.line | {"markersize": 5})


def dot_key(style: Style) -> Artist:
    """A dot with an interval."""
    return Line2D([], [], **style.line | {"markersize": 6, "linestyle": "-", "linewidth": 2})


def bar_key(style: Style) -> Artist:
    """A bar."""
    return Patch(**style.bar)


def grid(
    panels: int, most: int, size: tuple[float, float], high: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure, and its panels of this size (inches), at most so many across, each `high` rows."""
    rows = -(-panels // most)
    columns = -(-panels // rows)
    inches = (max(7.5, columns * size[0]), rows * high * size[1] + 1.5)
    figure = Figure(figsize=inches, layout="constrained")
    axes = figure.subplots(rows * high, columns, squeeze=False, **options)
    for spare in range(panels, rows * columns):
        for ax in axes[spare // columns * high :, spare % columns]:
            ax.remove()
    return figure, axes


def time_axis(ax: Axes, half_hours: pd.DataFrame, name: str) -> None:
    """The hours of the day of all half-hours of a table, with a tick every two or four hours."""
    first = int(half_hours["half_hour"].min())
    last = int(half_hours["half_hour"].max()) + HALF_HOUR
    ax.set(xlim=(first, last), xlabel=name)
    ax.xaxis.set_major_locator(MultipleLocator(HALF_HOUR * (4 if last - first < 43_200 else 8)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_time_of_day(int(x))))


def finish(
    figure: Figure,
    title: str,
    cast: Cast,
    key: Key,
    caption: str,
    *notes: str,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """The figure with title, legend and caption, laid out.

    colours  what they mean where they are not those of the scenarios, by the text in the legend.
    """
    # The title belongs to the legend: the layout would draw a legend over a "suptitle".
    options: dict[str, Any] = {"title": title, "title_fontsize": 12, "alignment": "left"}
    colours = colours or {}
    texts = [*cast.names.values(), *colours]
    keys = [key(style) for style in cast.styles.values()]
    keys += [Patch(facecolor=colour) for colour in colours.values()]
    options["ncols"] = min(len(texts), int(figure.get_figwidth() // 2.5))
    figure.legend(keys, texts, loc="outside upper left", frameon=False, **options)
    _add_caption(figure, " ".join([caption, cast.sentence(), *notes]))
    # Laid out once and for all: a second layout starts from the first and differs a little. And
    # without drawing, which would take as long again.
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def nothing(title: str, what: str, caption: str) -> Figure:
    """A figure of what is not there."""
    figure = Figure(figsize=(7.5, 2.0))
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.text(0.5, 0.5, f"nothing to show: {what} in these results", ha="center")
    _add_caption(figure, caption)
    return figure


def _add_caption(figure: Figure, text: str) -> None:
    # The layout keeps room for a "supxlabel", not for a free text.
    text = fitted(one_line(text), columns=int(figure.get_figwidth() * 16))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="#333333")


def shown(labels: Labels, name: object) -> str:
    """The label of this id, or the id itself, in lines that fit a panel."""
    return fitted(str(labels.get(str(name), name)), columns=34, lines=4)


def fitted(text: str, columns: int, lines: int = 40) -> str:
    """The text in lines of so many columns (a hanzi takes 2); control characters become U+FFFD."""
    found = []
    for paragraph in text.split("\n"):
        clean = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in paragraph)
        line, used = "", 0
        for word in re.findall(rf"\s|[^\s\u2e80-\uffef]{{1,{columns}}}|\S", clean):
            width = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in word)
            if used + width > columns and not word.isspace():
                found.append(line.rstrip())
                line, used = "", 0
            line, used = line + word, used + width
        found.append(line.rstrip())
    return "\n".join(found[:lines]) + " …" * (len(found) > lines)


def num_replications(table: pd.DataFrame) -> int:
    """How many replications a table is of."""
    if "replications" in table:
        return int(table["replications"].max())
    return int(table["replication"].nunique())
