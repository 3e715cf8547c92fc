"""A loaded scenario shown again: the complete file, where its numbers are from, and YAML text.

What a file leaves out is filled in from the defaults of the models; what it says stays as it was
written (`52 %`, `12 min`).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml
from pydantic import BaseModel

from sim.documents import SOURCE_KEY, SOURCE_WORDS, resolve
from sim.errors import Mark
from sim.scenario import Scenario
from sim.tree import (
    UNPRINTABLE,
    ListNode,
    MapNode,
    Node,
    Scalar,
    ScalarValue,
    child,
    dotted,
    numbers,
)

DEFAULT: Final = Mark("default")
DEFAULT_SOURCE: Final = "assumed, default"
_NOWHERE: Final = Mark("")
LONG_LIST: Final = 50
"""Lists of more values are shown without saying where each is from."""


@dataclass(frozen=True)
class Provenance:
    """One number of a scenario, and what is said about where it is from."""

    path: str
    """Dotted path, such as `pools.windows.shifts.day.servers`."""
    value: ScalarValue
    """As it was written."""
    mark: Mark
    kind: str | None
    """stated, derived, calibrated or assumed; None if nothing is said."""
    source: str | None
    """The whole statement."""


def resolved_text(scenario: Scenario, tree: MapNode) -> str:
    """The complete scenario as YAML, with file, line and statement behind each value."""
    return to_yaml(_with_sources(_complete(scenario, tree)), _remark)


def provenance_of(tree: MapNode) -> list[Provenance]:
    """Every number of a tree; those of one long list, such as a recording, count as one."""
    rows = []
    for path, leaf in _said(_shortened(tree)):
        kind = next((word for word in SOURCE_WORDS if (leaf.source or "").startswith(word)), None)
        rows.append(Provenance(dotted(path), leaf.value, leaf.mark, kind, leaf.source))
    return rows


def _said(node: Node) -> Iterator[tuple[tuple[str | int, ...], Scalar]]:
    """Every number that may say where it is from; those in texts for people do not."""
    for path, leaf in numbers(node):
        if path[-1:] not in (("label",), ("description",)) and "label" not in path[-2:-1]:
            yield path, leaf


def _with_sources(node: Node) -> Node:
    """The tree with entries that say where numbers are from, when it is read again.

    A map of which all numbers are from one place says so once; another says it of its own values
    key by key, and leaves it to the maps and lists of maps in it.
    """
    if isinstance(node, ListNode):
        return replace(node, items=tuple(map(_with_sources, node.items)))
    if not isinstance(node, MapNode):
        return node
    sources = _sources(node)
    entries = dict(node.entries)
    statement: Node
    if len(sources) == 1 and None not in sources:
        statement = Scalar(sources.pop(), _NOWHERE)
    else:
        entries = {key: _with_sources(below) for key, below in entries.items()}
        own = {
            key: Scalar(source, _NOWHERE)
            for key, below in node.entries.items()
            if entries[key] == below and len(found := _sources(below)) == 1
            for source in found
            if source
        }
        statement = _map(own, _NOWHERE, None)
    if isinstance(statement, Scalar) or statement.entries:
        entries = {SOURCE_KEY: statement, **entries}
    return _map(entries, node.mark, node.source)


def _sources(node: Node) -> set[str | None]:
    """What is said of the numbers below."""
    return {leaf.source for path, leaf in _said(MapNode({"": node}, {}, node.mark))}


def _complete(value: object, node: Node | None) -> Node:
    """The tree of a value: what was written where it was written, and the defaults."""
    if isinstance(node, MapNode):
        entries = dict(_fields(value))
        # In the order of the file, then what it leaves out.
        order = [*(key for key in node.entries if key in entries), *entries]
        completed = {key: _complete(entries[key], child(node, key)) for key in dict.fromkeys(order)}
        return _map(completed, node.mark, node.source)
    if isinstance(node, ListNode):
        if not isinstance(value, tuple) or len(value) != len(node.items):
            return node  # a short form of what the value says
        if len(node.items) > LONG_LIST and all(isinstance(item, Scalar) for item in node.items):
            nowhere = [replace(v, mark=_NOWHERE) for v in node.items if isinstance(v, Scalar)]
            return replace(node, items=tuple(nowhere))
        pairs = zip(value, node.items, strict=True)
        items = [_complete(v, item) if isinstance(item, MapNode) else item for v, item in pairs]
        return replace(node, items=tuple(items))
    return node if node is not None else _default(value)


def _fields(value: object) -> list[tuple[str, object]]:
    """Key and value of everything that a model or a map says."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        pairs = [(field.alias or name, getattr(value, name)) for name, field in fields]
        return [(key, below) for key, below in pairs if below is not None]
    assert isinstance(value, Mapping)
    return [(str(key), below) for key, below in value.items()]


