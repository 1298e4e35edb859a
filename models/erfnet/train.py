"""How ERFNet is trained: cross-entropy of its one output.

Source: Romera et al., "ERFNet: Efficient Residual Factorized ConvNet for Real-time Semantic Segmentation" (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor


def loss(outputs: Sequence[Tensor], entropy: Callable[[Tensor], Tensor]) -> Tensor:
    """The output's cross-entropy with the label."""
    (output,) = outputs
    return entropy(output)
