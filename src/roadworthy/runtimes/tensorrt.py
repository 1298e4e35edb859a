"""TensorRT through its Python interface: an engine for one batch size, timed by events of the device.

Source: NVIDIA's Python API and its migration guides; `plan` shows the same build as trtexec does it. TensorRT is
imported where it is needed, so that a plan can be made anywhere.
"""

from __future__ import annotations

import contextlib
import importlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from roadworthy import cache, fingerprint
from roadworthy.problem import CaseFailed, OutOfMemory, Unsupported
from roadworthy.runtimes import Job, devices

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.record import Clock
    from roadworthy.soc import Soc

# Half precision is allowed on every card alike: Ascend's compiler computes in it by default, and a GPU that may not is no
# match for it. What stays float32 may be TF32 where the GPU has it, which is TensorRT's default. TensorRT 11 takes the
# precision from the graph alone and would build a float32 engine of ours without a word, so it is refused.
PRECISION = "float16 and TF32 allowed"
MAJOR = 10
ENGINE = "model.engine"
SHOWN = 5  # lines of TensorRT's log as evidence
NO_MEMORY = ("OutOfMemory", "out of memory", "could not be allocated", "bad_alloc")
NO_CHIP = "is not supported by this TensorRT release"  # "Target GPU SM 70 ...": Volta, since 10.5


class Session:
    """One engine on one GPU; times of `sample` are those between two events on the device, without copies."""

    threads = 0
    clock: Clock = "device"

    def __init__(self, artifact: Path, shape: tuple[int, ...], device: int) -> None:
        trt = library()
        logger().lines.clear()
        self.shape = shape
        self.provider = "TensorRT"
        self.facts: Mapping[str, str] = {"tensorrt": trt.__version__, "precision": PRECISION}
        self._device = torch.device("cuda", device)
        with self._on_device():
            self._runtime = made(lambda: trt.Runtime(logger()))
            engine = self._runtime.deserialize_cuda_engine(artifact.read_bytes())
            if engine is None:
                raise failure(
                    f"{artifact}: TensorRT cannot load this engine; without the file it is built anew", said()
                )
            self._context = engine.create_execution_context()
            if self._context is None:
                raise failure(f"TensorRT made no context for batch {shape[0]}", said())
            names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
            inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
            if not self._context.set_input_shape(inputs[0], shape):
                raise failure(f"the engine does not take {shape}", said())
            self._tensors = {name: self._buffer(engine, name) for name in names}
            self._input = self._tensors[inputs[0]]
            self._outputs = [tensor for name, tensor in self._tensors.items() if name not in inputs]
            self._input.uniform_()
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # TensorRT waits for the whole device on the default one
            torch.cuda.synchronize()

    def stream(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[list[NDArray[np.generic]]]:
        """Outputs of every batch, in order, copied there and back."""
        for batch in batches:
            if batch.shape != self.shape:
                raise ValueError(f"the session was opened for {self.shape}, the input is {batch.shape}")
            with self._on_device(), torch.cuda.stream(self._stream):
                self._input.copy_(torch.from_numpy(batch))
                self._execute()
                outputs: list[NDArray[np.generic]] = [tensor.cpu().numpy() for tensor in self._outputs]
            yield outputs

    def sample(self, calls: int) -> list[float]:
        """Seconds on the device of each execution, on what the input holds: random numbers or the last batch."""
        seconds = []
        with self._on_device():
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            for _ in range(calls):
                begin.record(self._stream)
                self._execute()
                end.record(self._stream)
                end.synchronize()
                seconds.append(begin.elapsed_time(end) / 1000)
        return seconds

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            raise failure(f"TensorRT failed on batch {self.shape[0]}", said())

    def _buffer(self, engine: Any, name: str) -> torch.Tensor:
        kind = torch.from_numpy(np.empty(0, library().nptype(engine.get_tensor_dtype(name)))).dtype
        tensor = torch.empty(tuple(self._context.get_tensor_shape(name)), dtype=kind, device=self._device)
        self._context.set_tensor_address(name, tensor.data_ptr())
        return tensor

    @contextlib.contextmanager
    def _on_device(self) -> Iterator[None]:
        with torch.cuda.device(self._device):
            try:
                yield
            except torch.OutOfMemoryError as error:
                told = f"batch {self.shape[0]} does not fit in the memory of {self._device} ({error})"
                raise OutOfMemory(told) from error


def missing(soc: Soc, road: str) -> str | None:  # noqa: ARG001  one signature for all runtimes
    """A GPU of this name, a torch that reaches it, and a TensorRT that takes the precision from its builder."""
    if soc.unnamed:
        return f"{soc.name} is what guides call a chip without naming it; --soc takes the chip's own name"
    if soc.vendor != "nvidia":
        return f"TensorRT runs NVIDIA GPUs, not {soc.name}"
    if not torch.cuda.is_available():
        return f"torch sees no CUDA device, so there is no {soc.name}; it needs a driver and a CUDA build of torch"
    if reason := devices.refused(soc):
        return reason
    try:
        return unfit(library().__version__)
    except ImportError as error:
        return f"TensorRT cannot be imported ({error}); {advice()}"


def unfit(version: str) -> str | None:
    """Why a version of TensorRT is not the one that is needed, or None."""
    if int(version.partition(".")[0]) == MAJOR:
        return None
    return f"this is TensorRT {version}, and half precision by the builder's flag is of version {MAJOR}; {advice()}"


def advice() -> str:
    """The package to install, for the CUDA of this torch."""
    return f"pip install 'tensorrt-cu{(torch.version.cuda or '12').partition('.')[0]}>={MAJOR},<{MAJOR + 1}'"


def build(case: Case, job: Job) -> Path:
    """The engine of the case, from the cache where the same graph was built on the same GPU by the same TensorRT.

    Raises Unsupported where the parser does not take the graph or the builder not the GPU, OutOfMemory, CaseFailed.
    """
    recipe = [case.soc.name, torch.cuda.get_device_name(job.device), case.batch, library().__version__, PRECISION]
    key = fingerprint.of_value([fingerprint.of_file(job.onnx), recipe])

    def make(folder: Path) -> None:
        with torch.cuda.device(job.device), logged(job.logs / f"{case.id}-tensorrt.log"):
            (folder / ENGINE).write_bytes(serialized(job.onnx, (case.batch, *case.card.input.shape)))

    return cache.made("engine", f"{case.card.key}-bs{case.batch}-{case.soc.name}-{key}", make) / ENGINE


def serialized(onnx: Path, shape: tuple[int, ...]) -> Any:
    """The engine of a graph for inputs of this shape, as a buffer of bytes."""
    trt = library()
    builder = made(lambda: trt.Builder(logger()))
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger())
    if not parser.parse_from_file(str(onnx)):
        raise refused(onnx, [parser.get_error(index).desc() for index in range(parser.num_errors)])
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.FP16)
    profile = builder.create_optimization_profile()
    profile.set_shape(network.get_input(0).name, shape, shape, shape)
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise failure(f"TensorRT built no engine of {onnx.name} for batch {shape[0]}", said())
    return engine


