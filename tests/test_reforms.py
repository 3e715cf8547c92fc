"""Reforms: in which order they count, which contradict each other, and what they may change."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cli import main
from sim.errors import ScenarioError
from sim.loading import Loaded, load, load_document
from sim.reforms import name_with
from sim.sources import load_all

HALL = """\
calendar: weekdays
hours: {day: ["09:00-17:00"]}
working_hours: day
horizon: {from: 2015-01-05, to: 5 working days}
pools: {desk: {shifts: {day: {servers: 1}}}}
case_types:
  company:
    arrivals: {per_hour: 1}
    activities:
      file: {pool: desk, service: 10 min}
      check: {after: file, delay: 1 h}
      sign: {after: check, delay: 1 h}
      hand_out: {after: sign, pool: desk, service: 5 min}
"""
Afters = dict[str, tuple[str, ...]]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scenarios/reforms").mkdir(parents=True)
    Path("scenarios/hall.yaml").write_text(HALL, encoding="utf-8")


def reform(name: str, activities: str = "", about: str = "", changes: str = "") -> None:
    """A reform of the hall: what it makes of activities, and what it says of itself."""
    if activities:
        changes = f"{{case_types: {{company: {{activities: {{{activities}}}}}}}}}"
    text = f"reform: {name}\n{about}changes: {changes or '{description: x}'}\n"
    Path(f"scenarios/reforms/{name}.yaml").write_text(text, encoding="utf-8")


def hall(*reforms: str, until: str | None = None) -> Loaded:
    return load_document("scenarios/hall.yaml", reforms=reforms, until=until)


def after(*reforms: str) -> Afters:
    activities = hall(*reforms).scenario.case_types["company"].activities
    return {name: activity.after for name, activity in activities.items()}


def names(loaded: Loaded) -> list[str]:
    return [reform.name for reform in loaded.reforms]


def says(message: str):
    return pytest.raises(ScenarioError, match=rf"\A{re.escape(message)}\Z")


# In which order they count


def test_reforms_count_by_date_and_name_however_they_are_named():
    reform("none", changes="{label: Hall}")
    reform("b", changes="{horizon: {warm_up: 1 working days}}", about="effective: 2016-01-01\n")
    reform("a", "sign: null", about="effective: 2017-01-01\n")
    reform("c", "check: null", about="effective: 2016-01-01\n")
    found = [hall(*order) for order in itertools.permutations(["none", "a", "b", "c"])]
    assert {tuple(names(loaded)) for loaded in found} == {("b", "c", "a", "none")}
    assert {loaded.name for loaded in found} == {"hall+b+c+a+none"}
    assert all(loaded.scenario == found[0].scenario for loaded in found)


def test_on_one_day_a_reform_comes_after_what_it_builds_on():
    reform("a", "sign: {delay: 3 h}", about="after: [b]\n")
    reform("b", "sign: {delay: 2 h}")
    loaded = hall("a", "b")
    assert names(loaded) == ["b", "a"]
    assert str(loaded.scenario.case_types["company"].activities["sign"].delay.constant) == "3 h"


def test_gaps_close_whichever_reform_leaves_out_and_whichever_ties_anew():
    reform("a", "sign: null")
    reform("b", "check: null")
    reform("c", "copy: {label: Copy, after: sign, delay: 1 h}, hand_out: {after: [copy, sign]}")
    expected = {"file": (), "hand_out": ("copy", "file"), "copy": ("file",)}
    assert after("a", "b", "c") == expected
    assert after("c") == {
        "file": (),
        "check": ("file",),
        "sign": ("check",),
        "hand_out": ("copy", "sign"),
        "copy": ("sign",),
    }


def test_what_two_reforms_remove_is_gone_and_what_both_say_counts_once():
    reform("a", "sign: null, file: {documents: 3}")
    reform("b", "sign: null, file: {documents: 3}")
    assert after("a", "b") == after("a") == after("b")


def test_what_one_removes_stays_gone():
    """Although one that knows of it, and can do without it, changes it."""
    reform("a", "sign: null", about="effective: 2016-01-01\n")
    reform("b", "sign: {delay: 3 h}", about="effective: 2017-01-01\nafter: a\n")
    assert "sign" not in after("a", "b")
    assert "sign" in after("b")


def test_a_reform_may_change_what_another_makes():
    reform("a", "copy: {label: Copy, after: file, delay: 1 h}")
    reform("b", "copy: {delay: 2 h}", about="needs: [a]\n")
    copy = hall("b", "a").scenario.case_types["company"].activities["copy"]
    assert str(copy.delay.constant) == "2 h"


def test_files_that_list_reforms_follow_the_same_rules():
    reform("a", "sign: null")
    reform("b", "sign: {delay: 3 h}", about="needs: [a]\n")
    Path("scenarios/next.yaml").write_text(
        "extends: hall.yaml\nreforms: [reforms/a.yaml]\n", encoding="utf-8"
    )
    with pytest.raises(ScenarioError, match="the reform 'a' is named twice; a reform counts once"):
        load("scenarios/next.yaml", reforms=["a"])
    reform("c", about="needs: [a]\n")
    assert names(load_document("scenarios/next.yaml", reforms=["c"])) == ["a", "c"]


# What is refused before anything runs


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("sign: {delay: 2 h}", "sign: {delay: 3 h}", "'b' sets this otherwise than 'a'"),
        ("sign: null", "sign: {delay: 3 h}", "'b' changes what 'a' removes"),
        ("sign: {delay: 2 h}", "sign: null", "'b' removes what 'a' changes"),
        ("sign: {after: null}", "sign: {after: [file]}", "'b' changes what 'a' removes"),
    ],
)
def test_two_that_say_different_things_contradict_each_other(one, other, message):
    reform("a", one)
    reform("b", other)
    for order in (("a", "b"), ("b", "a")):
        with pytest.raises(ScenarioError) as caught:
            hall(*order)
        [problem] = caught.value.problems
        assert str(problem).startswith("scenarios/reforms/b.yaml:2:")
        assert f"{message} (scenarios/reforms/a.yaml:2:" in problem.message
        assert problem.message.endswith("if it builds on that, it says 'after: [a]'")
    reform("b", other, about="after: [a]\n")
    hall("a", "b")


def test_a_reform_without_what_it_needs():
    reform("a")
    reform("b", about="needs: [a]\n")
    with says(
        "scenarios/reforms/b.yaml:2:9: needs: 'b' needs the reform 'a', which is not among them"
    ):
        hall("b")
    reform("tea", about="needs: [team]\n")
    missing = "needs: 'tea' needs the reform 'team', which is not among them"
    with says(f"scenarios/reforms/tea.yaml:2:9: {missing}"):
        hall("tea")  # which is the nearest there is, and not meant


def test_a_reform_that_takes_effect_before_what_it_builds_on():
    reform("a", about="effective: 2017-01-01\n")
    reform("b", about="effective: 2016-01-01\nafter: [a]\n")
    with says(
        "scenarios/reforms/b.yaml:3:9: after: 'a' holds from 2017-01-01 on, "
        "'b' from 2016-01-01 on: it cannot build on that"
    ):
        hall("a", "b")


def test_reforms_after_each_other_in_a_circle():
    reform("a", about="after: [b]\n")
    reform("b", about="after: [a]\n")
    with says("scenarios/reforms/a.yaml:1:1: reforms come after each other in a circle: a, b"):
        hall("a", "b")


@pytest.mark.parametrize(
    ("activities", "message"),
    [
        ("sgn: null", "nothing to remove here. Did you mean 'sign'?"),
        ("sgn: {delay: 2 h}", "nothing called 'sgn' in case_types.company.activities. "
         "Did you mean 'sign'?; something new says its label"),
        ("sign: {gate: {weekdays: null}}", "nothing to remove here"),
    ],
)  # fmt: skip
def test_a_reform_that_changes_what_is_not_there(activities, message):
    reform("a", activities)
    with pytest.raises(ScenarioError) as caught:
        hall("a")
    [problem] = caught.value.problems
    assert problem.mark.file == "scenarios/reforms/a.yaml"
    assert problem.message == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("{pools: {desk: {shifts: {dya: {servers: 3}}}}}",
         "pools.desk.shifts. Did you mean 'day'?; something new says its servers and hours"),
        ("{hours: {dya: ['09:00-12:00']}}",
         "hours. Did you mean 'day'?; something new is named by what else the reform changes"),
        ("{profiles: {bsy: {half_hours: {'09:00': 1}}}}",
         "profiles; something new is named by what else the reform changes"),
        ("{case_types: {company: {attributes: {kid: {x: 100 %}}}}}",
         "case_types.company.attributes; something new is named by what else the reform changes"),
        ("{promises: {quick: {case_types: company, within: 1 h}}}",
         "promises; something new says its label"),
    ],
)  # fmt: skip
def test_a_reform_that_makes_something_new_by_mistake(changes, message):
    reform("a", changes=changes)
    with pytest.raises(ScenarioError, match=re.escape(message)):
        hall("a")


def test_a_reform_may_make_what_it_uses():
    reform("a", changes="{hours: {early: ['07:00-12:00']}, pools: {desk: {shifts: {morning: "
           "{servers: 1, hours: early}}}}}")  # fmt: skip
    assert list(hall("a").scenario.pools["desk"].shifts) == ["day", "morning"]


def test_a_reform_that_leaves_no_way_to_the_end_of_a_promise():
    text = HALL.replace("service: 5 min}", "service: 5 min, milestone: done}")
    text += "promises: {all: {case_types: company, from: arrived, to: done, within: 3 h}}\n"
    Path("scenarios/hall.yaml").write_text(text, encoding="utf-8")
    reform("a", "hand_out: null")
    with pytest.raises(ScenarioError, match="no milestone 'done'"):
        hall("a")


def test_names_that_are_none():
    reform("signature")
    with says(
        "--with: no reform 'signatur' in scenarios/reforms. Did you mean 'signature'? "
        "Reforms: signature\n"
        "--with: no reform 'x' in scenarios/reforms. Reforms: signature"
    ):
        hall("signatur", "x")


def test_a_date_that_is_none():
    with says("--until: a date such as 2018-12-31 is wanted, not '2018'"):
        hall(until="2018")


# Those in force at a date, and what scenarios are called then


def test_until_takes_what_is_in_force():
    reform("old", "sign: null", about="effective: 2016-01-01\n")
    reform("later", "check: null", about="effective: 2017-01-01\n")
    reform("idea", "file: {documents: 3}")
    found = {
        date: (loaded.name, names(loaded))
        for date in ("2015-12-31", "2016-01-01", "2017-06-30")
        for loaded in [hall(until=date)]
    }
    assert found == {
        "2015-12-31": ("hall@2015-12-31", []),
        "2016-01-01": ("hall@2016-01-01", ["old"]),
        "2017-06-30": ("hall@2017-06-30", ["old", "later"]),
    }
    loaded = hall("idea", "old", until="2016-01-01")
    assert (loaded.name, names(loaded)) == ("hall@2016-01-01+idea", ["old", "idea"])
    assert hall(until="2016-01-01").scenario == hall("old").scenario


def test_many_reforms_are_only_counted_in_a_name():
    assert name_with("hall", None, []) == "hall"
    assert name_with("hall", None, ["one", "two"]) == "hall+one+two"
    assert name_with("hall", dt.date(2018, 12, 31), ["one"]) == "hall@2018-12-31+one"
    assert name_with("hall", None, [f"reform-{n}" for n in range(9)]) == "hall+9-reforms"


def test_a_reform_may_be_named_by_its_path():
    reform("a", "sign: null")
    Path("mine.yaml").write_text(Path("scenarios/reforms/a.yaml").read_text(), encoding="utf-8")
    assert after("mine.yaml") == after("a") == after("scenarios/reforms/a.yaml")


def test_the_first_scenarios_may_stay_as_they_are():
    reform("a", "sign: null")
    file = "scenarios/hall.yaml"
    assert list(load_all([file, file], reforms=["a"], plain=1)) == ["hall", "hall+a"]


# Any reforms


PLACES = ["file", "check", "sign", "hand_out"]
CHANGES = st.sampled_from(["null", "{documents: 1}", "{documents: 2}", "{priority: 1}"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(PLACES[1:]), CHANGES, min_size=1), max_size=4),
    st.randoms(use_true_random=False),
)
def test_reforms_add_up_to_the_same_in_any_order_or_are_refused_in_any(pieces, random):
    chosen = [f"r{number}" for number in range(len(pieces))]
    for name, piece in zip(chosen, pieces, strict=True):
        reform(name, ", ".join(f"{place}: {change}" for place, change in piece.items()))
    shuffled = random.sample(chosen, len(chosen))
    found = []
    for order in (chosen, shuffled):
        try:
            found.append(hall(*order).scenario)
        except ScenarioError as error:
            found.append(str(error))
    assert found[0] == found[1]
    said: dict[str, set[str]] = {}
    for piece in pieces:
        for place, change in piece.items():
            said.setdefault(place, set()).add(change)
    disagree = any(
        len(changes) > 1
        and ("null" in changes or len({"{documents: 1}", "{documents: 2}"} & changes) > 1)
        for changes in said.values()
    )
    assert isinstance(found[0], str) == disagree


# On the command line

FILE = "scenarios/hall.yaml"


@pytest.fixture
def command(capsys):
    """Runs one command: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def reforms():
    reform("late", "sign: null", about="effective: 2016-01-01\n")
    reform("later", "check: null", about="effective: 2017-01-01\n")


