"""Convolutional networks with every norm, pooling, grouping and up-sampling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo


def _image(channels: int = 2, side: int = 7) -> tuple[Tensor]:
    return (torch.randn(2, channels, side, side),)


def _two_convs(norm_a: nn.Module, norm_b: nn.Module, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), norm_a, activation(), nn.Conv2d(4, 6, 3, stride=2), norm_b, activation(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip


POSITIVE = (SpaceFact(4, scaling="positive"), SpaceFact(6, scaling="positive"))


@zoo("cnn_plain", 10, theory=10, total=10, spaces=POSITIVE, source="one positive scale per relu channel")
def cnn_plain() -> tuple[nn.Module, Inputs]:
    return _two_convs(nn.Identity(), nn.Identity()), _image()


# Behind the norm: gain and bias scale with the relu channel (10). In front of batch norm: one more per channel.
@zoo("cnn_batchnorm", 10, theory=20, spaces=POSITIVE, source="relu channels 10 (and 10 in front of batch norm)")
def cnn_batchnorm() -> tuple[nn.Module, Inputs]:
    return _two_convs(nn.BatchNorm2d(4), nn.BatchNorm2d(6)), _image()


@zoo(
    "cnn_groupnorm", 10, theory=10, spaces=(SpaceFact(2), SpaceFact(2)), source="group x channel-in-group permutations"
)
def cnn_groupnorm() -> tuple[nn.Module, Inputs]:
    return _two_convs(nn.GroupNorm(2, 4), nn.GroupNorm(2, 6)), _image()


@zoo(
    "cnn_groupnorm_one_group",
    10,
    theory=10,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="one group: all channels permute",
)
def cnn_groupnorm_one_group() -> tuple[nn.Module, Inputs]:
    return _two_convs(nn.GroupNorm(1, 4), nn.GroupNorm(1, 6)), _image()


@zoo(
    "cnn_instancenorm",
    10,
    theory=10,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="each channel its own norm; eps breaks scale",
)
def cnn_instancenorm() -> tuple[nn.Module, Inputs]:
    return _two_convs(nn.InstanceNorm2d(4, affine=True), nn.InstanceNorm2d(6, affine=True)), _image()


@zoo(
    "cnn_gelu_batchnorm",
    0,
    theory=10,
    spaces=(SpaceFact(4), SpaceFact(6)),
    source="gelu: only the scale in front of the norm",
)
def cnn_gelu_batchnorm() -> tuple[nn.Module, Inputs]:
    return _two_convs(nn.BatchNorm2d(4), nn.BatchNorm2d(6), nn.GELU), _image()


class ChannelLayerNorm(nn.Module):
    """Layer norm over channels (last) of an image, then relu."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.next, self.head = (
            nn.Conv2d(2, 4, 3),
            nn.LayerNorm(4),
            nn.Conv2d(4, 5, 3),
            nn.Linear(5, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.head(torch.relu(self.next(torch.relu(x))).mean((2, 3)))


@zoo(
    "cnn_layernorm",
    9,
    theory=9,
    spaces=(SpaceFact(4, scaling="positive"), SpaceFact(5)),
    source="gain scales with relu channel",
)
def cnn_layernorm() -> tuple[nn.Module, Inputs]:
    return ChannelLayerNorm(), _image()


# Layer norm over [C, H, W]: gains per entry, channels permute as blocks, relu scale per channel at least.
@zoo(
    "cnn_layernorm_whole",
    4,
    spaces=(SpaceFact(4),),
    source="layer norm over channel and pixels; relu then conv: 4 at least",
)
def cnn_layernorm_whole() -> tuple[nn.Module, Inputs]:
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.LayerNorm([4, 5, 5]),
        nn.ReLU(),
        nn.Conv2d(4, 3, 3),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(27, 2),
    )
    return layers, _image()


# Flatten: the linear layer reads channel x pixel; the channel space is a factor of its columns.
@zoo("cnn_flatten", 4 + 5, theory=9, spaces=(SpaceFact(4), SpaceFact(5)), source="max pool, flatten as channel x pixel")
def cnn_flatten() -> tuple[nn.Module, Inputs]:
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2)
    )
    return layers, _image()


