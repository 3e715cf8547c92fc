"""Tasks done one after the other, or by worker processes of this machine.

Results come as they are finished. A worker that dies takes no result with it but that of the task
it was at, which is tried again by itself; if its worker dies again and again, it has failed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

from sim.tasks import Done, Failed, Task, Work

Result: TypeAlias = Done | Failed
Given = TypeVar("Given")
Found = TypeVar("Found")
MOST_ON_WINDOWS: Final = 61
"""Processes that can be waited for there."""
AHEAD: Final = 4
"""Tasks per worker that are handed out: the next one is there when one is done."""
TRIES: Final = 2
"""How often a task is tried by itself after a worker has died."""


def results(
    work: Work, tasks: Sequence[Task], jobs: int = 1, meanwhile: Callable[[], object] = lambda: None
) -> Generator[tuple[Task, Result]]:
    """Each task with what came of it, as they are finished.

    jobs       worker processes; 1: in this process.
    meanwhile  called once when the workers, if there are several, have begun.

    Raises what `Work.do` raises.
    """
    if jobs == 1:
        for task in tasks:
            yield task, work.do(task)
        return
    todo = deque(tasks)
    while todo:
        suspects: list[Task] = []
        with _pool(work, min(jobs, len(todo))) as pool:
            yield from _done_in(pool, todo, suspects, AHEAD * jobs, meanwhile)
        for task in suspects:
            yield task, _alone(work, task)
        meanwhile = _nothing


Lot: TypeAlias = Callable[[Sequence[Task]], Iterator[tuple[Task, Result]]]
"""Does some tasks: each with what came of it, as they are finished."""


@contextmanager
def standing(work: Work, jobs: int = 1) -> Iterator[Lot]:
    """Workers that stay, for tasks of which the next depend on what came of the last.

    To begin anew for each lot takes longer than a few replications.
    """
    if jobs == 1:
        yield lambda tasks: results(work, tasks)
        return
    with _pool(work, jobs) as pool:

        def lot(tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
            todo, suspects = deque(tasks), list[Task]()
            yield from _done_in(pool, todo, suspects, AHEAD * jobs)
            # After a worker has died there are others for each lot.
            yield from results(work, [*suspects, *todo], jobs)

        yield lot


def _done_in(
    pool: ProcessPoolExecutor,
    todo: deque[Task],
    suspects: list[Task],
    width: int,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Task, Result]]:
    """Each task that workers do, with what came of it, so many handed out at a time.

    todo      emptied from the left, until a worker dies.
    suspects  gets what was handed out then: any of it may have been the reason.
    """
    for task, future in as_finished(
        lambda task: pool.submit(_do_here, task), todo, width, meanwhile
    ):
        try:
            result = future.result()
        except BrokenProcessPool:
            suspects.append(task)
        else:
            yield task, result


def as_finished(
    submit: Callable[[Given], Future[Found]],
    todo: deque[Given],
    width: int,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Given, Future[Found]]]:
    """What was handed out with its future when that is done, so many at a time.

    todo  emptied from the left; what cannot be handed out any more stays in it.
    """
    running: dict[Future[Found], Given] = {}
    while todo or running:
        while todo and len(running) < width:
            try:
                future = submit(todo[0])
            except BrokenProcessPool:
                width = 0
                break
            running[future] = todo.popleft()
        meanwhile()
        meanwhile = _nothing
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future


def _nothing() -> None:
    pass


@contextmanager
def _pool(work: Work, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Workers that know the work; none is left afterwards."""
    # A copy of this process has the plans and the machine code already.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    most = min(jobs, MOST_ON_WINDOWS) if sys.platform == "win32" else jobs
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(most, context, _begin_work, (work,))
    try:
        yield pool
    except BaseException:
        for process in set(multiprocessing.active_children()).difference(others):
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(work: Work, task: Task) -> Result:
    """Do a task in a worker of its own, since one that may have had it has died."""
    for _ in range(TRIES):
        with _pool(work, 1) as pool:
            try:
                return pool.submit(_do_here, task).result()
            except BrokenProcessPool:
                continue
    return Failed("its worker process dies each time, of a signal or for want of memory")


_work: Work


def _begin_work(work: Work) -> None:
    """What a worker process knows."""
    global _work
    _work = work
    # Who started it is told to stop, and stops it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent is killed has nobody left to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_here(task: Task) -> Result:
    return _work.do(task)
