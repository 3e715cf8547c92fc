"""A replication's measures as text that is kept: the same measures give the same bytes.

JSON in which each number is written in the fewest digits that give it back to the last bit; what
is not a number is `NaN`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sim.metrics import Measures

DETAILED: Final = 100
"""Replications of which distributions are kept: more would change no figure, and take memory."""


@dataclass(frozen=True)
class Record:
    """What is kept of a replication."""

    keys: bytes
    """Metric and subject of each value: the same in all replications of a scenario."""
    measures: bytes
    """The values, and the tables of an early replication."""
    engine: str

    @classmethod
    def of(cls, measures: Measures, number: int, engine: str, with_details: bool = True) -> Record:
        """The record of replication `number`; of an early one with distributions, if wanted."""
        values = measures.values
        data: dict[str, Any] = {"values": list(values.values())}
        if with_details and number < DETAILED:
            for name in ("lead_times", "half_hours", "visits"):
                table = getattr(measures, name)
                data[name] = {column: np.asarray(c).tolist() for column, c in table.items()}
        return cls(_json(list(values)), _json(data), engine)

    @property
    def has_details(self) -> bool:
        """Whether it has distributions."""
        return read(self)[1].keys() != {"values"}


def read(record: Record) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Metric and subject of each value; `values`, and tables by name if there are some."""
    keys = [(metric, subject) for metric, subject in json.loads(record.keys)]
    return keys, json.loads(record.measures)


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
