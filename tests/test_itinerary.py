"""Itineraries: conditions, rework and parallel work unrolled into steps.

An itinerary is written as its steps: name, visit, and the places of the steps before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.itinerary import Itinerary, LoopError, Process, find_cycle, make_process, unroll


class Graph:
    """A process whose activities have names."""

    def __init__(
        self,
        after: Mapping[str, Sequence[str]],
        again: Mapping[str, Sequence[str]] | None = None,
        trips: Mapping[str, int] | None = None,
        passes: Mapping[str, str] | None = None,
    ) -> None:
        self.names = list(after)
        number = self.names.index
        self.process: Process = make_process(
            after=[[number(before) for before in after[name]] for name in self.names],
            again={
                number(end): [number(begin) for begin in begins]
                for end, begins in (again or {}).items()
            },
            trips=[(trips or {}).get(name, -1) for name in self.names],
            passes=[(passes or {}).get(name) for name in self.names],  # type: ignore[misc]
        )

    def itinerary(self, returns: Mapping[str, str] | None = None, without: str = "") -> Itinerary:
        """`returns` says for each end of a loop at which visits it sends back: "yyn"."""
        present = [name not in without for name in self.names]
        sent_back = {
            self.names.index(end): [answer == "y" for answer in answers]
            for end, answers in (returns or {}).items()
        }
        for loop in self.process.loops:
            if present[loop.end]:
                sent_back.setdefault(loop.end, [False])
        return unroll(self.process, present, sent_back)

    def steps(self, returns: Mapping[str, str] | None = None, without: str = "") -> list:
        """(name, visit, places before) of every step."""
        it = self.itinerary(returns, without)
        before: list[list[int]] = [[] for _ in range(it.num_steps)]
        for place, places in enumerate(it.successors):
            for later in places:
                before[later].append(place)
        assert [len(places) for places in before] == list(it.num_predecessors)
        assert [p for p, places in enumerate(before) if not places] == list(it.beginnings)
        return [
            (self.names[activity], int(visit), places)
            for activity, visit, places in zip(it.activity, it.visit, before, strict=True)
        ]


ROW = {"a": [], "b": ["a"], "c": ["b"]}


def test_activities_in_a_row_follow_each_other():
    """Each step waits for the one before it."""
    assert Graph(ROW).steps() == [("a", 1, []), ("b", 1, [0]), ("c", 1, [1])]


def test_places_follow_precedence_and_then_the_file():
    """A step stands after its predecessors; among those that could, the first in the file."""
    graph = Graph({"end": ["left", "right"], "right": ["begin"], "left": ["begin"], "begin": []})
    assert graph.steps() == [
        ("begin", 1, []),
        ("right", 1, [0]),
        ("left", 1, [0]),
        ("end", 1, [1, 2]),
    ]


def test_leaving_an_activity_out_closes_the_gap():
    """What came after it comes after what it came after."""
    assert Graph(ROW).steps(without="b") == [("a", 1, []), ("c", 1, [0])]
    assert Graph(ROW).steps(without="a") == [("b", 1, []), ("c", 1, [0])]
    assert Graph(ROW).steps(without="ab") == [("c", 1, [])]
    assert Graph(ROW).steps(without="abc") == []


def test_a_gap_in_a_fork_joins_what_is_left():
    """One of two parallel checks falls away: the join waits for the other and for the fork."""
    fork = Graph({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    assert fork.steps(without="b") == [("a", 1, []), ("c", 1, [0]), ("d", 1, [0, 1])]
    assert fork.steps(without="bc") == [("a", 1, []), ("d", 1, [0])]
    assert fork.steps(without="a") == [("b", 1, []), ("c", 1, []), ("d", 1, [0, 1])]


def test_a_step_that_begins_is_repeated_alone():
    """Sent back to itself: as many visits as it takes, and what follows comes after the last."""
    graph = Graph(ROW, again={"b": ["b"]})
    assert graph.steps({"b": "yyn"}) == [
        ("a", 1, []),
        ("b", 1, [0]),
        ("b", 2, [1]),
        ("b", 3, [2]),
        ("c", 1, [3]),
    ]


def test_rework_repeats_everything_between():
    """Sent back from c to a: a, b, c once more, beginning after c."""
    assert Graph(ROW, again={"c": ["a"]}).steps({"c": "yn"}) == [
        ("a", 1, []),
        ("b", 1, [0]),
        ("c", 1, [1]),
        ("a", 2, [2]),
        ("b", 2, [3]),
        ("c", 2, [4]),
    ]


def test_rework_begins_at_alternatives():
    """Counter or online: sent back to the one that this case goes through."""
    graph = Graph({"counter": [], "online": [], "check": ["counter", "online"]},
                  again={"check": ["counter", "online"]})  # fmt: skip
    assert graph.steps({"check": "yn"}, without="online") == [
        ("counter", 1, []),
        ("check", 1, [0]),
        ("counter", 2, [1]),
        # The one that is left out passes on what it comes after.
        ("check", 2, [1, 2]),
    ]


def test_parallel_work_in_a_loop_is_parallel_again():
    """Both checks begin after the decision that sends back, and it waits for both."""
    graph = Graph({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}, again={"d": ["b", "c"]})
    assert graph.steps({"d": "yn"}) == [
        ("a", 1, []),
        ("b", 1, [0]),
        ("c", 1, [0]),
        ("d", 1, [1, 2]),
        ("b", 2, [3]),
        ("c", 2, [3]),
        ("d", 2, [4, 5]),
    ]


def test_what_follows_from_inside_a_loop_waits_until_the_loop_is_left():
    """A copy of the last check is made when it is decided that nothing is checked once more."""
    graph = Graph({"a": [], "check": ["a"], "copy": ["check"], "decide": ["check"]},
                  again={"decide": ["check"]})  # fmt: skip
    assert graph.steps({"decide": "yn"}) == [
        ("a", 1, []),
        ("check", 1, [0]),
        ("decide", 1, [1]),
        ("check", 2, [2]),
        ("decide", 2, [3]),
        ("copy", 1, [3, 4]),
    ]


NESTED = Graph({"a": [], "b": ["a"], "c": ["b"]}, again={"b": ["b"], "c": ["a"]})


def test_an_inner_loop_begins_anew_in_each_pass_of_the_outer():
    """Sent back once in the first pass and not in the second; visits count on."""
    assert NESTED.steps({"b": "ynn", "c": "yn"}) == [
        ("a", 1, []),
        ("b", 1, [0]),
        ("b", 2, [1]),
        ("c", 1, [2]),
        ("a", 2, [3]),
        ("b", 3, [4]),
        ("c", 2, [5]),
    ]


def test_repeats_are_what_is_done_in_a_later_pass():
    """Of any loop around it."""
    graph = Graph({"a": [], "b": ["a"], "c": ["b"], "d": ["c"]}, again={"b": ["b"], "c": ["b"]})
    it = graph.itinerary({"b": "ynn", "c": "yn"})
    assert ["abcd"[n] for n in it.activity] == list("abbcbcd")
    assert it.is_repeat.tolist() == [False, False, True, False, True, True, False]


def test_first_and_later_passes_can_differ():
    """`pass: first` and `pass: later` ask for the run through the innermost loop."""
    graph = Graph(
        {"a": [], "first": ["a"], "later": ["a"], "d": ["first", "later"]},
        again={"d": ["a"]},
        passes={"first": "first", "later": "later"},
    )
    assert [name for name, *_ in graph.steps({"d": "yyn"})] == [
        *("a", "first", "d"),
        *("a", "later", "d"),
        *("a", "later", "d"),
    ]


def test_an_inner_loop_is_in_its_first_pass_whenever_the_outer_begins_anew():
    """Passes are those of the innermost loop."""
    graph = Graph(
        {"a": [], "first": ["a"], "later": ["a"], "d": ["first", "later"], "e": ["d"]},
        again={"d": ["a"], "e": ["a"]},
        passes={"first": "first", "later": "later"},
    )
    assert [name for name, *_ in graph.steps({"d": "ynn", "e": "yn"})] == [
        *("a", "first", "d"),
        *("a", "later", "d"),
        "e",
        *("a", "first", "d"),
        "e",
    ]


def test_a_loop_whose_end_is_left_out_is_lived_through_once():
    """Nothing sends this case back."""
    graph = Graph(ROW, again={"c": ["a"]})
    assert graph.steps(without="c") == [("a", 1, []), ("b", 1, [0])]


def test_a_trip_is_begun_once_and_again_in_each_pass():
    """Activities with one trip share it; who is sent back comes in once more."""
    graph = Graph(
        {"a": [], "b": ["a"], "c": ["b"], "d": ["c"]},
        again={"b": ["a"]},
        trips={"a": 0, "b": 0, "c": 0, "d": 1},
    )
    it = graph.itinerary({"b": "yn"})
    assert ["abcd"[n] for n in it.activity] == list("ababcd")
    assert it.trip_place == (0, 0, 2, 2, 2, 5)


def test_a_trip_begins_with_its_first_activity_that_is_lived_through():
    """If that is left out, with the next one."""
    graph = Graph(ROW, trips=dict.fromkeys("abc", 0))
    assert graph.itinerary(without="a").trip_place == (0, 0)


def test_the_same_case_has_the_same_itinerary_object():
    """Cases that go the same way share it."""
    graph = Graph(ROW, again={"c": ["a"]})
    assert graph.itinerary({"c": "yn"}) is graph.itinerary({"c": "yn"})
    assert graph.itinerary({"c": "yn"}) is not graph.itinerary({"c": "n"})


def test_a_loop_must_lead_from_its_beginning_to_its_end():
    """Sent back to something that does not come before."""
    with pytest.raises(LoopError, match="sent back to an activity that does not lead to it"):
        Graph({"a": [], "b": []}, again={"b": ["a"]})


def test_loops_must_not_overlap():
    """Two loops lie apart or one inside the other."""
    with pytest.raises(LoopError, match="overlaps another loop without lying inside it"):
        Graph({"a": [], "b": ["a"], "c": ["b"]}, again={"b": ["a"], "c": ["b"]})


def test_loops_must_not_wait_for_each_other():
    """What follows a loop follows its end: here each loop's end follows the other one."""
    with pytest.raises(LoopError, match="waits for the end of another loop that waits for this"):
        Graph({"a": [], "b": [], "c": ["a", "b"], "d": ["a", "b"]}, again={"d": ["a"], "c": ["b"]})


