"""python -m fiberscope_verify CERT A B [--json]: exit 0 valid, 1 invalid, 2 trouble."""

from __future__ import annotations

import argparse
import json
import sys

from .check import verify
from .report import Trouble


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fiberscope_verify", description="check a Fiberscope certificate")
    parser.add_argument("certificate")
    parser.add_argument("a", help="first model: .onnx, .pt2 or .npz")
    parser.add_argument("b", help="second model")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        report = verify(options.certificate, options.a, options.b)
    except Trouble as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(report.to_json()))
    else:
        for line in report.checked:
            print(f"checked: {line}")
        print("valid" if report.valid else f"invalid: {report.reason}")
    return 0 if report.valid else 1


if __name__ == "__main__":
    sys.exit(main())
