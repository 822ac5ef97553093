"""`--box LO HI`: numbers and comma lists, also ones that begin with a minus sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run, perceptron

from fiberscope.cli.box import box


@pytest.mark.parametrize(
    ("texts", "sides"),
    [
        (("-1", "1"), (-1.0, 1.0)),
        (("-0.3,-0.5", "0.6,0.5"), ([-0.3, -0.5], [0.6, 0.5])),
        (("-1e-3", "1e3"), (-1e-3, 1e3)),
        (("0", "1,2,3"), ([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])),
        ((" 0 , 1", "2,3"), ([0.0, 1.0], [2.0, 3.0])),
        (("2", "2"), (2.0, 2.0)),
    ],
)
def test_sides(texts: tuple[str, str], sides: object):
    assert box(texts) == sides


def test_no_box_means_no_box():
    assert box(None) is None


@pytest.mark.parametrize(
    ("sides", "low", "high"),
    [
        (["-1", "1"], [-1.0] * 5, [1.0] * 5),
        (["-0.3,-0.5,0,0,0", "0.6,0.5,1,1,1"], [-0.3, -0.5, 0, 0, 0], [0.6, 0.5, 1, 1, 1]),
        (["-.5", "-.25"], [-0.5] * 5, [-0.25] * 5),
    ],
)
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_a_leading_minus_is_a_number(
    sides: list[str], low: list[float], high: list[float], after: bool, tmp_path: Path, run: Run
):
    models = [perceptron(tmp_path / "a.npz", seed=1), perceptron(tmp_path / "b.npz", seed=2)]
    option = ["--box", *sides]
    done = run("compare", *(models + option if after else option + models), "--json")
    assert done.status == 1, done.err
    assert done.json["domain"] == {"lo": low, "hi": high}
    witness = done.json["witness"]["input"]
    assert all(lo <= x <= hi for lo, x, hi in zip(low, witness, high, strict=True))
