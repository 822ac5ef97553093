"""Hostile files: each gives one LoadError, runs no code, and takes no memory to speak of."""

from __future__ import annotations

import io
import os
import pickle  # noqa: TID251  (to make attacks with)
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.attacks import archives
from tests.network.onnx_models import TensorProto, helper, model, onnx, perceptron, write
from torch import nn

from fiberscope.errors import LoadError, UnsupportedOperatorError
from fiberscope.network import load

RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def own_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test draws from the start, whatever ran before it."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(11))


def refused(path: Path, match: str, **options: Any) -> None:
    """Loading raises a LoadError whose text names the file and matches."""
    with pytest.raises(LoadError, match=match) as caught:
        load(path, **options)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".npz"])
def test_not_models(suffix: str, tmp_path: Path) -> None:
    refused(tmp_path / f"missing{suffix}", "no such file")
    (tmp_path / f"folder{suffix}").mkdir()
    refused(tmp_path / f"folder{suffix}", "not a file")
    for name, data in {"empty": b"", "text": b"hello world", "zeros": bytes(4096), "zip": archives.archive({})}.items():
        (tmp_path / f"{name}{suffix}").write_bytes(data)
        refused(tmp_path / f"{name}{suffix}", name)
    os.mkfifo(tmp_path / f"pipe{suffix}")
    refused(tmp_path / f"pipe{suffix}", "not a file")


def test_extensions(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    refused(tmp_path / "model.pt", "expected .onnx, .pt2 or .npz")
    refused(tmp_path / "model", "unknown extension")


def test_max_bytes(tmp_path: Path) -> None:
    path = write(perceptron(RNG), tmp_path / "a.onnx")
    refused(path, "max_bytes", max_bytes=100)
    np.savez_compressed(tmp_path / "a.npz", W1=np.zeros((100, 100)))
    refused(tmp_path / "a.npz", "declares", max_bytes=10_000)


# -- npz -----------------------------------------------------------------------------------------------------------


def npz_bomb() -> bytes:
    return archives.archive({"W1.npy": archives.npy("(8000, 8000)", body=bytes(4 * 8000 * 8000))}, compress=True)


NPZ: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (npz_bomb, "zip bomb"),
    "huge shape": (lambda: archives.archive({"W1.npy": archives.npy("(4611686018427387904, 8)")}), "bytes follow"),
    "negative": (lambda: archives.archive({"W1.npy": archives.npy("(-1, -4)", body=bytes(16))}), "declares|header"),
    "object": (lambda: archives.archive({"W1.npy": archives.npy("(1, 1)", descr="|O", body=bytes(8))}), "dtype object"),
    "code": (lambda: archives.archive({"W1.npy": archives.npy("__import__('os')")}), "header"),
    "deep": (lambda: archives.archive({"W1.npy": archives.npy("(" * 3000 + ")" * 3000)}), "header"),
    "short": (lambda: archives.archive({"W1.npy": archives.npy("(2, 2)", body=bytes(15))}), "bytes follow"),
    "duplicate": (lambda: archives.duplicate("W1.npy", archives.npy("(1, 1)", body=bytes(4)), b""), "two members"),
    "climb": (lambda: archives.archive({"../W1.npy": archives.npy("(1, 1)", body=bytes(4))}), "outside the archive"),
    "absolute": (lambda: archives.archive({"/W1.npy": archives.npy("(1, 1)", body=bytes(4))}), "outside the archive"),
    "lying": (
        lambda: archives.lying_size(archives.archive({"W1.npy": bytes(2_000_000)}, compress=True), "W1.npy", 99),
        "W1",
    ),
}


@pytest.mark.parametrize("case", NPZ)
def test_npz_attacks(case: str, tmp_path: Path) -> None:
    make, match = NPZ[case]
    (tmp_path / "a.npz").write_bytes(make())
    refused(tmp_path / "a.npz", match)


def test_npz_runs_no_pickle(tmp_path: Path) -> None:
    body = pickle.dumps(archives.Bomb(tmp_path))
    data = archives.archive({"W1.npy": archives.npy("()", descr="|O", body=body)})
    (tmp_path / "a.npz").write_bytes(data)
    refused(tmp_path / "a.npz", "dtype object")
    assert not (tmp_path / archives.MARK).exists()


# -- pt2 -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pt2(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small valid .pt2 file."""
    path = tmp_path_factory.mktemp("pt2") / "a.pt2"
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    load(module, torch.zeros(2, 3)).save(path)
    return path.read_bytes()


