"""The command line, driven as a person would: real files, exit codes, and what goes where."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sim import cli, terminal
from sim.cli import main
from sim.errors import LawViolated

HOSTILE = "cost $x$ [/red] <b> 公司"
HALL = """
label: {en: Old process, zh: 旧流程}
calendar: weekdays
hours: {day: ["09:00-12:00", "13:00-17:00"]}
working_hours: day
horizon: {source: assumed, from: 2015-01-05, to: 3 working days}
pools:
  windows: {label: "cost $x$ [/red] <b> 公司", shifts: {clerks: {servers: 1}}}
trips: {visit: {}}
case_types:
  company:
    source: stated by the office
    arrivals: {per_hour: 5}
    activities: {file: {trip: visit, pool: windows, service: 9 min}}
promises: {done: {case_types: company, within: same day}}
published:
  wait: {metric: waiting_time_mean, subject: windows, at_most: 5, source: stated by the press}
"""
REFORM = """
extends: old.yaml
label: New process
pools: {windows: {shifts: {clerks: {servers: 2}}}}
"""

Hall = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder one is in, with two scenarios."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    for name in ("HALL_DEBUG", "COLUMNS"):  # a test runner may say how wide its terminal is
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "old.yaml").write_text(HALL, encoding="utf-8")
    (tmp_path / "new.yaml").write_text(REFORM, encoding="utf-8")
    return tmp_path


@pytest.fixture
def hall(place: Path, capsys: pytest.CaptureFixture[str]) -> Hall:
    """Runs one command: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def started(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "sim", *arguments]
    return subprocess.run(command, capture_output=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


# --- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_shows_commands_examples_and_exit_codes(hall: Hall, arguments: list[str]) -> None:
    code, out, err = hall(*arguments)
    assert (code, err) == (0, "")
    for text in ("compare", "hall run scenarios/tutorial.yaml", "130  interrupted"):
        assert text in out


@pytest.mark.parametrize(
    "command", ["check", "show", "schema", "metrics", "run", "compare", "warm-up", "plot"]
)
def test_every_command_has_examples(hall: Hall, command: str) -> None:
    code, out, _ = hall(command, "--help")
    assert code == 0
    assert f"hall {command}" in out[out.index("Example") :]


def test_the_version_is_shown(hall: Hall) -> None:
    code, out, _ = hall("--version")
    assert code == 0
    assert re.fullmatch(r"hall \S+\n", out)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check", "old.yaml"], ["show", "old.yaml"], ["schema"], ["metrics"]]
)
def test_what_only_reads_files_is_there_at_once(place: Path, arguments: list[str]) -> None:
    """Nothing is imported for it that takes longer than the files do."""
    code = (
        "import sys; from sim.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'pandas', 'matplotlib', 'simpy', 'scipy', 'numba', 'llvmlite'};"
        "print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    found = subprocess.run(command, capture_output=True, check=True)
    assert found.stderr == b"0 []\n"


# --- wrong options and files ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum", "old.yaml"], "hall: No such command 'rum'"),
        (["run"], "hall run: Missing argument 'FILE"),
        (["run", "--sed", "3", "old.yaml"], "hall run: No such option: --sed"),
        (["run", "old.yaml", "-r", "0"], "hall run: Invalid value for '--replications' / '-r'"),
        (["run", "old.yaml", "-r", "ten"], "Invalid value for '--replications' / '-r'"),
        (["run", "old.yaml", "--seed", "-1"], "Invalid value for '--seed'"),
        (["run", "old.yaml", "--seed", "1.5"], "Invalid value for '--seed'"),
        (["run", "gone.yaml"], "gone.yaml: cannot be read: No such file or directory"),
        (["run", "."], "is not a regular file"),
        (["check", "-"], "-: a scenario is a file; write it to one first"),
        (["run", "old.yaml", "/dev/stdin"], "/dev/stdin: a scenario is a file; write it to one"),
        (["show", "/dev/fd/63"], "/dev/fd/63: a scenario is a file; write it to one first"),
        (["run", "old.yaml", "old.yaml"], "two scenarios are called 'old'"),
        (["run", "old.yaml", "--set", "pools"], "--set pools: no '='"),
        (["run", "old.yaml", "--set", "pool.x=1"], "Did you mean 'pools'"),
        (["run", "old.yaml", "--metric", "lots"], "--metric lots: no metric 'lots'. Did you mean"),
        (["run", "old.yaml", "--metric", "utilisation:window"], "Did you mean 'windows'? Pools:"),
        (["compare", "old.yaml", "new.yaml", "--metric", "x"], "--metric x: no metric 'x'."),
        (
            ["compare", "old.yaml", "new.yaml", "--reference", "ne"],
            "--reference ne: no scenario 'ne'. Did you mean 'new'? Scenarios: old, new",
        ),
        (["compare", "old.yaml"], "hall compare: two files or more are wanted"),
        (["show", "old.yaml", "new.yaml"], "hall show: Got unexpected extra argument"),
        (["run", "\x1b[2J\n.yaml"], "\ufffd[2J .yaml: cannot be read"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(
    hall: Hall, place: Path, arguments: list[str], message: str
) -> None:
    before = sorted(place.iterdir())
    code, out, err = hall(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize("command", ["check", "show", "run", "compare"])
def test_every_problem_is_a_line_and_nothing_is_written(
    hall: Hall, place: Path, command: str
) -> None:
    text = HALL.replace("servers: 1", "servers: -1").replace("9 min", "9")
    (place / "wrong.yaml").write_text(text, encoding="utf-8")
    files = ["wrong.yaml"] if command == "show" else ["wrong.yaml", "new.yaml"]
    code, _, err = hall(command, *files)
    assert code == 2
    problems = [line for line in err.splitlines() if line.startswith("wrong.yaml:")]
    assert len(problems) == 2
    assert all(re.match(r"wrong\.yaml:\d+:\d+: ", line) for line in problems)
    assert not (place / "results").exists()


def test_a_file_that_would_crash_the_parser_is_one_line(hall: Hall, place: Path) -> None:
    (place / "deep.yaml").write_text("a: " + "[" * 100_000)
    code, out, err = hall("run", "deep.yaml")
    assert (code, out) == (2, "")
    assert "deep.yaml:1:67: nested deeper than 64" in err


# --- check, show, schema, metrics ----------------------------------------------------------------


def test_check_counts_numbers_by_where_they_are_from(hall: Hall) -> None:
    code, out, err = hall("check", "old.yaml", "new.yaml")
    assert (code, err) == (0, "")
    assert "old.yaml: ok\n" in out
    assert "8 numbers: 3 stated, 0 derived, 0 calibrated, 2 assumed, 3 without" in out
    assert re.search(r"old\.yaml:8:\d+: pools\.windows\.shifts\.clerks\.servers: 1\n", out)
    assert "load: windows 0.75" in out


def test_check_goes_on_after_a_file_with_problems(hall: Hall) -> None:
    code, out, err = hall("check", "gone.yaml", "old.yaml")
    assert code == 2
    assert "old.yaml: ok" in out
    assert "gone.yaml" in err
    assert "1 problem\n" in err


def test_an_overloaded_pool_is_a_warning(hall: Hall) -> None:
    overload = ("--set", "case_types.company.arrivals.per_hour=9")
    for command in (("check", "old.yaml"), ("run", "old.yaml", "-r", "1")):
        code, out, err = hall(*command, *overload)
        assert code == 0
        assert "load: windows 1.35!" in out
        assert err.startswith("warning: old.yaml: pool 'windows' has load 1.35: more")


def test_what_is_most_likely_not_meant_is_a_warning(hall: Hall, place: Path) -> None:
    """A pool that nothing asks for."""
    spare = REFORM.replace("pools: {", "pools: {spare: {shifts: {clerks: {servers: 1}}}, ")
    (place / "new.yaml").write_text(spare, encoding="utf-8")
    for command in (("check", "new.yaml"), ("run", "new.yaml", "-r", "1")):
        code, out, err = hall(*command)
        assert code == 0
        assert "spare" in out
        assert err.startswith("warning: new.yaml: pools.spare: ")


def test_help_names_files_that_are_there(hall: Hall) -> None:
    """And that can be checked: the shared base is no scenario by itself."""
    root = Path(cli.__file__).parents[1]
    for command in ("check", "show", "schema", "run", "compare"):
        _, out, _ = hall(command, "--help")
        for name in re.findall(r"scenarios/\S+", out):
            assert (root / name).is_file()
            assert "base" not in name


def test_show_prints_a_file_that_is_the_same_scenario(hall: Hall, place: Path) -> None:
    code, out, err = hall("show", "new.yaml", "--set", "pools.windows.shifts.clerks.servers=3")
    assert (code, err) == (0, "")
    (place / "shown.yaml").write_text(out, encoding="utf-8")
    assert hall("show", "shown.yaml")[0] == 0
    assert "servers: 3" in out
    assert "New process" in out
    assert "stated by the office" in out


def test_schema_is_json(hall: Hall) -> None:
    code, out, _ = hall("schema")
    assert code == 0
    assert "Scenario" in json.loads(out)["$defs"]


def test_metrics_are_listed(hall: Hall) -> None:
    code, out, _ = hall("metrics")
    assert code == 0
    assert "on_time_share" in out


# --- run -----------------------------------------------------------------------------------------


def test_results_go_to_standard_output(hall: Hall, place: Path) -> None:
    code, out, err = hall("run", "old.yaml", "-r", "2", "--seed", "7", "--check")
    assert (code, err) == (0, "")
    assert "old  Old process 旧流程" in out
    assert "2 replications, seed 7" in out
    assert HOSTILE in out
    assert "\x1b" not in out
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_the_same_command_prints_the_same(hall: Hall) -> None:
    first = hall("run", "old.yaml", "-r", "2")
    assert hall("run", "old.yaml", "-r", "2") == first
    assert hall("run", "old.yaml", "-r", "2", "--seed", "2") != first


def test_json_is_one_object_in_full_precision(hall: Hall) -> None:
    code, out, err = hall("run", "old.yaml", "new.yaml", "-r", "2", "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert [s["name"] for s in data["scenarios"]] == ["old", "new"]
    means = [row["mean"] for row in data["estimates"] if row["metric"] == "waiting_time_mean"]
    assert all(len(str(mean)) > 8 for mean in means)
    assert data["published"][0]["source"] == "stated by the press"


def test_json_of_one_replication_has_no_nan(hall: Hall) -> None:
    _, out, _ = hall("run", "old.yaml", "-r", "1", "--json")
    assert "NaN" not in out
    assert json.loads(out)["estimates"][0]["low"] is None


def test_settings_count(hall: Hall) -> None:
    more = ("--set", "pools.windows.shifts.clerks.servers=2", "--set", "label=Other")
    _, out, _ = hall("run", "old.yaml", "-r", "1", *more)
    assert "old  Other" in out
    assert "load: windows 0.38" in out


def test_run_writes_into_a_folder_of_the_scenarios_name_or_the_one_that_is_named(
    hall: Hall, place: Path
) -> None:
    code, out, _ = hall("run", "old.yaml", "-r", "2")
    assert code == 0
    folder = place / re.search(r"results: (results/old-[0-9a-f]{8})\n$", out)[1]  # type: ignore[index]
    assert (folder / "metrics.csv").exists()
    assert not (folder / "figures").exists()
    code, out, _ = hall("run", "old.yaml", "-r", "2", "-o", "a/b", "--figures")
    assert code == 0
    assert out.endswith("results: a/b\n")
    assert (place / "a/b/figures/visits.png").exists()


def test_an_experiment_is_named_after_all_that_defines_it(hall: Hall, place: Path) -> None:
    """Replications, engine and processes do not; the order of scenarios does."""
    commands = [
        ("run", "old.yaml", "new.yaml"),
        ("compare", "old.yaml", "new.yaml", "-r", "2", "--engine", "simpy", "-j", "2"),
        ("run", "new.yaml", "old.yaml"),
        ("run", "old.yaml", "new.yaml", "--seed", "2"),
        ("run", "old.yaml", "new.yaml", "--set", "pools.windows.shifts.clerks.servers=3"),
    ]
    folders = [hall(*command)[1].splitlines()[-1] for command in commands]
    assert folders[0] == folders[1]
    assert len(set(folders)) == 4


def test_the_same_command_again_answers_at_once_and_more_replications_go_on(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hall("run", "old.yaml", "-r", "3")
    code, _, err = hall("run", "old.yaml", "-r", "5")
    assert (code, err) == (0, "going on: 3 of 5 replications are there already\n")
    monkeypatch.setattr("sim.running.workers", None)
    assert hall("run", "old.yaml", "-r", "3") == first


def test_a_dry_run_says_what_would_run_and_writes_nothing(hall: Hall, place: Path) -> None:
    before = sorted(place.rglob("*"))
    code, out, err = hall("run", "old.yaml", "-r", "20", "-j", "2", "--dry-run")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"results/old-[0-9a-f]{8}: 0 of 20 replications are there", lines[0])
    assert re.fullmatch(r"  old: 20 to run, [0-9.e-]+ s each", lines[1])
    words = r"some 1 s with 2 worker processes by the simpy engine, and [\d,]+ MB in each process"
    assert re.fullmatch(words, lines[2])
    assert sorted(place.rglob("*")) == before
    hall("run", "old.yaml", "-r", "5")
    assert "5 of 20 replications are there" in hall("run", "old.yaml", "-r", "20", "--dry-run")[1]
    assert "nothing is to be run" in hall("run", "old.yaml", "-r", "5", "--dry-run")[1]


def test_a_precision_is_told(hall: Hall) -> None:
    arguments = ("run", "old.yaml", "-r", "2", "--precision", "20%", "--metric")
    code, out, err = hall(*arguments, "utilisation:windows")
    assert (code, err) == (0, "")
    assert re.search(r"^precision: utilisation within 20 % after \d+ replications$", out, re.M)
    code, out, _ = hall(*arguments, "waiting_time_mean", "--precision", "0.001", "--budget", "9")
    assert code == 0
    assert "precision: not within 0.1 % after 9 replications, which is the budget" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "2 per cent"), "'2 per cent' is no precision such as 2%"),
        (("--precision", "200%"), "'200%' is no precision such as 2%"),
        (("--keep-log", "5-2"), "'5-2' is no list of replications such as 0,3 or 0-9"),
        (("--keep-log", "first"), "'first' is no list of replications such as 0,3 or 0-9"),
    ],
)
def test_options_that_say_nothing(hall: Hall, options: tuple[str, str], message: str) -> None:
    code, out, err = hall("run", "old.yaml", *options)
    assert (code, out) == (2, "")
    assert message in err


