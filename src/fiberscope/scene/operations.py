"""What a reader is shown for each ATen operation."""

from __future__ import annotations

# Operations that only rearrange numbers, or guard against what does not happen: not worth a line in a picture.
PLUMBING = {
    "view",
    "reshape",
    "_unsafe_view",
    "permute",
    "t",
    "transpose",
    "clone",
    "expand",
    "unsqueeze",
    "squeeze",
    "select",
    "slice",
    "getitem",
    "alias",
    "detach",
    "contiguous",
    "_to_copy",
    "to",
    "copy",
    "lift_fresh_copy",
    "split",
    "split_with_sizes",
    "flatten",
    "eq",
    "ne",
    "logical_not",
    "any",
    "full_like",
    "where",
    "isinf",
    "_assert_tensor_metadata",
    "sym_size",
    "full",
    "arange",
    "zeros_like",
    "ones_like",
    "as_strided",
}

# Operations in which activations meet a weight, or each other, and a new space may begin: where the map may stand among
# the arguments, and which of its axes, counted from the end, is the output.
CONTRACTIONS: dict[str, tuple[tuple[int, int], ...]] = {
    "mm": ((1, -1), (0, -2)),
    "bmm": ((1, -1), (0, -2)),
    "matmul": ((1, -1), (0, -2)),
    "addmm": ((2, -1), (1, -2)),
    "baddbmm": ((2, -1), (1, -2)),
    "mv": ((0, -2),),
    "addmv": ((1, -2),),
    "linear": ((1, -2),),
    "embedding": ((0, -1),),
    "convolution": (),  # its own axes, see boxes.py
    "dot": (),
    "einsum": (),
    "_trilinear": (),
}

NAMES = {
    "mm": "linear",
    "addmm": "linear",
    "matmul": "linear",
    "mv": "linear",
    "addmv": "linear",
    "dot": "product",
    "bmm": "product",
    "baddbmm": "product",
    "_native_batch_norm_legit_no_training": "batch norm",
    "native_batch_norm": "batch norm",
    "native_layer_norm": "layer norm",
    "native_group_norm": "group norm",
    "_softmax": "softmax",
    "_log_softmax": "log softmax",
    "_adaptive_avg_pool2d": "mean pool",
    "avg_pool2d": "mean pool",
    "max_pool2d_with_indices": "max pool",
    "max_pool2d": "max pool",
    "constant_pad_nd": "pad",
    "cat": "concatenate",
    "hardtanh": "clip",
    "clamp": "clip",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
    "scaled_dot_product_attention": "attention",
}


def operation(target: object) -> str:
    """The bare name of an operation: 'addmm' for aten.addmm.default.

    >>> import torch
    >>> operation(torch.ops.aten.addmm.default)
    'addmm'
    """
    packet = getattr(target, "overloadpacket", None)
    name = getattr(packet, "__name__", None) or getattr(target, "__name__", str(target))
    return name.split(".")[0]


def spoken(name: str) -> str:
    """The name a reader is shown: 'linear' for 'addmm'."""
    return NAMES.get(name, name.strip("_").replace("_", " "))
