"""Who changed how much: a hall whose answer is known by hand, words, figure, folder, bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faults import Hall
from rich.console import Console

from sim.errors import ScenarioError
from sim.studies import attribution_study
from sim.studies.attribution import (
    Attribution,
    Change,
    combinations_of,
    default_metrics,
    told,
)
from sim.studies.attribution_plot import attribution_figure, waterfall
from sim.studies.attribution_report import as_json, attribution_report, sentences
from sim.studies.attribution_study import attribute
from sim.studies.reform_groups import Group, switches
from sim.studies.shapley import Game, all_coalitions
from sim.tasks import Done, Failed, Task, Work

SHIPPED = Path(__file__).parents[1] / "scenarios"
OLD, GROUPS = SHIPPED / "lanzhou-2015.yaml", SHIPPED / "groups" / "lanzhou.yaml"

TEDIOUS = """
label: {en: A tedious hall, zh: 慢厅}
calendar: always
hours: {open: ["00:00-24:00"]}
working_hours: open
horizon: {from: 2020-01-01, to: 20 working days}
case_types:
  case:
    arrivals: {every: 1 working days, at: "09:00"}
    activities:
      begin: {delay: 1 h}
      wait: {after: begin, delay: 10 h}
      stamp: {after: wait, delay: 6 h}
      one_office: {after: stamp, delay: 4 h}
      other_office: {after: stamp, delay: 4 h}
