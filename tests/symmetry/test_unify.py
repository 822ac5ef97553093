"""Axis types: cutting, splitting and tying keep sizes, share atoms, and never enlarge a group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.symmetry.axes import (
    Atom,
    Axis,
    Leaf,
    Product,
    Sum,
    Uniform,
    direct_sum,
    fixed_axis,
    leaves,
    product,
    resolve,
)
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.unify import Facts, Mismatch


@st.composite
def axes(draw: st.DrawFn, facts: Facts, size: int, depth: int = 2) -> Axis:
    """A random axis of a given size: a leaf, a uniform or fixed axis, a product or a sum."""
    kinds = ["fresh", "fresh", "uniform", "fixed"]
    divisors = [d for d in range(2, size) if size % d == 0]
    if depth and divisors:
        kinds += ["product", "product"]
    if depth and size > 1:
        kinds += ["sum", "sum"]
    kind = draw(st.sampled_from(kinds))
    if kind == "product":
        d = draw(st.sampled_from(divisors))
        return product([draw(axes(facts, d, depth - 1)), draw(axes(facts, size // d, depth - 1))])
    if kind == "sum":
        d = draw(st.integers(1, size - 1))
        return direct_sum([draw(axes(facts, d, depth - 1)), draw(axes(facts, size - d, depth - 1))])
    if kind == "uniform":
        return Uniform(size)
    return fixed_axis(size) if kind == "fixed" else facts.fresh(size)


pairs = st.sampled_from((4, 6, 8, 12)).flatmap(
    lambda n: st.builds(Facts).flatmap(lambda f: st.tuples(st.just(f), axes(f, n), axes(f, n)))
)
MODES = ("equal", "multiply", "contract")


def tie(facts: Facts, a: Axis, b: Axis, mode: str) -> Axis | None:
    return getattr(facts, mode)(a, b)


@given(pairs, st.sampled_from(MODES))
def test_tying_keeps_sizes(pair: tuple[Facts, Axis, Axis], mode: str):
    facts, a, b = pair
    made = tie(facts, a, b, mode)
    assert resolve(a).size == a.size == resolve(b).size
    assert made is None or resolve(made).size == a.size


@given(pairs, st.sampled_from(MODES))
def test_tied_axes_share_their_atoms(pair: tuple[Facts, Axis, Axis], mode: str):
    """Afterwards the atoms correspond one to one, or nothing may act on what does not correspond."""
    facts, a, b = pair
    tie(facts, a, b, mode)
    left, right = ({leaf.atom for leaf in leaves(resolve(x))} for x in (a, b))
    for alone in left ^ right:
        uniform_partner = any(isinstance(x, Uniform) for x in (resolve(a), resolve(b))) or _has_uniform(a, b)
        assert alone.mixing is Mixing.none or (uniform_partner and alone.mixing <= _allowed(mode))


def _has_uniform(*given_axes: Axis) -> bool:
    def inside(axis: Axis) -> bool:
        axis = resolve(axis)
        if isinstance(axis, Product):
            return any(map(inside, axis.factors))
        return any(map(inside, axis.terms)) if isinstance(axis, Sum) else isinstance(axis, Uniform)

    return any(map(inside, given_axes))


def _allowed(mode: str) -> Mixing:
    return Mixing.general_linear if mode == "multiply" else Mixing.permutation


@given(pairs, st.sampled_from(MODES))
def test_tying_twice_changes_nothing(pair: tuple[Facts, Axis, Axis], mode: str):
    facts, a, b = pair
    tie(facts, a, b, mode)
    before = (_shape(a), _shape(b))
    tie(facts, a, b, mode)
    assert (_shape(a), _shape(b)) == before


@given(st.sampled_from((4, 6, 8, 12)), st.data(), st.sampled_from(MODES))
def test_tying_is_symmetric(n: int, data: st.DataObject, mode: str):
    """a with b, and b with a, give the same structure and the same groups."""
    seed_facts = [Facts(), Facts()]
    plan = data.draw(st.integers(0, 10**6))
    made = []
    for facts, swap in zip(seed_facts, (False, True), strict=True):
        a, b = _drawn(facts, n, plan), _drawn(facts, n, plan + 1)
        tie(facts, *((b, a) if swap else (a, b)), mode)
        made.append((_groups(a), _groups(b)))
    assert made[0] == made[1]


def _drawn(facts: Facts, size: int, plan: int, depth: int = 2) -> Axis:
    """The axis that a number stands for (the same structure for every Facts)."""
    choice, rest = plan % 5, plan // 5
    divisors = [d for d in range(2, size) if size % d == 0]
    if depth and choice == 1 and divisors:
        d = divisors[rest % len(divisors)]
        return product([_drawn(facts, d, rest // 3, depth - 1), _drawn(facts, size // d, rest // 7, depth - 1)])
    if depth and choice == 2 and size > 1:
        d = 1 + rest % (size - 1)
        return direct_sum([_drawn(facts, d, rest // 3, depth - 1), _drawn(facts, size - d, rest // 7, depth - 1)])
    if choice == 3:
        return Uniform(size)
    return fixed_axis(size) if choice == 4 else facts.fresh(size)


def _shape(axis: Axis) -> object:
    axis = resolve(axis)
    match axis:
        case Leaf(atom, _):
            return ("leaf", atom.size, atom.mixing)
        case Uniform(n):
            return ("uniform", n)
        case Product(factors):
            return ("product", tuple(_shape(f) for f in factors))
        case Sum(terms):
            return ("sum", tuple(_shape(t) for t in terms))


def _groups(axis: Axis) -> list[tuple[int, Mixing]]:
    return [(leaf.size, leaf.atom.mixing) for leaf in leaves(resolve(axis))]


def test_cut_a_leaf():
    facts = Facts()
    axis = facts.fresh(6)
    head, tail = facts.cut(axis, 2)
    assert (head.size, tail.size) == (2, 4)
    assert resolve(axis) == Sum((head, tail)), "the leaf itself became the sum of its parts"


def test_cut_a_sum_inside_a_term():
    facts = Facts()
    a, b = facts.fresh(3), facts.fresh(4)
    head, tail = facts.cut(direct_sum([a, b]), 5)
    assert isinstance(head, Sum) and head.size == 5 and tail.size == 2
    assert isinstance(resolve(b), Sum) and resolve(a) == a


def test_cut_a_product_at_a_multiple_only():
    facts = Facts()
    outer, inner = facts.fresh(4), facts.fresh(3)
    head, tail = facts.cut(product([outer, inner]), 6)
    assert (head.size, tail.size) == (6, 6)
    with pytest.raises(Mismatch):
        facts.cut(product([facts.fresh(4), facts.fresh(3)]), 5)


def test_split_a_leaf_and_across_factors():
    facts = Facts()
    axis = facts.fresh(12)
    head, tail = facts.split(axis, 4)
    assert resolve(axis) == Product((head, tail)) and (head.size, tail.size) == (4, 3)
    head, tail = facts.split(axis, 2)
    assert (head.size, tail.size) == (2, 6) and isinstance(tail, Product)
    with pytest.raises(Mismatch):
        facts.split(facts.fresh(12), 5)


def test_split_a_sum_ties_its_terms():
    """(2 x 3) + (2 x 3) = (2 + 2) x 3 only when both terms share the inner factor."""
    facts = Facts()
    a, b = facts.fresh(6), facts.fresh(6)
    head, tail = facts.split(direct_sum([a, b]), 4)
    assert (head.size, tail.size) == (4, 3)
    inner = [[leaf.atom for leaf in leaves(resolve(x))][1] for x in (a, b)]
    assert inner[0] is inner[1]


def test_a_product_and_a_sum_of_other_sizes_freeze():
    facts = Facts()
    a, b = product([facts.fresh(2), facts.fresh(3)]), direct_sum([facts.fresh(1), facts.fresh(5)])
    facts.where = "aten.add.Tensor at node add"
    facts.equal(a, b)
    for leaf in [*leaves(resolve(a)), *leaves(resolve(b))]:
        assert leaf.atom.mixing is Mixing.none and leaf.atom.frozen_by == "aten.add.Tensor at node add"


def test_adding_ties_and_multiplying_forbids_mixing():
    facts = Facts()
    a, b, c = facts.fresh(5), facts.fresh(5), facts.fresh(5)
    facts.equal(a, b)
    assert a.atom.find() is b.atom.find() and a.atom.find().mixing is Mixing.general_linear
    facts.multiply(a, c)
    assert b.atom.find().mixing is Mixing.permutation


def test_a_constant_added_stops_scalings_and_mixings():
    facts = Facts()
    a = facts.fresh(5)
    facts.equal(a, Uniform(5))
    assert a.atom.mixing is Mixing.permutation
    assert [c for _, c in facts.zero_log] == [a.charge] and [c for _, c in facts.zero_sign] == [a.charge]


def test_an_atom_cannot_be_part_of_itself():
    facts = Facts()
    a = facts.fresh(4)
    with pytest.raises(Mismatch):
        facts._bind(a, Sum((Leaf(a.atom), Leaf(Atom(2)))))


def test_a_frozen_space_stays_frozen_in_its_parts():
    facts = Facts()
    a = facts.fresh(6)
    facts.freeze(a)
    facts.split(a, 2)
    facts.cut(facts.fresh(1), 0)
    assert all(leaf.atom.mixing is Mixing.none for leaf in leaves(resolve(a)))


def test_factors_of_size_one_are_stepped_over():
    """(3 x 2) + 6 against 2 x 6: cutting the second leaves a factor of size one."""
    facts = Facts()
    a = direct_sum([product([facts.fresh(3), facts.fresh(2)]), facts.fresh(6)])
    b = product([facts.fresh(2), facts.fresh(6)])
    facts.equal(a, b)
    assert resolve(a).size == resolve(b).size == 12
    assert {leaf.atom for leaf in leaves(resolve(b))} >= {leaf.atom for leaf in leaves(resolve(a))}
