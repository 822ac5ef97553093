"""Equal up to a tolerance on a box: split it until interval bounds of the difference suffice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.rigorous import checker_source

if TYPE_CHECKING:
    from fiberscope.equivalence.comparison import Comparison
    from fiberscope.equivalence.verdict import Verdict


def bound(question: Comparison) -> tuple[Verdict | None, float | None]:
    """The verdict if the tolerance is proved, and the best bound (None where there is none)."""
    chain_a, chain_b = chain_of(question.a), chain_of(question.b)
    assert question.tol is not None
    if question.domain.box is None:
        question.tried.append("no bound without a box")
        return None, None
    import fiberscope_verify

    difference_bound = getattr(fiberscope_verify, "difference_bound", None)
    if chain_a is None or chain_b is None or difference_bound is None:
        question.tried.append("no bound for networks that are not chains")
        return None, None
    from fiberscope.equivalence.splitting import split

    try:
        models = [fiberscope_verify.read_chain(checker_source(net)) for net in (question.a, question.b)]
        result = split(
            chain_a,
            chain_b,
            *question.domain.box,
            question.tol,
            rigorous=lambda lo, hi: difference_bound(*models, lo, hi),
            deadline=question.deadline,
        )
    except fiberscope_verify.Reject as reason:
        question.tried.append(f"no rigorous bound: {reason}")
        return None, None
    question.tried.append(f"splitting the box: {result.leaves} leaves in {result.seconds:.1f} s")
    if not result.proved:
        return None, result.bound if math.isfinite(result.bound) else None
    steps = [{"step": "tree", **{name: name for name in result.tree}}]
    proof = question.certify("equal", "bound", "bound", steps, arrays=result.tree, error_bound=result.bound)
    return question.verdict("equal", "bound", "bound", certificate=proof, error_bound=result.bound), result.bound
