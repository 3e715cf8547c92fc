"""Results folders: complete or not there, the same bytes every time, and read back as they were."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest
from halls import case_type, hall, pool

from sim import figures, results
from sim.errors import ResultsError
from sim.experiment import Experiment, run
from sim.loading import load
from sim.results import check_folder, file_names, read_results, redraw, write_results
from sim.scenario import Scenario

FORMULA = "=1+2 旧 [/red] $x$"
FILES = {
    "experiment.json",
    *(f"{name}.csv" for name in results.TABLES),
    "scenarios/old.yaml",
    "scenarios/new.yaml",
}
FIGURE_NAMES = ("lead_times", "half_hours", "queue_lengths", "visits", "differences")
FIGURES = {f"figures/{name}.png" for name in FIGURE_NAMES}


def scenario(servers: int) -> Scenario:
    data = hall(
        {
            "case": case_type(
                {"serve": {"trip": "visit", "pool": "windows", "service": "10 min"}},
                {"per_hour": 5},
                label=FORMULA,
            )
        },
        {"windows": pool(servers, label={"en": "Windows", "zh": "窗口"})},
        open=["09:00-11:00"],
        promises={"time": {"case_types": "case", "within": "15 min"}},
        published={
            "wait": {
                "label": FORMULA,
                "metric": "waiting_time_mean",
                "subject": "windows",
                "at_most": 10,
            }
        },
    )
    return Scenario.model_validate(data)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return run({"old": scenario(1), "new": scenario(2)}, replications=3, seed=4)


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", encoding="utf-8-sig")


# --- what is written -----------------------------------------------------------------------------


def test_a_folder_holds_what_was_run_and_what_came_out(
    experiment: Experiment, tmp_path: Path
) -> None:
    folder = write_results(experiment, tmp_path / "a/b")
    assert set(contents(folder)) == FILES | FIGURES
    assert os.listdir(tmp_path / "a") == ["b"]  # nothing beside it


def test_the_same_experiment_gives_the_same_bytes(tmp_path: Path) -> None:
    """Simulated, computed and drawn twice."""
    folders = [
        write_results(run({"old": scenario(1), "new": scenario(2)}, 2, seed=4), tmp_path / name)
        for name in ("a", "b")
    ]
    assert contents(folders[0]) == contents(folders[1])


def test_the_experiment_is_described(experiment: Experiment, tmp_path: Path) -> None:
    folder = write_results(experiment, tmp_path / "r", figures=False)
    about = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    assert (about["seed"], about["replications"], about["confidence"]) == (4, 3, 0.95)
    assert [s["file"] for s in about["scenarios"]] == ["scenarios/old.yaml", "scenarios/new.yaml"]
    assert {"python", "service-hall", "numpy", "scipy", "simpy"} <= set(about["versions"])
    assert {"name", "unit", "definition"} <= set(about["metrics"][0])


def test_a_resolved_scenario_runs_again_as_it_is(experiment: Experiment, tmp_path: Path) -> None:
    folder = write_results(experiment, tmp_path / "r", figures=False)
    assert load(folder / "scenarios/old.yaml") == scenario(1)


def test_tables_are_tidy(experiment: Experiment, tmp_path: Path) -> None:
    folder = write_results(experiment, tmp_path / "r", figures=False)
    metrics = table(folder, "metrics")
    assert list(metrics) == ["scenario", "replication", "metric", "subject", "unit", "value"]
    assert not metrics.duplicated(["scenario", "replication", "metric", "subject"]).any()
    assert table(folder, "metrics")["value"].equals(experiment.metrics["value"])
    assert set(table(folder, "differences")["scenario"]) == {"new"}
    assert list(table(folder, "published")["verdict"]) == list(experiment.published()["verdict"])


def test_spreadsheets_see_chinese_and_no_formula(experiment: Experiment, tmp_path: Path) -> None:
    """A byte order mark in front; a quote mark before text that begins like a formula."""
    folder = write_results(experiment, tmp_path / "r", figures=False)
    content = (folder / "published.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert [row["label"] for row in rows] == [f"'{FORMULA}"] * 2
    negative = [row for row in contents(folder)["differences.csv"].split(b"\n") if b",-" in row]
    assert negative  # numbers below 0 stay numbers


@pytest.mark.parametrize("name", ["=a", "+a", "-a", "@a", "'a", "''a", "NA", "nan", "1", 'a,b"c'])
def test_names_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    found = run({name: scenario(1)}, 1)
    folder = write_results(found, tmp_path / "r", figures=False)
    back = read_results(folder)
    assert list(back.scenarios) == [name]
    assert set(back.metrics["scenario"]) == {name}


def test_one_scenario_has_no_differences(tmp_path: Path) -> None:
    folder = write_results(run({"a": scenario(1)}, 1), tmp_path / "r")
    assert not (folder / "figures/differences.png").exists()
    assert table(folder, "differences").empty


# --- reading -------------------------------------------------------------------------------------


def test_results_are_read_as_they_were_written(experiment: Experiment, tmp_path: Path) -> None:
    back = read_results(write_results(experiment, tmp_path / "r", figures=False))
    assert (back.seed, back.replications) == (4, 3)
    assert [d.scenario for d in back.scenarios.values()] == [scenario(1), scenario(2)]
    for name in ("metrics", "lead_times", "half_hours", "visits", "estimates"):
        theirs, ours = getattr(experiment, name), getattr(back, name)
        pd.testing.assert_frame_equal(theirs, ours, check_exact=True, check_dtype=False)


def test_figures_drawn_again_are_the_same(experiment: Experiment, tmp_path: Path) -> None:
    folder = write_results(experiment, tmp_path / "r")
    before = contents(folder)
    (folder / "figures/visits.png").unlink()
    assert [path.stem for path in redraw(folder)] == list(FIGURE_NAMES)
    assert contents(folder) == before


def test_figures_are_pictures(experiment: Experiment, tmp_path: Path) -> None:
    folder = write_results(experiment, tmp_path / "r")
    for name in FIGURE_NAMES:
        assert matplotlib.image.imread(folder / f"figures/{name}.png").ndim == 3


def test_a_failure_in_drawing_leaves_the_earlier_figure(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_results(experiment, tmp_path / "r")
    before = contents(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sim.plot_style.save_figure", full)
    with pytest.raises(ResultsError, match="No space left on device"):
        redraw(folder)
    assert contents(folder) == before


def damage(folder: Path, how: str) -> None:
    about = folder / "experiment.json"
    match how:
        case "no folder":
            folder.rename(folder.with_name("gone"))
        case "no description":
            about.unlink()
        case "another program's":
            about.write_text('{"format": "else"}')
        case "a list":
            about.write_text("[]")
        case "later format":
            about.write_text(
                about.read_text().replace('"format_version": 2', '"format_version": 9')
            )
        case "empty description":
            about.write_text("")
        case "half a description":
            about.write_text('{"format": "service-hall results",')
        case "no seed":
            about.write_text(about.read_text().replace('"seed"', '"seeds"'))
        case "empty table":
            (folder / "lead_times.csv").write_text("")
        case "picture for a table":
            (folder / "visits.csv").write_bytes(b"\x89PNG\xff")
        case "no rows":
            path = folder / "metrics.csv"
            path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n")
        case "cut off":
            path = folder / "half_hours.csv"
            path.write_text(path.read_text(encoding="utf-8")[:-40])
        case "a row twice":
            path = folder / "visits.csv"
            text = path.read_text(encoding="utf-8")
            path.write_text(text + text.splitlines()[-1] + "\n")
        case "another metric":
            path = folder / "metrics.csv"
            path.write_text(path.read_text(encoding="utf-8").replace("reneged", "ren"))
        case "no table":
            (folder / "metrics.csv").unlink()
        case "another table":
            (folder / "metrics.csv").write_text("a,b\n1,2\n")
        case "text for a number":
            path = folder / "visits.csv"
            path.write_text(path.read_text(encoding="utf-8") + "old,x,case,1,0.5\n")
        case "scenario elsewhere":
            about.write_text(about.read_text().replace("scenarios/old", "../old"))
        case "no scenario":
            (folder / "scenarios/old.yaml").unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no folder", "there is no such folder"),
        ("no description", r"no results folder \(no experiment.json in it\)"),
        ("another program's", "experiment.json: not written by hall"),
        ("a list", "experiment.json: not written by hall"),
        ("later format", "results of format 9, of which this version of hall knows 2 only"),
        ("empty description", "experiment.json: empty"),
        ("half a description", "experiment.json: no JSON: Expecting property name"),
        ("no seed", "experiment.json: damaged: KeyError: 'seed'"),
        ("empty table", r"lead_times\.csv: empty"),
        ("picture for a table", r"visits\.csv: 'utf-8' codec can't decode"),
        ("no rows", r"metrics\.csv: replication 0 of 'new' is missing"),
        ("cut off", r"half_hours\.csv:25: \d values for 12 columns"),
        ("a row twice", r"visits\.csv:14: what stands above already"),
        ("another metric", r"metrics\.csv:\d+: no metric ren"),
        ("no table", r"metrics\.csv: cannot be read: No such file"),
        ("another table", "not the columns scenario, replication, metric"),
        ("text for a number", r"visits\.csv:14: replication: x is no number"),
        ("scenario elsewhere", r"\.\./old.yaml lies outside the folder"),
        ("no scenario", r"scenarios/old\.yaml: cannot be read: No such file"),
    ],
)
def test_damaged_results_are_refused(
    experiment: Experiment, tmp_path: Path, how: str, message: str
) -> None:
    folder = write_results(experiment, tmp_path / "r", figures=False)
    damage(folder, how)
    with pytest.raises(ResultsError, match=message) as caught:
        read_results(folder)
    assert len(str(caught.value).splitlines()) == 1


# --- where it is written -------------------------------------------------------------------------


def test_an_earlier_results_folder_is_replaced(experiment: Experiment, tmp_path: Path) -> None:
    folder = write_results(experiment, tmp_path / "r")
    (folder / ".DS_Store").write_text("left by others")
    write_results(experiment, folder, figures=False)
    assert set(contents(folder)) == FILES


def test_an_empty_folder_is_used(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    assert set(contents(write_results(experiment, tmp_path / "r", figures=False))) == FILES


def test_a_link_to_a_folder_is_followed(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_results(experiment, tmp_path / "link", figures=False)
    assert set(contents(tmp_path / "real")) == FILES
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("thesis", r"thesis is not empty and holds no results; name another folder"),
        ("thesis/draft.txt", r"draft\.txt is a file, not a folder"),
        ("thesis/draft.txt/r", r"draft\.txt is a file, not a folder"),
        ("thesis/draft.txt/r/s", r"draft\.txt is a file, not a folder"),
        ("x" * 300, "cannot write results: File name too long"),
        ("nul\0", "cannot write results"),
    ],
)
def test_what_is_not_ours_is_never_touched(place: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/draft.txt").write_text("years of work")
    with pytest.raises(ResultsError, match=message):
        check_folder(tmp_path / place)
    assert contents(tmp_path) == {"thesis/draft.txt": b"years of work"}


@pytest.mark.parametrize(
    "place",
    [
        "notes.txt",
        "figures/own.svg",
        "figures/mine.png",
        "scenarios/my.yaml",
        "scenarios/deep/x.yaml",
    ],
)
def test_results_with_something_else_among_them_are_not_replaced(
    experiment: Experiment, tmp_path: Path, place: str
) -> None:
    folder = write_results(experiment, tmp_path / "r")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text("mine")
    with pytest.raises(ResultsError, match="which is not part of them; move it away"):
        write_results(experiment, folder)
    assert (folder / place).read_text() == "mine"


def test_the_folder_one_is_in_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("", ".", "../" + tmp_path.name):
        with pytest.raises(ResultsError, match="is the folder you are in"):
            check_folder(place)


def test_a_read_only_place_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not stop root, so the refusal of the system is played."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ResultsError, match="cannot write results: Read-only file system"):
        check_folder(tmp_path / "r")


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    check_folder(tmp_path / "a/b/c")
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_what_was_there(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, or somebody interrupts, while the last figure is drawn."""
    folder = write_results(experiment, tmp_path / "r")
    before = contents(folder)
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(*_: object, failure: BaseException = error) -> None:
            raise failure

        monkeypatch.setattr(results, "draw_figures", fail)
        with pytest.raises((ResultsError, KeyboardInterrupt)):
            write_results(replace(experiment, seed=99), folder)
        assert contents(folder) == before
        assert os.listdir(tmp_path) == ["r"]


