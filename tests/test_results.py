"""Results folders: what people read of an experiment, the same bytes every time, and read back."""

import csv
import json
import os
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest
from halls import case_type, hall, pool
from matplotlib.text import Text

from sim import figures, results
from sim.definition import Definition
from sim.errors import ResultsError
from sim.experiment import Experiment
from sim.loading import load
from sim.results import damaged_files, default_folder, file_names, read_results, redraw
from sim.running import run
from sim.scenario import Scenario
from sim.store import STORE

FORMULA = "=1+2 旧 [/red] $x$"
TABLES = (
    *("metrics", "estimates", "differences", "published"),
    *("lead_times", "half_hours", "visits"),
)
FILES = {
    "SHA256SUMS",
    "experiment.json",
    *(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")),
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


def run_in(folder: Path, replications: int = 3, **options: bool) -> Experiment:
    scenarios = {"old": scenario(1), "new": scenario(2)}
    return run(scenarios, replications, seed=4, folder=folder, **options)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return run_in(tmp_path_factory.mktemp("results") / "a/b", figures=True)


@pytest.fixture(scope="module")
def folder(experiment: Experiment) -> Path:
    """Read only: others look at it too."""
    assert experiment.folder is not None
    return experiment.folder


def contents(folder: Path) -> dict[str, bytes]:
    """Everything that people read."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    named = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    return {name: content for name, content in named.items() if name not in (STORE, ".lock")}


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", encoding="utf-8-sig")


# --- what is written -----------------------------------------------------------------------------


def test_a_folder_holds_what_was_run_and_what_came_out(folder: Path) -> None:
    assert set(contents(folder)) == FILES | FIGURES
    assert not list(damaged_files(folder))


def test_the_same_experiment_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Simulated, computed and drawn twice; once in two steps."""
    run_in(tmp_path / "r", replications=1)
    run_in(tmp_path / "r", figures=True)
    assert contents(tmp_path / "r") == contents(folder)


def test_the_experiment_is_described(folder: Path) -> None:
    about = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    assert (about["seed"], about["replications"], about["confidence"]) == (4, 3, 0.95)
    assert [s["file"] for s in about["scenarios"]] == ["scenarios/old.yaml", "scenarios/new.yaml"]
    assert {"python", "service-hall", "numpy", "scipy", "simpy", "pyarrow"} <= set(
        about["versions"]
    )
    assert {"name", "unit", "definition"} <= set(about["metrics"][0])


def test_a_resolved_scenario_runs_again_as_it_is(folder: Path) -> None:
    assert load(folder / "scenarios/old.yaml") == scenario(1)


def test_tables_are_tidy(experiment: Experiment, folder: Path) -> None:
    metrics = table(folder, "metrics")
    assert list(metrics) == ["scenario", "replication", "metric", "subject", "unit", "value"]
    assert not metrics.duplicated(["scenario", "replication", "metric", "subject"]).any()
    assert table(folder, "metrics")["value"].equals(experiment.metrics["value"])
    assert set(table(folder, "differences")["scenario"]) == {"new"}
    assert list(table(folder, "published")["verdict"]) == list(experiment.published()["verdict"])


@pytest.mark.parametrize("name", TABLES)
def test_parquet_and_csv_say_the_same(folder: Path, name: str) -> None:
    parquet, text = pd.read_parquet(folder / f"{name}.parquet"), table(folder, name)
    assert list(parquet) == list(text)
    for column in parquet:
        if parquet[column].dtype.kind in "iuf":
            pd.testing.assert_series_equal(parquet[column], text[column], check_dtype=False)
        else:
            texts = text[column].astype(object).fillna("").astype(str).str.removeprefix("'")
            assert list(parquet[column].astype(str)) == list(texts)


def test_spreadsheets_see_chinese_and_no_formula(folder: Path) -> None:
    """A byte order mark in front; a quote mark before text that begins like a formula."""
    content = (folder / "published.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert [row["label"] for row in rows] == [f"'{FORMULA}"] * 2
    negative = [row for row in contents(folder)["differences.csv"].split(b"\n") if b",-" in row]
    assert negative  # numbers below 0 stay numbers


@pytest.mark.parametrize("name", ["=a", "+a", "-a", "@a", "'a", "''a", "NA", "nan", "1", 'a,b"c'])
def test_names_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    run({name: scenario(1)}, 1, folder=tmp_path / "r")
    back = read_results(tmp_path / "r")
    assert list(back.scenarios) == [name]
    assert set(back.metrics["scenario"]) == {name}


def test_one_scenario_has_no_differences(tmp_path: Path) -> None:
    run({"a": scenario(1)}, 1, folder=tmp_path / "r", figures=True)
    assert not (tmp_path / "r/figures/differences.png").exists()
    assert table(tmp_path / "r", "differences").empty


def test_event_logs_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    """The same bytes by both engines; more replications leave them."""
    scenarios = {"old": scenario(1), "new": scenario(2)}
    for name, engine in (("a", "simpy"), ("b", "compiled")):
        run(scenarios, 2, folder=tmp_path / name, keep_log=[1], engine=engine)  # type: ignore[arg-type]
    logs = {n: c for n, c in contents(tmp_path / "a").items() if n.startswith("logs/")}
    assert set(logs) == {"logs/old-1.parquet", "logs/new-1.parquet"}
    assert logs == {n: c for n, c in contents(tmp_path / "b").items() if n.startswith("logs/")}
    log = pd.read_parquet(tmp_path / "a/logs/old-1.parquet")
    assert list(log)[:4] == ["at", "event", "case", "case_type"]
    run(scenarios, 3, folder=tmp_path / "a")
    assert logs.items() <= contents(tmp_path / "a").items()
    assert not list(damaged_files(tmp_path / "a"))


# --- once more -----------------------------------------------------------------------------------


def test_when_all_is_there_nothing_is_written(folder: Path) -> None:
    def times() -> dict[str, int]:
        return {name: (folder / name).stat().st_mtime_ns for name in contents(folder)}

    before = times()
    run_in(folder)
    run_in(folder, figures=True)
    assert times() == before


def test_more_replications_replace_the_tables_and_the_figures(tmp_path: Path) -> None:
    run_in(tmp_path, replications=2, figures=True)
    before = contents(tmp_path)
    run_in(tmp_path, replications=3)
    after = contents(tmp_path)
    assert set(after) == FILES | FIGURES
    for name in ("metrics.csv", "figures/lead_times.png"):
        assert after[name] != before[name]
    assert not list(damaged_files(tmp_path))


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    run_in(tmp_path / "r", replications=1)
    for place in ("notes.txt", "scenarios/my.yaml", "figures/own.svg"):
        (tmp_path / "r" / place).parent.mkdir(exist_ok=True)
        (tmp_path / "r" / place).write_text("mine")
    run_in(tmp_path / "r", replications=2, figures=True)
    for place in ("notes.txt", "scenarios/my.yaml", "figures/own.svg"):
        assert (tmp_path / "r" / place).read_text() == "mine"


# --- reading -------------------------------------------------------------------------------------


def test_results_are_read_as_they_were_written(experiment: Experiment, folder: Path) -> None:
    back = read_results(folder)
    assert (back.seed, back.replications) == (4, 3)
    assert [d.scenario for d in back.scenarios.values()] == [scenario(1), scenario(2)]
    for name in ("metrics", "lead_times", "half_hours", "visits", "estimates"):
        theirs, ours = getattr(experiment, name), getattr(back, name)
        pd.testing.assert_frame_equal(theirs, ours, check_exact=True)


def test_figures_drawn_again_are_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    run_in(folder, figures=True)
    before = contents(folder)
    (folder / "figures/visits.png").unlink()
    assert [path.stem for path in redraw(folder)] == list(FIGURE_NAMES)
    assert contents(folder) == before


def test_figures_are_pictures(folder: Path) -> None:
    for name in FIGURE_NAMES:
        assert matplotlib.image.imread(folder / f"figures/{name}.png").ndim == 3


def test_a_failure_in_drawing_leaves_the_earlier_figures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sim.plot_style.rendered", full)
    with pytest.raises(ResultsError, match="No space left on device"):
        redraw(folder)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no folder", "there is no such folder"),
        ("no store", r"no results folder \(no replications.sqlite in it\)"),
        ("no scenario", r"scenarios/old\.yaml: cannot be read: No such file"),
        ("another scenario", r"scenarios/old\.yaml: not the scenario that was run"),
    ],
)
def test_results_that_cannot_be_read(what: str, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    run_in(folder, 1)
    match what:
        case "no folder":
            folder.rename(tmp_path / "gone")
        case "no store":
            (folder / STORE).unlink()
        case "no scenario":
            (folder / "scenarios/old.yaml").unlink()
        case "another scenario":
            other = (folder / "scenarios/new.yaml").read_bytes()
            (folder / "scenarios/old.yaml").write_bytes(other)
    with pytest.raises(ResultsError, match=message) as caught:
        read_results(folder)
    assert len(str(caught.value).splitlines()) == 1


# --- where it is written -------------------------------------------------------------------------


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    run_in(tmp_path / "r", 1)
    assert set(contents(tmp_path / "r")) == FILES


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    run_in(tmp_path / "link", 1)
    assert set(contents(tmp_path / "real")) == FILES
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("thesis", r"thesis is not empty and holds no results; name another folder"),
        ("earlier", r"earlier is not empty and holds an earlier version's results; name another"),
        ("thesis/draft.txt", r"draft\.txt is a file, not a folder"),
        ("thesis/draft.txt/r", r"draft\.txt is a file, not a folder"),
        ("thesis/draft.txt/r/s", r"draft\.txt is a file, not a folder"),
        ("x" * 300, "cannot write results: File name too long"),
        ("nul\0", "cannot write results"),
    ],
)
def test_what_is_not_ours_is_never_touched(
    place: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs either."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/draft.txt").write_text("years of work")
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier/experiment.json").write_text("{}")
    before = contents(tmp_path)
    monkeypatch.setattr("sim.running.workers", None)
    with pytest.raises(ResultsError, match=message):
        run_in(tmp_path / place)
    assert contents(tmp_path) == before


