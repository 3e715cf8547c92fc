"""A small hall that studies of fits and assumptions look at: it runs in some milliseconds."""

from __future__ import annotations

from pathlib import Path

from sim.loading import Loaded, load_document

HALL = """\
# A hall that is looked at.
calendar: weekdays
hours: {day: ["09:00-12:00", "13:00-17:00"]}
working_hours: day
horizon: {from: 2015-01-05, to: 12 working days, source: derived, warm_up: 0 working days}
source: assumed, an example
label: {en: A hall, zh: 大厅}
profiles: {even: {half_hours: {"09:00": 1, "14:00": 1}}}
trips:
  source: calibrated against hearsay
  filing: {label: {en: File, zh: 申请}, profile: even, comes: 50 %}     # of those who could
  collection:
    comes: 50 %
    profile: even        # as before
pools:
  desk: {label: {en: Desk, zh: 窗口}, shifts: {day: {servers: 2}}}
case_types:
  company:
    label: {en: Company, zh: 企业}
    arrivals: {per_working_day: 12, profile: even}
    attributes: {way: {short: 25 %, long: 45 %, other: 30 %}}
    activities:
      file:
        trip: filing
        pool: desk
        service: {lognormal: {mean: 10 min, cv: 0.5}}
        milestone: filed
      collect:
        after: file
        gate: {at: "16:00"}
        trip: collection
        pool: desk
        service:
          constant: 5 min
        milestone: collected
  branch:
    like: company
    arrivals: {per_working_day: 1}
promises:
  filing: {label: {en: Filing, zh: 申请办理}, case_types: company, to: filed, within: 1 working day}
  all: {label: {en: All, zh: 全部}, case_types: company, to: collected, within: 2 working days}
published:
  days:
    label: {en: Days, zh: 天数}
    metric: working_days_mean
    subject: all
    equals: 0.8
    tolerance: 0.05
"""


def write_hall(published: str = "", text: str = HALL) -> Path:
    """The file of the hall, with other published figures if some are given."""
    path = Path("scenarios/hall.yaml")
    path.parent.mkdir(exist_ok=True)
    if published:
        text = f"{text[: text.index('published:')]}published:\n{published}"
    path.write_text(text, encoding="utf-8")
    return path


def studied_hall(published: str = "", text: str = HALL) -> Loaded:
    return load_document(write_hall(published, text))


def write_fit(*free: str, targets: str = "") -> Path:
    path = Path("scenarios/fits/hall.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"\n  {one}" for one in free)
    path.write_text(f"free:{lines}\n" + (f"targets: {targets}\n" if targets else ""))
    return path
