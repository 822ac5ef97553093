"""Compare a pair of ACAS Xu networks and load them, against the start of one onnxruntime inference session.

    python benchmarks/acasxu.py [--rounds 15]

Needs the data folder: FIBERSCOPE_DATA, else `../shared/data` beside the checkout. Goal: cheaper than the session.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import onnxruntime
from clock import race, show

import fiberscope as fs


def folder() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    found = Path(os.environ.get("FIBERSCOPE_DATA", beside)) / "acasxu"
    if not found.is_dir():
        sys.exit(f"no ACAS Xu networks at {found}: set FIBERSCOPE_DATA")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    original = sorted((folder() / "original").glob("*.onnx"))
    first, second = original[:2]
    plain = next(path for path in sorted((folder() / "plain").glob("*.onnx")) if matches(path, first))
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy.onnx"
        a = fs.load(first)
        fs.symmetries(a).random(seed=1)(a).save(copy)
        b, c, d = fs.load(copy), fs.load(second), fs.load(plain)
        print(f"{first.name} against: a random copy: {fs.compare(a, b).answer}; plain: {fs.compare(a, d).answer}; "
              f"{second.name}: {fs.compare(a, c).answer}")  # fmt: skip
        session = "onnxruntime: one InferenceSession"
        seconds = race(
            {
                session: lambda: onnxruntime.InferenceSession(str(first), providers=["CPUExecutionProvider"]),
                "compare with a random copy (both loaded)": lambda: fs.compare(a, b),
                "compare with its plain form (both loaded)": lambda: fs.compare(a, d),
                "compare with another network (both loaded)": lambda: fs.compare(a, c),
            },
            rounds=arguments.rounds,
            warm=2,
        )
        show("compare", seconds, session, goal=1)
        seconds = race(
            {
                session: lambda: onnxruntime.InferenceSession(str(first), providers=["CPUExecutionProvider"]),
                "load": lambda: fs.load(first),
                "load both and compare": lambda: fs.compare(first, copy),
            },
            rounds=max(3, arguments.rounds // 3),
        )
        show("loading", seconds, session)


def matches(plain: Path, original: Path) -> bool:
    """Whether two file names speak of the same network: ACASXU_run2a_1_1_batch_2000 and anything with 1_1."""
    digits = original.stem.removeprefix("ACASXU_run2a_").split("_")[:2]
    return "_".join(digits) in plain.stem


if __name__ == "__main__":
    main()
