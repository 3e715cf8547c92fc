"""The figure of a warm-up study: Welch's plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim.labels import Labels
from sim.plot_style import (
    Cast,
    Style,
    finish,
    fitted,
    grid,
    look,
    nothing,
    style_at,
)
from sim.plots import STEPS
from sim.warm_up_study import WarmUpStudy

TITLE: Final = "Warm-up: cases in progress at the end of each working day"
THICK: Final = 2.4
"""Width of Welch's average."""


@look()
def warm_up_figure(studies: Mapping[str, WarmUpStudy], caption: str) -> Figure:
    """Mean over replications and Welch's average, and what is left out: a panel per scenario.

    studies  by the name of the scenario; those without a working day have no panel.
    """
    names = Labels.of({name: study.loaded for name, study in studies.items()}).scenarios
    shown = {name: study for name, study in studies.items() if study.num_days}
    if not shown:
        return nothing(TITLE, "no working day", caption)
    cast = Cast(
        {name: style_at(list(studies).index(name)) for name in shown},
        {name: names[name] for name in shown},
        {name: study.num_replications for name, study in shown.items()},
    )
    figure, panels = grid(len(shown), 2, (5.2, 3.4))
    for ax, (name, study) in zip(panels.flat, shown.items(), strict=False):
        _panel(ax, study, cast.styles[name])
        if len(shown) > 1:
            ax.set_title(fitted(cast.names[name], columns=60, lines=4))
    note = (
        "Thin: mean over replications; thick: its moving average. Upright: end of the days that "
        "the file leaves out, and of those that MSER-5 asks for, judging the thin line."
    )
    return finish(figure, TITLE, cast, _key, caption, note)


def _key(style: Style) -> Artist:
    return Line2D([], [], color=style.colour, linewidth=THICK)


def _panel(ax: Axes, study: WarmUpStudy, style: Style) -> None:
    mean, welch = study.in_progress.mean(axis=0), study.welch
    days = np.arange(1, study.num_days + 1)
    colour: dict[str, Any] = {"color": style.colour}
    ax.plot(days, mean, linewidth=0.8, label="mean", **colour)
    ax.plot(
        days[: len(welch)],
        welch,
        linewidth=THICK,
        label=f"Welch's average, ±{study.window} days",
        **colour,
    )
    upright: dict[str, Any] = {"color": "black", "linewidth": 1.4}
    ax.axvline(study.left_out, linestyle="--", label=f"file: {study.left_out}", **upright)
    if study.wanted is not None:
        more = " or more" * study.is_at_limit
        ax.axvline(study.wanted, linestyle=":", label=f"MSER-5: {study.wanted}{more}", **upright)
    # Above the lines, where there is room for it.
    ax.set(xlim=(0, study.num_days), ylim=(0, max(1.0, 1.4 * mean.max())))
    ax.set(xlabel="working days from the empty hall", ylabel="cases in progress")
    heading = "not steady, or too short to tell" if study.is_at_limit else None
    legend = ax.legend(
        loc="upper right",
        ncols=2,
        title="load 1 or more: no steady state" if study.overloads else heading,
        alignment="left",
        fontsize=8,
        title_fontsize=8,
        edgecolor="white",
        framealpha=0.85,
    )
    legend.set_in_layout(False)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=STEPS))
