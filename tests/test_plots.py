"""The figures say what they show, in any language, in grey, and always in the same bytes."""

import itertools
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

from sim import plots
from sim.plot_style import FONTS, fitted, rendered, style_at

SCENARIOS = {"old": "2015 process\n2015年流程", "new": "2020 process\n2020年流程"}
LABELS = {
    "registration": "Registration\n登记",
    "windows": "Registration windows\n登记窗口",
    "simple": "Simple company\n简单公司",
    "cycle_time": "Cycle time\n办理时间",
}
CAPTION = "Catalogue hall, seed 7."
HOSTILE = "cost $\\frac{$ [/red] <b>x</b> %s {0} \\alpha _^"


def lead_times(replications: int = 2, unit: str = "working days") -> pd.DataFrame:
    """Old: a quarter on day 1, three quarters from day 3; new: half on day 0, all from day 1."""
    steps = {"old": {1: 0.25, 3: 0.75}, "new": {0: 0.5, 1: 1.0}}
    rows = [
        (scenario, replication, "registration", unit, day, share - 0.1 * replication * (share < 1))
        for scenario, shares in steps.items()
        for replication in range(replications)
        for day, share in shares.items()
    ]
    columns = ["scenario", "replication", "time", "unit", "lead_time", "share"]
    return pd.DataFrame(rows, columns=columns)


def half_hours(pools: tuple[str, ...] = ("windows",), replications: int = 2) -> pd.DataFrame:
    """Old is closed from 12:00 to 13:00. Pool k waits k minutes more than pool 0."""
    rows = []
    for scenario in ("old", "new"):
        for replication in range(replications):
            for number, pool in enumerate(pools):
                for start in range(30600, 57600, 1800):
                    if scenario == "old" and 43200 <= start < 46800:
                        continue
                    lengths = [
                        replication + quantile for quantile in (3.0, 1.0, 2.0, 3.0, 4.0, 5.0)
                    ]
                    waiting = 600.0 + 60 * number
                    rows.append((scenario, replication, pool, start, 0.5, waiting, *lengths))
    lengths = [f"queue_length_{name}" for name in ("mean", "p10", "p25", "p50", "p75", "p90")]
    columns = ["scenario", "replication", "pool", "half_hour", "utilisation", "waiting_time_mean"]
    return pd.DataFrame(rows, columns=[*columns, *lengths])


def visits(replications: int = 2) -> pd.DataFrame:
    """Old: half 2, half 4 visits (mean 3); new: all 1 visit."""
    shares = {"old": {2: 0.5, 4: 0.5}, "new": {1: 1.0}}
    rows = [
        (scenario, replication, "simple", number, share)
        for scenario, numbers in shares.items()
        for replication in range(replications)
        for number, share in numbers.items()
    ]
    return pd.DataFrame(rows, columns=["scenario", "replication", "case_type", "visits", "share"])


def differences(replications: int = 30) -> pd.DataFrame:
    interval = (-4.0, -2.5) if replications > 1 else (np.nan, np.nan)
    rows = [
        ("cycle_time", "registration", "working days", "old", "new", -3.25, *interval, 12.5),
        ("visits", None, "visits", "old", "new", 1234.0, 1000.0, 1500.0, 0.0),
    ]
    columns = ["metric", "subject", "unit", "reference", "scenario", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "reference_mean"])
    return table.assign(replications=replications)


LIMITS = {("old", "registration"): 2.5, ("new", "registration"): 1.0, ("new", "opening"): 9.0}
# Each takes labels of what is in its table, a table, and labels of the scenarios.
FIGURES: dict[str, Callable[..., Figure]] = {
    "lead_times": lambda labels=LABELS, table=None, names=SCENARIOS: plots.lead_time_figure(
        lead_times() if table is None else table, LIMITS, labels, CAPTION, names
    ),
    "half_hours": lambda labels=LABELS, table=None, names=SCENARIOS: plots.half_hour_figure(
        half_hours() if table is None else table, labels, CAPTION, names
    ),
    "queue_length": lambda labels=LABELS, table=None, names=SCENARIOS: plots.queue_length_figure(
        half_hours() if table is None else table, labels, CAPTION, names
    ),
    "visits": lambda labels=LABELS, table=None, names=SCENARIOS: plots.visits_figure(
        visits() if table is None else table, labels, CAPTION, names
    ),
    "differences": lambda labels=LABELS, table=None, names=SCENARIOS: plots.difference_figure(
        differences() if table is None else table, labels, CAPTION, names
    ),
}
every_figure = pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES.keys())


