"""What a scenario file may hold, and that writing undoes reading."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trees
import yaml
from hypothesis import given
from hypothesis import strategies as st
from trees import anywhere, data, fixed, says

from sim import documents
from sim.documents import from_plain, parse_setting, read_document, resolve
from sim.errors import Mark, ScenarioError
from sim.resolved import to_yaml
from sim.tree import (
    UNPRINTABLE,
    MapNode,
    find,
    numbers,
    plain,
)

HALL = "# The hall of a district.\n" + trees.HALL


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads text (or bytes) as the file `hall.yaml`."""
    monkeypatch.chdir(tmp_path)

    def read(content: str | bytes) -> MapNode:
        path = Path("hall.yaml")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_document(path, Path("."))

    return read


# Positions and sources


def test_the_nearest_statement_above_a_value_is_its_source(read):
    hall = read(HALL)
    sources = {path: leaf.source for path, leaf in numbers(hall)}
    assert sources == {
        ("pools", "窗口", "servers"): "stated, yearbook 2015",
        ("pools", "reviewers", "servers"): "assumed, no record",
        ("pools", "reviewers", "shifts", 0): "assumed, no record",
        ("pools", "reviewers", "shifts", 1): "assumed, no record",
        ("service", "mean"): "stated, yearbook 2015",
    }


def test_a_statement_is_no_entry_and_counts_for_what_stands_before_it_too(read):
    hall = read("a: 1\nsource: derived from b,\n  over two lines\n")
    assert plain(hall) == {"a": 1}
    assert list(hall.key_marks) == ["a"]
    assert find(hall, ["a"]).source == "derived from b, over two lines"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("guessed", "'guessed'"),
        ("assumedly", "'assumedly'"),
        ("Stated, x", "'Stated, x'"),
        ("12", "no text"),
        ("[stated]", "no text"),
        ("", "no text"),
    ],
)
def test_a_source_begins_with_one_of_four_words(read, written, found):
    with says(
        "hall.yaml:2:11: a.source: a source begins with stated, derived, calibrated or assumed; "
        f"found {found}"
    ):
        read(f"a:\n  source: {written}\n" if written else "a:\n  source: ~\n")


def test_a_source_may_be_said_key_by_key(read):
    hall = read(
        "source: derived\na: 1\nb: [2]\nc: {source: stated, d: 3}\ne: {f: 4, g: 5, "
        "source: {f: assumed}}\n"
    )
    assert [leaf.source for _, leaf in numbers(hall)] == [
        *["derived", "derived", "stated", "assumed", "derived"]
    ]
    with says(
        "hall.yaml:2:19: source.servesr: nothing here is called 'servesr'. "
        "Did you mean 'servers'?\n"
        "hall.yaml:2:36: source: a source begins with stated, derived, calibrated or assumed; "
        "found 'guess'"
    ):
        read("servers: 3\nsource: {servesr: stated, servers: guess}\n")


# Scalars


@pytest.mark.parametrize(
    "text",
    [
        *["no", "yes", "on", "Off", "y", "09:30", "9:30:00", "2015-01-01", "12 min", "52 %"],
        *["1_000", "0b1", "+0x1", "١٢", "nan", "inf", ".", "+", "1e", "e3", "1e3.5"],
        "0x" + "f" * 81,
    ],
)
def test_what_other_readers_of_yaml_take_for_something_else_stays_text(read, text):
    assert plain(read(f"a: {text}")) == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("010", 10), ("-5", -5), ("+7", 7), ("0x1F", 31), ("0o17", 15)],
        *[("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-1.5E-2", -0.015), ("9" * 5000, math.inf)],
        *[(".inf", math.inf), ("+.INF", math.inf), ("-.Inf", -math.inf)],
        *[("true", True), ("FALSE", False), ("~", None), ("null", None), ("", None)],
    ],
)
def test_plain_scalars_resolve_by_the_core_rules_of_yaml_1_2(read, text, value):
    found = plain(read(f"a: {text}"))["a"]
    assert (found, type(found)) == (value, type(value))


