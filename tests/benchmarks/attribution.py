"""An exact attribution against plain SimPy: the whole command, from cold, on two cores.

    python tests/benchmarks/attribution.py [GROUPS]

So many of the shipped groups of Lanzhou's reforms (4 unless told, 7 are all), a year, 20
replications: 2 ** GROUPS scenarios. The command includes loading, comparing replication 0 of each
scenario with the SimPy engine, tables and figure; machine code is there. Plain SimPy is
`plain_hall`, CPU time in process of some of these scenarios, times the number of replications; it
knows no choice of pools, so none with the group one-review. Fewer groups than 7 are scaled by the
number of scenarios, start-up and all. Prints ratios, asserts nothing.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time

import plain_hall
from whole import HALL, ROOT, at_least, run

import sim
from sim.studies.reform_groups import Switches, switches

REPLICATIONS = 20
ALL_GROUPS = 7
BAR = 40
OLD = ROOT / "scenarios" / "lanzhou-2015.yaml"
GROUPS = ROOT / "scenarios" / "groups" / "lanzhou.yaml"
REFUSED = "one-review"
"""Reviewers take what is the code office's, and the other way round."""


def reforms_of(count: int) -> list[str]:
    """Those of the latest groups, of which the shares are largest."""
    every = switches(OLD, until="2020-12-31", groups_file=GROUPS).groups
    return [reform.name for group in every[-count:] for reform in group.reforms]


def plain_seconds(between: Switches) -> float:
    """CPU seconds of a replication in plain SimPy: the mean over some of the scenarios."""
    usable = [i for i, group in enumerate(between.groups) if group.name != REFUSED]
    pairs = [1 << i | 1 << j for i, j in itertools.combinations(usable, 2)]
    seconds = []
    for loaded in between.load([0, sum(1 << i for i in usable), *pairs]).values():
        plan = sim.compile_plan(loaded.scenario)
        begun = time.process_time()
        plain_hall.simulate(plan, seed=1)
        seconds.append(time.process_time() - begun)
    return statistics.mean(seconds)


def main(count: int) -> None:
    """Run and print."""
    reforms = reforms_of(count)
    between = switches(OLD, reforms=reforms, groups_file=GROUPS)
    scenarios = 1 << len(between.groups)
    options = ["--with", ",".join(reforms), "--groups", str(GROUPS), "-r", str(REPLICATIONS)]
    plain = plain_seconds(between)
    ours = run([*HALL, "attribute", str(OLD), *options, "-j", "2"])
    total = plain * REPLICATIONS * scenarios
    print(f"attribution to {len(between.groups)} groups, {scenarios} scenarios x {REPLICATIONS}")
    print(f"  plain_hall        {plain:8.2f} s a replication, {total:8,.0f} s in all")
    print(f"  hall attribute    {ours.wall:8.2f} s wall {ours.cpu:8.2f} s CPU")
    print(f"  plain / wall      {at_least(total / ours.wall, BAR)}")
    print(
        f"  plain / half the CPU time, two cores of our own: {at_least(2 * total / ours.cpu, BAR)}"
    )
    if count < ALL_GROUPS:
        scale = 1 << ALL_GROUPS - count
        print(f"  scaled to {ALL_GROUPS} groups {ours.wall * scale:8.0f} s wall (x {scale})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
