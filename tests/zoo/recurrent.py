"""Recurrent cells, unrolled by hand and by torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo


class HandLstm(nn.Module):
    """An LSTM cell over three steps: units permute; c and h flip sign with the rows of g and the columns of W_hh."""

    def __init__(self) -> None:
        super().__init__()
        self.x_part, self.h_part, self.head = nn.Linear(3, 16), nn.Linear(4, 16), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = c = torch.zeros(x.shape[0], 4, dtype=x.dtype, device=x.device)
        for step in range(3):
            i, f, g, o = (self.x_part(x[:, step]) + self.h_part(h)).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.head(h)


# Translation: x bias against h bias, 16 dimensions.
@zoo(
    "lstm_by_hand",
    0,
    theory=0,
    total=16,
    spaces=(SpaceFact(4),),
    source="LSTM: a sign per unit too; two biases added",
)
def lstm_by_hand() -> tuple[nn.Module, Inputs]:
    return HandLstm(), (torch.randn(2, 3, 3),)


class Recurrent(nn.Module):
    """A torch recurrent layer and a linear readout of the last state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


@zoo("lstm_module", 0, theory=0, total=16, spaces=(SpaceFact(4),), source="units permute (and flip)")
def lstm_module() -> tuple[nn.Module, Inputs]:
    return Recurrent(nn.LSTM(3, 4, batch_first=True)), (torch.randn(2, 5, 3),)


@zoo("gru_module", 0, theory=0, spaces=(SpaceFact(4),), source="units permute (and flip with the rows of n)")
def gru_module() -> tuple[nn.Module, Inputs]:
    return Recurrent(nn.GRU(3, 4, batch_first=True)), (torch.randn(2, 5, 3),)


@zoo(
    "rnn_relu",
    4,
    theory=4,
    spaces=(SpaceFact(4, scaling="positive"),),
    source="relu recurrence: the same scale at every step",
)
def rnn_relu() -> tuple[nn.Module, Inputs]:
    return Recurrent(nn.RNN(3, 4, batch_first=True, nonlinearity="relu")), (torch.randn(2, 5, 3),)


class LinearState(nn.Module):
    """A linear state-space model h <- A h + B x, y = C h: GL on the state (similarity)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 3, False), nn.Linear(2, 3, False), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.b(x[:, 0])
        for step in range(1, 7):
            h = self.a(h) + self.b(x[:, step])
        return self.c(h)


@zoo(
    "state_space_linear",
    9,
    theory=9,
    total=9,
    spaces=(SpaceFact(3, "general_linear"),),
    source="similarity A -> G A G^-1: GL(3)",
)
def state_space_linear() -> tuple[nn.Module, Inputs]:
    return LinearState(), (torch.randn(2, 7, 2),)
