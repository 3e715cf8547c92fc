"""A replication's measures and splits as text that is kept: the same ones give the same bytes.

JSON in which each number is written in the fewest digits that give it back to the last bit; what
is not a number is `NaN`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

import numpy as np

from sim.critical_path import Split, SplitPart
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
            for name in ("lead_times", "half_hours", "visits", "months"):
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


def splits_text(splits: Sequence[Split]) -> bytes:
    """What is kept of a replication's lead times."""
    return _json([astuple(split) for split in splits])


def read_splits(text: bytes) -> tuple[Split, ...]:
    """The splits of such a text."""
    return tuple(
        Split(span, finished, unfinished, time, tuple(SplitPart(*part) for part in parts))
        for span, finished, unfinished, time, parts in json.loads(text)
    )


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
