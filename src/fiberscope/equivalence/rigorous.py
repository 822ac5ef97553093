"""Rigorous evaluation of a network at one point: an enclosure of the real-arithmetic outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fiberscope.equivalence.certificate import Certificate
    from fiberscope.network import Network


class NoEnclosure(Exception):
    """The checker cannot enclose the outputs of a network at a point."""


def neutral(net: Network) -> dict[str, Any]:
    """The neutral form of a network, made once per network object."""
    memory = net.__dict__.setdefault("_equivalence_memory", {})
    if "neutral" not in memory:
        memory["neutral"] = net.neutral()
    return memory["neutral"]


def checker_source(net: Network) -> Any:
    """What the checker should read: the file itself while the network is as read from it, else the neutral form."""
    if net.path is not None and getattr(net, "_file_sha256", None) is not None and Path(net.path).exists():
        return str(net.path)
    return neutral(net)


def checker_model(net: Network) -> Any:
    """The checker's own reading of a network, made once per network object; errors: fiberscope_verify.Reject."""
    import fiberscope_verify

    memory = net.__dict__.setdefault("_equivalence_memory", {})
    if "model" not in memory:
        memory["model"] = fiberscope_verify.read_model(checker_source(net))
    return memory["model"]


def enclose_outputs(net: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(mid, rad)`` of the flat outputs at the flat input ``x``.

    Every stored float counts as the dyadic rational that it is; the checker's own evaluation is used, so a gap
    stated from it is one that the checker will find again. Errors: NoEnclosure with the checker's reason.
    """
    import fiberscope_verify

    try:
        mid, rad = fiberscope_verify.evaluate(checker_model(net), [float(v) for v in x])
    except (fiberscope_verify.Reject, fiberscope_verify.Trouble) as reason:
        raise NoEnclosure(str(reason)) from reason
    except Exception as error:  # whatever stops the checker, it is no enclosure
        raise NoEnclosure(f"{type(error).__name__}: {error!s:.100}") from error
    mid, rad = np.asarray(mid, dtype=np.float64), np.asarray(rad, dtype=np.float64)
    return mid.reshape(-1), rad.reshape(-1)


def accepts(certificate: Certificate, a: Network, b: Network) -> str | None:
    """None when the checker accepts the certificate about these two networks, else its reason."""
    import fiberscope_verify

    try:
        report = fiberscope_verify.verify(certificate.to_bytes(), checker_model(a), checker_model(b))
    except (fiberscope_verify.Reject, fiberscope_verify.Trouble) as reason:
        return str(reason)
    return None if report.valid else str(report.reason)
