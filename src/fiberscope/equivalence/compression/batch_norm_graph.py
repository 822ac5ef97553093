"""Batch norm folded into the convolution or matrix in front of it, in a module or in the graph of a .pt2 file."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx, nn

from fiberscope.errors import FiberscopeError

if TYPE_CHECKING:
    from fiberscope.network import Network

NORM = "_native_batch_norm_legit_no_training"
FAILURES = (FiberscopeError, RuntimeError, ValueError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True)
class Norm:
    """A batch norm right after a layer: the nodes of both and the names of their tensors (a layer may have no bias)."""

    node: fx.Node
    layer: fx.Node
    weight: str
    bias: str | None
    numbers: tuple[str, str, str, str]
    epsilon: float

    def scale(self, net: Network) -> np.ndarray:
        """gamma / sqrt(var + eps)."""
        gamma, _, _, var = (array(net, name) for name in self.numbers)
        return gamma / np.sqrt(var + self.epsilon)

    def folded(self, net: Network) -> tuple[np.ndarray, np.ndarray]:
        """The weight and bias of one layer in place of both, in float64."""
        weight, s = array(net, self.weight), self.scale(net)
        _, beta, mean, _ = (array(net, name) for name in self.numbers)
        bias = array(net, self.bias) if self.bias is not None else 0.0
        return weight * s.reshape(-1, *[1] * (weight.ndim - 1)), beta + s * (bias - mean)


def array(net: Network, name: str) -> np.ndarray:
    return net.weights[name].detach().cpu().numpy().astype(np.float64)


def kind(node: Any) -> str:
    return str(node.target).removeprefix("aten.").split(".")[0] if isinstance(node, fx.Node) else ""


def norms_of(net: Network) -> list[Norm]:
    """The batch norms whose layer nobody else reads, and whose weights stand once."""
    names = net.weight_of
    uses: dict[str, int] = {}
    for node in net.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            uses[names[node.name]] = uses.get(names[node.name], 0) + len(node.users)

    def stored(node: Any) -> str | None:
        name = names.get(node.name) if isinstance(node, fx.Node) else None
        return name if name is not None and uses[name] == 1 else None

    out = []
    for node in net.graph.nodes:
        layer = node.args[0] if kind(node) == NORM else None
        if not isinstance(layer, fx.Node) or len(layer.users) != 1 or len(node.users) != 1:
            continue
        if kind(layer) == "convolution" and not layer.args[6]:
            weight, bias = layer.args[1], layer.args[2]
        elif kind(layer) == "addmm" and kind(layer.args[2]) in ("permute", "t") and len(layer.kwargs) == 0:
            bias, weight = layer.args[0], layer.args[2].args[0]  # type: ignore[union-attr]
        else:
            continue
        found = [stored(a) for a in (weight, *node.args[1:5])]
        if None in found or (bias is not None and stored(bias) is None):
            continue
        numbers: Any = tuple(found[1:])
        assert found[0] is not None
        out.append(Norm(node, layer, found[0], stored(bias), numbers, float(node.args[6])))
    return out


def folded_graph(net: Network, accepts: Callable[[Network], bool]) -> tuple[Network, dict[str, np.ndarray]]:
    """The network without batch norms, and per weight gamma / sqrt(var + eps)."""
    from fiberscope.network.loading import load_like

    build = module_without if net.format == "module" else graph_without
    try:
        norms = norms_of(net)
        if not norms:
            return net, {}
        made = load_like(net, build(net, norms))
    except FAILURES:
        return net, {}
    if norms_of(made) or not accepts(made) or any(norm.weight not in made.weights for norm in norms):
        return net, {}
    return made, {norm.weight: norm.scale(net) for norm in norms}


def graph_without(net: Network, norms: list[Norm]) -> nn.Module:
    """The graph with other parameters, wired past its batch norms."""
    from fiberscope.equivalence.compression.resize_graph import graph_module, place

    new = {norm.weight: norm.folded(net) for norm in norms}
    weights = {name: pair[0].astype(dtype(net, name)) for name, pair in new.items()}
    weights |= {n.bias: new[n.weight][1].astype(dtype(net, n.bias)) for n in norms if n.bias is not None}
    whole: Any = graph_module(net, weights, {})
    nodes = {node.name: node for node in whole.graph.nodes}
    for norm in norms:
        node, layer = nodes[norm.node.name], nodes[norm.layer.name]
        if norm.bias is None:
            name = f"{norm.weight}_folded_bias"
            value = torch.from_numpy(new[norm.weight][1].astype(dtype(net, norm.weight)))
            place(whole, name, nn.Parameter(value, requires_grad=False))
            with whole.graph.inserting_before(layer):
                layer.update_arg(2, whole.graph.get_attr(name))
        (item,) = node.users
        item.replace_all_uses_with(layer)
        whole.graph.erase_node(item)
        whole.graph.erase_node(node)
    whole.graph.eliminate_dead_code()
    whole.delete_all_unused_submodules()
    whole.recompile()
    return whole


def module_without(net: Network, norms: list[Norm]) -> nn.Module:
    """A copy of the module whose batch norms are identities."""
    module = copy.deepcopy(net.module())
    for norm in norms:
        path = norm.weight.removesuffix(".weight")
        layer, at = module.get_submodule(path), norm.numbers[0].removesuffix(".weight")
        if not isinstance(module.get_submodule(at), nn.modules.batchnorm._BatchNorm):
            raise ValueError(f"{at} is no batch norm")
        weight, bias = (torch.from_numpy(v.astype(dtype(net, norm.weight))) for v in norm.folded(net))
        layer.weight = nn.Parameter(weight, requires_grad=False)
        layer.bias = nn.Parameter(bias, requires_grad=False)
        holder, _, last = at.rpartition(".")
        setattr(module.get_submodule(holder), last, nn.Identity())
    return module.eval()


def dtype(net: Network, name: str) -> Any:
    return net.weights[name].detach().cpu().numpy().dtype