def test_a_report_names_the_reforms(command, reforms):
    code, out, _ = command("run", "scenarios/hall.yaml", "--with", "late,later", "-r", "1")
    assert code == 0
    assert "\n  reforms, from the first day on: late, later\n" in out


def test_a_file_is_compared_with_itself_under_reforms(command, reforms):
    code, out, _ = command("compare", FILE, "--with", "later,late", "-r", "2", "-o", "r")
    assert code == 0
    assert "hall+late+later (after) minus hall (before)" in out
    found = {path.name for path in Path("r/scenarios").iterdir()}
    assert found == {"hall.yaml", "hall+late+later.yaml"}
    again = load("r/scenarios/hall+late+later.yaml")
    assert again == hall("late", "later").scenario
    assert command("verify", "r")[0] == 0
    assert command("plot", "r")[0] == 0


def test_of_several_files_all_but_the_first_are_under_the_reforms(command, reforms):
    Path("scenarios/other.yaml").write_text("extends: hall.yaml\n", encoding="utf-8")
    files = (FILE, "scenarios/other.yaml")
    code, out, _ = command("compare", *files, "--until", "2016-06-30", "-r", "2")
    assert code == 0
    assert "other@2016-06-30 (after) minus hall (before)" in out
    assert re.search(r"results: results/hall-vs-other@2016-06-30-[0-9a-f]{8}\n$", out)


def test_run_show_check_and_warm_up_take_reforms(command, reforms):
    named = ("--with", "late", "--with", "later")
    _, out, _ = command("check", FILE, *named)
    assert "  with late, 2016-01-01\n  with later, 2017-01-01\n" in out
    _, out, _ = command("show", FILE, *named)
    Path("scenarios/shown.yaml").write_text(out, encoding="utf-8")
    assert load("scenarios/shown.yaml") == hall("late", "later").scenario
    _, out, _ = command("run", FILE, *named, "-r", "2")
    assert "results: results/hall+late+later-" in out
    assert "hall+late+later" in command("warm-up", FILE, *named, "-r", "2")[1]


@pytest.mark.parametrize("name", ["check", "show", "run", "compare", "warm-up"])
def test_a_wrong_name_is_refused_before_anything_runs(command, reforms, name):
    code, out, err = command(name, FILE, "--with", "latr")
    assert (code, out) == (2, "")
    assert "Did you mean 'later'? Reforms: late, later" in err
    assert not Path("results").exists()
