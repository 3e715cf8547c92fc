"""What pydantic has against a tree, as problems in our own words, each at its place in a file.

Holds which key or value an error is about, and what to say. Leaves to `fields` and `scenario` what
is checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from sim.documents import MAX_DEPTH
from sim.errors import Problem
from sim.tree import (
    KeyPath,
    ListNode,
    MapNode,
    Node,
    Scalar,
    child,
    dotted,
    find,
    locate,
    locate_key,
    plain,
    shown,
    suggest,
)

_OTHER_WORDS: Final = {"min": "low", "max": "high", "minimum": "low", "maximum": "high"}
"""What other formats call a key of this one."""
KEY_PART: Final = "[key]"
"""Last part of a path that means the key itself and not what stands behind it."""

_MEANT: Final = re.compile(r"^unknown key\. Did you mean '([^']*)'\?")
_MAP_WANTED: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
_Model = TypeVar("_Model", bound=BaseModel)
_VALUE_WANTED: Final = frozenset(
    {"string_type", "int_type", "float_type", "bool_type", "literal_error", "tuple_type"}
)


def model_problems(
    error: ValidationError, tree: MapNode, schema: Mapping[str, Any]
) -> list[Problem]:
    """Everything that is wrong, in the order of the tree.

    schema  the JSON Schema of the model, which knows the keys of each place.
    """
    errors = error.errors(include_url=False)
    about_keys = [entry for entry in errors if entry["loc"][-1:] == (KEY_PART,)]
    about_values = [entry for entry in errors if entry not in about_keys]
    places = [existing(tree, entry["loc"]) for entry in about_values]
    or_a_map = {
        place
        for place, entry in zip(places, about_values, strict=True)
        if entry["type"] in _MAP_WANTED
    }
    problems = [_problem(entry, existing(tree, entry["loc"]), tree, schema) for entry in about_keys]
    for entry, place in zip(about_values, places, strict=True):
        if not _is_beside_the_point(entry["type"], place, places, tree):
            problem = _problem(entry, place, tree, schema)
            if entry["type"] in _VALUE_WANTED and place in or_a_map:
                message = problem.message.replace(" is wanted", " or a map is wanted", 1)
                problem = replace(problem, message=message)
            problems.append(problem)
    # What is missing only because its key is mistyped is no second problem.
    meant = {
        f"{problem.path.rpartition('.')[0]}.{key}".removeprefix(".")
        for problem in problems
        for key in _MEANT.findall(problem.message)
    }
    return [
        problem
        for problem in dict.fromkeys(problems)
        if problem.message != "missing" or problem.path not in meant
    ]


def problem_at(tree: MapNode, path: KeyPath, message: str) -> Problem:
    """A problem with the value at `path`, or with the key if the path ends with KEY_PART."""
    place = existing(tree, path)
    mark = locate_key(tree, place) if path and path[-1] == KEY_PART else locate(tree, place)
    return Problem(mark, dotted(place), message)


def existing(tree: Node, path: KeyPath) -> tuple[str | int, ...]:
    """The parts of a path that are keys of the tree, or indices.

    The others are names of pydantic's, or of the long form of something written in a short one:
    `service: 12 min` for `service: {constant: 12 min}`.
    """
    place: list[str | int] = []
    node = tree
    for number, part in enumerate(path):
        below = child(node, part)
        rest = path[number + 1 :]
        if below is None or (isinstance(part, int) and isinstance(below, Scalar) and rest):
            continue
        place.append(part)
        node = below
    return tuple(place)


def model_of_the_rest(
    model: type[_Model], tree: MapNode, stand_ins: Mapping[str, Any]
) -> _Model | None:
    """The model of a tree without the values that are wrong, None if nothing is left.

    stand_ins  values for keys on top that are missing or wrong.
    """
    data = plain(tree)
    # What is taken away lets the map around it fail, so there are at most as many rounds as levels.
    for _ in range(MAX_DEPTH):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for entry in error.errors(include_url=False):
                loc = entry["loc"]
                is_missing = entry["type"] == "missing"
                place = existing(tree, loc[:-1] if is_missing else loc)
                while place and isinstance(place[-1], int):
                    place = place[:-1]
                if place:
                    _remove(data, place)
                elif is_missing and loc[0] in stand_ins:
                    data[loc[0]] = stand_ins[str(loc[0])]
                else:
                    return None
    return None


def _remove(data: Any, place: KeyPath) -> None:
    """Take a value out of plain data; nothing happens if it, or what it was in, is gone."""
    *above, key = place
    for part in above:
        if isinstance(data, dict) and part not in data:
            return
        data = data[part]
    data.pop(key, None)


def _is_beside_the_point(
    kind: str, place: KeyPath, places: Sequence[KeyPath], tree: MapNode
) -> bool:
    """Whether an error is about the alternative that was not written.

    Where a value or a map may stand, pydantic tells what is wrong with each.
    """
    node = find(tree, place)
    if kind == "too_short":  # pydantic counts only what is right
        return bool(plain(node)) if node is not None else False
    if isinstance(node, MapNode | ListNode):
        deeper = any(len(other) > len(place) and other[: len(place)] == place for other in places)
        return kind in _VALUE_WANTED and (deeper or places.count(place) > 1)
    return kind in _MAP_WANTED and places.count(place) > 1


def _problem(
    entry: Mapping[str, Any], place: tuple[str | int, ...], tree: MapNode, schema: Mapping[str, Any]
) -> Problem:
    kind, loc = entry["type"], entry["loc"]
    if kind == "extra_forbidden":
        known = _keys_at(schema, place[:-1])
        message = f"unknown key.{_meant(str(loc[-1]), known)} Keys: {', '.join(known)}"
        return Problem(locate_key(tree, place), dotted(place), message)
    if kind == "missing":
        return Problem(locate(tree, place), dotted((*place, loc[-1])), "missing")
    if loc and loc[-1] == KEY_PART:
        text = _message(kind, entry, Scalar(str(place[-1]), tree.mark))
        return Problem(locate_key(tree, place), dotted(place), text)
    node = find(tree, place)
    assert node is not None
    message = _message(kind, entry, node)
    # A map's own check says `key: what is wrong` when it is about one of its keys.
    key, colon, rest = message.partition(": ")
    if colon and isinstance(node, MapNode) and key in node.entries:
        return problem_at(tree, (*place, key), rest)
    return problem_at(tree, place, message)


def _meant(key: str, known: Sequence[str]) -> str:
    other = _OTHER_WORDS.get(key)
    return f" Did you mean '{other}'?" if other in known else suggest(key, known)


def _message(kind: str, entry: Mapping[str, Any], node: Node) -> str:
    context: Mapping[str, Any] = entry.get("ctx", {})
    found = _found(node)
    match kind:
        case "value_error":
            return str(context["error"])
        case "int_type" | "int_from_float" | "int_parsing":
            return f"a whole number is wanted, not {found}"
        case "int_parsing_size":
            return f"{found} is too large"
        case "float_type" | "float_parsing":
            return f"a number is wanted, not {found}"
        case "finite_number":
            return f"a finite number is wanted, not {found}"
        case "bool_type":
            return f"true or false is wanted, not {found}"
        case "string_type":
            is_value = isinstance(node, Scalar) and node.value is not None
            return f"text is wanted, not {found}" + ("; put it in quotes" if is_value else "")
        case "string_pattern_mismatch":
            return f"a name is made of letters, digits, _ and -, a letter first, not {found}"
        case "string_too_long":
            return f"at most {context['max_length']} characters are wanted"
        case "tuple_type" | "list_type":
            return f"a list is wanted, not {found}"
        case "literal_error":
            known = [word.strip("'") for word in _words(context["expected"])]
            hint = suggest(str(plain(node)), known) if isinstance(node, Scalar) else ""
            wanted = known[0] if len(known) == 1 else f"one of {', '.join(known)}"
            return f"{wanted} is wanted, not {found}.{hint}".removesuffix(".")
        case "greater_than_equal":
            return f"at least {context['ge']:g} is wanted, not {found}"
        case "greater_than":
            return f"more than {context['gt']:g} is wanted, not {found}"
        case "less_than_equal":
            return f"at most {context['le']:g} is wanted, not {found}"
        case "less_than":
            return f"less than {context['lt']:g} is wanted, not {found}"
        case "too_short":
            return "at least one entry is wanted"
        case "too_long":
            return f"at most {context['max_length']} entries are wanted"
        case _ if kind in _MAP_WANTED:
            return f"a map of 'key: value' lines is wanted, not {found}"
        case _:
            return str(entry["msg"])


def _words(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _found(node: Node) -> str:
    match node:
        case Scalar(value=str(text)):
            return f"'{shown(text)}'"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=value):
            return shown(json.dumps(value))
        case ListNode():
            return "a list"
        case MapNode():
            return "a map"


def _keys_at(schema: Mapping[str, Any], path: KeyPath) -> list[str]:
    """The keys that a map at this place may have."""
    places = [schema]
    for part in path:
        places = [
            below
            for place in places
            for alternative in _alternatives(place, schema)
            for below in _below(alternative, part)
        ] or places
    found = [
        key for p in places for a in _alternatives(p, schema) for key in a.get("properties", ())
    ]
    return list(dict.fromkeys(found))


def _alternatives(place: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$ref" in place:
        place = schema["$defs"][place["$ref"].rpartition("/")[2]]
    if "anyOf" in place:
        return [found for option in place["anyOf"] for found in _alternatives(option, schema)]
    return [place]


def _below(place: Mapping[str, Any], part: str | int) -> list[Mapping[str, Any]]:
    if isinstance(part, int):
        candidate = place.get("items")
    else:
        by_name = place.get("patternProperties", {"": place.get("additionalProperties")})
        candidate = place.get("properties", {}).get(part) or next(iter(by_name.values()))
    return [candidate] if isinstance(candidate, Mapping) else []
