"""Whether a results folder is what it says: checksums, and some replications done once more."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sim import store as stores
from sim.critical_path import split_times
from sim.definition import version_differences, versions
from sim.errors import ResultsError
from sim.plan import Plan
from sim.planning import compile_plan
from sim.records import Record, splits_text
from sim.replication import replicate, replicate_log
from sim.results import ABOUT, SUMS, damaged_files, read_results, read_sums
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


def verify(
    folder: Path, sample: int = SAMPLE, progress: Callable[[int, int], None] = lambda *_: None
) -> Findings:
    """Check every checksum, and do a sample of the replications once more: the same bytes?

    sample  how many; which ones is decided by what defines the experiment.

    Raises ResultsError for a folder that cannot be read at all.
    """
    sums = read_sums(folder)
    damaged = damaged_files(folder)
    if ABOUT not in sums:
        damaged[SUMS] = "not complete: run the same command again"
    findings = Findings(num_files=len(sums))
    findings.problems += [f"{one_line(folder / n)}: {what}" for n, what in damaged.items()]
    try:
        scenarios = read_results(folder).scenarios
    except ResultsError as error:
        findings.problems.append(str(error))
        return findings
    with stores.open_to_read(folder) as store:
        kept = [(name, n) for name in scenarios for n in sorted(store.done(name))]
        findings.num_replications = len(kept)
        for name in scenarios:
            for _ in store.records(name, range(max(store.done(name), default=0) + 1)):
                pass  # each is compared with its checksum
            for _ in store.splits(name, range(max(store.split(name), default=0) + 1)):
                pass
        found = store.definition
        if others := version_differences(versions(), found.versions):
            what = one_line("; ".join(others))
            findings.remark = f"none done once more: they were run with {what}"
            return findings
        plans = {name: compile_plan(loaded.scenario) for name, loaded in scenarios.items()}
        chosen = random.Random(found.digest).sample(kept, min(sample, len(kept)))
        for done, (name, number) in enumerate(sorted(chosen), start=1):
            measures = replicate(plans[name], found.seed, number, "simpy").measures
            [(_, record)] = store.records(name, range(number, number + 1))
            again = Record.of(measures, number, "simpy", record.has_details)
            is_same = (again.keys, again.measures) == (record.keys, record.measures)
            for _, splits in store.splits(name, range(number, number + 1)):
                is_same &= splits == _splits(plans[name], found.seed, number)
            if not is_same:
                findings.problems.append(
                    f"{one_line(folder)}: replication {number} of {one_line(name)} comes out "
                    "otherwise when it is done once more"
                )
            findings.recomputed.append((name, number))
            progress(done, len(chosen))
    return findings


def _splits(plan: Plan, seed: int, number: int) -> bytes:
    return splits_text(split_times(plan, *replicate_log(plan, seed, number, "simpy")))
