"""Method "witness": one input at which the two networks provably differ by at least `gap`.

The step "witness" names an array of floats and is judged by enclosures of both outputs. The step "exact-witness" gives
rationals as texts and is judged by the difference of the outputs in rationals, however small it is.
"""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .certificate import Certificate, fields, finite
from .chain import Chain, chain_of
from .evaluate import EXACT_LIMIT, evaluate, exact_outputs
from .exact import parse_rational, rational
from .lower import lower
from .model import Model
from .report import Reject, need


def integer_inputs(model: Model, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Which flat inputs must be whole numbers, and which must be places (not below zero) or booleans (at most one)."""
    graph = lower(model)
    mark, top = np.zeros(n, dtype=bool), np.full(n, np.inf)
    sizes = [int(np.prod(graph.shape(v))) for v in graph.inputs]
    indexed = {v.args[1] for v in graph.nodes if v.op == "embed"}
    copies = max(sum(sizes) // max(n, 1), 1)
    at = 0
    for v, size in zip(graph.inputs, sizes, strict=True):
        mark[at : at + size // copies] = v in indexed or v in graph.integral
        top[at : at + size // copies] = 1 if v in graph.boolean else np.inf
        at += size // copies
    return mark, top


def check_witness(certificate: Certificate, a: Model, b: Model, checked: list[str]) -> None:
    """gap <= max |a(x) - b(x)| by rigorous evaluation."""
    need(len(certificate.steps) == 1, "a witness certificate has one step")
    step = certificate.steps[0]
    if isinstance(step, dict) and step.get("step") == "exact-witness":
        return check_exact_witness(certificate, a, b, checked)
    if isinstance(step, dict) and step.get("step") == "fine-witness":
        from .fine_witness import check_fine_witness

        return check_fine_witness(certificate, a, b, checked)
    name, gap = fields(step, "witness", "input", "gap")
    x, gap = certificate.array(name, "f"), finite(gap, "gap")
    need(gap > 0, "the gap must be positive")
    box = certificate.box(len(x))
    need(box is None or (np.all(box[0] <= x) and np.all(x <= box[1])), "the witness lies outside the domain")
    for model in (a, b):
        whole, top = integer_inputs(model, len(x))
        need(np.all(x[whole] == np.floor(x[whole])) and np.all(x[whole] >= 0), "a token input must be a whole number")
        need(np.all(x <= top), "a boolean input must be 0 or 1")
    (p, rp), (q, rq) = evaluate(a, x), evaluate(b, x)
    need(p.shape == q.shape, "the models have different numbers of outputs")
    low = np.abs(p - q) * (1 - 2.0**-50) - (rp + rq) * (1 + 2.0**-50)
    need(low.max(initial=0.0) >= gap, f"the difference shown is {low.max(initial=0.0):.6g}, the claim is {gap:.6g}")
    checked.append(f"witness: the outputs differ by at least {gap:.6g}")


def check_exact_witness(certificate: Certificate, a: Model, b: Model, checked: list[str]) -> None:
    """gap <= max |a(x) - b(x)| in rationals, for chains of piecewise linear rational activations."""
    texts, text = fields(certificate.steps[0], "exact-witness", "input", "gap")
    if not isinstance(texts, list):
        raise Reject("the input of an exact witness is a list of texts p/q")
    x, gap = [parse_rational(t) for t in texts], parse_rational(text)
    need(gap > 0, "the gap must be positive")
    box = certificate.box(len(x))
    if box is not None:
        lo, hi = ([rational(v) for v in side] for side in box)
        inside = all(low <= v <= high for low, v, high in zip(lo, x, hi, strict=True))
        need(inside, "the witness lies outside the domain")
    for model in (a, b):
        need(not integer_inputs(model, len(x))[0].any(), "an exact witness is about real inputs")
    first, second = chain_of(lower(a), a), chain_of(lower(b), b)
    need(first.n_in == second.n_in == len(x), f"the witness has {len(x)} numbers, the models take {first.n_in}")
    need(first.n_out == second.n_out, "the models have different numbers of outputs")
    shown = max((abs(v) for v in exact_difference(first, second, x)), default=fmpq(0))
    need(shown >= gap, "the outputs do not differ by as much as is claimed")
    checked.append("exact witness: the outputs differ by at least the gap stated, in rational arithmetic")


def exact_difference(a: Chain, b: Chain, x: list[fmpq]) -> list[fmpq]:
    """a(x) - b(x): layer by layer, or, for two large hidden layers, of the units that do not cancel."""
    size = sum(layer.weight.size + layer.bias.size for chain in (a, b) for layer in chain.layers)
    if size <= EXACT_LIMIT:
        return [p - q for p, q in zip(exact_outputs(a, x), exact_outputs(b, x), strict=True)]
    from .shallow import difference

    return difference(a, b).at(x).tolist()
