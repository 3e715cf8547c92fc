"""The figure of an attribution: a waterfall from the first scenario to the last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sim.labels import Labels, title
from sim.metric_definitions import METRICS
from sim.numbers import Interval, Number
from sim.output_analysis import Estimate
from sim.plot_style import SMALL, Cast, Style, finish, fitted, grid, look, style_at
from sim.plots import STEPS
from sim.studies.attribution import Attribution, Change, Sort

TITLE: Final = "Who changed how much: from the first scenario to the last"
LESS, MORE = replace(style_at(4), hatch=""), style_at(2)
"""Of groups that take away, and of groups that add."""
HEIGHT: Final = 0.42
"""Inches a bar."""


def waterfall(change: Change, sort: Sort) -> list[tuple[float, float]]:
    """Where each group's bar begins and ends, on the metric's axis.

    The first begins where the first scenario is, each where the one before ends, and the last ends
    where the last scenario is, but for the last bit of a number.
    """
    steps = [effect.share.mean for effect in change.sorted_effects(sort)]
    edges = change.before.mean + np.concatenate(([0.0], np.cumsum(steps)))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


@look()
def attribution_figure(found: Attribution, sort: Sort = "date") -> Figure:
    """A panel per metric: a bar for each scenario, and between them one for each group.

    Bars of groups are their Shapley values, with intervals; they add up to the whole change.
    """
    ends = {"before": found.switches.before, "after": found.switches.after}
    labels = Labels.of(ends)
    # Under reforms a scenario has the label that it had without them.
    names = {end: loaded.name for end, loaded in ends.items()}
    own = {end: loaded.scenario.label for end, loaded in ends.items()}
    if own["before"] != own["after"]:
        names |= {end: label.text() for end, label in own.items() if label}
    cast = Cast(
        {"before": style_at(0), "after": style_at(1)},
        names,
        dict.fromkeys(ends, found.replications),
    )
    rows = len(found.switches.groups) + 2
    figure, panels = grid(len(found.changes), 2, (7.2, HEIGHT * rows + 0.9))
    for ax, change in zip(panels.flat, found.changes, strict=False):
        _panel(ax, change, sort, cast)
        subject = labels.subject(change.metric, change.subject)
        ax.set_title(fitted(f"{title(change.metric)}: {subject}", columns=70, lines=3))
    how = "by Shapley value" + (f" over {found.num_orders} orders" if found.num_orders else "")
    note = (
        f"Between them: what each group of reforms takes away (plain) or adds (dotted), {how}, "
        "with its 95 % interval; the bars add up to the whole change."
    )
    return finish(figure, TITLE, cast, _key, f"Seed {found.seed}.", note)


def _key(style: Style) -> Artist:
    return Patch(**style.bar)


def _panel(ax: Axes, change: Change, sort: Sort, cast: Cast) -> None:
    effects, bars = change.sorted_effects(sort), waterfall(change, sort)
    is_share = METRICS[change.metric].is_share
    scale = 100 if is_share else 1
    last = len(effects) + 1
    edges = [0.0, change.before.mean, change.after.mean, *(edge for bar in bars for edge in bar)]
    least, most = scale * min(edges), scale * max(edges)
    line: dict[str, Any] = {"color": "#333333", "linewidth": 0.8}
    for y, end, value in ((0, "before", change.before), (last, "after", change.after)):
        ax.barh(y, scale * value.mean, 0.7, **cast.styles[end].bar)
        _beside(ax, y, scale * max(value.mean, 0), _number(change, value).text(value.mean))
    ax.plot((scale * change.before.mean,) * 2, (-0.35, 1.35), **line)
    for y, (effect, (begin, end_)) in enumerate(zip(effects, bars, strict=True), start=1):
        style, share = LESS if end_ < begin else MORE, effect.share
        ax.barh(y, scale * (end_ - begin), 0.7, scale * begin, **style.bar)
        # To the row below, whose bar begins there.
        ax.plot((scale * end_,) * 2, (y - 0.35, y + 1.35), **line)
        number = _number(change, share, is_difference=True)
        text, reach = number.signed(share.mean), [begin, end_]
        if share.is_estimable:
            reach += [begin + share.low, begin + share.high]
            ax.plot([scale * edge for edge in reach[2:]], (y, y), color="black", linewidth=1.4)
            interval = Interval(share.mean, share.low, share.high, share.num_replications)
            text += f" {number.interval(interval)}"
        left, right = scale * min(reach), scale * max(reach)
        # Where there is more room.
        is_left = left - least > most - right
        _beside(ax, y, left if is_left else right, text.replace("-", "−"), is_left)
    groups = [fitted(effect.group.label, columns=46, lines=2) for effect in effects]
    ax.set_yticks(range(last + 1), [cast.names["before"], *groups, cast.names["after"]])
    ax.set_ylim(last + 0.6, -0.6)
    room = most - least or 1.0
    ax.set_xlim(least - 0.02 * room * (least < 0), most + 0.15 * room)
    ax.xaxis.set_major_locator(MaxNLocator(8, steps=STEPS))
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("%" if is_share else change.unit)


def _beside(ax: Axes, y: float, x: float, text: str, is_left: bool = False) -> None:
    at: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    at |= {"xytext": (-5, 0), "ha": "right"} if is_left else {"xytext": (5, 0), "ha": "left"}
    ax.annotate(text, (x, y), **at, **SMALL)


def _number(change: Change, value: Estimate, is_difference: bool = False) -> Number:
    row = (value.mean, value.low, value.high)
    return Number(METRICS[change.metric], value.num_replications, row, is_difference)
