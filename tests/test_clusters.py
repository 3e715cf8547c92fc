"""Dask clusters that work, and some that fail: the same bytes, or a line says what is wrong."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from distributed import Client
from faults import (
    ENDLESS,
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

import sim
from sim import clusters

MANY = ("run", "hall.yaml", "-r", "40", "-o", "r")


@dataclass
class Cluster:
    """A scheduler and its workers, each a process."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def about(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def address(self) -> str:
        found: str = json.loads(self.about.read_text())["address"]
        return found

    @property
    def option(self) -> tuple[str, str]:
        return "--cluster", self.address

    def start(self, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """One process more."""
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start_scheduler(self, **environment: str) -> subprocess.Popen[bytes]:
        where = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.about))
        scheduler = self.start("dask_scheduler", *where, **environment)
        wait_until(lambda: self.about.exists() and self.about.read_text())
        return scheduler

    def start_worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        where = (self.address, "--nthreads", "1", "--local-directory", str(self.folder))
        return self.start("dask_worker", *where, *(options or ("--no-nanny",)), **environment)

    def wait_for(self, workers: int) -> None:
        """Until it has so many workers, and none of them does anything."""
        with Client(self.address, set_as_default=False) as client:
            wait_until(lambda: len(client.scheduler_info(-1)["workers"]) == workers)
            wait_until(lambda: not any(client.processing().values()))

    def stop(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def new_cluster(folder: Path, workers: int, without_package: str = "") -> Iterator[Cluster]:
    """A cluster of which the scheduler or the workers, if so, do not know this package."""
    cluster = Cluster(folder)
    (folder / "without" / "sim").mkdir(parents=True)
    (folder / "without" / "sim" / "__init__.py").write_text("raise ImportError('not installed')")
    without = {"PYTHONPATH": str(folder / "without")}
    try:
        cluster.start_scheduler(**(without if without_package == "scheduler" else {}))
        for _ in range(workers):
            cluster.start_worker(**(without if without_package == "workers" else {}))
        cluster.wait_for(workers)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, which every test leaves as they are."""
    with new_cluster(tmp_path_factory.mktemp("cluster"), 2) as found:
        yield found


# --- clusters that work --------------------------------------------------------------------------


def test_a_cluster_gives_the_same_bytes(
    hall: Hall, whole: Callable[..., Contents], cluster: Cluster
) -> None:
    expected = whole(*RUN)
    code, _, err = hall(*RUN, *cluster.option)
    assert (code, told(err)) == (0, [])
    assert contents(Path("r")) == expected


def test_a_worker_that_is_killed_is_made_up_for_by_the_others(
    hall: Hall, whole: Callable[..., Contents], cluster: Cluster, on_progress: Progress
) -> None:
    expected = whole(*MANY)
    third = cluster.start_worker()
    cluster.wait_for(3)

    def kill(done: int, total: int) -> None:
        if done == 5:
            third.kill()

    on_progress(kill)
    code, _, err = hall(*MANY, *cluster.option)
    assert (code, told(err)) == (0, [])
    assert third.wait(5) == -signal.SIGKILL
    assert contents(Path("r")) == expected
    cluster.wait_for(2)


def test_ctrl_c_leaves_a_cluster_alive_and_idle(
    hall: Hall, whole: Callable[..., Contents], cluster: Cluster
) -> None:
    with started(*ENDLESS, *cluster.option) as child:
        wait_until(lambda: len(rows()) > 10)
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        seconds = time.monotonic() - begun
        assert (child.returncode, out) == (130, "")
        assert told(err) == ["interrupted"]
        assert group_is_gone(child.pid)
    assert seconds < 2
    cluster.wait_for(2)
    assert hall(*RUN, *cluster.option)[0] == 0
    assert contents(Path("r")) == whole(*RUN)


# --- clusters that cannot be used ----------------------------------------------------------------


def test_workers_of_another_source_are_refused_before_they_do_anything(
    hall: Hall, cluster: Cluster, tmp_path: Path
) -> None:
    package = tmp_path / "other" / "sim"
    shutil.copytree(Path(sim.__file__).parent, package)
    with (package / "laws.py").open("a") as file:
        file.write("# another version\n")
    other = cluster.start_worker(PYTHONPATH=str(package.parent))
    cluster.wait_for(3)
    try:
        found = hall(*RUN, *cluster.option)
        assert_tells(found, 5, "would give other numbers: it has source ", " instead of ")
        assert not rows()
    finally:
        other.kill()
        cluster.wait_for(2)


@pytest.mark.long
@pytest.mark.parametrize("who", ["scheduler", "workers"])
def test_a_cluster_that_does_not_know_the_package(hall: Hall, tmp_path: Path, who: str) -> None:
    with new_cluster(tmp_path, 1, without_package=who) as cluster:
        found = hall(*RUN, *cluster.option)
        assert_tells(found, 5, "the cluster cannot do this: ", "not installed")
    assert not rows()


def test_an_address_where_nothing_answers(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1"):
        assert_tells(hall(*RUN, "--cluster", address), 5, f"{address}: no Dask scheduler answers")
    assert not Path("r").exists()


def test_a_cluster_without_workers(
    hall: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    with new_cluster(tmp_path, 0) as cluster:
        found = hall(*RUN, *cluster.option)
        start = f"start some with: dask worker {cluster.address}"
        assert_tells(found, 5, "the cluster has no workers; ", start)
    assert not Path("r").exists()


def test_without_dask_a_line_says_what_to_install(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dask", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    found = hall(*RUN, "--cluster", "tcp://127.0.0.1:1")
    assert_tells(found, 5, "--cluster needs Dask: pip install 'service-hall[cluster]'")


# --- clusters that go away -----------------------------------------------------------------------


def test_a_scheduler_that_dies_ends_the_run_and_what_was_done_is_kept(
    hall: Hall,
    whole: Callable[..., Contents],
    tmp_path: Path,
    on_progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = whole(*MANY)
    monkeypatch.setattr(clusters, "PATIENCE", 2)
    with new_cluster(tmp_path, 1) as cluster:

        def kill(done: int, total: int) -> None:
            if done == 5:
                cluster.processes[0].kill()

        on_progress(kill)
        found = hall(*MANY, *cluster.option)
        assert_tells(found, 4, f"the cluster at {cluster.address} is gone; what was done is kept")
    kept = rows()
    assert 5 <= len(kept) < 40
    assert hall(*MANY)[0] == 0
    assert rows()[: len(kept)] == kept
    assert contents(Path("r")) == expected


@pytest.mark.long
def test_a_run_is_not_long_about_a_scheduler_that_died(place: Path) -> None:
    with new_cluster(place, 1) as cluster, started(*ENDLESS, *cluster.option) as child:
        wait_until(lambda: len(rows()) > 10)
        cluster.processes[0].kill()
        out, err = child.communicate(timeout=60)
        assert_tells((child.returncode, out, err), 4, f"the cluster at {cluster.address} is gone")


KILLER = """
import os, signal

def do(job, tasks):
    if any(task.number == 4 for task in tasks):
        os.kill(os.getpid(), signal.SIGKILL)
    return [job.work.do(task) for task in tasks]
"""


@pytest.mark.long
def test_a_replication_that_always_kills_its_worker_is_named(
    hall: Hall,
    whole: Callable[..., Contents],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "killer.py").write_text(KILLER)
    monkeypatch.syspath_prepend(tmp_path)
    killer = importlib.import_module("killer")
    with new_cluster(tmp_path, 0) as cluster, monkeypatch.context() as patched:
        cluster.start_worker("--nanny")
        cluster.wait_for(1)
        patched.setattr(clusters, "_do", killer.do)
        code, _, err = hall(*RUN, *cluster.option)
    assert code == 4, err
    assert "replication 4 of hall failed: its worker dies each time" in err
    assert {number for _, _, number, _ in rows()} == {0, 1, 2, 3, 5}
    assert hall(*RUN)[0] == 0
    assert contents(Path("r")) == whole(*RUN)
