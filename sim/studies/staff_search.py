"""The cheapest staff that keeps every promise on the replications that it is looked for with.

How it goes on, from a first guess of each post:

1.  With abundant servers everywhere: what is not kept then is not staff's to keep.
2.  Post by post the fewest servers with which all is kept while the others are abundant: the floor.
    If one server more never makes a promise worse, no staff that keeps them lies below it anywhere.
3.  From the floor up, each time one server where it takes away most of what is missing for its
    cost; then down again wherever one fewer will do.
4.  Every cheaper staff on or above the floor, but for those below one that was seen to fail. Under
    the condition of 2 nothing cheaper keeps the promises if all fail.

A promise is kept where the mean is on the right side by as much as the check will ask for (see
`margin`). Loads of 1 or more are no staff. What is clear after a few replications is not run on.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sim.errors import IncompleteError
from sim.studies.goals import Goal
from sim.studies.posts import Staff, cost_of, more
from sim.studies.trials import Trials

FROM: Final = 1_000_000
"""Number of the first replication of the search: no check has these."""
FIRST: Final = 4
"""Replications after which a clear case is left."""
CLEAR: Final = 3.0
"""Standard errors of a mean of FIRST between it and what the check will ask for."""
MOST_CHEAPER: Final = 120
"""Cheaper staffs that are tried in step 4: where there are more, the nearest to what was found."""
MOST_LISTED: Final = 20_000
"""Cheaper staffs among which they are looked for."""
BATCH: Final = 8
"""Staffs of step 4 that are tried at once."""
NO_STAFF: Final = 1e9
"""What is missing to a staff with a load of 1 or more."""
NO_VALUE: Final = 1e3
"""What is missing where a metric has no value."""


@dataclass(frozen=True)
class Verdict:
    """What the search thinks of a staff."""

    staff: Staff
    missing: float
    """0 if every promise is kept; else how much is missing, as a share of what staff can do."""
    is_kept: bool


@dataclass(frozen=True)
class Answer:
    """The cheapest staff that was found."""

    staff: Staff
    floor: Staff
    """In each post the fewest servers that do while all others are abundant."""
    not_tried: int | None
    """Cheaper staffs that were left out of step 4; 0: none is cheaper, under its condition. None:
    a check found it, not the search."""


@dataclass
class StaffSearch:
    """Looks for the cheapest staff."""

    trials: Trials
    num_replications: int
    """2 or more."""
    margin: float
    """Standard errors by which the check will ask a mean to be on the right side."""
    rejected: dict[tuple[Goal, ...], set[Staff]] = field(default_factory=dict)
    """Staffs that a check did not confirm, by what they were to keep."""
    _missing_scale: dict[tuple[Goal, ...], np.ndarray] = field(default_factory=dict)

    @property
    def abundant(self) -> Staff:
        """The most servers that are looked at."""
        return tuple(post.most for post in self.trials.posts)

    @property
    def guess(self) -> Staff:
        """What Erlang's formula says."""
        return tuple(post.guess for post in self.trials.posts)

    def cost(self, staff: Staff) -> float:
        """Of all posts that are looked at."""
        return cost_of(self.trials.posts, staff)

    # One staff

    def judge(self, staffs: Iterable[Staff], goals: tuple[Goal, ...]) -> list[Verdict]:
        """What is thought of each staff, in their order; some replications are run for that."""
        staffs = list(staffs)
        possible = [staff for staff in dict.fromkeys(staffs) if not self.trials.overload(staff)]
        count = self.num_replications
        self.trials.run(possible, range(FROM, FROM + min(FIRST, count)))
        unclear = [staff for staff in possible if not self._is_clear(self.spare(staff, goals))]
        self.trials.run(unclear, range(FROM, FROM + count))
        return [self._verdict(staff, goals) for staff in staffs]

    def spare(self, staff: Staff, goals: tuple[Goal, ...]) -> np.ndarray:
        """(num_replications, num_goals): how far each promise is kept in what was run."""
        numbers = range(FROM, FROM + self.num_replications)
        values = self.trials.values(staff, numbers)
        return np.stack([goal.spare(v) for goal, v in zip(goals, values.T, strict=True)], axis=1)

    def _is_clear(self, spare: np.ndarray) -> bool:
        deviations = spare.std(axis=0, ddof=1)
        asked = self.margin / math.sqrt(self.num_replications) * deviations
        above = spare.mean(axis=0) - asked
        far = CLEAR * deviations / math.sqrt(len(spare))
        return bool((above < -far).any() or (above >= far).all())

    def _verdict(self, staff: Staff, goals: tuple[Goal, ...]) -> Verdict:
        if too_much := self.trials.overload(staff):
            return Verdict(staff, NO_STAFF + too_much, False)
        spare = self.spare(staff, goals)
        means, deviations = spare.mean(axis=0), spare.std(axis=0, ddof=1)
        bounds = means - self.margin * deviations / math.sqrt(self.num_replications)
        # Shares round in the last place.
        missing = np.where(bounds < -1e-12, -bounds, 0.0) / self._missing_scale.get(goals, 1.0)
        missing[np.isnan(means)] = NO_VALUE
        is_kept = bool((missing == 0).all()) and staff not in self.rejected.get(goals, ())
        return Verdict(staff, float(missing.sum()), is_kept)

    def abundance(self, goals: tuple[Goal, ...]) -> Verdict:
        """What is thought of the most servers; sets the scale of what is missing elsewhere."""
        # Together with the first replications, so that no worker has nothing to do.
        if not self.trials.overload(self.abundant):
            first = range(FROM, FROM + min(FIRST, self.num_replications))
            self.trials.run([self.abundant], first, compared=self.guess)
        [verdict] = self.judge([self.abundant], goals)
        if verdict.missing < NO_STAFF:
            room = self.spare(self.abundant, goals).mean(axis=0)
            self._missing_scale[goals] = np.where(room > 1e-9, room, 1.0)
        return verdict

    # The cheapest

    def find(self, goals: tuple[Goal, ...], guess: Staff | None = None) -> Answer:
        """The cheapest staff that keeps these promises, which the most servers keep."""
        floor = self._floor(goals, guess or self.guess)
        staff = self._trimmed(self._climbed(floor, goals), goals)
        while True:
            cheaper, not_tried = self._cheaper(staff, floor, goals)
            if cheaper is None:
                return Answer(staff, floor, not_tried)
            staff = self._trimmed(cheaper, goals)

    def _floor(self, goals: tuple[Goal, ...], guess: Staff) -> Staff:
        searches = {
            number: _fewest(post.least, post.most, guess[number])
            for number, post in enumerate(self.trials.posts)
        }
        floor = list(self.abundant)
        asked = {number: next(search) for number, search in searches.items()}
        while open_ := {number: count for number, count in asked.items() if count is not None}:
            staffs = [
                more(self.abundant, number, count - self.abundant[number])
                for number, count in open_.items()
            ]
            verdicts = self.judge(staffs, goals)
            for (number, count), verdict in zip(open_.items(), verdicts, strict=True):
                if verdict.is_kept:
                    floor[number] = count
                asked[number] = searches[number].send(verdict.is_kept)
        return tuple(floor)

    def _climbed(self, floor: Staff, goals: tuple[Goal, ...]) -> Staff:
        [here] = self.judge([floor], goals)
        posts = self.trials.posts
        while not here.is_kept:
            above = [n for n, post in enumerate(posts) if here.staff[n] < post.most]
            if not above:
                raise IncompleteError(
                    "no check has confirmed any staff: the most servers hardly keep the promises; "
                    "more replications (-r) tell, or more servers (--bounds)"
                )
            verdicts = self.judge([more(here.staff, n) for n in above], goals)

            gains = [
                (
                    verdict.is_kept,
                    (here.missing - verdict.missing) / posts[number].cost,
                    # Where one more alone changes nothing, each in its turn.
                    floor[number] - verdict.staff[number],
                )
                for number, verdict in zip(above, verdicts, strict=True)
            ]
            here = verdicts[gains.index(max(gains))]
        return here.staff

    def _trimmed(self, staff: Staff, goals: tuple[Goal, ...]) -> Staff:
        """One server fewer wherever that will do, the dearest first."""
        while True:
            posts = self.trials.posts
            below = [n for n, post in enumerate(posts) if staff[n] > post.least]
            verdicts = self.judge([more(staff, n, -1) for n in below], goals)
            kept = [n for n, verdict in zip(below, verdicts, strict=True) if verdict.is_kept]
            if not kept:
                return staff
            staff = more(staff, max(kept, key=lambda n: posts[n].cost), -1)

    def _cheaper(
        self, staff: Staff, floor: Staff, goals: tuple[Goal, ...]
    ) -> tuple[Staff | None, int]:
        """A cheaper staff that keeps the promises, if one is found; and how many were not tried."""
        tried = [other for other in self.trials.tried() if len(self.spare(other, goals))]
        failed = [other for other in tried if not self._verdict(other, goals).is_kept]
        failing = np.array(failed or [(-1,) * len(floor)])
        listed = []
        for count, other in enumerate(self._just_cheaper(staff, floor)):
            if count == MOST_LISTED:
                break
            if self.trials.overload(other) or (failing >= np.array(other)).all(axis=1).any():
                continue
            listed.append(other)
        here = np.array(staff)
        listed.sort(key=lambda other: int(np.abs(here - np.array(other)).sum()))
        for begin in range(0, min(len(listed), MOST_CHEAPER), BATCH):
            batch = listed[begin : min(begin + BATCH, MOST_CHEAPER)]
            for verdict in self.judge(batch, goals):
                if verdict.is_kept:
                    return verdict.staff, 0
        return None, max(0, len(listed) - MOST_CHEAPER)

    def _just_cheaper(self, staff: Staff, floor: Staff) -> Iterator[Staff]:
        """Every staff from the floor up that costs less, and no longer with one server more.

        If one of these fails, so does all that is below it, should a server more never do harm.
        """
        posts = self.trials.posts
        spare = self.cost(staff) - self.cost(floor)

        def above(number: int, left: float) -> Iterator[Staff]:
            if number == len(posts):
                yield ()
                return
            post = posts[number]
            most = min(post.most - floor[number], math.ceil(left / post.cost - 1e-9) - 1)
            # Of the last post as many as there can be: with fewer it is not just cheaper.
            fewest = most if number == len(posts) - 1 else 0
            for count in range(most, fewest - 1, -1):
                for rest in above(number + 1, left - count * post.cost):
                    yield (floor[number] + count, *rest)

        if spare > 1e-9:
            for other in above(0, spare):
                if self._is_maximal(other, self.cost(staff) - self.cost(other)):
                    yield other

    def _is_maximal(self, staff: Staff, left: float) -> bool:
        pairs = zip(self.trials.posts, staff, strict=True)
        return all(p.cost >= left - 1e-9 for p, count in pairs if count < p.most)


def _fewest(least: int, most: int, guess: int) -> Generator[int | None, bool, None]:
    """Numbers to try from a guess on, in growing steps and then between; None at the end.

    It is told of each whether it will do; `most` will, and below `least` nothing is tried.
    """
    fails, keeps = least - 1, most
    count, step, is_bracketed = guess, 1, False
    last: bool | None = None
    while keeps - fails > 1:
        count = (keeps + fails) // 2 if is_bracketed else min(max(count, fails + 1), keeps - 1)
        is_kept = yield count
        fails, keeps = (fails, count) if is_kept else (count, keeps)
        is_bracketed = is_bracketed or last not in (None, is_kept)
        last, count, step = is_kept, count - step if is_kept else count + step, 2 * step
    yield None
