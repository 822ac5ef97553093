"""The range of an integer input, read off the graph: an index into V embedding rows lies in [0, V)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx

CARRIERS = frozenset(
    f"aten.{name}"
    for name in [
        "_to_copy.default",
        "alias.default",
        "clone.default",
        "view.default",
        "unsqueeze.default",
        "squeeze.dims",
        "squeeze.dim",
        "expand.default",
        "permute.default",
        "slice.Tensor",
        "select.int",
        "_unsafe_view.default",
    ]
)


def integer_range(node: fx.Node, constants: Mapping[str, Tensor]) -> tuple[int | None, int | None]:
    """The half-open range ``low, high`` of an integer input, or ``None, None`` when the graph does not tell.

    Three readers tell: ``embedding(table, x)`` and ``index_select(table, axis, x)`` give ``0, rows``; a one-hot
    comparison ``x == (0, ..., K-1)`` gives ``0, K``. With several readers the narrowest range counts.
    """
    found: list[tuple[int, int]] = []
    queue, seen = [node], {node}
    while queue:
        source = queue.pop()
        for user in source.users:
            target = str(user.target)
            if target == "aten.embedding.default" and user.args[1] is source:
                found.append((0, rows(user.args[0], 0)))
            elif target == "aten.index_select.default" and user.args[2] is source:
                found.append((0, rows(user.args[0], user.args[1])))
            elif target == "aten.index.Tensor":
                indices = user.args[1]
                assert isinstance(indices, (list, tuple))
                found += [(0, rows(user.args[0], axis)) for axis, index in enumerate(indices) if index is source]
            elif target == "aten.eq.Tensor":
                found += one_hot_range(user, source, constants)
            elif target in CARRIERS and user not in seen:
                value = user.meta.get("val")
                if isinstance(value, Tensor) and value.dtype != torch.bool:
                    seen.add(user)
                    queue.append(user)
    if not found:
        return None, None
    return max(low for low, _ in found), min(high for _, high in found)


def rows(table: object, axis: object) -> int:
    """The size of a table along an axis."""
    assert isinstance(table, fx.Node)
    assert isinstance(axis, int)
    return int(table.meta["val"].shape[axis])


def one_hot_range(user: fx.Node, source: fx.Node, constants: Mapping[str, Tensor]) -> list[tuple[int, int]]:
    """The range spanned by the constant codes that an input is compared with, when they are consecutive."""
    other = user.args[1] if user.args[0] is source else user.args[0]
    while isinstance(other, fx.Node) and str(other.target) in CARRIERS:
        other = other.args[0]
    if not isinstance(other, fx.Node):
        return []
    if str(other.target) == "aten.arange.start_step":
        low, high = other.args[0], other.args[1]
        return [(low, high)] if isinstance(low, int) and isinstance(high, int) else []
    codes = constants.get(other.name)
    if codes is None or codes.numel() < 2 or codes.is_floating_point():
        return []
    low, high = int(codes.min()), int(codes.max()) + 1
    return [(low, high)] if codes.unique().numel() == high - low else []
