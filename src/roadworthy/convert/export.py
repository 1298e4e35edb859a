"""Torch module -> ONNX, batch axis dynamic."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from roadworthy.card import ModelCard

OUTPUT = "output1"
BATCH_AXIS = "batch"


def export(module: nn.Module, card: ModelCard, path: Path) -> None:
    """Write `module` as ONNX at the card's opset and input size; the first axis of input and output is `batch`.

    The classic (TorchScript) exporter is used: it folds BatchNorm into the convolution before it, as the guides'
    graphs have it, and writes the guides' opset 11; the newer one does neither.
    """
    frame = torch.zeros(1, *card.input.shape)
    with warnings.catch_warnings():  # torch deprecates the classic exporter; the choice is made above
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (frame,),
            str(path),
            input_names=[card.input.name],
            output_names=[OUTPUT],
            opset_version=card.export.opset,
            dynamo=False,
            dynamic_axes={card.input.name: {0: BATCH_AXIS}, OUTPUT: {0: BATCH_AXIS}},
        )
