"""The OM file of the stand-ins: a line of magic, a line of JSON, and the ONNX model that it runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"roadworthy stand-in OM\n"
DTYPES = {
    "FP32": np.float32,
    "FP16": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "INT64": np.int64,
    "UINT64": np.uint64,
    "DOUBLE": np.float64,
    "BOOL": np.bool_,
}


class BrokenOmError(ValueError):
    """These bytes are no OM of a stand-in, or are cut short."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: its name, shape, and type in the words of DTYPES."""

    name: str
    shape: tuple[int, ...]
    type: str = "FP32"

    @property
    def nbytes(self) -> int:
        """Bytes of a dense tensor."""
        return math.prod(self.shape) * np.dtype(DTYPES[self.type]).itemsize


@dataclass(frozen=True)
class Om:
    """A compiled model: the chip that it is for, its tensors, whether AOE had a hand in it, the ONNX model."""

    soc: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    tuned: bool
    graph: bytes

    @property
    def batch(self) -> int:
        """First dimension of the first input."""
        return self.inputs[0].shape[0] if self.inputs[0].shape else 1

    @property
    def memory_mb(self) -> float:
        """Device memory that it needs."""
        return sum(tensor.nbytes for tensor in self.inputs + self.outputs) / 2**20

    def write(self, path: Path) -> None:
        """The file; `types` and `bytes` are no part of the agreed header and may be absent when read."""
        header: dict[str, Any] = {
            "soc": self.soc,
            "inputs": {tensor.name: tensor.shape for tensor in self.inputs},
            "outputs": [[tensor.name, tensor.shape, tensor.type] for tensor in self.outputs],
            "tuned": self.tuned,
            "types": {tensor.name: tensor.type for tensor in self.inputs if tensor.type != "FP32"},
            "bytes": len(self.graph),
        }
        path.write_bytes(MAGIC + json.dumps(header).encode() + b"\n" + self.graph)


def read(path: str) -> Om:
    """The OM in this file; raises BrokenOmError for anything else, and for a file that is not there."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise BrokenOmError(str(error)) from error
    line, _, graph = content.removeprefix(MAGIC).partition(b"\n")
    if not content.startswith(MAGIC) or not graph:
        raise BrokenOmError(path)
    try:
        return parse(json.loads(line), graph)
    except (ValueError, KeyError) as error:
        raise BrokenOmError(path) from error


def parse(header: dict[str, Any], graph: bytes) -> Om:
    """The OM of this header; `types` and `bytes` may be absent."""
    if header.get("bytes", len(graph)) != len(graph):
        raise BrokenOmError("cut short")
    types = header.get("types", {})
    return Om(
        soc=header["soc"],
        inputs=tuple(TensorInfo(name, tuple(dims), types.get(name, "FP32")) for name, dims in header["inputs"].items()),
        outputs=tuple(TensorInfo(name, tuple(dims), kind) for name, dims, kind in header["outputs"]),
        tuned=header["tuned"],
        graph=graph,
    )
