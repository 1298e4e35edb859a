"""How ICNet is trained: three losses, one for every branch, none at full size.

Source: the training guide's script; Zhao et al., "ICNet for Real-Time Semantic Segmentation on High-Resolution Images"
(ECCV 2018), where the branches' losses stand for label guidance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

WEIGHTS = (0.0, 1.0, 0.4, 0.4)  # of the outputs: full size, 1/4, 1/8, 1/16


def loss(outputs: Sequence[Tensor], entropy: Callable[[Tensor], Tensor]) -> Tensor:
    """The weighted sum; `entropy` is an output's cross-entropy with the label brought to its size."""
    return sum(
        (weight * entropy(o) for weight, o in zip(WEIGHTS, outputs, strict=True) if weight), outputs[0].new_zeros(())
    )
