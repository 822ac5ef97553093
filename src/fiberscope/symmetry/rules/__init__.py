"""The table of op rules: one small rule per ATen op, found by the op's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fiberscope.symmetry.rules import contraction, elementwise, movement, normalisation, reduction

if TYPE_CHECKING:
    import torch.fx

    from fiberscope.symmetry.typed import Inference, Value

Rule = Callable[["Inference", "torch.fx.Node"], "Value"]

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **contraction.RULES,
    **movement.RULES,
    **normalisation.RULES,
    **reduction.RULES,
}
