"""Which engine does the work, on how many cores: the tables are the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from halls import CATALOGUE, plan_of

from sim import records, replication, running, tasks, verifying
from sim.cli import main
from sim.engines import compiled_draw, compiled_engine, compiled_tally, simpy_engine
from sim.engines.native import NoMachineCodeError
from sim.errors import EnginesDiffer, IncompleteError, LawViolated
from sim.experiment import Experiment
from sim.loading import scenario_from
from sim.memory import PLANS_AT_ONCE
from sim.precision import Precision
from sim.replication import compare_engines, replicate
from sim.results import read_results
from sim.tasks import Task, Work, choose_engine, replications_to_do

TUTORIAL = Path(__file__).parents[1] / "scenarios" / "tutorial.yaml"
TABLES = ("metrics", "lead_times", "half_hours", "visits")
SCENARIOS = {
    "overload": scenario_from(CATALOGUE["overload"]),
    "impatient": scenario_from(CATALOGUE["impatient people"]),
}


def tables(found: Experiment) -> list[pd.DataFrame]:
    return [getattr(found, name) for name in TABLES]


def assert_same_tables(found: Experiment, expected: Experiment) -> None:
    for one, other in zip(tables(found), tables(expected), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.fixture(scope="module")
def by_simpy() -> Experiment:
    return running.run(SCENARIOS, 3, engine="simpy")


def test_a_folder_without_tables_keeps_what_is_done(by_simpy: Experiment, tmp_path: Path) -> None:
    found = running.run(SCENARIOS, 3, engine="simpy", folder=tmp_path, tables=False)
    assert_same_tables(found, by_simpy)
    assert {path.name for path in tmp_path.iterdir()} == {
        ".lock",
        "replications.sqlite",
        "scenarios",
    }
    again = running.run(SCENARIOS, 3, engine="simpy", folder=tmp_path)
    assert (again.timings, (tmp_path / "metrics.csv").exists()) == ({}, True)


def test_the_compiled_engine_gives_the_same_tables_and_says_that_it_was_compared(
    by_simpy: Experiment,
) -> None:
    found = running.run(SCENARIOS, 3, engine="compiled")
    assert (by_simpy.engine, by_simpy.remarks) == ("simpy", ())
    assert found.engine == "compiled"
    assert found.remarks == ("compiled engine: replication 0 identical in both engines",)
    assert_same_tables(found, by_simpy)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_workers_give_the_same_tables(by_simpy: Experiment, engine: Any) -> None:
    done: list[tuple[int, int]] = []
    progress: Callable[[int, int], None] = lambda n, total: done.append((n, total))  # noqa: E731
    found = running.run(SCENARIOS, 3, engine=engine, jobs=2, progress=progress)
    assert_same_tables(found, by_simpy)
    total = 6 if engine == "simpy" else 8
    assert done == [(n, total) for n in range(1, total + 1)]
    assert not multiprocessing.active_children()


def test_a_checked_compiled_run_asserts_the_laws(by_simpy: Experiment) -> None:
    found = running.run(SCENARIOS, 3, engine="compiled", check=True)
    assert_same_tables(found, by_simpy)
    assert found.timings["check"] > 0


def plans() -> dict[str, Any]:
    return {name: plan_of(CATALOGUE[name]) for name in ("overload", "impatient people")}


def chosen(wanted: Any, replications: int) -> tuple[Work, list[str]]:
    said: list[str] = []
    todo = [Task("replicate", name, number) for name in plans() for number in range(replications)]
    return choose_engine(Work(plans()), todo, wanted, said.append), said


def test_auto_takes_simpy_for_small_work_without_asking_for_the_other() -> None:
    found, said = chosen("auto", 10)
    assert (found.engine, found.remark, said) == ("simpy", "", [])


def test_auto_takes_the_compiled_engine_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "STEP_IN_SIMPY", 1.0)
    assert chosen("auto", 10)[0].engine == "compiled"
    # One replication runs in SimPy in any case.
    assert chosen("auto", 1)[0].engine == "simpy"


def test_auto_compiles_only_for_work_that_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_engine, "is_ready", lambda: False)
    steps = sum(tasks.draw_workload(plan).num_steps for plan in plans().values())
    monkeypatch.setattr(tasks, "STEP_IN_SIMPY", 10 / steps)  # ten seconds are saved
    assert chosen("auto", 2)[0].engine == "simpy"
    monkeypatch.setattr(tasks, "STEP_IN_SIMPY", 100 / steps)
    found, said = chosen("auto", 2)
    assert found.engine == "compiled"
    assert said == ["compiling the engine, once on this machine: some 20 s"]


def test_without_machine_code_simpy_does_everything_and_one_line_says_so(
    by_simpy: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def none(*arguments: Any) -> None:
        raise NoMachineCodeError("numba is not installed")

    monkeypatch.setattr(compiled_engine, "simulate_outcome", none)
    found = running.run(SCENARIOS, 3, engine="compiled")
    assert_same_tables(found, by_simpy)
    assert found.engine == "simpy"
    assert found.remarks == (
        "simpy engine: the SimPy engine did everything: numba is not installed",
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(TUTORIAL), "-r", "2", "--engine", "compiled"]) == 0
    last = capsys.readouterr().out.splitlines()
    assert "simpy engine: the SimPy engine did everything: numba is not installed" in last


# --- engines that differ -------------------------------------------------------------------------


def test_a_differing_event_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    simulate = simpy_engine.simulate

    def later(*arguments: Any) -> Any:
        log = simulate(*arguments)
        return replace(log, at=log.at + (np.arange(len(log)) == 7))

    monkeypatch.setattr(simpy_engine, "simulate", later)
    with pytest.raises(EnginesDiffer, match=r"^the engines disagree: event 7 differs: reference "):
        running.run(SCENARIOS, 2, engine="compiled")
    with pytest.raises(EnginesDiffer, match="event 7 differs"):
        running.run(SCENARIOS, 2, engine="compiled", jobs=2)
    assert main(["run", str(TUTORIAL), "--engine", "compiled"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "the engines disagree: event 7 differs" in output.err


def test_differing_draws_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = compiled_draw.draw_workload

    def longer(*arguments: Any) -> Any:
        workload = draw(*arguments)
        return replace(workload, step_time=workload.step_time + 1)

    monkeypatch.setattr(compiled_draw, "draw_workload", longer)
    with pytest.raises(EnginesDiffer, match=r"different numbers: step_time \(seed 3, rep"):
        compare_engines(plan_of(CATALOGUE["overload"]), 3)


def test_an_outcome_that_is_not_the_logs_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate = compiled_engine.simulate_outcome

    def later(*arguments: Any) -> Any:
        outcome = simulate(*arguments)
        return replace(outcome, departed_at=outcome.departed_at - 1)

    monkeypatch.setattr(compiled_engine, "simulate_outcome", later)
    with pytest.raises(EnginesDiffer, match="outcome is not that of its log: departed_at"):
        compare_engines(plan_of(CATALOGUE["overload"]), 1)


def test_sums_that_differ_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    add_up = compiled_tally.tally

    def more(*arguments: Any) -> Any:
        found = add_up(*arguments)
        return replace(found, waited=found.waited + 1)

    monkeypatch.setattr(compiled_tally, "tally", more)
    with pytest.raises(EnginesDiffer, match=r"add up differently: waited \(seed 1, replication 0"):
        compare_engines(plan_of(CATALOGUE["overload"]), 1)


# --- workers that fail ---------------------------------------------------------------------------


def dies(*arguments: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_dead_worker_was_at_is_done_again(
    by_simpy: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker dies, once: nothing is missing."""
    mark = tmp_path / "died"

    def dies_once(plan: Any, seed: int, number: int, *more: Any) -> Any:
        if number == 1 and not mark.exists():
            mark.touch()
            dies()
        return replication.replicate(plan, seed, number, *more)

    monkeypatch.setattr(tasks, "replicate", dies_once)
    found = running.run(SCENARIOS, 3, engine="simpy", jobs=2)
    assert mark.exists()
    assert_same_tables(found, by_simpy)
    assert not multiprocessing.active_children()


