"""Rigorous evaluation of a network at one point: an enclosure of the real-arithmetic outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fiberscope.network import Network


def neutral(net: Network) -> dict[str, Any]:
    """The neutral form of a network, made once per network object."""
    memory = net.__dict__.setdefault("_equivalence_memory", {})
    if "neutral" not in memory:
        memory["neutral"] = net.neutral()
    return memory["neutral"]


def enclose_outputs(net: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """``(mid, rad)`` of the flat outputs at the flat input ``x``, or None where no enclosure is available.

    Every stored float counts as the dyadic rational that it is; the checker's own evaluation is used, so a gap
    stated from it is one that the checker will find again.
    """
    import fiberscope_verify

    evaluate = getattr(fiberscope_verify, "evaluate", None)
    if evaluate is None:
        return None
    try:
        mid, rad = evaluate(neutral(net), [float(v) for v in x])
    except fiberscope_verify.Reject:
        return None
    mid, rad = np.asarray(mid, dtype=np.float64), np.asarray(rad, dtype=np.float64)
    return mid.reshape(-1), rad.reshape(-1)
