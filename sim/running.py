"""Running an experiment: what is kept already, what is to be done, by whom, and until when."""

from __future__ import annotations

import contextlib
import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, get_args

from sim import clusters, workers
from sim.chosen_metrics import choose
from sim.comparison import reference_among
from sim.critical_path import Split
from sim.definition import Definition
from sim.errors import IncompleteError
from sim.experiment import Experiment, Missing, tables_of
from sim.loading import Loaded
from sim.planning import compile_plan
from sim.precision import Key, Precision, Search
from sim.records import read, read_splits
from sim.results import add_files, damaged_files, log_name, open_folder, read_sums, write_results
from sim.sources import Sources, load_all
from sim.store import Store
from sim.tasks import (
    BOTH_ENGINES,
    Done,
    EngineChoice,
    Failed,
    Task,
    Work,
    choose_engine,
    replications_to_do,
)

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of tasks done and their number in all."""


def run(
    scenarios: Sources,
    replications: int = 10,
    seed: int = 1,
    *,
    reference: str | None = None,
    metrics: str | Sequence[str] = (),
    folder: str | Path | None = None,
    precision: Precision | float | None = None,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    cluster: str | None = None,
    keep_log: Sequence[int] = (),
    figures: bool = False,
    tables: bool = True,
    only: int | None = None,
    check: bool = False,
    splits: bool = False,
    details: bool = True,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Experiment:
    """Run every scenario so many times, and measure.

    scenarios  a file, or a scenario that was loaded, or several; a map gives them names of its own.
    reference  name of the scenario that the others are compared with; the first one unless named.
    metrics    which lead a report in the place of the usual ones, see `chosen_metrics.choose`.
    folder     keeps what is done, a replication at a time, and the tables at the end. What is there
               of the same experiment is not done again.
    precision  more replications than that, until `metrics` (unless it names others) are known so
               well; a number is the half-width of their intervals, relative to the means.
    engine     auto: the compiled one where it saves time, after replication 0 of each scenario has
               been compared event by event with SimPy's.
    jobs       worker processes of this machine.
    cluster    address of the scheduler of a Dask cluster, which does it in their place.
    keep_log   replications of which the event logs are written into the folder.
    figures    whether the folder gets figures too.
    tables     whether the folder gets what people read; without it, it keeps replications alone:
               a study that runs a hundred scenarios writes tables of its own.
    only       the number of one replication, which is run alone, without a folder.
    check      assert on every replication that is run the laws that hold in every run.
    splits     whether lead times are split along critical paths too, see `Experiment.splits`.
    details    whether to keep distributions: the tables of lead times, half-hours and visits. With
               hundreds of scenarios they take most of the memory.
    say        told what else there is to know, a line at a time.

    A replication that fails is missing from the tables, see `Experiment.missing`.

    Raises ScenarioError with all problems of all files, or for a reference or metric that is none
    of these scenarios', ValueError for arguments that make no sense together, ResultsError for a
    folder that cannot be used, ClusterError, LawViolated, EnginesDiffer, and IncompleteError if a
    scenario has no replication at all, or a cluster goes away.
    """
    if replications < 1 or seed < 0 or jobs < 1:
        raise ValueError("replications and jobs are 1 or more, a seed is 0 or more")
    if engine not in get_args(EngineChoice):
        raise ValueError(f"engine {engine!r} is none of {', '.join(get_args(EngineChoice))}")
    if any(number < 0 for number in (*keep_log, only or 0)):
        raise ValueError("numbers of replications are 0 or more")
    if only is not None and (folder is not None or precision is not None):
        raise ValueError("one replication alone is not kept, and reaches no precision")
    if (folder is None or not tables) and (keep_log or figures):
        raise ValueError("event logs and figures need a folder, with tables")
    loaded = load_all(scenarios)
    reference = reference_among(reference, loaded)
    leading = choose([metrics] if isinstance(metrics, str) else metrics, loaded)
    if precision is not None:
        precision = precision if isinstance(precision, Precision) else Precision(precision)
        precision = replace(precision, metrics=precision.metrics or leading.named)
    definition = Definition.of(loaded, seed)
    plans = {name: compile_plan(document.scenario) for name, document in loaded.items()}
    numbers = range(replications) if only is None else range(only, only + 1)
    path = None if folder is None else Path(folder)
    if cluster is not None and path is not None and not path.exists():
        clusters.check(cluster)  # before a folder is made in which nothing would be
    with contextlib.ExitStack() as stack:
        if path is None:
            store = Store.in_memory(definition)
        else:
            store = stack.enter_context(open_folder(path, definition, loaded))
        running = _Running(
            store,
            Work(plans, seed, check, details=details),
            splits,
            engine,
            jobs,
            cluster,
            progress,
            say,
        )
        running.run(numbers)
        if precision is not None:
            numbers = running.run_until(precision, numbers)
        experiment = replace(
            running.experiment(loaded, numbers, reference), leading=leading, folder=path
        )
        if path is not None and tables:
            add_files(path, running.logs(path, keep_log))
            write_results(experiment, store, figures)
    return experiment


@dataclass
class _Running:
    """What one call does, and what came of it."""

    store: Store
    work: Work
    with_splits: bool
    wanted_engine: EngineChoice
    jobs: int
    cluster: str | None
    progress: Progress | None
    say: Callable[[str], None]
    num_done: int = 0
    failed: dict[tuple[str, int], str] = field(default_factory=dict)
    timings: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)

    def run(self, numbers: range) -> None:
        """Do what is not kept of these replications and has not failed yet."""
        done = {name: self.store.done(name) for name in self.work.plans}
        tasks = replications_to_do(done, numbers)
        wanted = len(numbers) * len(done)
        kept = wanted - len(tasks)
        if self.with_splits:
            split = {name: self.store.split(name) for name in self.work.plans}
            tasks += replications_to_do(split, numbers, "split")
        tasks = [task for task in tasks if (task.scenario, task.number) not in self.failed]
        if kept and tasks and not self.num_done:
            self.say(f"going on: {kept} of {wanted} replications are there already")
        if kept and self.work.check and not self.num_done:
            self.say(f"laws are not asserted on {kept} replications that are there already")
        # A remark says that it was tried: nothing can be compiled here.
        if self.work.engine == "simpy" and not self.work.remark:
            self.work = choose_engine(self.work, tasks, self.wanted_engine, self.say)
        if "compiled" in {self.work.engine, *self.store.engines()}:
            compared = self.store.compared()
            first = [Task("compare", name) for name in self.work.plans if name not in compared]
            tasks = first + tasks
        for task, done_now in self._done(tasks):
            if task.what == "compare":
                self.store.add_compared(task.scenario)
            elif done_now.splits is not None:
                self.store.add_splits(*task[1:], self.work.engine, done_now.splits)
            elif done_now.record is not None:
                self.store.add(task.scenario, task.number, done_now.record)
                self.timings.update(done_now.seconds)
        self.store.commit()

    def _done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Done]]:
        """Each task that could be done, as they are finished; failures are noted."""
        if not tasks:
            return
        if self.cluster is None:
            results = workers.results(self.work, tasks, self.jobs, _import_what_tables_need)
        else:
            results = clusters.results(self.work, tasks, self.cluster, _import_what_tables_need)
        total = self.num_done + len(tasks)
        with contextlib.closing(results):
            for task, result in results:
                if isinstance(result, Failed):
                    self.failed.setdefault((task.scenario, task.number), result.reason)
                else:
                    yield task, result
                self.num_done += 1
                if self.progress is not None:
                    self.progress(self.num_done, total)

    def run_until(self, precision: Precision, numbers: range) -> range:
        """Run more of them until the precision is reached; the replications that it takes.

        numbers  those that are used in any case.

        The same ones whatever the number of workers: what was run beyond them is kept, not used.
        """
        search, fewest = Search(precision), numbers.stop
        while True:
            for number in range(search.num_replications, numbers.stop):
                if search.add(self._values(number)) and number + 1 >= fewest:
                    self.remarks.append(search.summary())
                    return range(number + 1)
            if numbers.stop >= precision.budget:
                self.remarks.append(search.summary())
                return numbers
            # No more than twice as many at once: the first estimates are rough.
            more = min(max(search.num_likely(), numbers.stop + 1), 2 * numbers.stop)
            numbers = range(min(more, precision.budget))
            self.run(numbers)

    def _values(self, number: int) -> Mapping[Key, float]:
        """Of a replication, as far as it is there."""
        values: dict[Key, float] = {}
        for name in self.work.plans:
            for _, record in self.store.records(name, range(number, number + 1)):
                keys, data = read(record)
                values |= {(name, *k): v for k, v in zip(keys, data["values"], strict=True)}
        return values

    def logs(self, folder: Path, numbers: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        """File and event log of each of these replications, unless it is there."""
        plans = self.work.plans
        files = {
            Task("log", name, number): log_name(plans, name, number)
            for number in numbers
            for name in plans
        }
        there = read_sums(folder).keys() - damaged_files(folder).keys()
        tasks = [task for task, file in files.items() if file not in there]
        for task, done in self._done(tasks):
            if done.log is not None:
                yield files[task], done.log
        for task in tasks:
            if (reason := self.failed.get((task.scenario, task.number))) is not None:
                self.say(f"no event log {files[task]}: {reason}")

    def experiment(
        self, scenarios: Mapping[str, Loaded], numbers: range, reference: str
    ) -> Experiment:
        """The tables of these replications; raises IncompleteError if a scenario has none."""
        missing = [Missing(*key, reason) for key, reason in sorted(self.failed.items())]
        missing = [one for one in missing if one.number in numbers]
        for name in scenarios:
            if self.store.done(name).isdisjoint(numbers):
                reason = next(one.reason for one in missing if one.scenario == name)
                raise IncompleteError(f"no replication of {name} could be done: {reason}")
        is_compiled = "compiled" in self.store.engines()
        remark = BOTH_ENGINES if is_compiled else self.work.remark
        engine = "compiled" if is_compiled else "simpy"
        return Experiment(
            scenarios,
            self.work.seed,
            len(numbers),
            **tables_of(self.store, scenarios, numbers).frames(),
            splits={name: self._splits(name, numbers) for name in scenarios if self.with_splits},
            engine=engine,
            remarks=(*([f"{engine} engine: {remark}"] if remark else ()), *self.remarks),
            missing=tuple(missing),
            timings=self.timings,
            reference=reference,
        )

    def _splits(self, name: str, numbers: range) -> dict[int, tuple[Split, ...]]:
        return {number: read_splits(text) for number, text in self.store.splits(name, numbers)}


def _import_what_tables_need() -> None:
    """It takes longer than a year of a small hall."""
    for name in ("pandas", "pyarrow.parquet", "pyarrow.csv", "scipy.special"):
        importlib.import_module(name)
