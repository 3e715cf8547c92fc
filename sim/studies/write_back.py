"""Fitted values written into the scenario files that say them, comments and layout as they are.

Text is replaced at the mark of a value and nowhere else. Where a value is from is said too: a
statement that it was calibrated is replaced by the new one; another statement stands for other
values as well, so a new one for this value alone is put beside it. What was written is read again:
if anything but the fitted values and what is said of them is different, the files are put back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sim.comparison import SHARE_UNIT, unit_of
from sim.documents import SOURCE_KEY
from sim.errors import Mark, Problem, ResultsError, ScenarioError
from sim.files import write_whole
from sim.loading import Loaded
from sim.numbers import percent
from sim.promises import Published
from sim.studies.fits import Fit, Point
from sim.studies.moved import leaves
from sim.texts import one_line
from sim.tree import ScalarValue, dotted

CALIBRATED: Final = "calibrated"
Reload = Callable[[], Loaded]
"""Reads the scenario of a fit from its files once more."""


@dataclass(frozen=True)
class Change:
    """One value that is to stand in a file in the place of another."""

    mark: Mark
    path: str
    """Dotted; the first one, of a value that several case types have."""
    before: str
    after: str

    @property
    def is_new(self) -> bool:
        """Whether the value becomes another one."""
        return self.before != self.after

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.mark}: {self.path}: {self.before} -> {self.after}"


def changes(fit: Fit, point: Point) -> list[Change]:
    """Every value of a parameter in the files, one by one, whether it becomes another or not."""
    found: dict[Mark, Change] = {}
    marks = {path: leaf.mark for path, leaf in leaves(fit.loaded.tree)}
    for parameter, value in zip(fit.parameters, point, strict=True):
        before, after = parameter.text(parameter.start), parameter.text(value)
        for path in parameter.paths:
            found.setdefault(marks[path], Change(marks[path], dotted(path), before, after))
    return [found[mark] for mark in sorted(found)]


def statement(targets: Mapping[str, Published], fit_file: Path, confirmed: bool = False) -> str:
    """What a value that was fitted says of where it is from.

    confirmed  whether it stays, though another would be nearer to the middle of the targets.
    """
    said = []
    for name, target in targets.items():
        for words, figure in (
            ("", target.equals),
            (" at least", target.at_least),
            (" at most", target.at_most),
        ):
            if figure is not None:
                is_share = unit_of(target.metric) == SHARE_UNIT
                number = percent(figure) if is_share else f"{figure:.10g}"
                said.append(f"{name}{words} {number}")
    return (
        f"{CALIBRATED} against {', '.join(said)} (fits/{fit_file.name}{'; confirmed' * confirmed})"
    )


def write_back(fit: Fit, point: Point, statement: str, reload: Reload) -> list[Change]:
    """Write the values of a point, and where they are from, into the files of the scenario.

    statement  what each of them says of where it is from.

    Gives the values, those that stay included. Raises ScenarioError if a file is no longer what was
    read, or says it in a way that cannot be changed, and ResultsError for one that cannot be
    written. Then everything is as it was.
    """
    wanted = changes(fit, point)
    before: dict[Path, bytes] = {}
    try:
        for name in dict.fromkeys(change.mark.file for change in wanted):
            path = Path(name)
            before[path] = path.read_bytes()
            mine = [change for change in wanted if change.mark.file == name]
            text = _edited(before[path].decode("utf-8"), mine, fit, statement)
            write_whole(path, text.encode())
        _check(fit, point, statement, reload())
    except (ScenarioError, OSError) as error:
        for path, content in before.items():
            write_whole(path, content)
        if isinstance(error, OSError):
            raise ResultsError(f"{one_line(error.filename)}: {error.strerror}") from None
        raise
    return wanted


def _check(fit: Fit, point: Point, statement: str, after: Loaded) -> None:
    """Raise ScenarioError unless the fitted values alone, and their statements, are different."""
    expected = dict(leaves(fit.scenario(point).tree))
    found = dict(leaves(after.tree))
    own = {path for parameter in fit.parameters for path in parameter.paths}
    for path in [*expected, *(path for path in found if path not in expected)]:
        old, new = expected.get(path), found.get(path)
        is_same = old is not None and new is not None and _same(old.value, new.value)
        if is_same and (path in own or old is None or new is None or old.source == new.source):
            continue
        if is_same and new is not None and (new.source or "") == statement:
            continue  # others of the branch were calibrated with them
        mark = new.mark if new is not None else fit.loaded.tree.mark
        message = "cannot be written back: another value would change; change it by hand"
        raise ScenarioError([Problem(mark, dotted(path), message)])


def _same(first: ScalarValue, second: ScalarValue) -> bool:
    return first == second and type(first) is type(second)


# Text


@dataclass(frozen=True)
class _Place:
    """A value in a text."""

    begin: int
    end: int
    """Characters from the start of the text."""
    quote: str
    key: str
    key_column: int
    in_flow: bool
    """Whether its map stands in braces."""


def _edited(text: str, wanted: Sequence[Change], fit: Fit, statement: str) -> str:
    sources = {leaf.mark: leaf.source for _, leaf in leaves(fit.loaded.tree)}
    places = _places(text)
    edits: dict[tuple[int, int], str] = {}
    for change in wanted:
        place = places.get((change.mark.line, change.mark.column))
        if place is None or text[place.begin : place.end].strip("'\"") != change.before:
            message = f"'{change.before}' is no longer there; load the scenario again"
            raise ScenarioError([Problem(change.mark, change.path, message)])
        edits[place.begin, place.end] = f"{place.quote}{change.after}{place.quote}"
        source = sources[change.mark] or ""
        if source == statement:
            continue
        if source.startswith(CALIBRATED):
            said = _statement_behind(text, place.end, source) if place.in_flow else None
            said = said or _statement_before(text, place.begin, source)
            if said is not None:
                edits[said] = _in_the_style_of(text[slice(*said)], statement)
                continue
        own = f'{SOURCE_KEY}: {{{place.key}: "{statement}"}}'
        if place.in_flow:
            edits[place.end, place.end] = f", {own}"
        else:
            end = text.find("\n", place.end)
            end = len(text) if end < 0 else end
            edits[end, end] = f"\n{' ' * place.key_column}{own}"
    for (begin, end), new in sorted(edits.items(), reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def _statement_before(text: str, end: int, source: str) -> tuple[int, int] | None:
    """Where the nearest statement of these words ends before a place, as it stands in the text."""
    found = [match.span() for match in _said(source).finditer(text, 0, end)]
    return found[-1] if found else None


def _statement_behind(text: str, begin: int, source: str) -> tuple[int, int] | None:
    """The same behind a place, in its line: in braces the statement may come last."""
    end = text.find("\n", begin)
    match = _said(source).search(text, begin, len(text) if end < 0 else end)
    return match.span() if match else None


def _said(source: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, source.split()))
    return re.compile(rf"\"{words}\"|'{words}'|{words}")


def _in_the_style_of(old: str, statement: str) -> str:
    quote = old[0] if old[0] in "\"'" else ""
    is_bare = not quote and not re.search(r"[:#,{}\[\]]", statement)
    return f"{quote}{statement}{quote}" if quote or is_bare else f'"{statement}"'


def _places(text: str) -> dict[tuple[int, int], _Place]:
    """Every value of a map by line and column, which count from 1."""
    places = {}
    stack: list[tuple[bool, bool]] = []
    """Of each map or list that is open: whether it is a map, and whether it stands in brackets."""
    key: Any = None
    # Python's own loader: it counts characters, and its marks know how many.
    events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
    for event in events:
        is_start = isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent)
        in_map = bool(stack) and stack[-1][0]
        if isinstance(event, yaml.ScalarEvent) and in_map and key is None:
            key = event
            continue
        if isinstance(event, yaml.ScalarEvent) and in_map:
            at: Any = event.start_mark
            end: Any = event.end_mark
            quote = event.style if event.style in ("'", '"') else ""
            places[at.line + 1, at.column + 1] = _Place(
                *(at.index, end.index, quote),
                *(key.value, key.start_mark.column, stack[-1][1]),
            )
        key = None
        if is_start:
            stack.append((isinstance(event, yaml.MappingStartEvent), bool(event.flow_style)))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
    return places
