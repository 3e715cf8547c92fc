"""The figure of where the days go: bars of parts, one for each scenario, and by activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sim import labels
from sim.plot_style import SMALL, Cast, Labels, Style, finish, fitted, grid, look, nothing, shown
from sim.plots import STEPS
from sim.texts import one_line

TITLE: Final = "Where the days go: lead times along the critical path  时间去哪儿了"
MAX_ACTIVITIES: Final = 10
COLOURS: Final = {
    "trip": "#3f90da",
    "gate": "#ffa90e",
    "queue": "#bd1f01",
    "service": "#b9ac70",
    "delay": "#832db6",
}
"""By part, in the order of the bars; neighbours can be told apart in grey."""
CLOSED: Final = "closed"
KEY: Final = ["case_type", "activity"]
FEWEST_DAYS: Final = 2
"""Below which an axis is in hours."""
WIDE: Final = 0.07
"""Share of the axis that a part takes at least to have its share written on it."""


@look()
def days_figure(
    estimates: pd.DataFrame,
    times: Labels,
    activities: Mapping[tuple[str, str, str], str],
    caption: str,
    scenarios: Labels | None = None,
) -> Figure:
    """A row of two panels per time: all parts on the left, the biggest activities on the right.

    estimates   as `DaysStudy.estimates`, of any times.
    activities  labels by time, case type and activity.
    """
    table = estimates[estimates["replications"] > 0]
    if table.empty:
        return nothing(TITLE, "no finished case", caption)
    cast = Cast.of(table, scenarios)
    order = [str(time) for time in table["time"].unique()]
    chosen = {time: _biggest(table[table["time"] == time]) for time in order}
    # Inches: the bars of a group, and what is between groups.
    group = 0.2 * len(cast.styles) + 0.2
    heights = [0.9 + group * max(len(chosen[time]), 2) for time in order]
    figure, panels = grid(
        *(2, 2, (6.2, sum(heights) / len(heights))),
        high=len(order),
        height_ratios=heights,
        width_ratios=(1.1, 1),
    )
    for (left, right), time in zip(panels, order, strict=True):
        part = table[table["time"] == time]
        of_all = part[part["by"] == "during and part"]
        ticks = _bars(left, [of_all], cast, has_shares=True)
        left.set_yticks(list(ticks.values()), [cast.names[name] for name in ticks])
        left.set_title(shown(times, time))
        of_activities = part[part["by"] == "activity and part"]
        keys = pd.MultiIndex.from_frame(of_activities[KEY])
        _bars(right, [of_activities[keys == key] for key in chosen[time]], cast)
        names = [_name(activities, time, *key) for key in chosen[time]]
        right.set_yticks(range(len(names)), names)
        left_out = len(keys.unique()) - len(names)
        right.set_title("by activity" + f", the biggest; {left_out} left out" * (left_out > 0))
        for ax in (left, right):
            ax.xaxis.set_major_locator(MaxNLocator(7, steps=STEPS))
            ax.grid(visible=False, axis="y")
        # As thick as on the right, or somewhat thicker.
        around = max(0.55, len(names) / 5)
        left.set_ylim(around, -around)
    colours = {one_line(labels.PARTS[part]): colour for part, colour in COLOURS.items()}
    colours[f"pale: {one_line(labels.PARTS[CLOSED])}"] = _pale("#666666")
    note = (
        "Bars: means over replications, whose parts add up to the lead time; per cent of it. Pale: "
        "outside the working hours, while nobody serves the case."
    )
    return finish(figure, TITLE, cast, _key, caption, note, colours=colours)


def _name(
    activities: Mapping[tuple[str, str, str], str], time: str, case_type: str, activity: str
) -> str:
    return fitted(activities.get((time, case_type, activity), activity), columns=34, lines=4)


def _biggest(part: pd.DataFrame) -> list[tuple[str, str]]:
    """Case type and activity of those that take longest in some scenario."""
    of_activities = part[part["by"] == "activity"]
    longest = of_activities.groupby(KEY, sort=False)["hours"].max()
    keys = longest.sort_values(ascending=False, kind="stable").index[:MAX_ACTIVITIES]
    return [(str(case_type), str(activity)) for case_type, activity in keys]


def _bars(
    ax: Axes, groups: Sequence[pd.DataFrame], cast: Cast, has_shares: bool = False
) -> dict[str, float]:
    """A group of bars each, from above; gives where the last bar of each scenario is.

    A scenario that has nothing in a group has no bar there.
    """
    width = 0.8 / len(cast.styles)
    totals = [group.groupby("scenario")["hours"].sum().max() for group in groups]
    longest = max([1e-9, *totals])
    unit = 24 if longest >= 24 * FEWEST_DAYS else 1
    axis = 1.15 * longest / unit
    places = {}
    for number, group in enumerate(groups):
        for name in dict.fromkeys(group["scenario"]):
            style = cast.styles[name]
            places[name] = y = number - 0.4 + (cast.place(name) + 0.5) * width
            mine = group[group["scenario"] == name]
            end = 0.0
            for during, colour in COLOURS.items():
                of_part = mine[mine["during"] == during]
                begin = end
                for is_closed in (False, True):
                    hours = of_part.loc[(of_part["part"] == CLOSED) == is_closed, "hours"].sum()
                    face = {"facecolor": _pale(colour) if is_closed else colour, "linewidth": 0.3}
                    ax.barh(y, hours / unit, width, end, **style.bar | face)
                    end += hours / unit
                if has_shares and end - begin > WIDE * axis:
                    share = f"{100 * of_part['share'].sum():.0f} %"
                    ax.text((begin + end) / 2, y, share, ha="center", va="center", **SMALL)
            told = f"{end:.3g} d" if end * unit >= 24 * FEWEST_DAYS else f"{end * unit:.3g} h"
            at: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(told, (end, y), **at, **SMALL)
    ax.set(xlim=(0, axis), ylim=(max(len(groups), 1) - 0.45, -0.55))
    ax.set_xlabel(f"{'hours' if unit == 1 else 'days of 24 h'} of each finished case")
    return places


def _pale(colour: str) -> str:
    """The colour of closed hours."""
    mixed = [round(0.35 * int(colour[i : i + 2], 16) + 0.65 * 255) for i in (1, 3, 5)]
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _key(style: Style) -> Artist:
    return Patch(**style.bar | {"facecolor": "#888888"})
