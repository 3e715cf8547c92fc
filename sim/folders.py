"""A folder that is written whole or not at all.

What comes is written beside its place, in `.hall-*.tmp/new`, and moved there when it is complete;
what was there is moved to `.hall-*.tmp/old` and goes. A run that is killed leaves its temporary
folder, and the next one that writes in the same place removes it: folders in use are locked.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NEW, OLD = "new", "old"
FRESH: Final = 1.0
"""Seconds for which a folder is not taken for a stale one: it is locked after it is made."""


@contextmanager
def new_folder(path: Path, check: Callable[[Path], object]) -> Iterator[Path]:
    """An empty folder that comes to a path when the block is done, in the place of what is there.

    check  raises if what is there may not be replaced.

    After an error or an interruption the path is as it was. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_stale(path.parent)
    with _temporary(path.parent) as folder:
        new, old = folder / NEW, folder / OLD
        new.mkdir()
        yield new
        if not path.exists():
            new.rename(path)
            return
        check(path)
        try:
            path.rename(old)
            new.rename(path)
        except BaseException:  # KeyboardInterrupt too
            if not path.exists():
                old.rename(path)
            raise


def check_writable(place: Path) -> None:
    """Raise OSError if nothing can be written in a folder."""
    with _temporary(place):
        pass


@contextmanager
def _temporary(place: Path) -> Iterator[Path]:
    folder = place / f".hall-{secrets.token_hex(6)}.tmp"
    lock = None
    try:
        folder.mkdir()
        lock = _lock(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """A lock that holds as long as this process lives; None if another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows, where nothing is locked and nothing cleared
        return None
    lock = None
    try:
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if lock is not None:
            os.close(lock)
        return None
    return lock


def _clear_stale(place: Path) -> None:
    """Remove what runs that were killed have left."""
    for folder in place.glob(f".hall-{'[0-9a-f]' * 12}.tmp"):
        # Killed between the two moves: what was there before is nowhere else.
        is_halfway = (folder / OLD).exists() and (folder / NEW).exists()
        is_old = folder.exists() and time.time() - folder.stat().st_mtime > FRESH
        if is_old and not is_halfway and (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