promises: {done: {label: {en: Done, zh: 办结}, case_types: case, within: 48 h}}
"""
"""21 hours a case: nobody waits for anybody."""
REFORMS = {
    "no-wait": ("2021-01-01", "{wait: null}"),
    "stamp-by-mail": ("2021-02-01", "{stamp: null}"),
    "no-stamp": ("2021-03-01", "{stamp: null}"),
    "one-office": ("2021-04-01", "{one_office: null}"),
    "other-office": ("2021-05-01", "{other_office: null}"),
    "new-forms": ("2021-06-01", "{begin: {documents: 2}}"),
}
"""What takes 10 h, what each of two takes away (6 h), what it takes both for (4 h), and nothing."""
NEEDY = """
reform: needy
label: Needs another
needs: [no-wait]
changes: {case_types: {case: {activities: {begin: {delay: 30 min}}}}}
"""
ALL = ",".join(REFORMS)


@pytest.fixture
def tedious(place: Path) -> Path:
    """A folder, which one is in, with the hall, its reforms, groups of them and a new hall."""
    (place / "tedious.yaml").write_text(TEDIOUS, encoding="utf-8")
    (place / "reforms").mkdir()
    for name, (date, activities) in REFORMS.items():
        changes = f"{{case_types: {{case: {{activities: {activities}}}}}}}"
        text = f"reform: {name}\nlabel: {{en: {name}, zh: 改革}}\neffective: {date}\n"
        (place / "reforms" / f"{name}.yaml").write_text(f"{text}changes: {changes}\n")
    listed = [f"reforms/{name}.yaml" for name in REFORMS]
    (place / "new.yaml").write_text(f"extends: tedious.yaml\nreforms: {json.dumps(listed)}\n")
    (place / "groups.yaml").write_text(
        "groups:\n  stamps: {label: {en: Stamps, zh: 印章}, reforms: [stamp-by-mail, no-stamp]}\n"
        "  offices: {reforms: [one-office, other-office]}\n"
    )
    return place


@pytest.fixture
def found(tedious: Path) -> Attribution:
    return attribute(switches("tedious.yaml", until="2021-12-31"), replications=2, engine="simpy")


@pytest.fixture
def change(found: Attribution) -> Change:
    [change] = found.changes
    return change


# --- a hall that is known by hand ----------------------------------------------------------------


def test_what_is_told_is_the_mean_time_of_every_promise(found: Attribution) -> None:
    assert default_metrics(found.switches) == ["elapsed_hours_mean:done"]
    [change] = found.changes
    assert (change.metric, change.subject, change.unit) == ("elapsed_hours_mean", "done", "h")
    assert (change.before.mean, change.after.mean) == pytest.approx((21, 1))


def test_what_are_no_switches_is_told_how_to_make_some() -> None:
    with pytest.raises(TypeError, match=r"^Switches are wanted, not str: .* by switches\("):
        attribute("hall.yaml")  # type: ignore[arg-type]


def test_shares_are_known_by_hand(change: Change) -> None:
    """Ten alone; six by either of two, so three each; four by both of two, so two each."""
    rows = {e.group.name: (e.share.mean, e.alone.mean, e.last.mean) for e in change.effects}
    assert {name: pytest.approx(row) for name, row in rows.items()} == {
        "no-wait": (-10, -10, -10),
        "stamp-by-mail": (-3, -6, 0),
        "no-stamp": (-3, -6, 0),
        "one-office": (-2, 0, -4),
        "other-office": (-2, 0, -4),
        "new-forms": (0, 0, 0),
    }


def test_interactions_are_known_by_hand(change: Change) -> None:
    """The two stamps save six too little together, the two offices four more."""
    found = {(p.group.name, p.other.name): p.more.mean for p in change.partners}
    wanted = dict.fromkeys(found, 0.0)
    wanted["stamp-by-mail", "no-stamp"] = 6
    wanted["one-office", "other-office"] = -4
    assert found == {pair: pytest.approx(more, abs=1e-9) for pair, more in wanted.items()}


def test_every_combination_is_a_scenario(found: Attribution) -> None:
    table = found.combinations()
    assert len(table) == 64
    by_name = dict(zip(table["scenario"], table["mean"], strict=True))
    assert by_name["tedious"] == pytest.approx(21)
    assert by_name["tedious+no-wait+one-office"] == pytest.approx(11)
    assert by_name["tedious+one-office+other-office"] == pytest.approx(17)


def test_in_words_who_does_nothing_alone_and_what_it_needs(change: Change) -> None:
    # Sums of weighted numbers are whole but for the last bit.
    assert [line.replace(".00", "") for line in sentences(change)] == [
        "one-office does next to nothing alone (0); it needs other-office: then -4 [-4, -4]",
        "other-office does next to nothing alone (0); it needs one-office: then -4 [-4, -4]",
        "stamp-by-mail and no-stamp do in part the same: together 6 h less than one by one",
        "one-office and other-office help each other: together 4 h more than one by one",
        "new-forms: nothing to speak of, whatever the others do (never 2 % of the whole change, or "
        "not to be told from 0)",
    ]


def test_who_cannot_be_told_from_nothing_alone_needs_nobody_for_that() -> None:
    """Of two that add 1 and 10 whatever the other does, the first with scatter when alone."""
    noise = np.array([-3.0, 3.0, -3.0, 3.0])
    values = np.stack((noise * 0, 1 + noise, noise * 0 + 10, noise * 0 + 11.5), axis=1)
    groups = (Group("small", "small", ()), Group("large", "large", ()))
    found = Change("visits_mean", "hall", groups, Game(2, all_coalitions(2), values))
    assert not told(found.effects[0].alone)
    assert found.needs == ()


def test_who_does_the_opposite_alone_is_told_so() -> None:
    values = np.array([[10.0, 11.0, 5.0, 2.0]])
    groups = (Group("online", "online", ()), Group("review", "review", ()))
    found = Change("visits_mean", "hall", groups, Game(2, all_coalitions(2), values))
    assert next(sentences(found)) == (
        "online does the opposite alone (+1); it needs review: then -3"
    )


def test_groups_are_switched_together(tedious: Path) -> None:
    between = switches("tedious.yaml", until="2021-12-31", groups_file="groups.yaml")
    assert [group.name for group in between.groups] == ["no-wait", "stamps", "offices", "new-forms"]
    assert between.groups[1].label == "Stamps\n印章"
    [change] = attribute(between, replications=1, engine="simpy").changes
    assert [effect.share.mean for effect in change.effects] == pytest.approx([-10, -6, -4, 0])
    assert not change.whole.is_estimable


def test_a_scenario_that_lists_reforms_is_the_same_as_reforms_beside_one(tedious: Path) -> None:
    listed, beside = (
        switches("tedious.yaml", "new.yaml"),
        switches("tedious.yaml", reforms=ALL.split(",")),
    )
    assert listed.groups == beside.groups
    assert listed.load([5]).keys() == beside.load([5]).keys()


def test_sampled_orders_find_the_same_where_pairs_are_all_there_is(tedious: Path) -> None:
    between = switches("tedious.yaml", until="2021-12-31")
    [change] = attribute(between, replications=2, orders=4, engine="simpy").changes
    shares = [effect.share.mean for effect in change.effects]
    assert shares == pytest.approx([-10, -3, -3, -2, -2, 0])
    assert not change.partners
    assert list(sentences(change)) == []


def test_of_more_than_ten_groups_orders_are_sampled() -> None:
    coalitions, orders = combinations_of(10, None, 1)
    assert len(coalitions) == 1024
    assert orders is None
    coalitions, orders = combinations_of(11, None, 1)
    assert orders is not None
    assert orders.shape == (20, 11)
    assert len(coalitions) < 2048


def test_replications_count_that_have_a_value_everywhere(tedious: Path) -> None:
    """Of one metric; another may have one in more of them."""
    between = switches("tedious.yaml", reforms=["no-wait"])
    experiment = attribution_study.run(between.load([0, 1]), 3, engine="simpy")
    table = experiment.metrics.copy()
    gone = (table["scenario"] == "tedious+no-wait") & (table["replication"] == 1)
    table.loc[gone & (table["metric"] == "elapsed_hours_mean"), "value"] = np.nan
    wanted = ["elapsed_hours_mean:done", "documents_mean:case"]
    coalitions, _ = combinations_of(1, None, 1)
    changes, remarks = attribution_study.changes_of(table, between, wanted, coalitions, None)
    assert [change.whole.num_replications for change in changes] == [2, 3]
    table.loc[table["metric"] == "elapsed_hours_mean", "value"] = np.nan
    changes, remarks = attribution_study.changes_of(table, between, wanted, coalitions, None)
    assert [change.metric for change in changes] == ["documents_mean"]
    assert remarks == ["elapsed_hours_mean of done: in no replication a value in every combination"]


# --- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["date", "size"])
def test_bars_of_the_waterfall_add_up(change: Change, sort) -> None:
    bars = waterfall(change, sort)
    assert bars[0][0] == change.before.mean
    assert bars[-1][1] == pytest.approx(change.after.mean, abs=1e-12)
    assert [end for _, end in bars[:-1]] == [begin for begin, _ in bars[1:]]
    shares = [effect.share.mean for effect in change.sorted_effects(sort)]
    assert [end - begin for begin, end in bars] == pytest.approx(shares, abs=1e-12)


def test_the_figure_has_the_bars_and_both_languages(found: Attribution) -> None:
    [ax] = attribution_figure(found, "size").axes
    [change] = found.changes
    drawn = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    wanted = [(0, change.before.mean), (0, change.after.mean), *waterfall(change, "size")]
    np.testing.assert_allclose(drawn, wanted, atol=1e-12)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[1] == "no-wait\n改革"
    assert "办结" in ax.get_title("left")


def test_groups_come_by_date_or_by_size(change: Change) -> None:
    assert [e.group.name for e in change.sorted_effects("date")] == [*REFORMS]
    assert change.sorted_effects("size")[0].group.name == "no-wait"
    assert change.sorted_effects("size")[-1].group.name == "new-forms"


def test_the_report_has_groups_shares_and_words(found: Attribution) -> None:
    console = Console(width=160, file=None)
    with console.capture() as capture:
        console.print(attribution_report(found))
    text = capture.get()
    assert "Done 办结, elapsed hours, mean (h): 21 -> 1" in text
    assert "all together" in text
    assert "-4 with other-office" in text.replace(".00", "")
    assert "one-office does next to nothing alone" in text


def test_json_has_no_nan(tedious: Path) -> None:
    single = attribute(switches("tedious.yaml", reforms=["no-wait"]), replications=1)
    data = as_json(single)
    json.dumps(data, allow_nan=False)
    assert data["shares"][0]["share"] == pytest.approx(-10)
    assert data["shares"][0]["share_low"] is None
    assert data["interactions"] == []


# --- the command and its folder ------------------------------------------------------------------

COMMAND = ("attribute", "tedious.yaml", "--until", "2021-12-31", "--groups", "groups.yaml")


def test_the_command_keeps_tables_and_figure(tedious: Path, hall: Hall) -> None:
    code, out, _ = hall(*COMMAND, "-r", "2", "-o", "r")
    assert code == 0
    assert "From tedious to tedious@2021-12-31" in out
    assert out.endswith("results: r\n")
    shares = pd.read_csv("r/shares.csv")
    assert shares["share"].tolist() == pytest.approx([-10, -6, -4, 0])
    assert shares["share"].tolist() == pd.read_parquet("r/shares.parquet")["share"].tolist()
    whole = pd.read_parquet("r/whole.parquet")
    assert whole["change"].item() == pytest.approx(shares["share"].sum())
    assert Path("r/attribution.png").read_bytes().startswith(b"\x89PNG")
    assert hall("verify", "r")[0] == 0
    # Distributions of every combination would be most of the folder.
    assert pd.read_parquet("r/half_hours.parquet").empty


def test_the_same_question_is_answered_at_once(
    tedious: Path, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hall(*COMMAND, "-r", "2", "-o", "r")
    written = Path("r/attribution.png").stat().st_mtime_ns

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it is there already")

    monkeypatch.setattr(attribution_study, "run", never)
    assert hall(*COMMAND, "-r", "2", "-o", "r")[1] == first[1]
    assert Path("r/attribution.png").stat().st_mtime_ns == written
    # Another metric of the same runs.
    code, out, _ = hall(*COMMAND, "-r", "2", "-o", "r", "--metric", "documents_mean:case")
    assert (code, "documents, mean: 0 -> 2" in out) == (0, True)


def test_more_replications_go_on_from_those_that_are_there(tedious: Path, hall: Hall) -> None:
    hall(*COMMAND, "-r", "1", "-o", "r")
    code, _, err = hall(*COMMAND, "-r", "2", "-o", "r")
    assert code == 0
    assert "going on: 16 of 32 replications are there already" in err
    assert pd.read_csv("r/shares.csv")["replications"].tolist() == [2] * 4


def test_damaged_tables_are_made_anew(tedious: Path, hall: Hall) -> None:
    first = hall(*COMMAND, "-r", "1", "-o", "r")
    Path("r/metrics.parquet").write_bytes(b"")
    assert hall(*COMMAND, "-r", "1", "-o", "r")[:2] == first[:2]
    assert hall("verify", "r")[0] == 0


def test_a_replication_that_fails_is_missing_and_tried_again(
    tedious: Path, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    do = Work.do

    def fails(self: Work, task: Task) -> Done | Failed:
        is_bad = task == Task("replicate", "tedious+stamps", 1)
        return Failed("out of stamps") if is_bad else do(self, task)

    with monkeypatch.context() as patch:
        patch.setattr(Work, "do", fails)
        code, out, err = hall(*COMMAND, "-r", "3", "-o", "r", "--json")
    assert code == 4
    assert "replication 1 of tedious+stamps failed: out of stamps" in err
    assert {row["replications"] for row in json.loads(out)["shares"]} == {2}
    code, out, _ = hall(*COMMAND, "-r", "3", "-o", "r", "--json")
    assert code == 0
    assert {row["replications"] for row in json.loads(out)["shares"]} == {3}


def test_an_edited_reform_is_another_question(tedious: Path, hall: Hall) -> None:
    hall(*COMMAND, "-r", "1")
    text = Path("reforms/no-wait.yaml").read_text().replace("{wait: null}", "{wait: {delay: 5 h}}")
    Path("reforms/no-wait.yaml").write_text(text)
    code, out, _ = hall(*COMMAND, "-r", "1", "--json")
    assert code == 0
    assert json.loads(out)["shares"][0]["share"] == pytest.approx(-5)
    assert len(list(Path("results").iterdir())) == 2


def test_settings_change_every_combination(tedious: Path, hall: Hall) -> None:
    options = ("--set", "case_types.case.activities.begin.delay=3 h", "--json")
    data = json.loads(hall(*COMMAND, "-r", "1", *options)[1])
    assert (data["whole"][0]["before"], data["whole"][0]["after"]) == pytest.approx((23, 3))


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "reforms are wanted: a scenario TO that lists them, or --with or --until"),
        (("new.yaml", "--with", "no-wait"), "either a scenario TO .* or --with and --until"),
        (("hall.yaml",), "hall.yaml: extends: is not built on tedious.yaml; it says 'extends'"),
        (("tedious.yaml",), "tedious.yaml: extends: is not built on"),
        (("own.yaml",), "changes case_types by more than its reforms; put that into a reform"),
        (("--with", "no-weight"), "no reform 'no-weight' .*Did you mean 'no-wait'?"),
        (("--until", "2019-01-01"), "no reform is between tedious and tedious@2019-01-01"),
        (("--with", "no-wait", "--metric", "speed"), "--metric speed: no metric 'speed'"),
        (
            ("--with", "no-wait", "--metric", "visits_mean:cases"),
            "--metric visits_mean:cases: no case type or hall 'cases'",
        ),
        (
            ("--with", ALL, "--group", "a=no-weight"),
            "--group a: 'no-weight' is none of the reforms that are switched. Did you mean",
        ),
        (
            ("--with", "no-wait", "--group", "a=no-stamp"),
            "--group a: 'no-stamp' is none of the reforms that are switched",
        ),
        (
            ("--with", ALL, "--group", "a=no-wait", "--group", "b=no-stamp,no-wait"),
            "--group b: the reform 'no-wait' is in the group 'a' already",
        ),
        (
            ("--with", ALL, "--groups", "groups.yaml", "--group", "b=no-stamp"),
            "--group b: the reform 'no-stamp' is in the group 'stamps' already",
        ),
        (("--with", ALL, "--group", "no-wait=no-stamp"), "two groups are called 'no-wait'"),
        (("--with", ALL, "--group", "a b=no-stamp"), "'a b' is no name of a group"),
        (("--with", ALL, "--group", "no-stamp"), "is not NAME=REFORM,REFORM"),
        (("--with", ALL, "--group", "a="), "is not NAME=REFORM,REFORM"),
        (("--with", ALL, "--groups", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (
            ("--with", ALL, "--groups", "wrong.yaml"),
            "wrong.yaml:1:14: groups.a.reform: unknown key",
        ),
        (("--with", ALL, "--groups", "strange.yaml"), "strange.yaml:1:24: 'no-weight' is none"),
        (("--with", ALL, "--orders", "5"), "--orders 5: each goes with its reverse"),
        (
            ("--with", f"{ALL},needy"),
            r"reforms.needy.yaml:4:9: needs: the group 'needy' cannot be switched on without "
            "'no-wait': the reform 'needy' needs 'no-wait'; make them one group: --group "
            "no-wait=no-wait,needy",
        ),
        (
            ("--with", f"{ALL},new-office,late"),
            r"late.yaml:5:.*nothing called 'new_office'.*\(with late without .*, new-office; "
            r"reforms that cannot do without each other are one group: --group NAME=REFORM,REFORM",
        ),
        (
            ("--with", f"{ALL},promising", "--metric", "elapsed_hours_mean:begun"),
            "there is no 'begun' in tedious; a change needs it in all",
        ),
    ],
)
def test_wrong_questions_are_refused_before_anything_runs(
    tedious: Path, hall: Hall, arguments: tuple[str, ...], message: str
) -> None:
    Path("own.yaml").write_text(
        "extends: tedious.yaml\nreforms: [reforms/no-wait.yaml]\n"
        "case_types: {case: {activities: {begin: {delay: 2 h}}}}\n"
    )
    Path("wrong.yaml").write_text("groups: {a: {reform: [no-wait]}}\n")
    Path("strange.yaml").write_text("groups: {a: {reforms: [no-weight]}}\n")
    Path("reforms/needy.yaml").write_text(NEEDY)
    Path("reforms/promising.yaml").write_text(
        "reform: promising\neffective: 2021-07-01\n"
        "changes: {promises: {begun: {label: Begun, case_types: case, within: 48 h}}}\n"
    )
    Path("reforms/new-office.yaml").write_text(
        "reform: new-office\neffective: 2021-07-01\nchanges:\n"
        "  case_types: {case: {activities: {new_office: {label: New, delay: 1 h}}}}\n"
    )
    Path("reforms/late.yaml").write_text(
        "reform: late\neffective: 2021-08-01\nafter: [new-office]\nchanges:\n"
        "  case_types: {case: {activities: {new_office: {delay: 2 h}}}}\n"
    )
    code, out, err = hall("attribute", "tedious.yaml", *arguments)
    assert (code, out) == (2, "")
    assert not Path("results").exists()
    assert re.search(message, err), err


def test_a_group_that_needs_another_may_be_grouped_with_it(tedious: Path) -> None:
    Path("reforms/needy.yaml").write_text(NEEDY)
    found = switches(
        "tedious.yaml", reforms=["no-wait", "needy"], groups={"waits": ["needy", "no-wait"]}
    )
    assert [[reform.name for reform in group.reforms] for group in found.groups] == [
        ["no-wait", "needy"]
    ]


def test_what_the_first_scenario_has_already_is_always_there(tedious: Path) -> None:
    Path("reforms/needy.yaml").write_text(NEEDY)
    Path("mid.yaml").write_text("extends: tedious.yaml\nreforms: [reforms/no-wait.yaml]\n")
    found = switches("mid.yaml", reforms=["needy"])
    assert [group.name for group in found.groups] == ["needy"]
    assert [r.name for r in found.load([0])["mid"].reforms] == ["no-wait"]


# --- the shipped reforms -------------------------------------------------------------------------


def test_each_shipped_group_can_be_had_alone_and_left_out() -> None:
    between = switches(OLD, until="2020-12-31", groups_file=GROUPS)
    assert len(between.groups) == 7
    assert sum(len(group.reforms) for group in between.groups) == 29
    assert all("\n" in group.label for group in between.groups)
    coalitions = [0, 127, *(1 << i for i in range(7)), *(127 & ~(1 << i) for i in range(7))]
    loaded = between.load(coalitions)
    assert len(loaded) == 16
    full = loaded[between.name(127)]
    assert full.scenario == between.after.scenario


def test_a_date_leaves_later_groups_out() -> None:
    between = switches(OLD, until="2018-12-31", groups_file=GROUPS)
    assert "one-net" not in [group.name for group in between.groups]


def test_shipped_reforms_one_by_one_are_refused_with_what_to_group() -> None:
    with pytest.raises(ScenarioError) as error:
        switches(OLD, until="2020-12-31")
    assert all("make them one group: --group " in p.message for p in error.value.problems)


@pytest.mark.long
def test_every_combination_of_the_shipped_groups_loads() -> None:
    between = switches(OLD, until="2020-12-31", groups_file=GROUPS)
    assert len(between.load(range(128))) == 128


@pytest.mark.long
def test_shares_of_a_real_hall_are_those_of_brute_force() -> None:
    """A quarter of a year, three groups, in whatever order: from the table of combinations."""
    quarter = ("horizon.to=2015-03-31", "horizon.warm_up=20 working days")
    reforms = ["seal-no-permit", "open-8-5", "one-net"]
    found = attribute(switches(OLD, reforms=reforms, settings=quarter), replications=2)
    table = found.combinations().set_index(["metric", "groups"])["mean"]
    rows = found.shares().set_index(["metric", "group"])["share"]
    one, two, both = (
        table["visits_mean", key] for key in ("one-net", "open-8-5", "open-8-5 one-net")
    )
    none, all_of_it = (
        table["visits_mean", ""],
        table["visits_mean", "seal-no-permit open-8-5 one-net"],
    )
    with_one, with_two = (
        table["visits_mean", f"seal-no-permit {key}"] for key in ("one-net", "open-8-5")
    )
    seal = table["visits_mean", "seal-no-permit"]
    by_hand = (2 * (seal - none) + (with_one - one) + (with_two - two) + 2 * (all_of_it - both)) / 6
    assert rows["visits_mean", "seal-no-permit"] == pytest.approx(by_hand)
