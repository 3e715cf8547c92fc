"""From YAML text to a tree in which every value knows where it stands.

Holds reading (a safe subset of YAML) and `--set` options. Leaves writing to `resolved`, and to
others what a tree is and how trees are merged, what the keys mean, and which file extends which.

Conventions: lines and columns count from 1. Text is Unicode NFC, so that a name is the same name
whichever keyboard wrote it. The key `source` is no entry: it says where the numbers of its map and
of everything below it are from; the nearest statement above a value, in the same file, counts. It
may say so key by key: `source: {servers: stated by the hall, room: assumed}`.
Nodes are never changed; functions return new ones.
"""

from __future__ import annotations

import codecs
import functools
import json
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from sim.errors import Mark, Problem, ScenarioError
from sim.tree import (
    MAX_KEY_LENGTH,
    UNPRINTABLE,
    KeyPath,
    ListNode,
    MapNode,
    Node,
    Scalar,
    ScalarValue,
    dotted,
    shown,
    suggest,
)

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

SOURCE_KEY = "source"
SOURCE_WORDS = ("stated", "derived", "calibrated", "assumed")
SETTING = "--set "
"""The mark of a setting is this and its path."""
SETTING_SOURCE = "assumed, set on the command line"

# Reading


def read_document(path: Path, root: Path) -> MapNode:
    """The map in a YAML file inside the folder `root`; marks name the file as `path` does.

    Raises ScenarioError for a file that cannot be read, that leads out of `root` (after symlinks),
    or that is outside the safe subset: one document, UTF-8, no anchors, aliases, tags, merge keys,
    control characters or duplicate keys, and not larger than the MAX_ constants.
    """
    name = str(path)
    content = read_bytes(path, root, MAX_BYTES).removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _end_of(content[: error.start].decode("utf-8"))
        found = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise _error(Mark(name, line, column), found) from None
    node = _read_file(name, text)
    if node is None:
        raise _error(Mark(name, 1, 1), "the file is empty; a map of 'key: value' lines is expected")
    if not isinstance(node, MapNode):
        raise _error(node.mark, "a map of 'key: value' lines is expected at the top of the file")
    return node


def read_bytes(path: Path, root: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file inside `root`.

    Raises ScenarioError for a file that cannot be read, that leads out of `root` (after symlinks)
    or that is larger than `max_bytes`; no more than that is read.
    """
    mark = Mark(str(path))
    try:
        real = Path(os.path.realpath(path, strict=True))
        if not real.is_relative_to(os.path.realpath(root)):
            raise _error(mark, f"is outside the folder {root}; only files inside it are read")
        if not stat.S_ISREG(real.stat().st_mode):
            raise _error(mark, "is not a regular file")
        with real.open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _error(mark, f"cannot be read: {reason}") from None
    if len(content) > max_bytes:
        raise _error(mark, f"is larger than {max_bytes // 1024 // 1024} MiB")
    return content


def parse_setting(text: str) -> MapNode:
    """The patch that `pools.windows.shifts.day.servers=4` stands for; the right side is YAML.

    `arrivals={per_working_day: 5}` sets a map, `activities.review=null` removes.
    """
    left, equals, right = text.partition("=")
    mark = Mark(f"{SETTING}{shown(left)}")
    if not equals:
        raise _error(mark, "no '='; write path.to.value=new value")
    keys = [unicodedata.normalize("NFC", key.strip()) for key in left.split(".")]
    faults = [fault for key in keys if (fault := _key_fault(key))]
    if len(keys) > MAX_DEPTH:
        faults = [f"nested deeper than {MAX_DEPTH}"]
    if SOURCE_KEY in keys:
        faults.append("a source is not a value; it cannot be set here")
    if faults:
        raise ScenarioError([Problem(mark, "", fault) for fault in faults])
    mark = Mark(f"{SETTING}{dotted(keys)}")
    node = _read_text(right, lambda line, column: mark)
    if node is None:
        raise _error(mark, "nothing after '='; write null to remove a value")
    node = _inherit(node, SETTING_SOURCE)
    for key in reversed(keys):
        node = MapNode({key: node}, {key: mark}, mark, SETTING_SOURCE)
    assert isinstance(node, MapNode)
    return node


def from_plain(data: object, mark: Mark, source: str | None) -> Node:
    """The tree of Python dicts, lists and scalars, all of it at one mark.

    It keeps the rules of a file: keys are text, a `source` key is a statement. Raises ValueError
    for nan and infinity, TypeError for objects that JSON does not have.
    """
    # JSON is YAML, so the reader that checks files checks this too.
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    node = _read_text(text, lambda line, column: mark)
    assert node is not None
    return _inherit(node, source)


def resolve(text: str) -> ScalarValue:
    """What unquoted text means by the core rules of YAML 1.2: 010 is 10, no and 09:30 are text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        # A number of a thousand digits becomes inf, which callers refuse; int() would refuse it.
        is_integer = text.lstrip("+-").isdecimal() and len(text) <= 100
        return int(text) if is_integer else float(text)
    return text


_CONSTANTS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,80}|0o[0-7]{1,80}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_STATEMENT = re.compile(rf"({'|'.join(SOURCE_WORDS)})(?![A-Za-z0-9_-])")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# The C loader where there is one: its events are safe (its compose is not) and 20 times faster.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.lru_cache(maxsize=128)
def _read_file(name: str, text: str) -> Node | None:
    """The tree of a file: read once, however many scenarios the file is a part of."""
    return _read_text(text, lambda line, column: Mark(name, line, column))