def test_what_kills_its_worker_each_time_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def sometimes(plan: Any, seed: int, number: int, *more: Any) -> Any:
        if number == 1:
            dies()
        return replication.replicate(plan, seed, number, *more)

    monkeypatch.setattr(tasks, "replicate", sometimes)
    found = running.run(SCENARIOS, 3, engine="simpy", jobs=2)
    assert [(one.scenario, one.number) for one in found.missing] == [
        ("impatient", 1),
        ("overload", 1),
    ]
    assert "its worker process dies each time" in found.missing[0].reason
    assert set(found.metrics["replication"]) == {0, 2}
    assert not multiprocessing.active_children()


def test_other_children_of_the_program_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any) -> None:
        raise LawViolated("fails")

    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    child.start()
    monkeypatch.setattr(tasks, "replicate", fails)
    with pytest.raises(LawViolated, match="fails"):
        running.run(SCENARIOS, 3, engine="simpy", jobs=2)
    assert multiprocessing.active_children() == [child]
    child.kill()
    child.join()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    command = ["-m", "sim", "run", str(TUTORIAL), "-r", "100000", "--engine", "simpy", "-j", "2"]
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as parent:
        listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        workers: list[str] = []
        while len(workers) < 2:
            time.sleep(0.05)
            workers = listed.read_text().split()
        time.sleep(0.5)
        parent.kill()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_replication_that_fails_is_missing_and_named(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(plan: Any, seed: int, number: int, *more: Any) -> Any:
        if number == 2:
            raise ZeroDivisionError("oh\nno")
        return replication.replicate(plan, seed, number, *more)

    monkeypatch.setattr(tasks, "replicate", fails)
    found = running.run(SCENARIOS, 3, engine="simpy", jobs=jobs)
    assert [one.text for one in found.missing] == [
        f"replication 2 of {name} failed: ZeroDivisionError: oh no"
        for name in ("impatient", "overload")
    ]
    assert set(found.metrics["replication"]) == {0, 1}
    with pytest.raises(IncompleteError, match=r"no replication of \w+ could be done: ZeroDiv"):
        running.run(SCENARIOS, only=2, engine="simpy", jobs=jobs)


def test_a_precision_takes_no_fewer_replications_than_are_wanted() -> None:
    found = running.run(SCENARIOS, 10, precision=Precision(0.9), engine="simpy")
    assert found.replications == 10
    assert found.remarks[-1].endswith("after 10 replications")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": -1}, "0 or more"),
        ({"only": 1, "folder": "r"}, "not kept"),
        ({"only": 1, "precision": Precision(0.1)}, "no precision"),
        ({"keep_log": [0]}, "need a folder"),
        ({"keep_log": [-1], "folder": "r"}, "0 or more"),
        ({"figures": True}, "need a folder"),
    ],
)
def test_arguments_that_make_no_sense_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        running.run(SCENARIOS, **options)