def test_the_activity_that_says_again_is_told():
    """A LoopError knows which activity it is about."""
    with pytest.raises(LoopError) as raised:
        Graph({"a": [], "b": []}, again={"b": ["a"]})
    assert raised.value.activity == 1


def test_a_cycle_is_found():
    """Activities that wait for each other, in the order in which they do."""
    assert find_cycle([[], [0, 3], [1], [2]]) == [1, 3, 2]
    assert find_cycle([[0]]) == [0]
    assert find_cycle([[], [0], [0, 1]]) == []


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.data())
def test_every_step_stands_after_its_predecessors(data: st.DataObject):
    """In any graph, with any activity left out and any number of returns."""
    size = data.draw(st.integers(1, 6))
    after = [sorted(data.draw(st.sets(st.integers(0, i - 1)))) if i else [] for i in range(size)]
    end = data.draw(st.integers(0, size - 1))
    begin = data.draw(st.integers(0, end))
    try:
        process = make_process(after, {end: [begin]}, [-1] * size, [None] * size)
    except LoopError:
        return
    present = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    returns = data.draw(st.integers(0, 3))
    sent_back = {end: [True] * returns + [False]} if present[end] else {}
    it = unroll(process, present, sent_back)
    assert all(later > place for place, places in enumerate(it.successors) for later in places)
    (loop,) = process.loops
    passes = 1 + (returns if present[end] else 0)
    for activity in range(size):
        visits = it.visit[it.activity == activity].tolist()
        wanted = (passes if activity in loop.members else 1) if present[activity] else 0
        assert visits == list(range(1, wanted + 1))