def test_one_replication_alone_is_not_kept(hall: Hall, place: Path) -> None:
    before = sorted(place.rglob("*"))
    code, out, _ = hall("run", "old.yaml", "--only", "3")
    assert code == 0
    assert "1 replication, seed 1" in out
    assert sorted(place.rglob("*")) == before


def test_one_replication_alone_is_not_asked_for_what_needs_more(hall: Hall) -> None:
    code, out, err = hall("run", "old.yaml", "--only", "3", "--precision", "5%", "-o", "r")
    assert (code, out) == (2, "")
    assert err == "hall run --only: one replication alone is run without --precision, --output\n"


def test_it_is_told_what_no_laws_are_asserted_on(hall: Hall) -> None:
    assert hall("run", "old.yaml", "-r", "2")[0] == 0
    _, _, err = hall("run", "old.yaml", "-r", "2", "--check")
    assert err == "laws are not asserted on 2 replications that are there already\n"


def test_a_folder_is_verified(hall: Hall, place: Path) -> None:
    hall("run", "old.yaml", "-r", "2", "-o", "r", "--keep-log", "0")
    code, out, err = hall("verify", "r")
    assert (code, err) == (0, "")
    assert "17 files and 2 replications compared with their checksums" in out
    assert "done once more by the SimPy engine: replications 0 of old, 1 of old" in out
    (place / "r/logs/old-0.parquet").write_bytes(b"")
    code, out, err = hall("verify", "r", "--sample", "0")
    assert (code, err) == (5, "r/logs/old-0.parquet: not as it was written\n")
    assert "1 problem\n" in out


