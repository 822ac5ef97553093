"""Networks of the zoo, exported once a process; all tests about one network run in one process (`--dist loadgroup`)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
import torch

import fiberscope as fs
from fiberscope.network import Network

from .case import ZOO


@cache
def network(name: str) -> Network:
    """The network of a case, loaded."""
    torch.set_num_threads(1)
    module, inputs = ZOO[name].make()
    return fs.load(module, inputs, name=name)


@cache
def symmetries(name: str) -> Any:
    """Its symmetries."""
    return fs.symmetries(network(name))


def grouped(names: Iterable[str], *marks: Any) -> list[Any]:
    """Parameters of tests, each in the group of its network."""
    return [pytest.param(name, marks=[pytest.mark.xdist_group(f"zoo {name}"), *marks]) for name in names]
