"""The sentences say what the figures say."""

from __future__ import annotations

import copy

import pytest
from tests.report.example import REPORT

from fiberscope.report import words


def test_figures_in_words():
    text = " ".join(words.symmetry(REPORT))
    assert "5 independent directions" in text
    assert "54 of the 59 parameters" in text
    assert "up to 5,754 different settings" in text


def test_no_freedom_is_said_too():
    report = copy.deepcopy(REPORT)
    report["symmetry"] = dict.fromkeys(report["symmetry"], 0)
    assert words.symmetry(report) == ["No continuous change of the weights was found that keeps the function."]


def test_kinds_of_directions_are_told_apart():
    report = copy.deepcopy(REPORT)
    report["symmetry"] |= {"continuous_dimension": 9, "translation_dimension": 3, "invisible_dimension": 1}
    text = " ".join(words.symmetry(report))
    assert "3 from constant shifts" in text
    assert "1 from changes that no reader can see" in text


def test_redundant_units_are_counted_once():
    report = copy.deepcopy(REPORT)
    report["redundant"]["duplicate"] = [["s0", 1]]
    assert words.redundancy(report).startswith("3 hidden units add nothing of their own: 2 dead")
    report["redundant"] = {"dead": [["s0", 1]], "constant": [], "duplicate": []}
    assert words.redundancy(report) == "1 hidden unit adds nothing of its own: 1 dead (no input or no output)."


def test_a_frozen_space_is_named_with_its_operation():
    report = copy.deepcopy(REPORT)
    report["spaces"][1] |= {"mixing": "none", "scaling": "one", "frozen_by": "aten.cumprod"}
    assert words.frozen(report) == ["Nothing is claimed about space s1: aten.cumprod stands in the way."]


@pytest.mark.parametrize(
    ("mixing", "scaling", "said"),
    [
        ("none", "one", "exactly"),
        ("permutation", "one", "exactly, but for its place in the order"),
        ("permutation", "sign", "up to sign and its place in the order"),
        ("permutation", "positive", "up to a positive factor and its place in the order"),
        ("permutation", "nonzero", "up to a factor of either sign and its place in the order"),
        ("orthogonal", "one", "not singly: only up to a rotation of the whole space"),
        ("general_linear", "one", "not singly: only the whole space is determined"),
    ],
)
def test_how_far_a_unit_is_known(mixing: str, scaling: str, said: str):
    assert words.identifiability({"mixing": mixing, "scaling": scaling}) == said


def test_a_bad_self_check_is_not_hidden():
    report = copy.deepcopy(REPORT)
    report["self_check"]["max_relative_change"] = 0.1
    assert "do not trust" in words.self_check(report)
