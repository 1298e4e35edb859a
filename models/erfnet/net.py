"""ERFNet: efficient residual factorised network for semantic segmentation.

Written from Romera et al., "ERFNet: Efficient Residual Factorized ConvNet for Real-Time Semantic Segmentation"
(IEEE T-ITS 2018), with the parameter names of the published checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

BN_EPS = 1e-3


class Downsampler(nn.Module):
    """Half the size: a strided convolution beside max pooling, concatenated, normalised, rectified."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out - channels_in, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.bn = nn.BatchNorm2d(channels_out, eps=BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(torch.cat([self.conv(x), self.pool(x)], dim=1)))


class Factorised(nn.Module):
    """Residual block of 3x1 and 1x3 convolutions; both of the second pair are dilated (no BatchNorm after a 3x1)."""

    def __init__(self, channels: int, dropout: float, dilation: int) -> None:
        super().__init__()
        d = dilation
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(channels, eps=BN_EPS)
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding=(d, 0), dilation=(d, 1))
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, d), dilation=(1, d))
        self.bn2 = nn.BatchNorm2d(channels, eps=BN_EPS)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.conv3x1_1(x))
        y = functional.relu(self.bn1(self.conv1x3_1(y)))
        y = functional.relu(self.conv3x1_2(y))
        y = self.dropout(self.bn2(self.conv1x3_2(y)))
        return functional.relu(y + x)


class Upsampler(nn.Module):
    """Twice the size by a transposed convolution, normalised, rectified."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1)
        self.bn = nn.BatchNorm2d(channels_out, eps=BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Encoder(nn.Module):
    """Image to 128 channels at 1/8 of the size."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.initial_block = Downsampler(3, 16)
        self.layers = nn.ModuleList(
            [
                Downsampler(16, 64),
                *(Factorised(64, 0.03, 1) for _ in range(5)),
                Downsampler(64, 128),
                *(Factorised(128, 0.3, dilation) for dilation in (2, 4, 8, 16) * 2),
            ]
        )
        self.output_conv = nn.Conv2d(128, classes, 1)  # pre-training head: in every checkpoint, unused in forward

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial_block(x)
        for layer in self.layers:
            x = layer(x)
        return x


class Decoder(nn.Module):
    """128 channels at 1/8 of the size to class logits at full size."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                Upsampler(128, 64),
                *(Factorised(64, 0.0, 1) for _ in range(2)),
                Upsampler(64, 16),
                *(Factorised(16, 0.0, 1) for _ in range(2)),
            ]
        )
        self.output_conv = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.output_conv(x)
        return logits


class ERFNet(nn.Module):
    """Image (N, 3, H, W) in [0, 1] to logits (N, classes, H, W); H and W divisible by 8."""

    def __init__(self, classes: int = 20) -> None:
        super().__init__()
        self.encoder = Encoder(classes)
        self.decoder = Decoder(classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(x))
        return logits