def test_pt2_never_opens_pickles(pt2: bytes, tmp_path: Path) -> None:
    """Sample inputs are pickled by torch; a bomb there is not touched, one as a weight is refused."""
    bomb = pickle.dumps(archives.Bomb(tmp_path))
    with zipfile.ZipFile(io.BytesIO(pt2)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = next(n for n in members if "sample_inputs" in n)
    members[name] = bomb
    (tmp_path / "a.pt2").write_bytes(archives.archive(members))
    assert load(tmp_path / "a.pt2").parameters == 26
    weight = next(n for n in members if n.endswith("weight_0"))
    members[weight] = bomb
    data = archives.archive(members)

    def pickled(config: Any) -> None:
        next(iter(config["config"].values()))["use_pickle"] = True

    (tmp_path / "b.pt2").write_bytes(archives.edit_json(data, "model_weights_config.json", pickled))
    refused(tmp_path / "b.pt2", "stored as a pickle")
    folder = name.partition("data/")[0]
    members[f"{folder}data/weights/model.pt"] = bomb
    (tmp_path / "c.pt2").write_bytes(archives.archive(members))
    refused(tmp_path / "c.pt2", "old torch")
    assert not (tmp_path / archives.MARK).exists()


def first_node(change: dict[str, Any]) -> Callable[[Any], None]:
    """Overwrite keys of the first graph node."""
    return lambda program: program["graph_module"]["graph"]["nodes"][0].update(change)


def first_weight(key: str, value: Any) -> Callable[[Any], None]:
    """Overwrite one key of the first weight's description."""
    return lambda config: next(iter(config["config"].values()))["tensor_meta"].update({key: value})


PT2: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "code": ("model.json", first_node({"target": "os.system"}), "ATen operators only"),
    "read a file": ("model.json", first_node({"target": "torch.ops.aten.from_file.default"}), "ATen operators only"),
    "dunder": ("model.json", first_node({"target": "torch.ops.aten.__class__.mro"}), "unknown|not supported"),
    "custom": ("model.json", first_node({"target": "torch.ops.quantized.add.default"}), "ATen operators only"),
    "size": ("model_weights_config.json", first_weight("sizes", [{"as_int": 1 << 60}, {"as_int": 3}]), "does not fit"),
    "stride": (
        "model_weights_config.json",
        first_weight("strides", [{"as_int": 1 << 40}, {"as_int": 1}]),
        "does not fit",
    ),
    "offset": ("model_weights_config.json", first_weight("storage_offset", {"as_int": 9999}), "does not fit"),
    "negative": ("model_weights_config.json", first_weight("strides", [{"as_int": -3}, {"as_int": 1}]), "not a size"),
    "text": ("model_weights_config.json", first_weight("sizes", [{"as_expr": {"expr_str": "exit()"}}]), "does not fit"),
    "dtype": ("model_weights_config.json", first_weight("dtype", 99), "scalar type"),
    "graph": ("model.json", lambda program: program.clear(), "damaged"),
}


@pytest.mark.parametrize("case", PT2)
def test_pt2_attacks(case: str, pt2: bytes, tmp_path: Path) -> None:
    ending, change, match = PT2[case]
    (tmp_path / "a.pt2").write_bytes(archives.edit_json(pt2, ending, change))
    refused(tmp_path / "a.pt2", match)


