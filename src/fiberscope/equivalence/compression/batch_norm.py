"""Batch norm folded into the convolution or matrix in front of it, in an ONNX graph.

``gamma (W x + b - mean) / sqrt(var + eps) + beta = W' x + b'`` with ``W' = s W``, ``b' = beta + s (b - mean)``,
``s = gamma / sqrt(var + eps)``; computed in float64 and stored once rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.compression.batch_norm_graph import folded_graph
from fiberscope.equivalence.compression.ledger import output_axes

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True)
class Folded:
    """The network without the batch norms that directly follow a layer; per weight of these layers by what each of its
    outputs is multiplied: gamma / sqrt(var + eps)."""

    network: Network
    scales: dict[str, np.ndarray]

    @property
    def count(self) -> int:
        return len(self.scales)

    def inverse(self, net: Network) -> dict[tuple[str, int], list[Fraction]]:
        """Per (weight, axis) what the outputs of ``net`` are times those of the folded network, as floats; 1 for 0."""
        axes = output_axes(net)
        return {
            (name, axes[name]): [Fraction(float(1 / s)) if s != 0 else Fraction(1) for s in scale]
            for name, scale in self.scales.items()
            if name in axes
        }


def folded(net: Network, accepts: Callable[[Network], bool]) -> Folded:
    """The folded network, if it is accepted."""
    from fiberscope.equivalence.compression.resize import reloaded

    if net.format in ("pt2", "module"):
        return Folded(*folded_graph(net, accepts))
    if net.format != "onnx":
        return Folded(net, {})
    data, scales = fold_bytes(net.origin.data)  # type: ignore[attr-defined]
    smaller = reloaded(data, net) if scales else None
    return Folded(net, {}) if smaller is None or not accepts(smaller) else Folded(smaller, scales)


def fold_bytes(data: bytes) -> tuple[bytes, dict[str, np.ndarray]]:
    """The same on the bytes of a model whose tensors are inside the file; what outputs of weights are multiplied by."""
    import onnx
    from onnx import numpy_helper

    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    if any(t.data_location == 1 for t in graph.initializer):
        return data, {}
    stored: dict[str, Any] = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            stored.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    maker = {name: node for node in graph.node for name in node.output}
    uses: dict[str, int] = {}
    for name in [*(n for node in graph.node for n in node.input), *(o.name for o in graph.output)]:
        uses[name] = uses.get(name, 0) + 1
    gone, scales = [], {}
    for node in graph.node:
        layer = maker.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if layer is None or layer.op_type not in ("Conv", "Gemm") or uses[node.input[0]] != 1 or len(node.output) > 1:
            continue
        names = [*layer.input[1:3], *node.input[1:5]]
        options = {a.name: a for a in layer.attribute}
        scaled = any(k in options and options[k].f != 1.0 for k in ("alpha", "beta"))
        if any(n not in stored for n in names) or uses[layer.input[1]] != 1 or scaled:
            continue
        weight, *bias = (numpy_helper.to_array(stored[n]).astype(np.float64) for n in layer.input[1:3])
        gamma, beta, mean, var = (numpy_helper.to_array(stored[n]).astype(np.float64) for n in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        s = gamma / np.sqrt(var + epsilon)
        columns = layer.op_type == "Gemm" and not ("transB" in options and options["transB"].i)
        weight = weight * (s if columns else s.reshape(-1, *[1] * (weight.ndim - 1)))
        shift = beta + s * ((bias[0] if bias else 0.0) - mean)
        dtype = numpy_helper.to_array(stored[layer.input[1]]).dtype
        name = layer.input[1]
        scales[name] = s
        new = numpy_helper.from_array(np.ascontiguousarray(weight.astype(dtype)), name)
        stored[name].CopyFrom(new)
        made = numpy_helper.from_array(shift.astype(dtype), f"{name}.folded_bias")
        graph.initializer.append(made)
        del layer.input[2:]
        layer.input.append(made.name)
        layer.output[0] = node.output[0]
        gone.append(node)
    for node in gone:
        graph.node.remove(node)
    _drop_unread(graph)
    return model.SerializeToString(), scales


def _drop_unread(graph: Any) -> None:
    """Tensors that no node reads any more."""
    read = {n for node in graph.node for n in node.input} | {o.name for o in graph.output}
    gone = [t for t in graph.initializer if t.name not in read]
    for value in [v for v in graph.input if v.name in {t.name for t in gone}]:
        graph.input.remove(value)
    for tensor in gone:
        graph.initializer.remove(tensor)
    for node in [n for n in graph.node if n.op_type == "Constant" and n.output[0] not in read]:
        graph.node.remove(node)
