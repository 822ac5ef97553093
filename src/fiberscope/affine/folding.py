r"""One pass over a DAG that gives every node its standard name (hash-consing): the common core of all reductions.

In topological order, every node is written as ``value = mu + lam * entry`` (or as a constant):

1. parents are replaced by their entries, equal entries are added up, zero weights drop out;
2. a unit without parents is a constant and goes into the biases of its readers;
3. the sign (and the scale, for a homogeneous core) of the pre-activation is normalised by its first weight;
4. units with equal (core, weights on entries, bias) are one entry.

Every step keeps the function on all inputs. Merging below can cancel weights above; since parents come first, one pass
reaches the fixpoint. The rules are Sussmann's (1992) at every unit; that no further relation exists for tanh on any
graph is the theorem of Vlacic and Boelcskei (2021).

With ``slack`` > 0 numbers that were *computed* (sums of several weights, folded constants) are known up to
``slack`` times their largest term, and equal within that: this undoes redundancy that was planted in floating point.
Stored numbers always stay exact.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from fiberscope.affine.constant import Combination, value_at
from fiberscope.affine.dag import DagNetwork, Row
from fiberscope.affine.scalar import Exact, nearest, over, plus, text, times
from fiberscope.affine.unit_law import UnitLaw

_ZERO = Combination()


class Noisy(NamedTuple):
    """An exact number that stands for any number within ``noise`` of it (0: for itself only)."""

    value: Exact
    noise: float = 0.0


@dataclass
class Form:
    """``sum of weights[entry] * entry + bias``, and what the bias is known up to."""

    weights: dict[int, Noisy]
    bias: Combination
    noise: float = 0.0


class Value(NamedTuple):
    """A node: ``shift + factor * entry`` (entry None: the constant ``shift``)."""

    entry: int | None
    factor: Exact
    shift: Combination
    noise: float = 0.0


@dataclass(frozen=True)
class Entry:
    """A named node: an input (core "input"), or ``core(sum weights * entries + bias)``."""

    core: str
    weights: tuple[tuple[int, Exact], ...]
    noises: tuple[float, ...]
    bias: Combination
    noise: float
    digest: str
    parity: str | None = None


class Table:
    """Entries by name; two networks folded into one table share the entries that they have in common."""

    def __init__(self, n_inputs: int, slack: float = 0.0) -> None:
        self.slack = slack
        self.rounded = False  # whether two names were taken as equal only up to rounding
        self.computed = False  # whether some number needed arithmetic that floating point might have rounded
        self.entries = [
            Entry("input", (), (), Combination(float(i)), 0.0, f"{i:08d}") for i in range(n_inputs)
        ]  # a digest of digits sorts before those of units, which start with a letter
        self.by_name: dict[object, int] = {}
        self.near: dict[tuple[str, tuple[int, ...]], list[int]] = {}

    def intern(self, law: UnitLaw, form: Form) -> tuple[int, Exact]:
        """``(entry, factor)`` with ``core(form) = factor * entry``."""
        order = sorted(form.weights, key=lambda i: self.entries[i].digest)
        first = form.weights[order[0]].value
        divisor, factor = 1.0, 1.0
        size = first if first > 0 else times(-1.0, first)
        if law.degree is not None:
            divisor = size
            for _ in range(law.degree):
                factor = times(factor, size)
        if law.parity is not None and first < 0:
            divisor = times(-1.0, divisor)
            factor = times(-1.0, factor) if law.parity == "odd" else factor
        inverse = over(1.0, divisor)
        shrink = abs(nearest(inverse))
        rough = self.slack if shrink != 1.0 else 0.0
        self.computed = self.computed or shrink != 1.0
        if divisor == 1.0:
            weights = [(i, form.weights[i].value) for i in order]
        else:
            weights = [(i, times(form.weights[i].value, inverse)) for i in order]
        noises = [0.0] * len(order)
        if self.slack:
            sizes = (abs(nearest(w)) for _, w in weights)
            noises = [form.weights[i].noise * shrink + rough * size for i, size in zip(order, sizes, strict=True)]
        bias = form.bias.times(inverse)
        noise = form.noise * shrink + rough * abs(bias.nearest() if rough else 0.0)
        name = (law.core_name, tuple(weights), bias)
        found = self.by_name.get(name)
        if found is None and self.slack:
            found = self._near(law.core_name, tuple(order), weights, noises, bias, noise)
        if found is None:
            found = len(self.entries)
            words = [law.core_name, bias.text, *(f"{self.entries[i].digest}:{text(w)}" for i, w in weights)]
            digest = "u" + hashlib.sha256("\n".join(words).encode()).hexdigest()
            entry = Entry(law.core_name, tuple(weights), tuple(noises), bias, noise, digest, law.parity)
            self.entries.append(entry)
            self.near.setdefault((law.core_name, tuple(order)), []).append(found)
        self.by_name.setdefault(name, found)
        return found, factor

    def _near(
        self,
        core: str,
        order: tuple[int, ...],
        weights: list[tuple[int, Exact]],
        noises: list[float],
        bias: Combination,
        noise: float,
    ) -> int | None:
        """An entry whose numbers agree with these up to what both are known to."""
        for candidate in self.near.get((core, order), []):
            entry = self.entries[candidate]
            numbers = zip(entry.weights, entry.noises, weights, noises, strict=True)
            if not all(close(p[1], q[1], m + n) for p, m, q, n in numbers):
                continue
            if entry.bias == bias or close_constants(entry.bias, bias, entry.noise + noise):
                self.rounded = True
                return candidate
        return None


def close(a: Exact, b: Exact, noise: float) -> bool:
    """Whether two numbers differ by at most ``noise``."""
    return a == b or (noise > 0.0 and abs(nearest(plus(a, times(-1.0, b)))) <= noise)


def close_constants(a: Combination, b: Combination, noise: float) -> bool:
    """The same for combinations, whose difference is evaluated with 192 bits."""
    return a == b or (noise > 0.0 and abs((a + b.times(-1.0)).nearest()) <= noise)


@dataclass(frozen=True)
class Folded:
    """A network in a table: the value of every node, every unit's pre-activation, and the outputs."""

    table: Table
    values: tuple[Value, ...]
    rows: tuple[Form, ...]
    outputs: tuple[Form, ...]


