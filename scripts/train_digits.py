"""Trains the three example networks that ship with Fiberscope on scikit-learn's digits, and writes them as ONNX.

    python scripts/train_digits.py                 # into src/fiberscope/models/

`digits_relu.onnx`  64-32-24-10, ReLU: the ground case, permutations and positive scalings.
`digits_tanh.onnx`  64-24-16-10, tanh: signs in place of scalings.
`digits_conv.onnx`  convolutions, batch norm kept as BatchNormalization, one residual block.

Inputs are pixels divided by 16, so the box [0, 1] is the whole domain. Test accuracy, seed, sizes, split and content
hash stand beside the networks in `models.json`. Everything runs on one thread with fixed seeds; another version of
torch may still round differently, which is why the results are committed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

SPLIT = {"data": "sklearn.datasets.load_digits", "test_size": 0.25, "random_state": 0, "stratify": True}
OPSET = 17


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Train and test images (N, 64) in [0, 1] and their labels (N,)."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype(np.float32)
    parts = train_test_split(x, y, test_size=SPLIT["test_size"], random_state=SPLIT["random_state"], stratify=y)
    x_train, x_test, y_train, y_test = (torch.from_numpy(np.ascontiguousarray(p)) for p in parts)
    return x_train, x_test, y_train.long(), y_test.long()


def mlp(widths: list[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])


class Conv(nn.Module):
    """Stem, one residual block, a strided convolution, mean over the image, linear read-out."""

    def __init__(self, width: int = 16, top: int = 32):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.down = nn.Conv2d(width, top, 3, stride=2, padding=1)
        self.read = nn.Linear(top, 10)

    def forward(self, x: Tensor) -> Tensor:
        stream = self.stem_norm(self.stem(x.reshape(-1, 1, 8, 8))).relu()
        inner = self.first_norm(self.first(stream)).relu()
        stream = (stream + self.second_norm(self.second(inner))).relu()
        return self.read(self.down(stream).relu().mean((2, 3)))


def shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by up to one pixel, which the test images are too."""
    images = nn.functional.pad(x.reshape(-1, 8, 8), (1, 1, 1, 1))
    dx, dy = torch.randint(0, 3, (2, len(x)), generator=generator)
    rows = dy[:, None] + torch.arange(8)
    columns = dx[:, None] + torch.arange(8)
    return images[torch.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(-1, 64)


def train(model: nn.Module, epochs: int, seed: int, *, rate: float, decay: float) -> float:
    """AdamW under a cosine schedule; returns the accuracy on the held-out quarter."""
    generator = torch.Generator().manual_seed(seed)
    x_train, x_test, y_train, y_test = digits()
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(x_train), generator=generator).split(64):
            moved = shifted(x_train[batch], generator)
            keep = torch.rand(len(batch), 1, generator=generator) < 0.5
            logits = model(torch.where(keep, x_train[batch], moved))
            loss = nn.functional.cross_entropy(logits, y_train[batch], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        return float((model(x_test).argmax(1) == y_test).double().mean())


class Writer:
    """Collects ONNX nodes and initialisers in order; each method adds one node and returns its output's name."""

    def __init__(self):
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, value: Tensor | np.ndarray) -> str:
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def linear(self, x: str, layer: nn.Linear, name: str, out: str | None = None) -> str:
        names = [self.weight(f"{name}.weight", layer.weight), self.weight(f"{name}.bias", layer.bias)]
        return self.node("Gemm", [x, *names], out or name, transB=1)

    def conv(self, x: str, layer: nn.Conv2d, name: str) -> str:
        names = [self.weight(f"{name}.weight", layer.weight)]
        if layer.bias is not None:
            names.append(self.weight(f"{name}.bias", layer.bias))
        stride = list(layer.stride)
        return self.node("Conv", [x, *names], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=stride)

    def norm(self, x: str, layer: nn.BatchNorm2d, name: str) -> str:
        parts = {"weight": layer.weight, "bias": layer.bias, "mean": layer.running_mean, "var": layer.running_var}
        names = [self.weight(f"{name}.{key}", value) for key, value in parts.items() if value is not None]
        return self.node("BatchNormalization", [x, *names], name, epsilon=layer.eps)

    def save(self, path: Path, inputs: list[int]) -> None:
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", *inputs])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="fiberscope")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


def write_mlp(model: nn.Sequential, op: str, path: Path) -> None:
    to, x = Writer(), "pixels"
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(layers, 1):
        last = number == len(layers)
        x = to.linear(x, layer, f"layer{number}", "logits" if last else None)
        if not last:
            x = to.node(op, [x], f"{op.lower()}{number}")
    to.save(path, [64])


def write_conv(model: Conv, path: Path) -> None:
    to = Writer()
    stream = to.norm(to.conv("pixels", model.stem, "stem"), model.stem_norm, "stem.norm")
    stream = to.node("Relu", [stream], "stem.relu")
    inner = to.norm(to.conv(stream, model.first, "block.first"), model.first_norm, "block.first.norm")
    inner = to.node("Relu", [inner], "block.relu")
    inner = to.norm(to.conv(inner, model.second, "block.second"), model.second_norm, "block.second.norm")
    stream = to.node("Relu", [to.node("Add", [stream, inner], "block.add")], "block.out")
    top = to.node("Relu", [to.conv(stream, model.down, "down")], "down.relu")
    flat = to.node("Flatten", [to.node("GlobalAveragePool", [top], "mean")], "flat", axis=1)
    to.linear(flat, model.read, "read", "logits")
    to.save(path, [1, 8, 8])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[1] / "src" / "fiberscope" / "models"
    parser.add_argument("-o", "--out", type=Path, default=default)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    plans = {
        "digits_relu": (lambda: mlp([64, 32, 24, 10], nn.ReLU), 0, 150, 3e-3, 1e-2),
        "digits_tanh": (lambda: mlp([64, 24, 16, 10], nn.Tanh), 1, 150, 3e-3, 1e-2),
        "digits_conv": (Conv, 2, 60, 3e-3, 1e-2),
    }
    table = {}
    for name, (make, seed, epochs, rate, decay) in plans.items():
        with torch.random.fork_rng():
            torch.random.default_generator.manual_seed(seed)
            model = make()
        accuracy = train(model, epochs, seed, rate=rate, decay=decay)
        path = out / f"{name}.onnx"
        if isinstance(model, Conv):
            write_conv(model, path)
        else:
            write_mlp(model, "Tanh" if "tanh" in name else "Relu", path)
        table[path.name] = {
            "test_accuracy": round(accuracy, 4),
            "seed": seed,
            "epochs": epochs,
            "parameters": sum(p.numel() for p in model.parameters()),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "input": [1, 8, 8] if isinstance(model, Conv) else [64],
            "box": [0, 1],
            "split": SPLIT,
            "torch": torch.__version__.split("+")[0],
        }
        print(f"{path.name}: test accuracy {accuracy:.4f}, {path.stat().st_size:,} bytes")
    (out / "models.json").write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