def _read_text(text: str, mark_at: Callable[[int, int], Mark]) -> Node | None:
    """The tree of one YAML document, None for an empty one; `mark_at` takes line and column."""
    if found := UNPRINTABLE.search(text):
        line, column = _end_of(text[: found.start()])
        raise _error(mark_at(line, column), _refused_character(found[0]))
    reader = _Reader(text, mark_at)
    node = reader.read()
    if reader.problems:
        raise ScenarioError(reader.problems)
    return None if node is None else _inherit(node, None)


@dataclass
class _Reader:
    """Builds the tree from PyYAML's events, so that a bomb is refused before it is unfolded.

    What breaks the subset stops the reading; what is wrong with one entry is collected.
    """

    text: str
    mark_at: Callable[[int, int], Mark]
    problems: list[Problem] = field(default_factory=list)
    num_nodes: int = 0

    def __post_init__(self) -> None:
        self.events: Iterator[Any] = yaml.parse(self.text, Loader=_LOADER)

    def read(self) -> Node | None:
        self._next()  # the stream starts
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        event = self._next()
        # `---` or a comment alone is an empty document.
        is_empty = isinstance(event, yaml.ScalarEvent) and event.value == "" and _is_plain(event)
        node = self._node(event, ())
        self._next()  # the document ends
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            self._stop(self._mark(event), (), "a second document; one file holds one document")
        return None if is_empty else node

    def _node(self, event: Any, path: tuple[str | int, ...]) -> Node:
        mark = self._mark(event)
        self._refuse(event, mark, path)
        if isinstance(event, yaml.ScalarEvent):
            text = unicodedata.normalize("NFC", event.value)
            if found := UNPRINTABLE.search(text):  # by an escape such as "\e"
                self.problems.append(Problem(mark, dotted(path), _refused_character(found[0])))
            return Scalar(resolve(text) if _is_plain(event) else text, mark)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(event, (*path, len(items))))
            return ListNode(tuple(items), mark)
        return self._map(mark, path)

    def _map(self, mark: Mark, path: tuple[str | int, ...]) -> MapNode:
        entries: dict[str, Node] = {}
        key_marks: dict[str, Mark] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key_mark = self._mark(event)
            key = self._key(event, key_mark, path)
            value = self._node(self._next(), (*path, key))
            if key in key_marks:
                first = key_marks[key].line
                where = f"; the first is in line {first}" if first else ""
                message = f"the key '{shown(key)}' is given twice{where}"
                self.problems.append(Problem(key_mark, dotted((*path, key)), message))
                continue
            entries[key] = value
            key_marks[key] = key_mark
        key_marks.pop(SOURCE_KEY, None)
        statement = entries.pop(SOURCE_KEY, None)
        source = None
        if isinstance(statement, MapNode) and statement.entries:
            for key, below in statement.entries.items():
                if key in entries:
                    said = self._statement(below, path)
                    entries[key] = replace(entries[key], source=entries[key].source or said)
                else:
                    message = f"nothing here is called '{shown(key)}'.{suggest(key, entries)}"
                    place = dotted((*path, SOURCE_KEY, key))
                    self.problems.append(Problem(below.mark, place, message.removesuffix(".")))
        elif statement is not None:
            source = self._statement(statement, path)
        return MapNode(entries, key_marks, mark, source)

    def _statement(self, node: Node, path: KeyPath) -> str | None:
        """The text of a `source` entry in one line."""
        text = node.value if isinstance(node, Scalar) else None
        if isinstance(text, str) and _STATEMENT.match(text):
            return " ".join(text.split())
        words = f"{', '.join(SOURCE_WORDS[:-1])} or {SOURCE_WORDS[-1]}"
        found = f"'{shown(text)}'" if isinstance(text, str) else "no text"
        message = f"a source begins with {words}; found {found}"
        self.problems.append(Problem(node.mark, dotted((*path, SOURCE_KEY)), message))
        return None

    def _key(self, event: Any, mark: Mark, path: tuple[str | int, ...]) -> str:
        self._refuse(event, mark, path)
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(mark, path, "a list or a map cannot be a key")
        key = unicodedata.normalize("NFC", event.value)
        fault = _key_fault(key)
        if _is_plain(event):
            if key == "<<":
                self._stop(mark, path, "a merge key (<<); write the entries out")
            value = resolve(key)
            if value is None or isinstance(value, bool | float):
                fault = f"a key must be text; put quotes around '{shown(key)}'"
        if fault:
            self.problems.append(Problem(mark, dotted(path), fault))
        return key

    def _refuse(self, event: Any, mark: Mark, path: tuple[str | int, ...]) -> None:
        """Stop at what the subset leaves out."""
        self.num_nodes += 1
        if isinstance(event, yaml.AliasEvent):
            self._stop(mark, path, f"an alias (*{shown(str(event.anchor))}); write the value out")
        if event.anchor is not None:
            self._stop(mark, path, f"an anchor (&{shown(event.anchor)}); remove it")
        if event.tag is not None:
            self._stop(mark, path, f"a tag ({shown(event.tag)}); remove it")
        if isinstance(event, yaml.CollectionStartEvent) and len(path) >= MAX_DEPTH:
            self._stop(mark, (), f"nested deeper than {MAX_DEPTH}")
        if self.num_nodes > MAX_NODES:
            self._stop(mark, path, f"more than {MAX_NODES} values in one file")

    def _next(self) -> Any:
        try:
            return next(self.events)
        except yaml.MarkedYAMLError as error:
            place = error.problem_mark or error.context_mark
            line, column = (place.line, place.column) if place else (0, 0)
            self._stop(self.mark_at(line + 1, column + 1), (), self._syntax(error, line, column))
        except (yaml.YAMLError, UnicodeError) as error:
            self._stop(self.mark_at(1, 1), (), f"not YAML: {shown(str(error))}")

    def _syntax(self, error: yaml.MarkedYAMLError, line: int, column: int) -> str:
        """A syntax error in one line, with the two commonest in plain words."""
        if "cannot start any token" in (error.problem or ""):
            character = _LINE_BREAK.split(self.text)[line][column : column + 1]
            if character == "\t":
                return "a tab; indent with spaces"
            return f"a value cannot begin with {character}; put it in quotes"
        what = error.context or "while reading"
        if not self.mark_at(1, 1).line:  # a setting, which has one line, and is most often text
            return f"not YAML: {what}, {error.problem}; put it in quotation marks"
        first = error.context_mark.line if error.context_mark else line
        begun = f" (begun in line {first + 1})" if first < line else ""
        return f"not YAML: {what}{begun}, {error.problem}"

    def _mark(self, event: Any) -> Mark:
        return self.mark_at(event.start_mark.line + 1, event.start_mark.column + 1)

    def _stop(self, mark: Mark, path: KeyPath, message: str) -> NoReturn:
        raise ScenarioError([*self.problems, Problem(mark, dotted(path), message)]) from None