def plan(case: Case, device: int) -> list[str]:  # noqa: ARG001  one signature for all runtimes
    """The build as trtexec does it, and measures what it has built; a graph of fixed size takes no shapes."""
    card = case.card
    shape = "x".join(map(str, (case.batch, *card.input.shape)))
    shapes = [] if card.export.batches == (1,) else [f"--shapes={card.input.name}:{shape}"]
    return [
        shlex.join(["trtexec", f"--onnx={card.key}.onnx", f"--saveEngine={case.id}.engine", *shapes, "--fp16"]),
        f"tensorrt: the same through Python, batch {case.batch}, {PRECISION}",
    ]


def open_session(artifact: Path, case: Case, job: Job) -> Session:
    """The engine on the job's GPU."""
    return Session(artifact, (case.batch, *case.card.input.shape), job.device)


def failure(told: str, lines: Sequence[str]) -> CaseFailed:
    """What became of a case by TensorRT's last lines: no memory, no support of the GPU, or a crash."""
    last = list(lines[-SHOWN:])
    if any(mark in line for line in last for mark in NO_MEMORY):
        return OutOfMemory(f"{told}: it does not fit in memory", last)
    if any(NO_CHIP in line for line in last):
        return Unsupported(f"{told}: it does not support this GPU", last)
    return CaseFailed(f"{told}; {'its last words are the evidence' if last else 'it did not say why'}", last)


def refused(onnx: Path, errors: Sequence[str]) -> Unsupported:
    """A graph that the parser does not take, with its first errors."""
    first = errors[0] if errors else "it did not say why"
    return Unsupported(f"{onnx.name}: TensorRT's parser does not take this graph ({first})", errors[:SHOWN])


def made(make: Any) -> Any:
    """A builder or a runtime; raises CaseFailed where TensorRT gives none, as with a driver that is too old."""
    try:
        return make()
    except TypeError as error:  # the binding's way to tell a null pointer
        raise failure("TensorRT does not start on this GPU", [*said(), str(error)]) from error


@once
def library() -> Any:
    """The package; raises ImportError."""
    return importlib.import_module("tensorrt")


@once
def logger() -> Any:
    """TensorRT's log, of which a process has one: warnings and worse, in `lines`."""
    trt = library()

    class Log(trt.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in {trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR, trt.ILogger.WARNING}:
                self.lines.append(f"[{severity.name}] {msg}")

    return Log()


def said() -> list[str]:
    """What TensorRT has said since its log was cleared."""
    return list(logger().lines)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Keep what TensorRT says meanwhile in a file."""
    logger().lines.clear()
    try:
        yield
    finally:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in said())