def test_a_read_only_place_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not stop root, so the refusal of the system is played."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("sim.running.workers", None)
    with pytest.raises(ResultsError, match="cannot write results: Read-only file system"):
        run_in(tmp_path / "r")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_keeps_tables_from_being_written_loses_nothing(
    error: BaseException, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run writes them without running anything."""

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(results, "draw_figures", fail)
        with pytest.raises((ResultsError, KeyboardInterrupt)):
            run_in(tmp_path / "r", figures=True)
    monkeypatch.setattr("sim.running.workers", None)
    run_in(tmp_path / "r", figures=True)
    assert contents(tmp_path / "r") == contents(folder)
    assert not [name for name in os.listdir(tmp_path / "r") if name.endswith(".tmp")]


def test_half_hours_are_times_of_day_and_minutes(folder: Path) -> None:
    """Two clerks, 5 in an hour for 10 minutes each: nobody waits for an hour."""
    half_hours = table(folder, "half_hours")
    assert list(half_hours["half_hour"][:4]) == ["09:00", "09:30", "10:00", "10:30"]
    waits = half_hours["waiting_time_mean_min"]
    assert 1 < waits.max() < 60


def test_the_folder_of_long_chinese_names_has_a_name_that_file_systems_take() -> None:
    folder = default_folder(Definition({"政务服务" * 20: {}, "大厅" * 40: {}}, 1, {}))
    assert len(folder.name.encode()) <= 110
    assert folder.name.startswith("政务服务")


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


def test_the_figure_of_differences_has_the_joint_intervals(experiment: Experiment) -> None:
    leading = experiment.headline_differences()
    shown, _ = figures.headline_differences(experiment)
    waits = shown[shown["metric"] == "waiting_time_mean"]
    joint = leading.loc[waits.index, ["joint_low", "joint_high"]].to_numpy()
    assert (waits[["low", "high"]].to_numpy() == joint).all()
    [figure] = [f for name, f in figures.experiment_figures(experiment) if name == "differences"]
    told = " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())
    assert f"hold together at 95 % (Bonferroni, {len(leading)} differences)" in told


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
