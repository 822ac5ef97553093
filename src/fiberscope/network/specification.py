"""What a network expects at each of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch


@dataclass(frozen=True)
class InputSpec:
    """One input of a network: its name, the shape it was traced with, its dtype, and whether axis 0 is a batch.

    ``low`` and ``high`` bound an integer input, ``low <= x < high`` (as in ``torch.randint``), when the network
    itself tells them: an index into an embedding of V rows gives 0 and V.

    >>> InputSpec("x", (2, 5), torch.float32, True).sample_shape
    (5,)
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    batched: bool
    low: int | None = None
    high: int | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: the traced shape without its leading batch axis, if it has one."""
        return self.shape[1:] if self.batched else self.shape

    @property
    def size(self) -> int:
        """The number of elements of one sample."""
        return prod(self.sample_shape)
