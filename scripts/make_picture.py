"""Draws the picture in README: the shipped convolutional network with its hidden spaces.

python scripts/make_picture.py                 # into docs/digits_conv.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fiberscope as fs
from fiberscope.scene.network import network_scene
from fiberscope.scene.svg import svg


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=root / "docs" / "digits_conv.svg")
    out: Path = parser.parse_args().out
    net = fs.load(root / "src" / "fiberscope" / "models" / "digits_conv.onnx")
    out.write_text(svg(network_scene(net, fs.symmetries(net)), standalone=True), encoding="utf-8")
    print(f"{out.name}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
