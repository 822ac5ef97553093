"""Residual networks: the whole stream of a stage is one space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo


class Basic(nn.Module):
    """conv-norm-relu-conv-norm, add (with a projected shortcut when the width changes), relu."""

    def __init__(self, c_in: int, c_mid: int, c_out: int, groups: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.a, self.norm_a = nn.Conv2d(c_in, c_mid, 1, bias=False), nn.BatchNorm2d(c_mid)
        self.b = nn.Conv2d(c_mid, c_mid, 3, padding=1, stride=stride, groups=groups, bias=False)
        self.norm_b, self.c, self.norm_c = (
            nn.BatchNorm2d(c_mid),
            nn.Conv2d(c_mid, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if c_in != c_out or stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm_a(self.a(x)))
        y = torch.relu(self.norm_b(self.b(y)))
        return torch.relu(self.norm_c(self.c(y)) + self.shortcut(x))


def _net(*blocks: nn.Module, c_in: int, c_out: int) -> nn.Module:
    stem = [nn.Conv2d(2, c_in, 3, bias=False), nn.BatchNorm2d(c_in), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c_out, 3))


def _image(side: int = 7) -> tuple[Tensor]:
    return (torch.randn(2, 2, side, side),)


# relu streams: stage one 4 (stem and block), block one inside 3 + 3; stage two 5, inside 3 + 3.
@zoo(
    "resnet",
    4 + 6 + 5 + 6,
    theory=21 + 4 + 6 + 4 + 6 + 5 + 5,
    spaces=(SpaceFact(4, scaling="positive"), SpaceFact(3), SpaceFact(5)),
    source="1 per relu channel or relu stream, 1 per channel in front of batch norm",
)
def resnet() -> tuple[nn.Module, Inputs]:
    return _net(Basic(4, 3, 4), Basic(4, 3, 5, stride=2), c_in=4, c_out=5), _image()


# ResNeXt: the middle convolution has 2 groups of 2.
@zoo(
    "resnext",
    4 + 8,
    theory=12 + 4 + 8 + 4,
    spaces=(SpaceFact(4),),
    source="grouped bottleneck: groups x channels in a group",
)
def resnext() -> tuple[nn.Module, Inputs]:
    return _net(Basic(4, 4, 4, groups=2), c_in=4, c_out=4), _image()


class PreActivation(nn.Module):
    """x + conv(relu(norm(x))): norms read the bare stream, relu and a linear head close it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.BatchNorm2d(4)])
        self.convs = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs, strict=False):
            x = x + conv(torch.relu(norm(x)))
        return self.head(torch.relu(self.norms[-1](x)).mean((2, 3)))


@zoo(
    "resnet_preactivation",
    12,
    theory=16,
    spaces=(SpaceFact(4),),
    source="12 gains in front of relu, the stream's scale 4",
)
def resnet_preactivation() -> tuple[nn.Module, Inputs]:
    return PreActivation(), _image()


class SqueezeExcite(nn.Module):
    """conv-relu, gate by mean -> linear -> relu -> linear -> sigmoid, conv-relu, head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.down, self.up = nn.Conv2d(2, 5, 3), nn.Conv2d(5, 3, 1), nn.Conv2d(3, 5, 1)
        self.next, self.head = nn.Conv2d(5, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))
        return self.head(torch.relu(self.next(x * gate)).mean((2, 3)))


@zoo(
    "squeeze_excite",
    5 + 3 + 4,
    theory=12,
    spaces=(SpaceFact(5), SpaceFact(3), SpaceFact(4)),
    source="relu 5, squeeze 3, relu 4",
)
def squeeze_excite() -> tuple[nn.Module, Inputs]:
    return SqueezeExcite(), _image()


class ConvNextBlock(nn.Module):
    """Depthwise, layer norm over channels, expand, gelu, project, layer scale, add."""

    def __init__(self, width: int, hidden: int, *, response_norm: bool) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 3, padding=1, groups=width), nn.LayerNorm(width)
        self.expand, self.project = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.ones(width))
        self.gain = nn.Parameter(torch.ones(hidden)) if response_norm else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(self.expand(self.norm(self.depthwise(x).permute(0, 2, 3, 1))))
        if self.gain is not None:
            size = y.pow(2).sum((1, 2), keepdim=True).sqrt()
            y = y + self.gain * y * (size / (size.mean(-1, keepdim=True) + 0.1))
        return x + (self.project(y) * self.scale).permute(0, 3, 1, 2)


def _convnext(response_norm: bool) -> nn.Module:
    class ConvNext(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.norm, self.head = nn.Conv2d(2, 4, 2, 2), nn.LayerNorm(4), nn.Linear(4, 3)
            self.block = ConvNextBlock(4, 6, response_norm=response_norm)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.norm(self.block(self.stem(x)).mean((2, 3))))

    return ConvNext()


# gain of the norm inside into expand (4), gain of the last norm into the head (4), layer scale against project (4)
@zoo(
    "convnext",
    0,
    theory=12,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="gains and layer scale are removable diagonals",
)
def convnext() -> tuple[nn.Module, Inputs]:
    return _convnext(False), _image(6)


@zoo(
    "convnext_v2",
    0,
    theory=12,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="as convnext; global response norm permutes",
)
def convnext_v2() -> tuple[nn.Module, Inputs]:
    return _convnext(True), _image(6)


class ResidualPerceptron(nn.Module):
    """x + W2 act(W1 x) between linear embeddings: the stream is a bare linear space."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.up, self.down, self.out = nn.Linear(5, 4), nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        return self.out(x + self.down(torch.relu(self.up(x))))


@zoo(
    "residual_linear_stream",
    16 + 6,
    theory=22,
    spaces=(SpaceFact(4, "general_linear"), SpaceFact(6)),
    source="GL(4), 6 relu",
)
def residual_linear_stream() -> tuple[nn.Module, Inputs]:
    return ResidualPerceptron(), (torch.randn(2, 5),)


class RmsResidual(nn.Module):
    """A linear stream read through RMS norms without gains (written out): orthogonal."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.up, self.down, self.out = nn.Linear(5, 4), nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 5)

    @staticmethod
    def norm(x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        x = x + self.down(torch.relu(self.up(self.norm(x))))
        return self.out(self.norm(x))


@zoo(
    "residual_rms_stream",
    6,
    theory=6 + 6,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="O(4) = 6 and 6 relu; floor: relu",
)
def residual_rms_stream() -> tuple[nn.Module, Inputs]:
    return RmsResidual(), (torch.randn(2, 5),)


class NormalisedResidual(RmsResidual):
    """The same through layer norm without gains: orthogonal fixing the line of ones."""

    @staticmethod
    def norm(x: Tensor) -> Tensor:
        return F.layer_norm(x, (4,), eps=0.1)


@zoo(
    "residual_layernorm_stream",
    6,
    theory=3 + 6,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="O(3) x O(1) = 3 and 6 relu",
)
def residual_layernorm_stream() -> tuple[nn.Module, Inputs]:
    return NormalisedResidual(), (torch.randn(2, 5),)
