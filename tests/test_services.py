"""The services of the article, a file each: what every file says, and what comes out of it.

Each file's year is simulated once, two replications with seed 1, for all tests that look at it; the
laws are checked on five weeks of it. What the bounds would do on other luck was tried on 30
replications with seed 100, see `test_every_published_figure_is_met_on_other_luck`.
"""

import functools
import re
from collections import Counter
from pathlib import Path

import pytest
from scenario_files import not_in_both_languages

from sim.activities import Activity
from sim.check_report import load_warnings
from sim.comparison import KEPT
from sim.experiment import Experiment
from sim.loading import Loaded, load, load_document, provenance, resolved_yaml
from sim.metric_definitions import METRICS
from sim.offered_load import offered_load
from sim.running import run

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scenarios" / "services"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
WITHOUT_FIGURE = {
    "changes-and-cancellation-2015",
    "chattel-mortgage-2015",
    "permits-after-licence-2015",
    "permits-after-licence-2020",
    "self-service-terminals",
}
"""Services of which the article has no figure (for this year)."""
BOTH_YEARS = {
    "changes-and-cancellation",
    "chattel-mortgage",
    "equity-pledge",
    "individuals-and-cooperatives",
    "permits-after-licence",
}
FIVE_WEEKS = ("horizon.warm_up=5 working days", "horizon.to=25 working days")

each_file = pytest.mark.parametrize("name", FILES)
each_figure = pytest.mark.parametrize("name", [n for n in FILES if n not in WITHOUT_FIGURE])


@functools.cache
def document(name: str) -> Loaded:
    return load_document(FILES[name])


def changed(name: str, *settings: str) -> Loaded:
    return load_document(FILES[name], settings)


@functools.cache
def year(name: str) -> Experiment:
    return run({name: document(name)}, replications=2, seed=1, engine="compiled")


def value_of(experiment: Experiment, name: str, metric: str, subject: str) -> float:
    rows = experiment.estimates.set_index(["scenario", "metric", "subject"])
    return float(rows["mean"][name, metric, subject])


def simulated(name: str, metric: str, subject: str) -> float:
    """What a service's year gives for a metric of a subject, the mean over replications."""
    return value_of(year(name), name, metric, subject)


def with_settings(name: str, *settings: str) -> Experiment:
    """A service's year beside the same with settings, on the same luck."""
    return run({"as_it_is": document(name), "changed": changed(name, *settings)}, replications=1)


# --- what the files say --------------------------------------------------------------------------


def test_services_of_both_years_have_a_file_for_each() -> None:
    assert {name[:-5] for name in FILES if re.search(r"-(2015|2020)$", name)} == BOTH_YEARS
    for name in BOTH_YEARS:
        assert {f"{name}-2015", f"{name}-2020"} <= FILES.keys()
    assert len(FILES) == 18


@each_file
def test_every_number_says_where_it_is_from(name: str) -> None:
    numbers = provenance(document(name))
    assert numbers
    assert [f"{number.mark}: {number.path}" for number in numbers if number.kind is None] == []
    for number in numbers:
        if number.kind == "stated":
            assert re.match(r"stated(, | by )\S+", number.source or ""), number.source


@each_file
def test_nothing_is_warned_of(name: str) -> None:
    assert load_warnings(document(name)) == []
    for pool in offered_load(document(name).scenario):
        assert pool.load < 0.9, pool.pool


