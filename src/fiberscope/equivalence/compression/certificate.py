"""Certificates of compressed chains: see `fiberscope_verify.stable_steps` and `chain_steps` for what each step says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate, certificate
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.compression.dual import DualClaim
from fiberscope.equivalence.compression.on_box import OnBox

if TYPE_CHECKING:
    from fiberscope.network import Network


def stable_certificate(
    a: Network, b: Network, passes: list[OnBox], cover: dict[str, np.ndarray], domain: Any, error_bound: float
) -> Certificate:
    """For every pass: claims per side ("a", "b"), the relations of the layers, and the tree on whose leaves the error
    is bounded; between two passes the chain that one ends and the next begins with.

    ``domain`` as it is written in the certificate.
    """
    arrays: dict[str, np.ndarray] = {}
    steps: list[dict[str, Any]] = []

    def store(value: np.ndarray) -> str:
        name = f"v{len(arrays)}"
        integer = value.dtype.kind == "i"
        arrays[name] = np.ascontiguousarray(value.reshape(-1), dtype=np.int64 if integer else np.float64)
        return name

    def tree(parts: dict[str, np.ndarray]) -> dict[str, str]:
        return {key: store(parts[key]) for key in ("axis", "at", "left", "right")}

    if passes[0].region.mu is not None:
        steps.append({"step": "box", "mu": store(passes[0].region.mu)})
    for number, found in enumerate(passes):
        if number:
            layers = passes[number - 1].folded.layers
            weights, biases = (np.concatenate([layer[i].reshape(-1) for layer in layers]) for i in (0, 1))
            widths = [len(c) for _, c in layers]
            steps.append({"step": "between", "widths": widths, "weights": store(weights), "biases": store(biases)})
        for side in ("a", "b"):
            for claim in sorted(found.claims[side], key=lambda c: c.layer):
                step: dict[str, Any] = {"step": "stable", "side": side, "layer": claim.layer + 1}
                step |= {"units": store(claim.units), "signs": store(claim.signs), **tree(claim.tree)}
                if isinstance(claim, DualClaim):
                    step |= {key: store(getattr(claim, key)) for key in ("ends", "multipliers", "mu")}
                    step["step"] = "dual"
                steps.append(step)
        for relation in found.folded.relations:
            keys = ("alive", "unit", "scale", "lift", "offset")
            steps.append({"step": "layer", **{key: store(getattr(relation, key)) for key in keys}})
        steps.append({"step": "cover", **tree(cover)})
    return certificate(
        a,
        b,
        claim="equal",
        strength="bound",
        method="stable",
        steps=steps,
        arrays=arrays,
        domain=domain,
        error_bound=error_bound,
    )


def lipschitz_certificate(
    a: Network, b: Network, steps: list[dict[str, Any]], domain: Any, error_bound: float
) -> Certificate:
    """``steps`` turn the chain of ``a`` into one of the shape of ``b``, whose numbers are those of it, rounded."""
    options: dict[str, Any] = {"steps": steps, "domain": domain, "error_bound": error_bound}
    return certificate(a, b, claim="equal", strength="bound", method="lipschitz", **options)


def exact_certificate(a: Network, b: Network, steps: list[dict[str, Any]], reduced: Chain) -> Certificate:
    """``steps`` turn the chain of ``a`` into ``reduced``, whose weights are those of ``b``, exactly.

    A layer without units is written with one that is not read. Arrays in a step are stored beside the text.
    """
    arrays: dict[str, np.ndarray] = {}
    written: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        entry = {"step": step["step"], "side": "a", **step}
        for key, value in step.items():
            if isinstance(value, np.ndarray):
                entry[key] = f"{key}_{number}"
                kind = np.int64 if value.dtype.kind == "i" else np.float64
                arrays[entry[key]] = np.ascontiguousarray(value.reshape(-1), dtype=kind)
        written.append(entry)
    for l, width in enumerate(reduced.widths[1:-1], 1):
        if width == 0:
            written.append({"step": "remove-dead", "side": "b", "layer": l, "unit": 0})
    for l, width in enumerate(reduced.widths[1:-1], 1):
        arrays[f"perm_{l}"], arrays[f"scale_{l}"] = np.arange(width, dtype=np.int64), np.ones(width)
        written.append({"step": "match", "layer": l, "perm": f"perm_{l}", "scale": f"scale_{l}"})
    written.append({"step": "compare-weights"})
    return certificate(a, b, claim="equal", strength="exact", method="chain", steps=written, arrays=arrays)
