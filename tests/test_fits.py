"""Fit files: what is one parameter, on which grid, and everything that can be wrong with one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.errors import ScenarioError
from sim.loading import Loaded, load_document
from sim.studies.fits import Fit, fit_file_of, read_fit
from sim.studies.moved import read_value, with_rates

HALL = """\
calendar: weekdays
hours: {day: ["09:00-12:00", "13:00-17:00"]}
working_hours: day
horizon: {from: 2015-01-05, to: 20 working days}
source: assumed, an example
profiles: {even: {half_hours: {"09:00": 1, "14:00": 1}}}
trips:
  filing: {comes: 60 %}                # of those who could
  again: {comes: 60 %}
  other: {comes: 50 %}
pools:
  desk: {shifts: {day: {servers: 2}}}
case_types:
  company:
    arrivals: {per_working_day: 15, profile: even}
    activities:
      file: {trip: filing, pool: desk, service: 10 min, milestone: filed}
      check: {after: file, gate: {at: "16:00"}, milestone: checked}
  branch:
    like: company
    arrivals: {per_working_day: 2.5}
promises:
  checking: {case_types: company, from: filed, to: checked, within: 1 working day}
published:
  days: {metric: working_days_median, subject: checking, equals: 0}
  share: {metric: on_time_share, subject: checking, at_least: 90 %}
