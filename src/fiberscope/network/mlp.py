"""Plain multilayer perceptrons in ``.npz`` files.

f(x) = W_L s(... s(W_1 x + b_1) ...) + b_L with arrays ``W1, b1, ..., WL, bL`` (W is out x in, every bias optional)
and a string ``activation`` (default ``relu``) for s. The output layer is linear.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiberscope.errors import LoadError
from fiberscope.network.activations import activation
from fiberscope.network.archive import open_archive, read_member
from fiberscope.network.arrays import read_npy
from fiberscope.network.network import Network, file_hash
from fiberscope.network.origin import merged, write_bytes
from fiberscope.network.program import build_program
from fiberscope.network.traced import trace_pure

LAYER = re.compile(r"([Wb])([1-9][0-9]{0,5})")


class Perceptron(nn.Module):
    """The function above as a module; its parameters are named ``W1, b1, ...`` as in the file."""

    def __init__(self, arrays: dict[str, Tensor], text: str) -> None:
        super().__init__()
        for name, tensor in arrays.items():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        self.depth = sum(name.startswith("W") for name in arrays)
        self.text = text

    def forward(self, x: Tensor) -> Tensor:
        """x: [batch, n_in] -> [batch, n_out]."""
        act = activation(self.text)
        for layer in range(1, self.depth + 1):
            x = F.linear(x, getattr(self, f"W{layer}"), getattr(self, f"b{layer}", None))
            if layer < self.depth:
                x = act(x)
        return x


class NpzOrigin:
    """An ``.npz`` file: its activation, and the array names in order."""

    format = "npz"

    def __init__(self, text: str, stored: dict[str, Tensor], data: bytes) -> None:
        self.text, self.data = text, data
        self.stored = stored

    def state_dict(self, network: Network) -> dict[str, Tensor]:
        return merged(self.stored, network)

    def module(self, network: Network) -> nn.Module:
        return Perceptron({name: tensor.clone() for name, tensor in self.state_dict(network).items()}, self.text)

    def save(self, network: Network, path: Path) -> None:
        if all(tensor is self.stored.get(name) for name, tensor in network.weights.items()):
            write_bytes(path, self.data)
            return
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in self.state_dict(network).items()}
        stream = io.BytesIO()
        np.savez(stream, activation=np.array(self.text), **arrays)
        write_bytes(path, stream.getvalue())


def load_npz(path: Path, *, name: str, max_bytes: int) -> Network:
    """Read a plain multilayer perceptron; see the module docstring for the format."""
    data = path.read_bytes()
    tensors, text = read_layers(path, data, max_bytes)
    module = Perceptron(tensors, text)
    example = torch.zeros(2, tensors["W1"].shape[1], dtype=tensors["W1"].dtype)
    program, weights = build_program(trace_pure(module, (example,)), batched=True, strict=tensors)
    origin = NpzOrigin(text, {**tensors, **weights}, data)
    return Network(program, weights, origin, name=name, path=path, file_sha256=file_hash(data))


def read_layers(path: Path, data: bytes, max_bytes: int) -> tuple[dict[str, Tensor], str]:
    """The layers in order and the activation's name, with every shape checked."""
    archive = open_archive(path, data, max_bytes)
    arrays: dict[str, np.ndarray] = {}
    for member in archive.namelist():
        key = member.removesuffix(".npy")
        if key != "activation" and not LAYER.fullmatch(key):
            raise LoadError(f"{path}: unexpected array {key[:60]!r}; expected W1, b1, ..., WL, bL and activation")
        arrays[key] = read_npy(path, key, read_member(path, archive, member))
    text = "relu"
    if "activation" in arrays:
        value = arrays.pop("activation")
        if value.dtype.kind not in "US" or value.size != 1:
            raise LoadError(f"{path}: 'activation' must be one string, got {value.dtype} of shape {value.shape}")
        item = value.reshape(()).item()
        text = item.decode("latin-1") if isinstance(item, bytes) else item
    activation(text)
    depth = sum(key.startswith("W") for key in arrays)
    if depth == 0:
        raise LoadError(f"{path}: no array W1; expected W1, b1, ..., WL, bL and activation")
    layers: dict[str, Tensor] = {}
    dtype = None
    for layer in range(1, depth + 1):
        weight, bias = arrays.pop(f"W{layer}", None), arrays.pop(f"b{layer}", None)
        if weight is None or weight.ndim != 2 or weight.size == 0:
            raise LoadError(f"{path}: W{layer} must be a matrix (out x in); W1 to W{depth} must all be there")
        if layer > 1 and weight.shape[1] != layers[f"W{layer - 1}"].shape[0]:
            before = layers[f"W{layer - 1}"].shape[0]
            raise LoadError(f"{path}: W{layer} has {weight.shape[1]} columns, but W{layer - 1} has {before} rows")
        if bias is not None and bias.shape != (weight.shape[0],):
            raise LoadError(f"{path}: b{layer} must have shape ({weight.shape[0]},), got {bias.shape}")
        for key, value in ((f"W{layer}", weight), (f"b{layer}", bias)):
            if value is None:
                continue
            value = value.astype(value.dtype.newbyteorder("="), copy=False)
            if value.dtype not in (np.float16, np.float32, np.float64):
                raise LoadError(f"{path}: {key} has dtype {value.dtype}; expected float16, float32 or float64")
            dtype = dtype or value.dtype
            if value.dtype != dtype:
                raise LoadError(f"{path}: {key} has dtype {value.dtype}, but W1 has {dtype}; use one dtype")
            layers[key] = torch.from_numpy(value)
    if arrays:
        raise LoadError(f"{path}: {', '.join(sorted(arrays))} belong to no layer; there are {depth} matrices")
    return layers, text