def test_not_a_number_is_a_number_here():
    assert math.isnan(resolve(".nan"))  # type: ignore[arg-type]


def test_quoted_scalars_are_text(read):
    assert plain(read("a: '12'\nb: \"null\"\nc: |\n  7\n")) == {"a": "12", "b": "null", "c": "7\n"}


# Keys


def test_every_duplicate_key_is_reported_with_the_line_of_the_first(read):
    with says(
        "hall.yaml:3:1: a: the key 'a' is given twice; the first is in line 1\n"
        "hall.yaml:5:3: b.c: the key 'c' is given twice; the first is in line 4\n"
        "hall.yaml:5:8: b.c: the key 'c' is given twice; the first is in line 4"
    ):
        read("a: 1\nx: 0\na: 2\nb: {c: 1,\n  c: 2,c: 3}\n")


def test_keys_that_look_the_same_are_the_same(read):
    """One é is a single character, the other an e with a combining accent."""
    with says(
        "hall.yaml:2:1: caf\u00e9: the key 'caf\u00e9' is given twice; the first is in line 1"
    ):
        read("caf\u00e9: 1\ncafe\u0301: 2\n")


def test_text_that_refers_to_a_key_is_normalised_as_the_key_is(read):
    assert plain(read("cafe\u0301: cafe\u0301")) == {"caf\u00e9": "caf\u00e9"}


def test_whole_numbers_as_keys_are_their_text(read):
    assert plain(read("12: 40 %\n'13': 60 %")) == {"12": "40 %", "13": "60 %"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true: 1", "hall.yaml:1:1: a key must be text; put quotes around 'true'"),
        ("1.5: 1", "hall.yaml:1:1: a key must be text; put quotes around '1.5'"),
        ("~: 1", "hall.yaml:1:1: a key must be text; put quotes around '~'"),
        ("'': 1", "hall.yaml:1:1: an empty key"),
        ("? [a]\n: 1", "hall.yaml:1:3: a list or a map cannot be a key"),
        ('"a\\nb": 1', "hall.yaml:1:1: the character U+000A is not allowed in a key"),
    ],
)
def test_keys_are_one_line_of_text(read, text, message):
    with says(message):
        read(text)


def test_keys_have_at_most_200_characters(read):
    assert plain(read("办" * 200 + ": 1")) == {"办" * 200: 1}
    with pytest.raises(ScenarioError, match=r"hall\.yaml:1:1: a key of more than 200 characters"):
        read("办" * 201 + ": 1")


# The safe subset


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1", "hall.yaml:1:4: a: an anchor (&x); remove it"),
        ("a: &x [1]", "hall.yaml:1:4: a: an anchor (&x); remove it"),
        ("a: *x", "hall.yaml:1:4: a: an alias (*x); write the value out"),
        ("a: !!str 1", "hall.yaml:1:4: a: a tag (tag:yaml.org,2002:str); remove it"),
        ("a: !python {}", "hall.yaml:1:4: a: a tag (!python); remove it"),
        ("a: {<<: {b: 1}}", "hall.yaml:1:5: a: a merge key (<<); write the entries out"),
        ("a: 1\n---\nb: 2\n", "hall.yaml:2:1: a second document; one file holds one document"),
        ("- 1\n", "hall.yaml:1:1: a map of 'key: value' lines is expected at the top of the file"),
        ("a:\n\tb: 1\n", "hall.yaml:2:1: a tab; indent with spaces"),
        ("a: %50", "hall.yaml:1:4: a value cannot begin with %; put it in quotes"),
        ("a: 1\nb\u0007: 1", "hall.yaml:2:2: the character U+0007 is not allowed"),
        ("a: \x1b[31mred", "hall.yaml:1:4: the character U+001B is not allowed"),
        ('a: "\\e[31mred"', "hall.yaml:1:4: a: the character U+001B is not allowed"),
        ("a: 1\r\nb: \x00", "hall.yaml:2:4: the character U+0000 is not allowed"),
        ("a: 1\u2028b: 2", "hall.yaml:1:5: the character U+2028 is not allowed"),
        (b"a: \xe5\x8a\x9e\xff", "hall.yaml:1:5: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "hall.yaml:1:1: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)  # fmt: skip
