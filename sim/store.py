"""Replications that last: a database in the results folder, each row with its checksum.

SQLite keeps what is committed whatever happens to the process. What is done is committed at once,
or with the next replication if the last commit is less than half a second old; at most that is lost
when a run is killed. One run at a time writes in a folder: it holds a lock that the system takes
back when it ends, however it ends.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from sim.definition import Definition
from sim.errors import ResultsError
from sim.records import Record
from sim.texts import one_line

STORE: Final = "replications.sqlite"
LOCK: Final = ".lock"
FORMAT_VERSION: Final = 4
COMMIT_EVERY: Final = 0.5
"""Seconds."""
PATIENCE: Final = 1.0
"""Seconds to wait for a lock: workers of a run that was killed hold it for a moment."""

_SCHEMA: Final = (
    "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL)",
    "CREATE TABLE keys (scenario TEXT PRIMARY KEY, keys BLOB NOT NULL)",
    "CREATE TABLE compared (scenario TEXT PRIMARY KEY)",
    "CREATE TABLE replications (scenario TEXT, number INTEGER, engine TEXT NOT NULL,"
    " measures BLOB NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (scenario, number))",
    "CREATE TABLE splits (scenario TEXT, number INTEGER, engine TEXT NOT NULL,"
    " splits BLOB NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (scenario, number))",
)


class Store:
    """The replications of one experiment; in memory without a path."""

    def __init__(self, path: Path | None, definition: Definition) -> None:
        self.path = path
        self.definition = definition
        try:
            self._database = sqlite3.connect(":memory:" if path is None else path)
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from None
        self._committed_at = time.monotonic()

    @classmethod
    def in_memory(cls, definition: Definition) -> Store:
        """A new store that is gone with the process."""
        store = cls(None, definition)
        store._create()
        return store

    def _create(self) -> None:
        """Make the tables, all of them or none."""
        self._write("BEGIN")
        for statement in _SCHEMA:
            self._write(statement)
        self.note("format_version", FORMAT_VERSION)
        self.note("definition", self.definition.text)
        self.commit()

    def _is_new(self) -> bool:
        return not list(self._rows("SELECT name FROM sqlite_master"))

    # What is there

    def done(self, scenario: str) -> set[int]:
        """The numbers of a scenario's replications that are kept."""
        rows = self._rows("SELECT number FROM replications WHERE scenario = ?", scenario)
        return {number for (number,) in rows}

    def split(self, scenario: str) -> set[int]:
        """The numbers of a scenario's replications of which splits are kept."""
        rows = self._rows("SELECT number FROM splits WHERE scenario = ?", scenario)
        return {number for (number,) in rows}

    def scenarios(self) -> list[str]:
        """The scenarios of which replications are kept, by name."""
        rows = self._rows("SELECT DISTINCT scenario FROM replications ORDER BY scenario")
        return [scenario for (scenario,) in rows]

    def compared(self) -> set[str]:
        """The scenarios of which replication 0 was compared in both engines."""
        return {scenario for (scenario,) in self._rows("SELECT scenario FROM compared")}

    def engines(self) -> set[str]:
        """The engines that did what is there."""
        query = "SELECT engine FROM replications UNION SELECT engine FROM splits"
        return {engine for (engine,) in self._rows(query)}

    def records(self, scenario: str, numbers: range) -> Iterator[tuple[int, Record]]:
        """Number and record of those of a scenario's replications that are kept, in order.

        Raises ResultsError if one is not as it was written.
        """
        keys = next(
            (k for (k,) in self._rows("SELECT keys FROM keys WHERE scenario = ?", scenario)), b""
        )
        rows = self._rows(
            "SELECT number, engine, measures, checksum FROM replications"
            " WHERE scenario = ? AND number >= ? AND number < ? ORDER BY number",
            *(scenario, numbers.start, numbers.stop),
        )
        for number, engine, measures, checksum in rows:
            record = Record(keys, measures, engine)
            if checksum != _checksum(scenario, number, *astuple(record)):
                what = f"replication {number} of {one_line(scenario)} is not as it was written"
                raise self._damaged(what)
            yield number, record

    def splits(self, scenario: str, numbers: range) -> Iterator[tuple[int, bytes]]:
        """Number and splits of those of a scenario's replications that have some, in order.

        Raises ResultsError if they are not as they were written.
        """
        rows = self._rows(
            "SELECT number, engine, splits, checksum FROM splits"
            " WHERE scenario = ? AND number >= ? AND number < ? ORDER BY number",
            *(scenario, numbers.start, numbers.stop),
        )
        for number, engine, splits, checksum in rows:
            if checksum != _checksum(scenario, number, engine, splits):
                what = f"what is split of replication {number} of {one_line(scenario)}"
                raise self._damaged(f"{what} is not as it was written")
            yield number, splits

    def noted(self, key: str) -> Any:
        """What was noted last under a key; None if nothing was."""
        for text, checksum in self._rows("SELECT value, checksum FROM about WHERE key = ?", key):
            if checksum != _checksum(key, text):
                raise self._damaged(f"{key} is not as it was written")
            return json.loads(text)
        return None

    def check(self) -> None:
        """Raise ResultsError unless the file is whole."""
        [found] = [text for (text,) in self._rows("PRAGMA integrity_check(1)")]
        if found != "ok":
            raise self._damaged(found)
        # To SQLite what is cut off from the last page is zeros.
        assert self.path is not None
        [(pages,)] = self._rows("PRAGMA page_count")
        [(page_size,)] = self._rows("PRAGMA page_size")
        size = self.path.stat().st_size
        if size < pages * page_size:
            raise self._damaged(f"it ends after {size:,} of {pages * page_size:,} bytes")

    def _rows(self, query: str, *values: object) -> Iterator[Any]:
        try:
            # A cursor that is iterated would be closed with the generator: after the database.
            yield from iter(self._database.execute(query, values).fetchone, None)
        except UnicodeDecodeError as error:  # of names in the file that a message repeats
            raise self._damaged(str(error)) from None
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from None

    # What comes

    def add(self, scenario: str, number: int, record: Record) -> None:
        """Keep a replication."""
        self._write("INSERT OR IGNORE INTO keys VALUES (?, ?)", scenario, record.keys)
        self._write(
            "INSERT INTO replications VALUES (?, ?, ?, ?, ?)",
            *(scenario, number, record.engine, record.measures),
            _checksum(scenario, number, *astuple(record)),
        )
        self._commit_now_and_then()

    def add_splits(self, scenario: str, number: int, engine: str, splits: bytes) -> None:
        """Keep what was split of a replication."""
        row = (scenario, number, engine, splits)
        self._write("INSERT INTO splits VALUES (?, ?, ?, ?, ?)", *row, _checksum(*row))
        self._commit_now_and_then()

    def add_compared(self, scenario: str) -> None:
        """Remember that both engines agree on a scenario."""
        self._write("INSERT OR IGNORE INTO compared VALUES (?)", scenario)

    def note(self, key: str, value: object) -> None:
        """Keep a value that JSON can say, in the place of an earlier one."""
        text = json.dumps(value, ensure_ascii=False)
        row = (key, text, _checksum(key, text))
        self._write("INSERT OR REPLACE INTO about VALUES (?, ?, ?)", *row)

    def commit(self) -> None:
        """From now on it is there whatever happens."""
        try:
            self._database.commit()
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from None
        self._committed_at = time.monotonic()

    def _commit_now_and_then(self) -> None:
        if time.monotonic() - self._committed_at > COMMIT_EVERY:
            self.commit()

    def _write(self, query: str, *values: object) -> None:
        try:
            self._database.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Give the file back; what is not committed is lost."""
        self._database.close()

    # What goes wrong

    def _failed(self, error: sqlite3.DatabaseError) -> ResultsError:
        if getattr(error, "sqlite_errorname", "") in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            return self._damaged(str(error))
        return ResultsError(f"{one_line(self.path)}: cannot be read or written: {error}")

    def _damaged(self, reason: str) -> ResultsError:
        return ResultsError(
            f"{one_line(self.path)}: damaged: {one_line(reason)}; nothing of it is used: "
            "move the folder away, and the same command makes it anew"
        )


@contextmanager
def open_to_write(folder: Path, definition: Definition) -> Iterator[Store]:
    """The store of an experiment in a folder that is there, made if there is none.

    Raises ResultsError if another run is at work there, if the folder holds another experiment, or
    if the store is damaged; then nothing is changed.
    """
    with locked(folder):
        store = Store(folder / STORE, definition)
        try:
            if store._is_new():
                store._create()
            else:
                _check(store, _definition_in(store))
            store.note("held_by", _this_process())
            store.commit()
            yield store
        finally:
            # What was done before an error or an interruption stays done.
            with suppress(ResultsError):
                store.commit()
            store.close()


def _check(store: Store, found: Definition) -> None:
    if differences := store.definition.differences(found):
        raise ResultsError(
            f"{one_line(store.path)}: holds another experiment ({one_line('; '.join(differences))})"
            "; name another folder, or none: hall names it after what defines the experiment"
        )
    store.check()


@contextmanager
def open_to_read(folder: Path) -> Iterator[Store]:
    """The store in a folder, with the definition that it has.

    Raises ResultsError if there is none, or if it is damaged.
    """
    path = folder / STORE
    if not path.is_file():
        raise ResultsError(f"{one_line(folder)}: no results folder (no {STORE} in it)")
    store = Store(path, Definition({}, 0, {}))
    try:
        store.definition = _definition_in(store)
        store.check()
        yield store
    finally:
        store.close()


def _definition_in(store: Store) -> Definition:
    version = store.noted("format_version")
    if version != FORMAT_VERSION:
        raise ResultsError(
            f"{one_line(store.path)}: results of format {one_line(str(version))}, "
            f"of which this version of hall knows {FORMAT_VERSION} only"
        )
    try:
        return Definition.from_text(store.noted("definition"))
    except (LookupError, TypeError, ValueError) as error:
        raise store._damaged(f"{type(error).__name__}: {error}") from None


def _checksum(*values: object) -> str:
    """Of a row's values; a damaged one may hold any type in the place of another."""
    return hashlib.sha256(ascii(values).encode()).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Write alone in a folder; raises ResultsError if somebody else does."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise ResultsError(f"{one_line(folder)}: {_holder(folder)} is at work there") from None
    try:
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    """Who holds the lock, as far as it is known."""
    with suppress(ResultsError), open_to_read(folder) as store:
        found = store.noted("held_by")
        if isinstance(found, Mapping):
            return one_line("process {pid} on {host}, since {since},".format_map(found))
    return "another run"


def _this_process() -> dict[str, Any]:
    now = dt.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
