"""Where the days go, over replications: tables that add up, words, picture, folder and command."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from faults import Hall, assert_tells, contents
from halls import CATALOGUE, LUNCH, Data, case_type, hall, one_pool, pool, visit
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from rich.console import Console

from sim import tasks
from sim.cli import main
from sim.errors import ScenarioError
from sim.plot_style import rendered
from sim.replication import replicate_log
from sim.running import run
from sim.scenario import Scenario
from sim.studies.days import ALL, CLOSED, LEAD_TIME, PARTS, DaysStudy, study_days
from sim.studies.days_plot import days_figure
from sim.studies.days_report import as_json, days_report
from sim.table_files import csv

HOSTILE = "cost $x$ [/red] <b> 公司"


def paper(servers: int, at: str, **more: Any) -> Data:
    """People file, a tray is carried over, and they are called to fetch what was decided."""
    return hall(
        {
            "case": case_type(
                {
                    "file": visit(label=HOSTILE),
                    "decide": {
                        "after": "file",
                        "gate": {"at": at},
                        "pool": "desk",
                        "service": {"exponential": {"mean": "20 min"}},
                        "label": {"en": "Decide", "zh": "决定"},
                        "milestone": "decided",
                    },
                    "fetch": visit(after="decide"),
                },
                {"per_hour": 3},
            )
        },
        {"windows": pool(servers), "desk": pool(label={"en": "The desk", "zh": "后台"})},
        open=LUNCH,
        days=6,
        promises={
            "decision": {
                "label": {"en": "Decision", "zh": "决定时限"},
                "case_types": "case",
                "to": "decided",
                "within": "1 working day",
            },
            "all": {"case_types": "case", "within": "2 working days"},
        },
        **more,
    )


SCENARIOS = {
    "old": Scenario.model_validate(paper(1, "16:30", label={"en": "Old", "zh": "旧流程"})),
    "new": Scenario.model_validate(paper(2, "11:00", label="New")),
}


@pytest.fixture(scope="module")
def study() -> DaysStudy:
    return study_days(SCENARIOS, 4, seed=3)


def text_of(shown: Any) -> str:
    console = Console(width=160, markup=False)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


# --- tables --------------------------------------------------------------------------------------


def test_the_parts_of_a_replication_add_up_to_its_mean_lead_time(study: DaysStudy) -> None:
    key = ["scenario", "replication", "time"]
    added = study.parts.groupby(key)["hours"].sum()
    lead_times = study.lead_times.set_index(key)["lead_time_hours"]
    pd.testing.assert_series_equal(added, lead_times.loc[added.index], check_names=False)
    assert len(added) == 2 * 4 * 2
    assert set(study.parts["part"]) == {"trip", "gate", "queue", "service", "closed"}
    mine = study.parts[study.parts["part"] != CLOSED]
    assert (mine["part"] == mine["during"]).all()
    assert not study.parts.duplicated([*key, *study.parts.columns[3:-1]]).any()


def test_mean_lead_times_are_those_of_the_metric_where_all_are_finished() -> None:
    data = one_pool(["09:00", "09:02", "10:00"], "10 min", open=LUNCH)
    data["promises"] = {"served": {"case_types": "case", "within": "1 h"}}
    found = study_days({"it": Scenario.model_validate(data)}, 2)
    metrics = found.experiment.metrics
    expected = metrics[metrics["metric"] == "elapsed_hours_mean"]["value"].to_numpy()
    np.testing.assert_allclose(found.lead_times["lead_time_hours"], expected, rtol=1e-12)
    assert found.lead_times["unfinished"].tolist() == [0, 0]


@pytest.mark.parametrize("by", ["part", "during", "during and part", "activity and part"])
def test_means_of_every_kind_add_up_to_the_lead_time(study: DaysStudy, by: str) -> None:
    found = study.estimates
    whole = found[found["by"] == ALL].set_index(["scenario", "time"])["hours"]
    added = found[found["by"] == by].groupby(["scenario", "time"])["hours"].sum()
    pd.testing.assert_series_equal(added, whole.loc[added.index])
    shares = found[found["by"] == by].groupby(["scenario", "time"])["share"].sum()
    np.testing.assert_allclose(shares, 1)


def test_a_part_that_is_in_some_replications_is_none_in_the_others() -> None:
    """Each case is sent back with a chance of 30 %: in some replications nobody is."""
    activity = {"again": {"probability": "30 %"}}
    found = study_days(
        {"it": Scenario.model_validate(one_pool(["09:00"], "10 min", activity=activity, days=9))},
        12,
    )
    trips = found.parts[found.parts["during"] == "trip"].groupby("replication")["hours"].sum()
    assert 0 < len(trips) < 12
    [row] = found.estimates[
        (found.estimates["by"] == "during") & (found.estimates["during"] == "trip")
    ].to_dict("records")
    assert row["replications"] == 12
    assert row["hours"] == pytest.approx(trips.sum() / 12)


def test_intervals_are_those_of_the_values_of_replications(study: DaysStudy) -> None:
    from scipy import stats

    mine = study.parts[(study.parts["scenario"] == "new") & (study.parts["time"] == "all")]
    values = mine[mine["pool"] == "desk"].groupby("replication")["hours"].sum()
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    found = study.estimates
    [row] = found[
        (found["scenario"] == "new")
        & (found["time"] == "all")
        & (found["by"] == "pool")
        & (found["pool"] == "desk")
    ].to_dict("records")
    assert (row["low"], row["hours"], row["high"]) == pytest.approx((low, values.mean(), high))


def test_differences_are_paired(study: DaysStudy) -> None:
    found = study.differences
    assert set(found["metric"]) <= {LEAD_TIME, *PARTS}
    assert set(found["scenario"]) == {"new"}
    [row] = found[(found["metric"] == "gate") & (found["subject"] == "decision")].to_dict("records")
    mine = study.parts[(study.parts["part"] == "gate") & (study.parts["time"] == "decision")]
    by = mine.groupby(["scenario", "replication"])["hours"].sum()
    pairs = by["new"] - by["old"]
    assert row["difference"] == pytest.approx(pairs.mean())
    assert row["high"] - row["low"] == pytest.approx(2 * 3.182446 * pairs.std() / 2, rel=1e-6)
    parts = found[(found["subject"] == "all") & (found["metric"] != LEAD_TIME)]
    [whole] = found[(found["subject"] == "all") & (found["metric"] == LEAD_TIME)]["difference"]
    assert parts["difference"].sum() == pytest.approx(whole)


def test_one_scenario_has_no_differences() -> None:
    assert study_days({"old": SCENARIOS["old"]}, 2).differences.empty


@pytest.mark.parametrize(
    "name", ["nobody comes", "unfinished at the end", "cases with nothing to do"]
)
def test_a_hall_in_which_nothing_is_to_be_split_is_told_so(name: str) -> None:
    scenario = Scenario.model_validate(CATALOGUE[name])
    found = study_days({"it": scenario, "again": scenario}, 2)
    assert "Where the days go" in text_of(days_report(found))
    json.dumps(as_json(found), allow_nan=False)
    assert isinstance(figure_of(found), Figure)


def test_a_hall_that_is_never_open_has_no_working_days() -> None:
    data = CATALOGUE["a horizon without a working day"]
    found = study_days({"it": Scenario.model_validate(data)}, 1)
    assert math.isnan(found.working_day_hours["it"])
    assert "working days of" not in text_of(days_report(found))


def test_the_hours_of_a_working_day_are_those_of_the_hall(study: DaysStudy) -> None:
    assert study.working_day_hours == {"old": 7.0, "new": 7.0}


def test_metrics_are_the_same_and_nothing_is_split_unless_asked(study: DaysStudy) -> None:
    plain = run(SCENARIOS, 4, seed=3)
    assert plain.splits == {}
    pd.testing.assert_frame_equal(plain.metrics, study.experiment.metrics, check_exact=True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_compiled_engine_and_workers_give_the_same_tables(study: DaysStudy, jobs: int) -> None:
    pytest.importorskip("numba")
    found = study_days(SCENARIOS, 4, seed=3, engine="compiled", jobs=jobs)
    assert found.experiment.splits == study.experiment.splits
    assert found.experiment.engine == "compiled"
    pd.testing.assert_frame_equal(found.estimates, study.estimates, check_exact=True)


# --- words and picture ---------------------------------------------------------------------------


def figure_of(study: DaysStudy) -> Figure:
    return days_figure(study.estimates, study.time_labels, study.activity_labels, "Seed 3.")


def test_the_report_says_what_takes_how_long_in_both_languages(study: DaysStudy) -> None:
    text = text_of(days_report(study))
    for part in (
        "Where the days go: Decision 决定时限",
        "old: arrived to decided; ",
        "tray, signature, hour 等待流转签批",
        "new minus old",
        "Decide 决定",
        "The desk 后台",
        HOSTILE,
        "working days of 7 h of open hours",
    ):
        assert part in text
    whole = study.estimates
    [hours] = whole[(whole["scenario"] == "old") & (whole["time"] == "all") & (whole["by"] == ALL)][
        "hours"
    ]
    assert f" {hours:.1f} " in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_a_narrow_window_cuts_nothing(study: DaysStudy, width: int) -> None:
    """Words may be broken; headings and numbers stand as they are."""
    console = Console(width=width, markup=False)
    with console.capture() as capture:
        console.print(days_report(study), crop=False)
    text = capture.get()
    found = study.estimates
    for row in found[found["by"] == ALL].to_dict("records"):
        assert f" {row['hours']:.1f} " in text
    assert "".join(text.split()).count("newminusold") == 2


def test_only_the_promises_that_are_asked_for_are_shown() -> None:
    found = study_days(SCENARIOS, 2, promises=["decision"])
    assert "Decision" in text_of(days_report(found))
    assert "Where the days go: all" not in text_of(days_report(found))
    assert {row["time"] for row in as_json(found)["estimates"]} == {"decision"}
    assert set(found.estimates["time"]) == {"decision", "all"}


def test_one_replication_has_no_intervals() -> None:
    text = text_of(days_report(study_days(SCENARIOS, 1)))
    assert "not estimable (1 replication)" in text


def test_the_figure_has_a_bar_for_each_scenario_and_names_activities(study: DaysStudy) -> None:
    figure = figure_of(study)
    assert len(figure.axes) == 4
    texts = [text.get_text() for text in figure.findobj(Text)]
    for wanted in ("Decision\n决定时限", "Decide\n决定", HOSTILE, "being served 办理中"):
        assert wanted in texts
    widths: dict[float, float] = {}
    for bar in figure.axes[0].patches:
        assert isinstance(bar, Rectangle)
        widths[bar.get_y()] = widths.get(bar.get_y(), 0.0) + bar.get_width()
    found = study.estimates
    hours = found[(found["by"] == ALL) & (found["time"] == "decision")]["hours"]
    assert hours.max() < 48
    assert sorted(widths.values()) == pytest.approx(sorted(hours))
    assert rendered(figure) == rendered(figure_of(study))


# --- folder and command --------------------------------------------------------------------------


def test_a_promise_that_nobody_has_is_a_wrong_option() -> None:
    with pytest.raises(ScenarioError, match=r"--promise decison: no promise 'decison'\. Did you"):
        study_days(SCENARIOS, 1, promises=["decison", "all"])


TABLES = ("days_parts", "days_lead_times", "days_estimates", "days_differences")
DAYS = ("days", "hall.yaml", "reform.yaml", "-r", "3", "-o", "r")


def test_tables_and_figure_are_kept(tmp_path: Path) -> None:
    found = study_days(SCENARIOS, 2, folder=tmp_path / "r")
    names = {f"studies/{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")}
    there = {name for name in contents(tmp_path / "r") if name.startswith("studies/")}
    assert there == names | {"studies/days.png"}
    kept = pd.read_parquet(tmp_path / "r/studies/days_estimates.parquet")
    pd.testing.assert_frame_equal(kept, found.estimates)
    assert (tmp_path / "r/studies/days_parts.csv").read_bytes() == csv(found.parts)


def test_the_same_command_answers_from_what_is_kept(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hall(*DAYS)
    assert first[0] == 0
    assert first[1].endswith("results: r\n")
    before = contents(Path("r"))

    def fails(*_: Any) -> None:
        raise AssertionError("nothing is to be done")

    monkeypatch.setattr(tasks, "replicate", fails)
    monkeypatch.setattr(tasks, "split_times", fails)
    assert hall(*DAYS) == first
    assert contents(Path("r")) == before


def test_it_goes_on_from_a_run_and_a_run_keeps_what_is_there(hall: Hall) -> None:
    """Metrics first, then splits; more replications; and metrics of more."""
    hall("run", "hall.yaml", "reform.yaml", "-r", "2", "-o", "r")
    code, _, err = hall(*DAYS)
    assert code == 0
    assert "going on: 4 of 6 replications are there already" in err
    studies = {n: c for n, c in contents(Path("r")).items() if n.startswith("studies/")}
    assert hall("run", "hall.yaml", "reform.yaml", "-r", "4", "-o", "r")[0] == 0
    after = contents(Path("r"))
    assert studies.items() <= after.items()
    assert hall("verify", "r", "--sample", "8")[0] == 0
    hall("days", "hall.yaml", "reform.yaml", "-r", "3", "-o", "s")
    assert studies == {n: c for n, c in contents(Path("s")).items() if n.startswith("studies/")}


def test_a_damaged_split_is_noticed(hall: Hall) -> None:
    hall(*DAYS)
    with sqlite3.connect("r/replications.sqlite") as database:
        database.execute("UPDATE splits SET splits = replace(splits, '1', '2') WHERE number = 1")
    assert_tells(hall(*DAYS), 5, "damaged", "what is split of replication 1 of hall is not as it")
    assert hall("verify", "r")[0] == 5


def test_a_damaged_figure_is_drawn_again(hall: Hall) -> None:
    hall(*DAYS)
    before = contents(Path("r"))
    Path("r/studies/days.png").write_bytes(b"")
    assert hall("verify", "r")[0] == 5
    hall(*DAYS)
    assert contents(Path("r")) == before


def test_a_replication_that_fails_is_missing(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(plan: Any, seed: int, number: int, engine: Any) -> Any:
        if number == 1:
            raise ZeroDivisionError("oh")
        return replicate_log(plan, seed, number, engine)

    monkeypatch.setattr(tasks, "replicate_log", fails)
    code, out, err = hall(*DAYS)
    assert code == 4
    assert "mean of 3 replications" in out
    assert "replication 1 of hall failed: ZeroDivisionError: oh; to repeat it: hall run" in err


def test_json_is_one_object_in_full_precision(hall: Hall) -> None:
    code, out, _ = hall(*DAYS, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["replications"] == 3
    assert {row["scenario"] for row in found["lead_times"]} == {"hall", "reform"}
    shares = [row["share"] for row in found["estimates"] if row["by"] == "part"]
    assert all(0 <= share <= 1 for share in shares)
    assert found["differences"]


def test_wrong_options_are_told_in_a_line(hall: Hall) -> None:
    found = hall(*DAYS, "--promise", "nothing")
    assert_tells(found, 2, "--promise nothing: no promise 'nothing'.")
    assert not Path("r").exists()
    assert hall("days", "none.yaml")[0] == 2
    assert hall("days", "hall.yaml", "-r", "0")[0] == 2
    assert hall("days", "hall.yaml", "--set", "pools.none=1")[0] == 2
    assert main(["days"]) == 2
