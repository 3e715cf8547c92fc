"""The cheapest staff: answers that theory or trying everything knows, checks, words and picture."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import Hall
from halls import Data, case_type, hall, one_pool, pool, shifts, visit
from matplotlib.text import Text
from rich.console import Console

from sim.errors import ScenarioError
from sim.loading import Loaded
from sim.planning import compile_plan
from sim.queueing import mmc_waiting_time_exceeds
from sim.replication import replicate
from sim.scenario import Scenario
from sim.sources import load_all
from sim.studies import staffing as module
from sim.studies.goals import Goal, goals_of
from sim.studies.posts import first_guess, more, plan_with, posts_of
from sim.studies.staff_findings import Staffing
from sim.studies.staff_search import _fewest
from sim.studies.staff_tables import as_json, tables, write_staffing
from sim.studies.staffing import find_staff
from sim.studies.staffing_plot import frontier_figure
from sim.studies.staffing_report import guarantee, staffing_report
from sim.studies.variants import with_demand, with_servers
from sim.tasks import Work

HOUR = {"horizon": {"from": "2020-01-02", "to": "8 working days", "warm_up": "1 working day"}}
SERIES: Data = hall(
    {
        "case": case_type(
            {
                "file": visit(["windows"], {"exponential": {"mean": "20 min"}}),
                "check": {
                    "after": "file",
                    "pool": "desk",
                    "service": {"exponential": {"mean": "15 min"}},
                },
            },
            {"per_hour": 6},
        )
    },
    {"windows": pool(3), "desk": pool(3, label={"en": "Desk", "zh": "后台"})},
    promises={
        "done": {
            "label": {"en": "All done", "zh": "办结"},
            "case_types": "case",
            "within": "90 min",
        }
    },
    **HOUR,
)
"""Two pools one after the other, open day and night; 2 and 1.5 servers are busy."""
GOALS = ("waiting_over_15_min:windows <= 10%", "done=90%")


def loaded_of(data: Data) -> Loaded:
    [loaded] = load_all({"it": Scenario.model_validate(data)}).values()
    return loaded


def found_in(data: Data, *promises: str, **options: Any) -> Staffing:
    return find_staff(loaded_of(data), promises, **{"engine": "simpy", **options})


@pytest.fixture(scope="module")
def series() -> Staffing:
    return found_in(SERIES, *GOALS)


def servers(staffing: Staffing) -> dict[str, int]:
    pairs = zip(staffing.posts, staffing.chosen.staff, strict=True)
    return {post.name: number for post, number in pairs}


def by_brute_force(
    data: Data, goals: tuple[Goal, ...], least: int, most: int
) -> list[tuple[int, ...]]:
    """The staffs of so many servers a post whose means keep the promises, by plain runs of each."""
    loaded = loaded_of(data)
    names = [(p, s) for p, it in loaded.scenario.pools.items() for s in it.shifts]
    kept = []
    for staff in itertools.product(range(least, most + 1), repeat=len(names)):
        plan = compile_plan(with_servers(loaded, dict(zip(names, staff, strict=True))).scenario)
        runs = [replicate(plan, 99, number).measures.values for number in range(6)]
        means = {key: np.mean([run[key] for run in runs]) for key in runs[0]}
        if all(goal.spare(means[goal.metric, goal.subject]) >= 0 for goal in goals):
            kept.append(staff)
    return kept


# --- answers that are known ----------------------------------------------------------------------


@pytest.mark.parametrize(("per_hour", "minutes"), [(12, 20), (8, 15), (20, 30)])
def test_mmc_gets_the_servers_that_erlang_c_says(per_hour: float, minutes: float) -> None:
    """The smallest number with which one in ten waits more than 15 minutes; theory, not the guess.

    At the answer and one below it theory is at least 2.5 points off 10 %: no chance decides.
    """
    pytest.importorskip("numba")
    hall = one_pool(
        {"per_hour": per_hour},
        {"exponential": {"mean": f"{minutes} min"}},
        horizon={"from": "2020-01-04", "to": "40 working days", "warm_up": "3 working days"},
    )
    load = per_hour * minutes / 60
    exceeds = {
        c: mmc_waiting_time_exceeds(per_hour / 60, 1 / minutes, c, 15)
        for c in range(int(load) + 1, int(load) + 20)
    }
    right = next(c for c, share in exceeds.items() if share <= 0.1)
    assert exceeds[right] < 0.075
    assert exceeds.get(right - 1, 1.0) > 0.125
    found = found_in(hall, "waiting_over_15_min:windows <= 10%", engine="compiled")
    assert servers(found) == {"windows": right}
    assert found.guess == (right,)
    share = found.chosen.promises[0]
    assert share.low <= exceeds[right] <= share.high


def test_two_pools_get_what_trying_everything_finds(series: Staffing) -> None:
    kept = by_brute_force(SERIES, series.goals, 2, 5)
    assert min(map(sum, kept)) == series.chosen.cost
    assert series.chosen.staff in kept
    assert series.answer.not_tried == 0


@pytest.mark.long
def test_where_a_server_costs_more_there_are_fewer_of_them() -> None:
    """Both pools share one promise, so that either can make up for the other."""
    [goal] = goals_of(["done=85%"], loaded_of(SERIES))
    kept = by_brute_force(SERIES, (goal,), 2, 5)
    for costs in ({"windows": 3.0}, {"desk": 3.0}):
        found = found_in(SERIES, "done=85%", costs=costs)
        weights = [costs.get(name, 1.0) for name in ("windows", "desk")]
        assert found.chosen.cost == min(np.dot(weights, staff) for staff in kept)


SHIFTS: Data = one_pool({"per_hour": 12}, {"exponential": {"mean": "10 min"}}, **HOUR) | {
    "hours": {
        "open": ["00:00-24:00"],
        "day": ["08:00-20:00"],
        "night": ["00:00-08:00", "20:00-24:00"],
    },
    "pools": {"windows": shifts({"day": (2, "day"), "night": (2, "night")})},
}


@pytest.mark.long
def test_each_shift_of_a_pool_has_a_number_of_its_own() -> None:
    found = found_in(SHIFTS, "waiting_over_15_min:windows <= 10%")
    kept = by_brute_force(SHIFTS, found.goals, 2, 4)
    assert [post.name for post in found.posts] == ["windows.day", "windows.night"]
    assert found.chosen.cost == min(map(sum, kept))
    assert found.chosen.staff in kept


def test_one_server_fewer_anywhere_breaks_a_promise(series: Staffing) -> None:
    """Said by the check, and by other replications of the resolved hall with one fewer."""
    fewer = [one for one in series.neighbours if one.change < 0]
    assert len(fewer) == 2
    for one in fewer:
        assert one.is_checked
        assert one.measured.held == "broken"
        plan = plan_with(compile_plan(series.loaded.scenario), series.posts, one.measured.staff)
        if not one.measured.promises:
            continue
        runs = [replicate(plan, 5, number).measures.values for number in range(5)]
        spares = [
            goal.spare(np.mean([run[goal.metric, goal.subject] for run in runs]))
            for goal in series.goals
        ]
        assert min(spares) < 0


def test_demand_takes_more_servers() -> None:
    """M/M/c in front: 3 erlangs in the place of 2, of which 4 servers let 31 % wait so long."""
    pytest.importorskip("numba")
    found = found_in(M_M_3, "waiting_over_15_min:windows <= 20%", engine="compiled")
    more_come = found_in(
        M_M_3, "waiting_over_15_min:windows <= 20%", engine="compiled", demand_of={"case": 1.5}
    )
    for staffing, per_hour in ((found, 4), (more_come, 6)):
        share = 1.0
        right = per_hour // 2
        while share > 0.2:
            right += 1
            share = mmc_waiting_time_exceeds(per_hour / 60, 1 / 30, right, 15)
        assert servers(staffing) == {"windows": right}
    assert more_come.demand == "x 1, case x 1.5"


M_M_3: Data = one_pool(
    {"per_hour": 4},
    {"exponential": {"mean": "30 min"}},
    horizon={"from": "2020-01-04", "to": "60 working days", "warm_up": "3 working days"},
)


# --- what is sure --------------------------------------------------------------------------------


def test_bounds_are_one_sided_and_hold_together(series: Staffing) -> None:
    """(1 + 2 staffs) x 2 promises at 97.5 %: each at 1 - 0.025 / 6, unless a load is too high."""
    from scipy.stats import t

    checked = [
        one.measured for one in series.neighbours if one.is_checked and one.measured.promises
    ]
    each = 1 - 0.05 / 2 / ((1 + len(checked)) * 2)
    metrics = series.experiment.metrics
    for number, kept in enumerate(series.chosen.promises):
        goal = series.goals[number]
        rows = metrics[(metrics["scenario"] == "chosen") & (metrics["metric"] == goal.metric)]
        values = rows[rows["subject"] == goal.subject]["value"].to_numpy()
        width = t.ppf(each, 9) * values.std(ddof=1) / np.sqrt(10)
        assert kept.confidence == pytest.approx(each)
        assert kept.mean == pytest.approx(values.mean())
        assert kept.low == pytest.approx(values.mean() - width)
        assert kept.high == pytest.approx(values.mean() + width)
    assert series.joint_confidence == pytest.approx(0.975)


@pytest.mark.long
def test_what_a_check_does_not_confirm_is_not_the_answer(
    series: Staffing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that takes hope for a margin: the checks lead on to the same cost."""
    monkeypatch.setattr(module, "_t_quantile", lambda freedom, probability: -15.0)
    said: list[str] = []
    found = found_in(SERIES, *GOALS, say=said.append)
    assert any("not confirmed" in line for line in said)
    assert found.check > 1
    assert found.joint_confidence == pytest.approx(1 - 0.05 / 2**found.check)
    assert found.chosen.held == "kept"
    assert found.chosen.cost == series.chosen.cost
    # Replications of its own: the last of those that were run.
    assert found.experiment.replications >= 10 * (found.check - 1) + found.replications


