"""What goes wrong while an experiment runs or lies on a disk: told in a line, and nothing is lost.

Whatever happened, the same command goes on from there, and the folder ends with the bytes of one
that nothing happened to.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest
from faults import (
    COMPARE,
    ENDLESS,
    HALL,
    RUN,
    Contents,
    Hall,
    Progress,
    assert_tells,
    contents,
    group_is_gone,
    rows,
    started,
    told,
    wait_until,
)

from sim import definition, results, store, tasks
from sim.cli import main
from sim.errors import RunawayError
from sim.replication import replicate
from sim.store import LOCK, STORE


def edit(statement: str, *values: object) -> None:
    """Change the store behind its back."""
    with contextlib.closing(sqlite3.connect(f"r/{STORE}")) as database:
        assert database.execute(statement, values).rowcount > 0
        database.commit()


# --- killed --------------------------------------------------------------------------------------


def kill(command: tuple[str, ...], when: Callable[[subprocess.Popen[str]], object]) -> None:
    """Kill a run at some moment: nothing of what was kept is touched, and no worker is left."""
    before = rows()
    with started(*command) as child:
        when(child)
        child.kill()
        child.wait(10)
        # Its workers find out by themselves.
        wait_until(lambda: group_is_gone(child.pid))
    assert rows()[: len(before)] == before


def test_a_run_that_is_killed_keeps_what_was_done_and_goes_on_from_there(
    hall: Hall, whole: Callable[..., Contents]
) -> None:
    moments = random.Random(1)
    for _ in range(2):
        count = len(rows())

        def once_more_is_kept(child: Any, count: int = count) -> None:
            wait_until(lambda: len(rows()) > count + 50)
            time.sleep(moments.uniform(0, 0.1))

        kill((*ENDLESS, "-j", "2"), once_more_is_kept)
    kept = rows()
    command = ("run", "hall.yaml", "-r", str(len(kept) + 20), "-o", "r", "--engine", "simpy")
    code, _, err = hall(*command)
    assert code == 0
    assert told(err)[0].startswith("going on: ")
    assert rows()[: len(kept)] == kept
    assert contents(Path("r")) == whole(*command)


@pytest.mark.long
def test_a_run_that_is_killed_at_any_moment_comes_to_the_same_end(
    hall: Hall, whole: Callable[..., Contents]
) -> None:
    command = (*COMPARE, "-r", "1000", "-j", "2", "--engine", "simpy")
    moments = random.Random(10)
    for _ in range(10):
        kill(command, lambda child: time.sleep(moments.uniform(0.2, 4)))
    assert rows()
    assert hall(*command)[0] == 0
    assert contents(Path("r")) == whole(*command)


def in_a_fork(happens: Callable[[], object]) -> int | None:
    """The exit code of a copy of this process that does something."""
    child = multiprocessing.get_context("fork").Process(target=happens)
    child.start()
    child.join(30)
    child.kill()
    return child.exitcode


@pytest.mark.parametrize("where", ["some", pytest.param("all", marks=pytest.mark.long)])
def test_a_run_that_is_killed_at_any_file_is_completed_by_the_next(
    hall: Hall, whole: Callable[..., Contents], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before a new file gets its name."""
    command = (*RUN, "--keep-log", "1", *(["--figures"] if where == "all" else []))
    expected = whole(*command)
    written: list[str] = []
    rename = Path.replace

    def killed_at(number: int) -> None:
        def replaced(path: Path, target: Path) -> None:
            written.append(target.name)
            if len(written) > number:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(path, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", replaced)
            main(command)

    killed_at(100)
    assert len(written) > 20
    names, written = written, []
    for number, name in enumerate(names):
        if where == "all" or name in ("hall.yaml", "metrics.csv", results.ABOUT, results.SUMS):
            shutil.rmtree("r")
            assert in_a_fork(lambda number=number: killed_at(number)) == -signal.SIGKILL  # type: ignore[misc]
            assert hall(*command)[0] == 0
            assert contents(Path("r")) == expected, (number, name)


def test_a_worker_that_is_killed_is_replaced(
    hall: Hall, whole: Callable[..., Contents], on_progress: Progress
) -> None:
    def kill_one(done: int, total: int) -> None:
        if done == 3:
            multiprocessing.active_children()[0].kill()

    expected = whole("run", "hall.yaml", "-r", "40", "-o", "r")
    on_progress(kill_one)
    code, _, err = hall("run", "hall.yaml", "-r", "40", "-j", "2", "-o", "r")
    assert (code, told(err)) == (0, [])
    assert contents(Path("r")) == expected
    assert not multiprocessing.active_children()


# --- replications that fail ----------------------------------------------------------------------


def fails(*arguments: Any) -> Any:
    raise ValueError("two\nlines")


def runs_away(*arguments: Any) -> Any:
    raise RunawayError("no time passes")


def is_killed(*arguments: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("fault", "jobs", "reason"),
    [
        (fails, "1", "ValueError: two lines"),
        (fails, "2", "ValueError: two lines"),
        (runs_away, "1", "no time passes"),
        (is_killed, "2", "its worker process dies each time, of a signal or for want of memory"),
    ],
)
def test_a_replication_that_fails_is_named_and_tried_again_by_the_next_run(
    hall: Hall,
    whole: Callable[..., Contents],
    monkeypatch: pytest.MonkeyPatch,
    fault: Any,
    jobs: str,
    reason: str,
) -> None:
    tried: list[int] = []

    def one_fails(plan: Any, seed: int, number: int, *more: Any) -> Any:
        tried.append(number)
        return (fault if number == 1 else replicate)(plan, seed, number, *more)

    command = (*RUN, "-j", jobs)
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "replicate", one_fails)
        for _ in range(2):
            code, out, err = hall(*command)
            assert code == 4
            assert err.splitlines()[-1] == (
                f"replication 1 of hall failed: {reason}; to repeat it: "
                "hall run r/scenarios/hall.yaml --seed 1 --only 1"
            )
            assert "utilisation" in out
            csv = (Path("r") / "metrics.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
            assert {line.split(",")[1] for line in csv} == {"0", "2", "3", "4", "5"}
            assert {number for _, _, number, _ in rows()} == {0, 2, 3, 4, 5}
        if jobs == "1":
            assert tried == [0, 1, 2, 3, 4, 5, 1]
        # What is shown of the folder says it too, and its checksums hold.
        assert hall("verify", "r")[0] == 0
    assert hall(*command)[0] == 0
    assert contents(Path("r")) == whole(*RUN)
    if jobs == "1":
        code, out, _ = hall("run", "r/scenarios/hall.yaml", "--seed", "1", "--only", "1")
        assert (code, "results:" in out) == (0, False)


# --- disks ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 9000, 53_000, 60_000])
def test_a_full_disk_ends_the_run_and_what_was_done_is_kept(
    hall: Hall, whole: Callable[..., Contents], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(store, "COMMIT_EVERY", 0)
    command = ("run", "hall.yaml", "-r", "40", "-o", "r")
    with no_file_above(size):
        assert_tells(hall(*command), 5, "r")
    kept = rows()
    assert (len(kept) > 0) == (size > 40_000)
    assert hall(*command)[0] == 0
    assert rows()[: len(kept)] == kept
    assert contents(Path("r")) == whole(*command)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hall.yaml", ()),
        ("metrics.csv", ()),
        (results.ABOUT, ()),
        (results.SUMS, ()),
        pytest.param("visits.png", ("--figures",), marks=pytest.mark.long),
    ],
)
def test_a_disk_that_is_full_while_files_are_written_leaves_each_of_them_whole(
    hall: Hall,
    whole: Callable[..., Contents],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: tuple[str, ...],
) -> None:
    command = (*RUN, *options)
    expected = whole(*command)
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if name not in path.name:
            return write(path, content)
        write(path, content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        assert_tells(hall(*command), 5, "r: cannot write results: No space left on device")
    there = {n: c for n, c in contents(Path("r")).items() if n != results.SUMS}
    assert there.items() <= expected.items()
    assert hall(*command)[0] == 0
    assert contents(Path("r")) == expected


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replication that is run all the same fails the test."""

    def runs(*arguments: Any) -> Any:
        pytest.fail("a replication is run")

    monkeypatch.setattr(tasks.Work, "do", runs)


@pytest.mark.usefixtures("nothing_runs")
def test_a_file_in_the_place_of_the_folder_is_told_before_anything_runs(
    hall: Hall, place: Path
) -> None:
    (place / "r").write_text("mine")
    for folder in ("r", "r/below"):
        found = hall("run", "hall.yaml", "-o", folder)
        assert_tells(found, 5, "r is a file, not a folder")
    assert (place / "r").read_text() == "mine"


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("name", [STORE, LOCK, "scenarios/hall.yaml"])
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_runs(
    hall: Hall, place: Path, name: str
) -> None:
    (place / "r" / name).mkdir(parents=True)
    assert_tells(hall(*RUN), 5, "r")
    assert (place / "r" / name).is_dir()


@pytest.mark.usefixtures("nothing_runs")
def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(
    hall: Hall, place: Path
) -> None:
    (place / "r").mkdir(mode=0o500)
    if os.access("r", os.W_OK):
        pytest.skip("this user may write everywhere")
    assert_tells(hall(*RUN), 5, "r: cannot write results: Permission denied")
    assert not list((place / "r").iterdir())


def test_results_that_cannot_be_written_any_more_can_be_read(hall: Hall, place: Path) -> None:
    hall(*RUN)
    before = contents(place / "r")
    for path in (place / "r", *(place / "r").iterdir()):
        path.chmod(path.stat().st_mode & ~0o222)
    assert hall("verify", "r")[0] == 0
    assert contents(place / "r") == before
    (place / "r").chmod(0o700)


def test_folders_above_are_made(hall: Hall, place: Path, whole: Callable[..., Contents]) -> None:
    assert hall("run", "hall.yaml", "-r", "6", "-o", "a/b/c")[0] == 0
    assert contents(place / "a/b/c") == whole(*RUN)


# --- two at once ---------------------------------------------------------------------------------


def test_a_second_run_in_a_folder_is_told_who_is_at_work_there(
    hall: Hall,
    whole: Callable[..., Contents],
    on_progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    second: list[tuple[int, str, str]] = []

    def another(done: int, total: int) -> None:
        if done == 3:
            second.append(hall(*RUN))

    on_progress(another)
    assert hall(*RUN)[0] == 0
    assert_tells(second[0], 5, f"r: process {os.getpid()} on ", ", since 20", ", is at work there")
    assert contents(Path("r")) == whole(*RUN)


# --- damaged -------------------------------------------------------------------------------------


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def flipped_record() -> None:
    edit("UPDATE replications SET measures = CAST(replace(measures, '1', '2') AS BLOB)")


def exchanged_records() -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        edit("UPDATE replications SET number = ? WHERE number = ?", new, old)


def flipped_keys() -> None:
    edit("UPDATE keys SET keys = CAST(replace(keys, 'e', 'f') AS BLOB)")


def other_types() -> None:
    edit("UPDATE keys SET keys = CAST(keys AS TEXT)")


def other_note() -> None:
    edit("UPDATE about SET value = '3' WHERE key = 'shown'")


def other_number_shown() -> None:
    edit("UPDATE about SET value = replace(value, '6', '5') WHERE key = 'shown'")


def truncated() -> None:
    path = Path("r", STORE)
    os.truncate(path, path.stat().st_size // 2)


def garbage() -> None:
    Path("r", STORE).write_bytes(random.Random(1).randbytes(30_000))


@pytest.mark.parametrize(
    "damage",
    [
        flipped_record,
        exchanged_records,
        flipped_keys,
        other_types,
        other_note,
        other_number_shown,
        truncated,
        garbage,
    ],
)
def test_nothing_is_shown_of_a_damaged_store(hall: Hall, damage: Callable[[], None]) -> None:
    assert hall(*RUN)[0] == 0
    damage()
    before = Path("r", STORE).read_bytes()
    for command in (("plot", "r"), ("verify", "r"), RUN):
        code, out, err = hall(*command)
        assert code == 5, command
        assert "damaged" in err
        assert f"r/{STORE}: " in err
        assert "utilisation" not in out
        assert "figures/" not in out
        if command != RUN:  # which notes that it is there
            assert Path("r", STORE).read_bytes() == before


def test_a_store_that_was_cut_is_noticed_though_what_is_wanted_is_there(hall: Hall) -> None:
    """SQLite takes what is missing of the last page for zeros."""
    hall(*RUN)
    path = Path("r", STORE)
    size = path.stat().st_size
    os.truncate(path, size - 1)
    said = f"r/{STORE}: damaged: it ends after {size - 1:,} of {size:,} bytes; nothing of it is"
    for command in (("run", "hall.yaml", "-r", "2", "-o", "r"), ("plot", "r")):
        assert_tells(hall(*command), 5, said)


def test_a_record_that_is_gone_is_noticed(hall: Hall, whole: Callable[..., Contents]) -> None:
    hall(*RUN)
    edit("DELETE FROM replications WHERE number = 2")
    for command in ("plot", "verify"):
        code, _, err = hall(command, "r")
        assert code == 5
        assert "replication 2 of hall" in err
    assert hall(*RUN)[0] == 0
    assert contents(Path("r")) == whole(*RUN)


def test_an_empty_store_is_a_new_one(hall: Hall, whole: Callable[..., Contents]) -> None:
    hall(*RUN)
    Path("r", STORE).write_bytes(b"")
    for command in ("plot", "verify"):
        code, out, _ = hall(command, "r")
        assert code == 5
        assert "figures/" not in out
    assert hall(*RUN)[0] == 0
    assert contents(Path("r")) == whole(*RUN)


def test_tables_without_their_store_are_left_alone(hall: Hall) -> None:
    hall(*RUN)
    Path("r", STORE).unlink()
    before = contents(Path("r"))
    for command in (("plot", "r"), ("verify", "r"), RUN):
        code, out, _ = hall(*command)
        assert code == 5
        assert "figures/" not in out
    assert contents(Path("r")) == before


def test_a_store_of_the_future_is_left_to_it(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(store, "FORMAT_VERSION", 99)
        hall(*RUN)
    before = Path("r", STORE).read_bytes()
    for command in (("plot", "r"), ("verify", "r"), RUN):
        code, _, err = hall(*command)
        assert code == 5
        assert "results of format 99, of which this version of hall knows 4 only" in err
    assert Path("r", STORE).read_bytes() == before


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3, 4))])
def test_a_flipped_bit_anywhere_in_the_store_is_noticed_or_changes_nothing(
    hall: Hall, whole: Callable[..., Contents], seed: int
) -> None:
    hall(*RUN)
    path = Path("r", STORE)
    before = path.read_bytes()
    expected = whole(*RUN)
    bits = random.Random(seed)
    noticed = 0
    for _ in range(20 if seed == 1 else 200):
        path.write_bytes(before)
        bit = bits.randrange(8 * len(before))
        flip(path, bit)
        try:
            found = results.read_results("r")
        except results.ResultsError:
            noticed += 1
        else:
            files = dict(results._files(found, expected[results.ABOUT], figures=False))
            assert files.items() <= expected.items(), bit
            assert found.replications == 6
        code, _, err = hall(*RUN)
        assert code in (0, 5), (bit, err)
        assert contents(Path("r")) == expected, bit
    assert noticed > 0


def test_verify_names_files_that_are_not_as_they_were_and_run_mends_them(
    hall: Hall, whole: Callable[..., Contents]
) -> None:
    command = (*RUN, "--figures")
    hall(*command)
    code, _, err = hall("verify", "r")
    assert (code, err) == (0, "")
    flip(Path("r/metrics.csv"), 1000)
    Path("r/figures/visits.png").unlink()
    code, _, err = hall("verify", "r")
    assert code == 5
    for text in ("r/metrics.csv: not as it was written", "r/figures/visits.png: missing"):
        assert text in err
    assert hall(*command)[0] == 0
    assert contents(Path("r")) == whole(*command)


def test_verify_notices_a_record_whose_checksum_was_changed_with_it(hall: Hall) -> None:
    hall(*RUN)
    with store.open_to_read(Path("r")) as kept:
        [(_, record)] = kept.records("hall", range(2, 3))
    forged = replace(record, measures=record.measures.replace(b"1", b"2", 1))
    edit(
        "UPDATE replications SET measures = ?, checksum = ? WHERE number = 2",
        *(forged.measures, store._checksum("hall", 2, *astuple(forged))),
    )
    code, _, err = hall("verify", "r", "--sample", "6")
    assert code == 5
    assert "replication 2 of hall comes out otherwise when it is done once more" in err


# --- signals and pipes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "number", "code"),
    [
        ("1", signal.SIGTERM, 143),
        ("2", signal.SIGINT, 130),
        pytest.param("1", signal.SIGINT, 130, marks=pytest.mark.long),
        pytest.param("2", signal.SIGTERM, 143, marks=pytest.mark.long),
    ],
)
def test_a_signal_ends_a_run_and_keeps_what_was_done(
    hall: Hall, whole: Callable[..., Contents], jobs: str, number: signal.Signals, code: int
) -> None:
    with started(*ENDLESS, "-j", jobs) as child:
        wait_until(lambda: len(rows()) > 10)
        begun = time.monotonic()
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
        seconds = time.monotonic() - begun
        assert (child.returncode, out) == (code, "")
        assert told(err) == ["interrupted"]
        assert group_is_gone(child.pid)
    assert seconds < 2
    assert hall(*RUN)[0] == 0
    assert contents(Path("r")) == whole(*RUN)


def test_what_was_done_just_before_an_interruption_is_kept(
    hall: Hall, on_progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "COMMIT_EVERY", 1000)
    on_progress(interrupt)
    assert hall(*RUN) == (130, "", "interrupted\n")
    assert [number for _, _, number, _ in rows()] == [0, 1, 2]


@pytest.mark.parametrize("output", ["| true", pytest.param(">&-", marks=pytest.mark.long)])
def test_results_are_kept_when_nobody_reads_the_output(
    place: Path, whole: Callable[..., Contents], output: str
) -> None:
    script = f'( "$0" -m sim "$@"; echo $? >code ) {output}'
    command = ["sh", "-c", script, sys.executable, *RUN]
    subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert (place / "code").read_text() == "141\n"
    assert contents(place / "r") == whole(*RUN)


# --- other experiments ---------------------------------------------------------------------------


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_another_experiment_gets_a_folder_of_its_own(
    hall: Hall, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "hall.yaml", "-r", "2")
    hall(*run)
    [old] = (place / "results").iterdir()
    before = state(old)

    def check(text: str, *arguments: str) -> None:
        code, _, err = hall(*run, *arguments, "-o", str(old))
        assert code == 5
        assert "holds another experiment" in err
        assert text in err
        assert {n: f for n, f in state(old).items() if LOCK not in n} == {
            n: f for n, f in before.items() if LOCK not in n
        }
        folders = set((place / "results").iterdir())
        assert hall(*run, *arguments)[0] == 0
        [new] = set((place / "results").iterdir()) - folders
        assert new.name.startswith("hall-")

    check("seed 1 instead of 7", "--seed", "7")
    check("another content of hall", "--set", "pools.windows.shifts.clerks.servers=2")
    (place / "hall.yaml").write_text(HALL.replace("9 min", "8 min"))
    check("another content of hall")
    (place / "hall.yaml").write_text(HALL + "\n# a remark\n")
    count = len(list((place / "results").iterdir()))
    assert hall(*run)[0] == 0  # the same experiment
    assert len(list((place / "results").iterdir())) == count
    before = state(old)
    versions = {**definition.versions(), "numpy": "9.9"}
    monkeypatch.setattr(definition, "versions", lambda: versions)
    check("instead of 9.9")


# --- the same bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ["-j", "2"],
        ["-j", "3"],
        ["--engine", "compiled"],
        pytest.param(["--engine", "compiled", "-j", "2"], marks=pytest.mark.long),
        ["--check", "--keep-log", "0"],
    ],
)
def test_results_are_the_same_bytes_whoever_does_them(
    hall: Hall, whole: Callable[..., Contents], options: list[str]
) -> None:
    command = ("run", "hall.yaml", "reform.yaml", "-r", "6", "-o", "r", "--engine", "simpy")
    assert hall(*command, *options)[0] == 0
    found = contents(Path("r"))
    logs = {name for name in found if name.startswith(results.LOGS)}
    assert len(logs) == ("--keep-log" in options) * 2
    ignored = {*logs, *([results.SUMS] if logs else [])}
    assert {n: c for n, c in found.items() if n not in ignored} == {
        n: c for n, c in whole(*command).items() if n not in ignored
    }


@pytest.mark.parametrize("options", [["-j", "3"], ["--engine", "compiled"]])
def test_a_precision_takes_the_same_replications_whoever_does_them(
    hall: Hall, whole: Callable[..., Contents], options: list[str]
) -> None:
    wanted = ("--precision", "25%", "--metric", "waiting_time_mean:windows")
    command = (*RUN, *wanted, "--engine", "simpy")
    assert hall(*RUN, "-r", "13")[0] == 0
    assert hall(*command, *options)[0] == 0
    assert contents(Path("r")) == whole(*command)
    assert len(rows()) > 6
