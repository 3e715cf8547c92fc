"""What people read: numbers with intervals and units, and text from files as it stands."""

import math
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from halls import OVERLOADED, case_type, hall, pool
from rich.console import Console

from sim.check_report import check_report, load_warnings
from sim.comparison import ESTIMATES
from sim.comparison_report import compare_report
from sim.experiment import Experiment
from sim.labels import Labels, title
from sim.metric_definitions import METRICS
from sim.numbers import Interval, Number
from sim.offered_load import PoolLoad
from sim.output_analysis import wilson_interval
from sim.report import as_json, metrics_report, run_report
from sim.report_parts import Rows, backlog_text
from sim.running import run
from sim.scenario import Scenario
from sim.sources import as_data, load_all
from sim.texts import one_line

HOSTILE = "cost $\\frac{$ [/red] [bold] <b>x</b> :smile:"


def scenario(servers: int = 1, **more: Any) -> Scenario:
    data = hall(
        {
            "case": case_type(
                {"serve": {"trip": "visit", "pool": "windows", "service": "10 min"}},
                {"per_hour": 5.6},
                label={"en": "Company", "zh": "公司"},
            )
        },
        {"windows": pool(servers, label=HOSTILE)},
        open=["09:00-11:00"],
        days=5,
        promises={"time": {"label": "Registration", "case_types": "case", "within": "30 min"}},
        published={
            "kept": {"metric": "on_time_share", "subject": "time", "at_least": "99.9 %"},
        },
    )
    return Scenario.model_validate(data | more)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    new = scenario(2, published={}, label={"en": "New process", "zh": "新流程"})
    return run({"old": scenario(), "new": new}, replications=4, seed=2)


