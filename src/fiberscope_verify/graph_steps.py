"""Method "graph": two models with the same operations, whose weights differ by a monomial change of hidden axes."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .certificate import Certificate, fields
from .chain import reachable
from .chain_steps import dyadic
from .core import Graph
from .exact import mismatch, power_of_two, rational, unit_in_last_place
from .facts import Facts
from .lower import lower
from .model import Model
from .monomial import Block, Monomial, clean
from .propagate import propagate
from .report import Reject, need


def same_graph(a: Graph, b: Graph) -> list[tuple[int, int]]:
    """The live values of both graphs in step: same operations, settings, wiring, shapes; leaves may differ in name."""
    live_a, live_b = reachable(a), reachable(b)
    need(len(live_a) == len(live_b), "the graphs have different numbers of operations")
    image = {}
    for u, v in zip(live_a, live_b, strict=True):
        p, q = a.nodes[u], b.nodes[v]
        need(p.op == q.op and p.shape == q.shape, f"the graphs differ: {p.op} {p.shape} against {q.op} {q.shape}")
        need(p.op == "array" or p.attrs == q.attrs, f"the graphs differ in the settings of {p.op}")
        need(tuple(image[w] for w in p.args) == q.args, f"the graphs are wired differently at {p.op}")
        image[u] = v
    need([image.get(v) for v in a.outputs] == b.outputs, "the graphs have different outputs")
    for u, v in zip(a.inputs, b.inputs, strict=False):
        kinds = [(g.shape(w), w in g.integral, w in g.boolean) for g, w in ((a, u), (b, v))]
        need(kinds[0] == kinds[1], "the graphs have different inputs")
    need(len(a.inputs) == len(b.inputs), "the graphs have different inputs")
    return list(image.items())


def axis_factors(certificate: Certificate, axis: object, size: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(source, factors) of one axis: b[i] = a[source[i]] * sign[i] * product of scale[i] ** exponent[i].

    ``scale`` and ``exponent`` are one name each or two lists of names; factors is None where all are 1.
    """
    if not isinstance(axis, dict) or set(axis) != {"source", "sign", "scale", "exponent"}:
        raise Reject("an axis holds exactly source, sign, scale, exponent")
    source = np.arange(size)
    if axis["source"] is not None:
        source = certificate.array(axis["source"], "i")
        need(sorted(source.tolist()) == list(range(size)), "the source of an axis is not a permutation")
    factors = [fmpq(1)] * size
    plain = True
    if axis["scale"] is not None:
        many = isinstance(axis["scale"], list)
        scales = axis["scale"] if many else [axis["scale"]]
        exponents = axis["exponent"] if many else [axis["exponent"]]
        need(isinstance(exponents, list) and 0 < len(scales) == len(exponents) <= 64, "one exponent for every scale")
        for scale_name, exponent_name in zip(scales, exponents, strict=True):
            scale = certificate.array(scale_name, "f")
            need(len(scale) == size and np.all(scale != 0), "a scale is zero or missing")
            exponent = np.ones(size, dtype=np.int64)
            if exponent_name is not None:
                exponent = certificate.array(exponent_name, "i")
                need(len(exponent) == size and np.all(np.abs(exponent) <= 64), "an exponent is too large or missing")
            powers = [rational(s) ** int(e) for s, e in zip(scale, exponent, strict=True)]
            factors = [f * p for f, p in zip(factors, powers, strict=True)]
        plain = False
    else:
        need(axis["exponent"] is None, "an exponent without a scale")
    if axis["sign"] is not None:
        name = axis["sign"]
        kind = (
            "f"
            if isinstance(name, str) and name in certificate.arrays and certificate.arrays[name].dtype.kind == "f"
            else "i"
        )
        sign = certificate.array(name, kind)
        need(len(sign) == size and np.all(np.abs(sign) == 1), "a sign is +1 or -1")
        factors = [f * int(s) for f, s in zip(factors, sign, strict=True)]
        plain = False
    if plain:
        return source, None
    out = np.empty(size, dtype=object)
    out[:] = factors
    return source, out


