"""Sensitivity: which assumed numbers move together, how far, and what that does."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from studied_hall import HALL, studied_hall, write_hall

from sim.cli import main
from sim.errors import ScenarioError
from sim.exit_codes import NOT_WRITTEN, USAGE
from sim.loading import provenance
from sim.plots import POINTS
from sim.running import run
from sim.studies.assumptions import Assumptions, Group, assumptions
from sim.studies.moved import moved
from sim.studies.sensitivity import NOT_MOVED, Sensitivity, sensitivity
from sim.studies.sensitivity_plot import tornado
from sim.studies.sensitivity_report import sensitivity_report
from sim.studies.study_files import open_study

ASSUMED = HALL.replace("calibrated against hearsay", "assumed, an example")
MORE = ASSUMED.replace("profile: even, comes: 50 %", "profile: even, comes: 95 %").replace(
    "trip: filing\n", "trip: filing\n        again: {probability: 90 %}\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assumed(text: str = ASSUMED, share: float = 0.2) -> Assumptions:
    return assumptions(studied_hall(text=text), share)


def group(key: str, text: str = ASSUMED, share: float = 0.2) -> Group:
    return next(group for group in assumed(text, share).groups if group.key == key)


def texts(found: Group) -> tuple[str, str, str]:
    return found.low_text, found.now_text, found.high_text


# --- which numbers, and how far ------------------------------------------------------------------


def test_every_assumed_number_is_in_a_group_or_left_out_with_a_reason() -> None:
    loaded = studied_hall(text=ASSUMED)
    found = assumptions(loaded, 0.2)
    count = sum(row.kind == "assumed" for row in provenance(loaded))
    assert found.num_moved + len(found.left_out) == count
    assert found.reasons() == [
        ("no number of the hall: horizon, calendar, dates, promises, stocks, published figures", 4)
    ]


@pytest.mark.parametrize(
    ("key", "numbers", "ends"),
    [
        ("hours.day.hours", 2, ("-30 min", "now", "+30 min")),
        ("profiles.even.half_hours", 2, ("flatter", "now", "more peaked")),
        ("trips.filing.comes", 1, ("40 %", "50 %", "60 %")),
        ("pools.desk.servers", 1, ("1", "2", "3")),
        ("case_types.company.arrivals", 1, ("9.6", "12", "14.4")),
        ("case_types.company.attributes.way.attribute", 6, ("20 %", "25 %", "30 %")),
        ("case_types.company.activities.file.service", 2, ("8 min", "10 min", "12 min")),
        ("case_types.variation", 2, ("0.4", "0.5", "0.6")),
        ("case_types.company.activities.collect.gate", 2, ("15:30", "16:00", "16:30")),
    ],
)
def test_each_kind_of_number_moves_in_its_own_way(
    key: str, numbers: int, ends: tuple[str, str, str]
) -> None:
    found = group(key)
    assert (found.num_numbers, texts(found), found.is_stated) == (numbers, ends, False)


def test_probabilities_stay_below_one() -> None:
    assert texts(group("trips.filing.comes", MORE)) == ("76 %", "95 %", "100 %")
    again = group("case_types.company.activities.file.again", MORE)
    assert texts(again) == ("72 %", "90 %", "99 %")


def test_shares_of_an_attribute_still_add_up_in_every_case_type() -> None:
    found = group("case_types.company.attributes.way.attribute")
    scenario = moved(studied_hall(text=ASSUMED), found.high, "high").scenario
    for case_type in scenario.case_types.values():
        assert case_type.attributes["way"] == pytest.approx(
            {"short": 0.3, "long": 0.42, "other": 0.28}
        )


def test_the_end_of_the_day_is_that_of_the_last_session() -> None:
    found = group("hours.day.hours")
    assert list(found.low.values()) == ["09:00-12:00", "13:00-16:30"]
    assert list(found.high.values()) == ["09:00-12:00", "13:00-17:30"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("assumed, as elsewhere (5 to 15 min)", ("5 min", "10 min", "15 min")),
        ("assumed, as elsewhere (+-50 %)", ("5 min", "10 min", "15 min")),
        ("assumed, as elsewhere (±10 %)", ("9 min", "10 min", "11 min")),
        ("assumed, (12 to 15 min) is not where it is", ("8 min", "10 min", "12 min")),
        ("assumed, (1 to 2 h) is in another unit", ("8 min", "10 min", "12 min")),
    ],
)
def test_a_file_states_the_range_of_a_number(
    statement: str, expected: tuple[str, str, str]
) -> None:
    text = ASSUMED.replace("mean: 10 min, ", f'mean: 10 min, source: {{mean: "{statement}"}}, ')
    found = group("case_types.company.activities.file.service", text)
    assert texts(found) == expected
    assert found.is_stated == (expected[0] != "8 min")


def test_a_stated_range_of_whole_numbers_and_shares() -> None:
    servers = ASSUMED.replace("servers: 2", 'servers: 2, source: "assumed, (1 to 6)"')
    assert texts(group("pools.desk.servers", servers)) == ("1", "2", "6")
    comes = ASSUMED.replace("comes: 50 %}", 'comes: 50 %, source: "assumed, (30 to 80 %)"}')
    assert texts(group("trips.filing.comes", comes)) == ("30 %", "50 %", "80 %")


def test_case_types_that_no_promise_is_about_are_taken_together() -> None:
    text = ASSUMED.replace(
        "promises:",
        """  errand:
    label: {en: Errand, zh: 杂事}
    arrivals: {per_working_day: 4, profile: even}
    activities:
      one: {pool: desk, service: 4 min}
      two: {after: one, pool: desk, service: 6 min}
