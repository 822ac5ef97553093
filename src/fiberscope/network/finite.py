"""Refuse NaN and infinity in weights, but let masks hold minus infinity.

A mask never enters a linear map: it is compared, selected, maximised, or added to scores. A non-finite tensor that is
only used so is a constant. One that reaches a matrix product, a convolution, an embedding or a normalisation, is
multiplied in, or is added as a bias (rank at most 1), is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, fx

from fiberscope.errors import WeightError

LINEAR = frozenset(
    [
        "mm",
        "addmm",
        "bmm",
        "baddbmm",
        "mv",
        "addmv",
        "dot",
        "convolution",
        "embedding",
        "index_select",
        "native_layer_norm",
        "native_group_norm",
        "_native_batch_norm_legit_no_training",
        "_native_batch_norm_legit",
        "mul",
        "div",
        "_trilinear",
        "prelu",
    ]
)
BIAS = frozenset({"add", "sub", "rsub"})
CARRIERS = frozenset(
    [
        "view",
        "reshape",
        "permute",
        "transpose",
        "t",
        "expand",
        "clone",
        "alias",
        "_to_copy",
        "unsqueeze",
        "squeeze",
        "slice",
        "select",
        "cat",
        "flip",
        "neg",
        "split_with_sizes",
        "getitem",
        "repeat",
        "constant_pad_nd",
    ]
)


def operator_name(node: fx.Node) -> str:
    """``add`` for ``aten.add.Tensor``, ``getitem`` for the tuple access."""
    parts = str(node.target).split(".")
    return parts[1] if parts[0] == "aten" else getattr(node.target, "__name__", str(node.target))


def is_mask(graph_node: fx.Node) -> bool:
    """True when no path of shape operators leads from this node into arithmetic that a weight takes part in."""
    queue, seen = [graph_node], {graph_node}
    while queue:
        source = queue.pop()
        for user in source.users:
            name = operator_name(user)
            if name in LINEAR or (name in BIAS and source.meta["val"].ndim <= 1):
                return False
            if name in CARRIERS and user not in seen:
                seen.add(user)
                queue.append(user)
    return True


def finite_weights(
    weight_of: Mapping[fx.Node, str], weights: Mapping[str, Tensor], *, strict: Iterable[str], names: Mapping[str, str]
) -> set[str]:
    """The names of the non-finite tensors that are masks; raise :class:`WeightError` for any other non-finite one."""
    masks: set[str] = set()
    strict = set(strict)
    for name, tensor in weights.items():
        if bool(tensor.isfinite().all()):
            continue
        readers = [node for node, weight in weight_of.items() if weight == name]
        if name in strict or bool(tensor.isnan().any()) or not all(map(is_mask, readers)):
            raise WeightError(non_finite(names.get(name, name), tensor))
        masks.add(name)
    return masks


def non_finite(name: str, tensor: Tensor) -> str:
    """The message for a weight that holds NaN or infinity."""
    nans, bad = int(tensor.isnan().sum()), int((~tensor.isfinite()).sum())
    return f"weight {name!r} holds {nans} NaN and {bad - nans} infinite values of {tensor.numel()}; all must be finite"
