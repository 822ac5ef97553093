"""Networks: loading them safely, running them at any batch size, replacing their weights, saving them back."""

from __future__ import annotations

from fiberscope.network.loading import load
from fiberscope.network.network import Network
from fiberscope.network.specification import InputSpec

__all__ = ["InputSpec", "Network", "load"]
