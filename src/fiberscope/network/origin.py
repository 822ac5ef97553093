"""Where a network came from, and how it goes back there with other weights."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fiberscope.network.batching import run_batch

if TYPE_CHECKING:
    from fiberscope.network.network import Network


class Origin(Protocol):
    """One per format: the untouched source plus the two ways back."""

    format: str

    def state_dict(self, network: Network) -> dict[str, Tensor]:
        """All stored tensors under their own names, with the network's current weights."""
        ...

    def module(self, network: Network) -> nn.Module:
        """A module that carries the current weights and takes any batch size."""
        ...

    def save(self, network: Network, path: Path) -> None:
        """Write the network in its own format."""
        ...


def merged(stored: Mapping[str, Tensor], network: Network) -> dict[str, Tensor]:
    """``stored`` with every weight (aliases too) replaced by the network's current one."""
    result: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        current = network.weights.get(network.aliases.get(name, name))
        result[name] = tensor.detach() if current is None else current
    return result


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole: into a temporary neighbour first, then renamed into place (a device is written to)."""
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(data)
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            stream.write(data)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    temporary.chmod(0o644)
    temporary.replace(path)


def attribute_name(module: nn.Module, name: str) -> str:
    """An attribute name that ``module`` does not have yet, made of any text."""
    base = key = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
    count = 2
    while hasattr(module, key):
        key, count = f"{base}_{count}", count + 1
    return key


class NetworkModule(nn.Module):
    """A network as an ``nn.Module``: its weights are parameters under their own names, any batch size runs.

    Names may hold any character (ONNX allows all); a dot opens a submodule, as ``load_state_dict`` expects.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.places: dict[str, tuple[nn.Module, str]] = {}
        for name, tensor in network.weights.items():
            *path, last = name.split(".")
            holder: nn.Module = self
            for part in path:
                child = holder._modules.get(part)
                if child is None:
                    child = holder._modules[part] = nn.Module()
                holder = child
            holder._parameters[last] = nn.Parameter(tensor.clone())
            self.places[name] = (holder, last)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The network's outputs; differentiable in its parameters."""
        network = self.network
        weights: dict[str, Any] = {name: holder._parameters[last] for name, (holder, last) in self.places.items()}
        outputs = run_batch(network.program, lambda xs: network.interpret(xs, weights), network.prepare(inputs))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


class ModuleOrigin:
    """An ``nn.Module`` given by the user, kept as a private copy together with its exported program."""

    format = "module"

    def __init__(self, template: nn.Module, exported: ExportedProgram) -> None:
        self.template = template
        self.exported = exported
        self.free_batch = False  # whether a file takes any number of samples, not the traced one alone
        spec = exported.call_spec.out_spec
        self.one_tensor = spec is not None and spec.is_leaf()  # whether a tensor is returned, not a tuple of them

    def state_dict(self, network: Network) -> dict[str, Tensor]:
        return merged(self.template.state_dict(), network)

    def module(self, network: Network) -> nn.Module:
        module = copy.deepcopy(self.template)
        with torch.no_grad():
            stored: dict[str, Any] = dict(module.named_parameters(remove_duplicate=False))
            stored.update(module.named_buffers(remove_duplicate=False))
            for name, tensor in stored.items():
                current = network.weights.get(network.aliases.get(name, name))
                if current is not None:
                    tensor.copy_(current)
        return module

    def save(self, network: Network, path: Path) -> None:
        from fiberscope.network.pt2 import save_exported
        from fiberscope.network.tracing import any_batch

        exported = self.exported
        if self.free_batch:
            samples = tuple(torch.zeros(s.shape, dtype=s.dtype) for s in network.inputs)
            exported = any_batch(self.template, samples) or exported
        save_exported(exported, merged(exported.state_dict, network), path)
