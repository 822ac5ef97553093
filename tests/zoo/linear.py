"""Linear chains, autoencoders, weight norm, embeddings, multilinear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .case import Inputs, SpaceFact, zoo


# P - (r (n_in + n_out - r) + n_out) with r = 2: 47 - 12 = 35; of it GL(4) x GL(3) = 25 and 7 translations.
@zoo(
    "linear_chain",
    25,
    theory=25,
    total=35,
    spaces=(SpaceFact(4, "general_linear"), SpaceFact(3, "general_linear")),
    source="bare linear chain: GL per hidden layer",
)
def linear_chain() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3), nn.Linear(3, 2)), (torch.randn(2, 5),)


# GL(5) x GL(6) has dimension 61, more than the 57 weights; the orbit has P - r (3 + 2 - r) = 57 - 6 = 51, r = 2.
@zoo("linear_chain_wide", 51, total=51, source="GL acts with a stabiliser when hidden layers are wider")
def linear_chain_wide() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Linear(3, 5, False), nn.Linear(5, 6, False), nn.Linear(6, 2, False)), (torch.randn(2, 3),)


@zoo("autoencoder", 5 + 3 + 5, theory=13, spaces=(SpaceFact(5), SpaceFact(3)), source="relu: one scale per hidden unit")
def autoencoder() -> tuple[nn.Module, Inputs]:
    layers = nn.Sequential(
        nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 7)
    )
    return layers, (torch.randn(2, 7),)


class TiedAutoencoder(nn.Module):
    """decoder(x) = W^T act(W x + b) + c."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 7))
        self.bias, self.out_bias = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(7))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.activation(nn.functional.linear(x, self.weight, self.bias))
        return hidden @ self.weight + self.out_bias


@zoo("autoencoder_tied_relu", 0, theory=0, spaces=(SpaceFact(4),), source="a tied autoencoder has no scaling at all")
def autoencoder_tied_relu() -> tuple[nn.Module, Inputs]:
    return TiedAutoencoder(nn.ReLU()), (torch.randn(2, 7),)


@zoo("autoencoder_tied_tanh", 0, theory=0, spaces=(SpaceFact(4, scaling="sign"),), source="W -> -W on both sides")
def autoencoder_tied_tanh() -> tuple[nn.Module, Inputs]:
    return TiedAutoencoder(nn.Tanh()), (torch.randn(2, 7),)


# Linear and tied: W^T W is fixed by O(4) alone.
@zoo(
    "autoencoder_tied_linear",
    0,
    theory=6,
    spaces=(SpaceFact(4),),
    source="W -> Q W with Q orthogonal; floor: permutations",
)
def autoencoder_tied_linear() -> tuple[nn.Module, Inputs]:
    return TiedAutoencoder(nn.Identity()), (torch.randn(2, 7),)


@zoo(
    "weight_norm",
    5 + 4,
    spaces=(SpaceFact(5), SpaceFact(4)),
    source="relu scale goes into g; |v| adds invisible scales",
)
def weight_norm_mlp() -> tuple[nn.Module, Inputs]:
    layers = nn.Sequential(
        weight_norm(nn.Linear(3, 5)), nn.ReLU(), weight_norm(nn.Linear(5, 4)), nn.ReLU(), nn.Linear(4, 2)
    )
    return layers, (torch.randn(2, 3),)


class Bag(nn.Module):
    """Embedding, mean over tokens, linear (relu, linear)."""

    def __init__(self, deep: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 4)
        self.head = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)) if deep else nn.Linear(4, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.table(tokens).mean(1))


# 11*4 + 5*4 + 5 parameters, table x reader = rank 4 matrices: GL(4), and a shift of the table into the bias.
@zoo(
    "embedding_bag",
    16,
    theory=16,
    total=20,
    spaces=(SpaceFact(4, "general_linear"),),
    source="table then linear: GL(4)",
)
def embedding_bag() -> tuple[nn.Module, Inputs]:
    return Bag(deep=False), (torch.randint(0, 11, (2, 7)),)


@zoo(
    "embedding_bag_relu",
    21,
    theory=21,
    spaces=(SpaceFact(4, "general_linear"), SpaceFact(5)),
    source="GL(4) and 5 relu",
)
def embedding_bag_relu() -> tuple[nn.Module, Inputs]:
    return Bag(deep=True), (torch.randint(0, 11, (2, 7)),)


class Trilinear(nn.Module):
    """nn.Bilinear of two linear embeddings: GL on both arguments and on what it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.both = nn.Linear(5, 3, False), nn.Linear(5, 2, False), nn.Bilinear(3, 2, 4, False)
        self.last = nn.Linear(4, 4)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.last(torch.relu(self.both(self.left(x), self.right(y))))


@zoo("bilinear_form", 4, theory=9 + 4 + 4, source="GL(3) x GL(2) and 4 relu; floor: trilinear op frozen")
def bilinear_form() -> tuple[nn.Module, Inputs]:
    return Trilinear(), (torch.randn(2, 5), torch.randn(2, 5))


class LowRank(nn.Module):
    """A LoRA-like sum W x + B A x in front of relu: GL(2) inside, relu scale over both writers."""

    def __init__(self) -> None:
        super().__init__()
        self.full, self.down, self.up = nn.Linear(5, 6), nn.Linear(5, 2, False), nn.Linear(2, 6, False)
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.full(x) + self.up(self.down(x))))


@zoo(
    "low_rank_adapter",
    4 + 6,
    theory=10,
    spaces=(SpaceFact(2, "general_linear"), SpaceFact(6)),
    source="GL(2) and 6 relu",
)
def low_rank_adapter() -> tuple[nn.Module, Inputs]:
    return LowRank(), (torch.randn(2, 5),)