# --- compare and plot ----------------------------------------------------------------------------


def test_compare_prints_differences_and_writes_figures(hall: Hall, place: Path) -> None:
    code, out, err = hall("compare", "old.yaml", "new.yaml", "-r", "3")
    assert (code, err) == (0, "")
    assert "Published and simulated" in out
    assert "new (after) minus old (before)" in out
    name = re.search(r"results: (results/old-vs-new-[0-9a-f]{8})\n$", out)[1]  # type: ignore[index]
    folder = place / name
    assert (folder / "figures/differences.png").exists()
    before = (folder / "figures/differences.png").read_bytes()
    code, out, _ = hall("plot", name)
    assert code == 0
    assert f"{name}/figures/differences.png\n" in out
    assert (folder / "figures/differences.png").read_bytes() == before


def test_another_reference_and_other_metrics_are_those_of_everything(
    hall: Hall, place: Path
) -> None:
    """Report, JSON, tables and figure, also when that is drawn again."""
    options = ("--reference", "new", "--metric", "waiting_time_p90:windows", "-r", "3")
    _, out, _ = hall("compare", "old.yaml", "new.yaml", *options, "-o", "r")
    assert "old (after) minus new (before)" in out
    assert "(Bonferroni, 1 difference)" in out
    assert "waiting time, 90 % within (min)" in out
    assert "utilisation" not in out
    folder = place / "r"
    about = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    assert (about["reference"], about["leading"]) == ("new", ["waiting_time_p90:windows"])
    table = (folder / "differences.csv").read_text(encoding="utf-8-sig").splitlines()
    assert all(",new,old," in row for row in table[1:])
    # joint_low: of what leads, and of nothing else.
    assert sum(not row.endswith(",,") for row in table[1:]) == 1
    before = (folder / "figures/differences.png").read_bytes()
    assert hall("plot", "r")[0] == 0
    assert (folder / "figures/differences.png").read_bytes() == before
    _, out, _ = hall("compare", "old.yaml", "new.yaml", *options, "-o", "r", "--json")
    data = json.loads(out)
    assert (data["reference"], data["leading"]) == ("new", ["waiting_time_p90:windows"])
    assert {row["reference"] for row in data["differences"]} == {"new"}