@pytest.mark.long
def test_what_is_undecided_is_checked_once_more_with_more_replications(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search without a margin proposes what the mean of ten replications does not tell."""
    monkeypatch.setattr(module, "_t_quantile", lambda freedom, probability: 0.0)
    said: list[str] = []
    promise = "waiting_over_15_min:windows <= 22.7%"
    found = found_in(SERIES, promise, pools=["windows"], say=said.append)
    [more_asked] = [line for line in said if line.startswith("check 1: undecided, once more with")]
    asked = int(more_asked.split()[-2])
    assert 10 < asked <= 40
    # The second check has those after the first ten.
    assert found.experiment.replications >= 10 + asked
    assert found.check >= 2
    assert found.chosen.held == "kept"
    assert found.joint_confidence == pytest.approx(1 - 0.05 / 2**found.check)


@pytest.mark.long
def test_a_staff_that_breaks_a_promise_by_a_hair_is_seldom_confirmed() -> None:
    """M/M/6 lets 6.4 % wait so long, and 6.3 % are promised: confirmed in one of 20 at most.

    With 5 % in each of 60 seeds more than 7 come up once in 100 times.
    """
    pytest.importorskip("numba")
    exceeds = mmc_waiting_time_exceeds(12 / 60, 1 / 20, 6, 15)
    hall = one_pool(
        {"per_hour": 12},
        {"exponential": {"mean": "20 min"}},
        horizon={"from": "2020-01-04", "to": "20 working days", "warm_up": "3 working days"},
    )
    wrong = 0
    for seed in range(60):
        promise = f"waiting_over_15_min:windows <= {0.99 * exceeds}"
        found = found_in(hall, promise, seed=seed, engine="compiled")
        assert found.chosen.staff[0] in (6, 7)
        wrong += found.chosen.staff == (6,)
    assert wrong <= 7


@pytest.mark.long
def test_a_search_that_stops_too_early_is_led_on_by_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that asks for far too much: one server fewer is kept, which the next check confirms."""
    monkeypatch.setattr(module, "_t_quantile", lambda freedom, probability: 2000.0)
    found = found_in(SERIES, GOALS[0], pools=["windows"])
    assert found.check > 1
    assert found.chosen.held == "kept"
    assert "kept" not in [one.measured.held for one in found.neighbours if one.change < 0]
    assert any("a single server fewer" in line for line in guarantee(found))


def test_the_compiled_engine_finds_the_same(series: Staffing) -> None:
    pytest.importorskip("numba")
    found = found_in(SERIES, *GOALS, engine="compiled", jobs=2)
    assert found.engine == "compiled"
    ours, theirs = as_json(found), as_json(series)
    assert ours.pop("engine") != theirs.pop("engine")
    assert ours == theirs
    assert any("identical in both engines" in line for line in guarantee(found))


# --- what cannot be ------------------------------------------------------------------------------


def test_a_promise_that_no_staff_can_keep_is_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"more servers do not keep it: \d\d\.\d % with .* servers in each"
    ):
        found_in(SERIES, "done=99.9%")


