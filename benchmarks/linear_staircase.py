"""The staircase with a flow basis, against singular values of all products and against plain QR of every factor.

    python benchmarks/linear_staircase.py [--widths 128 512 1024] [--layers 8] [--rounds 3]

Peer (a) is what is usually done: form all L (L + 1) / 2 products, count the singular values above 1e-10 times the
largest (ranks only; (a') has the singular vectors too, which a basis of every subspace needs). Peer (b) is the
unavoidable: one QR (both factors) of every matrix. Goals: at least 5 times faster than (a), within 3 times of (b),
more ranks right than (a).
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from clock import show

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.decomposition import Decomposition, decompose
from fiberscope.linear.flow import Flow
from fiberscope.linear.modular import generic_barcode

Factors = list[np.ndarray]
PRODUCTS, VECTORS = "(a)  singular values of all products", "(a') the same, with singular vectors"
QR = "(b) plain QR of every factor"


def random_factors(width: int, layers: int, rng: np.random.Generator) -> tuple[Barcode, Factors]:
    """Gaussian factors: every product has full rank."""
    factors = [rng.standard_normal((width, width)) / np.sqrt(width) for _ in range(layers)]
    return generic_barcode([width] * (layers + 1)), factors


def planted_factors(width: int, layers: int, rng: np.random.Generator) -> tuple[Barcode, Factors]:
    """A deficient stratum: at every layer a tenth of the bars of each birth ends and as many are born.

    The bases are orthogonal matrices times singular values between 1/2 and 2.
    """
    alive, bars = {0: width}, {}
    for layer in range(1, layers + 1):
        going = {birth: int(rng.binomial(count, 0.9)) for birth, count in alive.items()}
        bars |= {(birth, layer - 1): count - going[birth] for birth, count in alive.items()}
        alive = going | {layer: width - sum(going.values())}
    bars |= {(birth, layers): count for birth, count in alive.items()}
    barcode = Barcode.from_bars(layers, bars)
    bases = []
    for _ in range(layers + 1):
        left, right = (np.linalg.qr(rng.standard_normal((width, width)))[0] for _ in range(2))
        bases.append(left * 2.0 ** rng.uniform(-1, 1, width) @ right)
    return barcode, list(Flow.standard(barcode, bases).factors())


def ranks_by_products(factors: Factors, relative: float = 1e-10, vectors: bool = False) -> dict[tuple[int, int], int]:
    """Peer (a); with `vectors` also the singular vectors, which null spaces and images need."""
    out = {}
    for i in range(len(factors)):
        product = factors[i]
        for k in range(i + 1, len(factors) + 1):
            if k > i + 1:
                product = factors[k - 1] @ product
            values = np.linalg.svd(product)[1] if vectors else np.linalg.svd(product, compute_uv=False)
            out[k, i] = int((values > relative * values[0]).sum())
    return out


def plain_qr(factors: Factors, mode: str = "reduced") -> None:
    """Peer (b)."""
    for factor in factors:
        np.linalg.qr(factor, mode=mode)  # type: ignore[call-overload]


def with_flow(factors: Factors) -> Decomposition:
    found = decompose(factors)
    _ = found.flow
    return found


def peak(factors: Factors) -> float:
    """The largest memory in use while decomposing, over that of the factors."""
    tracemalloc.start()
    found = with_flow(factors)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top / sum(w.nbytes for w in found.factors)


def race_on_cpu(things: dict[str, Callable[[], Any]], *, rounds: int, warm: int) -> dict[str, float]:
    """Median CPU seconds, in turns: with one thread they depend less than the clock on what else runs."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(warm + rounds):
        for name, thing in things.items():
            start = time.process_time()
            thing()
            if turn >= warm:
                seconds[name].append(time.process_time() - start)
    return {name: median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 512, 1024])
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    for width in arguments.widths:
        small = width < 1000  # the wide ones run once, and without (a')
        for name, make in (("Gaussian, full rank", random_factors), ("planted, deficient", planted_factors)):
            barcode, factors = make(width, arguments.layers, rng)
            by_products: dict[tuple[int, int], int] = {}
            things = {
                PRODUCTS: lambda f=factors, out=by_products: out.update(ranks_by_products(f)),
                VECTORS: partial(ranks_by_products, factors, vectors=True),
                QR: partial(plain_qr, factors),
                "(b') the same, R only": partial(plain_qr, factors, "r"),
                "staircase alone": partial(decompose, factors),
                "staircase and flow basis": partial(with_flow, factors),
            }
            if not small:
                del things[VECTORS]
            seconds = race_on_cpu(things, rounds=arguments.rounds if small else 1, warm=1 if small else 0)
            show(f"width {width}, {arguments.layers} layers, {name}", seconds, QR)
            found = with_flow(factors)
            truth = barcode.ranks
            right = sum(found.barcode.ranks[key] == truth[key] for key in by_products)
            by_products_right = sum(rank == truth[key] for key, rank in by_products.items())
            for ours in ("staircase alone", "staircase and flow basis"):
                faster = (
                    f"{seconds[peer] / seconds[ours]:.1f} than {peer[:4]}"
                    for peer in (PRODUCTS, VECTORS)
                    if peer in seconds
                )
                print(f"  {ours}, times faster: {', '.join(faster)}   goal >= 5")
            print(f"  ranks right: staircase {right}, products {by_products_right}, of {len(by_products)}")
            print(f"  residual {found.residual:.1e}, backward error {found.backward_error:.1e}, gap {found.gap}")
            print(f"  peak memory: {peak(factors):.1f} times that of the factors\n")


if __name__ == "__main__":
    main()