def _default(value: object) -> Node:
    if isinstance(value, BaseModel | Mapping):
        return _map({key: _default(below) for key, below in _fields(value)}, DEFAULT, None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = tuple(_default(below) for below in value)
        return ListNode(items, DEFAULT, DEFAULT_SOURCE)
    assert value is None or isinstance(value, str | int | float)
    return Scalar(value, DEFAULT, DEFAULT_SOURCE)


def _map(entries: Mapping[str, Node], mark: Mark, source: str | None) -> MapNode:
    return MapNode(entries, {key: below.mark for key, below in entries.items()}, mark, source)


def _remark(node: Node) -> str:
    if node.mark in (DEFAULT, _NOWHERE):
        return node.mark.file
    place = f"{node.mark.file}:{node.mark.line}" if node.mark.line else node.mark.file
    return f"{place} {node.source}" if node.source else place


def _shortened(node: Node) -> Node:
    """The tree with one number in the place of every long list."""
    if isinstance(node, ListNode):
        if len(node.items) > LONG_LIST:
            return Scalar(f"{len(node.items)} values", node.mark, node.source)
        return replace(node, items=tuple(_shortened(item) for item in node.items))
    if isinstance(node, MapNode):
        return replace(node, entries={k: _shortened(below) for k, below in node.entries.items()})
    return node


# Writing

_FLOW_WIDTH = 72
_COMMENT_COLUMN = 44
# Text that needs no quotes in any position, as long as it does not resolve to something else.
_YAML_1_1: Any = yaml.SafeLoader("")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-9]{1,2})+(\.[0-9_]*)?")
_BARE = re.compile(r"\w(?:[\w.%/+()-]|:(?=\w)| +(?=[\w.%/+()-]))*")


def to_yaml(node: Node, comment: Callable[[Node], str] | None = None) -> str:
    """Block style YAML that reads back to the same data, with a comment behind each value.

    `comment` is asked for every scalar and for every list that is written in one line. Sources are
    no data: they are written only if `comment` tells them, or as entries (`_with_sources`).
    """
    lines = []
    for text, remark in _block(node, comment or (lambda _: "")):
        lines.append(f"{text:<{_COMMENT_COLUMN}}  # {remark}" if remark else text)
    return "\n".join(lines) + "\n"


def _block(node: Node, comment: Callable[[Node], str]) -> list[tuple[str, str]]:
    """Lines, each with its comment."""
    if (inline := _inline(node)) is not None:
        return [(inline, " ".join(UNPRINTABLE.sub(" ", comment(node)).split()))]
    lines: list[tuple[str, str]] = []
    if isinstance(node, ListNode):
        for item in node.items:
            (first, remark), *others = _block(item, comment)
            lines.append((f"- {first}", remark))
            lines.extend((f"  {text}", remark) for text, remark in others)
    elif isinstance(node, MapNode):
        for key, child in node.entries.items():
            below = _block(child, comment)
            # Some readers would make a date of it, which is no text.
            name = json.dumps(key) if _DATE.fullmatch(key) else _written(key)
            if _inline(child) is not None:
                lines.append((f"{name}: {below[0][0]}", below[0][1]))
                continue
            lines.append((f"{name}:", ""))
            lines.extend((f"  {text}", remark) for text, remark in below)
    return lines


def _inline(node: Node) -> str | None:
    """A value that fits in one line: a scalar, an empty map, a short list of scalars."""
    match node:
        case Scalar():
            return _written(node.value)
        case MapNode():
            return None if node.entries else "{}"
        case ListNode():
            texts = [_written(item.value) for item in node.items if isinstance(item, Scalar)]
            text = f"[{', '.join(texts)}]"
            return text if len(texts) == len(node.items) and len(text) <= _FLOW_WIDTH else None


def _written(value: ScalarValue) -> str:
    if isinstance(value, str):
        return _text_written(value)
    if isinstance(value, float):
        text = str(value).replace("inf", ".inf").replace("nan", ".nan")
        return text.replace("e", ".0e") if "." not in text else text  # 1e+16 is text in YAML 1.1
    return json.dumps(value)


@functools.lru_cache(maxsize=10_000)
def _text_written(text: str) -> str:
    is_bare = _BARE.fullmatch(text) and isinstance(resolve(text), str)
    if is_bare and not _means_something_else(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _means_something_else(text: str) -> bool:
    """Whether readers of YAML 1.1 (most of them) take it for a number, an instant or yes and no."""
    if text.lower() in ("y", "n") or _BASE_60.fullmatch(text):
        return True
    kind = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))
    is_readable = _DATE.fullmatch(text)
    return kind != "tag:yaml.org,2002:str" and not is_readable
