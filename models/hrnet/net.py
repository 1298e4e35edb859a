"""HRNet-W48 + OCR: parallel branches of four resolutions, then object-contextual representations.

Written from Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition" (TPAMI 2020) and
Yuan et al., "Object-Contextual Representations for Semantic Segmentation" (ECCV 2020), with the parameter names of the
published Cityscapes checkpoint (less its `model.`).
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (48, 96, 192, 384)  # channels of the branches at 1/4, 1/8, 1/16 and 1/32 of the input's size
BLOCKS = 4  # residual blocks of a branch between two fusions, and of layer1
FEATURES, KEYS = 512, 256  # channels of a pixel in the OCR head, and of its query, key and value


def resize(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the height and width of `like`, bilinear, corners aligned; the sizes are constants in a traced graph."""
    size = (int(like.shape[-2]), int(like.shape[-1]))
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Convolution that keeps the size up to its stride, without bias, and BatchNorm."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(channels_out)]


def conv_bn_relu(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, normalised, rectified."""
    return nn.Sequential(*conv_bn(channels_in, channels_out, 3, stride), nn.ReLU())


def pointwise(*channels: int) -> nn.Sequential:
    """1x1 convolutions from each number of channels to the next; after each, BatchNorm and ReLU as a pair."""
    layers: list[nn.Module] = []
    for channels_in, channels_out in pairwise(channels):
        conv, bn = conv_bn(channels_in, channels_out, 1)
        layers += [conv, nn.Sequential(bn, nn.ReLU())]
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """Residual block of layer1: 1x1 to 64 channels, 3x3, 1x1 to 256; the first block widens its shortcut."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels_in, 64, 1)
        self.conv2, self.bn2 = conv_bn(64, 64, 3)
        self.conv3, self.bn3 = conv_bn(64, 256, 1)
        self.downsample = nn.Identity() if channels_in == 256 else nn.Sequential(*conv_bn(channels_in, 256, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class Basic(nn.Module):
    """Residual block of a branch: two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels, channels, 3)
        self.conv2, self.bn2 = conv_bn(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + x)


def path(source: int, target: int) -> nn.Module:
    """How a fusion brings branch `source` to the channels of branch `target`, and down to its size.

    Halvings change the channels in the last step only, which is not rectified. Upwards it is a 1x1 convolution; the
    size follows in `Fusion`.
    """
    width, goal = WIDTHS[source], WIDTHS[target]
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(*conv_bn(width, goal, 1))
    halvings = [conv_bn_relu(width, width, stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, nn.Sequential(*conv_bn(width, goal, 3, stride=2)))


class Fusion(nn.Module):
    """Residual blocks on each branch, then every branch becomes the sum of all of them at its own size."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.enlarge_first = resize  # of what is added to the first branch
        self.branches = nn.ModuleList(nn.Sequential(*(Basic(width) for _ in range(BLOCKS))) for width in WIDTHS[:count])
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(path(source, target) for source in range(count)) for target in range(count)
        )

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        xs = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
        return [self.fuse(xs, target) for target in range(len(xs))]

    def fuse(self, xs: list[Tensor], target: int) -> Tensor:
        """The rectified sum at branch `target`, added in the order of the branches."""
        terms = [layer(x) for layer, x in zip(self.fuse_layers[target], xs, strict=True)]
        for source in range(target + 1, len(xs)):
            enlarge = self.enlarge_first if (target, source) == (0, 1) else resize
            terms[source] = enlarge(terms[source], like=xs[target])
        return functional.relu(reduce(torch.add, terms))


def transition(count: int) -> nn.ModuleList:
    """Branches 1 to `count` as they are, and one more at half the size of the last."""
    new = nn.Sequential(conv_bn_relu(WIDTHS[count - 1], WIDTHS[count], stride=2))
    return nn.ModuleList([*(nn.Identity() for _ in range(count)), new])


def widen(layers: nn.ModuleList, xs: list[Tensor]) -> list[Tensor]:
    """The branches through a transition, whose last layer makes one more of the last branch."""
    return [layer(x) for layer, x in zip(layers, [*xs, xs[-1]], strict=True)]


class ObjectAttention(nn.Module):
    """What each pixel takes from the regions: (N, 512, H, W) and (N, 512, regions, 1) to (N, 512, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.f_pixel = pointwise(FEATURES, KEYS, KEYS)
        self.f_object = pointwise(FEATURES, KEYS, KEYS)
        self.f_down = pointwise(FEATURES, KEYS)
        self.f_up = pointwise(KEYS, FEATURES)

    def forward(self, pixels: Tensor, regions: Tensor) -> Tensor:
        query = self.f_pixel(pixels).flatten(2).transpose(1, 2)
        key = self.f_object(regions).flatten(2)
        value = self.f_down(regions).flatten(2).transpose(1, 2)
        relation = torch.softmax(query @ key * KEYS**-0.5, dim=-1)
        context = (relation @ value).transpose(1, 2)
        context = context.reshape(-1, KEYS, int(pixels.shape[-2]), int(pixels.shape[-1]))
        augmented: Tensor = self.f_up(context)
        return augmented


class OCR(nn.Module):
    """Pixels with the context of their regions: (N, 512, H, W) and (N, classes, H, W) logits to (N, 512, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.object_context_block = ObjectAttention()
        self.conv_bn_dropout = nn.Sequential(*pointwise(2 * FEATURES, FEATURES), nn.Dropout2d(0.05))

    def forward(self, pixels: Tensor, logits: Tensor) -> Tensor:
        share = torch.softmax(logits.flatten(2), dim=2)  # of each pixel in a region: over pixels, not classes
        regions = (share @ pixels.flatten(2).transpose(1, 2)).transpose(1, 2).unsqueeze(3)
        context = self.object_context_block(pixels, regions)
        augmented: Tensor = self.conv_bn_dropout(torch.cat([context, pixels], dim=1))
        return augmented


class HRNetOCR(nn.Module):
    """Image (N, 3, H, W), normalised, to logits (aux, out), each (N, classes, H/4, W/4), sizes rounded up."""

    enlarge_last = staticmethod(resize)  # of branches 2 to 4, for the heads

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(3, 64, 3, stride=2)
        self.conv2, self.bn2 = conv_bn(64, 64, 3, stride=2)
        self.layer1 = nn.Sequential(Bottleneck(64), *(Bottleneck(256) for _ in range(BLOCKS - 1)))
        self.transition1 = nn.ModuleList([conv_bn_relu(256, WIDTHS[0]), nn.Sequential(conv_bn_relu(256, WIDTHS[1], 2))])
        self.stage2 = nn.Sequential(Fusion(2))
        self.transition2 = transition(2)
        self.stage3 = nn.Sequential(*(Fusion(3) for _ in range(4)))
        self.transition3 = transition(3)
        self.stage4 = nn.Sequential(*(Fusion(4) for _ in range(3)))
        channels = sum(WIDTHS)
        self.conv3x3_ocr = nn.Sequential(
            nn.Conv2d(channels, FEATURES, 3, padding=1), nn.BatchNorm2d(FEATURES), nn.ReLU()
        )
        self.ocr_distri_head = OCR()
        self.cls_head = nn.Conv2d(FEATURES, classes, 1)
        self.aux_head = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, classes, 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        aux = self.aux_head(features)
        out = self.cls_head(self.ocr_distri_head(self.conv3x3_ocr(features), aux))
        return aux, out

    def features(self, x: Tensor) -> Tensor:
        """The backbone's four branches at the size of the first, concatenated: (N, 720, H/4, W/4)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        x = self.layer1(x)
        xs = self.stage2(widen(self.transition1, [x]))
        xs = self.stage3(widen(self.transition2, xs))
        xs = self.stage4(widen(self.transition3, xs))
        return torch.cat([xs[0], *(self.enlarge_last(branch, like=xs[0]) for branch in xs[1:])], dim=1)


def nearest(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the size of `like`, corners aligned, each place taking the pixel at or before it, as ONNX floors it."""
    for axis in (-2, -1):
        before, after = int(x.shape[axis]), int(like.shape[axis])
        x = x.index_select(axis, torch.arange(after, device=x.device) * (before - 1) // max(after - 1, 1))
    return x


class HRNetOCRNearest(HRNetOCR):
    """What the guide's surgery makes of the network: four of its 34 enlargements by nearest pixel."""

    enlarge_last = staticmethod(nearest)

    def __init__(self, classes: int = 19) -> None:
        super().__init__(classes)
        last = self.stage3[-1]
        assert isinstance(last, Fusion)
        last.enlarge_first = nearest
