"""Rigorous values of a network at a point: balls of python-flint that hold the real-arithmetic outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fiberscope.affine.constant import ball, ball_value
from fiberscope.affine.dag import DagNetwork, Row
from fiberscope.affine.unit_law import UnitLaw


def enclose(net: DagNetwork, x: Sequence[float], bits: int = 128) -> list[Any] | None:
    """One ball per output at the flat input ``x`` (floats, exact), or None where an activation has no ball function.

    >>> net = DagNetwork.from_layers([([[1.0]], None), ([[2.0]], None)])
    >>> enclose(net, [0.5])[0].contains(enclose(net, [0.5], 256)[0])
    True
    """
    from flint import arb, ctx

    old, ctx.prec = ctx.prec, bits
    try:
        values = [arb(float(v)) for v in x]
        for unit in net.units:
            value = at(net.law(unit.activation), _row(unit.row, values))
            if value is None:
                return None
            values.append(value)
        return [_row(row, values) for row in net.outputs]
    finally:
        ctx.prec = old


def at(law: UnitLaw, t: Any) -> Any:
    """``rho(t)`` for a ball, or None."""
    if law.enclose is not None:
        return law.enclose(t)
    if law.expansion is not None:
        constant, base, terms = law.expansion
        total = ball(constant)
        for c, p, q in terms:
            part = ball_value(base, ball(p) * t + ball(q))
            if part is None:
                return None
            total = total + ball(c) * part
        return total
    if law.name.startswith("leaky_relu") and law.linear is not None:
        slope = ball(law.linear) - 1
        return (t + abs(t)) / 2 + slope * (t - abs(t)) / 2
    core = ball_value(law.core_name, ball(law.beta) * t + ball(law.gamma))
    return None if core is None else ball(law.mu) + ball(law.lam) * core


def _row(row: Row, values: list[Any]) -> Any:
    total = ball(row.bias)
    for p, w in zip(row.parents, row.weights, strict=True):
        total = total + ball(w) * values[p]
    return total
