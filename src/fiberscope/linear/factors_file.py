"""Factors in files: an .npz of the matrices ``W1, ..., WL`` alone, or any linear model.

An .npz holds ``W1 .. WL`` (``W_j`` is d_j x d_{j-1}) and perhaps a string ``activation``, which must be "identity";
where it is missing, identity is meant. Biases ``b1 .. bL`` may be there if they are zero: another bias would make the
function affine, and leaving it out silently would answer a question that was not asked. Arrays keep the type that
they are stored in, since it decides how exactly ranks can be known. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.errors import InputError, LoadError, WeightError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 4 << 30
_LAYER = re.compile(r"([Wb])([1-9][0-9]{0,5})")
_WANTED = "expected W1, ..., WL, each out x in"


def load_factors(path: str | Path, chain: str | None = None) -> tuple[np.ndarray, ...]:
    """The factors ``(W_1, ..., W_L)`` of an .npz, or of a linear model (.onnx, .pt2), in their stored type.

    ``chain`` picks one linear chain of a model that need not be linear as a whole (see `chains`). Errors: `LoadError`
    for an unreadable file or foreign arrays, `WeightError` for NaN, infinity, or a bias that is not zero, `InputError`
    for shapes that do not chain or a model that is not linear. Each message begins with the path.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "two.npz"
    ...     save_factors(file, [np.ones((3, 2)), np.ones((1, 3))])
    ...     [w.shape for w in load_factors(file)]
    [(3, 2), (1, 3)]
    """
    path = Path(path)
    if path.suffix.lower() == ".npz" and chain is None:
        return npz_factors(path)
    import fiberscope.network
    from fiberscope.linear.from_network import from_network

    net = fiberscope.network.load(path, name=str(path))
    return tuple(from_network(net, chain))


def npz_factors(path: Path, max_bytes: int = MAX_BYTES) -> tuple[np.ndarray, ...]:
    """The factors of an .npz; the errors of `load_factors`."""
    from fiberscope.linear.factors import checked_factors

    arrays = read_arrays(path, max_bytes)
    _linear(path, arrays.pop("activation", None))
    strangers = sorted(name for name in arrays if not _LAYER.fullmatch(name))
    if strangers:
        raise LoadError(f"{path}: unexpected array {strangers[0][:60]!r}; {_WANTED}, and activation at most")
    depth = sum(name.startswith("W") for name in arrays)
    missing = next((f"W{n}" for n in range(1, depth + 1) if f"W{n}" not in arrays), None if depth else "W1")
    if missing:
        raise LoadError(f"{path}: no array {missing}; {_WANTED}, from the input to the output")
    factors = tuple(arrays.pop(f"W{n}") for n in range(1, depth + 1))
    for name, bias in sorted(arrays.items()):
        _no_bias(path, name, bias, factors)
    for number, factor in enumerate(factors, 1):
        _one_matrix(path, f"W{number}", factor)
    try:
        checked_factors(factors)
    except (InputError, WeightError) as error:
        raise type(error)(f"{path}: {error}") from error
    return factors


def read_arrays(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Every array of an .npz by name; `LoadError` for a file that is missing, damaged, too large or holds objects."""
    from fiberscope.network.archive import open_archive, read_member
    from fiberscope.network.arrays import read_npy

    if not path.is_file():
        raise LoadError(f"{path}: no such file")
    if path.suffix.lower() != ".npz":
        raise LoadError(f"{path}: expected an .npz file")
    if path.stat().st_size > max_bytes:
        raise LoadError(f"{path}: larger than max_bytes = {max_bytes}")
    archive = open_archive(path, path.read_bytes(), max_bytes)
    out = {}
    for member in archive.namelist():
        name = member.removesuffix(".npy")
        array = read_npy(path, name, read_member(path, archive, member))
        out[name] = array if array.dtype.kind in "US" else array.astype(array.dtype.newbyteorder("="), copy=False)
    return out


def load_target(path: str | Path) -> np.ndarray:
    """The matrix ``T`` of an .npz that holds it under that name; `LoadError` or `WeightError` otherwise."""
    path = Path(path)
    arrays = read_arrays(path)
    if "T" not in arrays:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise LoadError(f"{path}: no array T (it holds {held}); expected the target matrix under the name T")
    target = arrays["T"]
    if target.ndim != 2 or target.dtype.kind not in "biuf":
        raise WeightError(f"{path}: T must be a matrix of real numbers, got {target.dtype} of shape {target.shape}")
    if not np.isfinite(target).all():
        raise WeightError(f"{path}: T holds NaN or infinity: expected finite real numbers")
    return target.astype(np.float64)


def save_factors(path: str | Path, factors: Sequence[Any]) -> None:
    """Writes ``W1 .. WL`` and activation = "identity", so that the file is also a network for every other command."""
    named = {f"W{n}": np.asarray(w, dtype=np.float64) for n, w in enumerate(factors, 1)}
    save_arrays(path, {**named, "activation": np.array("identity")})


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz in one go, under exactly the name given."""
    stream = io.BytesIO()
    np.savez(stream, **dict(arrays))  # type: ignore[arg-type]
    Path(path).write_bytes(stream.getvalue())


def _linear(path: Path, activation: np.ndarray | None) -> None:
    if activation is None:
        return
    if activation.dtype.kind not in "US" or activation.size != 1:
        raise LoadError(f"{path}: 'activation' must be one string, got {activation.dtype} of shape {activation.shape}")
    item = activation.reshape(()).item()
    text = item.decode("latin-1") if isinstance(item, bytes) else item
    if text.strip().lower() != "identity":
        raise InputError(f"{path}: activation {text[:40]!r} is not linear; expected 'identity' or none at all")


def _no_bias(path: Path, name: str, bias: np.ndarray, factors: Sequence[np.ndarray]) -> None:
    if int(name[1:]) > len(factors):
        raise LoadError(f"{path}: {name} belongs to no layer; there are {len(factors)} matrices")
    if bias.dtype.kind not in "biuf" or not (np.asarray(bias) == 0).all():
        raise WeightError(
            f"{path}: {name} is not zero; a linear network has no biases: remove them, or set them to zero"
        )


def _one_matrix(path: Path, name: str, factor: np.ndarray) -> None:
    if factor.ndim == 3 and len(factor):
        raise WeightError(
            f"{path}: {name} has shape {factor.shape}: {len(factor)} matrices, points of a path? Save one of them"
        )
    if factor.ndim != 2 or factor.dtype.kind not in "biuf":
        raise WeightError(
            f"{path}: {name} must be a matrix of real numbers, got {factor.dtype} of shape {factor.shape}"
        )