def test_all_metrics_are_shown_on_request(hall: Hall) -> None:
    _, usual, _ = hall("run", "old.yaml", "-r", "2")
    _, out, _ = hall("run", "old.yaml", "-r", "2", "--metric", "all")
    for words in ("queue length, largest", "waiting over 15 min", "overtime hours"):
        assert words in out
        assert words not in usual


def test_two_processes_write_the_same_bytes(place: Path) -> None:
    """Whatever the order of sets in them."""
    trees = []
    for seed in ("1", "2"):
        arguments = ("compare", "old.yaml", "new.yaml", "-r", "2", "-o", f"r{seed}", "--json")
        found = started(*arguments, env={**os.environ, "PYTHONHASHSEED": seed})
        assert found.returncode == 0, found.stderr
        files = [file for file in sorted((place / f"r{seed}").rglob("*.*")) if file.is_file()]
        files = [file for file in files if file.suffix != ".sqlite"]
        trees.append([(file.name, file.read_bytes()) for file in files])
        trees[-1].append(("out", found.stdout.replace(f"r{seed}".encode(), b"r")))
    assert trees[0] == trees[1]


def never(*_: object, **__: object) -> None:
    raise AssertionError("nothing may be simulated")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("old.yaml", "old.yaml is a file, not a folder"),
        ("old.yaml/r", "old.yaml is a file, not a folder"),
        ("thesis", "thesis is not empty and holds no results; name another folder"),
        (".", ". is not empty and holds no results; name another folder"),
        ("/proc/hall", "/proc/hall: cannot write results"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(
    hall: Hall, place: Path, monkeypatch: pytest.MonkeyPatch, output: str, message: str
) -> None:
    (place / "thesis").mkdir()
    (place / "thesis/draft.txt").write_text("years of work")
    monkeypatch.setattr("sim.running.workers.results", never)
    for command in (("run", "old.yaml"), ("compare", "old.yaml", "new.yaml")):
        code, out, err = hall(*command, "-o", output)
        assert (code, out) == (5, "")
        assert message in err
        assert len(err.splitlines()) == 1


def test_verify_of_a_folder_that_is_not_there_says_so_alone(hall: Hall) -> None:
    assert hall("verify", "gone") == (5, "", "gone: there is no such folder\n")


@pytest.mark.parametrize("folder", ["gone", ".", "old.yaml"])
def test_plot_of_what_is_no_results_folder(hall: Hall, folder: str) -> None:
    code, out, err = hall("plot", folder)
    assert (code, out) == (5, "")
    assert re.search("there is no such folder|no results folder", err)


# --- warm-up -------------------------------------------------------------------------------------

LONGER = ("--set", "horizon.to=30 working days")


def test_warm_up_judges_every_scenario(hall: Hall, place: Path) -> None:
    before = sorted(place.iterdir())
    code, out, err = hall("warm-up", "old.yaml", "new.yaml", "-r", "3", "--seed", "5", *LONGER)
    assert (code, err) == (0, "")
    assert "old  Old process 旧流程" in out
    assert out.count("the file leaves out 0 working days; MSER-5 asks for ") == 2
    assert "from an empty hall; mean of 3 replications, seed 5" in out
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "beginning"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.b.pdf", b"%PDF")]
)
def test_warm_up_draws_a_figure_by_its_ending(
    hall: Hall, place: Path, name: str, beginning: bytes
) -> None:
    before = {path.name for path in place.iterdir()}
    contents = []
    for _ in range(2):
        code, out, _ = hall("warm-up", "old.yaml", "-r", "2", "--plot", name)
        assert code == 0
        assert out.endswith(f"figure: {name}\n")
        contents.append((place / name).read_bytes())
    assert contents[0].startswith(beginning)
    assert contents[0] == contents[1]
    assert {path.name for path in place.iterdir()} == {*before, name}


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("a.gif", 2, "a.gif: the name of a figure ends in one of .png, .svg, .pdf"),
        ("png", 2, "png: the name of a figure ends in one of .png, .svg, .pdf"),
        ("gone/a.png", 5, "gone/a.png: cannot write the figure: No such file or directory"),
        ("old.yaml/a.png", 5, "old.yaml/a.png: cannot write the figure: Not a directory"),
        ("folder.png", 5, "folder.png: is a folder, not a file"),
    ],
)
def test_a_figure_that_cannot_be_written_is_refused_before_anything_runs(
    hall: Hall,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int,
    message: str,
) -> None:
    (place / "folder.png").mkdir()
    monkeypatch.setattr("sim.warm_up_study.study_warm_up", never)
    found, out, err = hall("warm-up", "old.yaml", "--plot", name)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_figure_that_does_not_fit_leaves_the_earlier_one(
    hall: Hall, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "a.png").write_bytes(b"earlier")
    before = sorted(place.iterdir())
    monkeypatch.setattr("sim.plot_style.rendered", failing(OSError(28, "No space left on device")))
    code, out, err = hall("warm-up", "old.yaml", "-r", "1", "--plot", "a.png")
    assert (code, out) == (5, "")
    assert err == "a.png: cannot write the figure: No space left on device\n"
    assert (place / "a.png").read_bytes() == b"earlier"
    assert sorted(place.iterdir()) == before


