"""The event log of one replication as a file, for process mining and for looking closely."""

from __future__ import annotations

from sim.frames import event_frame
from sim.plan import Plan
from sim.replication import Engine, replicate_log
from sim.table_files import parquet


def log_file(plan: Plan, seed: int, replication: int, engine: Engine) -> bytes:
    """Parquet with the columns of `event_frame`: the same bytes by both engines."""
    workload, log = replicate_log(plan, seed, replication, engine)
    return parquet(event_frame(plan, workload, log))
