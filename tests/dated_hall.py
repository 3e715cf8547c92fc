"""A small hall whose numbers change by date, and that two reforms change, for the studies of it."""

from __future__ import annotations

from pathlib import Path

from sim.loading import Loaded, load_document

HALL = """\
calendar: always
hours: {day: ["09:00-17:00"]}
working_hours: day
horizon: {from: 2020-01-01, to: 2020-01-21}
source: assumed, an example
profiles: {even: {half_hours: {"09:00": 1, "13:00": 1}}}
trips: {come: {}}
pools:
  desk: {shifts: {day: {servers: {2020-01-01: 1, 2020-01-10: 2}}}, at_closing: wait}
  office: {shifts: {day: {servers: 2}}, at_closing: wait}
  back: {shifts: {day: {servers: 1}}, at_closing: wait}
case_types:
  case:
    label: Case
    arrivals: {source: "RATES", per_working_day: {2020-01-01: 10, 2020-01-11: 14}, profile: even}
    activities:
      file: {label: File, trip: come, pool: desk, service: {exponential: {mean: 10 min}}}
      check: {label: Check, after: file, pool: office, service: {exponential: {mean: 40 min}}}
      sign: {label: Sign, after: check, pool: back, service: 5 min, milestone: signed}
  letter:
    label: Letter
    arrivals: {per_hour: 1}
    activities: {read: {label: Read, pool: back, service: 10 min}}
promises: {quick: {case_types: case, to: signed, within: 1 working day}}
published: {days: {metric: working_days_mean, subject: quick, equals: 0, tolerance: 0.5}}
stocks: {signed: {known: 5, known_on: 2019-12-31, gains: [{case_types: case, at: signed}]}}
dated_reforms: [reforms/more.yaml, reforms/team.yaml]
"""
MORE = """\
reform: more
effective: 2020-01-08
source: assumed, an example
changes:
  pools: {back: {shifts: {day: {servers: 2}}}}
  case_types: {letter: {arrivals: {per_hour: 2}}}
"""
TEAM = """\
reform: team
effective: 2020-01-15
source: assumed, an example
changes:
  pools: {team: {shifts: {day: {servers: 1}}, at_closing: wait}}
  case_types:
    group:
      label: Group
      arrivals: {every: 2 working days, at: "10:00", batch: 4}
      activities: {all: {label: All, pool: team, service: 20 min}}
  promises: {group: {label: Group, case_types: group, within: 1 working day}}
"""


def dated_hall(rates: str = "assumed") -> Loaded:
    """The hall, from files that are written where we are; `rates` is the source of its rates."""
    folder = Path("scenarios/reforms")
    folder.mkdir(parents=True, exist_ok=True)
    Path("scenarios/hall.yaml").write_text(HALL.replace("RATES", rates), encoding="utf-8")
    (folder / "more.yaml").write_text(MORE, encoding="utf-8")
    (folder / "team.yaml").write_text(TEAM, encoding="utf-8")
    return load_document("scenarios/hall.yaml")