def test_pt2_evaluates_no_text(pt2: bytes, tmp_path: Path) -> None:
    """Size expressions and guards are Python text that torch evaluates; here they are never looked at."""
    code = f"open({str(tmp_path / archives.MARK)!r}, 'w')"

    def plant(program: Any) -> None:
        program["guards_code"] = [code]
        program["range_constraints"] = {code: {"min_val": 0, "max_val": 1}}
        for meta in program["graph_module"]["graph"]["tensor_values"].values():
            if len(meta["sizes"]) == 2:
                meta["sizes"][0] = {"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}

    (tmp_path / "a.pt2").write_bytes(archives.edit_json(pt2, "model.json", plant))
    assert load(tmp_path / "a.pt2").n_in == 3
    assert not (tmp_path / archives.MARK).exists()


def test_pt2_deep_json(pt2: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(pt2)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = next(n for n in members if n.endswith("models/model.json"))
    members[name] = b"[" * 200_000
    (tmp_path / "a.pt2").write_bytes(archives.archive(members))
    refused(tmp_path / "a.pt2", "JSON")


# -- onnx ----------------------------------------------------------------------------------------------------------


def external(location: str, **fields: str) -> Any:
    """A perceptron whose first weight lies in an external file."""
    made = perceptron(RNG)
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **fields}.items():
        tensor.external_data.add(key=key, value=value)
    return made


@pytest.mark.parametrize(
    ("location", "fields", "match"),
    [
        ("../secret.bin", {}, "outside the model's folder"),
        ("a/../../secret.bin", {}, "outside the model's folder"),
        ("ABSOLUTE", {}, "outside the model's folder"),
        ("link.bin", {}, "leads outside the model's folder"),
        ("linked/secret.bin", {}, "leads outside the model's folder"),
        ("missing.bin", {}, "missing"),
        ("folder", {}, "not a regular file"),
        ("pipe", {}, "not a regular file"),
        ("", {}, "outside"),
        ("near.bin", {"offset": "9999999"}, "needs 96 bytes at 9999999"),
        ("near.bin", {"offset": "-8"}, "needs 96 bytes"),
        ("near.bin", {"length": "1000000000000"}, "needs 96 bytes"),
        ("near.bin", {"offset": "zero"}, "not a number"),
    ],
)
def test_external_data_stays_inside(location: str, fields: dict[str, str], match: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(4096))
    (folder / "near.bin").write_bytes(bytes(4096))
    (folder / "link.bin").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    made = external(str(secret) if location == "ABSOLUTE" else location, **fields)
    refused(write(made, folder / "a.onnx"), match)


def test_external_data_inside_is_read(tmp_path: Path) -> None:
    (tmp_path / "near.bin").write_bytes(np.arange(24, dtype=np.float32).tobytes())
    network = load(write(external("near.bin"), tmp_path / "a.onnx"))
    assert float(network.weights["W1"].sum()) == 276.0


def big_constant(op: str, constants: dict[str, np.ndarray], **attributes: Any) -> Any:
    """One operator that would make a tensor of astronomic size."""
    data = [] if op in ("ConstantOfShape", "Range") else ["x"]
    nodes = [helper.make_node(op, [*data, *constants], ["y"], **attributes)]
    return model(nodes, {"x": np.zeros((1, 4), np.float32)}, ["y"], constants)


def i(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


ONNX: dict[str, tuple[Callable[[], Any], str]] = {
    "expand": (lambda: big_constant("Expand", {"s": i(1 << 40, 4)}), "refused|cannot run"),
    "tile": (lambda: big_constant("Tile", {"s": i(1 << 20, 1 << 20)}), "refused|cannot run"),
    "pad": (lambda: big_constant("Pad", {"s": i(0, 0, 0, 1 << 40)}), "refused|cannot run"),
    "constant": (lambda: big_constant("ConstantOfShape", {"s": i(1 << 40)}), "refuses"),
    "range": (
        lambda: big_constant("Range", {"a": np.array(0), "b": np.array(1 << 50), "c": np.array(1)}),
        "refuses",
    ),
    "reshape": (lambda: big_constant("Reshape", {"s": i(-5, 3)}), "cannot run"),
    "gather": (lambda: big_constant("Gather", {"s": i(99)}, axis=1), "outside axis"),
}


@pytest.mark.parametrize("case", ONNX)
def test_onnx_huge_results_take_no_memory(case: str, tmp_path: Path) -> None:
    make, match = ONNX[case]
    refused(write(make(), tmp_path / "a.onnx"), match)


def test_onnx_declared_sizes(tmp_path: Path) -> None:
    for dims, match in (((1 << 40, 1 << 40), "max_bytes"), ((-1, 4), "declares the shape"), ((7, 4), "holds 96")):
        made = perceptron(RNG)
        made.graph.initializer[0].dims[:] = dims
        refused(write(made, tmp_path / "a.onnx"), match)


def test_onnx_structure(tmp_path: Path) -> None:
    cyclic = model(
        [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])],
        {"x": np.zeros((1, 2), np.float32)},
        ["b"],
    )
    refused(write(cyclic, tmp_path / "cycle.onnx"), "which nothing makes")
    dangling = perceptron(RNG)
    dangling.graph.output[0].name = "elsewhere"
    refused(write(dangling, tmp_path / "dangling.onnx"), "made by no node")
    twice = perceptron(RNG)
    twice.graph.initializer.append(twice.graph.initializer[0])
    refused(write(twice, tmp_path / "twice.onnx"), "two initialisers")
    custom = perceptron(RNG)
    custom.graph.node[1].domain = "com.example"
    with pytest.raises(UnsupportedOperatorError, match=r"com\.example\.Relu"):
        load(write(custom, tmp_path / "custom.onnx"))
    branch = perceptron(RNG)
    branch.graph.node[1].attribute.append(helper.make_attribute("then_branch", onnx.GraphProto()))
    refused(write(branch, tmp_path / "branch.onnx"), "graph or a sparse tensor")
