"""Trees of a scenario file: every value knows where it stands and where its number is from.

Holds the three kinds of node, merging, and looking things up. Leaves reading and writing text to
`documents`. Nodes are never changed; functions return new ones.

Conventions: lines and columns count from 1. The key `source` of a file is no entry of its map: it
has become the `source` of the map and of everything below it that has no nearer statement.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from sim.errors import Mark, Problem, ScenarioError

MAX_KEY_LENGTH: Final = 200
"""Characters; YAML itself gives up on a `key:` of more than 1024."""
# Everything that is refused: control characters, the line separators of old YAML, stray BOMs.
UNPRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

ScalarValue: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: text, number, true, false or null."""

    value: ScalarValue
    mark: Mark
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ListNode:
    """Values in order."""

    items: tuple[Node, ...]
    mark: Mark
    source: str | None = None


@dataclass(frozen=True, slots=True)
class MapNode:
    """Values by key, in the order of the file; `key_marks` has the same keys."""

    entries: Mapping[str, Node]
    key_marks: Mapping[str, Mark]
    mark: Mark
    source: str | None = None


Node: TypeAlias = Scalar | ListNode | MapNode
KeyPath: TypeAlias = Sequence[str | int]


def is_null(node: Node) -> bool:
    """Whether a node says that something is not there."""
    return isinstance(node, Scalar) and node.value is None


# Merging


def merge(base: MapNode, patch: MapNode) -> MapNode:
    """`base` changed by `patch` as in a JSON merge patch (RFC 7396).

    Maps merge, scalars and lists replace, null removes. Unlike in the RFC, a null that has nothing
    to remove is a problem, inside a new map too. Keys keep the order of `base`, new ones follow;
    every value keeps the mark and the source that it was written with.
    """
    problems: list[Problem] = []
    merged = _merge(base, patch, (), problems)
    if problems:
        raise ScenarioError(problems)
    return merged


def _merge(
    base: MapNode, patch: MapNode, path: tuple[str, ...], problems: list[Problem]
) -> MapNode:
    entries = dict(base.entries)
    key_marks = dict(base.key_marks)
    for key, change in patch.entries.items():
        here = (*path, key)
        old = base.entries.get(key)
        if is_null(change):
            if old is None:
                hint = suggest(key, base.entries)
                message = f"nothing to remove here{'.' if hint else ''}{hint}"
                problems.append(Problem(change.mark, dotted(here), message))
            entries.pop(key, None)
            key_marks.pop(key, None)
        elif isinstance(change, MapNode) and isinstance(old, MapNode):
            entries[key] = _merge(old, change, here, problems)
        else:
            if isinstance(change, MapNode):
                change = _merge(replace(change, entries={}, key_marks={}), change, here, problems)
            entries[key] = change
            key_marks[key] = patch.key_marks[key]
    return replace(base, entries=entries, key_marks=key_marks)


def without(node: MapNode, keys: Collection[str]) -> MapNode:
    """A map without some of its keys."""
    entries = {key: below for key, below in node.entries.items() if key not in keys}
    marks = {key: mark for key, mark in node.key_marks.items() if key not in keys}
    return replace(node, entries=entries, key_marks=marks)


# Looking things up


def plain(node: Node) -> Any:
    """The tree as Python dicts, lists and scalars."""
    match node:
        case Scalar():
            return node.value
        case ListNode():
            return [plain(item) for item in node.items]
        case MapNode():
            return {key: plain(child) for key, child in node.entries.items()}


def child(node: Node, part: str | int) -> Node | None:
    """What stands under a key of a map or at an index of a list, None if nothing does."""
    if isinstance(node, MapNode) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, ListNode) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def find(node: Node, path: KeyPath) -> Node | None:
    """The node at exactly this path, None if there is none."""
    found: Node | None = node
    for part in path:
        found = None if found is None else child(found, part)
    return found


def locate(node: Node, path: KeyPath) -> Mark:
    """Where the value at `path` begins, or the nearest thing above it that exists.

    Parts that are no keys are passed over: validation libraries put names of their own into paths.
    """
    for part in path:
        node = child(node, part) or node
    return node.mark


def locate_key(node: Node, path: KeyPath) -> Mark:
    """As `locate`, but where the key of that value begins (a list's item has none: its value)."""
    mark = node.mark
    for part in path:
        below = child(node, part)
        if below is None:
            continue
        mark = node.key_marks[str(part)] if isinstance(node, MapNode) else below.mark
        node = below
    return mark


def numbers(node: Node) -> Iterator[tuple[tuple[str | int, ...], Scalar]]:
    """Every leaf that says a number, with its path: 4, 12 min, 52 %, 2015-01-01, 08:30-12:00."""
    match node:
        case Scalar(value=None | bool()):
            return
        case Scalar(value=value):
            if not isinstance(value, str) or re.match(r"[-+]?[0-9]", value):
                yield (), node
        case ListNode():
            for index, item in enumerate(node.items):
                yield from (((index, *path), leaf) for path, leaf in numbers(item))
        case MapNode():
            for key, child in node.entries.items():
                yield from (((key, *path), leaf) for path, leaf in numbers(child))


def dotted(path: KeyPath) -> str:
    """A path as messages show it: `pools.windows.shifts[1].servers`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path)
    return text.removeprefix(".")


def suggest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word[:MAX_KEY_LENGTH], list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


# Text that may be shown


def shown(text: str) -> str:
    """Text from a file as one short line that cannot upset a terminal."""
    line = " ".join(UNPRINTABLE.sub("\ufffd", text[: MAX_KEY_LENGTH + 1]).split())
    return line if len(line) <= 60 else f"{line[:57]}..."
