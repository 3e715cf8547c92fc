"""Each rule of the format has a tiny file that breaks it, and says in its first lines what is said.

`cases/invalid/*.yaml` begin with one `# error: ` line a problem, in the order in which they come;
the place is a line and column of the file itself unless it names another file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import ScenarioError
from sim.loading import load, scenario_from
from sim.validation import check, warnings_about

CASES = Path(__file__).parent / "cases"
INVALID = sorted(path.stem for path in (CASES / "invalid").glob("*.yaml"))
VALID = sorted(path.stem for path in (CASES / "valid").glob("*.yaml"))


def expected_problems(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    prefix = "# error: "
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


@pytest.mark.parametrize("name", INVALID)
def test_a_wrong_file_says_what_is_wrong_and_where(name, monkeypatch):
    monkeypatch.chdir(CASES / "invalid")
    path = Path(f"{name}.yaml")
    expected = expected_problems(path)
    assert expected, "the case does not say what it expects"
    with pytest.raises(ScenarioError, match=r"\A\S+.*: ") as caught:
        load(path)
    found = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert found == expected


@pytest.mark.parametrize("name", VALID)
def test_a_right_file_has_nothing_to_find(name, monkeypatch):
    monkeypatch.chdir(CASES / "valid")
    assert check(load(f"{name}.yaml")) == []


@pytest.mark.timeout(60)
def test_many_loops_around_each_other_are_refused_at_once():
    """And so are conditions of so many attributes that their combinations cannot be looked at."""
    names = [f"a{number}" for number in range(60)]
    loops = {
        name: {
            "after": names[max(number - 1, 0) : number],
            "delay": "1 h",
            "again": {"probability": "99.99 %", "from": names[0]},
        }
        for number, name in enumerate(names)
    }
    with pytest.raises(ScenarioError, match=r"a59\.again: a case would go through this about 10,0"):
        scenario_from(small_hall(loops))
    shares = {name: {"x": 0.5, "y": 0.5} for name in names[:16]}
    asking = {name: {"delay": "1 h", "when": dict.fromkeys(shares, "x")} for name in names}
    message = r"a1\.when: with those before it, asks for more than 100,000 combinations"
    with pytest.raises(ScenarioError, match=message):
        scenario_from(small_hall({"all": {"delay": "1 h"}, **asking}, attributes=shares))


# What is most likely not meant


def small_hall(activities: dict[str, Any], **case_type: Any) -> dict[str, Any]:
    return {
        "calendar": "weekdays",
        "hours": {"day": ["09:00-12:00", "13:00-17:00"], "morning": ["09:00-12:00"]},
        "working_hours": "day",
        "horizon": {"from": "2015-01-05", "to": "5 working days"},
        "profiles": {
            "flat": {"half_hours": {"09:00": 3, "12:30": 1}},
            "early": {"half_hours": {"08:30": 1, "09:00": 1}},
        },
        "trips": {"visit": {}},
        "pools": {
            "windows": {"shifts": {"day": {"servers": 1}, "nobody": {"servers": 0}}},
            "office": {"shifts": {"morning": {"servers": 1, "hours": "morning"}}},
        },
        "case_types": {
            "company": {
                "arrivals": {"per_working_day": 4, "profile": "flat"},
                "activities": activities,
                **case_type,
            }
        },
    }


VISIT = {"trip": "visit", "pool": "windows", "service": "10 min"}
PAPERS = {"pool": "office", "service": "10 min"}


def warned(activities: dict[str, Any], pools: Any = None, **case_type: Any) -> list[str]:
    hall = small_hall(activities, **case_type)
    for name, rules in (pools or {}).items():
        hall["pools"].setdefault(name, {"shifts": {"day": {"servers": 1}}}).update(rules)
    return warnings_about(scenario_from(hall))


def test_a_hall_without_oddities_gets_no_warning():
    wait = {"office": {"at_closing": "wait"}}
    arrivals = {"recorded": ["2015-01-05 09:00"]}
    assert warned({"file": VISIT, "check": PAPERS}, wait, arrivals=arrivals) == []


def test_recorded_rows_outside_the_horizon_are_counted():
    arrivals = {"recorded": ["2015-01-05 09:00", "2015-01-12 09:00", "2014-12-31 09:00"]}
    assert warned({"file": VISIT, "check": PAPERS}, arrivals=arrivals) == [
        "case_types.company.arrivals.recorded: 2 of 3 rows do not lie from 2015-01-05 to 2015-01-09"
    ]


def test_numbers_that_hold_after_the_end_are_told():
    servers = {"day": {"servers": {"2015-01-05": 1, "2015-02-01": 2}}}
    assert (
        "pools.windows.shifts.day.servers: what holds from 2015-02-01 on comes after the last day "
        "(2015-01-09)"
    ) in warned({"file": VISIT}, {"windows": {"shifts": servers}})


def test_people_who_come_when_nobody_is_on_shift_are_counted():
    """Of 4 cases 1 comes at 12:30; with the office as well as the windows that is no better."""
    closed = (
        "case_types.company.arrivals.profile: 25 % of arrivals come for 'file' while nobody is on "
        "shift (windows, office), and are turned away"
    )
    assert warned({"file": {**VISIT, "pool": ["windows", "office"]}}) == [closed]
    waiting = {"windows": {"at_closing": "wait"}}
    assert warned({"file": {**VISIT, "pool": ["windows", "office"]}}, waiting) == []
    channels = {"channel": {"counter": 0.5, "online": 0.5}}
    profile = {"channel": {"counter": "early", "online": "flat"}}
    assert warned(
        {"file": {**VISIT, "when": {"channel": "counter"}}, "check": PAPERS},
        attributes=channels,
        arrivals={"per_working_day": 4, "profile": profile},
    ) == [
        "case_types.company.arrivals.profile.channel.counter: 50 % of these arrivals come for "
        "'file' while nobody is on shift (windows), and are turned away"
    ]


def test_a_gate_whose_last_date_leaves_cases_stuck_is_told():
    gate = {"at": "09:00", "dates": ["2015-01-07", "2015-01-08"]}
    recorded = {"recorded": ["2015-01-05 09:00"]}
    assert warned({"file": VISIT, "check": {**PAPERS, "gate": gate}}, arrivals=recorded) == [
        "case_types.company.activities.check.gate.dates: the last date is 2015-01-08; who comes "
        "to it later stays there to the end (2015-01-09)"
    ]


def test_pools_and_rules_that_concern_nobody_are_told():
    recorded = {"recorded": ["2015-01-05 09:00"]}
    check = {**PAPERS, "if_not_served": "lost"}
    pools = {"spare": {}, "office": {"at_closing": "turn_away"}}
    assert warned({"file": VISIT, "check": check}, pools, arrivals=recorded) == [
        "pools.office.at_closing: nobody waits here in person, and papers are never turned away",
        "pools.spare: no activity asks for it",
        "case_types.company.activities.check.if_not_served: nobody waits here in person, so "
        "nobody is lost",
    ]


# Anything at all

KEYS = st.sampled_from(
    [
        *["hours", "pools", "case_types", "company", "activities", "after", "when", "pass", "like"],
        *["recorded", "empirical", "file", "from", "source", "extends", "channel", "12", "", "a b"],
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**19),
    st.floats(),
    st.sampled_from(["day", "windows", "company", "12 min", "52 %", "2015-01-05", "09:00-12:00"]),
    st.sampled_from(["-1 h", "1e99 h", "9999-12-31", "99999 working days", "filing", "first", ""]),
    st.text(max_size=3),
)
TREES = st.recursive(
    VALUES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=10,
)
ANYTHING = settings(derandomize=True, deadline=None, max_examples=150)


def refuses_or_accepts(data: Any) -> None:
    """Loading ends in a scenario, or in problems of one line each."""
    problems = []
    try:
        scenario_from(data)
    except ScenarioError as error:
        problems = str(error).splitlines()
        num_problems = len(error.problems)
    assert not problems or len(problems) == num_problems


@ANYTHING
@given(st.dictionaries(KEYS, TREES, max_size=6))
def test_no_data_break_the_checks(data):
    refuses_or_accepts(data)


HALL = yaml.safe_load((CASES / "valid" / "every-key.yaml").read_text(encoding="utf-8"))


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every map and list of some data with each of its keys or indices."""
    if not isinstance(node, dict | list):
        return []
    keys = list(node) if isinstance(node, dict) else range(len(node))
    return [place for key in keys for place in [(node, key), *places(node[key])]]


@ANYTHING
@given(st.data())
def test_no_change_of_a_right_scenario_breaks_the_checks(data):
    """One value is removed, replaced by anything, or by another piece of the scenario."""
    hall = json.loads(json.dumps(HALL, default=str))
    container, key = data.draw(st.sampled_from(places(hall)))
    others = [node[k] for node, k in places(json.loads(json.dumps(HALL, default=str)))]
    match data.draw(st.sampled_from(["remove", "replace", "transplant"])):
        case "remove":
            del container[key]
        case "replace":
            container[key] = data.draw(TREES)
        case _:
            container[key] = data.draw(st.sampled_from(others))
    refuses_or_accepts(hall)
