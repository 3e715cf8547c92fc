"""Measured data in CSV files, put into the tree where a scenario names the file.

Three places name one: recorded arrivals, observed service times, and a list of working days. The
tree that comes out needs no file, and each value knows its line and column of the CSV file.

A file is UTF-8 (with or without BOM), separated by commas, with a header in its first row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sim.documents import read_bytes
from sim.errors import Mark, Problem, ScenarioError
from sim.tree import ListNode, MapNode, Node, Scalar, child, dotted, shown, suggest

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_CELLS: Final = 1_000_000
MAX_ROW_PROBLEMS: Final = 20
ARRIVED_AT: Final = "arrived_at"
_OTHER_SEPARATOR: Final = re.compile(r"[;\t|]")

Open = Callable[[Mark, str], tuple[Path, Path]]
"""For a file named at a mark: its path, and the root folder that it must lie in."""
_Path = tuple[str | int, ...]


def inline_recordings(tree: MapNode, locate_file: Open) -> MapNode:
    """The tree with the contents of every CSV file in the place of its name.

    Raises ScenarioError for files that cannot be read and rows that cannot be used, all at once.
    """
    inliner = _Inliner(locate_file)
    changed = inliner.walk(tree, ())
    if inliner.problems:
        raise ScenarioError(inliner.problems)
    assert isinstance(changed, MapNode)
    return changed


class _Inliner:
    def __init__(self, locate_file: Open) -> None:
        self.locate_file = locate_file
        self.problems: list[Problem] = []

    def walk(self, node: Node, path: _Path) -> Node:
        if not isinstance(node, MapNode):
            return node
        entries = {}
        for key, below in node.entries.items():
            here = (*path, key)
            file = child(below, "file") if key in ("empirical", "calendar") else below
            if not isinstance(file, Scalar) or not isinstance(file.value, str):
                entries[key] = self.walk(below, here)
            elif key == "recorded" and path[-1:] == ("arrivals",):
                entries[key] = self.recorded(file, file.value, here)
            elif key == "empirical" and isinstance(below, MapNode):
                entries[key] = self.observations(below, file, file.value, here)
            elif key == "calendar" and not path and isinstance(below, MapNode):
                entries[key] = self.dates(below, file, file.value, here)
            else:
                entries[key] = self.walk(below, here)
        return replace(node, entries=entries)

    def recorded(self, file: Scalar, name: str, path: _Path) -> Node:
        """A list of instants, and one of each attribute."""
        columns = self.columns(file, name, path)
        return MapNode(columns, dict.fromkeys(columns, file.mark), file.mark, file.source)

    def observations(self, node: MapNode, file: Scalar, name: str, path: _Path) -> Node:
        """Durations: the numbers of one column with the unit that the scenario names."""
        column, unit = child(node, "column"), child(node, "unit")
        header = column.value if isinstance(column, Scalar) else "duration"
        suffix = unit.value if isinstance(unit, Scalar) else "min"

        def duration(cell: Scalar) -> Scalar:
            if not re.fullmatch(r"\d+(\.\d*)?(e[+-]?\d+)?", str(cell.value)):
                raise ValueError(f"a number of 0 or more is wanted, not '{shown(str(cell.value))}'")
            return replace(cell, value=f"{cell.value} {suffix}")

        values = self.column(file, name, str(header), path, duration)
        return _with_list(node, ("file", "column", "unit"), "values", values)

    def dates(self, node: MapNode, file: Scalar, name: str, path: _Path) -> Node:
        """The dates of the column `date`."""

        def date(cell: Scalar) -> Scalar:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(cell.value)):
                found = shown(str(cell.value))
                raise ValueError(f"a date is written 2015-12-31, not '{found}'")
            return cell

        return _with_list(node, ("file",), "dates", self.column(file, name, "date", path, date))

    def column(
        self, file: Scalar, name: str, header: str, path: _Path, convert: Callable[[Scalar], Scalar]
    ) -> ListNode:
        """One column of a file, each cell converted."""
        columns = self.columns(file, name, path)
        if not columns:
            return ListNode((), file.mark, file.source)
        if header not in columns:
            hint = suggest(header, columns)
            message = f"no column '{header}' in {name}.{hint} Columns: {', '.join(columns)}"
            self.problems.append(Problem(file.mark, dotted(path), message))
            return ListNode((), file.mark, file.source)
        items = []
        problems = []
        for cell in columns[header].items:
            try:
                assert isinstance(cell, Scalar)
                items.append(convert(cell))
            except ValueError as error:
                problems.append(Problem(cell.mark, "", str(error)))
        self.problems.extend(_first_of(problems))
        return replace(columns[header], items=tuple(items))

    def columns(self, file: Scalar, name: str, path: _Path) -> dict[str, ListNode]:
        """Every column of a file, by its header; none if it cannot be read."""
        try:
            return read_columns(*self.locate_file(file.mark, name), file)
        except ScenarioError as error:
            first, *others = error.problems
            if first.mark.line == 0:  # about the file as a whole: say who asked for it
                text = f"{first.mark.file} {first.message}"
                first = Problem(file.mark, dotted(path), text)
            self.problems.extend([first, *others])
            return {}


def read_columns(path: Path, root: Path, file: Scalar) -> dict[str, ListNode]:
    """The columns of a CSV file as lists of text, by header.

    file  the value that names the file; its source is that of every cell.
    """
    name = str(path)
    content = read_bytes(path, root, MAX_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ScenarioError([Problem(Mark(name, line, 1), "", found)]) from None
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, strict=True)
    rows: list[tuple[int, list[str]]] = []
    num_cells = 0
    try:
        line = 1
        for row in reader:
            if row:  # an empty line is no row
                rows.append((line, row))
                num_cells += len(row)
            if num_cells > MAX_CELLS:
                message = f"more than {MAX_CELLS} values in one file"
                raise ScenarioError([Problem(Mark(name, line, 1), "", message)])
            line = reader.line_num + 1
    except csv.Error as error:
        raise ScenarioError([Problem(Mark(name, line, 1), "", f"not CSV: {error}")]) from None
    if rows and len(rows[0][1]) == 1 and (other := _OTHER_SEPARATOR.search(rows[0][1][0])):
        message = f"columns are separated by commas, found '{other[0]}'".replace("\t", "tab")
        raise ScenarioError([Problem(Mark(name, 1, 1), "", message)])
    if len(rows) < 2:
        message = "a header and at least one row are wanted"
        raise ScenarioError([Problem(Mark(name, 1, 1), "", message)])
    headers = [header.strip() for header in rows[0][1]]
    problems = [
        Problem(Mark(name, 1, 1), "", f"the column '{shown(header)}' is given twice")
        for number, header in enumerate(headers)
        if header in headers[:number]
    ]
    columns: list[list[Node]] = [[] for _ in headers]
    for line, row in rows[1:]:
        if len(row) != len(headers):
            message = f"{len(headers)} values are wanted, found {len(row)}"
            problems.append(Problem(Mark(name, line, 1), "", message))
            continue
        starts = _columns_of(lines[line - 1], row)
        for cells, cell, start in zip(columns, row, starts, strict=True):
            cells.append(Scalar(cell.strip(), Mark(name, line, start), file.source))
    if problems:
        raise ScenarioError(_first_of(problems))
    return {
        header: ListNode(tuple(cells), file.mark, file.source)
        for header, cells in zip(headers, columns, strict=True)
    }


def and_more(problems: Sequence[Problem]) -> Problem:
    """What stands for the problems of one file that are not shown one by one."""
    return Problem(Mark(problems[0].mark.file), "", f"... and {len(problems)} more")


def _first_of(problems: Sequence[Problem]) -> list[Problem]:
    """The first MAX_ROW_PROBLEMS of one file, and how many more there are."""
    rest = problems[MAX_ROW_PROBLEMS:]
    return [*problems[:MAX_ROW_PROBLEMS], *([and_more(rest)] if rest else [])]


def _columns_of(line: str, row: Sequence[str]) -> list[int]:
    """Where each value of a row begins in its line, from 1."""
    starts = [1]
    in_quotes = False
    if '"' not in line:
        for cell in row[:-1]:
            starts.append(starts[-1] + len(cell) + 1)
        return starts
    for number, character in enumerate(line, start=1):
        in_quotes ^= character == '"'
        if character == "," and not in_quotes:
            starts.append(number + 1)
    # A value with a line break goes on in the next line, and so do those behind it.
    return (starts + [1] * len(row))[: len(row)]


def _with_list(node: MapNode, without: Sequence[str], key: str, values: ListNode) -> MapNode:
    """The map with a list in the place of the keys that named its file."""
    entries = {name: below for name, below in node.entries.items() if name not in without}
    marks = {name: mark for name, mark in node.key_marks.items() if name not in without}
    return replace(node, entries=entries | {key: values}, key_marks=marks | {key: values.mark})