@each_file
def test_names_the_schema_in_its_first_line(name: str) -> None:
    first = FILES[name].read_text(encoding="utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=../schema.json"


@each_file
def test_the_resolved_text_loads_as_an_equal_scenario(name: str, tmp_path: Path) -> None:
    file = tmp_path / "resolved.yaml"
    file.write_text(resolved_yaml(document(name)), encoding="utf-8")
    assert load(file) == document(name).scenario


@each_file
def test_what_people_read_is_in_english_and_chinese(name: str) -> None:
    assert not_in_both_languages(document(name).scenario, with_activities=True) == []


REGISTERED, OPENED = ("working_days_median", "registration"), ("working_days_median", "opening")
IN_README = {
    "lanzhou-2015": (REGISTERED, OPENED),
    "lanzhou-2020": (
        *(REGISTERED, ("on_time_share", "registration")),
        *(OPENED, ("on_time_share", "opening")),
    ),
    "business-opening": (OPENED, ("working_days_p95", "system"), ("documents_mean", "company")),
    **dict.fromkeys(
        ("individuals-and-cooperatives-2015", "individuals-and-cooperatives-2020"),
        (
            ("working_days_median", "individual_opening"),
            ("working_days_median", "cooperative_opening"),
        ),
    ),
    "equity-pledge-2015": (
        ("working_days_median", "pledge"),
        ("working_days_median", "pledge_in_all"),
    ),
    "equity-pledge-2020": (
        ("working_days_median", "pledge_in_all"),
        ("on_time_share", "pledge_in_all"),
    ),
    "chattel-mortgage-2015": (("working_days_median", "mortgage"),),
    "chattel-mortgage-2020": (("elapsed_hours_median", "mortgage"), ("on_time_share", "mortgage")),
    "cluster-registration": (("elapsed_hours_median", "morning"), ("on_time_share", "morning")),
    **dict.fromkeys(
        ("changes-and-cancellation-2015", "changes-and-cancellation-2020"),
        (("working_days_median", "change"), ("working_days_median", "cancellation")),
    ),
    "permits-after-licence-2015": (("working_days_median", "not_operating"),),
    "permits-after-licence-2020": (
        ("working_days_median", "not_operating"),
        ("working_days_median", "permit"),
    ),
    "first-offence-leniency": (("finished", "leniency"), ("working_days_median", "decision")),
    "app-and-wechat": (
        *(("finished", "paperless_company"), ("no_visit_share", "hall")),
        ("working_days_median", "paperless"),
    ),
    "courier-delivery": (
        *(("no_visit_share", "licence"), REGISTERED),
        ("working_days_median", "delivery"),
    ),
    "self-service-terminals": (("on_time_share", "small_task"), ("waiting_time_mean", "windows")),
    "helper-service": (REGISTERED, ("first_pass_share", "filing")),
    "door-step-service": (REGISTERED, ("on_time_share", "door_step")),
}
"""Metric and subject of each simulated figure of the README's table, in the order of its row."""


def readme_rows(name: str) -> list[str]:
    """Of a file in the README's table of the article's systems."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## The systems of the article")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if f"| `{name}` |" in line]


@each_file
def test_the_readme_has_a_row_for_it(name: str) -> None:
    (row,) = readme_rows(name)
    assert ("no figure" in row) == (name in WITHOUT_FIGURE)


def as_written(metric: str, value: float) -> str:
    if METRICS[metric].is_share:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@pytest.mark.long
@pytest.mark.parametrize("name", [*FILES, "lanzhou-2015", "lanzhou-2020"])
def test_the_readme_has_the_figures_that_come_out(name: str) -> None:
    """All of them, in their order, and what share of cases is unfinished from 5 % on."""
    loaded = load_document(FILES.get(name, ROOT / f"scenarios/{name}.yaml"))
    experiment = run({name: loaded}, replications=10, seed=1)
    found = experiment.estimates.set_index(["metric", "subject"])["mean"]
    cells = [row.split("|")[4:6] for row in readme_rows(name)]
    simulated = "; ".join(cell for cell, _ in cells)

    figures = re.findall(r"\d[\d,.]*(?: %)?", re.sub(r"\(.*?\)", "", simulated))
    assert figures == [as_written(metric, found[metric, of]) for metric, of in IN_README[name]]
    means = sum(metric.endswith("_mean") for metric, _ in IN_README[name])
    assert simulated.count("(mean 均值)") == means

    times = {of: None for metric, of in IN_README[name] if "promise" in METRICS[metric].subjects}
    unfinished = [found["unfinished_share", of] for of in times]
    told = [as_written("unfinished_share", share) for share in unfinished if share >= 0.05]
    assert re.findall(r"unfinished 未办结 ([\d.]+ %)", simulated) == told

    for row in experiment.published().itertuples(index=False):
        assert any(row.verdict in verdict for _, verdict in cells)
        assert name not in FILES or (row.metric, row.subject) in IN_README[name]


# --- no delay stands in for a queue --------------------------------------------------------------

COMPUTER = {"automatic_check", "automatic_review", "frozen_share_check"}
LAW = {"notice"}
APPLICANT = {
    "answer_message",
    "bank_calls_back",
    "corrected",
    "message_on_the_net",
    "message_to_the_telephone",
    "rectification",
    "settle_arrears",
    "sign",
    "sign_on_the_net",
}
"""Where time passes without a server: a computer, a law's notice, somebody elsewhere."""


@each_file
def test_every_delay_is_one_that_nobody_in_the_hall_works_off(name: str) -> None:
    delays = {
        (step, a.service is None and not a.pool)
        for case_type in document(name).scenario.case_types.values()
        for step, a in case_type.activities.items()
        if a.delay is not None
    }
    assert {step for step, _ in delays} <= COMPUTER | LAW | APPLICANT
    assert all(holds_nobody for _, holds_nobody in delays)


# --- the laws, and the published figures ---------------------------------------------------------


@each_file
def test_the_laws_hold(name: str) -> None:
    """A run that breaks one does not come this far."""
    found = run({name: changed(name, *FIVE_WEEKS)}, replications=1, check=True, engine="simpy")
    assert found.timings["check"] > 0
    assert value_of(found, name, "finished", "hall") > 0


@each_file
def test_compares_with_what_the_article_states(name: str) -> None:
    assert bool(document(name).scenario.published) == (name not in WITHOUT_FIGURE)


@each_figure
def test_every_published_figure_is_met(name: str) -> None:
    table = year(name).published()
    assert not table.empty
    assert set(table["verdict"]) <= set(KEPT), table


@pytest.mark.long
@each_figure
def test_every_published_figure_is_met_on_other_luck(name: str) -> None:
    table = run({name: document(name)}, replications=30, seed=100).published()
    assert set(table["verdict"]) <= set(KEPT), table


# --- what each service is about ------------------------------------------------------------------


def activities(name: str, case_type: str) -> dict[str, Activity]:
    return dict(document(name).scenario.case_types[case_type].activities)


def test_a_pledge_took_a_week_and_takes_a_day() -> None:
    assert simulated("equity-pledge-2015", "working_days_median", "pledge_in_all") >= 5
    assert simulated("equity-pledge-2020", "on_time_share", "pledge_in_all") >= 0.9


def test_the_week_of_a_pledge_is_trays_and_signature_rounds() -> None:
    path = "case_types.{}.activities.{}"
    cut = [
        f"{path.format(kind, step)}{'' if 'tray' in step else '.gate'}=null"
        for kind in ("pledge", "other_files")
        for step in ("first_tray", "second_tray", "approval", "data_entry", "stamping")
    ]
    found = with_settings("equity-pledge-2015", *cut)
    assert value_of(found, "changed", "working_days_median", "pledge") <= 1


def test_a_notice_holds_no_server() -> None:
    """A law's timer: nobody serves it, and nobody comes for it."""
    for name, days in (
        ("changes-and-cancellation-2015", 45),
        ("changes-and-cancellation-2020", 20),
    ):
        notice = activities(name, "cancellation")["notice"]
        assert (notice.pool, notice.trip) == ((), None)
        assert notice.delay is not None
        assert str(notice.delay.constant) == f"{days} calendar days"


def test_one_registrar_cannot_do_a_dozen_in_a_morning() -> None:
    found = with_settings("cluster-registration", "pools.green_team.shifts.day.servers=1")
    assert value_of(found, "as_it_is", "on_time_share", "morning") >= 0.9
    assert value_of(found, "changed", "on_time_share", "morning") <= 0.1


def test_twenty_four_agencies_stand_behind_the_one_window() -> None:
    scenario = document("business-opening").scenario
    agencies = Counter(
        {name: len(pool.shifts) for name, pool in scenario.pools.items() if name != "one_window"}
    )
    assert agencies.total() == 24
    asked = {pool for a in scenario.case_types["company"].activities.values() for pool in a.pool}
    assert asked == scenario.pools.keys()


def test_the_systems_clock_starts_at_acceptance() -> None:
    promise = document("business-opening").scenario.promises["system"]
    assert (promise.from_, promise.to) == ("accepted", "opened")
    filed = [a for a in activities("business-opening", "company").values() if a.documents]
    assert {(a.milestone, a.documents) for a in filed} == {("accepted", 3)}


def test_the_four_modes_shorten_the_time_between_licence_and_business() -> None:
    before, after = (
        simulated(f"permits-after-licence-{y}", "working_days_mean", "not_operating")
        for y in (2015, 2020)
    )
    assert after < before / 2
    modes = document("permits-after-licence-2020").scenario.case_types["permit"].attributes["mode"]
    assert list(modes) == ["abolished", "filing", "commitment", "streamlined"]


def test_the_clerk_who_leaves_is_missing_at_the_windows() -> None:
    found = with_settings("door-step-service", "case_types.park_enquiry.arrivals.per_working_day=0")
    waits = [value_of(found, n, "waiting_time_mean", "windows") for n in ("as_it_is", "changed")]
    assert waits[0] > waits[1]
    assert value_of(found, "as_it_is", "visits_mean", "park_enquiry") == 0


def test_who_is_helped_is_sent_back_less_often() -> None:
    nobody = "case_types.filing.attributes.help={wanted: 0 %, none: 100 %}"
    found = with_settings("helper-service", nobody)
    shares = [value_of(found, n, "first_pass_share", "filing") for n in ("as_it_is", "changed")]
    assert shares[0] > shares[1]


def test_paper_comes_by_courier_the_next_working_day() -> None:
    assert simulated("courier-delivery", "working_days_median", "delivery") == 1
    assert simulated("courier-delivery", "visits_mean", "licence") == 0


def test_fourteen_exemptions_are_nothing_that_a_queue_would_notice() -> None:
    found = with_settings(
        "first-offence-leniency", "case_types.leniency.arrivals.per_working_day=0"
    )
    busy = [value_of(found, n, "utilisation", "case_officers") for n in ("as_it_is", "changed")]
    assert abs(busy[0] - busy[1]) < 0.03
