"""Tasks done by a Dask cluster that is there already.

Dask does a task again if its worker dies, somewhere else. Workers whose versions or source are not
ours are refused before they do anything: their numbers could be others.
"""

from __future__ import annotations

import logging
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sim.definition import version_differences, versions
from sim.errors import ClusterError, IncompleteError
from sim.tasks import Failed, Task, Work
from sim.texts import one_line
from sim.workers import Result, as_finished

PATIENCE: Final = 10
"""Seconds to wait for the scheduler, and for its first worker."""
AHEAD: Final = 4
"""Groups of tasks per thread of the cluster that are handed out."""
SHARES, MOST = 20, 10
"""Into how many groups the tasks of a thread are divided, and how many are in one at most: a
message takes as long as a short replication."""
_TALKATIVE: Final = ("distributed", "distributed.client", "tornado", "tornado.application")
"""Loggers that say again, with tracebacks, what is raised here."""


@dataclass(frozen=True)
class _Job:
    """What a worker is sent once."""

    work: Work
    versions: Mapping[str, str | None]


def results(
    work: Work, tasks: Sequence[Task], address: str, meanwhile: Callable[[], object]
) -> Generator[tuple[Task, Result]]:
    """Each task with what came of it, as they are finished; see `workers.results`.

    address  of the scheduler, such as tcp://10.0.0.1:8786.

    Raises ClusterError for a cluster that cannot be used, IncompleteError for one that goes away,
    and what `Work.do` raises.
    """
    with _client(address) as client:
        from distributed import KilledWorker

        _refuse_others(client)
        # A task like others: if all workers that have it are gone, it is done again.
        job = client.submit(pickle.loads, pickle.dumps(_Job(work, versions())), pure=False)
        executor = client.get_executor(pure=False)

        def submit(group: Sequence[Task]) -> Future[list[Result]]:
            future: Future[list[Result]] = executor.submit(_do, job, group)
            return future

        num_threads = sum(client.nthreads().values())
        size = min(max(len(tasks) // (SHARES * num_threads), 1), MOST)
        groups = deque(tasks[n : n + size] for n in range(0, len(tasks), size))
        killed: list[Task] = []
        for group, future in as_finished(submit, groups, AHEAD * num_threads, meanwhile):
            try:
                yield from zip(group, future.result(), strict=True)
            except KilledWorker:
                killed += group
            except CancelledError:
                raise IncompleteError(
                    f"the cluster at {address} is gone; what was done is kept, and the same "
                    "command goes on from there"
                ) from None
        for task in killed:
            # Dask blames every task that a worker had when it died.
            try:
                yield task, submit([task]).result()[0]
            except KilledWorker:
                yield task, Failed("its worker dies each time, of a signal or for want of memory")


def check(address: str) -> None:
    """Raise ClusterError unless there is a cluster that can be used."""
    with _client(address) as client:
        _refuse_others(client)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        import dask
        import distributed as library
    except ImportError:
        raise ClusterError("--cluster needs Dask: pip install 'service-hall[cluster]'") from None
    make: Callable[..., Any] = library.Client
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Nothing of ours listens anywhere but to the scheduler.
    try:
        with dask.config.set({"distributed.comm.timeouts.connect": PATIENCE}):
            client = make(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"{one_line(address)}: no Dask scheduler answers: {one_line(error)}"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=1)


def _refuse_others(client: Any) -> None:
    """Raise ClusterError unless there are workers, and all of them have our versions."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(
            f"the cluster has no workers; start some with: dask worker {client.scheduler.address}"
        ) from None
    try:
        # The scheduler passes on what it has to know too.
        client.run_on_scheduler(_versions_here)
        found: dict[str, Mapping[str, Any]] = client.run(_versions_here)
    except Exception as error:
        raise ClusterError(f"the cluster cannot do this: {one_line(error)}") from None
    for worker, theirs in found.items():
        _refuse(worker, versions(), theirs)


def _versions_here() -> Mapping[str, str | None]:
    return versions()


def _refuse(worker: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    if differences := version_differences(ours, theirs):
        what = ", ".join(differences)
        raise ClusterError(f"the worker {worker} would give other numbers: it has {what}")


def _do(job: _Job, tasks: Sequence[Task]) -> list[Result]:
    """Some tasks, on a worker; one that came later was not asked before."""
    _refuse("that came later", job.versions, versions())
    return [job.work.do(task) for task in tasks]
