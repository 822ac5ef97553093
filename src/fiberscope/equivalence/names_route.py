"""Networks of any wiring: equal where every output has the same name, different where the names' difference shows.

The checker writes both networks number by number in one table of names (hash-consing, with the laws of one unit), so
the certificate of equality holds no data. For irreducible and reducible tanh networks the names decide (Vlacic and
Boelcskei, Affine symmetries and neural network identifiability, Adv. Math. 376, 2021): if they differ, so do the
functions, at almost every input, and enough bits show it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.rigorous import checker_model
from fiberscope.equivalence.shallow_route import HINGES, plain_to_see
from fiberscope.equivalence.verdict import Witness
from fiberscope.numerics.exact import below, fraction, rationals

if TYPE_CHECKING:
    from fiberscope.equivalence.comparison import Comparison
    from fiberscope.equivalence.verdict import Verdict

EXACT_PER_SECOND, NEAR_PER_SECOND = 400_000, 150_000
"""Elementary steps of the checker that are asked for per second that is left (it takes some three times as many)."""
BITS = (128, 256, 512, 1024, 2048, 4096)
SAMPLE, TRIED = 64, 4


def names(question: Comparison) -> Verdict | None:
    """Equal, exactly or up to rounding, by the names of the outputs."""
    import fiberscope_verify

    chains = chain_of(question.a), chain_of(question.b)
    if all(chain is not None and set(map(stem, chain.activations)) <= set(HINGES) for chain in chains):
        return None  # (leaky) ReLU chains: matched layer by layer
    try:
        models = checker_model(question.a), checker_model(question.b)
        limit = int(question.remaining * EXACT_PER_SECOND)
        question.differences = fiberscope_verify.Differences(*models, limit)
    except Exception as reason:  # as in `verify`: what the checker cannot follow says nothing
        question.tried.append(f"no names for single numbers ({reason})")
        return None
    question.tried.append("names of all units")
    if not question.differences.forms:
        proof = question.certify("equal", "exact", "names", STEPS)
        return question.verdict("equal", "exact", "names", certificate=proof)
    turned = reflections(question.differences.table.entries)
    if turned and question.remaining > 0.0:
        try:
            related = fiberscope_verify.Differences(*models, limit, turned)
        except fiberscope_verify.Reject:
            related = None
        if related is not None and not related.forms:
            question.tried.append("names with the reflection law")
            proof = question.certify("equal", "exact", "names", [*turned, *STEPS])
            return question.verdict("equal", "exact", "names", certificate=proof)
    return None if question.exact or question.ulp < 1 else nearly(question, models)


def reflections(entries: list[Any]) -> list[dict[str, Any]]:
    """The laws ``rho(t) - rho(-t) = L t`` of the activations that occur, as steps of a certificate."""
    found = []
    for name in dict.fromkeys(name for name, _ in entries):
        slope = {"relu": 1, "gelu": 1, "gelu_tanh": 1, "softplus": 1}.get(name[0])
        if name[0] == "leaky_relu":
            slope = 1 + fraction(float.fromhex(name[1]))
        if slope is None or (name[0] == "softplus" and math.isfinite(float.fromhex(name[2]))):
            continue
        step = {"step": "identity", "function": name[0], "parameters": list(name[1:])}
        terms = [["1", "1", "0"], ["-1", "-1", "0"]]
        found.append({**step, "terms": terms, "constant": "0", "linear": str(slope)})
    return found


def stem(name: str) -> str:
    """An activation's name without its number."""
    return name.partition("(")[0]


STEPS: list[dict[str, Any]] = [{"step": "names"}]


def nearly(question: Comparison, models: tuple[Any, Any]) -> Verdict | None:
    """Equal after changes of all weights by a few units in the last place."""
    import fiberscope_verify

    limit = int(question.remaining * NEAR_PER_SECOND)
    most = math.floor(question.ulp)
    try:
        error = fiberscope_verify.nearly_same_names(*models, most, limit)
    except fiberscope_verify.Reject:
        return None
    try:  # the certificate states the smallest number that still does
        least = max(1, math.ceil(error))
        error = fiberscope_verify.nearly_same_names(*models, least, limit)
    except fiberscope_verify.Reject:
        least = most
    question.tried.append("names up to rounding")
    proof = question.certify("equal", "rounding", "names", STEPS, max_ulp=least)
    return question.verdict("equal", "rounding", "names", certificate=proof, backward_error_ulp=error)


def tiny_difference(question: Comparison) -> Verdict | None:
    """Different names whose difference floats do not show plainly: evaluated with more and more bits."""
    if question.differences is None or question.tolerated > 0.0 or question.refused:
        return None
    rng = np.random.default_rng(question.seed)
    if plain_to_see(question.pair, rng):
        return None
    x = question.domain.sample(rng, SAMPLE)
    order = np.argsort(-question.pair.gaps(x)[0], kind="stable")
    question.tried.append("enclosures with up to 4096 bits")
    for bits in BITS:
        for i in order[:TRIED] if bits <= 512 else order[:1]:
            if question.remaining <= 0.0:
                return None
            found = shown(question, x[i], bits)
            if found is not None:
                return found
    return None


def shown(question: Comparison, x: np.ndarray, bits: int) -> Verdict | None:
    """The verdict if the outputs differ at a point by a number that these bits show."""
    import fiberscope_verify

    assert question.differences is not None
    point = rationals(x)
    try:
        gap = question.differences.largest(list(point), bits)
    except fiberscope_verify.Reject as reason:
        question.tried.append(f"no rigorous evaluation ({reason})")
        return None
    if not gap > 0:
        return None
    value, text = below(gap.fmpq())
    steps = [{"step": "fine-witness", "input": [str(v) for v in point], "gap": text, "bits": bits}]
    of_a, of_b = (tuple(float(v) for v in y[0]) for y in question.pair.outputs(x[None, :]))
    witness = Witness(tuple(x.tolist()), of_a, of_b, value, None, text)
    proof = question.certify("different", None, "witness", steps)
    return question.verdict("different", None, "witness", certificate=proof, witness=witness)