def test_what_is_outside_the_safe_subset_is_refused_where_it_stands(read, text, message):
    with says(message):
        read(text)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_refused(read, text):
    with says("hall.yaml:1:1: the file is empty; a map of 'key: value' lines is expected"):
        read(text)


@pytest.mark.parametrize("text", ["a: [1, 2\nb: 3\n", "a: 'open\n", "a: 1\n  b: 2\n", "a: b: c"])
def test_a_syntax_error_is_one_line_with_its_place(read, text):
    with pytest.raises(ScenarioError, match=r"\Ahall\.yaml:[1-3]:\d+: not YAML: [^\n]+\Z"):
        read(text)


def test_a_syntax_error_comes_with_the_problems_before_it(read):
    with pytest.raises(ScenarioError, match=r"(?s)'a' is given twice.*\n.*not YAML") as caught:
        read("a: 1\na: 2\nb: [\n")
    assert [problem.mark.line for problem in caught.value.problems] == [2, 4]


def test_a_byte_order_mark_moves_no_column(read):
    hall = read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert plain(hall) == {"a": 1, "b": 2}
    assert [str(mark) for mark in hall.key_marks.values()] == ["hall.yaml:1:1", "hall.yaml:2:1"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{b: " * 100_000, "- " * 100_000])
def test_a_hundred_thousand_brackets_stop_at_the_65th(read, text):
    with pytest.raises(ScenarioError, match=r"hall\.yaml:1:\d+: .*nested deeper than 64"):
        read(text)


def test_64_levels_are_read(read):
    assert plain(read("a: " + "[" * 63 + "]" * 63))
    with pytest.raises(ScenarioError, match="nested deeper than 64"):
        read("a: " + "[" * 64 + "]" * 64)


@pytest.mark.timeout(60)
def test_an_alias_bomb_stops_at_its_first_anchor(read):
    levels = [f"{new}: &{new} [{f'*{old}, ' * 9}]" for old, new in pairwise("abcdefghi")]
    with says("hall.yaml:1:4: a: an anchor (&a); remove it"):
        read("\n".join(["a: &a [x, x]", *levels]))


@pytest.mark.timeout(60)
def test_a_file_has_a_limited_number_of_values(read, monkeypatch):
    monkeypatch.setattr(documents, "MAX_NODES", 1000)
    assert len(plain(read("a: [" + "1," * 997 + "]"))["a"]) == 997
    with says("hall.yaml:1:1999: a[997]: more than 1000 values in one file"):
        read("a: [" + "1," * 5000 + "]")


# Files


def test_a_file_above_8_mib_is_not_read(read):
    with says("hall.yaml: is larger than 8 MiB"):
        read(b"#" * (8 * 1024 * 1024 + 1))


def test_only_files_inside_the_root_are_read(tmp_path):
    (tmp_path / "secret.yaml").write_text("a: 1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.yaml").symlink_to("../secret.yaml")
    for path in (root / "link.yaml", root / ".." / "secret.yaml", Path("/etc/hostname")):
        with says(f"{path}: is outside the folder {root}; only files inside it are read"):
            read_document(path, root)


def test_a_symlink_that_stays_inside_the_root_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    assert str(read_document(tmp_path / "b.yaml", tmp_path).mark) == f"{tmp_path}/b.yaml:1:1"


@pytest.mark.timeout(60)
def test_pipes_and_folders_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, root in ((tmp_path / "pipe", tmp_path), (tmp_path, tmp_path), ("/dev/zero", "/dev")):
        with says(f"{path}: is not a regular file"):
            read_document(Path(path), Path(root))


def test_a_file_that_is_not_there_is_named(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with says(f"{tmp_path}/hall.yaml: cannot be read: No such file or directory"):
        read_document(tmp_path / "hall.yaml", tmp_path)
    with pytest.raises(ScenarioError, match="loop: cannot be read: Too many levels of symbolic"):
        read_document(tmp_path / "loop", tmp_path)


# Settings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pools.windows.servers=4", {"pools": {"windows": {"servers": 4}}}),
        ("a={per_working_day: 5}", {"a": {"per_working_day": 5}}),
        ("a.b = 09:30", {"a": {"b": "09:30"}}),
        ("a=x=y", {"a": "x=y"}),
        ("a=null", {"a": None}),
        ("a=''", {"a": ""}),
    ],
)
def test_a_setting_is_a_patch(text, value):
    assert plain(parse_setting(text)) == value


def test_a_setting_knows_that_it_is_one():
    (_, leaf), (_, stated) = numbers(parse_setting("a={b: 1, c: {source: stated, d: 2}}"))
    assert str(leaf.mark) == "--set a"
    assert leaf.source == "assumed, set on the command line"
    assert stated.source == "stated"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("servers", "--set servers: no '='; write path.to.value=new value"),
        ("a..b=1", "--set a..b: an empty key"),
        ("=1", "--set : an empty key"),
        ("a=", "--set a: nothing after '='; write null to remove a value"),
        ("a=[1", "--set a: not YAML: while parsing a flow sequence, "),
        ("a={b: 1, b: 2}", "--set a: b: the key 'b' is given twice"),
        ("a.source=stated", "--set a.source: a source is not a value; it cannot be set here"),
        ("a\x1b[0m=1", "--set a\ufffd[0m: the character U+001B is not allowed in a key"),
        ("a=\udc80", "--set a: the character U+DC80 is not allowed"),
        ("a." * 64 + "b=1", f"--set {'a.' * 28}a...: nested deeper than 64"),
    ],
)
def test_a_setting_that_cannot_be_read_says_why(text, message):
    with pytest.raises(ScenarioError, match=rf"\A{re.escape(message)}[^\n]*\Z"):
        parse_setting(text)


