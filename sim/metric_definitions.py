"""What is measured: every metric's name, unit and definition, in one place.

A metric is *of* a subject: a promise (a time between two milestones), a pool, a channel (a value of
the attribute `channel`), a case type, a stock, or the hall. How it is computed is in `metrics`.

Cases are those that arrive in the measured part of the horizon; waiting and service are those
that begin in it. A case that is unfinished at the end counts as taking longer than it had by then
(Kaplan-Meier), and its share stands beside every time. Lost cases are counted, and have no times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sim.durations import Clock, Duration
from sim.timeline import HOUR

Subject = Literal["promise", "pool", "channel", "case_type", "stock", "hall"]
HALL: Final = "hall"
"""The subject of metrics that are of everything."""
CHANNEL: Final = "channel"
"""The attribute whose values are channels."""

WORKING_DAYS: Final = "working days"
LEAD_TIME_UNITS: Final = {
    Clock.WORKING_DAYS: (WORKING_DAYS, 1),
    Clock.CLOCK_TIME: ("h", HOUR),
    Clock.WORKING_TIME: ("working h", HOUR),
}
"""In what a lead time is given on each clock, and how many days or seconds that is."""
SHARE = "%"
"""Shares are kept as 0 to 1 and shown in per cent."""


def lead_time_limit(within: Duration) -> float:
    """A promise's limit in the unit in which its lead times are given."""
    if within.clock is Clock.WORKING_DAYS:
        return within.amount
    return within.seconds / LEAD_TIME_UNITS[within.clock][1]


@dataclass(frozen=True)
class Metric:
    """A metric's name, unit and definition, and what it can be of."""

    name: str
    unit: str
    definition: str
    subjects: tuple[Subject, ...]
    is_headline: bool = False
    """Whether it leads a report."""
    can_be_negative: bool = False

    @property
    def is_share(self) -> bool:
        """Whether its values are shares, 0 to 1."""
        return self.unit == SHARE


_COUNTED = "counted in working days; the day on which the clock starts is day 0"
_ELAPSED = "elapsed, nights and days off included"
_OPEN = "in working time: only open hours count"
_WAITING = "from joining the queue to the start of service, nights included"


def _times(prefix: str, unit: str, what: str) -> tuple[Metric, ...]:
    subjects: tuple[Subject, ...] = ("promise",)
    lead = prefix == "working_days"
    return (
        Metric(f"{prefix}_mean", unit, f"Mean time between the milestones, {what}", subjects),
        *(
            Metric(
                f"{prefix}_{statistic}",
                unit,
                f"Time within which {share} of the cases are done, {what}",
                subjects,
                is_headline=lead and statistic != "p95",
            )
            for statistic, share in (("median", "half"), ("p90", "90 %"), ("p95", "95 %"))
        ),
    )


_WAITS: tuple[Subject, ...] = ("pool", "channel")
_COHORT: tuple[Subject, ...] = ("case_type", "hall")

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        *_times("working_days", WORKING_DAYS, _COUNTED),
        *_times("elapsed_hours", "h", _ELAPSED),
        *_times("working_hours", "h", _OPEN),
        Metric(
            "on_time_share",
            SHARE,
            "Share of cases within the promise, on the clock of the promise; without those lost",
            ("promise",),
            True,
        ),
        Metric(
            "unfinished_share",
            SHARE,
            "Share of cases whose clock runs at the end of the horizon",
            ("promise",),
        ),
        Metric(
            "lost_share",
            SHARE,
            "Share of cases that were lost on the way: no time of theirs counts",
            ("promise",),
        ),
        Metric(
            "promised_cases",
            "cases",
            "Cases that the promise is about, without those lost",
            ("promise",),
        ),
        Metric("waiting_time_mean", "min", f"Mean waiting time, {_WAITING}", _WAITS, True),
        Metric(
            "waiting_time_p90",
            "min",
            f"Time that 90 % of services are waited for at most: {_WAITING}",
            _WAITS,
        ),
        *(
            Metric(
                f"waiting_over_{minutes}_min",
                SHARE,
                f"Share of services that were waited for longer than {minutes} minutes",
                _WAITS,
            )
            for minutes in (10, 15, 30)
        ),
        Metric(
            "utilisation",
            SHARE,
            "Share of the servers' time on shift in which they serve",
            ("pool",),
            True,
        ),
        Metric(
            "queue_length_mean",
            "cases",
            "Mean number waiting, over the half-hours in which the pool is open",
            ("pool",),
        ),
        Metric("queue_length_max", "cases", "Largest number waiting", ("pool",)),
        Metric(
            "overtime_hours",
            "h/working day",
            "Service beyond the shift's hours, over all its servers",
            ("pool", "hall"),
        ),
        Metric("turned_away", "persons", "How often a person was sent away", ("pool", "hall")),
        Metric("reneged", "persons", "How often a person left a queue", ("pool", "hall")),
        Metric(
            "throughput_per_day",
            "cases/working day",
            "Cases that leave with everything done",
            _COHORT,
        ),
        Metric("arrivals", "cases", "Cases that arrive", _COHORT),
        Metric("finished", "cases", "Of these, with everything done by the end", _COHORT),
        Metric("in_progress", "cases", "Of these, unfinished at the end", _COHORT),
        Metric("lost", "cases", "Of these, gone for good with something undone", _COHORT),
        Metric(
            "backlog_growth",
            "cases/working day",
            "All cases in progress at the end, minus those at the beginning of the measured part, "
            "for each working day in it",
            _COHORT,
            can_be_negative=True,
        ),
        Metric("visits_mean", "visits", "Mean visits of a finished case", _COHORT, True),
        Metric("visits_median", "visits", "Median visits of a finished case", _COHORT),
        Metric("no_visit_share", SHARE, "Share of finished cases without a visit", _COHORT),
        Metric("one_visit_share", SHARE, "Share of finished cases with one visit", _COHORT),
        Metric("more_visits_share", SHARE, "Share of finished cases with two or more", _COHORT),
        Metric(
            "first_pass_share",
            SHARE,
            "Share of finished cases of which nothing was sent back",
            _COHORT,
        ),
        Metric("documents_mean", "documents", "Mean documents handed in, each once", _COHORT),
        Metric(
            "stock",
            "cases",
            "The known count, and all that came and went until the end of the horizon",
            ("stock",),
            can_be_negative=True,
        ),
        Metric("stock_share", SHARE, "Its share of the stock that it is a part of", ("stock",)),
    )
}