def texts(figure: Figure) -> Iterator[Text]:
    return (text for text in figure.findobj(Text) if text.get_text())


def caption(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in texts(figure))


def draw(figure: Figure) -> None:
    """Draw with every warning as an error: a missing glyph is a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(figure).draw()


@every_figure
def test_every_figure_names_its_title_scenarios_and_replications(make: Callable[..., Figure]):
    figure = make()
    assert figure.legends[0].get_title().get_text()
    assert "2020 process\n2020年流程" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert caption(figure).startswith(f"{CAPTION} Scenarios: ")
    assert "2020 process 2020年流程" in caption(figure)
    assert "replications each" in caption(figure)


def test_axes_carry_units():
    def axis_labels(figure: Figure) -> list[tuple[str, str]]:
        return [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]

    days = "counted working days (day 0: the clock starts)"
    assert axis_labels(FIGURES["lead_times"]()) == [(days, "share finished (%)")]
    assert axis_labels(FIGURES["half_hours"]()) == [
        ("", "mean waiting\ntime (min)"),
        ("time of day", "utilisation (%)"),
    ]
    assert axis_labels(FIGURES["queue_length"]()) == [
        ("time of day", "queue length (cases)"),
        ("time of day", ""),
    ]
    assert axis_labels(FIGURES["visits"]()) == [
        ("visits per case", "share of finished cases (%)"),
    ]
    assert [x for x, _ in axis_labels(FIGURES["differences"]())] == [
        "difference from 2015 process 2015年流程 (working days)",
        "difference from 2015 process 2015年流程 (visits)",
    ]


def test_lead_times_are_steps_and_times_without_a_row_keep_the_share():
    (ax,) = FIGURES["lead_times"]().axes
    old, new = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    # Replication 0 has 25 and 75 %, replication 1 has 15 and 65 %; 2.5 days are a promise.
    assert list(old.get_xdata()[:4]) == [0, 1, 2.5, 3]
    assert list(old.get_ydata()) == pytest.approx([0, 20, 20, 70, 70])
    assert list(new.get_ydata()) == pytest.approx([45, 100, 100, 100, 100])
    assert old.get_xdata()[-1] > ax.get_xlim()[1]


def test_a_time_in_hours_has_a_panel_of_its_own():
    """210 minutes in one scenario, 2 working days in the other: the clocks are told apart."""
    hours = lead_times(unit="h").query("scenario == 'new'")
    table = pd.concat([lead_times().query("scenario == 'old'"), hours])
    limits = {("old", "registration"): 2.0, ("new", "registration"): 3.5}
    figure = plots.lead_time_figure(table, limits, LABELS, CAPTION, SCENARIOS)
    days, hours_ax = figure.axes
    assert hours_ax.get_xlabel() == "hours, nights and days off included"
    assert [text.get_text() for text in days.texts] == ["promise 2 d: 20.0 %"]
    assert [text.get_text() for text in hours_ax.texts] == ["promise 3.5 h: 100.0 %"]
    working = plots.lead_time_figure(lead_times(unit="working h"), {}, LABELS, CAPTION)
    assert working.axes[0].get_xlabel() == "working hours (only open hours count)"


def test_the_promise_of_no_days_is_the_same_day():
    limits = {("new", "registration"): 0.0}
    figure = plots.lead_time_figure(lead_times(), limits, LABELS, CAPTION)
    assert [text.get_text() for text in figure.axes[0].texts] == ["promise same day: 45.0 %"]
    assert figure.axes[0].get_xlim()[0] < 0


def test_each_promise_is_a_dashed_line_that_tells_the_share_kept():
    figure = FIGURES["lead_times"]()
    (ax,) = figure.axes
    dashed = {line.get_xdata()[0]: line for line in ax.lines if list(line.get_ydata()) == [0, 1]}
    assert set(dashed) == {2.5, 1.0}
    assert all(line.get_linestyle() == "--" for line in dashed.values())
    assert dashed[1.0].get_color() == style_at(1).colour
    # 2.5 days: what is finished by day 2.
    assert {text.get_text() for text in ax.texts} == {
        "promise 2.5 d: 20.0 %",
        "promise 1 d: 100.0 %",
    }


def test_a_slow_few_do_not_squeeze_the_axis():
    slow = pd.DataFrame(
        [(400, 1.0), (5, 0.999)],
        columns=["lead_time", "share"],
    ).assign(scenario="old", replication=0, time="registration", unit="working days")
    figure = plots.lead_time_figure(slow, {}, LABELS, CAPTION)
    assert figure.axes[0].get_xlim()[1] < 10
    assert "The axis may end where" in caption(figure)


def test_bands_are_named_and_one_replication_has_none():
    assert "Bands: smallest to largest replication." in caption(FIGURES["lead_times"]())
    single = FIGURES["lead_times"](table=lead_times(replications=1))
    assert "1 replication: no interval." in caption(single)
    assert not single.axes[0].collections


def test_the_line_breaks_over_lunch():
    waiting, utilisation = FIGURES["half_hours"]().axes
    old, new = waiting.lines
    at = list(old.get_xdata()).index(43200 + 900)
    assert np.isnan(old.get_ydata()[at])
    assert old.get_ydata()[at - 1] == pytest.approx(10)
    assert not np.isnan(new.get_ydata()).any()
    assert utilisation.lines[0].get_ydata()[0] == pytest.approx(50)
    assert [waiting.xaxis.get_major_formatter()(x) for x in (30600, 36000)] == ["08:30", "10:00"]


def test_a_pool_that_is_fed_once_a_day_comes_after_those_with_a_line_to_draw():
    """It waits longest, but there is one dot; alone it is shown nonetheless."""
    table = half_hours(("fed by a gate", "windows"))
    is_gated = table["pool"] == "fed by a gate"
    table.loc[is_gated & (table["half_hour"] > 30600), "waiting_time_mean"] = np.nan
    table.loc[is_gated, "waiting_time_mean"] *= 10
    table.loc[is_gated, [c for c in table if c.startswith("queue")]] += 10

    def titles(figure: Figure) -> list[str]:
        return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]

    for make in (FIGURES["half_hours"], FIGURES["queue_length"]):
        assert titles(make({}, table)) == ["windows", "fed by a gate"]
        assert titles(make({}, table[is_gated])) == ["fed by a gate"]


def test_a_pool_that_one_scenario_does_not_have_is_said_to_be_missing():
    table = half_hours(("windows", "approver"))
    table = table[(table["scenario"] == "old") | (table["pool"] == "windows")]
    figure = FIGURES["queue_length"](table=table)
    missing = [
        [text.get_text() for text in ax.texts if text.get_text() == "not in this scenario"]
        for ax in figure.axes
    ]
    assert missing == [[], [], [], ["not in this scenario"]]


def test_half_hours_show_the_eight_pools_that_wait_longest():
    figure = FIGURES["half_hours"](table=half_hours(tuple(f"pool {k}" for k in range(10))))
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert titles == [f"pool {k}" for k in range(9, 1, -1)]
    assert len(figure.axes) == 16
    assert "Pools: largest mean waiting first" in caption(figure)
    assert "; 2 left out." in caption(figure)


def test_queue_lengths_show_at_most_six_pools_by_scenario():
    figure = FIGURES["queue_length"](table=half_hours(tuple(f"pool {k}" for k in range(7))))
    assert len(figure.axes) == 6 * 2
    assert "1 left out" in caption(figure)
    assert "bands: 25 to 75 % and 10 to 90 %" in caption(figure)
    # Median 3 in replication 0, 4 in replication 1.
    assert figure.axes[0].lines[0].get_ydata()[0] == pytest.approx(3.5)


def test_visits_mark_the_mean():
    (ax,) = FIGURES["visits"]().axes
    assert [text.get_text() for text in ax.texts] == ["mean 3.00", "mean 1.00"]
    heights = {(round(bar.get_x() + 0.4), bar.get_height()) for bar in ax.patches[:2]}
    assert heights == {(2, 50.0), (4, 50.0)}
    assert any(isinstance(drawn, LineCollection) for drawn in ax.collections)


def test_case_types_that_always_come_equally_often_are_left_out():
    """One visit in each scenario; 0 in one and 1 in the other is shown."""
    always = visits().assign(visits=1, share=1.0).drop_duplicates(["scenario", "replication"])
    moved = always.assign(case_type="moved", visits=(always["scenario"] == "old").astype(int))
    errands = pd.concat([always.assign(case_type=f"errand {k}") for k in range(3)])
    never = errands.assign(visits=2, share=0.0)
    figure = FIGURES["visits"](table=pd.concat([errands, never, visits(), moved]))
    assert len(figure.axes) == 2
    said = "3 case types left out: all cases with one and the same number."
    assert said in caption(figure)
    alone = FIGURES["visits"](table=errands)
    assert len(alone.axes) == 3
    assert "left out" not in caption(alone)


def test_at_most_nine_case_types_are_shown():
    figure = FIGURES["visits"](table=pd.concat([visits().assign(case_type=k) for k in range(11)]))
    assert len(figure.axes) == 9
    assert "2 more left out." in caption(figure)


def test_panels_wrap_and_empty_ones_are_removed():
    table = pd.concat([visits().assign(case_type=f"type {k}") for k in range(5)])
    assert len(FIGURES["visits"](table=table).axes) == 5


def test_differences_have_a_zero_line_and_their_numbers_beside_them():
    figure = FIGURES["differences"]()
    assert len(figure.axes) == 2
    for ax in figure.axes:
        assert any(list(line.get_xdata()) == [0, 0] for line in ax.lines)
        assert ax.get_xlim()[0] < 0 < ax.get_xlim()[1]
    (first,), (second,) = (ax.texts for ax in figure.axes)
    assert first.get_text() == "−3.25 [−4.00, −2.50] (−26 %)"
    assert second.get_text() == "+1,234 [+1,000, +1,500]"
    assert (
        figure.axes[0].get_yticklabels()[0].get_text() == "Cycle time: Registration\n办理时间: 登记"
    )
    assert "95 % confidence interval" in caption(figure)
    assert "Reference: 2015 process 2015年流程." in caption(figure)


def test_a_difference_without_interval_is_hollow_and_says_so():
    figure = FIGURES["differences"](table=differences(replications=1))
    dot = next(line for line in figure.axes[0].lines if line.get_marker() == "s")
    assert dot.get_markerfacecolor() == "white"
    assert figure.axes[0].texts[0].get_text() == "−3.25 (−26 %)  1 replication: no interval"
    assert "Hollow: no interval." in caption(figure)


def test_whole_numbers_have_no_decimals_and_points_no_percentage():
    table = differences().assign(difference=-3.0, low=-4.0, high=-2.0, reference_mean=12.0)
    first = FIGURES["differences"](table=table).axes[0].texts[0]
    assert first.get_text() == "−3 [−4, −2] (−25 %)"
    points = table.assign(unit=plots.POINTS, difference=-3.25)
    first = FIGURES["differences"](table=points).axes[0].texts[0]
    assert first.get_text() == "−3.25 [−4.00, −2.00]"


def test_a_difference_may_bring_its_own_label_and_interval():
    table = differences().assign(label="on-time share\n按时率")
    figure = plots.difference_figure(table, LABELS, CAPTION, SCENARIOS, "99 % interval")
    assert figure.axes[0].get_yticklabels()[0].get_text() == "on-time share\n按时率"
    assert "99 % interval" in caption(figure)


@every_figure
def test_chinese_has_no_missing_glyph_with_only_the_two_fonts(make: Callable[..., Figure]):
    figure = make()
    assert any("流程" in text.get_text() for text in texts(figure))
    draw(figure)
    for text in texts(figure):
        assert text.get_fontfamily() == list(FONTS)


def test_missing_glyphs_would_be_noticed():
    """Seen red: a character in neither font does warn when it is drawn."""
    figure = FIGURES["visits"](labels={"simple": "龘"})
    with pytest.raises(UserWarning, match=r"Glyph .* missing"):
        draw(figure)


def test_the_font_covers_gb2312_level_1_and_is_ours():
    path = Path(findfont(FontProperties(family=FONTS[1]), fallback_to_default=False))
    assert path.parent == Path(plots.__file__).parent / "fonts"
    assert path.stat().st_size < 1_200_000
    font = get_font(str(path))
    assert font.family_name == "Service Hall Sans"
    cells = [
        (row, cell) for row in range(16, 56) for cell in range(1, 95) if (row, cell) < (55, 90)
    ]
    hanzi = "".join(bytes([0xA0 + row, 0xA0 + cell]).decode("gb2312") for row, cell in cells)
    assert len(hanzi) == 3755
    wanted = (
        hanzi + "，。、；：？！“”（）《》【】〔〕￥０９ＡＺａｚ" + "".join(map(chr, range(32, 127)))
    )
    assert [c for c in wanted if ord(c) not in font.get_charmap()] == []
    assert "SIL OPEN FONT LICENSE Version 1.1" in (path.parent / "OFL.txt").read_text()


@every_figure
def test_markup_in_labels_is_drawn_as_it_stands(make: Callable[..., Figure]):
    figure = make(dict.fromkeys(LABELS, HOSTILE), None, dict.fromkeys(SCENARIOS, HOSTILE))
    rendered(figure)
    assert "$\\frac{$" in words(figure)
    assert "<b>x</b>" in words(figure)
    assert not any(text.get_parse_math() for text in texts(figure))


AWKWARD = (
    *("🏢 😀", "مرحبا", "龘靐", "e\u0301", "\x1b[31mred\x00", "\ud800"),
    *("", "_hidden", "长" * 200, "w" * 200),
)


@pytest.mark.parametrize("first", range(0, len(AWKWARD), len(SCENARIOS)))
@every_figure
def test_any_label_can_be_drawn(make: Callable[..., Figure], first: int):
    """Characters outside the fonts become boxes, control characters U+FFFD; long labels are cut."""
    labels = AWKWARD[first : first + len(SCENARIOS)]
    names = dict(zip(SCENARIOS, labels, strict=True))
    figure = make(dict(zip(LABELS, itertools.cycle(labels), strict=False)), None, names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rendered(figure)
    assert "\x1b" not in words(figure)


def test_long_labels_are_broken_and_cut():
    assert fitted("one two three", columns=8) == "one two\nthree"
    assert fitted("窗口登记", columns=4) == "窗口\n登记"
    assert fitted("a b c d", columns=1, lines=2) == "a\nb …"


def test_an_id_without_label_is_shown_as_it_is():
    assert "windows" in words(FIGURES["half_hours"](labels={}))


def test_a_pool_may_have_the_name_of_a_scenario():
    """Each is shown under its own label."""
    figure = FIGURES["half_hours"]({"old": "Old hands"}, half_hours(("old",)))
    assert figure.axes[0].get_title(loc="left") == "Old hands"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(SCENARIOS.values())


def test_styles_can_be_told_apart_in_grey():
    styles = [style_at(position) for position in range(7)]
    assert len({style.dashes for style in styles}) == 7
    assert len({style.marker for style in styles}) == 7
    assert len({style.hatch for style in styles}) == 7
    assert len({(style_at(k).colour, style_at(k).dashes) for k in range(70)}) == 70

    def grey(colour: str) -> float:
        red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    # The two scenarios of the usual comparison differ in grey alone.
    assert abs(grey(styles[0].colour) - grey(styles[1].colour)) > 0.2


def test_a_scenario_keeps_its_style_when_the_order_of_the_results_is_given():
    only_new = lead_times().query("scenario == 'new'")
    figure = plots.lead_time_figure(only_new, {}, LABELS, CAPTION, SCENARIOS)
    assert figure.axes[0].lines[0].get_color() == style_at(1).colour
    swapped = differences().assign(reference="new", scenario="old")
    figure = plots.difference_figure(swapped, LABELS, CAPTION, SCENARIOS)
    assert figure.axes[0].lines[0].get_color() == style_at(0).colour


@every_figure
def test_empty_tables_say_that_there_is_nothing_to_show(make: Callable[..., Figure]):
    figure = make(table=pd.DataFrame())
    draw(figure)
    assert "nothing to show: no " in words(figure)
    assert CAPTION in words(figure)


def test_values_that_are_all_missing_do_not_crash():
    missing = half_hours().assign(waiting_time_mean=np.nan, utilisation=np.nan)
    draw(FIGURES["half_hours"](table=missing))
    unknown = differences().assign(difference=np.nan, low=np.nan, high=np.nan)
    figure = FIGURES["differences"](table=unknown)
    draw(figure)
    assert "no value" in words(figure)


@every_figure
def test_the_same_table_gives_the_same_bytes(make: Callable[..., Figure]):
    figure = make()
    content = rendered(figure)
    assert content == rendered(figure)
    assert content == rendered(make())
    assert content.startswith(b"\x89PNG")
    assert b"tEXt" not in content
    assert b"tIME" not in content


def test_the_users_matplotlib_settings_change_nothing():
    import matplotlib

    plain = rendered(FIGURES["visits"]())
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "text.usetex": True}):
        assert rendered(FIGURES["visits"]()) == plain


def test_pyplot_is_never_imported():
    code = "import sys, sim.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
