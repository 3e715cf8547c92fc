"""Studies of a hall whose numbers change by date, and that reforms change in the middle."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from dated_hall import dated_hall
from faults import Hall

from sim.errors import ScenarioError
from sim.loading import Loaded, load_document
from sim.scenario import Arrivals
from sim.studies.assumptions import Assumptions, Group, assumptions
from sim.studies.moved import moved, with_rates
from sim.studies.variants import with_demand


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def arrivals(loaded: Loaded, name: str) -> list[Arrivals]:
    """Of a case type, in each phase that has it."""
    phases = [phase.scenario.case_types for phase in loaded.scenario.phases]
    return [case_types[name].arrivals for case_types in phases if name in case_types]


# --- demand --------------------------------------------------------------------------------------


def test_demand_multiplies_the_rates_of_every_date_and_of_every_phase() -> None:
    made = with_demand(dated_hall(), 1.5)
    dates = dt.date(2020, 1, 1), dt.date(2020, 1, 11)
    assert arrivals(made, "case")[0].per_working_day == dict(zip(dates, (15, 21), strict=True))
    assert [found.per_hour for found in arrivals(made, "letter")] == [1.5, 3, 3]
    assert [found.batch for found in arrivals(made, "group")] == [{"6": 1}]


def test_demand_of_a_case_type_that_a_reform_brings() -> None:
    made = with_demand(dated_hall(), 1, {"group": 2})
    assert [found.batch for found in arrivals(made, "group")] == [{"8": 1}]
    assert arrivals(made, "case") == arrivals(dated_hall(), "case")


def test_batches_that_a_reform_changes_are_not_multiplied() -> None:
    dated_hall()
    text = "reform: larger\neffective: 2020-01-18\nafter: [team]\nchanges: "
    text += "{case_types: {group: {arrivals: {batch: 5}}}}\n"
    Path("scenarios/reforms/larger.yaml").write_text(text)
    hall = Path("scenarios/hall.yaml")
    hall.write_text(hall.read_text().replace("team.yaml]", "team.yaml, reforms/larger.yaml]"))
    with pytest.raises(ScenarioError, match="group=2: the reform 'larger' changes its batches"):
        with_demand(load_document(hall), 2)
    others = with_demand(load_document(hall), 2, {"group": 1})
    assert [found.batch for found in arrivals(others, "group")] == [4, 5]


def test_the_rates_of_every_date_and_phase_are_those_of_all_who_come_at_random() -> None:
    made = with_rates(dated_hall(), 1.5, "more")
    assert list((arrivals(made, "case")[0].per_working_day or {}).values()) == [15, 21]
    assert [found.per_hour for found in arrivals(made, "letter")] == [1.5, 3, 3]
    assert [found.batch for found in arrivals(made, "group")] == [4]


# --- staffing ------------------------------------------------------------------------------------


def test_pools_whose_servers_change_by_date_are_refused_up_front(hall: Hall) -> None:
    dated_hall()
    code, out, err = hall("staff", "scenarios/hall.yaml")
    assert (code, out) == (2, "")
    other = "or look for the servers of other pools with --pool"
    assert [line for line in err.splitlines() if "--pool" in line] == [
        "--pool desk: its servers change by date; give one number "
        f"(--set pools.desk.shifts.day.servers=2), {other}",
        "--pool back: its servers change on 2020-01-08 by more; leave that out "
        f"(--set dated_reforms.more=null), {other}",
        "--pool team: its servers change on 2020-01-15 by team; leave that out "
        f"(--set dated_reforms.team=null), {other}",
    ]


def test_what_the_refusal_says_to_do_helps(hall: Hall) -> None:
    dated_hall()
    settings = ("pools.desk.shifts.day.servers=2", "dated_reforms.more=null")
    options = [part for text in (*settings, "dated_reforms.team=null") for part in ("--set", text)]
    study = ("staff", "scenarios/hall.yaml", "-r", "4", "--engine", "simpy", "-o", "study")
    code, out, err = hall(*study, *options, "--promise", "quick=50%")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("desk", "back"))]


def test_the_servers_of_other_pools_are_looked_for(hall: Hall) -> None:
    """At the demand of every date; a promise that a reform brings is one of them."""
    dated_hall()
    study = ("staff", "scenarios/hall.yaml", "-r", "4", "--engine", "simpy", "-o", "study")
    asked = ("--pool", "office", "--promise", "group=50%", "--demand", "1.1")
    code, out, err = hall(*study, *asked)
    assert code == 0, err
    assert "office" in out


# --- what rests on assumption --------------------------------------------------------------------


def group(found: Assumptions, key: str) -> Group:
    return next(group for group in found.groups if group.key == key)


def test_numbers_by_date_move_together_with_the_others_of_their_kind() -> None:
    loaded = dated_hall()
    found = assumptions(loaded, 0.2)
    servers, rates = (
        group(found, key) for key in ("pools.desk.servers", "case_types.case.arrivals")
    )
    assert list(servers.high.values()) == [2, 3]
    assert list(rates.low.values()) == [8, 11.2]
    assert (rates.low_text, rates.num_numbers) == ("-20 %", 2)
    hall = moved(loaded, {**servers.high, **rates.low}, "moved").scenario
    assert list(hall.pools["desk"].shifts["day"].servers.values()) == [2, 3]
    assert list(hall.case_types["case"].arrivals.per_working_day.values()) == [8, 11.2]


def test_demand_by_date_moves_as_one() -> None:
    dated_hall()
    demand = "profiles.even.demand={2020-01-05: 0.5, 2020-01-12: 2}"
    loaded = load_document("scenarios/hall.yaml", [demand])
    found = group(assumptions(loaded, 0.2), "profiles.even.demand")
    assert list(found.low.values()) == [0.4, 1.6]
    hall = moved(loaded, found.high, "moved").scenario
    assert list((hall.profiles["even"].demand or {}).values()) == [0.6, 2.4]


def test_a_range_that_the_file_states_is_that_of_every_date() -> None:
    loaded = dated_hall("assumed, a guess (+-50 %)")
    rates = group(assumptions(loaded, 0.2), "case_types.case.arrivals")
    assert list(rates.low.values()) == [5, 7]
    assert (rates.low_text, rates.high_text, rates.is_stated) == ("-50 %", "+50 %", True)


def test_where_there_are_no_servers_yet_there_are_not_fewer() -> None:
    dated_hall()
    loaded = load_document("scenarios/hall.yaml", ["pools.desk.shifts.day.servers.2020-01-01=0"])
    found = group(assumptions(loaded, 0.2), "pools.desk.servers")
    assert (list(found.low.values()), list(found.high.values())) == ([0, 1], [1, 3])


def test_what_dated_reforms_say_is_left_out_and_said_to_be() -> None:
    found = assumptions(dated_hall(), 0.2)
    reason = "numbers of dated reforms: only what holds until then moves"
    assert [path for path, why in found.left_out.items() if why == reason] == [
        "dated_reforms.more.effective",
        "dated_reforms.more.changes.pools.back.shifts.day.servers",
        "dated_reforms.more.changes.case_types.letter.arrivals.per_hour",
        "dated_reforms.team.effective",
        "dated_reforms.team.changes.pools.team.shifts.day.servers",
        "dated_reforms.team.changes.case_types.group.arrivals.every",
        "dated_reforms.team.changes.case_types.group.arrivals.at",
        "dated_reforms.team.changes.case_types.group.arrivals.batch",
        "dated_reforms.team.changes.case_types.group.activities.all.service",
        "dated_reforms.team.changes.promises.group.within",
    ]
    others = "no number of the hall: horizon, calendar, dates, promises, stocks, published figures"
    assert dict(found.reasons()) == {reason: 10, others: 7}


# --- where the days go ---------------------------------------------------------------------------


def test_days_of_a_promise_that_a_reform_brings(hall: Hall) -> None:
    dated_hall()
    options = ("--promise", "group", "-r", "2", "--engine", "simpy", "-o", "study")
    code, out, err = hall("days", "scenarios/hall.yaml", *options)
    assert code == 0, err
    assert "Where the days go: Group" in out


# --- which reform bought how much ----------------------------------------------------------------

FAST = """\
reform: fast
changes: {case_types: {case: {activities: {check: {service: {exponential: {mean: 20 min}}}}}}}
"""


@pytest.mark.filterwarnings("error::UserWarning")
def test_reforms_of_a_hall_with_dates_of_its_own_are_attributed(hall: Hall) -> None:
    """To the times of all promises, whenever they are made."""
    dated_hall()
    Path("scenarios/reforms/fast.yaml").write_text(FAST, encoding="utf-8")
    options = ("--with", "fast", "-r", "2", "--engine", "simpy", "-o", "study", "--json")
    code, out, err = hall("attribute", "scenarios/hall.yaml", *options)
    assert code == 0, err
    shares = json.loads(out)["shares"]
    assert {(row["metric"], row["subject"]) for row in shares} == {
        ("working_days_mean", "quick"),
        ("working_days_mean", "group"),
        ("visits_mean", "case"),
    }


# --- fits ----------------------------------------------------------------------------------------

FIT = """\
free:
  sign: {set: case_types.case.activities.sign.service, from: 5 min, to: 15 min, step: 5 min}
  desk: {set: pools.desk.shifts.day.servers.2020-01-10, from: 1, to: 2}
  later: {set: dated_reforms.more.changes.case_types.letter.arrivals.per_hour, from: 1, to: 3}