def test_what_a_killed_run_has_left_is_removed(experiment: Experiment, tmp_path: Path) -> None:
    """But not what is in use, what holds the only copy of earlier results, or what is not ours."""
    import fcntl

    stale, used, halfway = (tmp_path / f".hall-{letter * 12}.tmp" for letter in "abc")
    foreign = tmp_path / ".hall-notes.tmp"
    for folder in (stale / "new", used / "new", halfway / "new", halfway / "old", foreign):
        folder.mkdir(parents=True)
    for folder in (stale, used, halfway, foreign):
        os.utime(folder, (0, 0))
    lock = os.open(used, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    write_results(experiment, tmp_path / "r", figures=False)
    os.close(lock)
    assert set(tmp_path.iterdir()) == {tmp_path / "r", used, halfway, foreign}


def test_an_interruption_between_the_moves_brings_the_earlier_results_back(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_results(experiment, tmp_path / "r", figures=False)
    before = contents(folder)
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_results(replace(experiment, seed=99), folder, figures=False)
    assert contents(folder) == before
    assert os.listdir(tmp_path) == ["r"]


def test_half_hours_are_times_of_day_and_minutes(experiment: Experiment, tmp_path: Path) -> None:
    """Two clerks, 5 in an hour for 10 minutes each: nobody waits for an hour."""
    half_hours = table(write_results(experiment, tmp_path / "r", figures=False), "half_hours")
    assert list(half_hours["half_hour"][:4]) == ["09:00", "09:30", "10:00", "10:30"]
    waits = half_hours["waiting_time_mean_min"]
    assert 1 < waits.max() < 60


def test_file_names_are_safe_everywhere_and_differ() -> None:
    names = [
        "a b",
        "a/b",
        "CON",
        "com1.x",
        "旧流程",
        "Hall",
        "hall",
        "",
        "..",
        "x" * 300,
        "=a'\"<>",
    ]
    found = file_names(names)
    assert list(found.values()) == [
        *(
            "a_b",
            "a_b-2",
            "CON_",
            "com1.x_",
            "旧流程",
            "Hall",
            "hall-2",
            "_",
            "_-2",
            "x" * 60,
            "_a_",
        )
    ]


def test_row_labels_of_the_figure_of_differences(experiment: Experiment) -> None:
    """Shares in points, labels in the place of ids, only what leads a report and differs."""
    shown, num_same = figures.headline_differences(experiment)
    assert "waiting time, mean: Windows\n窗口" in list(shown["label"])
    assert "on time share (15 min): time" in list(shown["label"])
    share = shown[shown["metric"] == "utilisation"].iloc[0]
    assert share["unit"] == "percentage points"
    assert -50 < share["difference"] < -1
    # One visit each, before and after: of the case type and of the hall.
    assert "visits_mean" not in set(shown["metric"])
    assert num_same >= 2
    assert "visits_mean" in set(experiment.headline_differences()["metric"])


def test_a_difference_that_is_0_for_one_scenario_only_is_shown(experiment: Experiment) -> None:
    """The second differs from the first in nothing, the third does."""
    found = run({"old": scenario(1), "same": scenario(1), "new": scenario(2)}, 2)
    shown, num_same = figures.headline_differences(found)
    of_pool = shown[shown["metric"] == "utilisation"]
    assert list(of_pool["scenario"]) == ["same", "new"]
    assert num_same == figures.headline_differences(experiment)[1]


def test_only_case_types_with_a_promise_lead_the_differences() -> None:
    def with_errand(servers: int) -> Scenario:
        case = case_type({"serve": {"pool": "windows", "service": "10 min"}}, {"per_hour": 3})
        data = hall(
            {"case": case, "errand": case},
            {"windows": pool(servers)},
            promises={"time": {"case_types": "case", "within": "1 h"}},
        )
        return Scenario.model_validate(data)

    found = run({"old": with_errand(1), "new": with_errand(2)}, 1).headline_differences()
    visits = found[found["metric"] == "visits_mean"]
    assert sorted(visits["subject"]) == ["case", "hall"]


def test_on_time_shares_of_two_promises_are_told_apart() -> None:
    """The label does not name one limit where there are two."""
    other = scenario(1).model_copy(update={"promises": scenario_with("2 h").promises})
    shown, _ = figures.headline_differences(run({"old": scenario(1), "new": other}, 2))
    assert "on time share (own promise): time" in list(shown["label"])


def scenario_with(within: str) -> Scenario:
    data = hall(
        {"case": case_type({"wait": {"delay": "1 h"}})},
        promises={"time": {"case_types": "case", "within": within}},
    )
    return Scenario.model_validate(data)
