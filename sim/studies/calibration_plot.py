"""The figure of a calibration: how each target moves along each parameter, and with demand."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.comparison import SHARE_UNIT, unit_of
from sim.durations import format_time_of_day
from sim.plot_style import Cast, Style, finish, fitted, grid, line_key, look, style_at
from sim.plots import STEPS
from sim.promises import Published
from sim.studies.calibration import CIRCUMSTANCES, Calibration
from sim.studies.companions import distance, is_stepped, scale
from sim.studies.fits import Parameter
from sim.studies.points import Trial
from sim.timeline import HOUR

TITLE: Final = "Calibration: targets along each parameter and with demand"
_DEMANDS: Final = ("demand -10 %", "as it is", "demand +10 %")


@look()
def calibration_figure(found: Calibration, caption: str) -> Figure:
    """A row of panels per target, a column per parameter and one for demand."""
    fit = found.fit
    label = fit.loaded.scenario.label
    name = fit.loaded.name
    cast = Cast(
        {name: style_at(0)}, {name: label.text() if label else name}, {name: found.replications}
    )
    columns = len(fit.parameters) + 1
    figure, panels = grid(columns, columns, (3.6, 2.5), high=len(fit.targets))
    for row, (key, target) in zip(panels, fit.targets.items(), strict=True):
        for number, parameter in enumerate(fit.parameters):
            ax = row[number]
            _curves(ax, found.scan(number), key, target, cast.styles[name])
            _uprights(ax, found, number)
            _parameter_axis(ax, parameter)
        trials = [found.trial(found.outcome, circumstances) for circumstances in _DEMANDS]
        demands = [100 * CIRCUMSTANCES[circumstances][0] for circumstances in _DEMANDS]
        _curves(row[-1], list(zip(demands, trials, strict=True)), key, target, cast.styles[name])
        row[-1].set_xlabel("demand (% of the scenario's)")
        row[-1].set_xticks(demands)
        told = target.label.text() if target.label else key
        row[0].set_title(fitted(told, columns=60, lines=2))
        row[0].set_ylabel(_unit(target))
        low = min(ax.get_ylim()[0] for ax in row)
        high = max(ax.get_ylim()[1] for ax in row)
        for ax in row:
            _band(ax, target, low, high)
            ax.set_ylim(low, high)
    handles: list[Any] = [
        Line2D([], [], marker="o", linestyle="", color=style_at(0).colour, markersize=4),
        Line2D([], [], color=style_at(0).colour, linewidth=1.2),
        Patch(facecolor="#dddddd"),
        Line2D([], [], color="black", linestyle="--"),
        Line2D([], [], color="black", linestyle=":"),
    ]
    texts = ["simulated", "companion", "target kept", "now", "fitted"]
    legend = panels[0, -1].legend(handles, texts, fontsize=7, ncols=2, edgecolor="white")
    legend.set_in_layout(False)
    note = (
        "Each panel moves one parameter, the others as in the outcome. Companion: what is fitted; "
        "of a median of whole days, that of the same cases spread over half a day to either side."
    )
    return finish(figure, TITLE, cast, line_key, caption, note)


def _unit(target: Published) -> str:
    unit = unit_of(target.metric)
    return "%" if unit == SHARE_UNIT else unit


def _curves(
    ax: Axes, scan: list[tuple[float, Trial]], key: str, target: Published, style: Style
) -> None:
    times = 100 if unit_of(target.metric) == SHARE_UNIT else 1
    x = [value for value, _ in scan]
    results = [trial[key] for _, trial in scan]
    simulated = [times * result.simulated for result in results]
    ax.plot(x, [times * r.companion for r in results], color=style.colour, linewidth=1.2)
    ax.plot(x, simulated, color=style.colour, marker="o", linestyle="", markersize=4)


def _uprights(ax: Axes, found: Calibration, number: int) -> None:
    ax.axvline(found.fit.start[number], color="black", linestyle="--", linewidth=1.1)
    ax.axvline(found.best[number], color="black", linestyle=":", linewidth=1.4)


def _parameter_axis(ax: Axes, parameter: Parameter) -> None:
    ax.set_xlabel(fitted(parameter.label, columns=44, lines=2))
    margin = (parameter.high - parameter.low) / 40
    ax.set_xlim(parameter.low - margin, parameter.high + margin)
    if parameter.kind.word == "time of day":
        first = -(-parameter.low // HOUR) * HOUR
        count = int((parameter.high - first) // HOUR) + 1
        ax.set_xticks([first + HOUR * n for n in range(0, count, max(1, count // 4))])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_time_of_day(int(x))))
    else:
        whole = parameter.kind.word == "whole number"
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=whole, steps=STEPS))
        if parameter.kind.word == "share":
            ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g} %"))


def _band(ax: Axes, target: Published, low: float, high: float) -> None:
    """Where the target is kept, of the companion."""
    times = 100 if unit_of(target.metric) == SHARE_UNIT else 1
    far = scale(target) if target.tolerance or is_stepped(target.metric) else 0.0
    figure = next(v for v in (target.equals, target.at_least, target.at_most) if v is not None)
    begin = low if distance(-1e9, target) == 0 else times * (figure - far)
    end = high if distance(1e9, target) == 0 else times * (figure + far)
    ax.axhspan(max(low, begin), min(high, end), color="#dddddd", linewidth=0, zorder=0)
