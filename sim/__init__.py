"""Discrete-event simulation of government service halls.

    import sim

    experiment = sim.run(["scenarios/lanzhou-2015.yaml", "scenarios/lanzhou-2020.yaml"])
    experiment.estimates                    # pandas: one row a metric
    experiment.differences()                # the others minus the first, with paired intervals

    plan = sim.compile_plan(sim.load("scenarios/tutorial.yaml"))
    workload = sim.draw_workload(plan, seed=1, replication=0)
    log = sim.simulate(plan, workload)
    sim.event_frame(plan, workload, log)    # pandas: one row an event
    sim.replicate(plan, seed=1, replication=0, engine="compiled").measures      # the same, fast

Each of these is imported when it is first used, so that `import sim` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.draws import draw_workload
    from sim.engines.simpy_engine import simulate
    from sim.errors import HallError, ScenarioError
    from sim.experiment import Experiment, load_all, run
    from sim.figures import experiment_figures
    from sim.frames import case_frame, event_frame
    from sim.laws import check_laws
    from sim.loading import load, load_document, provenance, resolved_yaml, scenario_from
    from sim.metric_definitions import METRICS
    from sim.metrics import measure
    from sim.output_analysis import estimate
    from sim.planning import compile_plan
    from sim.replication import replicate
    from sim.results import read_results, write_results

__all__ = [
    "METRICS",
    "Experiment",
    "HallError",
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
    "write_results",
]

# A name that is a module's too, such as `offered_load`, cannot be here: the module would hide it.
_MODULES = {
    "METRICS": "metric_definitions",
    "Experiment": "experiment",
    "HallError": "errors",
    "ScenarioError": "errors",
    "case_frame": "frames",
    "check_laws": "laws",
    "compile_plan": "planning",
    "draw_workload": "draws",
    "estimate": "output_analysis",
    "event_frame": "frames",
    "experiment_figures": "figures",
    "load": "loading",
    "load_all": "experiment",
    "load_document": "loading",
    "measure": "metrics",
    "provenance": "loading",
    "read_results": "results",
    "replicate": "replication",
    "resolved_yaml": "loading",
    "run": "experiment",
    "scenario_from": "loading",
    "simulate": "engines.simpy_engine",
    "write_results": "results",
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
