"""What a zoo member is: a builder, its inputs, and what theory says about its group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

MIXING = ("none", "permutation", "complex_scalar", "orthogonal_fixing_ones", "orthogonal", "general_linear")
SCALING = {"one": 0, "sign": 1, "positive": 1, "nonzero": 2}
Inputs = tuple[Tensor, ...] | dict[str, Tensor]


@dataclass(frozen=True)
class SpaceFact:
    """A space that must be found: its size, and the least mixing and scaling that theory gives it."""

    size: int
    mixing: str = "permutation"
    scaling: str = "one"
    copies: int = 1

    def holds(self, space: Any) -> bool:
        """Tell whether a found space is at least this large a group."""
        mixing = getattr(space.mixing, "name", space.mixing)
        mixing_is_enough = MIXING.index(mixing) >= MIXING.index(self.mixing)
        if self.scaling == "one" or mixing == "general_linear":
            scaling_is_enough = True
        else:
            scaling_is_enough = space.scaling in (self.scaling, "nonzero")
        return space.size == self.size and mixing_is_enough and scaling_is_enough and (space.copies or 1) >= self.copies


@dataclass(frozen=True)
class Case:
    """One architecture: `axis` is a floor that must be reached, `theory` the whole axis part, `total` the whole fiber.

    `theory` and `total` are None where no formula is known. `heavy` members leave the default run of the oracle;
    `wide` is the standard deviation of the oracle's float inputs.
    """

    name: str
    builder: Callable[[], tuple[nn.Module, Inputs]] = field(repr=False)
    axis: int
    theory: int | None
    total: int | None
    spaces: tuple[SpaceFact, ...]
    source: str
    heavy: bool
    wide: float

    def make(self, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Inputs]:
        """Build the module (eval mode, generic weights) and example inputs, always the same."""
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(sum(map(ord, self.name)))
            module, inputs = self.builder()
            make_generic(module)
        module = module.eval().to(dtype)
        if isinstance(inputs, dict):
            return module, {name: _cast(x, dtype) for name, x in inputs.items()}
        return module, tuple(_cast(x, dtype) for x in inputs)


ZOO: dict[str, Case] = {}


def zoo(
    name: str,
    axis: int,
    *,
    theory: int | None = None,
    total: int | None = None,
    spaces: tuple[SpaceFact, ...] = (),
    source: str,
    heavy: bool = False,
    wide: float = 2.0,
) -> Callable[[Callable[[], tuple[nn.Module, Inputs]]], Callable[[], tuple[nn.Module, Inputs]]]:
    """Register a builder under a name together with its expectation."""

    def register(builder: Callable[[], tuple[nn.Module, Inputs]]) -> Callable[[], tuple[nn.Module, Inputs]]:
        if name in ZOO:
            raise ValueError(f"two zoo members are called {name}")
        ZOO[name] = Case(name, builder, axis, theory, total, spaces, source, heavy, wide)
        return builder

    return register


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype) if x.is_floating_point() else x


def make_generic(module: nn.Module, eps: float = 0.07) -> None:
    """Give every parameter and running statistic a generic value, and norms an eps large enough to be seen.

    With a tiny eps the scale in front of a norm is a symmetry up to rounding; a large one exposes such a claim.
    """
    with torch.no_grad():
        for _, parameter in module.named_parameters():
            if parameter.ndim >= 2:
                fan_in = parameter[0].numel()
                parameter.normal_(0.0, 1.1 / max(fan_in, 1) ** 0.5)
            else:
                parameter.uniform_(0.4, 1.4)
                parameter.mul_(torch.where(torch.rand_like(parameter) < 0.35, -1.0, 1.0))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0.0, 0.4)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    for part in module.modules():
        for attribute in ("eps", "variance_epsilon", "epsilon"):
            if isinstance(getattr(part, attribute, None), float):
                setattr(part, attribute, eps)
        if isinstance(part, nn.Embedding):
            with torch.no_grad():
                part.weight.normal_(0.0, 1.0)
