"""The shipped reforms of the 2015 process: what each changes, and that they go together.

Nothing here says how much a reform gains: none of their numbers is fitted to an outcome.
"""

from __future__ import annotations

import functools
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_files import differences

from sim.documents import read_document
from sim.errors import ScenarioError
from sim.loading import Loaded, load_document, provenance
from sim.reforms import Reform, ReformFile, contradictions, in_order, united
from sim.running import run
from sim.tree import numbers, plain

FOLDER = Path(__file__).parents[1] / "scenarios"
OLD = FOLDER / "lanzhou-2015.yaml"
SHORT = ("horizon.to=20 working days", "horizon.warm_up=5 working days")

COMPANIES = r"case_types\.(company|cooperative)\.activities\."
FILINGS = r"case_types\.(company|cooperative|individual|change|cancellation)\."
SET_UPS = r"case_types\.(company|cooperative|individual)\."
WITHOUT_TRAYS = (
    r"(first_tray|second_tray)\.|\w+\.after$|approval\.(label\.\w+|gate\.\w+|pool|service\..*)$"
)
CHANGES = {
    "bank-filing": rf"pools\.central_bank\.|case_types\.account_files\.|{COMPANIES}"
    r"(account_approval\.|account_run\.|collect_account_licence\.|apply_for_invoices\.after$)",
    "central-approval": r"case_types\.\w+\.activities\."
    r"(examine_name|examination|second_examination|organisation_code|office)\.pool$",
    "chattel-2016": r"case_types\.pledge\.(attributes\.kind\.|activities\."
    r"(file_application\.when|file_mortgage|first_tray\.after))",
    "chattel-2019": r"case_types\.pledge\.(attributes\.formal_check\.|activities\."
    r"(file_mortgage|automatic_check|formal_check|\w+\.when\.kind$|first_tray\.after))",
    "chattel-out": r"case_types\.pledge\.(label\.|arrivals\.per_working_day$"
    r"|attributes\.(kind|formal_check)\.|activities\."
    r"(file_mortgage|automatic_check|formal_check)\.|activities\.\w+\.(when|after)\b)",
    "covid": r"profiles\.hall_day\.demand\.",
    "courier": rf"{SET_UPS}(attributes\.delivery\.|activities\."
    r"(collect_licence\.when|collect_later|courier|seal_permit\.after|tax_registration\.after))",
    "daily-signature": r"case_types\.\w+\.activities\.(approval|approve_name)\.gate\.weekdays$",
    "five-in-one": rf"{COMPANIES}social_insurance\.service\.lognormal\.mean$",
    "green-channel": r"(hours|trips|promises)\.green_channel\b|pools\.green_team\."
    r"|case_types\.park_company\.",
    "helpers": rf"pools\.helpers\.|{SET_UPS}activities\."
    r"(help\.|file_application\.(after|again\.probability)$)",
    "many-in-one": rf"{COMPANIES}file_application\.documents$",
    "merged-review": rf"pools\.approver\.|{COMPANIES}(approve_name\.|{WITHOUT_TRAYS})"
    rf"|case_types\.(individual|change|cancellation|pledge)\.activities\.({WITHOUT_TRAYS})",
    "name-self": rf"{COMPANIES}(apply_for_name\.|examine_name\.gate\.|approve_name\."
    r"|collect_name\.|file_application\.after)"
    r"|case_types\.(company|cooperative)\.attributes\.name_decision\."
    r"|case_types\.individual\.(attributes\.name\.|activities\."
    r"(apply_for_name\.|file_application\.after))",
    "one-net": rf"pools\.seal_counter\.|{SET_UPS}activities\."
    r"(\w+\.(after|trip|documents|milestone)$|data_entry\.gate\.|all_links_done\."
    r"|(stamping|collect_seals|collect_code)\."
    r"|(social_insurance|housing_fund)\.service\.lognormal\.(mean|cv)$)",
    "online": rf"{FILINGS}(attributes\.channel\.|activities\."
    r"(file_online\.|answer_message\.|\w+\.after$|\w+\.when\.channel$))",
    "online-documents": rf"{SET_UPS}activities\.file_online\.documents$",
    "online-2018": rf"{FILINGS}attributes\.channel\.",
    "online-2019": rf"{FILINGS}attributes\.channel\.",
    "online-2020": rf"{FILINGS}attributes\.channel\.",
    "open-5-3": rf"pools\.tax_field_officer\.|{COMPANIES}"
    r"(site_verification\.|verification_result\.|tax_device\.after$)",
    "open-8-5": rf"{COMPANIES}(all_links_done\.|first_invoices\.milestone$"
    r"|(tax_registration|local_tax_registration|apply_for_invoices)\.(after|trip)$"
    r"|social_insurance\.after$)",
    "permits-106": r"case_types\.permit\.(attributes\.(mode|promise_kept)\.|activities\."
    r"(filing|commitment|may_operate|inspection_afterwards|revocation)\.|activities\.\w+\.when\.mode$"
    r"|activities\.collect_permit\.milestone$)",
    "permits-full": r"pools\.(inspectors\.shifts\.day\.hours$|panel\.)|case_types\.permit\."
    r"(attributes\.(mode|defects)\.|activities\.((section_meeting|panel|print_permit|collect_permit)\."
    r"|(apply|document_review|report)\.(service|again|documents)\b|\w+\.after$"
    r"|signature\.(gate\.weekdays|milestone)$))",
    "rating": r"pools\.supervisor\.|case_types\.bad_rating\.",
    "seal-no-permit": r"pools\.police_window\.|case_types\.police_matters\."
    rf"|{SET_UPS}activities\.(seal_permit\.|seal_engraving\.gate\.|\w+\.after$)",
    "seconds": r"case_types\.individual\.(attributes\.decision\.|activities\."
    r"(examination\.when|online_examination|automatic_review|second_tray\.after))",
    "simple-cancel": r"case_types\.cancellation\.activities\.notice\.(label|delay)\.",
    "terminals": r"pools\.terminals\.|case_types\.enquiry\.(attributes|activities)\.",
    "three-in-one": rf"{COMPANIES}(apply_for_code\.|organisation_code\.|collect_code\."
    r"|collect_seals\.after$|(local_)?tax_registration\.|social_insurance\.after$|open_account\.documents$)",
    "tax-merge": r"case_types\.\w+\.activities\.(local_tax_registration\.|local_tax_clearance\."
    r"|(tax_registration|apply_for_invoices|first_invoices|tax_clearance|window)\.pool$|\w+\.after$)",
    "two-in-one": r"case_types\.individual\.activities\."
    r"((local_)?tax_registration\.|(open_account|apply_for_invoices)\.after$)",
}
"""What each may change of a scenario that has been changed by what it needs already."""