def fold(net: DagNetwork, table: Table | None = None) -> Folded:
    """Name every node of a network (in a new table with ``slack`` 0 unless one is given).

    >>> from fiberscope.affine.dag import DagNetwork
    >>> net = DagNetwork.from_layers([([[2.0], [-2.0]], [1.0, -1.0]), ([[1.0, 1.0]], None)])
    >>> folded = fold(net)
    >>> [v.entry for v in folded.values], folded.outputs[0].weights
    ([0, 1, 1], {})
    """
    table = table or Table(net.n_inputs)
    values = [Value(i, 1.0, _ZERO) for i in range(net.n_inputs)]
    rows: list[Form] = []
    for unit in net.units:
        form = substitute(unit.row, values, table)
        rows.append(form)
        values.append(_named(net.law(unit.activation), form, table))
    outputs = tuple(substitute(row, values, table) for row in net.outputs)
    return Folded(table, tuple(values), tuple(rows), outputs)


def substitute(row: Row, values: list[Value], table: Table) -> Form:
    """A row over nodes as a form over entries."""
    slack = table.slack
    weights: dict[int, Noisy] = {}
    bias = Combination(row.bias)
    noise, computed = 0.0, False
    largest = abs(nearest(row.bias))
    for p, w in zip(row.parents, row.weights, strict=True):
        if w == 0:
            continue
        entry, factor, shift, shift_noise = values[p]
        if entry is not None and factor == 1.0 and shift is _ZERO and entry not in weights:
            weights[entry] = Noisy(w)
            continue
        if not shift.is_zero:
            part = shift.times(w)
            bias = bias + part
            computed = True
            if slack:
                largest = max(largest, abs(part.nearest()))
                noise += abs(nearest(w)) * shift_noise
        if entry is None:
            continue
        table.computed = table.computed or entry in weights
        add_weight(weights, entry, times(w, factor), slack, factor)
    table.computed = table.computed or computed
    if computed and slack:
        noise += slack * largest
        if not bias.is_zero and abs(bias.nearest()) <= noise:
            bias, table.rounded = Combination(), True
    for entry in [i for i, (value, rough) in weights.items() if value == 0 or abs(nearest(value)) <= rough]:
        table.rounded = table.rounded or weights[entry].value != 0
        del weights[entry]
    return Form(weights, bias, noise)


def add_weight(weights: dict[int, Noisy], entry: int, value: Exact, slack: float, factor: Exact) -> None:
    """Add a weight to a form; a sum, or a product that may round, is known up to ``slack`` times its largest term."""
    size = abs(nearest(value)) if slack else 0.0
    if entry not in weights:
        weights[entry] = Noisy(value, 0.0 if abs(nearest(factor)) in (1.0, 0.5) else slack * size)
        return
    before, noise = weights[entry]
    weights[entry] = Noisy(plus(before, value), noise + slack * max(size, abs(nearest(before)) if slack else 0.0))


def _named(law: UnitLaw, form: Form, table: Table) -> Value:
    """The value of a unit with this pre-activation."""
    if not form.weights:
        shift = value_at(law, form.bias)
        if not table.slack:
            return Value(None, 0.0, shift)
        return Value(None, 0.0, shift, form.noise * 4.0 + table.slack * abs(shift.nearest()))
    if law.beta == 1.0 and law.gamma == 0.0:
        entry, factor = table.intern(law, form)
        return Value(entry, times(law.lam, factor), _ZERO if law.mu == 0.0 else Combination(law.mu))
    beta = abs(nearest(law.beta))
    core = Form(
        {i: Noisy(times(w, law.beta), n * beta) for i, (w, n) in form.weights.items()},
        form.bias.times(law.beta) + Combination(law.gamma),
        form.noise * beta,
    )
    entry, factor = table.intern(law, core)
    return Value(entry, times(law.lam, factor), Combination(law.mu))


def reachable(table: Table, outputs: tuple[Form, ...]) -> list[int]:
    """The unit entries that some output needs, parents first."""
    seen: set[int] = set()
    stack = [i for form in outputs for i in form.weights]
    while stack:
        i = stack.pop()
        if i not in seen:
            seen.add(i)
            stack += [p for p, _ in table.entries[i].weights]
    return sorted(i for i in seen if table.entries[i].core != "input")
