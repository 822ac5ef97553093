"""Folding repeated blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fiberscope.scene.repeats import Folded, Run, fold, longest_run


def test_a_run_is_found():
    assert longest_run("xabababy") == Run(1, 2, 3)
    assert longest_run("aaaa") == Run(0, 1, 4)
    assert longest_run("abcabdabe") is None


@given(st.text("ab", min_size=1, max_size=4), st.integers(3, 6), st.text("xy", max_size=3), st.text("xy", max_size=3))
def test_planted_runs_fold_as_much_as_planted(block: str, times: int, before: str, after: str):
    run = longest_run(before + block * times + after)
    assert run is not None
    text = before + block * times + after
    pieces = {text[run.start + k * run.period : run.start + (k + 1) * run.period] for k in range(run.times)}
    assert len(pieces) == 1
    assert run.saved >= len(block) * (times - 1)


def test_folding_maps_every_item_to_one_that_is_drawn():
    text = "x" + "abcd" * 12 + "y"
    place, folded = fold(text, largest=10)
    assert folded == [Folded((1, 2, 3, 4), 12)]
    assert sorted(set(place)) == [0, 1, 2, 3, 4, 49]
    assert all(text[item] == text[place[item]] for item in range(len(text)))


def test_small_graphs_are_left_alone():
    assert fold("aaaa", largest=10) == ([0, 1, 2, 3], [])
