"""The claims of a "channels" certificate, read and, where they are about ranges, derived again."""

from __future__ import annotations

import math

import numpy as np

from .certificate import Certificate, fields, whole
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
        if isinstance(step, dict) and step.get("step") in ("steady", "sizes", *KINDS):
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
        claims[name] = units, factors
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


def read_steady(certificate: Certificate, graph: Graph, model: Model, known: dict | None = None) -> Known:
    """Per value of a: units that are constant on the domain, with their values as intervals bound them; ``known``:
    these intervals, where they were derived from the same steps before."""
    steps = [s for s in certificate.steps if isinstance(s, dict) and s.get("step") == "steady"]
    if not steps:
        return {}
    total = sum(math.prod(graph.shape(v)) for v in graph.inputs)
    if certificate.lo is not None:  # a traced batch counts as copies of one sample only where it is known to be one
        need(len(certificate.lo) == total or model.batched, "the box is not one of the model's inputs")
    known, order = learned(certificate, graph) if known is None else known, maps(graph)
    out: Known = {}
    for item in steps:
        at, axis, units = fields(item, "steady", "map", "axis", "units")
        v = order[whole(at, 0, len(order), "the number of a map")]
        need(v not in out, "a map is named twice")
        axis = whole(axis, 0, len(graph.shape(v)), "an axis")
        found = steady(known[v], axis)
        wanted = certificate.array(units, "i").tolist()
        missing = [i for i in wanted if i not in found]
        need(not missing, f"unit {missing[:1]} after map {at} is not shown to be constant")
        out[v] = axis, {i: found[i] for i in wanted}
    return out