def text_of(report: Any, width: int = 200) -> str:
    console = Console(width=width, markup=False, emoji=False, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(report, crop=False)
    return capture.get()


def row(text: str, *words: str) -> str:
    """The line that holds all these words."""
    [line] = [line for line in text.splitlines() if all(word in line for word in words)]
    return line


# --- run -----------------------------------------------------------------------------------------


def test_a_report_says_what_was_run(experiment: Experiment) -> None:
    text = text_of(run_report(experiment))
    assert "new  New process 新流程" in text
    assert "2020-01-01 to 2020-01-05; 4 replications, seed 2" in text
    assert "load: windows 0.93!  (! above 0.9)" in text
    assert "load: windows 0.47 " in text


def test_headline_metrics_have_interval_unit_and_unfinished_share(experiment: Experiment) -> None:
    text = text_of(run_report(run({"old": scenario()}, 4, 2)))
    line = row(text, "on time share (30 min)")
    assert re.search(r"\(30 min\) +\d\d\.\d +\[\d\d\.\d, \d\d\.\d\] +% +0\.0 %", line), line
    # Everybody comes once: whole numbers have no decimals.
    assert re.search(r"mean +1 +\[1, 1\] +visits", row(text, "Company 公司", "visits"))
    assert "unfinished: cases whose clock still runs at the end" in text


def test_counts_are_means_over_replications(experiment: Experiment) -> None:
    line = row(text_of(run_report(run({"old": scenario()}, 4, 2))), "Company 公司", "0.0")
    found = experiment.estimates.query("scenario == 'old' and subject == 'case'")
    means = found.set_index("metric")["mean"]
    names = ("arrivals", "finished", "in_progress", "lost")
    assert line.split()[2:] == [f"{means[name]:.1f}" for name in names]


def test_published_figures_have_a_distance_and_a_verdict(experiment: Experiment) -> None:
    text = text_of(run_report(experiment))
    assert "Registration: on time share, % (30 min; unfinished 0.0 %)\n" in text
    line = row(text, "at least 99.9")
    assert re.search(r"-\d+\.\d+ +\[.*\] +missed by [\d.]+ percentage points +[0-4] of 4", line)
    assert "Wilson's interval for their share is in published.csv" in text


def test_one_replication_has_no_interval() -> None:
    text = text_of(run_report(run({"old": scenario()}, 1)))
    assert "not estimable (1 replication)" in text
    assert "; 1 replication, seed 1" in text
    assert "nan" not in text


def test_a_metric_without_a_value_in_some_replications_says_in_how_many() -> None:
    """Few cases: in some replications nobody comes."""
    rare = hall(
        {"case": case_type({"serve": {"pool": "w", "service": "10 min"}}, {"per_hour": 0.03})},
        {"w": pool()},
    )
    text = text_of(run_report(run({"rare": Scenario.model_validate(rare)}, 6)))
    assert re.search(r"\([1-5] of 6\)", row(text, "w ", "waiting time, mean"))


def test_nothing_happens_at_all() -> None:
    empty = hall(
        {"case": case_type({"serve": {"pool": "w", "service": "10 min"}}, {"per_hour": 0})},
        {"w": pool()},
    )
    text = text_of(run_report(run({"empty": Scenario.model_validate(empty)}, 2)))
    assert "no value in any replication" in row(text, "waiting time, mean")
    assert row(text, "utilisation").split()[1:] == ["0.0", "[0.0,", "0.0]", "%"]


def test_an_interval_is_shown_as_far_as_it_is_possible() -> None:
    """Computed beyond: below no waiting, beyond all on time. Differences may be below 0."""
    wait, share = METRICS["waiting_time_mean"], METRICS["on_time_share"]
    assert Number(wait, 3, ()).interval(Interval(2.0, -1.0, 5.0, 3)) == "[0, 5]"
    assert Number(share, 3, ()).interval(Interval(0.9, 0.7, 1.1, 3)) == "[70.0, 100.0]"
    assert Number(share, 3, ()).interval(Interval(0.1, -0.1, 0.3, 3)) == "[0.0, 30.0]"
    difference = Number(share, 3, (), is_difference=True)
    assert difference.interval(Interval(-0.9, -1.1, -0.7, 3)) == "[-100.0, -70.0]"
    assert (
        Number(wait, 3, (), is_difference=True).interval(Interval(-2.0, -3.0, -1.0, 3))
        == "[-3, -1]"
    )


def test_people_who_are_sent_away_or_leave_are_shown_where_there_are_some(
    experiment: Experiment,
) -> None:
    for report in (run_report, compare_report):
        assert "turned away" not in text_of(report(experiment))
    busy = as_data(scenario())
    serve = busy["case_types"]["case"]["activities"]["serve"]
    serve |= {"patience": "5 min", "if_not_served": "lost"}
    found = run({"old": Scenario.model_validate(busy), "new": scenario(2)}, 2)
    shown = text_of(run_report(found))
    assert re.search(r"reneged +[1-9][\d.]* .* persons", shown)
    assert re.search(r"reneged +0 +\[0, 0\] +persons", shown[shown.index("\nnew") :])
    assert "turned away" not in shown
    assert re.search(
        r"reneged \(persons\) +[1-9][\d.]* +[0.]+ +-[1-9]", text_of(compare_report(found))
    )


def test_a_load_of_1_or_more_is_said_to_have_no_steady_state(experiment: Experiment) -> None:
    """Exactly 48 cases a day more, in every replication; the other hall is not mentioned."""
    found = run({"over": Scenario.model_validate(OVERLOADED), "all right": scenario()}, 2)
    said = (
        "load 1 or more in windows (1.50): the backlog grows by 48 [48, 48] cases per working "
        "day; times are those of this horizon, no steady state"
    )
    for report in (run_report, compare_report):
        text = text_of(report(found))
        assert text.count(said) == text.count("steady") == 1
        assert "steady" not in text_of(report(experiment))
    over, right = as_json(found)["scenarios"]
    assert (over["steady"], right["steady"]) == (False, True)
    assert over["backlog_growth"] == {"mean": 48, "low": 48, "high": 48}
    assert right["backlog_growth"] is None


def test_one_replication_tells_the_growth_of_the_backlog_without_an_interval() -> None:
    found = run({"over": Scenario.model_validate(OVERLOADED)}, 1)
    said = "growth of the backlog: 48 cases per working day, not estimable (1 replication); times"
    assert said in text_of(run_report(found))
    [data] = as_json(found)["scenarios"]
    assert data["backlog_growth"] == {"mean": 48, "low": None, "high": None}


def test_a_backlog_that_may_not_grow_is_not_said_to() -> None:
    """People may leave; an interval may lie on both sides of 0."""
    loads = [PoolLoad("w", 10, 10), PoolLoad("x", 0, 1)]
    said = backlog_text(loads, Interval(0.1, -0.2, 0.4, 5))
    assert said == (
        "load 1 or more in w (1.00), x (inf): growth of the backlog: 0.10 [-0.20, 0.40] "
        "cases per working day"
    )
    nothing = backlog_text(loads, Interval(math.nan, math.nan, math.nan, 0))
    assert nothing.endswith("backlog: - cases per working day, no value in any replication")


# --- compare -------------------------------------------------------------------------------------


def test_published_and_simulated_stand_side_by_side_for_all_scenarios(
    experiment: Experiment,
) -> None:
    """The new one publishes nothing itself."""
    text = text_of(compare_report(experiment))
    heading, columns, _, figure, old, new, *_ = text.splitlines()
    assert heading == "Published and simulated (4 replications, seed 2)"
    assert columns.split()[1:4] == ["published", "simulated", "distance"]
    assert figure == "Registration: on time share, % (30 min; unfinished 0.0 %, 0.0 %)"
    assert re.match(r"  old +at least 99\.9 +\d+\.\d +-\d", old)
    assert re.match(r"  new +- +\d", new)


def test_differences_have_interval_and_unfinished_shares(experiment: Experiment) -> None:
    text = text_of(compare_report(experiment))
    text = text[text.index("new (after) minus old (before)") :]
    assert "4 replications in pairs that share their random numbers" in text
    line = row(text, "waiting time, mean (min)")
    assert re.search(r"-\d+\.\d+ +\[-[\d.]+, -[\d.]+\] +x [\d.]+ *$", line), line
    assert "\nRegistration (unfinished 0.0 % -> 0.0 %)\n" in text
    assert row(text, "utilisation (% points)")
    assert "in only one of them" not in text


def test_intervals_hold_together_and_the_gain_from_pairing_is_told(
    experiment: Experiment,
) -> None:
    text = text_of(compare_report(experiment))
    count = len(experiment.headline_differences())
    assert f"joint intervals hold together at 95 % (Bonferroni, {count} differences)" in text
    assert "pairing: how many times as many replications independent runs would need" in text
    assert "intervals: Student's t over replications, each by itself" in text
    visits = [line for line in text.splitlines() if "visits, mean" in line]
    assert len(visits) == 2
    assert all(re.search(r" 1 +1 +0 +\[0, 0\] +the same *$", line) for line in visits)


@pytest.mark.parametrize(
    ("values", "gain", "verdict"),
    [
        ([5.0, 6.0, 5.5], "x 1.0", ""),
        ([1.0, 1.0, -1.0], "x 1.0", "not told apart: some 49 replications"),
        ([1.0, -1.0, 0.0], "x 1.0", "not told apart"),
        ([2.0, 2.0, 2.0], "", ""),
        ([0.0, 0.0, 0.0], "", "the same"),
        ([1e-6, 1e-6, -1e-6 * 1.999], "x 1.0", "not told apart: over 1,000,000 replications"),
    ],
)
def test_where_scenarios_are_not_told_apart_it_says_how_many_replications_would_do(
    experiment: Experiment, values: list[float], gain: str, verdict: str
) -> None:
    """One difference that leads, from a reference of 0."""
    rows = [
        (name, n, "waiting_time_mean", "windows", "min", value)
        for name, column in (("old", [0.0] * 3), ("new", values))
        for n, value in enumerate(column)
    ]
    table = pd.DataFrame(rows, columns=experiment.metrics.columns)
    text = text_of(compare_report(replace(experiment, metrics=table, replications=3)))
    line = row(text[text.index("minus old") :], "waiting time, mean (min)")
    assert line[line.index("]") + 1 :].strip().split("  ")[0 if gain else -1] == (gain or verdict)
    assert line.rstrip().endswith(verdict or gain or "]")
    assert ("after about so many replications" in text) == ("not told" in verdict)


def test_differences_of_one_replication_have_no_verdict() -> None:
    text = text_of(compare_report(run({"old": scenario(), "new": scenario(2)}, 1)), 80)
    assert "  1 replication: no intervals over replications; those of shares on time" in text
    assert "told apart" not in text
    assert "Bonferroni" not in text


def test_a_share_on_time_of_one_replication_has_the_interval_of_its_cases() -> None:
    found = run({"old": scenario()}, 1)
    values = found.metrics.set_index(["metric", "subject"])["value"]
    share, cases = values["on_time_share", "time"], round(values["promised_cases", "time"])
    assert 0 < share < 1
    low, high = wilson_interval(round(share * cases), cases)
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in text_of(run_report(found))


def test_a_share_on_time_of_one_replication_among_several_has_no_interval() -> None:
    """Nobody comes in the others, so that the mean number of cases may round to none."""
    rows = [
        ("rare", "on_time_share", "time", "share", 1.0, math.nan, math.nan, 1),
        ("rare", "promised_cases", "time", "cases", 0.1, 0.0, 0.3, 10),
    ]
    found = Rows.of(pd.DataFrame(rows, columns=ESTIMATES), "rare").by_key["on_time_share", "time"]
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_differences_are_from_the_reference() -> None:
    found = run({"a": scenario(), "b": scenario(2), "c": scenario(3)}, 2, reference="b")
    text = text_of(compare_report(found))
    assert "a (after) minus b (before)" in text
    assert "c (after) minus b (before)" in text
    assert "minus a" not in text


def test_named_metrics_lead_both_reports() -> None:
    named = ["queue_length_max", "visits_mean:hall"]
    found = run({"old": scenario(), "new": scenario(2)}, 2, metrics=named)
    for report in (run_report, compare_report):
        text = text_of(report(found))
        assert "queue length, largest" in text
        assert "visits, mean" in text
        assert "utilisation" not in text


def test_a_share_on_time_says_which_promise_it_is_about() -> None:
    """What was promised is another thing in each year."""
    promise = {"time": {"label": "Registration", "case_types": "case", "within": "5 working days"}}
    found = run({"old": scenario(promises=promise), "new": scenario(2)}, 2)
    text = text_of(compare_report(found))
    heading = "Registration: on time share, % (5 working days, 30 min; unfinished 0.0 %, 0.0 %)"
    assert re.search(
        rf"{re.escape(heading)}\n  old +at least 99\.9 .*\n  new +at least 99\.9", text
    )
    assert "on time share (% points; 5 working days -> 30 min)" in text


def test_a_share_on_time_of_another_promise_does_not_stand_beside_a_published_one() -> None:
    """Within 5 working days is no answer to within 30 minutes."""
    promise = {"time": {"label": "Registration", "case_types": "case", "within": "5 working days"}}
    found = run({"old": scenario(), "new": scenario(2, published={}, promises=promise)}, 2)
    published, _, _ = text_of(compare_report(found)).partition("new (after)")
    assert "at least 99.9" in published
    assert "new" not in published


def test_what_only_one_scenario_has_is_counted() -> None:
    """A pool and an errand more; errands have no promise, so the hall alone tells of them."""
    data = as_data(scenario())
    data["pools"]["spare"] = pool()
    data["case_types"]["errand"] = case_type({"ask": {"pool": "spare", "service": "1 min"}})
    found = run({"old": scenario(), "new": Scenario.model_validate(data)}, 2)
    text = text_of(compare_report(found))
    assert "in only one of them, so without a difference: 1 pool, 1 case type" in text
    counts = text[text.index("cases (mean of 2 replications)") :]
    assert "errand" not in counts
    assert "whole hall" in counts
    assert "errand" in text_of(run_report(found))


def test_days_that_are_not_the_same_days_are_remarked(experiment: Experiment) -> None:
    remark = "the days that are compared are not the same days"
    assert remark not in text_of(compare_report(experiment))
    horizon = {"from": "2020-01-01", "to": "2020-01-04"}
    for other in (scenario(horizon=horizon), scenario(calendar="weekdays")):
        text = text_of(
            compare_report(run({"old": scenario(), "same": scenario(), "new": other}, 1))
        )
        assert text.count(remark) == 1


def test_a_published_figure_is_shown_under_its_own_label() -> None:
    figure = {"label": "Dozen", "metric": "arrivals", "subject": "hall", "equals": 1}
    found = run({"old": scenario(published={"x": figure})}, 2)
    text = text_of(run_report(found))
    assert "\nDozen, cases\n" in text
    assert row(text, "old ", " 1 ", "missed by", "0 of 2")


def test_more_than_two_scenarios_are_each_compared_with_the_first() -> None:
    found = run({"a": scenario(), "b": scenario(2), "c": scenario(3)}, 2)
    text = text_of(compare_report(found))
    assert "b (after) minus a (before)" in text
    assert "c (after) minus a (before)" in text


# --- text from files -----------------------------------------------------------------------------


def test_text_from_files_is_no_markup(experiment: Experiment) -> None:
    assert HOSTILE in text_of(run_report(experiment))
    assert HOSTILE in text_of(compare_report(experiment))


def test_control_characters_are_shown_as_what_they_are() -> None:
    """Escape, line breaks, and marks that turn the direction of writing."""
    assert one_line("a\x1b[31m\nb\t c\u202e\ud800") == "a\ufffd[31m b c\ufffd\ufffd"
    found = run({"\x1b[2Jname": scenario()}, 1)
    assert "\x1b" not in text_of(run_report(found))


def test_no_number_is_cut_in_a_window_of_80_columns(experiment: Experiment) -> None:
    """Words wrap; numbers stand as they do in a wide window."""
    for report in (run_report(experiment), compare_report(experiment)):
        wide, narrow = (
            Counter(re.findall(r"[-+]?[\d.,]*\d", text_of(report, w))) for w in (250, 80)
        )
        assert wide == narrow


def test_no_number_is_cut_where_all_metrics_are_shown() -> None:
    """Of one column more than fits, lines were cut to empty ones, which are headings."""
    found = run({"old": scenario(), "new": scenario(2)}, 2, metrics=["all"])
    for report in (run_report(found), compare_report(found)):
        wide, narrow = (
            Counter(re.findall(r"[-+]?[\d.,]*\d", text_of(report, w))) for w in (250, 72)
        )
        assert wide == narrow


def test_labels_are_of_the_right_kind() -> None:
    """A pool and a case type may have the same id."""
    data = hall(
        {"same": case_type({"x": {"pool": "same", "service": "1 min"}}, label="A case")},
        {"same": pool(label="A pool")},
    )
    labels = Labels.of(load_all({"s": Scenario.model_validate(data)}))
    assert labels.subject("utilisation", "same") == "A pool"
    assert labels.subject("visits_mean", "same") == "A case"
    assert labels.subject("visits_mean", "hall") == "whole hall"
    assert labels.subject("waiting_time_mean", "online") == "channel online"


def test_scenarios_of_one_label_go_by_their_names() -> None:
    """As those do that are one file with two settings."""
    found = load_all({n: scenario(label=text) for n, text in zip("abc", "XXY", strict=True)})
    assert Labels.of(found).scenarios == {"a": "a", "b": "b", "c": "Y"}


def test_a_metric_is_titled_in_words() -> None:
    assert title("on_time_share") == "on time share"
    assert title("working_days_p90") == "working days, 90 % within"
    assert title("waiting_time_mean") == "waiting time, mean"
    assert title("lost") == "lost"


# --- check, metrics, JSON ------------------------------------------------------------------------


def test_a_pool_with_more_work_than_it_can_do_is_warned_about() -> None:
    busy = {"case": case_type({"x": {"pool": "w", "service": "1 h"}}, {"per_hour": 3})}
    found = run({"busy": Scenario.model_validate(hall(busy, {"w": pool()}))}, 1)
    [loaded] = found.scenarios.values()
    [warning] = load_warnings(loaded)
    assert (
        "pool 'w' has load 3.00: more work comes than its shifts have hours for: overtime,"
        in warning
    )
    assert "load: w 3.00!" in "\n".join(check_report(loaded))
    assert "without a statement" in "\n".join(check_report(loaded))


def test_every_metric_is_listed_with_its_unit() -> None:
    text = text_of(metrics_report(), 300)
    assert re.search(r"^working_days_median +working days +promise +", text, flags=re.MULTILINE)


def test_json_has_null_for_what_is_no_number(experiment: Experiment) -> None:
    data = as_json(run({"old": scenario()}, 1))
    assert data["results"] is None
    assert "differences" not in data
    assert data["scenarios"][0]["from"] == "2020-01-01"
    assert all(row["low"] is None for row in data["estimates"])
    differences = as_json(experiment)["differences"]
    values = [value for row in differences for value in row.values()]
    assert all(math.isfinite(value) for value in values if isinstance(value, float))
