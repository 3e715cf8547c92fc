"""Where values of a file stand, and what a patch changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import HALL, data, fixed, says

from sim.documents import SETTING_SOURCE, parse_setting, read_document
from sim.errors import ScenarioError
from sim.tree import MapNode, find, locate, locate_key, merge, numbers, plain, suggest


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads text as the file `hall.yaml`."""
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> MapNode:
        path = Path("hall.yaml")
        path.write_text(text, encoding="utf-8")
        return read_document(path, Path("."))

    return read


# Positions


def test_every_value_and_key_knows_its_line_and_column(read):
    hall = read(HALL)
    assert str(locate(hall, ["pools", "窗口", "名称"])) == "hall.yaml:3:24"
    assert str(locate_key(hall, ["pools", "窗口", "名称"])) == "hall.yaml:3:20"
    assert str(locate(hall, ["pools", "reviewers", "shifts", 1])) == "hall.yaml:7:27"
    assert str(locate_key(hall, ["pools", "reviewers", "shifts", 1])) == "hall.yaml:7:27"


def test_a_path_that_ends_nowhere_is_located_as_far_as_it_goes(read):
    hall = read(HALL)
    assert str(locate_key(hall, ["pools", "reviewers", "count"])) == "hall.yaml:4:3"
    assert str(locate(hall, ["pools", "reviewers", "count"])) == "hall.yaml:5:5"
    assert str(locate(hall, ["service", "lognormal", "mean"])) == "hall.yaml:9:9"
    assert str(locate(hall, ["pools", "reviewers", "shifts", 9])) == "hall.yaml:7:13"


# Merging

names = st.sampled_from("abcd")
json_values = st.recursive(
    st.none() | st.integers(-3, 3) | st.sampled_from(["", "no"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=4),
    max_leaves=12,
)
json_maps = st.dictionaries(names, json_values, max_size=4)


def merge_patch(target: Any, patch: Any) -> Any:
    """MergePatch as section 2 of RFC 7396 writes it down."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge_patch(target.get(name), value)
    return target


def removes_nothing(target: Any, patch: Any) -> int:
    """How many nulls of the patch name nothing."""
    if not isinstance(patch, dict):
        return 0
    target = target if isinstance(target, dict) else {}
    return sum(
        name not in target if value is None else removes_nothing(target.get(name), value)
        for name, value in patch.items()
    )


@fixed
@given(json_maps, json_maps)
def test_merging_agrees_with_rfc_7396_or_names_every_null_that_removes_nothing(base, patch):
    num_faults = removes_nothing(base, patch)
    if num_faults:
        with pytest.raises(ScenarioError, match="nothing to remove here") as caught:
            merge(data(**base), data(**patch))
        assert len(caught.value.problems) == num_faults
        return
    merged = plain(merge(data(**base), data(**patch)))
    assert merged == merge_patch(base, patch)
    assert [key for key in merged if key in base] == [key for key in base if key in merged]


@fixed
@given(json_maps)
def test_an_empty_patch_changes_nothing(base):
    assert merge(data(**base), data()) == data(**base)


def test_null_removes_and_scalars_and_lists_replace():
    base = data(a=1, b={"c": [1, 2], "d": 2}, e=3)
    patch = data(b={"c": [3], "d": None, "new": {"x": 1}}, e={"f": 1})
    assert plain(merge(base, patch)) == {"a": 1, "b": {"c": [3], "new": {"x": 1}}, "e": {"f": 1}}


def test_every_null_that_removes_nothing_is_a_problem(read):
    base = data(activities={"review": 1, "intake": 2})
    patch = read("activities: {reviw: ~, other: {deep: ~}}\nnothing: ~\n")
    with says(
        "hall.yaml:1:21: activities.reviw: nothing to remove here. Did you mean 'review'?\n"
        "hall.yaml:1:38: activities.other.deep: nothing to remove here\n"
        "hall.yaml:2:10: nothing: nothing to remove here"
    ):
        merge(base, patch)


def test_a_merged_value_keeps_the_mark_and_the_source_it_was_written_with(read):
    merged = merge(read(HALL), parse_setting("pools.reviewers.servers=3"))
    leaves = {path[-1]: (leaf.value, str(leaf.mark), leaf.source) for path, leaf in numbers(merged)}
    assert leaves["servers"] == (3, "--set pools.reviewers.servers", SETTING_SOURCE)
    assert leaves["mean"] == ("12 min", "hall.yaml:9:9", "stated, yearbook 2015")
    assert str(locate_key(merged, ["pools", "reviewers"])) == "hall.yaml:4:3"
    assert str(locate_key(merged, ["pools", "reviewers", "servers"])).startswith("--set")


# Looking things up


def test_find_wants_the_exact_path():
    tree = data(a=[{"b": 7}])
    assert plain(find(tree, ["a", 0, "b"])) == 7
    assert find(tree, ["a", 1, "b"]) is None
    assert find(tree, ["a", "b"]) is None


def test_numbers_are_numbers_and_text_that_begins_with_one():
    tree = data(a=1, b=-0.5, c="+3 %", d="12 min", e="2015-01-01", f=True, g=None, h="no 5", i=[2])
    assert ["".join(map(str, path)) for path, _ in numbers(tree)] == ["a", "b", "c", "d", "e", "i0"]


def test_suggest_names_the_nearest_word_or_nothing():
    assert suggest("reviewer", ["windows", "reviewers"]) == " Did you mean 'reviewers'?"
    assert suggest("x", ["windows", "reviewers"]) == ""
