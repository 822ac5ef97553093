"""A network as plain data: operator names, JSON arguments, numpy arrays. No torch object is left in it."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx

if TYPE_CHECKING:
    from fiberscope.network.network import Network


def neutral_form(network: Network) -> dict[str, Any]:
    """Nodes, inputs, outputs, weights and constants of a network as JSON values and numpy arrays.

    Arguments: a node is ``{"t": name}``, a dtype ``{"dtype": "float32"}``, an infinity or NaN ``{"float": "-inf"}``, a
    device or memory format ``{"const": text}``; numbers, strings, booleans, null and lists stand for themselves.
    """
    form = structure(network)
    form["sha256"] = network.sha256
    form["weights"] = {name: array(tensor) for name, tensor in network.weights.items()}
    form["constants"] = {name: array(tensor) for name, tensor in network.constants.items()}
    return form


def neutral_sha256(network: Network) -> str:
    """SHA-256 of the neutral form: its JSON structure, then each array's name, dtype, shape and bytes."""
    digest = hashlib.sha256(json.dumps(structure(network), sort_keys=True).encode())
    for kind, tensors in (("weight", network.weights), ("constant", network.constants)):
        for name in sorted(tensors):
            value = array(tensors[name])
            digest.update(json.dumps([kind, name, str(tensors[name].dtype), list(value.shape)]).encode())
            digest.update(np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def structure(network: Network) -> dict[str, Any]:
    """The neutral form without its arrays and hash."""
    nodes = [
        {
            "name": node.name,
            "op": operator_text(node),
            "args": [plain(value) for value in node.args],
            "kwargs": {key: plain(value) for key, value in node.kwargs.items()},
        }
        for node in network.graph.nodes
        if node.op == "call_function"
    ]
    return {
        "format": network.format,
        "nodes": nodes,
        "inputs": [
            {"name": name, "shape": list(s.shape), "dtype": dtype_text(s.dtype), "batched": s.batched}
            for name, s in zip(network.input_names, network.inputs, strict=True)
        ],
        "outputs": [node.name for node in network.output_nodes],
        "weight_of": dict(network.weight_of),
    }


def operator_text(node: fx.Node) -> str:
    """``aten.addmm.default``, or ``getitem``."""
    return str(node.target) if isinstance(node.target, torch._ops.OpOverload) else node.target.__name__  # type: ignore[union-attr]


def dtype_text(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def plain(value: Any) -> Any:
    """One argument as a JSON value."""
    if isinstance(value, fx.Node):
        return {"t": value.name}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, torch.dtype):
        return {"dtype": dtype_text(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"const": str(value)}


def array(tensor: Tensor) -> np.ndarray:
    """A tensor as numpy; bfloat16 (which numpy lacks) becomes float32, exactly."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).contiguous().numpy()