def test_an_event_log_that_cannot_be_made_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: Any) -> bytes:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr(tasks, "log_file", fails)
    said: list[str] = []
    one = {"overload": SCENARIOS["overload"]}
    running.run(one, 2, folder=tmp_path, keep_log=[1], engine="simpy", say=said.append)
    assert said == ["no event log logs/overload-1.parquet: ZeroDivisionError: oh no"]


def test_both_engines_measure_the_same(by_simpy: Experiment) -> None:
    plan = plan_of(CATALOGUE["gates of every kind"])
    one, other = (replicate(plan, 5, 2, engine).measures for engine in ("simpy", "compiled"))
    for field in fields(one):
        assert repr(getattr(one, field.name)) == repr(getattr(other, field.name))


def test_distributions_are_kept_of_the_first_replications_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(records, "DETAILED", 2)
    found = running.run(SCENARIOS, 4, engine="simpy", folder=tmp_path / "results")
    assert set(found.metrics["replication"]) == {0, 1, 2, 3}
    assert all(set(table["replication"]) == {0, 1} for table in tables(found)[1:] if len(table))
    assert_same_tables(read_results(tmp_path / "results"), found)


def test_many_scenarios_take_turns_some_at_a_time() -> None:
    names = [f"hall-{number}" for number in range(PLANS_AT_ONCE + 8)]
    todo = replications_to_do(dict.fromkeys(names, ()) | {"hall-1": {0}}, range(2))
    order = [(task.scenario, task.number) for task in todo]
    some, others = names[:PLANS_AT_ONCE], names[PLANS_AT_ONCE:]
    turns = [*((some, n) for n in (0, 1)), *((others, n) for n in (0, 1))]
    expected = [(name, number) for part, number in turns for name in part]
    expected.remove(("hall-1", 0))
    assert order == expected


def test_without_details_metrics_are_all_that_is_kept(tmp_path: Path) -> None:
    whole = running.run(SCENARIOS, 2, engine="simpy")
    found = running.run(
        SCENARIOS, 2, engine="simpy", folder=tmp_path / "r", details=False, figures=True
    )
    pd.testing.assert_frame_equal(found.metrics, whole.metrics)
    assert all(table.empty for table in tables(found)[1:])
    assert not whole.half_hours.empty
    assert_same_tables(read_results(tmp_path / "r"), found)
    assert verifying.verify(tmp_path / "r", 2, lambda *_: None).problems == []


def test_a_precision_is_of_the_metrics_that_lead() -> None:
    found = running.run(SCENARIOS, 2, metrics="utilisation", precision=0.2, engine="simpy")
    assert found.remarks[-1].startswith("precision: utilisation within 20 % after ")


def test_an_engine_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="engine 'fast' is none of auto, simpy, compiled"):
        running.run(SCENARIOS, 1, engine="fast")  # type: ignore[arg-type]
