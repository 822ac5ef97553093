"""What a rule sees of a node: the op it calls and its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fiberscope.symmetry.typed import Inference, Typed, Value


class Call(Protocol):
    """A graph node that calls an op (``torch.fx.Node``, with arguments as loosely typed as the graph holds them)."""

    @property
    def name(self) -> str: ...

    @property
    def target(self) -> Any: ...

    @property
    def args(self) -> tuple[Any, ...]: ...

    @property
    def kwargs(self) -> dict[str, Any]: ...

    @property
    def meta(self) -> dict[str, Any]: ...


Rule = Callable[[Inference, Any], Value]
"""A rule types the result of one op; the node is a ``Call``."""


def shape_of(node: Call) -> tuple[int, ...]:
    """Return the shape of the tensor that a node makes."""
    return tuple(int(n) for n in node.meta["val"].shape)


def rank_of(node: Call) -> int:
    """Return the number of axes of the tensor that a node makes."""
    return len(node.meta["val"].shape)


def argument(node: Call, position: int, name: str, default: Any = None) -> Any:
    """Return an argument given by position or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def lift(rule: Callable[[Inference, Call, Typed], Typed]) -> Rule:
    """Make a rule of one tensor collapse a stacked input first."""
    return lambda inf, node: rule(inf, node, inf.typed(node.args[0]))