"""
COMES = "comes: {set: [trips.filing.comes, trips.again.comes], from: 40 %, to: 90 %}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scenarios/fits").mkdir(parents=True)
    Path("scenarios/hall.yaml").write_text(HALL, encoding="utf-8")


def hall(*settings: str) -> Loaded:
    return load_document("scenarios/hall.yaml", settings)


def fit(*free: str, targets: str = "", loaded: Loaded | None = None) -> Fit:
    """A fit with these parameters, written into the file of the hall."""
    lines = "".join(f"\n  {one}" for one in free) or " {}"
    text = f"free:{lines}\n" + (f"targets: {targets}\n" if targets else "")
    path = Path("scenarios/fits/hall.yaml")
    path.write_text(text, encoding="utf-8")
    return read_fit(path, loaded or hall())


def says(message: str) -> pytest.RaisesExc[ScenarioError]:
    return pytest.raises(ScenarioError, match=re.escape(message))


# --- parameters ----------------------------------------------------------------------------------


def test_several_values_are_one_parameter() -> None:
    [comes] = fit(COMES).parameters
    assert list(comes.paths) == [
        ("trips", "filing", "comes"),
        ("trips", "again", "comes"),
    ]
    assert (comes.start, comes.low, comes.high, comes.step, comes.num_values) == (60, 40, 90, 1, 51)
    assert [mark.line for mark in comes.places] == [8, 9]


def test_a_star_stands_for_any_name_and_copies_by_like_go_along() -> None:
    found = fit('trays: {set: "case_types.company.*.check.gate.at", from: "14:00", to: "17:00"}')
    [trays] = found.parameters
    assert [path[1] for path in trays.paths] == ["company", "branch"]
    assert (trays.num_values, len(trays.places)) == (13, 1)
    scenario = found.scenario((trays.at(3),)).scenario
    gates = [scenario.case_types[name].activities["check"].gate for name in ("company", "branch")]
    assert [gate and gate.at for gate in gates] == [(14 * 3600 + 45 * 60,)] * 2


@pytest.mark.parametrize(
    ("free", "second", "last"),
    [
        ("x: {set: pools.desk.shifts.day.servers, from: 1, to: 4}", "2", "4"),
        ("x: {set: trips.other.comes, from: 40 %, to: 61 %, step: 5 %}", "45 %", "61 %"),
        ("x: {set: case_types.company.activities.file.service, from: 5 min, to: 25 min}",
         "5.1 min", "25 min"),
        ("x: {set: case_types.branch.arrivals.per_working_day, from: 1, to: 5}", "1.01", "5.0"),
        ("x: {set: case_types.company.arrivals.per_working_day, from: 12.5, to: 20, step: 0.5}",
         "13.0", "20.0"),
        ('x: {set: case_types.company.activities.check.gate.at, from: "15:00", to: "17:00", '
         "step: 20 min}", "15:20", "17:00"),
    ],
)  # fmt: skip
def test_each_kind_of_value_stands_on_a_grid(free: str, second: str, last: str) -> None:
    [parameter] = fit(free).parameters
    assert parameter.text(parameter.at(1)) == second
    assert parameter.text(parameter.at(parameter.num_values - 1)) == last
    assert parameter.index(parameter.at(1)) == 1


def test_what_does_not_move_stays_as_it_is_written() -> None:
    found = fit(COMES)
    assert found.scenario(found.start).scenario == hall().scenario
    assert found.text(found.start) == "comes=60 %"


def test_targets_are_all_published_figures_unless_some_are_named() -> None:
    assert list(fit(COMES).targets) == ["days", "share"]
    assert list(fit(COMES, targets="share").targets) == ["share"]


def test_the_fit_of_a_scenario_has_its_name() -> None:
    with says("--fit: there is no scenarios/fits/hall.yaml; name the file that says what is free"):
        fit_file_of(Path("scenarios/hall.yaml"))
    fit(COMES)
    assert fit_file_of(Path("scenarios/hall.yaml")) == Path("scenarios/fits/hall.yaml")


def test_demand_is_of_all_who_come_at_random() -> None:
    scenario = with_rates(hall(), 1.1, "more").scenario
    rates = [c.arrivals.per_working_day for c in scenario.case_types.values()]
    assert rates == pytest.approx([16.5, 2.75])


@pytest.mark.parametrize("value", [None, True, "same", "08:30-12:00", "2015-01-05"])
def test_what_is_no_number_cannot_move(value: str | bool | None) -> None:
    assert read_value(value) is None


# --- wrong files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "message"),
    [
        ("x: {set: trips.filing.come, from: 40 %, to: 90 %}",
         "hall.yaml:2:12: free.x.set: nothing in hall is at 'trips.filing.come'. "
         "Did you mean 'trips.filing.comes'?"),
        ("x: {set: trips.*.comes, from: 40 %, to: 90 %}",
         "they differ, so they are not one parameter: trips.filing.comes is 60 %"),
        ("x: {set: trips.filing.comes, from: 90 %, to: 40 %}",
         "hall.yaml:2:38: free.x.from: 90 % is not below 40 %, the upper bound"),
        ("x: {set: trips.filing.comes, from: 70 %, to: 90 %}",
         "free.x.from: the bounds leave out 60 %, what it is now"),
        ("x: {set: trips.filing.comes, from: 20 %, to: 50 %}",
         "free.x.to: the bounds leave out 60 %, what it is now"),
        ("x: {set: trips.filing.comes, from: 5 min, to: 90 %}",
         "free.x.from: a share is wanted, since it is 60 % now; found '5 min'"),
        ("x: {set: case_types.company.activities.file.service, from: 5 min, to: 1 h}",
         "free.x.to: a duration in min is wanted, since it is 10 min now; found '1 h'"),
        ("x: {set: trips.filing.comes, from: 40 %, to: 90 %, step: 0 %}",
         "free.x.step: '0 %' is no step of a share"),
        ("x: {set: case_types.company.activities.file.trip, from: 1, to: 2}",
         "case_types.company.activities.file.trip is 'filing': no number, share or time"),
        ("x: {set: pools.desk.shifts.day.servers, from: -1, to: 4}",
         "free.x.from: -1 cannot be: "),
        ("x: {from: 40 %, to: 90 %}", "free.x.set: missing"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused(free: str, message: str) -> None:
    with says(message):
        fit(free)


def test_a_fit_without_a_parameter_is_refused() -> None:
    with says("free: no free parameter: nothing can be fitted"):
        fit()


def test_a_target_that_is_not_published_is_refused_with_all_else() -> None:
    with pytest.raises(ScenarioError) as caught:
        fit("x: {set: trips.f.comes, from: 1 %, to: 2 %}", targets="[day, share]")
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 2
    assert "targets[0]: no published figure 'day'. Did you mean 'days'?" in told[1]


def test_a_scenario_without_published_figures_has_no_target() -> None:
    with says("targets: hall has no 'published' figure that could be a target"):
        fit(COMES, loaded=hall("published=null"))


def test_a_value_has_one_owner() -> None:
    with says("free.y.set: trips.filing.comes belongs to 'x' already"):
        fit(*(f"{n}: {{set: trips.filing.comes, from: 40 %, to: 90 %}}" for n in "xy"))


def test_what_is_set_on_the_command_line_is_not_free() -> None:
    with says("trips.filing.comes is set on the command line; it cannot be free"):
        fit(COMES, loaded=hall("trips.filing.comes=60 %"))


def test_a_value_that_the_scenario_leaves_unused_is_refused_where_it_changes_nothing() -> None:
    """Bounds between which a whole number of seconds stays the same one."""
    step = "case_types.company.activities.file.service"
    with says("free.x.set: it changes nothing: the scenario is the same at both bounds"):
        fit(f"x: {{set: {step}, from: 9.9999999999 min, to: 10.0000000001 min}}")
