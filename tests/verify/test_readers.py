"""Real files and hostile ones: ACAS Xu in two layouts, the command, archives that lie."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.verify.forge import certificate, copy_of, match_steps, mlp, npy, pack, save

from fiberscope_verify import Reject, Trouble, evaluate, read_chain, read_model, verify
from fiberscope_verify.__main__ import main

DATA = Path(os.environ.get("FIBERSCOPE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "acasxu"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the data folder is absent (set FIBERSCOPE_DATA)")
NETS = [f"ACASXU_run2a_{n}_batch_2000" for n in ("1_1", "2_4", "5_9")]


def identity_match() -> tuple[list, dict]:
    return match_steps([(np.arange(50), np.ones(50))] * 6)


@needs_data
@pytest.mark.parametrize("name", NETS)
def test_acas_original_against_plain(name):
    a, b = DATA / "original" / f"{name}.onnx", DATA / "plain" / f"{name}.onnx"
    start = time.perf_counter()
    report = verify(certificate(a, b, *identity_match()), a, b)
    assert report.valid, report.reason
    assert time.perf_counter() - start < 1.0
    steps, arrays = identity_match()
    swapped = np.arange(50)
    swapped[[3, 7]] = [7, 3]
    assert not verify(certificate(a, b, steps, arrays | {"p2": swapped}), a, b).valid
    other = DATA / "plain" / f"{NETS[0] if name != NETS[0] else NETS[1]}.onnx"
    assert not verify(certificate(a, other, steps, arrays), a, other).valid


@needs_data
def test_acas_pruned_is_different():
    name = NETS[0]
    a, b = DATA / "plain" / f"{name}.onnx", DATA / "pruned" / f"{name}_pruned30.onnx"
    x = np.array([0.6, 0.1, -0.2, 0.3, 0.4])
    gap = float(np.abs(evaluate(a, x)[0] - evaluate(b, x)[0]).max())
    kind = {"method": "witness", "claim": "different", "strength": None}
    for claimed, valid in ((gap * 0.999, True), (gap * 1.001, False)):
        step = [{"step": "witness", "input": "x", "gap": claimed}]
        assert verify(certificate(a, b, step, {"x": x}, **kind), a, b).valid is valid


def neutral_mlp() -> dict:
    rng = np.random.default_rng(0)
    w = {
        "l1.weight": rng.normal(size=(5, 3)).astype("f4"),
        "l1.bias": rng.normal(size=5).astype("f4"),
        "l2.weight": rng.normal(size=(2, 5)).astype("f4"),
    }
    nodes = [
        {"name": "permute", "op": "aten.permute.default", "args": [{"t": "p1"}, [1, 0]], "kwargs": {}},
        {
            "name": "addmm",
            "op": "aten.addmm.default",
            "args": [{"t": "p2"}, {"t": "x"}, {"t": "permute"}],
            "kwargs": {},
        },
        {"name": "relu", "op": "aten.relu.default", "args": [{"t": "addmm"}], "kwargs": {}},
        {"name": "permute_1", "op": "aten.permute.default", "args": [{"t": "p3"}, [1, 0]], "kwargs": {}},
        {"name": "mm", "op": "aten.mm.default", "args": [{"t": "relu"}, {"t": "permute_1"}], "kwargs": {}},
    ]
    return {
        "sha256": "1" * 64,
        "format": "module",
        "nodes": nodes,
        "inputs": [{"name": "x", "shape": [2, 3], "dtype": "float32", "batched": True}],
        "outputs": ["mm"],
        "weights": w,
        "weight_of": dict(zip(("p1", "p2", "p3"), w, strict=True)),
        "constants": {},
    }


def test_neutral_dict():
    neutral = neutral_mlp()
    chain = read_chain(neutral)
    assert (chain.n_in, chain.n_out, len(chain.layers)) == (3, 2, 2)
    x = np.array([0.3, -1.0, 2.0])
    w = neutral["weights"]
    truth = np.maximum(w["l1.weight"].astype(float) @ x + w["l1.bias"], 0) @ w["l2.weight"].astype(float).T
    mid, rad = evaluate(neutral, x)
    assert np.all(np.abs(mid - truth) <= rad + 1e-14)
    with pytest.raises(Reject):
        read_model({"format": "module"})


def test_random_and_changing_operations_are_refused():
    for op in ("aten.rand_like.default", "aten.relu_.default", "custom.thing.default"):
        neutral = neutral_mlp()
        neutral["nodes"][2]["op"] = op
        with pytest.raises(Reject):
            read_chain(neutral)


def test_missing_file(tmp_path):
    with pytest.raises(Trouble):
        verify(tmp_path / "no.zip", tmp_path / "a.npz", tmp_path / "b.npz")


def test_command(tmp_path, capsys):
    rng = np.random.default_rng(1)
    net = mlp(rng, [3, 4, 2], "relu")
    other, moves = copy_of(rng, net)
    a, b, c = save(tmp_path / "a.npz", net), save(tmp_path / "b.npz", other), tmp_path / "cert.zip"
    c.write_bytes(certificate(a, b, *match_steps(moves)))
    assert main([str(c), str(a), str(b), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"valid", "checked", "reason"}
    assert main([str(c), str(b), str(a)]) == 1
    assert main([str(tmp_path / "none"), str(a), str(b)]) == 2


def test_hostile_archives(tmp_path):
    net = mlp(np.random.default_rng(2), [3, 4, 2], "relu")
    a = save(tmp_path / "a.npz", net)
    steps, arrays = match_steps([(np.arange(4), np.ones(4))])
    good = certificate(a, a, steps, arrays)
    assert verify(good, a, a).valid
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        text = archive.read("certificate.json")
    huge = npy(np.ones(4)).replace(b"(4,), }", b"(99999999999,), }", 1)[:200]
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    bomb = npy(np.zeros(9_000_000))
    hostile = [
        pack(text, {"p1": huge, "s1": huge}),
        pack(text, {"p1": objects.getvalue(), "s1": npy(np.ones(4))}),
        pack(text, {f"x{i}": bomb for i in range(10)}),
        pack(b"[" * 200_000, {}),
        pack(b"{}", {}),
        pack(text[:-5], {}),
        pack(text.replace(b'"version": 1', b'"version": 1, "version": 1'), {}),
        good[:-30],
        good[10:],
        b"PK\x03\x04" * 99,
        pack(text, {"p1": npy(np.arange(4.0)), "s1": npy(np.ones(4))}),
        pack(text, {"p1": npy(np.arange(4)), "s1": npy(np.ones((4, 1)))}),
    ]
    for data in hostile:
        start = time.perf_counter()
        assert not verify(data, a, a).valid
        assert time.perf_counter() - start < 5


@needs_data
def test_mutated_models_are_only_refused(tmp_path):
    """Flipped bytes in an ONNX file: Reject, or another valid model; never another exception."""
    rng = np.random.default_rng(3)
    data = (DATA / "plain" / f"{NETS[0]}.onnx").read_bytes()
    head = np.concatenate([np.arange(300), rng.integers(len(data), size=100)])
    path = tmp_path / "m.onnx"
    for spot in head:
        out = bytearray(data)
        out[spot] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(out))
        try:
            read_chain(path)
        except Reject:
            continue