def test_bounds_that_exclude_any_answer_are_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"more servers do not keep it: .*\(--bounds allows no more\)"
    ):
        found_in(SERIES, *GOALS, bounds={"windows": (1, 3)})
    with pytest.raises(ScenarioError, match="more work comes than it can do"):
        found_in(SERIES, *GOALS, bounds={"windows": (1, 2)})


def test_bounds_are_kept() -> None:
    found = found_in(SERIES, *GOALS, bounds={"desk": (6, 9)})
    assert servers(found)["desk"] == 6
    assert not [one for one in found.neighbours if one.post == 1 and one.change < 0]


def test_one_replication_has_no_interval() -> None:
    with pytest.raises(ScenarioError, match="--replications 1: 2 or more are wanted"):
        found_in(SERIES, replications=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--promise", ">= 95%"], "--promise >= 95%: no metric; write 'METRIC:SUBJECT >= LEVEL'"),
        (["--promise", "decision"], "--promise decision: no level; write"),
        (["--promise", "decisoin=95%"], "no promise 'decisoin'. Did you mean 'decision'?"),
        (["--promise", "waiting:windows<=10%"], "no metric 'waiting'."),
        (
            ["--promise", "waiting_over_15_min <= 10%"],
            "of what? Write 'waiting_over_15_min:SUBJECT'",
        ),
        (["--promise", "waiting_over_15_min:window <= 10%"], "no pool or channel 'window'."),
        (["--promise", "waiting_time_mean:windows <= 10%"], "is no share; write its level without"),
        (["--promise", "decision=95"], "'95' is no share; write 95% or 0.95"),
        (
            ["--promise", "decision=x%"],
            "'x%' is no level: a number is wanted, such as 'decision=95%'",
        ),
        (
            ["--promise", "waiting_time_mean:windows <= 10 min"],
            "'10 min' is no level: a number is wanted, such as 'waiting_time_mean:windows <= 10', "
            "in min",
        ),
        (
            ["--promise", "waiting_time_mean:windows < 10"],
            "'<' is neither '>=' nor '<='; write 'METRIC:SUBJECT >= LEVEL' (or <=), such as "
            "'waiting_time_mean:windows <= 10'",
        ),
        (["--promise", "on_time_share:decision = 9%"], "write '>=' or '<=' of a metric"),
        (["--promise", "decision=95%", "--promise", "decision=9%"], "given twice"),
        (["--pool", "window"], "--pool window: no pool 'window'. Did you mean 'windows'?"),
        (["--cost", "window=2"], "--cost window: no pool 'window'."),
        (["--cost", "windows=0"], "--cost windows: a cost above 0 is wanted"),
        (["--cost", "windows=x"], "--cost windows=x: 'x' is no number"),
        (["--cost", "windows"], "--cost windows: no name and value; write NAME=1.5"),
        (["--pool", "windows", "--cost", "reviewers=2"], "no pool that is looked at 'reviewers'."),
        (["--bounds", "windows=3-1"], "--bounds windows: 3-1: the fewest, then the most"),
        (["--bounds", "windows=3"], "two whole numbers are wanted, such as windows=2-6"),
        (["--bounds", "windows=1-1"], "no staff"),
        (["--demand", "company=2"], "--demand company=: no case type 'company'."),
        (["--demand", "0"], "--demand 0: a number above 0 is wanted"),
        (["--demand", "2", "--demand", "3"], "--demand 3: given twice; name the case types"),
        (["--demand", "much"], "--demand much: 'much' is no number"),
        (
            ["--promise", "elapsed_hours_mean:decision <= 1"],
            "h: more servers do not keep it: 30.2 h with",
        ),
    ],
)
def test_bad_input_is_refused_with_what_would_be_right(
    hall: Hall, arguments: list[str], message: str
) -> None:
    file = str(Path(__file__).parents[1] / "scenarios" / "tutorial.yaml")
    code, out, err = hall("staff", file, "--engine", "simpy", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_scenario_that_promises_nothing_needs_to_be_told() -> None:
    with pytest.raises(ScenarioError, match="the scenario promises nothing; name what is"):
        found_in({**SERIES, "promises": {}})


# --- demand and servers --------------------------------------------------------------------------


def test_demand_multiplies_rates_and_batches() -> None:
    step = {"serve": visit()}
    data = hall(
        {
            "hourly": case_type(step, {"per_hour": 4}),
            "daily": case_type(step, {"per_working_day": 10, "profile": "even"}),
            "batch": case_type(step, {"every": "2 working days", "at": "10:00", "batch": 12}),
            "mixed": case_type(
                step,
                {"every": "2 working days", "at": "10:00", "batch": {"10": 0.5, "13": 0.5}},
            ),
        },
        {"windows": pool()},
        profiles={"even": {"half_hours": {"09:00": 1}}},
    )
    made = with_demand(loaded_of(data), 1.3, {"daily": 0.5}).scenario.case_types
    assert made["hourly"].arrivals.per_hour == pytest.approx(5.2)
    assert made["daily"].arrivals.per_working_day == 5
    assert made["batch"].arrivals.batch == pytest.approx({"15": 0.4, "16": 0.6})
    assert made["mixed"].arrivals.batch == pytest.approx(
        {"13": 0.5, "16": 0.05, "17": 0.45}, abs=1e-9
    )


def test_what_is_recorded_or_single_is_not_multiplied() -> None:
    step = {"serve": visit()}
    recorded = loaded_of(hall({"case": case_type(step)}, {"windows": pool()}))
    with pytest.raises(ScenarioError, match="case=2: its arrivals are recorded"):
        with_demand(recorded, 2)
    single = case_type(step, {"every": "2 working days", "at": "10:00"})
    with pytest.raises(ScenarioError, match=r"case=0\.5: a batch is one case or more"):
        with_demand(loaded_of(hall({"case": single}, {"windows": pool()})), 0.5)


def test_a_plan_with_other_servers_is_that_of_the_file_with_them() -> None:
    loaded = loaded_of(SHIFTS)
    plan = compile_plan(loaded.scenario)
    posts = posts_of(plan, ())
    changed = with_servers(loaded, {("windows", "day"): 3, ("windows", "night"): 1})
    there = compile_plan(changed.scenario)
    here = plan_with(plan, posts, (3, 1))
    assert here.num_servers == there.num_servers == 4
    assert [s.first_server for s in here.shifts] == [s.first_server for s in there.shifts]
    ours, theirs = (replicate(p, 1, 2).measures.values for p in (here, there))
    np.testing.assert_equal(ours, theirs)


def test_the_fewest_are_found_from_any_guess() -> None:
    for least, most in ((1, 1), (1, 9), (0, 40)):
        for right in range(least, most + 1):
            for guess in range(least, most + 1):
                search, tried = _fewest(least, most, guess), {most}
                count = next(search)
                while count is not None:
                    assert count not in tried
                    assert least <= count < most
                    tried.add(count)
                    count = search.send(count >= right)
                assert min(number for number in tried if number >= right) == right
                assert len(tried) <= 2 + 2 * (abs(guess - right) + 2).bit_length()


def test_the_first_guess_of_a_pool_of_which_nothing_is_promised_lets_half_wait() -> None:
    plan = compile_plan(loaded_of(SERIES).scenario)
    assert first_guess(plan, 0, ()) == 3  # M/M/3 with 2 erlangs: 44 % wait
    assert first_guess(plan, 0, goals_of(GOALS, loaded_of(SERIES))) == 4


# --- what is kept, shown and drawn ---------------------------------------------------------------


def test_the_same_study_again_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "study"
    first = found_in(SERIES, *GOALS, folder=folder)
    write_staffing(first)
    there = {path: path.read_bytes() for path in folder.glob("[!.]*.*")}
    assert {path.name for path in there} == {
        *(f"{name}.{kind}" for name in tables(first) for kind in ("csv", "parquet")),
        "staffing.json",
        "frontier.png",
    }

    def nothing(self: Work, task: object) -> None:
        raise AssertionError(f"{task} is run once more")

    monkeypatch.setattr(Work, "do", nothing)
    again = found_in(SERIES, *GOALS, folder=folder)
    write_staffing(again)
    assert as_json(again) == as_json(first)
    assert {path: path.read_bytes() for path in folder.glob("[!.]*.*")} == there


def test_tables_are_tidy_and_say_the_same_as_the_files(tmp_path: Path) -> None:
    import pandas as pd

    found = found_in(SERIES, *GOALS, folder=tmp_path / "study")
    write_staffing(found)
    for name, table in tables(found).items():
        assert len(table)
        parquet = pd.read_parquet(tmp_path / "study" / f"{name}.parquet")
        pd.testing.assert_frame_equal(parquet, table)
        text = pd.read_csv(tmp_path / "study" / f"{name}.csv", encoding="utf-8-sig")
        assert list(text.columns) == list(table.columns)
        assert len(text) == len(table)


def test_another_folder_of_somebody_is_left_alone(tmp_path: Path) -> None:
    from sim.errors import ResultsError

    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ResultsError, match="holds no staffing study; name another folder"):
        found_in(SERIES, *GOALS, folder=tmp_path)


