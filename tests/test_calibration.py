"""Calibration: planted values are found again, what cannot be met is said, files are written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studied_hall import HALL, studied_hall, write_fit, write_hall

from sim.cli import main
from sim.errors import ScenarioError
from sim.exit_codes import USAGE
from sim.loading import Loaded, load_document, provenance
from sim.promises import Published
from sim.running import run
from sim.studies.calibration import CIRCUMSTANCES, Calibration, calibrate
from sim.studies.calibration_plot import calibration_figure
from sim.studies.companions import companions, misfit
from sim.studies.fits import Fit, read_fit
from sim.studies.moved import ValuePath, moved
from sim.studies.points import Variant
from sim.studies.write_back import changes, write_back

COMES = "comes: {label: {en: Comes, zh: 到场}, set: trips.*.comes, from: 30 %, to: 90 %, step: 5 %}"
COLLECTING = "comes: {set: trips.collection.comes, from: 30 %, to: 90 %, step: 5 %}"
DESKS = "desks: {set: pools.desk.shifts.day.servers, from: 1, to: 4, prefer: low}"
HOUR = 'hour: {set: case_types.*.activities.collect.gate.at, from: "14:00", to: "17:00", step: 1 h}'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fit_of(*free: str, published: str = "", targets: str = "") -> Fit:
    return read_fit(write_fit(*free, targets=targets), studied_hall(published))


def fitted(fit: Fit, replications: int = 3, **options: int) -> Calibration:
    return calibrate(fit, replications, engine="simpy", **options)


def simulated(loaded: Loaded, metric: str, subject: str, replications: int = 3) -> float:
    found = run({"it": loaded}, replications, engine="simpy").estimates
    return float(found.set_index(["metric", "subject"])["mean"][metric, subject])


def with_comes(percent: float) -> Loaded:
    return moved(studied_hall(), {("trips", "collection", "comes"): f"{percent} %"}, "planted")


# --- the companion -------------------------------------------------------------------------------


def test_the_companion_of_a_median_is_that_of_cases_spread_over_half_a_day_to_either_side() -> None:
    """By brute force: every case of every replication with an even share of its day."""
    loaded = studied_hall()
    found = run({"it": loaded}, 4, engine="simpy")
    days: list[float] = []
    weights: list[float] = []
    for _, part in found.lead_times[found.lead_times["time"] == "all"].groupby("replication"):
        shares = np.diff(part["share"], prepend=0.0)
        for day, share in zip(part["lead_time"], shares, strict=True):
            days += list(day - 0.5 + (np.arange(1000) + 0.5) / 1000)
            weights += [share / 1000] * 1000
    order = np.argsort(days)
    done = np.cumsum(np.array(weights)[order]) / 4
    expected = np.array(days)[order][np.searchsorted(done, 0.5)]
    companion = companions(found, "working_days_median", "all")["it"]
    assert companion == pytest.approx(expected, abs=2e-3)
    median = found.metrics.set_index(["metric", "subject"])["value"]["working_days_median", "all"]
    assert abs(companion - median.mean()) <= 0.6


def test_the_companion_of_visits_and_of_other_metrics() -> None:
    found = run({"it": studied_hall()}, 2, engine="simpy")
    assert companions(found, "visits_median", "company")["it"] == pytest.approx(2, abs=0.5)
    mean = simulated(studied_hall(), "working_days_mean", "all", 2)
    assert companions(found, "working_days_mean", "all")["it"] == pytest.approx(mean)
    assert companions(found, "visits_median", "hall")["it"] == 2  # no distribution: as it is


@pytest.mark.parametrize(
    ("figure", "companion", "expected"),
    [
        ({"metric": "working_days_median", "equals": 5}, 5.5, 1),
        ({"metric": "working_days_median", "equals": 15, "tolerance": 1}, 13.5, 1),
        ({"metric": "working_days_mean", "equals": 5, "tolerance": 0.5}, 4.75, 0.25),
        ({"metric": "on_time_share", "at_least": 0.9}, 0.95, 0),
        ({"metric": "on_time_share", "at_least": 0.9}, 0.88, 4),
        ({"metric": "on_time_share", "at_most": 0.9}, 0.88, 0),
        ({"metric": "working_days_mean", "equals": 5}, float("nan"), 1e4),
    ],
)
def test_a_misfit_of_one_is_where_a_target_is_no_longer_kept(
    figure: dict[str, float], companion: float, expected: float
) -> None:
    target = Published.model_validate({"subject": "it", **figure})
    assert misfit(companion, target) == pytest.approx(expected)


# --- the fit -------------------------------------------------------------------------------------


def test_a_planted_value_is_found_again() -> None:
    """On shared random numbers the misfit is 0 there; the 12 other values miss."""
    mean = simulated(with_comes(70), "working_days_mean", "all")
    figure = f"  days: {{metric: working_days_mean, subject: all, equals: {mean}}}\n"
    found = fitted(fit_of(COLLECTING, published=figure))
    assert found.best == (70,)
    assert found.how == "every point of the grid"
    assert not found.stays
    result = found.trial(found.best)["days"]
    assert (result.simulated, result.verdict, result.misfit) == (mean, "met", pytest.approx(0))


def test_two_planted_values_are_found_among_many_points() -> None:
    """31 values by 4: evolution and the way downhill try no more than the budget."""
    values: dict[ValuePath, str] = {}
    for name in ("filing", "collection"):
        values["trips", name, "comes"] = "66 %"
    for name in ("company", "branch"):
        values["case_types", name, "activities", "collect", "gate", "at"] = "15:00"
    planted = moved(studied_hall(), values, "planted")
    figures = "".join(
        f"  {metric}: {{metric: {metric}, subject: {subject}, equals: "
        f"{simulated(planted, metric, subject, 2)}, tolerance: 0.02}}\n"
        for metric, subject in (("working_days_mean", "all"), ("working_hours_mean", "all"))
    )
    found = fitted(fit_of(COMES.replace("5 %", "2 %"), HOUR, published=figures), 2, budget=50)
    assert found.how.startswith("differential evolution")
    assert found.fit.text(found.best) == "comes=66 % hour=15:00"
    searched = [v for v in found.trials if (v.demand, v.luck) == (1.0, 0)]
    assert len(searched) < 31 * 4 / 2


def test_the_same_call_gives_the_same_outcome_and_runs_nothing_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = fit_of(COLLECTING)
    kept = Path("study")
    first = calibrate(fit, 2, engine="simpy", folder=kept)
    assert {path.name for path in kept.iterdir()} == {"runs", "answers"}
    refuse: Callable[..., None] = lambda *_, **__: pytest.fail("run again")  # noqa: E731
    with monkeypatch.context() as patched:
        patched.setattr("sim.running.run", refuse)
        again = calibrate(fit, 2, engine="simpy", folder=kept)
    for name, table in first.tables().items():
        pd.testing.assert_frame_equal(table, again.tables()[name])
    # An answer that is damaged is none: it is read from the runs again.
    damaged = next((kept / "answers").iterdir())
    damaged.write_text(damaged.read_text().replace("met", "wet"))
    third = calibrate(fit, 2, engine="simpy", folder=kept)
    pd.testing.assert_frame_equal(first.tables()["targets"], third.tables()["targets"])


def test_as_few_as_will_do_are_preferred() -> None:
    figure = "  soon: {metric: waiting_time_mean, subject: desk, at_most: 6}\n"
    found = fitted(fit_of(DESKS, published=figure))
    means = {
        variant.point: trial["soon"].simulated
        for variant, trial in found.trials.items()
        if (variant.demand, variant.luck) == (1.0, 0)
    }
    enough = [point for point, mean in means.items() if mean <= 6]
    assert means[(1.0,)] > 6
    assert found.best == min(enough)


def test_present_values_that_keep_the_targets_as_often_stay() -> None:
    figure = "  days: {metric: working_days_mean, subject: all, equals: 0.7, tolerance: 0.6}\n"
    found = fitted(fit_of(COLLECTING, published=figure))
    assert found.best != found.fit.start
    assert found.stays
    assert found.outcome == found.fit.start
    counts = [found.trial(found.fit.start, name)["days"].kept for name in CIRCUMSTANCES]
    assert counts == [3, 3, 3, 3]


def test_a_target_that_cannot_be_met_is_told_with_the_nearest_that_can_be_had() -> None:
    figures = (
        "  days: {metric: working_days_mean, subject: all, equals: 5, tolerance: 0.1}\n"
        "  share: {metric: on_time_share, subject: all, at_least: 50 %}\n"
    )
    found = fitted(fit_of(COLLECTING, published=figures))
    assert found.nearest["days"] == (30,)
    assert all(t["days"].simulated < 4 for t in found.trials.values())
    assert found.ranges == (None,)


FIVE_DAYS = "  days: {metric: working_days_mean, subject: all, equals: 5, tolerance: 0.1}\n"


def test_only_a_search_of_the_whole_grid_says_that_a_target_cannot_be_met(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_hall(FIVE_DAYS)
    write_fit(COLLECTING)
    whole, part = "within these bounds it cannot be met", "no point that was tried meets it"
    for budget, said, not_said in (("100", whole, part), ("8", part, whole)):
        command = ["calibrate", "scenarios/hall.yaml", "-r", "1", "--engine", "simpy"]
        assert main([*command, "--budget", budget]) == 0
        out = " ".join(capsys.readouterr().out.split())  # however wide it is
        assert f" by the fit; {said}: nearest is" in out
        assert not_said not in out


def test_what_is_no_fit_is_told_how_to_make_one() -> None:
    with pytest.raises(TypeError, match=r"^a Fit is wanted, not str: .* by read_fit\("):
        calibrate("hall.yaml")  # type: ignore[arg-type]


def test_progress_is_never_told_of_no_run() -> None:
    """Nor while the engines are compared, which are tasks too."""
    pytest.importorskip("numba")
    told: list[int] = []
    calibrate(fit_of(COLLECTING), 1, engine="compiled", progress=lambda done, _: told.append(done))
    assert min(told) == 1


def test_a_target_at_the_cost_of_another_is_told_to_be() -> None:
    figures = (
        "  days: {metric: working_days_mean, subject: all, equals: 0.6, tolerance: 0.02}\n"
        "  more: {metric: working_days_mean, subject: all, equals: 1.6, tolerance: 0.1}\n"
    )
    found = fitted(fit_of(COLLECTING, published=figures))
    assert found.nearest
    for name, point in found.nearest.items():
        assert found.trial(point)[name].misfit < found.trial(found.best)[name].misfit


def test_the_range_of_a_parameter_ends_where_a_target_is_missed() -> None:
    found = fitted(fit_of(COLLECTING))
    assert found.ranges[0] is not None
    for end, side in zip(found.ranges[0], (-5, 5), strict=True):
        assert found.trials[Variant((end,))]["days"].is_kept
        assert not found.trials[Variant((end + side,))]["days"].is_kept


def test_demand_and_luck_are_tried_at_the_fit() -> None:
    """The same as `hall run` gives with other rates, and with the next seed."""
    found = fitted(fit_of(COLLECTING))
    loaded = found.fit.scenario(found.best)
    rates: dict[ValuePath, float] = {}
    for name, rate in (("company", 13.2), ("branch", 1.1)):
        rates["case_types", name, "arrivals", "per_working_day"] = rate
    more = moved(loaded, rates, "more")
    result = found.trial(found.best, "demand +10 %")["days"]
    assert result.simulated == pytest.approx(simulated(more, "working_days_mean", "all"))
    other = run({"it": loaded}, 3, seed=2, engine="simpy").published()
    assert found.trial(found.best, "other random numbers")["days"].simulated == pytest.approx(
        other["simulated"][0]
    )


def test_a_parameter_on_which_no_target_depends_is_refused() -> None:
    """Who has just come is there: how readily people come to file changes nothing."""
    fit = fit_of(COLLECTING, "filing: {set: trips.filing.comes, from: 30 %, to: 90 %}")
    with pytest.raises(ScenarioError) as caught:
        fitted(fit)
    assert str(caught.value).endswith(
        "hall.yaml:3:11: free.filing: it changes none of the targets: from 30 % to 90 % they are "
        "the same"
    )


# --- the report and the figure -------------------------------------------------------------------

OPTIONS = ("scenarios/hall.yaml", "-r", "2", "--engine", "simpy", "-o", "study")


def test_the_command_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    write_hall()
    write_fit(COMES)
    assert main(["calibrate", *OPTIONS]) == 0
    out = capsys.readouterr().out
    assert "Calibration of hall  A hall 大厅" in out
    assert re.search(r"Comes 到场 \(comes\) +2 +30 % +90 % +50 % ", out), out
    assert "Days 天数: working days, mean of All 全部" in out
    assert out.count("demand -10 %") == 2
    assert re.search(r"scenarios/hall.yaml:11:\d+: trips.filing.comes: 50 % -> \d\d %", out)
    assert Path("study/figures/calibration.png").stat().st_size > 10_000
    tables = [
        pd.read_parquet(f"study/{name}.parquet") for name in ("parameters", "targets", "points")
    ]
    assert [len(table) > 0 for table in tables] == [True] * 3
    assert main(["calibrate", *OPTIONS, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["outcome"] == f"comes={tables[0]['outcome'][0]}"
    assert (data["stays"], data["written"]) == (False, False)
    assert main(["verify", "study"]) == 0
    assert "7 files and" in capsys.readouterr().out


def test_the_report_says_that_engines_were_compared(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("numba")
    write_hall()
    write_fit(COMES)
    command = ("calibrate", "scenarios/hall.yaml", "-r", "2", "--engine", "compiled")
    said = "compiled engine: replication 0 identical in both engines"
    for _ in range(2):  # the second time from what is kept
        assert main([*command]) == 0
        assert capsys.readouterr().out.count(said) == 1
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["remarks"] == [said]


def test_the_figure_has_a_row_per_target_and_a_column_per_parameter_and_demand() -> None:
    found = fitted(fit_of(COMES, HOUR, targets="days"), 2, budget=12)
    figure = calibration_figure(found, "Seed 1.")
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "Comes\n到场", "hour", "demand (% of the scenario's)"
    ]  # fmt: skip
    assert figure.axes[0].get_title(loc="left") == "Days\n天数"
    x, y = figure.axes[0].lines[1].get_data()
    assert [(v, t["days"].simulated) for v, t in found.scan(0)] == list(zip(x, y, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--write", "--set", "trips.filing.comes=60 %"), "calibrate --write: a scenario under"),
        (("--fit", "none.yaml"), "none.yaml: cannot be read: No such file"),
        (("--budget", "0"), "Invalid value for '--budget'"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hall()
    write_fit(COMES)
    assert main(["calibrate", *OPTIONS, *arguments]) == USAGE
    assert message in capsys.readouterr().err
    assert not Path("study").exists()


# --- writing back --------------------------------------------------------------------------------

STATEMENT = "calibrated against days 0.8 (fits/hall.yaml)"


def written(*free: str, point: tuple[float, ...], text: str = HALL) -> str:
    """The file of the hall with these values of the parameters."""
    path = write_hall(text=text)
    fit = read_fit(write_fit(*free), load_document(path))
    write_back(fit, point, STATEMENT, lambda: load_document(path))
    return path.read_text(encoding="utf-8")


def test_values_and_statement_are_replaced_and_nothing_else() -> None:
    expected = HALL.replace("comes: 50 %", "comes: 64 %")
    expected = expected.replace("calibrated against hearsay", STATEMENT)
    assert written(COMES, point=(64.0,)) == expected


def test_a_value_among_assumed_ones_gets_a_statement_of_its_own() -> None:
    block = "time: {set: case_types.*.activities.collect.service.constant, from: 1 min, to: 9 min}"
    text = written(HOUR, DESKS, block, point=(15 * 3600.0, 3.0, 2.5))
    said = f'"{STATEMENT}"'
    assert f'gate: {{at: "15:00", source: {{at: {said}}}}}' in text
    assert f"shifts: {{day: {{servers: 3, source: {{servers: {said}}}}}}}" in text
    assert f"constant: 2.5 min\n          source: {{constant: {said}}}\n" in text
    after = load_document("scenarios/hall.yaml")
    kinds = {row.path: row.kind for row in provenance(after)}
    assert kinds["pools.desk.shifts.day.servers"] == "calibrated"
    assert kinds["case_types.branch.activities.collect.gate.at"] == "calibrated"
    assert kinds["case_types.company.arrivals.per_working_day"] == "assumed"


def test_windows_line_ends_and_other_quotes_stay() -> None:
    text = HALL.replace('"16:00"', "'16:00'")
    assert "at: '14:00'" in written(HOUR, point=(14 * 3600.0,), text=text)


def test_what_would_change_another_value_is_put_back() -> None:
    """The map has a statement already: a second one cannot stand beside it."""
    text = HALL.replace("{servers: 2}", "{servers: 2, source: derived from hearsay}")
    with pytest.raises(ScenarioError, match="the key 'source' is given twice"):
        written(DESKS, point=(3.0,), text=text)
    assert Path("scenarios/hall.yaml").read_text(encoding="utf-8") == text


def test_a_file_that_was_changed_meanwhile_is_left_alone() -> None:
    path = write_hall()
    fit = read_fit(write_fit(DESKS), load_document(path))
    other = HALL.replace("servers: 2", "servers: 4")
    write_hall(text=other)
    with pytest.raises(ScenarioError, match="'2' is no longer there; load the scenario again"):
        write_back(fit, (3.0,), STATEMENT, lambda: load_document(path))
    assert path.read_text(encoding="utf-8") == other


def test_only_values_that_become_others_are_new() -> None:
    fit = fit_of(COMES, DESKS)
    found = changes(fit, (50.0, 3.0))
    assert [change.path for change in found if change.is_new] == ["pools.desk.shifts.day.servers"]
    assert len(found) == 3


def test_the_command_writes_the_fit_and_then_finds_it_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_hall()
    write_fit(COMES)
    assert main(["calibrate", *OPTIONS[:-2], "--write"]) == 0
    assert "written: 2 values and where they are from, 2 new" in capsys.readouterr().out
    again = load_document("scenarios/hall.yaml")
    assert again.scenario.trips["filing"].comes != 0.5
    assert main(["calibrate", *OPTIONS[:-2], "--write"]) == 0
    assert "written: 2 values and where they are from, 0 new" in capsys.readouterr().out
    [source] = {r.source for r in provenance(again) if r.path.endswith("comes")}
    assert source == "calibrated against days 0.8 (fits/hall.yaml)"


def test_values_that_miss_a_target_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_hall(FIVE_DAYS + "  more: {metric: working_days_mean, subject: all, at_most: 9}\n")
    write_fit(COLLECTING)
    before = path.read_bytes()
    assert main(["calibrate", *OPTIONS, "--write"]) == 0
    out = capsys.readouterr().out
    assert "The outcome misses days: --write writes nothing of:\n" in out
    assert "trips.collection.comes: 50 % -> 30 %" in out
    assert "written" not in out
    assert main(["calibrate", *OPTIONS, "--write", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["written"], data["missed"]) == (False, ["days"])
    assert path.read_bytes() == before


# --- the shipped scenarios -----------------------------------------------------------------------

ROOT = Path(__file__).parents[1]


@pytest.mark.long
@pytest.mark.parametrize(("name", "replications"), [("lanzhou-2015", 3), ("lanzhou-2020", 10)])
def test_the_shipped_values_are_the_outcome_of_their_fit(
    name: str, replications: int, tmp_path: Path
) -> None:
    """2 registrars register 89.3 % the same day; to tell that from 90 % takes 10 replications."""
    path = ROOT / "scenarios" / f"{name}.yaml"
    fit = read_fit(ROOT / "scenarios" / "fits" / f"{name}.yaml", load_document(path))
    found = calibrate(fit, replications, folder=tmp_path, budget=12)
    assert found.stays
    for circumstances in CIRCUMSTANCES:
        trial = found.trial(found.outcome, circumstances)
        assert all(result.is_kept for result in trial.values()), (circumstances, trial)


def test_the_shipped_fits_are_of_the_shipped_scenarios() -> None:
    files = sorted((ROOT / "scenarios" / "fits").glob("*.yaml"))
    assert [path.stem for path in files] == ["lanzhou-2015", "lanzhou-2020"]
    for path in files:
        fit = read_fit(path, load_document(ROOT / "scenarios" / path.name))
        kinds = {row.path: row.kind for row in provenance(fit.loaded)}
        for parameter in fit.parameters:
            assert {kinds[".".join(map(str, p))] for p in parameter.paths} == {"calibrated"}