@functools.cache
def reform(name: str) -> ReformFile:
    tree = read_document(FOLDER / "reforms" / f"{name}.yaml", FOLDER)
    return ReformFile(Reform.model_validate(plain(tree)), tree)


NAMES = sorted(path.stem for path in (FOLDER / "reforms").glob("*.yaml"))
DATED = [name for name in NAMES if reform(name).about.effective]
IN_FORCE = [name for name in DATED if name != "chattel-out"]
"""By the end of 2020."""
each_reform = pytest.mark.parametrize("name", NAMES)


def with_needed(*names: str) -> list[str]:
    """Reforms with all that they need."""
    needed = [other for name in names for other in with_needed(*reform(name).about.needs)]
    return sorted({*names, *needed})


@functools.cache
def document(*names: str, short: bool = False) -> Loaded:
    return load_document(OLD, SHORT if short else (), names)


# --- what the files say --------------------------------------------------------------------------


@each_reform
def test_a_file_bears_the_name_of_its_reform(name: str) -> None:
    about = reform(name).about
    assert about.reform == name
    assert {*about.after, *about.needs} <= {*NAMES}
    assert about.label is not None
    assert re.search(r"[\u4e00-\u9fff]", about.label.zh or "")


def test_all_but_two_have_a_date() -> None:
    """The daily signature is an idea to try, the epidemic is no reform."""
    assert {*NAMES} - {*DATED} == {"covid", "daily-signature"}


@each_reform
def test_every_number_says_where_it_is_from(name: str) -> None:
    """Its date too, and in the scenario that it makes."""
    own = [leaf for path, leaf in numbers(reform(name).tree) if path[0] in ("effective", "changes")]
    assert [str(leaf.mark) for leaf in own if leaf.source is None] == []
    rows = provenance(document(*with_needed(name)))
    assert [f"{row.mark}: {row.path}" for row in rows if row.kind is None] == []
    for leaf in own:
        if (leaf.source or "").startswith("stated"):
            assert re.match(r"stated by \S+", leaf.source or ""), leaf.mark


# --- what each changes ---------------------------------------------------------------------------


@each_reform
def test_a_reform_changes_what_it_is_about_and_nothing_else(name: str) -> None:
    others = [other for other in with_needed(name) if other != name]
    found = differences(document(*others), document(*with_needed(name)))
    assert found
    may_change = re.compile(CHANGES[name])
    assert sorted(path for path in found if not may_change.match(path)) == []


@each_reform
def test_a_reform_runs_by_itself(name: str) -> None:
    """With what it needs, for a month, in which the laws hold."""
    hall = document(*with_needed(name), short=True)
    assert run({name: hall}, replications=1, check=True, engine="simpy").timings["check"] > 0


# --- that they go together -----------------------------------------------------------------------


def sum_of(names: list[str]) -> list[object] | str:
    """What reforms add up to, or why they do not."""
    try:
        order = in_order([reform(name) for name in names])
    except ScenarioError as error:
        return str(error)
    problems = contradictions(order)
    return str(problems[0]) if problems else [plain(piece) for piece in united(order)]


