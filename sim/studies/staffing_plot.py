"""The figure of a staffing study: what each level of the first promise costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim.labels import Labels, title
from sim.metric_definitions import METRICS
from sim.plot_style import SMALL, Cast, finish, fitted, grid, look, style_at
from sim.plots import STEPS
from sim.studies.staff_findings import Measured, Staffing

TITLE: Final = "Staffing: cost against what is promised 人员成本与承诺"
GREY: Final = "#999999"


@look()
def frontier_figure(staffing: Staffing) -> Figure:
    """Every staff that was tried, by cost and first promise, and the cheapest at each level."""
    goal = staffing.goals[0]
    metric = METRICS[goal.metric]
    scale = 100 if metric.is_share else 1
    labels = Labels.of({staffing.loaded.name: staffing.loaded})
    name = staffing.loaded.name
    style = style_at(0)
    cast = Cast({name: style}, {name: labels.scenarios[name]}, {name: staffing.replications})
    figure, panels = grid(1, 1, (8.6, 4.6))
    ax: Axes = panels[0, 0]
    tried = np.array([(one.cost, scale * one.means[0]) for one in staffing.tried])
    ax.plot(*tried.T, "o", color=GREY, markersize=3.5, alpha=0.6, label="tried 试过的方案")
    best = np.array([(one.cost, scale * one.means[0]) for one in staffing.tried if one.is_best])
    if len(best):
        ax.plot(
            *best.T,
            color=style.colour,
            drawstyle="steps-post",
            marker="o",
            markersize=3.5,
            linewidth=1.6,
            label="best for its cost 同等成本中最好",
        )
    promise = f"promise 承诺: {goal.relation} {goal.level_text}"
    ax.axhline(scale * goal.level, color="black", linestyle="--", linewidth=1, label=promise)
    at: dict[str, Any] = {"xytext": (4, 3), "textcoords": "offset points", **SMALL}
    others = [one for one in staffing.levels if one.measured is not None and one.goal != goal]
    for number, level in enumerate(others):
        assert level.measured is not None
        point = (level.measured.cost, scale * level.measured.promises[0].mean)
        label = "" if number else "cheapest at this level 该水平最低成本"
        ax.plot(*point, "D", color=style.colour, markerfacecolor="white", label=label)
        ax.annotate(f"{goal.relation} {level.goal.level_text}", point, **at)
    _marked(ax, staffing.today, scale, "s", "today 现有人员")
    _marked(ax, staffing.chosen, scale, "*", "chosen 所选方案")
    ax.set_xlabel(
        fitted(f"cost of the pools that are looked at 成本 (a server costs {_costs(staffing)})", 90)
    )
    subject = " ".join(labels.subject(goal.metric, goal.subject).split("\n"))
    ax.set_ylabel(f"{title(goal.metric)} ({metric.unit})\n{fitted(subject, 46)}")
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=STEPS))
    # What is far off, such as abundant servers, would squeeze the rest.
    measured = [staffing.today, staffing.chosen]
    measured += [level.measured for level in others if level.measured is not None]
    means = [scale * one.promises[0].mean for one in measured]
    left, right = _around([one.cost for one in measured])
    low, high = _around([*means, *(scale * level.goal.level for level in staffing.levels)])
    ax.set_xlim(max(left, 0.0), right)
    ax.set_ylim(max(low, 0.0), min(high, 101.0) if metric.is_share else high)
    legend: dict[str, Any] = {"fontsize": 8, "edgecolor": "white", "framealpha": 0.9}
    ax.legend(loc="lower right" if goal.relation == ">=" else "upper right", **legend)
    is_inside = (tried > (left, low)).all(axis=1) & (tried < (right, high)).all(axis=1)
    outside = int((~is_inside).sum())
    notes = (
        f"Demand {staffing.demand}; seed {staffing.seed}. Bars: one-sided bounds at both ends.",
        "Dots and steps: replications of the search.",
        "Steps: the other promises kept." * (len(staffing.goals) > 1),
        f"{outside} staffs tried lie outside." * bool(outside),
    )
    return finish(figure, TITLE, cast, lambda one: Line2D([], [], color=one.colour), "", *notes)


def _around(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis on which these are, with some room."""
    room = max(0.3 * (max(values) - min(values)), 0.02 * max(map(abs, values)))
    return min(values) - room, max(values) + room


def _marked(ax: Axes, found: Measured, scale: float, marker: str, label: str) -> None:
    kept = found.promises[0]
    mean, low, high = (scale * value for value in (kept.mean, kept.low, kept.high))
    ax.errorbar(
        found.cost,
        mean,
        ([mean - low], [high - mean]),
        marker=marker,
        markersize=13 if marker == "*" else 7,
        color="black",
        markerfacecolor="#ffa90e",
        linestyle="",
        capsize=3,
        label=label,
        zorder=5,
    )


def _costs(staffing: Staffing) -> str:
    costs = sorted({post.cost for post in staffing.posts})
    return f"{costs[0]:g}" if len(costs) == 1 else f"{costs[0]:g} to {costs[-1]:g}"
