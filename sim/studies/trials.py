"""Staffs that are tried: replications of a hall with other numbers of servers, kept as they come.

All staffs share their luck: replication n of each has the same draws. The engine is chosen once for
all of them; whoever shows a result compares the engines on it first.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sim import workers
from sim.errors import IncompleteError
from sim.plan import Plan
from sim.records import read
from sim.signals import heed
from sim.store import Store
from sim.studies.goals import Goal
from sim.studies.posts import Post, Staff, overload, plan_with, with_numbers
from sim.tasks import Failed, Task, Work

PATIENCE: Final = 2.0
"""Seconds between two lines about how far it is."""


@dataclass(frozen=True)
class StaffPlans(Mapping[str, Plan]):
    """The plan of every staff, made when it is asked for, by the numbers of servers as text."""

    plan: Plan
    """With any numbers."""

    def key(self, plan: Plan) -> str:
        """The name of a plan that differs in numbers of servers only: `windows.day=3 ...`."""
        pools = self.plan.pools
        return " ".join(f"{pools[s.pool].name}.{s.name}={s.servers}" for s in plan.shifts)

    def __getitem__(self, key: str) -> Plan:
        return self._made(key)

    @functools.cached_property
    def _made(self) -> Callable[[str], Plan]:
        # What is worked out of a plan once hangs on the plan itself.
        return functools.lru_cache(maxsize=4)(self._make)

    def _make(self, key: str) -> Plan:
        servers = [int(part.rpartition("=")[2]) for part in key.split(" ")]
        return with_numbers(self.plan, servers)

    def __iter__(self) -> Iterator[str]:
        yield self.key(self.plan)

    def __len__(self) -> int:
        return 1


@dataclass
class Trials:
    """What is known of every staff that was tried."""

    store: Store
    plans: StaffPlans
    posts: tuple[Post, ...]
    goals: tuple[Goal, ...]
    """Whose metrics are looked at; others at other levels may ask for them too."""
    work: Work
    lot: workers.Lot
    """Does tasks of that work."""
    say: Callable[[str], None] = lambda line: None
    num_run: int = 0
    """Replications that were run now."""
    _known: dict[Staff, dict[int, tuple[float, ...]]] = field(default_factory=dict)
    _overloads: dict[Staff, float] = field(default_factory=dict)
    _told_at: float = field(default_factory=time.monotonic)

    def key(self, staff: Staff) -> str:
        """The name of a staff in the store: the same whichever pools are looked at."""
        return self.plans.key(plan_with(self.plans.plan, self.posts, staff))

    def overload(self, staff: Staff) -> float:
        """See `posts.overload`: such a staff is not tried."""
        if staff not in self._overloads:
            plan = plan_with(self.plans.plan, self.posts, staff)
            self._overloads[staff] = overload(plan, self.posts)
        return self._overloads[staff]

    def tried(self) -> list[Staff]:
        """The staffs of which there are replications, in the order in which they were tried."""
        return list(self._known)

    def run(
        self, staffs: Iterable[Staff], numbers: Sequence[int], compared: Staff | None = None
    ) -> None:
        """Do these replications of each, as far as they are not there.

        compared  where the compiled engine is used, both do replication 0 of this staff, once.

        Raises IncompleteError if one fails, and what `Work.do` raises.
        """
        by_key: dict[str, Staff] = {}
        tasks: list[Task] = []
        if compared is not None and self.work.engine == "compiled":
            key = self.key(compared)
            tasks += [Task("compare", key)] * (key not in self.store.compared())
        for staff in dict.fromkeys(staffs):
            known = self._read(staff)
            key = self.key(staff)
            by_key[key] = staff
            tasks += [Task("replicate", key, number) for number in numbers if number not in known]
        if not tasks:
            return
        for task, result in self.lot(tasks):
            heed()
            if isinstance(result, Failed):
                failed = f"replication {task.number} with {task.scenario} failed"
                raise IncompleteError(f"{failed}: {result.reason}")
            if result.record is None:
                self.store.add_compared(task.scenario)
                continue
            self.store.add(task.scenario, task.number, result.record)
            self._add(by_key[task.scenario], task.number, *read(result.record))
            self.num_run += 1
            self._tell()
        self.store.commit()

    def _read(self, staff: Staff) -> dict[int, tuple[float, ...]]:
        if staff not in self._known:
            self._known[staff] = {}
            # All that there are, whatever their numbers.
            for number, record in self.store.records(self.key(staff), range(2**31)):
                self._add(staff, number, *read(record))
        return self._known[staff]

    def _add(
        self, staff: Staff, number: int, keys: list[tuple[str, str]], data: dict[str, list[float]]
    ) -> None:
        values = dict(zip(keys, data["values"], strict=True))
        found = (values.get((goal.metric, goal.subject), math.nan) for goal in self.goals)
        self._known[staff][number] = tuple(found)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told_at > PATIENCE:
            self._told_at = now
            self.say(f"{len(self._known)} staffs tried, {self.num_run:,} runs")

    def know(self, staff: Staff, numbers: Sequence[int], values: np.ndarray) -> None:
        """Take over what others have run: shape (num_numbers, num_goals)."""
        rows = (tuple(float(value) for value in row) for row in values)
        self._read(staff).update(zip(numbers, rows, strict=True))

    def values(self, staff: Staff, numbers: Sequence[int]) -> np.ndarray:
        """float64, shape (num_numbers, num_goals): what is there of these replications."""
        known = self._read(staff)
        rows = [known[number] for number in numbers if number in known]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.goals))
