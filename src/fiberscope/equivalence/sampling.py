"""Random inputs that a network accepts: normal floats, integers in range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fiberscope.network import Network


def sample_inputs(net: Network, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return ``count`` flat inputs, shape (count, n_in), all of the network's inputs one after another."""
    columns = []
    for spec in net.inputs:
        if spec.dtype.is_floating_point:
            columns.append(rng.standard_normal((count, spec.size)))
        else:
            low = spec.low if spec.low is not None else 0
            high = spec.high if spec.high is not None else low + 2
            columns.append(rng.integers(low, high, size=(count, spec.size)).astype(np.float64))
    return np.concatenate(columns, axis=1) if columns else np.zeros((count, 0))
