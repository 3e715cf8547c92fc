"""Reforms that take effect while the hall is at work: for whom, from when, and which cannot."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from halls import Data, case_type, dated, hall, one_pool, plan_of, pool, run, visit

from sim.draws import draw_workload
from sim.errors import ScenarioError
from sim.loading import load, load_document, resolved_yaml, scenario_from
from sim.offered_load import offered_load
from sim.plan import Plan
from sim.planning import compile_plan

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SIX_YEARS = SCENARIOS / "lanzhou-2015-2020.yaml"


def delays(reforms: Data, **more: Data) -> Data:
    """Three delays of six hours in a row; a case comes at nine o'clock on each of four days."""
    activities = {
        "file": {"delay": "6 h", "documents": 1},
        "check": {"after": "file", "delay": "6 h", "documents": 2},
        "sign": {"after": "check", "delay": "6 h", "milestone": "signed"},
    }
    days = [f"+{day} 09:00" for day in range(4)]
    return hall({"case": case_type(activities, days)}, days=6, dated_reforms=reforms, **more)


# For whom


def test_who_began_before_keeps_the_process_and_who_comes_later_has_the_new_one() -> None:
    found = run(delays({"quick": dated("2020-01-03", {"check": None, "sign": {"delay": "1 h"}})}))
    assert found.times("DEPART") == ["+1 03:00", "+2 03:00", "+2 16:00", "+3 16:00"]
    assert found.times("PASS_OVER") == []
    assert found.cases.documents.tolist() == [3, 3, 1, 1]


def test_who_moves_over_passes_over_what_is_abolished() -> None:
    """The second case is filed at 15:00 on the day before, and comes to signing on the day."""
    quick = dated("2020-01-02", {"check": None}, in_progress="move")
    found = run(delays({"quick": quick}))
    assert found.times("DEPART")[:2] == ["+1 03:00", "+1 21:00"]
    # The first has come to its check at 15:00 of the first day, before the reform.
    early = run(delays({"quick": quick | {"effective": "2020-01-03"}}))
    assert early.times("DEPART")[:3] == ["+1 03:00", "+2 03:00", "+2 21:00"]


def test_what_a_case_has_come_to_it_ends_as_it_was() -> None:
    """The first case signs from 21:00 to 3:00: it came to that before midnight."""
    longer = dated("2020-01-02", {"sign": {"delay": "10 h"}}, in_progress="move")
    found = run(delays({"longer": longer}, horizon={"from": "2020-01-01", "to": "6 working days"}))
    assert found.times("DEPART")[:2] == ["+1 03:00", "+2 07:00"]


def test_a_changed_activity_is_lived_through_once() -> None:
    activities = {
        "file": {"delay": "20 h"},
        "check": {"after": "file", "delay": "6 h", "documents": 2},
        "sign": {"after": "check", "delay": "1 h"},
    }
    changed = dated(
        "2020-01-02", {"check": {"delay": "30 min", "documents": 5}}, in_progress="move"
    )
    data = hall({"case": case_type(activities)}, days=3, dated_reforms={"changed": changed})
    found = run(data)
    assert found.times("DEPART") == ["+1 06:30"]
    assert len(found.times("PASS_OVER")) == 1
    assert found.cases.documents.tolist() == [5]
    assert found.cases.is_finished.all()


def test_something_new_is_lived_through_by_who_has_not_come_so_far() -> None:
    new = {"label": "New", "after": "check", "delay": "2 h"}
    reform = dated("2020-01-02", {"new": new, "sign": {"after": "new"}}, in_progress="move")
    found = run(delays({"more": reform}))
    # The first case was signing at midnight; the second comes to the new step.
    assert found.times("DEPART")[:2] == ["+1 03:00", "+2 05:00"]


def test_a_visit_that_is_abolished_is_no_visit() -> None:
    activities = {"file": visit("desk"), "wait": {"after": "file", "delay": "20 h"}}
    activities |= {"fetch": visit("desk", after="wait", trip="fetch")}
    data = hall(
        {"case": case_type(activities, ["09:00", "+2 09:00"])},
        {"desk": pool()},
        trips={"visit": {}, "fetch": {}},
        days=5,
    )
    abolished = dated(
        "2020-01-02", {"fetch": {"trip": None, "pool": None, "service": None}}, in_progress="move"
    )
    assert run(data).cases.visits.tolist() == [2, 2]
    assert run(data | {"dated_reforms": {"no-fetching": abolished}}).cases.visits.tolist() == [1, 1]


