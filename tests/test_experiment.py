"""Scenarios x replications: names, pairs, tables, and what Python users get."""

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from halls import case_type, hall, one_pool, pool

import sim
from sim import loading, tables
from sim.errors import LawViolated, ScenarioError
from sim.running import run
from sim.scenario import Scenario
from sim.sources import as_data, load_all

BUSY = one_pool({"per_hour": 6}, {"exponential": {"mean": "8 min"}}, open=["09:00-12:00"], days=3)


def scenario(data: dict[str, Any] = BUSY) -> Scenario:
    return Scenario.model_validate(data)


def faster() -> Scenario:
    return scenario(BUSY | {"pools": {"windows": pool(2)}})


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""
calendar: always
hours: {{day: ["09:00-12:00"]}}
working_hours: day
horizon: {{from: 2020-01-01, to: 1 working day}}
pools: {{windows: {{shifts: {{day: {{servers: 1}}}}}}}}
case_types:
  case:
    arrivals: {{per_hour: 4}}
    activities: {{serve: {{pool: windows, service: 5 min}}}}
{text}
""",
        encoding="utf-8",
    )
    return path


# --- running -------------------------------------------------------------------------------------


def test_the_first_replication_of_every_scenario_comes_before_the_second_of_any() -> None:
    found = run({"a": scenario(), "b": faster()}, replications=2)
    runs = found.metrics[["replication", "scenario"]].drop_duplicates()
    assert list(runs.itertuples(index=False, name=None)) == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]


def test_scenarios_share_their_luck() -> None:
    """The same cases come to both halls in every replication."""
    found = run({"a": scenario(), "b": faster()}, replications=3).metrics
    arrivals = found[(found["metric"] == "arrivals") & (found["subject"] == "hall")]
    by_scenario = [list(part["value"]) for _, part in arrivals.groupby("scenario")]
    assert by_scenario[0] == by_scenario[1]
    assert len(set(by_scenario[0])) > 1


def test_the_same_seed_gives_the_same_tables_and_another_seed_others() -> None:
    first, again, other = (run([scenario()], 2, seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first.metrics, again.metrics)
    pd.testing.assert_frame_equal(first.half_hours, again.half_hours)
    assert not first.metrics["value"].equals(other.metrics["value"])


def test_more_replications_leave_the_first_ones_as_they_are() -> None:
    few, many = run([scenario()], 2).metrics, run([scenario()], 3).metrics
    pd.testing.assert_frame_equal(few, many[many["replication"] < 2])


def test_the_tables_have_the_columns_they_say() -> None:
    found = run([scenario()], 1)
    assert list(found.metrics.columns) == tables.METRIC_COLUMNS
    assert list(found.lead_times.columns) == tables.LEAD_TIME_COLUMNS
    assert list(found.half_hours.columns) == tables.HALF_HOUR_COLUMNS
    assert list(found.visits.columns) == tables.VISIT_COLUMNS
    assert set(found.timings) == {"draw", "simulate", "measure", "check"}
    assert found.timings["simulate"] > 0
    assert found.timings["check"] == 0


def test_a_hall_without_pools_has_tables_without_rows() -> None:
    data = hall({"case": case_type({"wait": {"delay": "1 h"}})})
    found = run([scenario(data)], 2)
    assert found.half_hours.empty
    assert list(found.half_hours.columns) == tables.HALF_HOUR_COLUMNS
    assert not found.estimates.empty


def test_estimates_and_differences_of_an_experiment() -> None:
    """One clerk more: nobody waits longer, and the interval of the difference is below 0."""
    found = run({"one": scenario(), "two": faster()}, 8)
    waits = found.estimates.query("metric == 'waiting_time_mean'").set_index("scenario")
    row = found.differences().query("metric == 'waiting_time_mean'").iloc[0]
    assert row["reference"] == "one"
    assert row["difference"] == pytest.approx(waits["mean"]["two"] - waits["mean"]["one"])
    assert row["high"] < 0
    back = found.differences("two").query("metric == 'waiting_time_mean'").iloc[0]
    assert back["difference"] == pytest.approx(-row["difference"])


def test_progress_is_told_after_every_run() -> None:
    told: list[tuple[int, int]] = []
    run(
        {"a": scenario(), "b": faster()}, 2, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_checking_asserts_the_laws_on_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is seen to fail once."""
    found = run([scenario()], 2, check=True)
    assert found.timings["check"] > 0

    def broken(*_: object) -> None:
        raise LawViolated("a case has vanished")

    monkeypatch.setattr("sim.laws.assert_laws", broken)
    with pytest.raises(LawViolated, match="vanished"):
        run([scenario()], 1, check=True)
    run([scenario()], 1)


