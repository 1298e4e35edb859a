"""DeepLabV3: atrous spatial pyramid pooling on a dilated ResNet-50.

Written from Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (arXiv 1706.05587, 2017),
He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016) and, for the stem, He et al., "Bag of Tricks for
Image Classification with Convolutional Neural Networks" (CVPR 2019), with the parameter names of the published
checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

RATES = (12, 24, 36)  # dilations of the pyramid at 1/8 of the image


def size_of(x: Tensor) -> tuple[int, int]:
    """Height and width as plain ints: a traced graph gets them as constants."""
    return int(x.shape[-2]), int(x.shape[-1])


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the size of another tensor.

    By factors where they are whole: with the batch unknown, ONNX infers height and width from them alone.
    """
    (rows, columns), (height, width) = size_of(x), size_of(like)
    if height % rows == 0 and width % columns == 0:
        factors = height // rows, width // columns
        return functional.interpolate(x, scale_factor=factors, mode="bilinear", align_corners=False)
    return functional.interpolate(x, (height, width), mode="bilinear", align_corners=False)


def conv3x3(channels_in: int, channels_out: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Padded to keep the size, or to halve it rounded up; without bias."""
    return nn.Conv2d(channels_in, channels_out, 3, stride, padding=dilation, dilation=dilation, bias=False)


def conv1x1(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """Without bias: BatchNorm follows."""
    return nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)


class Normalised(nn.Module):
    """A convolution, normalised, rectified."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 to four times its width; stride and dilation sit on the 3x3."""

    def __init__(self, channels_in: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        channels_out = 4 * width
        self.conv1 = conv1x1(channels_in, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, channels_out)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module = nn.Identity()
        if channels_in != channels_out:
            self.downsample = nn.Sequential(conv1x1(channels_in, channels_out, stride), nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def stage(blocks: int, channels_in: int, width: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Residual blocks in a row; the first takes the stride and half of the dilation."""
    first = Bottleneck(channels_in, width, stride, max(1, dilation // 2))
    return nn.Sequential(first, *(Bottleneck(4 * width, width, 1, dilation) for _ in range(blocks - 1)))


class ResNet50(nn.Module):
    """Image to 2048 channels at 1/8 of its size; the stem is three 3x3 convolutions, layer3 and layer4 are dilated."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv3x3(3, 32, stride=2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            conv3x3(32, 32),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            conv3x3(32, 64),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.layer1 = stage(3, 64, 64)
        self.layer2 = stage(4, 256, 128, stride=2)
        self.layer3 = stage(6, 512, 256, dilation=2)
        self.layer4 = stage(3, 1024, 512, dilation=4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.stem(x), 3, stride=2, padding=1)
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return features


class PyramidHead(nn.Module):
    """Features to logits of the same size: mean of the image, 1x1 and three dilated 3x3, fused by a 3x3."""

    def __init__(self, channels_in: int, width: int, classes: int) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(width, classes, 1)
        self.dropout = nn.Dropout2d(0.1)
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), Normalised(conv1x1(channels_in, width)))
        self.aspp_modules = nn.ModuleList(
            [
                Normalised(conv1x1(channels_in, width)),
                *(Normalised(conv3x3(channels_in, width, dilation=rate)) for rate in RATES),
            ]
        )
        self.bottleneck = Normalised(conv3x3(5 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        context = resize(self.image_pool(x), like=x)
        fused = self.bottleneck(torch.cat([context, *(module(x) for module in self.aspp_modules)], dim=1))
        logits: Tensor = self.conv_seg(self.dropout(fused))
        return logits


class DeepLabV3(nn.Module):
    """Image (N, 3, H, W), normalised, to its class map (N, 1, H, W), int64."""

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.decode_head = PyramidHead(2048, 512, classes)
        self.auxiliary_head = nn.ModuleDict(  # for training: in every checkpoint, unused in forward
            {"conv_seg": nn.Conv2d(256, classes, 1), "convs": nn.ModuleList([Normalised(conv3x3(1024, 256))])}
        )

    def logits(self, x: Tensor) -> Tensor:
        """Float logits (N, classes, H, W), of which forward takes the largest."""
        return resize(self.decode_head(self.backbone(x)), like=x)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).argmax(dim=1, keepdim=True)