# --- when things go wrong ------------------------------------------------------------------------


def failing(error: BaseException) -> Callable[..., None]:
    def run(*_: object, **__: object) -> None:
        raise error

    return run


def test_a_bug_is_one_line_and_exit_code_1(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.running.run", failing(KeyError("oh\nno")))
    code, out, err = hall("run", "old.yaml")
    assert (code, out) == (1, "")
    assert err == "hall: unexpected KeyError: 'oh\\nno'; HALL_DEBUG=1 shows where\n"
    monkeypatch.setenv("HALL_DEBUG", "1")
    code, _, err = hall("run", "old.yaml")
    assert code == 1
    assert "Traceback" in err


def test_a_broken_law_is_exit_code_1(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.laws.assert_laws", failing(LawViolated("one\ntwo")))
    code, out, err = hall("run", "old.yaml", "--check")
    assert (code, out, err) == (1, "", "one\ntwo\n")


@pytest.mark.parametrize("reason", ["Unable to allocate 9 TiB", ""])
def test_too_little_memory_is_one_line(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr("sim.running.run", failing(MemoryError(reason)))
    code, out, err = hall("run", "old.yaml")
    assert (code, out) == (1, "")
    told = reason or "a shorter horizon or fewer cases need less"
    assert err == f"hall: needs more memory than there is: {told}\n"


def test_an_interruption_is_exit_code_130(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.running.run", failing(KeyboardInterrupt()))
    code, out, err = hall("run", "old.yaml")
    assert (code, out) == (130, "")
    assert "interrupted" in err


@pytest.mark.parametrize("arguments", [["--help"], ["show", "old.yaml"], ["check", "old.yaml"]])
def test_a_closed_pipe_is_quiet(place: Path, arguments: list[str]) -> None:
    """As in `hall ... | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sim", *arguments]
    found = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (found.returncode, found.stderr) == (141, b"")


SHELL = 'exec "$0" -m sim "$@"'


@pytest.mark.parametrize("arguments", [["--help"], ["run", "old.yaml", "-r", "1"], ["schema"]])
@pytest.mark.parametrize(
    ("output", "code", "message"),
    [(">&-", 141, ""), (">/dev/full", 5, "hall: the output cannot be written: No space left")],
)
def test_an_output_that_takes_nothing(
    place: Path, arguments: list[str], output: str, code: int, message: str
) -> None:
    """Closed before the start, or full."""
    command = ["sh", "-c", f"{SHELL} {output}", sys.executable, *arguments]
    found = subprocess.run(command, stderr=subprocess.PIPE, check=False, text=True)
    assert found.returncode == code
    assert found.stderr.startswith(message)
    assert len(found.stderr.splitlines()) == bool(message)


@pytest.mark.parametrize("error", ["2>&-", "2>/dev/full"])
def test_messages_that_nobody_takes_do_not_come_among_the_results(place: Path, error: str) -> None:
    command = ["sh", "-c", f"{SHELL} {error}", sys.executable, "check", "gone.yaml"]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    assert (found.returncode, found.stdout) == (2, b"")


@pytest.mark.parametrize("seconds", [0.2, 1.0])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("options", [["--engine", "simpy"], ["-j", "2"]])
def test_a_signal_ends_the_command_at_once(
    place: Path, options: list[str], seconds: float, number: signal.Signals, code: int
) -> None:
    """While modules are imported or compiled, and while halls are simulated."""
    arguments = ["compare", "old.yaml", "new.yaml", "-r", "100000", "-o", "r", *options]
    with subprocess.Popen(
        [sys.executable, "-m", "sim", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(seconds)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    if seconds > 0.3:  # Before that Python itself may not have begun.
        assert (process.returncode, out) == (code, "")
        lines = err.splitlines()
        told = [line for line in lines if " runs" not in line and "compiling" not in line]
        assert told == ["interrupted"]


def test_a_signal_that_is_swallowed_counts_at_the_next_run(place: Path) -> None:
    """As by a library that catches everything."""
    code = """
import signal, sys
import sim.__main__, sim.replication, sim.tasks

def swallow(*arguments):
    try:
        signal.raise_signal(signal.SIGTERM)
    except BaseException:
        pass
    return sim.replication.replicate(*arguments)

sim.tasks.replicate = swallow
sys.exit(sim.__main__.main())
"""
    command = [sys.executable, "-c", code, "run", "old.yaml", "-r", "100000", "--engine", "simpy"]
    found = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (143, b"", b"interrupted\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_results_are_written_loses_nothing(
    hall: Hall, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Even where Python cannot raise, as in `__del__`: it comes once more."""
    code = f"""
import signal, sys
import sim.__main__, sim.results

class Weak:
    def __del__(self):
        signal.raise_signal(signal.{name})

def write(*_):
    Weak()
    while True:
        pass

sim.results.write_whole = write
sys.exit(sim.__main__.main())
"""
    assert hall("run", "old.yaml", "-r", "1", "-o", "r")[0] == 0
    command = [sys.executable, "-c", code, "run", "old.yaml", "-r", "2", "-o", "r"]
    found = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert found.returncode == 128 + signal.Signals[name]
    assert found.stderr.endswith(b"interrupted\n")
    monkeypatch.setattr("sim.running.workers", None)
    assert hall("run", "old.yaml", "-r", "2", "-o", "r")[0] == 0


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_chinese_comes_out_whatever_the_locale(place: Path, locale: str) -> None:
    plain = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    found = started("show", "old.yaml", env={**os.environ, **plain})
    assert (found.returncode, found.stderr) == (0, b"")
    assert "旧流程" in found.stdout.decode()
    found = started("run", "没有.yaml", env={**os.environ, **plain})
    assert found.returncode == 2
    assert b"cannot be read" in found.stderr


# --- terminal ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_escape_codes_where_they_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """On a terminal that takes them there are some."""
    for variable in ("NO_COLOR", "COLORTERM", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = []
    for _ in range(2):
        screen = Terminal()
        terminal.console_of(screen).print("text", style="bold red")
        shown.append(screen.getvalue())
        monkeypatch.setenv(name, value)
    assert "\x1b[" in shown[0]
    assert shown[1] == "text\n"


def progress(runs: int, monkeypatch: pytest.MonkeyPatch, patience: float = 0) -> None:
    monkeypatch.setattr(terminal, "PATIENCE", patience)
    with terminal.ProgressLine() as told:
        for done in range(1, runs + 1):
            told(done, runs)


def test_progress_is_a_line_for_every_tenth(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress(25, monkeypatch)
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 10
    assert err.splitlines()[-1] == "100 %: 25 of 25 runs"


def test_progress_goes_on_when_there_is_more_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "PATIENCE", 0)
    with terminal.ProgressLine() as told:
        for done in range(1, 31):
            told(done, 10 if done <= 10 else 30)
    lines = [line.split(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert lines[9:12] == ["100 %: 10 of 10 runs", "40 %: 12 of 30 runs", "50 %: 15 of 30 runs"]
    assert lines[-1] == "100 %: 30 of 30 runs"


def test_short_work_shows_no_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress(25, monkeypatch, patience=1000)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    progress(4, monkeypatch)
    assert "4 of 4 runs" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")
