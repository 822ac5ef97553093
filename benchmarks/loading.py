"""Load the shipped example networks, against onnx.load and an onnxruntime inference session.

python benchmarks/loading.py [--rounds 5]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import onnxruntime
from clock import race, show

import fiberscope as fs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    session = "onnxruntime: one InferenceSession"
    for path in sorted((Path(fs.__file__).parent / "models").glob("*.onnx")):
        seconds = race(
            {
                session: lambda path=path: onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]),
                "onnx.load": lambda path=path: onnx.load(str(path)),
                "fiberscope: load": lambda path=path: fs.load(path),
                "fiberscope: load, symmetries": lambda path=path: fs.symmetries(fs.load(path)),
            },
            rounds=arguments.rounds,
        )
        show(path.name, seconds, session)


if __name__ == "__main__":
    main()
