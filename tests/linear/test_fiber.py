"""The fiber object: guards, the rank of a given product, intervals, what it reports."""

from __future__ import annotations

import json
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.errors import InputError, WeightError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.fiber import Fiber
from fiberscope.linear.order import leq
from fiberscope.linear.product_rank import product_rank


def of_rank(rows: int, columns: int, rank: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(-3, 4, (rows, rank)) @ rng.integers(-3, 4, (rank, columns))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 6), st.integers(0, 10**6), st.floats(-280, 280))
def test_rank_of_floats_is_that_of_the_integers_behind(
    rows: int, columns: int, rank: int, seed: int, exponent: float
) -> None:
    matrix = of_rank(rows, columns, rank, seed)
    exact = product_rank(matrix)
    assert exact.tolerance is exact.gap is None
    fractions = [[Fraction(int(v), 7) for v in row] for row in matrix]
    assert product_rank(fractions).rank == exact.rank
    scaled = product_rank(matrix * 10.0**exponent)
    assert scaled.rank == exact.rank == np.linalg.matrix_rank(matrix)
    if scaled.gap is not None:
        assert scaled.gap > 1e9


def test_the_gap_tells_how_safe_a_rank_is() -> None:
    q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))
    clear, close = (Fiber.of(q @ np.diag([3.0, 1.0, s, 1e-13]) @ q.T, [4, 5, 4]) for s in (1e-12, 2e-10))
    assert clear.rank == close.rank == 2
    assert clear.decision is not None
    assert close.decision is not None
    assert clear.decision.gap == pytest.approx(1e12, rel=1e-2)
    assert close.decision.gap == pytest.approx(5e9, rel=1e-2)
    assert Fiber.of(q @ np.diag([3.0, 1.0, 2e-10, 1e-13]) @ q.T, [4, 5, 4], 1e-11).rank == 3
    assert Fiber.of(np.diag([3.0, 1.0, 1e-12, 0.0]), [4, 5, 4], exact=True).rank == 3
    assert clear == close == Fiber((4, 5, 4), 2)
    assert clear.to_json()["gap"] == clear.decision.gap


def test_zero_and_torch_products() -> None:
    import torch

    zero = Fiber.of(np.zeros((2, 3)), [3, 4, 2])
    assert (zero.rank, zero.decision.gap if zero.decision else 0) == (0, None)
    assert Fiber.of(torch.tensor([[1.0, 2.0], [2.0, 4.0]]), [2, 2, 2]).rank == 1
    assert Fiber.of([[1, 2], [2, 4]], (2, 2, 2)).rank == 1


@pytest.mark.parametrize(
    ("product", "widths", "error", "words"),
    [
        (np.eye(3), [3, 2, 3], InputError, "rank 3, more than the least"),
        (np.ones((2, 3)), [2, 4, 3], InputError, "2x3: widths .* need 3x2"),
        ([[1, 2, 3]], [1, 3], InputError, "1x3: widths .* need 3x1"),
        (np.array([[np.nan]]), [1, 1], WeightError, "the product W holds NaN"),
        (np.ones(3), [3, 1], WeightError, "the product W: expected a matrix"),
        (np.ones((0, 3)), [3, 1], WeightError, "at least one row"),
        (np.eye(2) * 1j, [2, 2], WeightError, "real numbers"),
        (np.eye(2), [2], InputError, "at least two"),
    ],
)
def test_bad_products(product: object, widths: list[int], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        Fiber.of(product, widths)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tol", [-1e-3, 1.0, float("nan")])
def test_bad_tolerance(tol: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        Fiber.of(np.eye(2), [2, 2], tol)


@pytest.mark.parametrize(("widths", "rank"), [((3, 2, 3), 3), ((3, 2, 3), -1), ((3,), 0), ((3, 0, 2), 0)])
def test_no_such_fiber(widths: tuple[int, ...], rank: int) -> None:
    with pytest.raises(InputError):
        Fiber(widths, rank)


def test_widths_may_be_numpy_integers_or_a_list() -> None:
    fiber = Fiber(list(np.array([2, 3, 2])), np.int64(1))  # type: ignore[arg-type]
    assert fiber == Fiber((2, 3, 2), 1)
    assert json.loads(json.dumps(fiber.to_json()))["widths"] == [2, 3, 2]


def test_too_many_strata_are_counted_not_made() -> None:
    start = time.perf_counter()
    fiber = Fiber((4,) * 9, 0)
    for act in (fiber.strata, fiber.hasse):
        with pytest.raises(InputError, match=r"23273950 strata.*max_strata=100000.*components\(\).*interval"):
            act()
    with pytest.raises(InputError, match="6 strata, more than max_strata=5"):
        Fiber((2, 2, 2), 0).strata(5)
    assert len(list(Fiber((2, 2, 2), 0).strata(6))) == 6
    assert next(fiber.strata(None)) == fiber.least
    assert time.perf_counter() - start < 2


@given(st.lists(st.integers(1, 4), min_size=2, max_size=6), st.data())
def test_the_fiber_is_its_strata(widths: list[int], data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, min(widths)))
    fiber = Fiber(tuple(widths), rank)
    if fiber.count() > 800:
        return
    strata = list(fiber.strata())
    assert len(strata) == fiber.count()
    assert strata[0] == fiber.least
    assert all(leq(fiber.least.barcode, s.barcode) for s in strata)
    assert fiber.dimension == max(s.dimension for s in strata)
    assert fiber.is_smooth == (not any(s.singular for s in strata))
    components = list(fiber.components())
    assert {s.barcode for s in strata if s.is_component} == {s.barcode for s in components}
    assert len(components) == fiber.count_components()
    top = components[data.draw(st.integers(0, len(components) - 1))]
    below = {s.barcode for s in fiber.interval(fiber.least, top)}
    assert below == {s.barcode for s in strata if leq(s.barcode, top.barcode)}
    assert repr(fiber).count("\n") < 3


def test_interval_of_strata_of_other_fibers() -> None:
    fiber = Fiber((2, 2, 2), 0)
    with pytest.raises(InputError, match="one fiber"):
        fiber.interval(fiber.least, Barcode.from_bars(2, {(0, 2): 2}))


def test_an_interval_in_a_fiber_of_millions_of_strata() -> None:
    fiber = Fiber((4,) * 9, 0)
    low = fiber.least
    high = low.barcode
    from fiberscope.linear.order import covers

    for _ in range(6):
        high = covers(high)[-1].apply(high)
    found = list(fiber.interval(low, high))
    assert found[0] == low
    assert high in {s.barcode for s in found}
    assert all(leq(s.barcode, high) for s in found)
