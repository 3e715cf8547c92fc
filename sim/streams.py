"""Random numbers by name, so that nothing depends on what else is drawn."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np


class Streams:
    """Uniform numbers in [0, 1) by name, for one seed and replication."""

    def __init__(self, seed: int, replication: int) -> None:
        self._prefix = f"{seed}/{replication}/"

    def key(self, *name: object) -> bytes:
        """The 128 bits that stand for a name, lowest first."""
        # A cryptographic hash of the name keys a counter-based generator: no two names share a
        # stream, and no stream depends on which others are used.
        text = self._prefix + "/".join(map(str, name))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def generator(self, *name: object) -> np.random.Generator:
        """A generator at the beginning of a stream, good until the next one is asked for."""
        # Making a generator takes ten times as long as setting one.
        generator, beginning = self._generator
        beginning["state"]["key"] = np.frombuffer(self.key(*name), "<u8")
        generator.bit_generator.state = beginning
        return generator

    def uniforms(self, count: int, *name: object) -> np.ndarray:
        """The first `count` numbers of a stream, float64."""
        return self.generator(*name).random(count)

    @cached_property
    def _generator(self) -> tuple[np.random.Generator, Any]:
        """A generator and its state at the beginning of a stream."""
        bits = np.random.Philox(key=0)
        return np.random.Generator(bits), bits.state