def test_those_who_finish_before_a_reform_live_as_without_it() -> None:
    """Who comes when, and how long all takes, is not drawn anew."""
    data = one_pool({"per_hour": 3}, {"exponential": {"mean": "15 min"}}, days=6)
    data["case_types"]["case"]["attributes"] = {"kind": {"x": "50 %", "y": "50 %"}}
    reform = {"effective": "2020-01-04", "changes": {"case_types": {"case": {}}}}
    reform["changes"]["case_types"]["case"] = {
        "attributes": {"kind": {"x": "10 %", "y": "90 %"}},
        "activities": {"serve": {"service": {"exponential": {"mean": "5 min"}}}},
    }
    without, under = run(data), run(data | {"dated_reforms": {"quick": reform}})
    begins = 3 * 24 * 3600
    assert np.array_equal(without.workload.arrived_at, under.workload.arrived_at)
    assert np.array_equal(without.workload.ordinal, under.workload.ordinal)
    before = without.workload.arrived_at < begins
    assert 100 < before.sum() < len(before)
    assert np.array_equal(without.workload.attributes[before], under.workload.attributes[before])
    assert np.array_equal(without.workload.step_time[before], under.workload.step_time[before])
    slow, quick = (found.workload.step_time[~before] for found in (without, under))
    assert np.median(slow[quick > 60] / quick[quick > 60]) == pytest.approx(3, rel=0.01)
    assert (under.workload.attributes[~before, 0] == 1).mean() > 0.8


def test_every_case_comes_once() -> None:
    plan = compile_plan(load(SIX_YEARS))
    workload = draw_workload(plan)
    names = [plan.case_types[number].name for number in workload.case_type.tolist()]
    numbers = Counter(zip(names, workload.ordinal.tolist(), strict=True))
    assert max(numbers.values()) == 1
    for name in {"company", "change", "tax_matters"}:
        mine = sorted(number for kind, number in numbers if kind == name)
        assert mine == list(range(len(mine)))


# The hall


def test_servers_and_rates_change_on_their_dates() -> None:
    plan = plan_of(
        one_pool(
            {"per_working_day": {"2020-01-01": 10, "2020-01-03": 30}, "profile": "busy"},
            "30 min",
            {"2020-01-01": 1, "2020-01-02": 3, "2020-01-04": 2},  # type: ignore[arg-type]
            profiles={"busy": {"half_hours": {"09:00": 1}}},
            days=4,
        )
    )
    assert servers_at(plan, "2020-01-01") == 1
    assert servers_at(plan, "2020-01-02") == servers_at(plan, "2020-01-03") == 3
    assert servers_at(plan, "2020-01-04") == 2
    [rate] = plan.case_types[0].arrivals.rates
    assert np.diff(rate.before).tolist() == pytest.approx([10, 10, 30, 30])
    assert offered_load(plan)[0].server_hours == 24 * (1 + 3 + 3 + 2)


def servers_at(plan: Plan, date: str) -> int:
    at = (np.datetime64(date) - np.datetime64(plan.origin)).astype(int) * 86400 + 10 * 3600
    return sum(shift.servers for shift in plan.shifts if shift.sessions.is_open(at))


def test_a_pool_that_is_removed_goes_on_for_those_who_began_before() -> None:
    activities = {"file": {"delay": "20 h"}, "sign": {"after": "file", "pool": "desk"}}
    activities["sign"]["service"] = "1 h"
    data = hall({"case": case_type(activities, ["09:00"])}, {"desk": pool()}, days=3)
    reform = dated("2020-01-02", {"sign": None})
    reform["changes"]["pools"] = {"desk": None}
    assert run(data | {"dated_reforms": {"no-desk": reform}}).times("DEPART") == ["+1 06:00"]


# Files

