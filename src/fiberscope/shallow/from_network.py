"""From a loaded network to the four arrays of its one hidden layer, and back to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.shallow.model import ShallowModel

if TYPE_CHECKING:
    from fiberscope.network import Network


def shallow_model(net: Network) -> ShallowModel:
    """``W1, b1, W2, b2`` and the activation of a network with exactly one hidden layer.

    Arithmetic on weights in the graph (a subtracted input mean, two linear maps in a row) is done exactly; entries are
    float64 where that holds them, else rationals. Errors: InputError when the network has another number of hidden
    layers, several inputs or outputs, or operations that are neither linear nor an activation.

    >>> import torch, fiberscope as fs
    >>> mlp = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LeakyReLU(0.25), torch.nn.Linear(4, 2))
    >>> model = shallow_model(fs.load(mlp.eval(), (torch.zeros(2, 3),)))
    >>> model.W1.shape, model.W2.shape, model.activation
    ((4, 3), (2, 4), 'leaky_relu(0.25)')
    """
    from fiberscope.shallow.graph_maps import Unreadable, dense
    from fiberscope.shallow.graph_walk import Walk

    def refuse(reason: object) -> InputError:
        return InputError(f"{net.name}: cannot be read as a network with one hidden layer: {reason}")

    if len(net.inputs) != 1 or len(net.output_nodes) != 1:
        raise refuse(f"it has {len(net.inputs)} inputs and {len(net.output_nodes)} outputs; one of each is needed")
    if not net.inputs[0].dtype.is_floating_point:
        raise refuse(f"its input is of type {net.inputs[0].dtype}; real numbers are needed")
    try:
        walk = Walk(net)
        last = walk.gathered(walk.last)
        if walk.first is None or not last.hidden:
            raise refuse("it has no hidden layer (an affine map); see `fiberscope linear`")
        first = walk.first
        arrays = dense(first), first.bias, dense(last), last.bias
    except Unreadable as reason:
        raise refuse(reason) from None
    return ShallowModel(*arrays, activation=walk.activation)


def write_npz(model: ShallowModel, path: str | Path) -> None:
    """Write a model as a plain ``.npz`` perceptron in float64 (rationals are rounded to nearest).

    Errors: InputError when a number does not fit or the path cannot be written.
    """
    from fiberscope.shallow.minimal_network import rounded

    stored = rounded(model).model
    arrays: dict[str, Any] = {"W1": stored.W1, "b1": stored.b1, "W2": stored.W2, "b2": stored.b2}
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise InputError(f"{path}: a weight is beyond the range of float64")
    if not stored.units:  # a constant: files hold no layer without units
        arrays["W1"], arrays["b1"] = np.zeros((1, stored.inputs)), np.zeros(1)
        arrays["W2"] = np.zeros((stored.outputs, 1))
    try:
        np.savez(Path(path), activation=np.array(stored.activation), **arrays)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