def read_steps(certificate: Certificate, a: Model, b: Model) -> tuple[dict[str, str], dict[str, list]]:
    """(weight of a -> weight of b, weight of a -> axes)."""
    need(len(certificate.steps) >= 1, "a graph certificate begins with the pairs of weights")
    (listed,) = fields(certificate.steps[0], "weights", "pairs")
    pairs: dict[str, str] = {}
    for pair in listed if isinstance(listed, list) else []:
        need(isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, str) for n in pair), "a pair is two names")
        first, second = a.array_name(pair[0]), b.array_name(pair[1])
        if first is None or second is None:
            raise Reject(f"the weights {str(pair)[:100]} are not in the models")
        need(pairs.setdefault(first, second) == second, f"the weight {pair[0][:80]!r} is paired twice")
    need(isinstance(listed, list) and len(set(pairs.values())) == len(pairs), "pairs must be a list, each weight once")
    axes: dict[str, list] = {}
    for step in certificate.steps[1:]:
        weight, listed = fields(step, "axes", "weight", "axes")
        name = a.array_name(weight) if isinstance(weight, str) else None
        if name is None or name not in pairs:
            raise Reject(f"the step axes names {str(weight)[:80]!r}, which is not a paired weight")
        need(name not in axes, f"the weight {str(weight)[:80]!r} has two axes steps")
        need(
            isinstance(listed, list) and len(listed) == a.arrays[name].ndim, f"{str(weight)[:80]!r}: one entry per axis"
        )
        axes[name] = listed
    return pairs, axes


def weight_transformation(
    certificate: Certificate, a: Model, b: Model, name: str, other: str, axes: list | None
) -> Monomial:
    """Check b's weight against a's transformed one; returns the transformation."""
    x, y = a.arrays[name], b.arrays[other]
    need(
        x.shape == y.shape and x.dtype.kind == y.dtype.kind == "f",
        f"{name[:80]}: the weights have different shapes or kinds",
    )
    need(np.all(np.isfinite(x)) == np.all(np.isfinite(y)), f"{name[:80]}: not finite")
    blocks, factors = {}, []
    if axes is not None:
        sources = []
        for i, axis in enumerate(axes):
            source, factor = axis_factors(certificate, axis, x.shape[i])
            sources.append(source)
            f = np.empty(x.shape[i], dtype=object)
            f[:] = [fmpq(1)] * x.shape[i] if factor is None else list(factor)
            blocks[i,] = Block(source, f)
            if factor is not None:
                fast = dyadic(list(factor))
                factors.append(
                    (fast if power_of_two(fast) else factor).reshape([-1 if k == i else 1 for k in range(x.ndim)])
                )
        x = x[np.ix_(*sources)] if sources else x
    if not np.all(np.isfinite(x)):
        need(not blocks and np.array_equal(x, y, equal_nan=True), f"{name[:80]}: not finite")
        return Monomial()
    ulp = unit_in_last_place(y, b.dtypes.get(other, y.dtype.name))
    wrong = mismatch(x.astype(np.float64), y.astype(np.float64), factors, ulp, certificate.max_ulp)
    need(wrong is None, f"weight {name[:80]!r}: {wrong}")
    return clean(blocks)


def check_graph(certificate: Certificate, a: Model, b: Model, checked: list[str]) -> None:
    """All steps of the method; raises Reject where one fails."""
    g, h = lower(a), lower(b)
    order = same_graph(g, h)
    checked.append(f"the same graph of {len(order)} operations")
    pairs, axes = read_steps(certificate, a, b)
    values: dict[int, Monomial] = {}
    facts = Facts(g)
    weights = 0
    for u, v in order:
        node = g.nodes[u]
        if node.op == "array":
            name, other = node.attrs[0], h.nodes[v].attrs[0]
            if name in pairs:
                need(
                    pairs[name] == other,
                    f"the weight {name[:80]!r} is paired with {pairs[name][:80]!r}, the graph uses {other[:80]!r}",
                )
                values[u] = weight_transformation(certificate, a, b, name, other, axes.pop(name, None))
                weights += 1
                continue
            x, y = g.arrays[name], h.arrays[other]
            need(
                x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes(),
                f"the constants {name[:80]!r} differ",
            )
            values[u] = Monomial()
        elif not node.args:
            values[u] = Monomial()
        else:
            try:
                values[u] = propagate(g, u, values, facts)
            except Reject as error:
                raise Reject(f"at {node.op} {str(node.attrs)[:60]}, value {u}: {error}") from None
    checked.append(f"{weights} weights compared")
    for v in g.outputs:
        need(values[v].identity, "an output of the network is transformed")
    need(not axes, f"the weight {str(list(axes)[:1])[:80]} does not enter the outputs")
    checked.append("the change of axes cancels up to the outputs")