def _is_plain(event: Any) -> bool:
    """Without quotes; the pure loader says None, the C loader an empty text."""
    return not event.style


def _key_fault(key: str) -> str | None:
    """Why this text cannot be a key."""
    if not key:
        return "an empty key"
    if len(key) > MAX_KEY_LENGTH:
        return f"a key of more than {MAX_KEY_LENGTH} characters: '{shown(key)}'"
    if found := UNPRINTABLE.search(key) or re.search(r"[\t\n\r]", key):
        return f"{_refused_character(found[0])} in a key"
    return None


def _inherit(node: Node, source: str | None) -> Node:
    """The tree with each statement handed down to all below it that has none of its own."""
    source = node.source or source
    match node:
        case Scalar():
            return replace(node, source=source)
        case ListNode():
            items = tuple(_inherit(item, source) for item in node.items)
            return replace(node, source=source, items=items)
        case MapNode():
            entries = {key: _inherit(child, source) for key, child in node.entries.items()}
            return replace(node, source=source, entries=entries)


# Messages


def _error(mark: Mark, message: str) -> ScenarioError:
    return ScenarioError([Problem(mark, "", message)])


def _refused_character(character: str) -> str:
    return f"the character U+{ord(character):04X} is not allowed"


def _end_of(text: str) -> tuple[int, int]:
    """Line and column just behind this text."""
    lines = _LINE_BREAK.split(text)
    return len(lines), len(lines[-1]) + 1