@pytest.mark.parametrize(("replications", "seed", "jobs"), [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_numbers_that_make_no_experiment(replications: int, seed: int, jobs: int) -> None:
    with pytest.raises(
        ValueError, match="replications and jobs are 1 or more, a seed is 0 or more"
    ):
        run([scenario()], replications, seed, jobs=jobs)


# --- names ---------------------------------------------------------------------------------------


def names(sources: Any) -> list[str]:
    return list(load_all(sources))


def test_a_scenario_is_called_after_its_file(tmp_path: Path) -> None:
    assert names([write(tmp_path / "a.yaml"), str(write(tmp_path / "b.yaml"))]) == ["a", "b"]


def test_files_of_one_name_are_called_after_their_folders_too(tmp_path: Path) -> None:
    files = [write(tmp_path / place) for place in ("old/hall.yaml", "new/hall.yaml", "x.yaml")]
    assert names(files) == ["old-hall", "new-hall", "x"]


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml")
    with pytest.raises(ScenarioError, match=r"a\.yaml: two scenarios are called 'a'; give one"):
        names([file, file])


def test_a_scenario_without_a_file_is_numbered(tmp_path: Path) -> None:
    loaded = loading.load_document(write(tmp_path / "a.yaml"))
    assert names([scenario(), loaded, scenario()]) == ["scenario-1", "a", "scenario-3"]


def test_one_scenario_needs_no_list(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml")
    assert [names(one) for one in (path, str(path), loading.load_document(path))] == [["a"]] * 3
    assert names(scenario()) == ["scenario-1"]


def test_an_experiment_is_named_in_a_line() -> None:
    assert repr(run([scenario()], 2)) == "<Experiment: scenario-1; 2 replications, seed 1>"


def test_nothing_to_run() -> None:
    with pytest.raises(ScenarioError, match="at least one is wanted"):
        run([])


def test_the_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    first = write(tmp_path / "a.yaml", "surprise: 1")
    second = write(tmp_path / "b.yaml", "hour: {}")
    with pytest.raises(ScenarioError) as caught:
        load_all([first, second])
    assert [Path(problem.mark.file).name for problem in caught.value.problems] == [
        "a.yaml",
        "b.yaml",
    ]


def test_settings_change_every_scenario(tmp_path: Path) -> None:
    files = [write(tmp_path / name) for name in ("a.yaml", "b.yaml")]
    loaded = load_all(files, ["pools.windows.shifts.day.servers=7"])
    servers = [d.scenario.pools["windows"].shifts["day"].servers for d in loaded.values()]
    assert servers == [7, 7]


# --- a scenario as data --------------------------------------------------------------------------


def test_a_scenario_as_data_is_the_same_scenario() -> None:
    """Every kind of value that a file can hold."""
    data = hall(
        {
            "case": case_type(
                {
                    "file": {
                        "trip": "visit",
                        "pool": ["windows", "spare"],
                        "service": {"lognormal": {"mean": "12.5 min", "cv": 0.5}},
                        "patience": "1 h",
                        "milestone": "accepted",
                    },
                    "tray": {
                        "after": "file",
                        "gate": {"at": ["11:30", "17:30:15"], "weekdays": ["mon"]},
                        "delay": "2 working days",
                        "again": {"probability": "10 %"},
                    },
                    "board": {
                        "after": "tray",
                        "gate": {"dates": ["2020-01-09"], "at": "10:00"},
                        "delay": {"empirical": {"values": ["1 h", "2 h"]}},
                    },
                },
                {"every": "1 working day", "at": "10:00", "batch": {"1": "30 %", "12": "70 %"}},
                label={"en": "Case", "zh": "案件"},
                attributes={"urgent": {"yes": "10 %", "no": "90 %"}},
                priority={"urgent": {"yes": 0, "no": 1}},
            ),
            "recorded": case_type({"wait": {"delay": "same day"}}, ["09:00", "10:00"]),
        },
        {"windows": pool(2, room=4), "spare": pool(1, at_shift_end="pause", at_closing="wait")},
        open=["08:30-12:00", "14:30-18:00"],
        days=20,
        calendar={"dates": [str(dt.date(2020, 1, 1) + dt.timedelta(days=n)) for n in range(40)]},
        promises={"time": {"case_types": "case", "within": "210 min", "per": "batch"}},
        published={"x": {"metric": "arrivals", "subject": "hall", "at_least": 3, "tolerance": 1}},
    )
    original = scenario(data)
    assert loading.scenario_from(as_data(original)) == original


def test_a_scenario_without_a_file_can_be_shown() -> None:
    [loaded] = load_all([scenario()]).values()
    assert "per_hour: 6" in loading.resolved_yaml(loaded)


# --- Python interface ----------------------------------------------------------------------------


def test_events_and_cases_have_names_and_dates() -> None:
    """One case is served from 09:00 to 09:10, the next comes too late to be finished."""
    data = one_pool(
        ["09:00", "23:55"],
        "10 min",
        activity={"milestone": "served"},
        horizon={"from": "2020-01-01", "to": "2020-01-01"},
    )
    data["case_types"]["case"]["attributes"] = {"channel": {"counter": "100 %"}}
    plan = sim.compile_plan(scenario(data))
    workload = sim.draw_workload(plan)
    log = sim.simulate(plan, workload)
    events = sim.event_frame(plan, workload, log)
    assert list(events["event"][:3]) == ["arrive", "come_in", "enqueue"]
    start = events[events["event"] == "start"].iloc[0]
    assert start["at"] == pd.Timestamp("2020-01-01 09:00")
    assert (start["activity"], start["pool"], start["server"]) == (
        "serve",
        "windows",
        "windows.day.1",
    )
    cases = sim.case_frame(plan, workload, log)
    assert list(cases["state"]) == ["finished", "in progress"]
    assert list(cases["channel"]) == ["counter", "counter"]
    assert cases["served_at"][0] == cases["departed_at"][0] == pd.Timestamp("2020-01-01 09:10")
    assert cases["departed_at"].isna().tolist() == [False, True]
    assert cases["batch"].isna().all()
    assert list(cases["measured"]) == [True, True]


def test_attributes_of_other_case_types_are_missing() -> None:
    data = hall(
        {
            "a": case_type({"x": {"delay": "1 h"}}, attributes={"state": {"new": "100 %"}}),
            "b": case_type({"x": {"delay": "1 h"}}, attributes={"kind": {"old": "100 %"}}),
        }
    )
    plan = sim.compile_plan(scenario(data))
    workload = sim.draw_workload(plan)
    cases = sim.case_frame(plan, workload, sim.simulate(plan, workload))
    assert list(cases["state_"].fillna("missing")) == ["new", "missing"]  # `state` is taken
    assert list(cases["kind"].fillna("missing")) == ["missing", "old"]


def test_measures_of_one_replication_are_those_of_the_experiment() -> None:
    plan = sim.compile_plan(scenario())
    workload = sim.draw_workload(plan, seed=3, replication=1)
    measures = sim.measure(plan, workload, sim.simulate(plan, workload))
    found = run([scenario()], 2, seed=3).metrics
    mine = found[found["replication"] == 1]
    values = list(measures.values.values())  # noqa: PD011 (no pandas)
    assert np.array_equal(values, mine["value"], equal_nan=True)


def test_the_package_exposes_what_it_says() -> None:
    for name in sim.__all__:
        assert getattr(sim, name) is not None
    assert set(sim.__all__) <= set(dir(sim))
    with pytest.raises(AttributeError, match="module 'sim' has no attribute 'nothing'"):
        _ = sim.nothing


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sim, sys; print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'rich')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
