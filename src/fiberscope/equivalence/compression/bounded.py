"""Compressions that round, on a box: the bound of what the outputs move by, and what may be rounded at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.compression.ledger import Ledger
from fiberscope.equivalence.compression.proof import Proof
from fiberscope.equivalence.rigorous import checker_model

if TYPE_CHECKING:
    from fiberscope.network import Network

Box = tuple[np.ndarray, np.ndarray]
MARGIN = 1 + 2.0**-10
"""A bound is stated a little larger than it was found: another machine adds in another order."""


def bound_of(a: Network, b: Network, ledger: Ledger) -> tuple[float | None, str | None]:
    """A bound of |a - b| on the ledger's box; or None and the reason."""
    proof = Proof(a, b, ledger)
    if proof.reason is not None:
        return None, proof.reason
    return summed(proof, ledger)


def bound_of_files(a: Network, b: Network, ledger: Ledger) -> tuple[float | None, str | None]:
    """The same for the networks as the checker reads them from files."""
    proof = Proof(a, b, ledger, checker_model)
    return (None, proof.reason) if proof.reason is not None else summed(proof, ledger)


def box_of_file(net: Network, box: Box) -> Box:
    """The box for all samples that a file takes at once, where it takes a fixed number of them."""
    model = checker_model(net)
    samples = {shape[0] if shape else 0 for _, shape in model.inputs}
    fixed = model.batched is None and len(samples) == 1 and all(spec.batched for spec in net.inputs)
    copies = samples.pop() if fixed else 1
    ends, at = ([], []), 0
    for spec in net.inputs:
        count = math.prod(spec.sample_shape) if spec.batched else math.prod(spec.shape)
        for parts, end in zip(ends, box, strict=True):
            parts.append(np.tile(end[at : at + count], max(copies, 1)))
        at += count
    return np.concatenate(ends[0]), np.concatenate(ends[1])


def summed(proof: Proof, ledger: Ledger) -> tuple[float | None, str | None]:
    from fiberscope_verify.channel_errors import error_bound
    from fiberscope_verify.report import Reject

    assert ledger.box is not None
    try:
        found = error_bound(proof.walk, *ledger.box) * MARGIN
    except Reject as reason:
        return None, str(reason)
    if not math.isfinite(found):
        return None, "the outputs cannot be bounded on this box"
    return found, None