"""


def test_numbers_of_a_date_and_of_a_dated_reform_are_fitted_and_written(hall: Hall) -> None:
    dated_hall()
    path = Path("scenarios/hall.yaml")
    days = "{metric: working_days_mean, subject: quick, equals: 0, tolerance: 0.5}"
    desk, back = (
        f"{{metric: utilisation, subject: {pool}, equals: {level} %, tolerance: 0.02}}"
        for pool, level in (("desk", 23), ("back", 36))
    )
    text = path.read_text(encoding="utf-8").replace(days, f"{desk}, more: {back}")
    path.write_text(text, encoding="utf-8")
    Path("scenarios/fits").mkdir()
    Path("scenarios/fits/hall.yaml").write_text(FIT, encoding="utf-8")
    options = ("-r", "2", "--engine", "simpy", "-o", "study", "--write")
    code, out, err = hall("calibrate", "scenarios/hall.yaml", *options)
    assert code == 0, err
    assert "Fitted: sign=15 min desk=1 later=2." in out
    why = '"calibrated against days 23 %, more 36 % (fits/hall.yaml)"'
    servers = f"servers: {{2020-01-01: 1, 2020-01-10: 1, source: {{2020-01-10: {why}}}}}"
    assert servers in path.read_text(encoding="utf-8")
    reform = Path("scenarios/reforms/more.yaml").read_text(encoding="utf-8")
    assert f"arrivals: {{per_hour: 2, source: {{per_hour: {why}}}}}" in reform
