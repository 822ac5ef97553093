"""Check a rho-isomorphism certificate step by step, in Python's own rationals and without the code that made it.

A certificate is plain data: a list of modifications (see `modification` for the formula) and the order in which the
units that are left become the units of the second network. Every step names its identity, the affine function tau, the
units that play its terms, the readers with their factors, and the units removed. Zero weights count as absent edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from fiberscope.affine.dag import DagNetwork, Row
from fiberscope.affine.identity_proof import AffineSymmetry, holds
from fiberscope.errors import CertificateError
from fiberscope.numerics.exact import fraction

Line = tuple[dict[int, Fraction], Fraction]


def check(certificate: Mapping[str, Any], a: DagNetwork, b: DagNetwork) -> str | None:
    """None when the certificate turns ``a`` into exactly ``b``, else the reason why it does not.

    >>> from fiberscope.affine.modification import Rewriter
    >>> net = DagNetwork.from_layers([([[2.0]], [1.0]), ([[3.0]], None)])
    >>> work = Rewriter(net)
    >>> made = work.modify(1, AffineSymmetry.of([(1, 1, 0), (1, -1, 0)]))
    >>> check(work.certificate(), net, work.network()), check(work.certificate(), net, net)
    (None, 'unit 0 of the second network is not unit 2 of the result')
    """
    try:
        _follow(certificate, a, b)
    except CertificateError as reason:
        return str(reason)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
        return f"the certificate cannot be followed ({type(error).__name__}: {error})"
    return None


def _need(condition: bool, reason: str) -> None:
    if not condition:
        raise CertificateError(reason)


def _follow(certificate: Mapping[str, Any], a: DagNetwork, b: DagNetwork) -> None:
    frame = (certificate["format"], certificate["version"])
    _need(frame == ("rho-isomorphism", 1), "not a rho-isomorphism certificate of version 1")
    n_in = a.n_inputs
    units = {n_in + i: (unit.activation, _line(unit.row)) for i, unit in enumerate(a.units)}
    outputs = [_line(row) for row in a.outputs]
    used = set(units)
    for number, step in enumerate(certificate["steps"], start=1):
        try:
            _modify(step, a, units, outputs, used)
        except CertificateError as reason:
            raise CertificateError(f"step {number}: {reason}") from None
    order = certificate["order"]
    _need(sorted(order) == sorted(units), "the order does not name every unit that is left once")
    _need(b.n_inputs == n_in and len(b.outputs) == len(outputs), "the networks have other inputs or outputs")
    _need(len(b.units) == len(order), f"{len(order)} units are left, the second network has {len(b.units)}")
    place = {u: n_in + k for k, u in enumerate(order)} | {p: p for p in range(n_in)}
    for k, u in enumerate(order):
        name, line = units[u]
        same = name == b.units[k].activation and _moved(line, place) == _line(b.units[k].row)
        _need(same, f"unit {k} of the second network is not unit {u} of the result")
    for k, line in enumerate(outputs):
        _need(_moved(line, place) == _line(b.outputs[k]), f"output {k} differs")
    for name in {unit.activation for unit in (*a.units, *b.units)}:
        _need(a.laws.get(name) == b.laws.get(name), f"activation {name} is not the same function in both networks")


def _modify(
    step: Mapping[str, Any],
    net: DagNetwork,
    units: dict[int, tuple[str, Line]],
    outputs: list[Line],
    used: set[int],
) -> None:
    name = step["activation"]
    terms = [tuple(_number(v) for v in term) for term in step["terms"]]
    constant, linear = _number(step["constant"]), _number(step["linear"])
    _need(holds(net.law(name), AffineSymmetry.of(terms, constant, linear)), f"the identity is not proved for {name}")
    tau = {int(p): _number(w) for p, w in step["tau"]["weights"].items()}
    shift = _number(step["tau"]["bias"])
    _need(all(0 <= p < net.n_inputs or p in units for p in tau), "tau reads a node that does not exist")
    members = step["units"]
    _need(len(members) == len(terms), "a unit is needed for every term")
    for u, (_, beta, gamma) in zip(members, terms, strict=True):
        line = ({p: beta * w for p, w in tau.items() if w}, beta * shift + gamma)
        if type(u) is int and u in units:
            _need(units[u] == (name, line), f"unit {u} is not the term that it plays")
        else:
            _need(type(u) is int and u >= net.n_inputs and u not in used, f"unit {u} is not a fresh number")
            used.add(u)
            units[u] = (name, line)
    for kind, number, factor in step["readers"]:
        scale = _number(factor)
        if kind == "unit":
            _need(number in units, f"unit {number} does not exist")
            weights, bias = units[number][1]
        else:
            _need(kind == "output" and 0 <= number < len(outputs), f"{kind} {number} does not exist")
            weights, bias = outputs[number]
        weights = dict(weights)
        for u, (alpha, _, _) in zip(members, terms, strict=True):
            weights[u] = weights.get(u, Fraction(0)) - scale * alpha
        for p, w in tau.items():
            weights[p] = weights.get(p, Fraction(0)) + scale * linear * w
        line = ({p: w for p, w in weights.items() if w}, bias + scale * (constant + linear * shift))
        if kind == "unit":
            units[number] = (units[number][0], line)
        else:
            outputs[number] = line
    for u in step["removed"]:
        rows = [*(line for _, line in units.values()), *outputs]
        read = any(u in weights for weights, _ in rows)
        _need(u in units and not read, f"unit {u} is read and cannot be removed")
        del units[u]
    _acyclic(units)


def _acyclic(units: Mapping[int, tuple[str, Line]]) -> None:
    state: dict[int, int] = {}
    for root in units:
        stack = [(root, iter(units[root][1][0]))]
        while stack:
            node, parents = stack[-1]
            state[node] = 1
            for p in parents:
                _need(state.get(p) != 1, "a unit would read itself in a circle")
                if p in units and p not in state:
                    stack.append((p, iter(units[p][1][0])))
                    break
            else:
                state[node] = 2
                stack.pop()


def _line(row: Row) -> Line:
    weights = {p: fraction(w) for p, w in zip(row.parents, row.weights, strict=True)}
    return {p: w for p, w in weights.items() if w}, fraction(row.bias)


def _moved(line: Line, place: Mapping[int, int]) -> Line:
    return {place[p]: w for p, w in line[0].items()}, line[1]


def _number(words: str) -> Fraction:
    return Fraction(float.fromhex(words)) if "x" in words else Fraction(words)
