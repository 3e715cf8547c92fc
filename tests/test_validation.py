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
from sim.validation import check

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
ANYTHING = settings(derandomize=True, deadline=None, max_examples=300)


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
