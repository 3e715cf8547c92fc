"""Whether a results folder is what it says: checksums, and some replications done once more."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sim import store as stores
from sim.critical_path import split_times
from sim.definition import Definition, version_differences, versions
from sim.errors import ResultsError
from sim.plan import Plan
from sim.planning import compile_plan
from sim.records import Record, splits_text
from sim.replication import replicate, replicate_log
from sim.results import (
    ABOUT,
    SUMS,
    check_is_there,
    damaged_files,
    read_results,
    read_sums,
    scenarios_in,
)
from sim.store import STORE
from sim.texts import one_line

SAMPLE = 3
"""Replications that are done once more, unless told."""


@dataclass
class Findings:
    """What was looked at in a folder, and what is wrong with it."""

    num_files: int = 0
    num_replications: int = 0
    recomputed: list[tuple[str, int]] = field(default_factory=list)
    """Scenario and number of each that was done once more, by the SimPy engine."""
    remark: str = ""
    """Why none was, if so."""
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What was looked at, for people."""
        numbers = ", ".join(f"{number} of {one_line(name)}" for name, number in self.recomputed)
        again = f"replications {numbers}" if numbers else "none"
        return [
            f"{self.num_files} files and {self.num_replications} replications"
            f" compared with their checksums",
            self.remark or f"done once more by the SimPy engine: {again}",
            f"{len(self.problems) or 'no'} problem{'s' * (len(self.problems) != 1)}",
        ]


@dataclass(frozen=True)
class _Experiment:
    """One that is kept in a folder."""

    folder: Path
    definition: Definition
    kept: tuple[tuple[str, int], ...]
    """Scenario and number of each replication."""


def verify(
    folder: Path, sample: int = SAMPLE, progress: Callable[[int, int], None] = lambda *_: None
) -> Findings:
    """Check every checksum, and do a sample of the replications once more: the same bytes?

    A study's folder has files of its own, and the experiments that it is made of below.

    sample  how many; which ones is decided by what defines the experiments.

    Raises ResultsError for a folder that cannot be read at all.
    """
    check_is_there(folder)
    findings = Findings()
    sums = read_sums(folder)
    is_study = bool(sums) and ABOUT not in sums and not (folder / STORE).exists()
    folders = sorted(path.parent for path in folder.rglob(STORE)) if is_study else [folder]
    for path in dict.fromkeys([folder, *folders]):
        findings.num_files += len(read_sums(path))
        damaged = damaged_files(path)
        if not is_study and ABOUT not in sums:
            damaged[SUMS] = "not complete: run the same command again"
        findings.problems += [f"{one_line(path / n)}: {what}" for n, what in damaged.items()]
    experiments = []
    for path in folders:
        try:
            experiments.append(_compared(path, not is_study))
        except ResultsError as error:
            findings.problems.append(str(error))
    findings.num_replications = sum(len(one.kept) for one in experiments)
    for one in experiments:
        if others := version_differences(versions(), one.definition.versions):
            what = one_line("; ".join(others))
            findings.remark = f"none done once more: they were run with {what}"
            return findings
    # Not those of a staff that is looked for: they are of no scenario that is kept.
    kept = [
        (number, *key)
        for number, one in enumerate(experiments)
        for key in one.kept
        if key[0] in one.definition.scenarios
    ]
    chance = random.Random("".join(one.definition.digest for one in experiments))
    chosen = sorted(chance.sample(kept, min(sample, len(kept))))

    @functools.cache
    def plan_of(number: int, name: str) -> Plan:
        one = experiments[number]
        return compile_plan(scenarios_in(one.folder, one.definition, [name])[name].scenario)

    for done, (number, name, replication) in enumerate(chosen, start=1):
        if not _is_same(experiments[number], plan_of(number, name), name, replication):
            findings.problems.append(
                f"{one_line(experiments[number].folder)}: replication {replication} of "
                f"{one_line(name)} comes out otherwise when it is done once more"
            )
        findings.recomputed.append((name, replication))
        progress(done, len(chosen))
    return findings


def _compared(folder: Path, has_tables: bool) -> _Experiment:
    """An experiment of which each replication is compared with its checksum.

    has_tables  whether there is more than replications, so that it can be read.

    Raises ResultsError.
    """
    if has_tables:
        read_results(folder)
    with stores.open_to_read(folder) as store:
        order = list(store.definition.scenarios)
        names = [name for name in order if store.done(name)]
        names += [name for name in store.scenarios() if name not in order]
        for name in names:
            for _ in store.records(name, range(2**31)):
                pass
            for _ in store.splits(name, range(2**31)):
                pass
        kept = tuple((name, number) for name in names for number in sorted(store.done(name)))
        return _Experiment(folder, store.definition, kept)


def _is_same(experiment: _Experiment, plan: Plan, name: str, number: int) -> bool:
    """Whether a replication comes out the same when it is done once more."""
    folder, definition = experiment.folder, experiment.definition
    measures = replicate(plan, definition.seed, number, "simpy").measures
    with stores.open_to_read(folder) as store:
        [(_, record)] = store.records(name, range(number, number + 1))
        again = Record.of(measures, number, "simpy", record.has_details)
        is_same = (again.keys, again.measures) == (record.keys, record.measures)
        for _, splits in store.splits(name, range(number, number + 1)):
            is_same &= splits == _splits(plan, definition.seed, number)
    return is_same


def _splits(plan: Plan, seed: int, number: int) -> bytes:
    return splits_text(split_times(plan, *replicate_log(plan, seed, number, "simpy")))
