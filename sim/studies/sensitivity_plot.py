"""The figures of a sensitivity study: a tornado for each metric."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sim.comparison import SHARE_UNIT
from sim.labels import Labels, title
from sim.plot_style import SMALL, Cast, Style, finish, fitted, grid, look, nothing, style_at
from sim.plots import POINTS, STEPS
from sim.studies.sensitivity import NOT_MOVED, Effect, End, Ranking, Sensitivity
from sim.texts import one_line

MOST: Final = 20
"""Bars of a figure."""
FEW, MANY = 4, 4
"""As many of the largest ends may go beyond the axis, if they are so many times as large as what
comes next."""


def sensitivity_figures(found: Sensitivity) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each metric, one at a time."""
    caption = (
        f"Seed {found.seed}. One group of assumed numbers at a time, over its range "
        f"(±{100 * found.share:g} %, unless the file says another)."
    )
    for ranking in found.rankings:
        yield f"tornado-{ranking.metric}-{ranking.subject}", tornado(found, ranking, caption)


@look()
def tornado(found: Sensitivity, ranking: Ranking, caption: str) -> Figure:
    """What the groups that move a metric most do to it, a row each, the largest on top."""
    labels = Labels.of({found.loaded.name: found.loaded})
    subject = labels.subject(ranking.metric, ranking.subject)
    heading = f"{title(ranking.metric)}: {one_line(subject)}"
    effects = ranking.moving()[:MOST]
    if not effects:
        return nothing(heading, "no group of assumed numbers that moves it", caption)
    low, high = style_at(0), style_at(1)
    name = found.loaded.scenario.label.text() if found.loaded.scenario.label else found.loaded.name
    cast = Cast({"low": low}, {"low": name}, {"low": found.replications})
    figure, panels = grid(1, 1, (10.5, 0.9 + 0.44 * len(effects)))
    ax = panels[0, 0]
    is_share = ranking.unit == SHARE_UNIT
    times = 100 if is_share else 1
    most = times * _most(effects)
    for row, effect in enumerate(effects):
        for end, style, offset in ((effect.low, low, -0.2), (effect.high, high, 0.2)):
            if end == NOT_MOVED or not np.isfinite(end.difference):
                continue
            ax.barh(row + offset, times * end.difference, 0.38, **style.bar)
            _whisker(ax, row + offset, end, times)
            if most < times * abs(end.difference):
                _beyond(ax, row + offset, end, times, most)
        text = f"{effect.group.low_text} … {effect.group.now_text} … {effect.group.high_text}"
        ax.text(1.01, row, text, va="center", transform=ax.get_yaxis_transform(), **SMALL)
    ax.axvline(0, color="black", linewidth=1.2)
    if np.isfinite(most):
        left, right = ax.get_xlim()
        ax.set_xlim(max(left, -1.1 * most), min(right, 1.1 * most))
    _kept(ax, ranking, times)
    ax.set_yticks(range(len(effects)), [_name(effect) for effect in effects], fontsize=8)
    ax.set_ylim(len(effects) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(8, steps=STEPS))
    unit = POINTS if is_share else ranking.unit
    ax.set_xlabel(f"effect on {title(ranking.metric)} ({unit}), from {times * ranking.now:.4g} now")
    handles: list[Any] = [Patch(**low.bar), Patch(**high.bar)]
    legend = ax.legend(
        handles, ["at the low end", "at the high end"], loc="lower right", fontsize=8
    )
    legend.set_in_layout(False)
    left = len(ranking.moving()) - len(effects)
    notes = (
        "Whiskers: paired t intervals that hold together at 95 %; groups that cannot be told from "
        "0 are not shown. At the right: from … now … to.",
        f"{left} more groups move it, less." * bool(left),
        "Shaded: where the published figure is kept." * (ranking.published is not None),
    )
    return finish(figure, heading, cast, _no_key, caption, *notes)


def _no_key(style: Style) -> Artist:
    """The scenario is named; colours stand for the ends of a range."""
    return Patch(visible=False)


def _name(effect: Effect) -> str:
    return fitted(effect.group.label, columns=70, lines=2)


def _whisker(ax: Axes, y: float, end: End, times: float) -> None:
    if np.isfinite(end.low):
        ax.plot((times * end.low, times * end.high), (y, y), color="#333333", linewidth=1)


def _most(effects: Sequence[Effect]) -> float:
    """Where the axis ends at most: a few that are many times as large shall not squeeze others."""
    ends = (end for effect in effects for end in (effect.low, effect.high))
    found = (abs(end.difference) for end in ends if np.isfinite(end.difference))
    sizes = sorted(found, reverse=True)
    pairs = list(itertools.pairwise(sizes[: FEW + 1]))
    for larger, size in reversed(pairs):
        if larger > MANY * size > 0:
            return 1.5 * size
    return math.inf


def _beyond(ax: Axes, y: float, end: End, times: float, most: float) -> None:
    """The value of a bar that goes on beyond the axis."""
    side = 1 if end.difference > 0 else -1
    text = f"{times * end.difference:+.3g} {'→' if side > 0 else '←'}".replace("-", "−")
    ax.text(side * 1.08 * most, y, text, ha="right" if side > 0 else "left", va="center", **SMALL)


def _kept(ax: Axes, ranking: Ranking, times: float) -> None:
    """Shade where the published figure is kept, as far as the axis goes."""
    figure = ranking.published
    if figure is None:
        return
    left, right = ax.get_xlim()
    begin, end = left, right
    if figure.equals is not None:
        begin = times * (figure.equals - figure.tolerance - ranking.now)
        end = times * (figure.equals + figure.tolerance - ranking.now)
    elif figure.at_least is not None:
        begin = times * (figure.at_least - figure.tolerance - ranking.now)
    elif figure.at_most is not None:
        end = times * (figure.at_most + figure.tolerance - ranking.now)
    begin, end = max(begin, left), min(end, right)
    if begin < end:
        ax.axvspan(begin, end, color="#dddddd", linewidth=0, zorder=0)
    ax.set_xlim(left, right)
