"""The workload: all that happens by chance in one replication, drawn before an engine starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.itinerary import Itinerary
from sim.timeline import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Workload:
    """All that happens by chance in one replication.

    Cases are numbered by arrival; at the same instant, by case type as in the file, then in the
    order in which they were drawn. Case i has the steps first_step[i] .. first_step[i + 1] - 1.

    What nothing in the hall asks for (batches, different priorities, patience, trips) is one number
    repeated: as long as the other columns, but without memory of its own, and read-only.
    """

    replication: int
    seed: int
    # one entry a case
    case_type: IntArray
    ordinal: IntArray
    """Number within the case type: which of the type's draws are this case's."""
    arrived_at: IntArray
    batch: IntArray
    """Number of the batch within the case type, -1 for cases that come alone."""
    priority: IntArray
    attributes: IntArray
    """(num_cases, most attributes of any type): values by index, -1 where there is none."""
    itinerary: IntArray
    """Index into `itineraries`."""
    first_step: IntArray
    """One entry more than cases."""
    # one entry an itinerary
    itineraries: tuple[Itinerary, ...]
    """Those of one case type together, in the order in which its draws come to them."""
    first_activity: IntArray
    """Of the case type, numbered through the hall."""
    # one entry a step
    step_time: IntArray
    """Service or delay: seconds, or working days for a delay on that clock."""
    step_patience: IntArray
    """Seconds, NEVER for unlimited."""
    step_come_day: IntArray
    step_come_time: IntArray
    """Draws in [0, CELLS) for when the person comes."""

    @property
    def num_cases(self) -> int:
        """How many cases arrive."""
        return len(self.case_type)

    @property
    def num_steps(self) -> int:
        """How many steps they have in all."""
        return len(self.step_time)

    # --- one entry a step, worked out when first asked for ---

    @cached_property
    def step_case(self) -> IntArray:
        """The case that each step belongs to."""
        return np.repeat(np.arange(self.num_cases), np.diff(self.first_step))

    @cached_property
    def step_activity(self) -> IntArray:
        """Activity numbered through the hall."""
        of_itineraries = [
            it.activity + first
            for it, first in zip(self.itineraries, self.first_activity, strict=True)
        ]
        return self._of_steps(np.zeros(0, np.int64), *of_itineraries)

    @cached_property
    def step_visit(self) -> IntArray:
        """How often the case has come to the activity, from 1."""
        return self._of_steps(np.zeros(0, np.int32), *(it.visit for it in self.itineraries))

    @cached_property
    def step_is_repeat(self) -> BoolArray:
        """In a later pass of a loop."""
        return self._of_steps(np.zeros(0, np.bool_), *(it.is_repeat for it in self.itineraries))

    def _of_steps(self, *of_itineraries: np.ndarray) -> np.ndarray:
        return np.concatenate(of_itineraries)[self._joined_place]

    @cached_property
    def _joined_place(self) -> IntArray:
        """The place of each step plus where its itinerary begins in the joined itineraries."""
        begins = np.cumsum([0, *(it.num_steps for it in self.itineraries)])
        offsets = begins[self.itinerary] - self.first_step[:-1]
        return np.arange(self.num_steps) + np.repeat(offsets, np.diff(self.first_step))