@zoo(
    "cnn_avgpool_tanh",
    0,
    theory=0,
    spaces=(SpaceFact(4, scaling="sign"),),
    source="average pooling is linear; tanh signs",
)
def cnn_avgpool_tanh() -> tuple[nn.Module, Inputs]:
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(3, 2)
    )
    return layers, _image()


# Max pooling in front of a negative scale would break: max forces the sign to be positive for abs.
@zoo(
    "cnn_maxpool_abs",
    4,
    theory=4,
    spaces=(SpaceFact(4, scaling="positive"),),
    source="conv, max, abs: positive (max, not abs)",
)
def cnn_maxpool_abs() -> tuple[nn.Module, Inputs]:
    class MaxThenAbs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.max_pool2d(self.conv(x), 2).abs().mean((2, 3)))

    return MaxThenAbs(), _image()


@zoo("cnn_one_dimension", 4, theory=4, spaces=(SpaceFact(4),), source="convolution over time, relu")
def cnn_one_dimension() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU(), nn.Conv1d(4, 2, 3)), (torch.randn(2, 3, 11),)


@zoo(
    "cnn_linear_pair",
    9,
    theory=9,
    spaces=(SpaceFact(3, "general_linear"),),
    source="two convolutions in a row: GL over channels",
)
def cnn_linear_pair() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 3)), _image()


# Zero padding of the second convolution breaks the translation by the first bias.
@zoo(
    "cnn_linear_pair_padded",
    9,
    theory=9,
    spaces=(SpaceFact(3, "general_linear"),),
    source="as before; padding kills the shift",
)
def cnn_linear_pair_padded() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)), _image()


class Dense(nn.Module):
    """Two dense (concatenating) layers norm-relu-conv over a growing stream, transition, head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(7), nn.BatchNorm2d(10)])
        self.convs = nn.ModuleList([nn.Conv2d(4, 3, 3, padding=1), nn.Conv2d(7, 3, 3, padding=1), nn.Conv2d(10, 5, 1)])
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(torch.relu(norm(x)))
            x = torch.cat([x, y], 1) if y.shape[1] == 3 else y
        return self.head(torch.relu(F.avg_pool2d(x, 2)).mean((2, 3)))


# relu behind each norm: 4 + 7 + 10 gains; relu behind the transition 5; in front of the norms 10 more.
@zoo(
    "densenet",
    21 + 5,
    theory=36,
    spaces=(SpaceFact(4), SpaceFact(3), SpaceFact(5)),
    source="concatenated stream, norm-relu-conv",
)
def densenet() -> tuple[nn.Module, Inputs]:
    return Dense(), _image()


def _separable(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_in, 3, padding=1, groups=c_in, bias=False), nn.BatchNorm2d(c_in), nn.ReLU(),
        nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
    )  # fmt: skip


# relu channels: stem 4, depthwise 4, pointwise 6, depthwise 6, pointwise 5.
@zoo(
    "mobilenet_v1",
    25,
    theory=50,
    spaces=(SpaceFact(4), SpaceFact(6), SpaceFact(5)),
    source="depthwise separable, batch norm, relu",
)
def mobilenet_v1() -> tuple[nn.Module, Inputs]:
    stem = [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()]
    layers = [*stem, _separable(4, 6), _separable(6, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)]
    return nn.Sequential(*layers), _image()


class InvertedResidual(nn.Module):
    """Expand (relu6), depthwise (relu6), project to a linear bottleneck, add."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(),
            nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


