"""The claims of a "channels" certificate, read and, where they are about ranges, derived again."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from flint import fmpq

from .certificate import Certificate, fields, whole
from .channel_combinations import Pieces, pieces
from .channel_ranges import maps, steady
from .channel_splits import KINDS, learned
from .channel_sums import Claim
from .channels import ONE, filled
from .core import Graph
from .exact import parse_rational
from .model import Model
from .report import Reject, need

Known = dict[int, tuple[int, dict[int, float]]]
"""Value of a -> axis, and unit -> the constant that it is."""


def read_claims(certificate: Certificate, a: Model) -> dict[str, Claim]:
    """Per weight of a: its outputs among those of b."""
    claims: dict[str, Claim] = {}
    for step in certificate.steps:
        if isinstance(step, dict) and step.get("step") in ("steady", "linear", "sums", "sizes", *KINDS):
            continue
        weight, unit, scale = fields(step, "units", "weight", "unit", "scale")
        name = a.array_name(weight) if isinstance(weight, str) else None
        if name is None or name in claims:
            raise Reject(f"the step names {str(weight)[:80]!r}, which is no weight of the first model, or twice")
        units = certificate.array(unit, "i")
        factors = filled(len(units), ONE)
        if scale is not None:
            need(isinstance(scale, list) and len(scale) == len(units), "one scale for every unit")
            factors[:] = [parse_rational(s) for s in scale]
            need(bool(np.all(factors != 0)), "a scale is zero")
        claims[name] = Claim(units, factors)
    for step in steps_of(certificate, "sums"):
        weight, row, of, times = fields(step, "sums", "weight", "row", "of", "times")
        name = a.array_name(weight) if isinstance(weight, str) else None
        if name is None or name not in claims or claims[name].rows:
            raise Reject(f"no step lists the units of {str(weight)[:80]!r}, or its sums are given twice")
        claims[name] = claims[name]._replace(rows=read_rows(certificate, row, of, times, len(claims[name].unit)))
    return claims


def read_sizes(certificate: Certificate, model: Model) -> list[tuple[int, ...]] | None:
    """The shapes of the inputs that the box is about, where the model leaves lengths of axes open."""
    steps = [s for s in certificate.steps if isinstance(s, dict) and s.get("step") == "sizes"]
    if not steps:
        return None
    need(len(steps) == 1 and certificate.lo is not None, "sizes of inputs go with a box, once")
    (shapes,) = fields(steps[0], "sizes", "shapes")
    if not isinstance(shapes, list) or not all(isinstance(s, list) for s in shapes):
        raise Reject("one shape for every input")
    need(len(shapes) == len(model.inputs), "one shape for every input")
    return [tuple(whole(n, 1, 1 << 31, "a length") for n in s) for s in shapes]


def read_rows(certificate: Certificate, row: object, of: object, times: object, count: int) -> dict:
    """Per output of a's weight: the outputs of b's that it is a sum of, each with its coefficient."""
    at, units = (certificate.array(v, "i").tolist() for v in (row, of))
    need(isinstance(times, list) and len(times) == len(at) == len(units), "one coefficient for every term")
    assert isinstance(times, list)
    rows: dict[int, dict[int, fmpq]] = {}
    for i, k, text in zip(at, units, times, strict=True):
        terms = rows.setdefault(i, {})
        need(0 <= i < count and k >= 0 and k not in terms, "a term of a sum is given twice, or has no output")
        terms[k] = parse_rational(text)
        need(terms[k] != 0, "a coefficient is zero")
    return rows


def steps_of(certificate: Certificate, name: str) -> list[dict]:
    """The steps of one kind."""
    return [s for s in certificate.steps if isinstance(s, dict) and s.get("step") == name]


class Bounds:
    """Intervals of all values of a graph on the certificate's domain, computed when they are first asked for; or
    ``known``, where they were derived from the same steps before."""

    def __init__(self, certificate: Certificate, graph: Graph, model: Model, known: dict | None = None):
        self.certificate, self.graph, self.model, self.known = certificate, graph, model, known

    @functools.cached_property
    def intervals(self) -> dict:
        lo = self.certificate.lo
        total = sum(math.prod(self.graph.shape(v)) for v in self.graph.inputs)
        if lo is not None:  # a traced batch counts as copies of one sample only where it is known to be one
            need(len(lo) == total or self.model.batched, "the box is not one of the model's inputs")
        return learned(self.certificate, self.graph) if self.known is None else self.known

    def steady(self, v: int, axis: int) -> dict[int, float]:
        """Units that are constant after a map, with their values."""
        return steady(self.intervals[v], axis)

    def pieces(self, v: int, axis: int) -> Pieces:
        """Units that a map treats linearly everywhere, with their factors."""
        node = self.graph.nodes[v]
        low, high = (np.moveaxis(e, axis, 0).reshape(e.shape[axis], -1) for e in self.intervals[node.args[0]])
        return pieces(node.attrs[0], node.attrs[1:], low, high)


def read_facts(
    certificate: Certificate, graph: Graph, name: str, about: Callable[[int, int], dict], what: str
) -> dict[int, tuple[int, dict]]:
    """Per map named by steps of one kind: its axis, and what ranges show of the units listed; all must be shown."""
    order, out = maps(graph), {}
    for item in steps_of(certificate, name):
        at, axis, units = fields(item, name, "map", "axis", "units")
        v = order[whole(at, 0, len(order), "the number of a map")]
        need(v not in out, "a map is named twice")
        axis = whole(axis, 0, len(graph.shape(v)), "an axis")
        found = about(v, axis)
        wanted = certificate.array(units, "i").tolist()
        missing = [i for i in wanted if i not in found]
        need(not missing, f"unit {missing[:1]} after map {at} is not shown to be {what}")
        out[v] = axis, {i: found[i] for i in wanted}
    return out


def read_steady(certificate: Certificate, graph: Graph, bounds: Bounds) -> Known:
    """Per value of a: units that are constant on the domain, with their values as intervals bound them."""
    return read_facts(certificate, graph, "steady", bounds.steady, "constant")


def read_linear(certificate: Certificate, graph: Graph, bounds: Bounds) -> dict[int, tuple[int, Pieces]]:
    """Per value of a: units that the map treats linearly everywhere on the domain."""
    return read_facts(certificate, graph, "linear", bounds.pieces, "linear")
