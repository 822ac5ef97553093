"""Hand-made networks, equivalent copies and certificates, with numpy only."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import zipfile
from pathlib import Path

import numpy as np

RELU_LIKE = {"relu", "leaky_relu(0.25)"}
ODD = {"tanh", "erf", "sin", "softsign", "arctan", "hardtanh", "tanhshrink", "hardshrink", "softshrink"}


def mlp(
    rng: np.random.Generator, widths: list[int], activation: str, dtype: type = np.float32
) -> dict[str, np.ndarray]:
    """Random weights of a plain MLP in the .npz convention."""
    net: dict[str, np.ndarray] = {"activation": np.array(activation)}
    for i, (n, m) in enumerate(itertools.pairwise(widths), start=1):
        net[f"W{i}"] = rng.normal(size=(m, n)).astype(dtype)
        net[f"b{i}"] = rng.normal(size=m).astype(dtype)
    return net


def depth(net: dict) -> int:
    return sum(1 for k in net if k.startswith("W"))


def scales(rng: np.random.Generator, activation: str, n: int, dyadic: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Factors that an activation lets pass, and what comes out."""
    s = 2.0 ** rng.integers(-3, 4, n) if dyadic else np.exp(rng.normal(size=n))
    sign = rng.choice([-1.0, 1.0], n)
    if activation in RELU_LIKE:
        return s, s
    if activation in ODD:
        return sign, sign
    if activation == "abs":
        return s * sign, s
    if activation == "square":
        return s * sign, s * s
    if activation == "cube":
        return s * sign, (s * sign) ** 3
    if activation in ("cos", "gaussian"):
        return sign, np.ones(n)
    return np.ones(n), np.ones(n)


def copy_of(
    rng: np.random.Generator, net: dict, dyadic: bool = True
) -> tuple[dict, list[tuple[np.ndarray, np.ndarray]]]:
    """A permuted and scaled copy, and the (perm, scale) of each hidden layer."""
    new, moves, total = {"activation": net["activation"]}, [], depth(net)
    before, passed = np.arange(net["W1"].shape[1]), np.ones(net["W1"].shape[1])
    for i in range(1, total + 1):
        w, b = net[f"W{i}"].astype(np.float64), net[f"b{i}"].astype(np.float64)
        n = len(b)
        perm, (s, out) = rng.permutation(n), scales(rng, str(net["activation"]), n, dyadic)
        if i == total:
            perm, s, out = np.arange(n), np.ones(n), np.ones(n)
        else:
            moves.append((perm, s))
        dtype = net[f"W{i}"].dtype
        new[f"W{i}"] = (s[:, None] * w[np.ix_(perm, before)] / passed[None, :]).astype(dtype)
        new[f"b{i}"] = (s * b[perm]).astype(dtype)
        before, passed = perm, out
    return new, moves


def save(path: Path, net: dict) -> Path:
    np.savez(path, **net)
    return path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def identity(model) -> dict:
    """The entry of a model (a path, or a Model as read) in a certificate."""
    if isinstance(model, Path):
        return {"sha256": sha(model), "format": model.suffix[1:]}
    return {"sha256": model.sha256, "format": model.format}


def certificate(a, b, steps: list, arrays: dict[str, np.ndarray], **changes) -> bytes:
    """A certificate file; `changes` replace entries of certificate.json."""
    top = {
        "format": "fiberscope-certificate",
        "version": 1,
        "claim": "equal",
        "strength": "exact",
        "method": "chain",
        "domain": "all",
        "models": [identity(a), identity(b)],
        "max_ulp": None,
        "error_bound": None,
        "steps": steps,
    } | changes
    return pack(json.dumps(top).encode(), {k: npy(v) for k, v in arrays.items()})


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def pack(text: bytes, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("certificate.json", text)
        for name, data in members.items():
            archive.writestr(f"arrays/{name}.npy", data)
    return buffer.getvalue()


def match_steps(moves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list, dict[str, np.ndarray]]:
    """The match and compare steps of a chain certificate."""
    steps: list = []
    arrays = {}
    for i, (perm, scale) in enumerate(moves, start=1):
        steps.append({"step": "match", "layer": i, "perm": f"p{i}", "scale": f"s{i}"})
        arrays |= {f"p{i}": perm.astype(np.int64), f"s{i}": scale.astype(np.float64)}
    return [*steps, {"step": "compare-weights"}], arrays


def run(net: dict, x: np.ndarray, rho) -> np.ndarray:
    """Plain float64 evaluation, x [n] or [N, n]."""
    for i in range(1, depth(net) + 1):
        x = x @ net[f"W{i}"].astype(np.float64).T + net[f"b{i}"].astype(np.float64)
        x = rho(x) if i < depth(net) else x
    return x
