"""Commands that something happens to, run here or as children, and what they leave."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sim.store import LOCK, STORE

HALL = """
calendar: always
hours: {open: ["09:00-11:00"]}
working_hours: open
horizon: {source: assumed, from: 2020-01-01, to: 1 working days}
pools: {windows: {shifts: {clerks: {servers: 1}}}}
trips: {visit: {}}
case_types:
  case:
    source: stated by the office
    arrivals: {per_hour: 5}
    activities: {file: {trip: visit, pool: windows, service: 9 min}}
promises: {done: {case_types: case, within: same day}}
"""
REFORM = "extends: hall.yaml\npools: {windows: {shifts: {clerks: {servers: 2}}}}\n"
RUN = ("run", "hall.yaml", "-r", "6", "-o", "r")
COMPARE = ("compare", "hall.yaml", "reform.yaml", "-o", "r")
ENDLESS = ("run", "hall.yaml", "-r", "100000", "-o", "r", "--engine", "simpy")

Hall = Callable[..., tuple[int, str, str]]
Progress = Callable[[Callable[[int, int], None]], None]
Contents = dict[str, bytes]


def write_scenarios(folder: Path) -> None:
    (folder / "hall.yaml").write_text(HALL)
    (folder / "reform.yaml").write_text(REFORM)


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, of which nothing is left in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "sim", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def contents(folder: Path) -> Contents:
    """Everything in a folder but the store."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (STORE, LOCK)
    }


def rows(folder: str = "r") -> list[tuple[int, str, int, str]]:
    """Of each replication that is kept: its place, scenario, number and checksum."""
    query = "SELECT rowid, scenario, number, checksum FROM replications ORDER BY rowid"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{folder}/{STORE}?mode=rw", uri=True)) as db:
            return list(db.execute(query))
    except sqlite3.OperationalError:  # nothing is there yet
        return []


def wait_until(is_so: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def group_is_gone(group: int) -> bool:
    """Whether no process of a group runs; one that is dead may wait for its new parent for long."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state != "Z":
                return False
    return True


def told(err: str) -> list[str]:
    """What was said besides how far it is."""
    return [line for line in err.splitlines() if " runs" not in line]


def assert_tells(found: tuple[int, str, str], code: int, *texts: str) -> None:
    """An exit code, one line that says these texts, and no tables."""
    assert found[0] == code, found
    assert found[1] == ""
    assert len(told(found[2])) == 1, found[2]
    for text in texts:
        assert text in found[2]
