"""Proofs that the carriers of a smaller chain are active on the whole box, raising their constants where needed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from fiberscope.equivalence.compression.bisection import Claim, prove
from fiberscope.equivalence.compression.carrying import Unfit
from fiberscope.equivalence.compression.fold import Layers
from fiberscope.equivalence.compression.known import ACTIVE
from fiberscope.equivalence.compression.stable import FEW_INPUTS

RAISE = (0.0, 2.0**-8, 2.0**-5, 2.0**-2, 1.0, 4.0, 64.0)
"""A carrier that is not shown to be active is raised by this part of the range of its bounds, then by more."""


class Carriers:
    """Settles one layer after the other; keeps the claims and the status of each.

    ``activations`` and ``slopes`` per hidden layer; ``samples`` are inputs of the box [N, n].
    """

    def __init__(
        self,
        activations: list[Any],
        slopes: list[float],
        box: tuple[np.ndarray, np.ndarray],
        *,
        dtype: type,
        samples: np.ndarray,
    ) -> None:
        self.activations, self.slopes, self.dtype, self.samples = activations, slopes, dtype, samples
        self.lo, self.hi = box
        self.claims: list[list[Claim]] = []
        self.count: list[int] = []  # carriers of each layer; they are the last units

    def status(self, made: Layers) -> list[np.ndarray]:
        """What is known of the units of the layers made so far."""
        out = []
        for (_, b), carriers in zip(made, self.count, strict=False):
            here = np.zeros(len(b), dtype=np.int64)
            here[len(b) - carriers :] = ACTIVE
            out.append(here)
        return out

    def settle(self, made: Layers, first: int, rows: np.ndarray, constants: np.ndarray) -> np.ndarray:
        """Constants with which all rows are active on the box. Asked twice about a layer, the last answer counts."""
        from fiberscope_verify.stable import ends_of_units

        layer = len(made)
        del self.claims[layer:], self.count[layer:]
        self.claims.append([])
        self.count.append(len(rows))
        status = self.status(made)
        waiting = np.arange(len(rows))
        constants = self.raised(made, rows, constants)
        for part in RAISE:
            if not len(waiting):
                break
            chain = checker_chain([*made, (rows, constants)], self.activations)
            if part:
                low, high, _ = ends_of_units(chain, layer, waiting, status, self.lo[None], self.hi[None])
                missing = np.maximum(-low[0], 0.0) * max(1.0 + 2.0**-20, 0.25 * part)
                width = np.maximum(high[0] - low[0], np.finfo(self.dtype).eps * np.maximum(-low[0], 0.0))
                step = np.minimum(part * width, missing) if part < 1 else missing
                constants = constants.copy()
                constants[waiting] = self.above(constants[waiting] + step)
                chain = checker_chain([*made, (rows, constants)], self.activations)
            most = (4_000 if part == 0.0 else 64) if len(self.lo) <= FEW_INPUTS else 1
            signs = np.ones(len(waiting), dtype=np.int64)
            stop = time.perf_counter() + 20.0

            def bound(asked: np.ndarray, lo: np.ndarray, hi: np.ndarray, chain: Any = chain) -> Any:
                return ends_of_units(chain, layer, asked, status, lo, hi)

            for claim in prove(bound, layer, waiting, signs, self.lo, self.hi, most, stop):
                self.claims[layer].append(Claim(layer, claim.units + first, claim.signs, claim.tree))
                waiting = np.setdiff1d(waiting, claim.units)
        if len(waiting):
            raise Unfit
        return constants

    def above(self, values: np.ndarray) -> np.ndarray:
        """Numbers of the stored type that are larger."""
        return np.nextafter(values.astype(self.dtype), self.dtype(np.inf)).astype(np.float64)

    def raised(self, made: Layers, rows: np.ndarray, constants: np.ndarray) -> np.ndarray:
        """Constants with which no sample is negative (samples only show what is certainly needed)."""
        h = self.samples
        for (w, b), s in zip(made, self.slopes, strict=False):
            z = h @ w.T + b
            h = np.maximum(z, s * z)
        lowest = (h @ rows.T + constants).min(axis=0, initial=np.inf)
        return np.where(lowest < 0, self.above(constants - lowest), constants)


def checker_chain(layers: Layers, activations: list[Any]) -> Any:
    """Plain arrays as the checker would read them, each with its activation, and an output map after the last."""
    from fiberscope_verify.chain import Chain, Layer

    def layer(w: np.ndarray, b: np.ndarray, tree: Any) -> Any:
        return Layer(w, b, np.zeros_like(w), np.zeros_like(b), tree)

    width = len(layers[-1][1])
    hidden = [layer(w, b, tree) for (w, b), tree in zip(layers, activations, strict=False)]
    return Chain([*hidden, layer(np.zeros((1, width)), np.zeros(1), None)])
