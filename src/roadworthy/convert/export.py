"""Torch module -> ONNX, batch axis dynamic."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from roadworthy.card import ModelCard
from roadworthy.problem import Problem

OUTPUT = "output1"
BATCH_AXIS = "batch"


def export(module: nn.Module, card: ModelCard, path: Path) -> None:
    """Write `module` as ONNX at the card's opset and input size; the first axis of input and output is `batch`.

    The classic (TorchScript) exporter is used: it folds BatchNorm into the convolution before it, as the guides'
    graphs have it, and writes the guides' opset 11; the newer one does neither. Raises Problem naming card and opset.
    """
    frame = torch.zeros(1, *card.input.shape)
    with warnings.catch_warnings():  # torch deprecates the classic exporter; the choice is made above
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
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
        except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise Problem(
                f"{card.path}: the network cannot be exported at opset {card.export.opset} ({reason})"
            ) from error