def test_the_command_prints_staff_promises_neighbours_and_levels(hall: Hall) -> None:
    Path("series.yaml").write_text(json.dumps(SERIES, ensure_ascii=False), encoding="utf-8")
    arguments = ["staff", "series.yaml", "--promise", GOALS[0], "--promise", GOALS[1], "-o", "r"]
    code, out, err = hall(*arguments, "--engine", "simpy")
    assert code == 0, err
    for text in (
        "cheapest staff that keeps the promises: cost",
        "Desk 后台",
        "on time share: All done 办结",
        "<= 20 %",
        "hold together at 97.5 %",
        "no cheaper staff keeps the promises",
        "results: r",
    ):
        assert text in out
    assert Path("r/frontier.png").is_file()
    code, out, err = hall(*arguments, "--engine", "simpy", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["verdict"] == "kept"
    assert {row["pool"] for row in told["tables"]["staff"]} == {"windows", "desk"}
    # Its own files and those of its checks, and all replications, also those of the search.
    code, out, err = hall("verify", "r")
    assert (code, err) == (0, "")
    assert "files and" in out
    assert "of chosen" in out or "of one fewer in" in out
    Path("r/staff.csv").write_text("other")
    Path("r/frontier.parquet").unlink()
    code, _, err = hall("verify", "r", "--sample", "0")
    assert code == 5
    assert "r/staff.csv: not as it was written" in err
    assert "r/frontier.parquet: missing" in err
    assert hall(*arguments, "--engine", "simpy")[0] == 0
    assert hall("verify", "r", "--sample", "0")[0] == 0
    database = next(Path("r/search").glob("*.sqlite"))
    with contextlib.closing(sqlite3.connect(database)) as changed:
        changed.execute("UPDATE replications SET measures = x'00' WHERE number = 0")
        changed.commit()
    code, _, err = hall("verify", "r", "--sample", "0")
    assert code == 5
    assert "r/search/replications.sqlite: damaged: replication 0 of" in err


def test_the_frontier_is_drawn_with_labels_in_both_languages(series: Staffing) -> None:
    figure = frontier_figure(series)
    said = " ".join(text.get_text() for text in figure.findobj(Text))
    for text in ("Staffing", "人员成本与承诺", "chosen 所选方案", "<= 10 %", "10 replications"):
        assert text in said


def test_the_frontier_costs_more_where_more_is_promised(series: Staffing) -> None:
    costs = [level.measured.cost for level in series.levels if level.measured is not None]
    assert costs == sorted(costs)
    assert len(costs) >= 3
    best = [one for one in series.tried if one.is_best]
    assert [one.cost for one in best] == sorted({one.cost for one in best})
    shares = [one.means[0] for one in best]
    assert shares == sorted(shares, reverse=True)


def test_what_is_undecided_is_named(series: Staffing) -> None:
    """A level between the replications of one server fewer: neither side is sure."""
    fewer = next(
        one.measured for one in series.neighbours if one.change < 0 and one.measured.promises
    )
    level = round(fewer.promises[0].mean, 4)
    found = found_in(SERIES, f"waiting_over_15_min:windows <= {level}", pools=["windows"])
    undecided = [n for n in found.neighbours if n.is_checked and n.measured.held == "undecided"]
    assert undecided
    assert any(line.startswith("undecided: with one fewer in windows") for line in guarantee(found))
    console = Console(width=160)
    with console.capture() as capture:
        console.print(staffing_report(found))
    assert "undecided: waiting over 15 min: windows" in capture.get()


def test_more_changes_one_post() -> None:
    assert more((1, 2, 3), 1) == (1, 3, 3)
    assert more((1, 2, 3), 2, -2) == (1, 2, 1)