def test_each_two_go_together_in_either_order_or_are_refused_in_both() -> None:
    refused = set()
    for pair in itertools.combinations(NAMES, 2):
        names = with_needed(*pair)
        assert sum_of(names) == sum_of(names[::-1]), pair
        if isinstance(sum_of(names), str):
            refused.add(pair)
    # A signature round that is abolished is not held every day either.
    assert refused == {
        *(("daily-signature", other) for other in ("merged-review", "name-self")),
    }


@pytest.mark.long
def test_each_two_with_dates_load() -> None:
    for pair in itertools.combinations(DATED, 2):
        document(*with_needed(*pair))


@settings(max_examples=8, deadline=None)
@given(st.sets(st.sampled_from(DATED), min_size=3), st.randoms(use_true_random=False))
def test_some_of_them_give_the_same_scenario_in_any_order(names: set[str], random) -> None:
    chosen = with_needed(*names)
    shuffled = random.sample(chosen, len(chosen))
    first, second = document(*chosen), document(*shuffled)
    assert (first.name, first.scenario) == (second.name, second.scenario)


def test_at_the_end_of_2020_all_are_in_force() -> None:
    loaded = load_document(OLD, until="2020-12-31")
    assert sorted(found.name for found in loaded.reforms) == IN_FORCE
    assert loaded.scenario == document(*IN_FORCE).scenario
    later = load_document(OLD, until="2021-01-01")
    assert {*DATED} - {*IN_FORCE} == {later.reforms[-1].name} == {"chattel-out"}
    assert load_document(OLD, until="2015-09-30").scenario == load_document(OLD).scenario


@pytest.mark.parametrize("year", range(2015, 2020))
def test_those_in_force_at_the_end_of_a_year_load(year: int) -> None:
    loaded = load_document(OLD, until=f"{year}-12-31")
    dates = [found.about.effective for found in loaded.reforms]
    assert dates == sorted(dates)
    assert all(date.year <= year for date in dates if date is not None)


def test_no_pool_stands_idle_under_all_of_them() -> None:
    scenario = document(*DATED).scenario
    used = {
        pool
        for case_type in scenario.case_types.values()
        for activity in case_type.activities.values()
        for pool in activity.pool
    }
    assert used == {*scenario.pools}


def test_all_of_them_run_and_shorten_it() -> None:
    """A quarter of a year: sooner registered, sooner opened, and fewer visits."""
    quarter = ("horizon.to=2015-03-31", "horizon.warm_up=20 working days")
    halls = {
        name: load_document(OLD, quarter, reforms)
        for name, reforms in (("before", []), ("after", DATED))
    }
    found = run(halls, replications=1, check=True)
    assert found.timings["check"] > 0
    rows = found.differences().set_index(["metric", "subject"])["difference"]
    for metric, subject in (
        ("working_days_mean", "registration"),
        ("working_days_mean", "opening"),
        ("visits_mean", "company"),
    ):
        assert rows[metric, subject] < 0, metric


AT_THE_END_OF = {2015: (5, 15, 9), 2016: (5, 15, 9), 2017: (5, 14, 9), 2018: (2, 8, 8),
                 2019: (2, 5, 5), 2020: (0, 1, 1)}  # fmt: skip
"""Medians of 10 replications, as the README has them: registration, opening, visits."""


@pytest.mark.long
@pytest.mark.parametrize("year", AT_THE_END_OF)
def test_the_reforms_until_a_year_lead_to_what_the_readme_says(year: int) -> None:
    hall = load_document(OLD, until=f"{year}-12-31")
    means = run({"hall": hall}, 2).estimates.set_index(["metric", "subject"])["mean"]
    found = (
        means["working_days_median", "registration"],
        means["working_days_median", "opening"],
        means["visits_median", "company"],
    )
    assert found == pytest.approx(AT_THE_END_OF[year], abs=0.5)
    row = (FOLDER.parent / "README.md").read_text(encoding="utf-8").split("in force at the end")[1]
    for place, what in enumerate(("company registration", "opening a business", "visits")):
        [told] = re.findall(rf"^\| {what}.*?\|(.*)\|$", row, flags=re.MULTILINE)
        assert int(told.split("|")[year - 2015]) == AT_THE_END_OF[year][place]


def test_what_a_reform_of_one_year_changes_does_not_fit_another() -> None:
    with pytest.raises(ScenarioError, match="nothing to remove here"):
        load_document(FOLDER / "lanzhou-2020.yaml", reforms=["three-in-one"])


def test_the_readme_has_every_reform_with_its_day() -> None:
    table = (
        (FOLDER.parent / "README.md").read_text(encoding="utf-8").split("| since | reforms |")[1]
    )
    told = {
        name: day and f"{year}-{day}"
        for year, row in re.findall(r"^\| (\d{4}|no date) \| (.*) \|$", table, flags=re.MULTILINE)
        for name, day in re.findall(r"`([\w-]+)`[^`(]*(?:\((\d\d-\d\d)\))?", row)
    }
    dates = {name: reform(name).about.effective for name in NAMES}
    assert told == {name: str(date) if date else "" for name, date in dates.items()}
