"""Discrete-event simulation of government service halls.

    >>> import sim
    >>> tutorial = sim.load_document("scenarios/tutorial.yaml")
    >>> four = "pools.windows.shifts.day.servers=4"
    >>> more = sim.load_document("scenarios/tutorial.yaml", settings=[four])
    >>> experiment = sim.run({"two": tutorial, "four": more}, replications=5)
    >>> list(experiment.estimates)          # pandas: one row a metric
    ['scenario', 'metric', 'subject', 'unit', 'mean', 'low', 'high', 'replications']
    >>> differences = experiment.differences()      # the others minus the first, in pairs
    >>> waits = differences[differences["metric"] == "waiting_time_mean"].set_index("subject")
    >>> bool(waits["high"]["windows"] < 0)          # with four windows people wait less
    True

One replication, step by step:

    >>> plan = sim.compile_plan(sim.load("scenarios/tutorial.yaml"))
    >>> workload = sim.draw_workload(plan, seed=1, replication=0)
    >>> log = sim.simulate(plan, workload)
    >>> list(sim.event_frame(plan, workload, log))  # pandas: one row an event
    ['at', 'event', 'case', 'case_type', 'step', 'activity', 'pool', 'server']
    >>> measures = sim.measure(plan, workload, log)
    >>> found = sim.replicate(plan, seed=1, replication=0)
    >>> found.measures.lead_times == measures.lead_times    # the same in one call
    True

Each of these is imported when it is first used, so that `import sim` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.draws import draw_workload
    from sim.engines.simpy_engine import simulate
    from sim.errors import HallError, ScenarioError
    from sim.experiment import Experiment
    from sim.figures import experiment_figures
    from sim.frames import case_frame, event_frame
    from sim.laws import check_laws
    from sim.loading import load, load_document, provenance, resolved_yaml, scenario_from
    from sim.metric_definitions import METRICS
    from sim.metrics import measure
    from sim.output_analysis import estimate
    from sim.planning import compile_plan
    from sim.precision import Precision
    from sim.replication import replicate
    from sim.results import read_results
    from sim.running import run
    from sim.sources import load_all

__all__ = [
    "METRICS",
    "Experiment",
    "HallError",
    "Precision",
    "ScenarioError",
    "case_frame",
    "check_laws",
    "compile_plan",
    "draw_workload",
    "estimate",
    "event_frame",
    "experiment_figures",
    "load",
    "load_all",
    "load_document",
    "measure",
    "provenance",
    "read_results",
    "replicate",
    "resolved_yaml",
    "run",
    "scenario_from",
    "simulate",
]

# A name that is a module's too, such as `offered_load`, cannot be here: the module would hide it.
_MODULES = {
    "METRICS": "metric_definitions",
    "Experiment": "experiment",
    "HallError": "errors",
    "Precision": "precision",
    "ScenarioError": "errors",
    "case_frame": "frames",
    "check_laws": "laws",
    "compile_plan": "planning",
    "draw_workload": "draws",
    "estimate": "output_analysis",
    "event_frame": "frames",
    "experiment_figures": "figures",
    "load": "loading",
    "load_all": "sources",
    "load_document": "loading",
    "measure": "metrics",
    "provenance": "loading",
    "read_results": "results",
    "replicate": "replication",
    "resolved_yaml": "loading",
    "run": "running",
    "scenario_from": "loading",
    "simulate": "engines.simpy_engine",
}


def __getattr__(name: str) -> Any:
    """What has been asked for, from the module that it is in."""
    if name not in _MODULES:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sim.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All of it."""
    return sorted({*globals(), *_MODULES})
