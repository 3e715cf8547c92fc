"""The JSON Schema for editors says what the loader says, apart from what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sim.documents import read_document
from sim.loading import json_schema
from sim.schema import schema_text
from sim.tree import plain

FOLDER = Path(__file__).parents[1]
CASES = FOLDER / "tests" / "cases"
SCENARIOS = FOLDER / "scenarios"


def faults(data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(data)]


def read(path: Path) -> Any:
    return plain(read_document(path, path.parent))


def test_the_schema_beside_the_scenarios_is_the_one_of_the_models():
    text = (SCENARIOS / "schema.json").read_text(encoding="utf-8")
    assert text == schema_text(json_schema()), "write it anew: hall schema > scenarios/schema.json"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


FILES = [*(CASES / "valid").rglob("*.yaml"), *SCENARIOS.rglob("*.yaml")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_right_files_fit(path):
    assert faults(read(path)) == []


def test_every_map_may_say_where_its_numbers_are_from():
    servers = {"servers": 3, "source": "stated: yearbook"}
    data = {
        "pools": {"desk": {"shifts": {"day": servers, "source": "assumed"}}},
        "source": "derived",
    }
    assert faults(data) == []
    assert faults({"source": "guessed"})


def test_null_removes_and_nothing_is_required():
    assert faults({"case_types": {"company": {"activities": {"copy": None, "file": {}}}}}) == []
    assert faults({"extends": "base.yaml", "reforms": ["a.yaml"]}) == []
    assert faults({"reform": "faster", "changes": {"pools": None}}) == []


@pytest.mark.parametrize(
    "data",
    [
        {"calender": "china"},
        {"pools": {"desk": {"shifts": {"day": {"servers": "2"}}}}},
        {"calendar": "chnia"},
        {"reform": "faster", "changes": {"pool": {}}},
        {"case_types": {"a": {"activities": {"b": {"service": "12 parsecs"}}}}},
        {"case_types": {"a": {"activities": {"b": {"gate": {"at": 1730}}}}}},
    ],
    ids=json.dumps,
)
def test_what_a_file_cannot_say_does_not_fit(data):
    assert faults(data)
