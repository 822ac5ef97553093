"""Random programs: whatever is claimed holds, by random elements and by the Jacobian."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.oracle import measure, random_flat
from tests.zoo import make_generic
from tests.zoo.random_programs import Program

import fiberscope as fs

FEW, MANY = range(24), range(24, 600)
SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY)]
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_program(seed: int):
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        program = Program(seed)
        make_generic(program)
    net = fs.load(program.double().eval(), (torch.zeros(2, 5, 4, dtype=torch.float64),), name=f"program {seed}")
    symmetries = fs.symmetries(net)
    x = random_flat(net, 16, seed)
    y = net.run_flat(x)
    if not np.isfinite(y).all() or np.abs(y).max() > 1e6:
        pytest.skip("the program overflows")
    for number in range(4):
        z = symmetries.random(seed=number)(net).run_flat(x)
        assert np.abs(y - z).max() <= 1e-9 * np.abs(y).max(), f"wrong claim: {symmetries!r}"
    assert symmetries.dimension <= measure(net).nullity, repr(symmetries)