@pytest.mark.parametrize("text", ["label=[/red] $x$", "a=[1", "a={b", "a='x"])
def test_a_setting_that_is_no_yaml_wants_quotation_marks(text):
    with pytest.raises(
        ScenarioError, match=r"\A--set [a-z]+: not YAML: .*; put it in quot"
    ) as error:
        parse_setting(text)
    assert "line" not in str(error.value)


# Writing and making

awkward = st.sampled_from(
    [
        *["no", "010", "1e3", "~", "null", "true", "09:30", "0x1f", ".inf", "12 min", "52 %", "<<"],
        *["a: b", "a:", ":a", "a:b", "a #b", "#a", "- a", "-", "---", "...", "? x", "a,b", "="],
        *["[a]", "{", "&a", "*a", "!a", "%a", "@a", "`", "'", '"', "\\", "\\n", "| ", ">", "$x"],
        *[
            " lead",
            "trail ",
            "a  b",
            "a\nb",
            "\n",
            "\t",
            "a\r\nb",
            "办事大厅",
            "😀👨\u200d👩",
            "עברית",
        ],
    ]
)
texts = (awkward | st.text(max_size=20)).map(lambda text: unicodedata.normalize("NFC", text))
printable = texts.filter(lambda text: not UNPRINTABLE.search(text))
keys = printable.filter(lambda text: text != "source" and not documents._key_fault(text))
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | finite | printable
trees = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda values: st.lists(values, max_size=4) | st.dictionaries(keys, values, max_size=4),
        max_leaves=15,
    ),
    max_size=4,
)


def read_text(text: str) -> Any:
    node = documents._read_text(text, lambda line, column: Mark("again", line, column))
    assert node is not None
    return plain(node)


def typed(value: Any) -> str:
    """Text that tells 1, 1.0, True and '1' apart."""
    return repr(value)


@fixed
@given(trees)
def test_writing_undoes_reading(tree):
    node = from_plain(tree, anywhere, None)
    assert typed(plain(node)) == typed(tree)
    assert typed(read_text(to_yaml(node))) == typed(tree)


