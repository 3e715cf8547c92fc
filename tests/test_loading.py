"""What a scenario file builds on, in which order things count, and what is shown of the result."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim import recordings
from sim.errors import Mark, ScenarioError
from sim.loading import (
    Loaded,
    load,
    load_document,
    provenance,
    resolved_yaml,
    root_of,
    scenario_from,
)
from sim.tree import find, locate, plain

CASES = Path(__file__).parent / "cases"
VALID = sorted(path.name for path in (CASES / "valid").glob("*.yaml"))
SHIPPED = [
    path
    for path in sorted((CASES.parents[1] / "scenarios").glob("*.yaml"))
    if path.stem != "lanzhou-base"
]

HALL = """\
source: assumed, an example
calendar: weekdays
hours: {day: ["09:00-17:00"]}
working_hours: day
horizon: {from: 2015-01-05, to: 5 working days}
profiles: {flat: {half_hours: {"09:00": 1}}}
pools: {desk: {shifts: {day: {servers: 1}}}}
case_types:
  company:
    label: 24 h service
    arrivals: {per_working_day: 4, profile: flat}
    activities:
      file: {pool: desk, service: 10 min}
      check: {after: file, delay: 1 h}
      copy: {after: file, delay: 1 h}
      sign: {after: [check, copy], delay: 1 h}
      hand_out: {after: sign, delay: 1 h}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with hall.yaml, in which files can be written by name."""
    monkeypatch.chdir(tmp_path)
    write("hall.yaml", HALL)
    return tmp_path


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def servers(path: str, *settings: str, reforms: tuple[str, ...] = ()) -> int:
    return load(path, settings, reforms).pools["desk"].shifts["day"].servers


def after(path: str, *settings: str) -> dict[str, tuple[str, ...]]:
    activities = load(path, settings).case_types["company"].activities
    return {name: activity.after for name, activity in activities.items()}


def says(message: str):
    """Expects a ScenarioError with exactly these lines."""
    return pytest.raises(ScenarioError, match=rf"\A{re.escape(message)}\Z")


def company(*changes: str, base: str = "hall.yaml") -> str:
    """A file that changes one case type."""
    lines = "".join(f"    {change}\n" for change in changes)
    return f"extends: {base}\ncase_types:\n  company:\n{lines}"


RECORDED = "arrivals: {per_working_day: null, profile: null, recorded: data.csv}"


def with_servers(number: int) -> str:
    return f"pools: {{desk: {{shifts: {{day: {{servers: {number}}}}}}}}}\n"


# What counts over what


def test_later_things_count_over_earlier_ones(folder):
    """Base, reforms, the file itself, reforms beside it, settings: each is seen to win."""
    for number in (3, 5):
        changes = f"changes: {{{with_servers(number).strip()}}}\n"
        write(f"reform-{number}.yaml", f"reform: r{number}\n{changes}")
    write("a.yaml", "extends: hall.yaml\n" + with_servers(2))
    write("b.yaml", "extends: a.yaml\nreforms: [reform-3.yaml]\n")
    write("c.yaml", "extends: a.yaml\nreforms: [reform-3.yaml]\n" + with_servers(4))
    setting = "pools.desk.shifts.day.servers=6"
    assert servers("hall.yaml") == 1
    assert servers("a.yaml") == 2
    assert servers("b.yaml") == 3
    assert servers("c.yaml") == 4
    assert servers("c.yaml", reforms=("reform-5.yaml",)) == 5
    assert servers("c.yaml", setting, reforms=("reform-5.yaml",)) == 6
    assert servers("c.yaml", setting, "pools.desk.shifts.day.servers=7") == 7


def test_a_file_that_extends_another_can_be_nothing_but_that(folder):
    write("same.yaml", "extends: hall.yaml\n")
    assert load("same.yaml") == load("hall.yaml")


def test_a_map_can_be_set_and_a_value_removed(folder):
    activities = "case_types.company.activities"
    loaded = load(
        "hall.yaml",
        [
            f"{activities}.check.delay={{uniform: {{low: 1 h, high: 2 h}}}}",
            f"{activities}.copy=null",
        ],
    )
    company = loaded.case_types["company"]
    assert list(company.activities) == ["file", "check", "sign", "hand_out"]
    with says(
        "--set case_types.company.activities.check.delay: exactly one family is wanted, "
        "found constant and uniform; remove one with 'constant: null'"
    ):
        load(
            "hall.yaml",
            [f"{activities}.check.delay={{constant: 1 h, uniform: {{low: 1 h, high: 2 h}}}}"],
        )


def test_every_wrong_option_is_reported(folder):
    with says(
        "nothing.yaml: cannot be read: No such file or directory\n"
        "--set pools.desk: no '='; write path.to.value=new value\n"
        "--set x..y: an empty key"
    ):
        load("hall.yaml", ["pools.desk", "x..y=3"], ["nothing.yaml"])


def test_a_setting_that_fits_nowhere_is_named(folder):
    with pytest.raises(
        ScenarioError, match=r"\A--set pols.desk: pols: unknown key. Did you mean 'pools'"
    ):
        load("hall.yaml", ["pols.desk=3"])
    with says("--set pools.dsk: nothing to remove here. Did you mean 'desk'?"):
        load("hall.yaml", ["pools.dsk=null"])
    with says("--set pools.desk: shifts.day.servers: a whole number or a map is wanted, not 'x'"):
        load("hall.yaml", ["pools.desk={shifts: {day: {servers: x}}}"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pools.dsk.shifts.day.servers=3", "nothing called 'dsk' in pools. Did you mean 'desk'?"),
        (
            "pools.desk.shifts.dya.servers=3",
            "nothing called 'dya' in pools.desk.shifts. Did you mean 'day'?",
        ),
        (
            "case_types.company.activities.fiel.documents=3",
            "nothing called 'fiel' in case_types.company.activities. Did you mean 'file'?",
        ),
        ("pools={bank: {room: 3}}", "nothing called 'bank' in pools. Names: desk"),
        ("trips.visit.comes=50 %", "nothing called 'visit' in trips"),
        (
            "case_types.company.attributes.kind={a: 1}",
            "nothing called 'kind' in case_types.company.attributes",
        ),
        ("extends=b.yaml", "'extends' cannot be set; only a file can say it"),
        ("reforms=[b.yaml]", "'reforms' cannot be set; only a file can say it"),
    ],
)
def test_a_setting_makes_nothing_new(folder, setting, message):
    """A name that is not there is most likely mistyped."""
    with says(f"--set {setting.split('=')[0]}: {message}"):
        load("hall.yaml", [setting])


def test_a_setting_can_say_what_was_left_open(folder):
    gate = "case_types.company.activities.check.gate"
    loaded = load("hall.yaml", [f"{gate}.at=09:30", f"{gate}.weekdays=[mon]", "description=x"])
    found = loaded.case_types["company"].activities["check"].gate
    assert found is not None
    assert (found.at, found.weekdays) == ((34200,), ("mon",))


# Activities that are left out


def test_leaving_an_activity_out_closes_the_gap(folder):
    """What came after it comes after what it came after."""
    assert after("hall.yaml", "case_types.company.activities.sign=null") == {
        "file": (),
        "check": ("file",),
        "copy": ("file",),
        "hand_out": ("check", "copy"),
    }


def test_leaving_several_out_leads_past_all_of_them(folder):
    write(
        "b.yaml",
        company("activities: {check: ~, copy: ~, sign: ~}"),
    )
    assert after("b.yaml") == {"file": (), "hand_out": ("file",)}


def test_leaving_out_one_after_the_other_is_the_same(folder):
    gone = [f"case_types.company.activities.{name}=null" for name in ("sign", "copy", "check")]
    assert after("hall.yaml", *gone) == {"file": (), "hand_out": ("file",)}
    assert after("hall.yaml", *reversed(gone)) == {"file": (), "hand_out": ("file",)}


def test_what_comes_after_the_first_activity_becomes_first(folder):
    assert after("hall.yaml", "case_types.company.activities.file=null")["check"] == ()


def test_a_patch_can_give_the_follower_other_predecessors(folder):
    write(
        "b.yaml",
        company("activities: {sign: ~, hand_out: {after: copy}}"),
    )
    assert after("b.yaml")["hand_out"] == ("copy",)


def test_a_gap_is_closed_once_and_for_what_was_there_then(folder):
    """A file that names an activity which its base has left out names nothing."""
    write("b.yaml", company("activities: {sign: ~}"))
    write("c.yaml", company("activities: {check: {after: sign}}", base="b.yaml"))
    with pytest.raises(ScenarioError, match=r"\Ac\.yaml:4:33: .*: no activity 'sign'\. "):
        load("c.yaml")


# Which files are read


def test_files_are_looked_for_beside_the_file_that_names_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("scenarios/hall.yaml", HALL)
    write("scenarios/reforms/more.yaml", f"reform: more\nchanges: {{{with_servers(3).strip()}}}\n")
    write(
        "scenarios/services/base.yaml", "extends: ../hall.yaml\nreforms: [../reforms/more.yaml]\n"
    )
    write("scenarios/services/other.yaml", "extends: base.yaml\n")
    assert servers("scenarios/services/other.yaml") == 3
    monkeypatch.chdir("scenarios/services")
    assert servers("other.yaml") == 3
    assert root_of(Path("other.yaml")) == tmp_path / "scenarios"


def test_without_a_folder_named_scenarios_a_file_stays_in_its_own(folder):
    write("services/a.yaml", "extends: ../hall.yaml\n")
    with says(
        f"services/a.yaml:1:10: hall.yaml is outside the folder {folder / 'services'}; "
        "only files inside it are read"
    ):
        load("services/a.yaml")


@pytest.mark.parametrize("key", ["extends: {}", "reforms: [{}]", "calendar: {{file: {}}}"])
def test_no_key_reads_a_file_outside(folder, key):
    write("sub/a.yaml", key.format("/etc/hostname") + "\n")
    with pytest.raises(
        ScenarioError, match=r"\Asub/a\.yaml:1:\d+: .*/etc/hostname is outside the folder"
    ):
        load("sub/a.yaml")


def test_a_symlink_that_leads_out_is_refused_and_one_that_stays_is_read(folder):
    write("sub/a.yaml", "extends: link.yaml\n")
    Path("sub/link.yaml").symlink_to(folder / "hall.yaml")
    with pytest.raises(
        ScenarioError, match=r"\Asub/a\.yaml:1:10: sub/link\.yaml is outside the folder"
    ):
        load("sub/a.yaml")
    write("sub/hall.yaml", HALL)
    Path("sub/link.yaml").unlink()
    Path("sub/link.yaml").symlink_to("hall.yaml")
    assert servers("sub/a.yaml") == 1


def test_files_that_extend_each_other_are_named_in_a_row(folder):
    write("a.yaml", "extends: b.yaml\n")
    write("b.yaml", "# base\nextends: ./a.yaml\n")
    with says("b.yaml:2:10: extends: files go round: a.yaml -> b.yaml -> a.yaml"):
        load("a.yaml")


def test_a_file_that_extends_itself_by_a_symlink_is_found_out(folder):
    write("a.yaml", "extends: link.yaml\n")
    Path("link.yaml").symlink_to("a.yaml")
    with says("a.yaml:1:10: extends: files go round: a.yaml -> link.yaml"):
        load("a.yaml")


def test_problems_of_all_files_come_together(folder):
    write("base.yaml", "a: &x 1\n")
    write("reform.yaml", "reform: 3\nchanges: []\n")
    write("a.yaml", "extends: base.yaml\nreforms: [reform.yaml, 7]\n")
    with says(
        "base.yaml:1:4: a: an anchor (&x); remove it\n"
        "reform.yaml:1:9: reform: text is wanted, not 3; put it in quotes\n"
        "reform.yaml:2:10: changes: a map of 'key: value' lines is wanted, not a list\n"
        "a.yaml:2:24: reforms: the name of a file is wanted"
    ):
        load("a.yaml")


# CSV files


def recorded(text: str | bytes) -> list[str]:
    """Lines of what is wrong with a recording, none if it can be used."""
    Path("data.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    write("a.yaml", company(RECORDED, "attributes: {kind: {a: 50 %, b: 50 %}}"))
    try:
        load("a.yaml")
    except ScenarioError as error:
        return str(error).splitlines()
    return []


def test_a_recording_becomes_columns(folder):
    assert recorded("arrived_at,kind\n2015-01-05 09:00,a\n2015-01-05 09:01:30,b\n") == []
    assert load("a.yaml").case_types["company"].arrivals.recorded == {
        "arrived_at": ("2015-01-05 09:00", "2015-01-05 09:01:30"),
        "kind": ("a", "b"),
    }


def test_each_value_of_a_recording_knows_its_line_and_column(folder):
    text = '"arrived_at",kind\n\n"2015-01-05 09:00",c\n"2015-01-05\n 09:00",a\n2015-01-05 09:00,d\n'
    assert [line.split(": ")[0] for line in recorded(text)] == [
        "data.csv:3:20",
        "data.csv:4:1",
        "data.csv:6:18",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "data.csv:1:1: a header and at least one row are wanted"),
        (b"arrived_at\n", "data.csv:1:1: a header and at least one row are wanted"),
        (b"arrived_at\n\xff\n", "data.csv:2:1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b'arrived_at\n"2015\n', "data.csv:2:1: not CSV: unexpected end of data"),
        (b"arrived_at\n1,2\n", "data.csv:2:1: 1 values are wanted, found 2"),
    ],
)
def test_a_file_that_is_no_table_is_refused(folder, content, message):
    assert recorded(content) == [message]


def test_twenty_wrong_rows_of_a_file_are_enough(folder):
    lines = recorded("arrived_at\n" + "soon\n" * 33)
    assert len(lines) == 21
    assert lines[19].startswith("data.csv:21:1: ")
    assert lines[20] == "data.csv: ... and 13 more"
    lines = recorded("arrived_at,kind\n" + "2015-01-05 09:00\n" * 33)
    assert (len(lines), lines[20]) == (21, "data.csv: ... and 13 more")


def test_the_size_of_a_recording_is_limited(folder, monkeypatch):
    monkeypatch.setattr(recordings, "MAX_CELLS", 5)
    rows = "2015-01-05 09:00\n"
    assert recorded("arrived_at\n" + rows * 4) == []
    assert recorded("arrived_at\n" + rows * 5) == ["data.csv:6:1: more than 5 values in one file"]
    monkeypatch.setattr(recordings, "MAX_BYTES", 2**20)
    assert recorded(b"x" * 2**20 + b"\n") == [
        "a.yaml:4:64: case_types.company.arrivals.recorded: data.csv is larger than 1 MiB"
    ]


def test_a_reform_names_files_beside_itself(folder):
    write(
        "reforms/faster.yaml",
        "reform: faster\n"
        "changes: {case_types: {company: {activities: {file: {service: *}}}}}\n".replace(
            "*", "{empirical: {file: times.csv}}"
        ),
    )
    write("reforms/times.csv", "duration\n3\n")
    loaded = load("hall.yaml", reforms=["reforms/faster.yaml"])
    service = loaded.case_types["company"].activities["file"].service
    assert service is not None
    assert [str(value) for value in service.durations()] == ["3 min"]


# Plain data


def plain_hall() -> dict[str, Any]:
    return {
        "calendar": "weekdays",
        "hours": {"day": ("09:00-17:00",)},
        "working_hours": "day",
        "horizon": {"from": "2015-01-05", "to": "5 working days"},
        "pools": {"desk": {"shifts": {"day": {"servers": 1}}}},
        "case_types": {
            "company": {
                "arrivals": {"per_hour": 4},
                "activities": {"file": {"pool": "desk", "service": "10 min"}},
            }
        },
    }


def test_python_data_go_through_the_same_checks():
    assert scenario_from(plain_hall()).pools["desk"].shifts["day"].servers == 1
    wrong = plain_hall() | {"working_hours": "dya", "calender": 3}
    with pytest.raises(
        ScenarioError,
        match=r"\Adata: calender: .* Keys: label, (?s:.*)\ndata: working_hours: no hours",
    ):
        scenario_from(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"description": float("nan")}, "not JSON compliant"),
        ({"description": object()}, "not JSON serializable"),
        ({"calendar": {"file": "days.csv"}}, "only a scenario file can name another file"),
    ],
)
def test_python_data_that_no_file_can_hold_are_refused(change, message):
    with pytest.raises(ScenarioError, match=rf"\Adata: .*{message}"):
        scenario_from(plain_hall() | change)


# What is shown of a scenario


@pytest.mark.parametrize("name", VALID)
def test_the_resolved_file_loads_as_an_equal_scenario(name, tmp_path, monkeypatch):
    monkeypatch.chdir(CASES / "valid")
    loaded = load_document(name)
    assert scenario_again(loaded, tmp_path) == loaded.scenario


def scenario_again(loaded: Loaded, folder: Path) -> Any:
    path = folder / "resolved.yaml"
    path.write_text(resolved_yaml(loaded), encoding="utf-8")
    return load(path)


def test_the_resolved_file_says_everything_and_where_it_is_from(folder):
    write(
        "a.yaml",
        "extends: hall.yaml\npools:\n  desk:\n    source: stated, a sign on the door\n"
        "    room: 5\n    at_closing: turn_away\n",
    )
    write(
        "hall.yaml",
        HALL.replace("file: {", "file: {trip: visit, ") + "trips: {visit: {comes: 52 %}}\n",
    )
    text = resolved_yaml(load_document("a.yaml", ["pools.desk.shifts.day.servers=2"]))
    lines = [" # ".join(part.strip() for part in line.split(" # ")) for line in text.splitlines()]
    assert lines[lines.index("pools:") :][:12] == [
        "pools:",
        "desk:",
        "source:",
        'room: "stated, a sign on the door"',
        "shifts:",
        'source: "assumed, set on the command line"',
        "day:",
        "servers: 2 # --set pools.desk.shifts.day.servers assumed, set on the command line",
        "room: 5 # a.yaml:5 stated, a sign on the door",
        "at_closing: turn_away # a.yaml:6 stated, a sign on the door",
        "at_shift_end: finish # default",
        "case_types:",
    ]
    assert "comes: 52 % # hall.yaml:18 assumed, an example" in lines
    assert not any(line.startswith(("extends", "reforms")) for line in lines)


@pytest.mark.parametrize(
    "path",
    [
        *(CASES / "valid" / name for name in VALID),
        *(pytest.param(p, marks=pytest.mark.long) if "2015-2020" in p.stem else p for p in SHIPPED),
    ],
    ids=str,
)
def test_the_resolved_file_says_the_same_of_every_number(path, tmp_path):
    """And what was left out says that it is a default; readers of YAML 1.1 see the same values."""
    loaded = load_document(path)
    shown = tmp_path / "resolved.yaml"
    shown.write_text(resolved_yaml(loaded), encoding="utf-8")
    again = load_document(shown)
    before = {row.path: (row.kind, row.source) for row in provenance(loaded)}
    after = {row.path: (row.kind, row.source) for row in provenance(again)}
    assert {path: after[path] for path in before} == before
    added = {path: said for path, said in after.items() if path not in before}
    assert set(added.values()) <= {("assumed", "assumed, default")}
    read = yaml.safe_load(shown.read_text(encoding="utf-8"))
    assert without_sources(read) == plain(again.tree)


def without_sources(value: Any) -> Any:
    """What PyYAML reads, with its dates as text."""
    if isinstance(value, dict):
        return {key: without_sources(below) for key, below in value.items() if key != "source"}
    if isinstance(value, list):
        return [without_sources(item) for item in value]
    return str(value) if isinstance(value, dt.date) else value


def test_recorded_values_are_shown_without_their_places(folder):
    write(
        "a.yaml",
        company(RECORDED),
    )
    write("data.csv", "arrived_at\n" + "2015-01-05 09:00\n" * 100)
    text = resolved_yaml(load_document("a.yaml"))
    assert text.count("- 2015-01-05 09:00\n") == 100


def test_every_number_says_whether_it_is_stated_derived_calibrated_or_assumed(folder):
    write(
        "a.yaml",
        "extends: hall.yaml\npools: {desk: {room: 5, source: 'stated: yearbook'}}\n"
        "horizon: {to: 6 working days}\n",
    )
    write("hall.yaml", HALL.replace("file: {", "file: {trip: visit, ") + "trips: {visit: {}}\n")
    rows = {row.path: row for row in provenance(load_document("a.yaml"))}
    assert {path: row.kind for path, row in rows.items()} == {
        "hours.day[0]": "assumed",
        "horizon.from": "assumed",
        "horizon.to": None,
        "profiles.flat.half_hours.09:00": "assumed",
        "pools.desk.shifts.day.servers": "assumed",
        "pools.desk.room": "stated",
        "case_types.company.arrivals.per_working_day": "assumed",
        "case_types.company.activities.file.service": "assumed",
        **{
            f"case_types.company.activities.{name}.delay": "assumed"
            for name in ("check", "copy", "sign", "hand_out")
        },
    }
    assert rows["horizon.to"].mark == Mark("a.yaml", 3, 15)
    assert (rows["pools.desk.room"].value, rows["pools.desk.room"].source) == (
        5,
        "stated: yearbook",
    )


def test_a_recording_is_one_number(folder):
    write(
        "a.yaml",
        company("source: stated", RECORDED),
    )
    write("data.csv", "arrived_at\n" + "2015-01-05 09:00\n" * 100)
    [row] = [row for row in provenance(load_document("a.yaml")) if "recorded" in row.path]
    assert (row.value, row.kind) == ("100 values", "stated")


def test_a_loaded_scenario_knows_its_name_and_its_tree(folder):
    loaded = load_document("hall.yaml")
    assert (loaded.name, loaded.path) == ("hall", Path("hall.yaml"))
    assert str(locate(loaded.tree, ["pools", "desk"])) == "hall.yaml:7:15"
    assert find(loaded.tree, ["pools", "desk", "room"]) is None