# relu6 scales nothing behind its norm; in front of each norm one scale per channel; the bottleneck has GL(3).
@zoo(
    "mobilenet_v2",
    0,
    theory=4 + 3 + 9 + 5 + 5 + 3,
    spaces=(SpaceFact(3), SpaceFact(5)),
    source="linear bottleneck, relu6",
)
def mobilenet_v2() -> tuple[nn.Module, Inputs]:
    stem = [
        nn.Conv2d(2, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU6(),
        nn.Conv2d(4, 3, 1, bias=False),
        nn.BatchNorm2d(3),
    ]
    last = [nn.Conv2d(3, 4, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    return nn.Sequential(*stem, InvertedResidual(3, 5), *last), _image()


# Depthwise between two pointwise convolutions without activation: one nonzero scale per channel twice.
@zoo(
    "depthwise_linear",
    4 + 4,
    theory=8,
    spaces=(SpaceFact(4),),
    source="depthwise is diagonal: in and out scale independently",
)
def depthwise_linear() -> tuple[nn.Module, Inputs]:
    layers = nn.Sequential(nn.Conv2d(2, 4, 1, bias=False), nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 3, 1))
    return layers, _image()


# A depthwise multiplier of 2: output channel = channel x 2, relu behind it. The floor counts products of scales.
@zoo("depthwise_multiplier", 6, theory=9, spaces=(SpaceFact(3),), source="each channel owns two outputs")
def depthwise_multiplier() -> tuple[nn.Module, Inputs]:
    layers = [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Conv2d(6, 2, 1)]
    return nn.Sequential(*layers), _image()


# Groups (2) x channels in a group (3); relu in front (4 = 2 x 2) and behind.
@zoo(
    "grouped_conv",
    4 + 6,
    theory=10,
    spaces=(SpaceFact(2),),
    source="groups permute as blocks, channels inside each group",
)
def grouped_conv() -> tuple[nn.Module, Inputs]:
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU(), nn.Conv2d(6, 3, 1)]
    return nn.Sequential(*layers), _image()


class SmallUNet(nn.Module):
    """Down, bottom, transposed convolution up, concat with the skip, out."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.down, self.bottom, self.up = (
            nn.Conv2d(2, 4, 3, padding=1),
            nn.Conv2d(4, 5, 3, padding=1),
            nn.ConvTranspose2d(5, 3, 2, 2),
        )
        self.norm = nn.BatchNorm2d(3) if norm else nn.Identity()
        self.mix, self.out = nn.Conv2d(7, 6, 3, padding=1), nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = torch.relu(self.down(x))
        up = torch.relu(self.norm(self.up(torch.relu(self.bottom(F.max_pool2d(skip, 2))))))
        return self.out(torch.relu(self.mix(torch.cat([skip, up], 1))))


@zoo(
    "unet",
    4 + 5 + 3 + 6,
    theory=18,
    spaces=(SpaceFact(4), SpaceFact(3), SpaceFact(6)),
    source="concat = direct sum; all relu",
)
def unet() -> tuple[nn.Module, Inputs]:
    return SmallUNet(norm=False), _image(2, 6)


@zoo(
    "unet_batchnorm",
    4 + 5 + 3 + 6,
    theory=21,
    spaces=(SpaceFact(4), SpaceFact(3)),
    source="as unet, 3 in front of batch norm",
)
def unet_batchnorm() -> tuple[nn.Module, Inputs]:
    return SmallUNet(norm=True), _image(2, 6)


@zoo(
    "conv_autoencoder",
    4 + 3 + 4,
    theory=11,
    spaces=(SpaceFact(4), SpaceFact(3)),
    source="transposed convolution, upsampling, relu",
)
def conv_autoencoder() -> tuple[nn.Module, Inputs]:
    layers = [
        nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="nearest"), nn.ConvTranspose2d(3, 4, 3, padding=1), nn.ReLU(),
        nn.Conv2d(4, 2, 1),
    ]  # fmt: skip
    return nn.Sequential(*layers), _image(2, 6)


# Pixel shuffle: output channel x 4 pixels are one axis of the convolution in front.
@zoo(
    "pixel_shuffle",
    3,
    theory=3,
    spaces=(SpaceFact(3),),
    source="relu behind the shuffle: one scale per shuffled channel",
)
def pixel_shuffle() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Conv2d(2, 12, 3), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(3, 2, 3)), _image()