promises:""",
        1,
    )
    found = group("case_types.errand.service", text)
    assert (found.num_numbers, texts(found)) == (2, ("-20 %", "now", "+20 %"))
    assert found.label == "Errand: service time\n杂事：办理时长"
    assert group("case_types.company.activities.file.service", text).num_numbers == 2


def test_labels_are_in_both_languages_where_the_scenario_has_both() -> None:
    assert group("pools.desk.servers").label == "Desk: servers\n窗口：人数"
    assert group("profiles.even.half_hours").label == "even: shape of the day"


# --- what that does ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Sensitivity:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("hall"))
        return sensitivity(studied_hall(text=ASSUMED), 4, engine="simpy")


def test_an_effect_is_the_paired_difference_from_the_scenario_as_it_is(found: Sensitivity) -> None:
    """The same as two runs of their own give, replication by replication."""
    loaded = studied_hall(text=ASSUMED)
    [ranking] = found.rankings
    assert (ranking.metric, ranking.subject) == ("working_days_mean", "all")
    comes = next(e for e in ranking.effects if e.group.key == "trips.collection.comes")
    halls = {"as it is": loaded, "low": moved(loaded, comes.group.low, "low")}
    table = run(halls, 4, engine="simpy").metrics
    mine = table[(table["metric"] == "working_days_mean") & (table["subject"] == "all")]
    by_hall = {str(name): part["value"].to_numpy() for name, part in mine.groupby("scenario")}
    difference = by_hall["low"] - by_hall["as it is"]
    assert comes.low.difference == pytest.approx(difference.mean())
    assert ranking.now == pytest.approx(by_hall["as it is"].mean())
    # 4 values, and intervals of two ends a group that hold together.
    from scipy.stats import t

    count = sum(e != NOT_MOVED for effect in ranking.effects for e in (effect.low, effect.high))
    half = t.ppf(1 - 0.05 / count / 2, 3) * difference.std(ddof=1) / 2
    assert (comes.low.low, comes.low.high) == pytest.approx(
        (difference.mean() - half, difference.mean() + half)
    )


def test_groups_are_ranked_by_their_larger_effect(found: Sensitivity) -> None:
    [ranking] = found.rankings
    sizes = [effect.size for effect in ranking.effects]
    assert sizes == sorted(sizes, reverse=True)
    assert len(ranking.effects) == len(found.assumptions.groups)
    filing = next(e for e in ranking.effects if e.group.key == "trips.filing.comes")
    assert (filing.size, filing.is_moved) == (0, False)  # who has just come is there


def test_the_published_figure_tells_which_groups_upset_the_answer(found: Sensitivity) -> None:
    [ranking] = found.rankings
    assert ranking.published is not None
    for effect in ranking.effects:
        kept = [
            abs(end.simulated - 0.8) <= 0.05 * (1 + 1e-9)
            for end in (effect.low, effect.high)
            if end != NOT_MOVED
        ]
        assert (effect in ranking.upsetting()) == (not all(kept))


def test_a_group_for_which_the_scenario_allows_no_other_value_is_left_out() -> None:
    """A session cannot end before it begins."""
    text = ASSUMED.replace('"14:00": 1', '"16:30": 1').replace(
        "hours: {day:", 'hours: {late: ["16:40-17:00"], day:'
    )
    found = sensitivity(studied_hall(text=text), 1, engine="simpy")
    assert "hours.late[0]" in found.assumptions.left_out
    assert "hours.late.hours" not in [g.key for g in found.assumptions.groups]


def test_the_same_call_runs_nothing_again_and_more_replications_add_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded, kept = studied_hall(text=ASSUMED), Path("study")
    first = sensitivity(loaded, 2, engine="simpy", folder=kept)
    with monkeypatch.context() as patched:
        patched.setattr("sim.running.run", lambda *_, **__: pytest.fail("run again"))
        again = sensitivity(loaded, 2, engine="simpy", folder=kept)
    pd.testing.assert_frame_equal(first.tables()["effects"], again.tables()["effects"])
    said: list[str] = []
    sensitivity(loaded, 3, engine="simpy", folder=kept, say=said.append)
    assert said
    assert all(line.startswith("going on: ") for line in said)


def test_one_replication_tells_no_effect_from_chance() -> None:
    found = sensitivity(studied_hall(text=ASSUMED), 1, engine="simpy")
    [ranking] = found.rankings
    assert ranking.moving() == []
    assert math.isnan(ranking.effects[0].low.low)


def test_a_scenario_can_be_named_by_its_file() -> None:
    path = write_hall(text=ASSUMED)
    found = sensitivity(str(path), 1, engine="simpy")
    assert (found.loaded.name, len(found.rankings)) == ("hall", 1)


def test_the_report_says_that_engines_were_compared(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("numba")
    write_hall(text=ASSUMED)
    command = ("sensitivity", "scenarios/hall.yaml", "-r", "2", "--engine", "compiled")
    said = "compiled engine: replication 0 identical in both engines"
    for _ in range(2):  # the second time from what is kept
        assert main([*command]) == 0
        assert capsys.readouterr().out.count(said) == 1
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["remarks"] == [said]


def test_other_metrics_can_be_asked_for() -> None:
    names = ["utilisation:desk", "on_time_share"]
    found = sensitivity(studied_hall(text=ASSUMED), 2, engine="simpy", metrics=names)
    keys = [(ranking.metric, ranking.subject) for ranking in found.rankings]
    assert keys == [("on_time_share", "filing"), ("on_time_share", "all"), ("utilisation", "desk")]
    with pytest.raises(ScenarioError, match="--metric wait: no metric 'wait'"):
        sensitivity(studied_hall(text=ASSUMED), metrics=["wait"])


# --- report and figure ---------------------------------------------------------------------------

OPTIONS = ("scenarios/hall.yaml", "-r", "3", "--engine", "simpy", "-o", "study")


def test_the_command_ranks_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    write_hall(text=ASSUMED)
    assert main(["sensitivity", *OPTIONS, "--range", "30%"]) == 0
    out = capsys.readouterr().out
    assert "Sensitivity of hall  A hall 大厅" in out
    assert "ranges: ±30 %, times of day by half an hour, servers by at least 1" in out
    assert "All 全部: working days, mean, now 0.9" in out
    assert Path("study/figures/tornado-working_days_mean-all.png").stat().st_size > 5_000
    effects = pd.read_csv("study/effects.csv")
    assert len(effects) == 2 * len(pd.read_csv("study/groups.csv"))
    assert main(["sensitivity", *OPTIONS, "--range", "30%", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["range"], len(data["effects"])) == (0.3, len(effects))
    assert main(["verify", "study"]) == 0
    assert "7 files and" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--range", "0"), "'0' is no range such as 20%"),
        (("--range", "wide"), "'wide' is no range such as 20%"),
        (("--metric", "wait"), "--metric wait: no metric 'wait'"),
    ],
)
def test_wrong_options_are_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hall(text=ASSUMED)
    assert main(["sensitivity", *OPTIONS, *arguments]) == USAGE
    assert message in capsys.readouterr().err


def test_a_folder_that_holds_something_else_is_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_hall(text=ASSUMED)
    Path("study").mkdir()
    Path("study/notes.txt").write_text("mine")
    assert main(["sensitivity", *OPTIONS]) == NOT_WRITTEN
    assert "study is not empty and holds no study; name another" in capsys.readouterr().err
    with open_study(Path("other")):
        assert main(["sensitivity", *OPTIONS[:-1], "other"]) == NOT_WRITTEN
    assert "other: another run is at work there" in capsys.readouterr().err


def test_the_tornado_has_a_row_for_each_group_that_moves_the_metric(found: Sensitivity) -> None:
    [ranking] = found.rankings
    figure = tornado(found, ranking, "Seed 1.")
    [ax] = figure.axes
    moving = ranking.moving()
    assert [text.get_text() for text in ax.get_yticklabels()] == [e.group.label for e in moving]
    widths = [bar.get_width() for bar in ax.patches if bar.get_height() == pytest.approx(0.38)]
    ends = [e for effect in moving for e in (effect.low, effect.high) if e != NOT_MOVED]
    assert widths == pytest.approx([end.difference for end in ends])
    assert "working days" in ax.get_xlabel()
    assert POINTS not in ax.get_xlabel()


def test_a_metric_that_nothing_moves_has_a_figure_that_says_so() -> None:
    found = sensitivity(studied_hall(text=ASSUMED), 1, engine="simpy")
    figure = tornado(found, found.rankings[0], "Seed 1.")
    assert "no group of assumed numbers that moves it" in "".join(
        t.get_text() for t in figure.texts
    )
    assert sensitivity_report(found) is not None
