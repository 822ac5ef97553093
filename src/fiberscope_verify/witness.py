"""Method "witness": one input at which the two networks provably differ by at least `gap`."""

from __future__ import annotations

import numpy as np

from .certificate import Certificate, fields, finite
from .evaluate import evaluate
from .lower import lower
from .model import Model
from .report import need


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
    name, gap = fields(certificate.steps[0], "witness", "input", "gap")
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
