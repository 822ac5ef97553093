"""ONNX operators as torch functions: one small function per operator, registered by name.

Each takes a :class:`~fiberscope.network.operators.call.Call` and returns a tensor or a tuple of tensors. Source: the
ONNX operator schemas, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from fiberscope.network.operators import (  # noqa: F401  (importing registers)
    elementwise,
    indexing,
    linear,
    logic,
    normalization,
    pooling,
    reduction,
    resizing,
    shape,
)
from fiberscope.network.operators.call import HYPERPARAMETERS, OPERATORS, WEIGHT_SLOTS, Call

__all__ = ["HYPERPARAMETERS", "OPERATORS", "WEIGHT_SLOTS", "Call"]