HALL = """\
calendar: always
hours: {day: ["09:00-17:00"]}
working_hours: day
horizon: {from: 2020-01-01, to: 2020-01-31}
trips: {come: {}}
pools: {desk: {shifts: {day: {servers: 2}}, at_closing: wait}}
case_types:
  case:
    arrivals: {per_hour: 1}
    attributes: {kind: {x: 50 %, y: 50 %}}
    activities:
      file: {trip: come, pool: desk, service: 10 min}
      check: {after: file, delay: 1 h, again: {probability: 10 %}}
      sign: {after: check, pool: desk, service: 1 h, milestone: signed}
promises: {quick: {case_types: case, to: signed, within: 1 working day}}
published: {known: {metric: on_time_share, subject: quick, equals: 90 %}}
stocks: {filed: {known: 5, known_on: 2019-12-31, gains: [{case_types: case, at: signed}]}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reforms").mkdir()


def write(name: str, about: str, changes: str) -> None:
    text = f"reform: {name}\n{about}\nchanges: {changes}\n"
    Path(f"reforms/{name}.yaml").write_text(text, encoding="utf-8")


def dated_hall(*names: str, more: str = "") -> Path:
    listed = "".join(f"\n  - reforms/{name}.yaml" for name in names)
    Path("base.yaml").write_text(HALL, encoding="utf-8")
    text = f"extends: base.yaml\ndated_reforms:{listed}\n{more}"
    Path("hall.yaml").write_text(text, encoding="utf-8")
    return Path("hall.yaml")


SIGN = "{case_types: {case: {activities: {sign: {service: 5 min}}}}}"


def test_a_file_lists_reforms_and_a_resolved_file_says_what_they_are() -> None:
    write("quick", "effective: 2020-01-10\nin_progress: move", SIGN)
    write(
        "gone",
        "effective: 2020-01-20\nafter: [quick]",
        "{case_types: {case: {activities: {sign: null, check: {milestone: signed}}}}}",
    )
    loaded = load_document(dated_hall("gone", "quick"))
    assert [str(phase.since) for phase in loaded.scenario.phases] == [
        "None",
        "2020-01-10",
        "2020-01-20",
    ]
    Path("resolved.yaml").write_text(resolved_yaml(loaded), encoding="utf-8")
    again = load("resolved.yaml")
    assert again == loaded.scenario
    assert again.phases == loaded.scenario.phases


def test_a_setting_takes_a_reform_out_or_changes_its_date() -> None:
    write("quick", "effective: 2020-01-10", SIGN)
    path = dated_hall("quick")
    assert len(load(path, ["dated_reforms.quick=null"]).phases) == 1
    [_, phase] = load(path, ["dated_reforms.quick.effective=2020-01-12"]).phases
    assert str(phase.since) == "2020-01-12"


def test_data_may_have_dated_reforms_too() -> None:
    data = delays({"quick": dated("2020-01-03", {"check": None})})
    assert [len(p.scenario.case_types["case"].activities) for p in scenario_from(data).phases] == [
        3,
        2,
    ]


def test_stocks_and_months(tmp_path: Path) -> None:
    import sim

    longer = HALL.replace("to: 2020-01-31", "to: 2021-03-31")
    Path("long.yaml").write_text(longer, encoding="utf-8")
    experiment = sim.run("long.yaml", replications=2, engine="simpy")
    months = experiment.months
    assert list(months["month"].unique()) == [
        *(f"2020-{month:02}" for month in range(1, 13)),
        *(f"2021-{month:02}" for month in range(1, 4)),
    ]

    def of(metric: str, subject: str) -> dict[str, float]:
        rows = months[(months["metric"] == metric) & (months["subject"] == subject)]
        return dict(
            zip(
                rows[rows["replication"] == 0]["month"],
                rows[rows["replication"] == 0]["value"],
                strict=True,
            )
        )

    totals = experiment.metrics.query("replication == 0").set_index(["metric", "subject"])["value"]
    stock = of("stock", "filed")
    assert stock["2021-03"] == totals["stock", "filed"]
    arrived = np.cumsum(list(of("arrivals", "case").values()))
    left = arrived - np.array(list(of("in_progress", "case").values()))
    assert np.array_equal(left + 5, list(stock.values()))  # who is signed has left
    assert arrived[-1] == totals["arrivals", "case"]
    assert sum(of("promised_cases", "quick").values()) == totals["promised_cases", "quick"]
    mean = np.average(
        list(of("visits_mean", "case").values()), weights=list(of("arrivals", "case").values())
    )
    assert mean == pytest.approx(totals["visits_mean", "case"], rel=0.01)


# What is wrong

TWO = "{case_types: {case: {activities: {sign: {service: 7 min}}}}}"


DATE = "effective: 2020-01-10"
MOVE = f"{DATE}\nin_progress: move"


def of_case(piece: str) -> str:
    return f"{{case_types: {{case: {piece}}}}}"


def of_activities(piece: str) -> str:
    return of_case(f"{{activities: {piece}}}")


WRONG = {
    "no date": ("label: x", SIGN, "effective: missing"),
    "before the horizon": (
        "effective: 2019-12-01",
        SIGN,
        "when the simulation begins (2020-01-01) or before",
    ),
    "on the first day": (
        "effective: 2020-01-01",
        SIGN,
        "a reform that holds throughout is named under 'reforms'",
    ),
    "after the horizon": (
        "effective: 2020-02-01",
        SIGN,
        "after the last day of the horizon (2020-01-31)",
    ),
    "without what it needs": (f"{DATE}\nneeds: other", SIGN, "needs the reform 'other'"),
    "no such activity": (DATE, of_activities("{sgn: {delay: 1 h}}"), "Did you mean 'sign'?"),
    "no such pool to remove": (DATE, "{pools: {dsk: null}}", "nothing to remove here"),
    "no such pool": (DATE, of_activities("{sign: {pool: dsk}}"), "no pool 'dsk'"),
    "no such hours": (DATE, "{working_hours: dy}", "no hours 'dy'"),
    "another calendar": (
        DATE,
        "{calendar: weekdays}",
        "cannot change in the middle of a run, as it would on 2020-01-10 by one",
    ),
    "another rule": (
        DATE,
        "{pools: {desk: {at_closing: turn_away}}}",
        "people wait there by this rule",
    ),
    "another promise": (
        DATE,
        "{promises: {quick: {within: 1 h}}}",
        "give the new one another name",
    ),
    "other working hours": (
        DATE,
        "{hours: {day: ['09:00-12:00']}}",
        "they are the working hours: time is counted by them",
    ),
    "another published figure": (
        DATE,
        "{published: {known: {equals: 95 %}}}",
        "a whole run is judged by it",
    ),
    "other arrivals": (
        DATE,
        of_case("{arrivals: {per_hour: null, every: 2 working days, at: '10:00'}}"),
        "they come per_hour before, every after",
    ),
    "reforms in a reform": (
        DATE,
        "{dated_reforms: {}}",
        "a reform cannot say when others take effect",
    ),
    "nobody serves any more": (
        DATE,
        "{pools: {desk: {shifts: {day: {servers: 0}}}}}",
        "have no way to their end",
    ),
    "nobody decides any more": (
        MOVE,
        of_activities("{sign: {gate: {dates: [2020-01-05, 2020-01-12], at: '10:00'}}}"),
        "it never happens after 2020-01-12: cases that still need case.sign have no way to",
    ),
    "nobody comes any more": (
        MOVE,
        "{hours: {few: [{sessions: ['09:00-10:00'], to: 2020-01-12}]}, "
        "trips: {come: {hours: few}}}",
        "nobody can come after 2020-01-12: cases that still need case.file have no way to",
    ),
    "nobody ever comes": (
        DATE,
        "{hours: {few: [{sessions: ['09:00-10:00'], to: 2020-01-05}]}, "
        "trips: {come: {hours: few}}}",
        "trips.come: nobody can ever come: its hours from a date on are never open",
    ),
    "another order": (
        MOVE,
        of_activities("{sign: {after: file}}"),
        "no way to their end: it no longer comes after 'check'",
    ),
    "a loop is gone": (MOVE, of_activities("{check: null}"), "who is sent back here"),
    "a milestone moves": (
        MOVE,
        of_activities("{sign: {milestone: null}, check: {milestone: signed}}"),
        "the milestone 'signed' moves",
    ),
    "an attribute that nobody has": (
        MOVE,
        of_case("{attributes: {new: {a: 100 %}}, activities: {sign: {when: {new: a}}}}"),
        "those who began before have no 'new: a'",
    ),
    "neither": (f"{DATE}\nin_progress: stay", SIGN, "one of keep, move is wanted, not 'stay'"),
}


@pytest.mark.parametrize(("about", "changes", "message"), WRONG.values(), ids=WRONG)
def test_a_reform_that_cannot_take_effect_is_refused(
    about: str, changes: str, message: str
) -> None:
    write("one", about, changes)
    with pytest.raises(ScenarioError, match=re.escape(message)):
        load(dated_hall("one"))


def test_a_list_replaces_that_of_the_file_below_and_null_removes_it() -> None:
    for name in ("one", "two"):
        write(name, DATE, SIGN if name == "one" else TWO)
    below = dated_hall("one")
    for text, names in (("[reforms/two.yaml]", ["two"]), ("[]", []), ("null", [])):
        Path("above.yaml").write_text(f"extends: {below}\ndated_reforms: {text}\n")
        assert list(load("above.yaml").dated_reforms) == names
    assert list(load(below, ["dated_reforms=null"]).dated_reforms) == []
    with pytest.raises(ScenarioError, match="only a file can list them"):
        load(below, ["dated_reforms=[reforms/two.yaml]"])


def test_a_pool_that_opens_on_some_days_only_may_be_closed_on_the_last_ones() -> None:
    """The last day is a Friday; from Tuesday to Friday is no longer than in any week."""
    write("one", DATE, SIGN)
    rare = "hours: {rare: [{sessions: ['08:00-16:00'], weekdays: [tue]END}]}"
    rare += "\npools: {desk: {shifts: {day: {hours: rare}}}}\n"
    assert len(load(dated_hall("one", more=rare.replace("END", ""))).phases) == 2
    with pytest.raises(ScenarioError, match=r"nobody is on shift \(desk\) after 2020-01-14"):
        load(dated_hall("one", more=rare.replace("END", ", to: 2020-01-14")))


def test_reforms_that_contradict_each_other_are_refused() -> None:
    write("one", "effective: 2020-01-10", SIGN)
    write("two", "effective: 2020-01-20", TWO)
    with pytest.raises(ScenarioError, match="sets this otherwise than 'one'"):
        load(dated_hall("one", "two"))


def test_a_reform_cannot_build_on_a_later_one() -> None:
    write("one", "effective: 2020-01-20", SIGN)
    write("two", "effective: 2020-01-10\nafter: [one]", TWO)
    with pytest.raises(ScenarioError, match="it cannot build on that"):
        load(dated_hall("one", "two"))


def test_what_is_dated_does_not_contradict_what_holds_from_the_beginning() -> None:
    write("one", "label: x", SIGN)
    write("two", DATE, TWO)
    path = dated_hall("two")
    with pytest.raises(ScenarioError, match="'two' sets this otherwise than 'one'"):
        load(path, reforms=["reforms/one.yaml"])
    write("two", f"{DATE}\nafter: [one]", TWO)
    assert len(load(path, reforms=["reforms/one.yaml"]).phases) == 2


def test_until_is_for_files_whose_reforms_have_no_dates_of_their_own() -> None:
    write("one", DATE, SIGN)
    with pytest.raises(ScenarioError) as caught:
        load(dated_hall("one"), until="2020-01-15")
    [problem] = caught.value.problems
    assert str(problem).startswith("--until: its reforms have dates of their own")


def test_a_reform_counts_once() -> None:
    write("one", "effective: 2020-01-20", SIGN)
    with pytest.raises(ScenarioError, match="named twice"):
        load(dated_hall("one", "one"))
    with pytest.raises(ScenarioError, match="holds from the beginning already"):
        load(dated_hall("one", more="reforms: [reforms/one.yaml]\n"))


def test_what_is_dated_builds_on_what_holds_from_the_beginning() -> None:
    write("one", "effective: 2019-01-20", SIGN)
    write("two", "effective: 2020-01-10\nneeds: one", TWO)
    path = dated_hall("two", more="reforms: [reforms/one.yaml]\n")
    loaded = load_document(path)
    assert len(loaded.scenario.phases) == 2
    Path("resolved.yaml").write_text(resolved_yaml(loaded), encoding="utf-8")
    assert load("resolved.yaml") == loaded.scenario


@pytest.mark.parametrize(
    ("stock", "message"),
    [
        ("gains: [{case_types: cse}]", "no case type 'cse'. Did you mean 'case'?"),
        ("gains: [{case_types: case, at: signd}]", "no milestone 'signd'"),
        ("losses: [{case_types: case, when: {knd: x}}]", "no attribute 'knd'"),
        ("losses: [{case_types: case, when: {kind: z}}]", "no value 'z'"),
        ("share_of: all", "no stock 'all'"),
    ],
)
def test_a_stock_of_what_is_not_there_is_refused(stock: str, message: str) -> None:
    text = HALL.replace(
        "stocks: {", f"stocks: {{other: {{known: 1, known_on: 2020-01-01, {stock}}}, "
    )
    Path("hall.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=re.escape(message)):
        load("hall.yaml")
