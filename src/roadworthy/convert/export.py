"""Torch module -> ONNX, batch axis dynamic."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]  # public, but not in its __all__

from roadworthy.card import OUTPUTS, ModelCard
from roadworthy.problem import Problem

BATCH_AXIS = "batch"


def export(module: nn.Module, card: ModelCard, path: Path) -> None:
    """Write `module` as ONNX at the card's opset and input size; the first axis of input and outputs is `batch`.

    That axis is 1 and stays 1 where the card has no other batch size; height and width are always fixed. Outputs are
    called `output1`, `output2` and so on.

    The classic (TorchScript) exporter is used: it folds BatchNorm into the convolution before it, as the guides'
    graphs have it, and writes the guides' opset 11; the newer one does neither. Raises Problem naming card and opset.
    """
    frame = torch.zeros(1, *card.input.shape)
    outputs = [f"{OUTPUTS}{number}" for number in range(1, card.output.count + 1)]
    free = {name: {0: BATCH_AXIS} for name in (card.input.name, *outputs)}
    with warnings.catch_warnings():  # torch deprecates the classic exporter; the choice is made above
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)  # sizes are meant to become constants
        try:
            torch.onnx.export(
                module,
                (frame,),
                str(path),
                input_names=[card.input.name],
                output_names=outputs,
                opset_version=card.export.opset,
                dynamo=False,
                dynamic_axes=None if card.export.batches == (1,) else free,
            )
        except Exception as error:  # of the exporter, or whatever a model's own code raises
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise Problem(
                f"{card.path}: the network cannot be exported at opset {card.export.opset} ({reason})"
            ) from error
