"""Files that are written whole, or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of an earlier one when it is complete. Raises OSError.

    What a process that was killed has left of it is written over: one at a time writes a file.
    """
    new = path.with_name(f".{path.name}.tmp")
    try:
        new.write_bytes(content)
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()