@fixed
@given(trees, st.text(max_size=20))
def test_a_comment_changes_no_value(tree, remark):
    text = to_yaml(from_plain(tree, anywhere, None), lambda node: remark)
    assert typed(read_text(text)) == typed(tree)


@fixed
@given(st.text("ab1:-[]{}#&*!|>'\"%@,?~<=. \n\t\\\x07办", max_size=40))
def test_bad_text_ends_in_problems_of_one_line_each(text):
    """Nothing but a ScenarioError comes out, of files and of settings."""
    for reading in (lambda: read_text(f"a: 1\n{text}"), lambda: parse_setting(text)):
        with suppress(ScenarioError):
            reading()
            continue
        with pytest.raises(ScenarioError, match=r"\A(again|--set)") as caught:
            reading()
        assert len(str(caught.value).splitlines()) == len(caught.value.problems)


def test_both_loaders_of_pyyaml_give_the_same_tree(read, monkeypatch):
    with_default = read(HALL)
    monkeypatch.setattr(documents, "_LOADER", yaml.SafeLoader)
    assert read(HALL) == with_default
    with says("hall.yaml:1:66: nested deeper than 64"):
        read(" " + "[" * 100_000)


def test_yaml_is_written_in_block_style_with_remarks_and_short_lists_in_one_line(read):
    assert to_yaml(read(HALL), lambda node: f"{node.mark};\n{node.source}") == (
        "pools:\n"
        "  窗口:\n"
        "    servers: 4                                # hall.yaml:4:17; stated, yearbook 2015\n"
        f"    名称: 综合{' ' * 34}  # hall.yaml:4:24; stated, yearbook 2015\n"
        "  reviewers:\n"
        "    servers: 2                                # hall.yaml:7:14; assumed, no record\n"
        "    shifts: [08:30-12:00, 13:30-17:00]        # hall.yaml:8:13; assumed, no record\n"
        "service:\n"
        "  mean: 12 min                                # hall.yaml:10:9; stated, yearbook 2015\n"
    )


def test_lists_of_maps_and_of_lists_are_written_with_dashes():
    tree = data(a=[{"b": 1, "c": [{}]}, [["x" * 80]], []])
    assert to_yaml(tree) == (f"a:\n  - b: 1\n    c:\n      - {{}}\n  - - - {'x' * 80}\n  - []\n")


@pytest.mark.parametrize(
    "text", ["16:30", "09:00", "no", "Yes", "on", "y", "N", "1_000", "0b1", "2015-01-05 09:00:30"]
)
def test_text_that_yaml_1_1_takes_for_something_else_is_quoted(text):
    """As value and as key; a date stays, since it is a date."""
    written = to_yaml(data(**{text: [text, "2015-01-05", "08:30-12:00", "12 min"]}))
    assert written == f'"{text}": ["{text}", 2015-01-05, 08:30-12:00, 12 min]\n'
    assert yaml.safe_load(to_yaml(data(a=text))) == {"a": text}


def test_large_numbers_are_numbers_to_all_readers():
    assert yaml.safe_load(to_yaml(data(a=1e16, b=1e-7))) == {"a": 1e16, "b": 1e-7}


def test_infinity_and_nan_can_be_written(read):
    text = "a: .inf\nb: -.inf\nc: .nan\n"
    assert to_yaml(read(text)) == text


def test_python_data_keep_the_rules_of_a_file():
    tree = from_plain({"a": {"source": "stated", "b": (1, 2)}, 12: 3}, anywhere, "assumed")
    assert plain(tree) == {"a": {"b": [1, 2]}, "12": 3}
    assert [leaf.source for _, leaf in numbers(tree)] == ["stated", "stated", "assumed"]
    with says("here: caf\u00e9: the key 'caf\u00e9' is given twice"):
        from_plain({"caf\u00e9": 1, "cafe\u0301": 2}, anywhere, None)
    with pytest.raises(ValueError, match="Out of range float"):
        from_plain({"a": math.nan}, anywhere, None)
    with pytest.raises(TypeError, match="not JSON serializable"):
        from_plain({"a": {1, 2}}, anywhere, None)
