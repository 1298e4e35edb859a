"""ICNet: image cascade network for semantic segmentation, on one ResNet-50.

Written from Zhao et al., "ICNet for Real-Time Semantic Segmentation on High-Resolution Images" (ECCV 2018) and
He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), with the parameter names of the published
checkpoint.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

BINS = (1, 2, 3, 6)  # cells a side of the pyramid pooling


def size_of(x: Tensor) -> tuple[int, int]:
    """Height and width as plain ints: a traced graph gets them as constants."""
    return int(x.shape[-2]), int(x.shape[-1])


def scale(x: Tensor, rows: float, columns: float) -> Tensor:
    """Bilinear by two factors, corners aligned, to the size rounded down.

    Factors where a size would do: with the batch unknown, ONNX infers height and width from them alone.
    """
    return functional.interpolate(x, scale_factor=(rows, columns), mode="bilinear", align_corners=True)


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, corners aligned, to the size of another tensor; by factors where they are whole."""
    (rows, columns), (height, width) = size_of(x), size_of(like)
    if height % rows == 0 and width % columns == 0:
        return scale(x, height // rows, width // columns)
    return functional.interpolate(x, (height, width), mode="bilinear", align_corners=True)


def conv3x3(channels_in: int, channels_out: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Padded to keep the size, or to halve it rounded up; without bias."""
    return nn.Conv2d(channels_in, channels_out, 3, stride, padding=dilation, dilation=dilation, bias=False)


def conv1x1(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """Without bias, like all convolutions of this network."""
    return nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)


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
        self.conv1 = nn.Sequential(
            conv3x3(3, 64, stride=2),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            conv3x3(64, 64),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            conv3x3(64, 128),
        )
        self.bn1 = nn.BatchNorm2d(128)
        self.layer1 = stage(3, 128, 64)
        self.layer2 = stage(4, 256, 128, stride=2)
        self.layer3 = stage(6, 512, 256, dilation=2)
        self.layer4 = stage(3, 1024, 512, dilation=4)

    def shallow(self, x: Tensor) -> Tensor:
        """Image to layer2's 512 channels at 1/8 of its size."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        features: Tensor = self.layer2(self.layer1(x))
        return features

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layer4(self.layer3(self.shallow(x)))
        return features


class Reduction(nn.Module):
    """Half the size by a 3x3 convolution, normalised, rectified."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = conv3x3(channels_in, channels_out, stride=2)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class CascadeFusion(nn.Module):
    """Coarse and fine features to their fusion, and to logits of the coarse ones, both at the fine size."""

    def __init__(self, channels_low: int, channels_high: int, classes: int) -> None:
        super().__init__()
        self.conv_low = nn.Sequential(conv3x3(channels_low, 128, dilation=2), nn.BatchNorm2d(128))
        self.conv_high = nn.Sequential(conv1x1(channels_high, 128), nn.BatchNorm2d(128))
        self.conv_low_cls = conv1x1(128, classes)

    def forward(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        low = self.conv_low(resize(low, like=high))
        return functional.relu(low + self.conv_high(high)), self.conv_low_cls(low)


class Head(nn.Module):
    """Features of the quarter, half and full resolution branches to logits: full size, 1/4, 1/8, 1/16."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cff_12 = CascadeFusion(128, 64, classes)
        self.cff_24 = CascadeFusion(2048, 512, classes)
        self.conv_cls = conv1x1(128, classes)

    def forward(self, sub4: Tensor, sub2: Tensor, sub1: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        fused, sixteenth = self.cff_24(sub4, sub2)
        fused, eighth = self.cff_12(fused, sub1)
        quarter = self.conv_cls(scale(fused, 2, 2))
        return scale(quarter, 4, 4), quarter, eighth, sixteenth


class ICNet(nn.Module):
    """Image (N, 3, H, W), normalised, to logits (N, classes, ...) at full size, 1/4, 1/8 and 1/16.

    Full size is H and W rounded up to multiples of 8.
    """

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.pretrained = ResNet50()  # shared by the half and quarter resolution branches
        self.conv_sub1 = nn.Sequential(Reduction(3, 32), Reduction(32, 32), Reduction(32, 64))
        self.head = Head(classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        sub1 = self.conv_sub1(x)
        sub2 = self.pretrained.shallow(scale(x, 0.5, 0.5))  # nothing reads its layer3 and layer4
        sub4 = self.pyramid(self.pretrained(scale(x, 0.25, 0.25)))
        outputs: tuple[Tensor, Tensor, Tensor, Tensor] = self.head(sub4, sub2, sub1)
        return outputs

    def pyramid(self, x: Tensor) -> Tensor:
        """The features plus their means over ever finer grids, each brought back to the size of the features."""
        total = x
        height, width = size_of(x)
        for bins in BINS:  # sums of two powers of two: in floats, bins * (height / bins) is height, never less
            total = total + scale(self.pool(x, bins), height / bins, width / bins)
        return total

    def pool(self, x: Tensor, bins: int) -> Tensor:
        """Means over bins x bins cells, which overlap by one row or column where the size is no multiple."""
        return functional.adaptive_avg_pool2d(x, bins)


class ICNetExport(ICNet):
    """ICNet as it is exported: plain average pooling, since adaptive has no ONNX form where sizes are no multiples.

    H and W are at least 164, or the quarter resolution branch has fewer than six rows or columns to pool.
    """

    def pool(self, x: Tensor, bins: int) -> Tensor:
        """Means over bins x bins equal cells that together cover all rows and columns."""
        height, width = size_of(x)
        stride = height // bins, width // bins
        kernel = height - (bins - 1) * stride[0], width - (bins - 1) * stride[1]
        return functional.avg_pool2d(x, kernel, stride)
