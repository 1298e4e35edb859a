"""The Python interface of the two generations that have one."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np

from standin import native
from standin.device import Model
from standin.om import TensorInfo

BYTES_PER_MS = 8e6  # of the bus between host and device


class DataType(IntEnum):
    """ACL's numbers of types, in the words of the OM."""

    FP32, FP16, INT8, INT32, UINT8 = range(5)
    INT16, UINT16, UINT32, INT64, UINT64, DOUBLE, BOOL = range(6, 13)


@dataclass(frozen=True)
class TensorDescription:
    """What `get_inputs` and `get_outputs` tell of one tensor."""

    name: str
    datatype: DataType
    shape: list[int]
    size: int
    realsize: int


@dataclass(frozen=True)
class Times:
    """Milliseconds of all executions of a session up to now."""

    exec_time_list: list[Any]


class Tensor:
    """A stand-in of aclruntime.Tensor: an array that stays on the device."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def to_host(self) -> None:
        """Nothing: this device is the host."""

    def to_device(self, device: int) -> None:
        """Nothing: this device is the host."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.array, dtype=dtype, copy=copy)


class Transfers:
    """Milliseconds of copies to the device and back, of all sessions of the process."""

    h2d: ClassVar[list[float]] = []
    d2h: ClassVar[list[float]] = []

    @classmethod
    def reset(cls) -> None:
        """Forget what was copied."""
        cls.h2d.clear()
        cls.d2h.clear()


class MemorySummaryB(Transfers):
    """Copies as generation B names them."""

    @classmethod
    def get_H2D_time_list(cls) -> list[float]:  # noqa: N802  # the real name
        """Milliseconds of each copy to the device."""
        return list(cls.h2d)

    @classmethod
    def get_D2H_time_list(cls) -> list[float]:  # noqa: N802  # the real name
        """Milliseconds of each copy from the device."""
        return list(cls.d2h)


class MemorySummaryC(Transfers):
    """Copies as generation C names them."""

    @classmethod
    def get_h2d_time_list(cls) -> list[float]:
        """Milliseconds of each copy to the device."""
        return list(cls.h2d)

    @classmethod
    def get_d2h_time_list(cls) -> list[float]:
        """Milliseconds of each copy from the device."""
        return list(cls.d2h)


class Session:
    """One model on one device."""

    def __init__(
        self,
        device_id: int,
        model_path: str,
        acl_json_path: str | None = None,
        debug: bool = False,  # noqa: FBT001, FBT002  # the real signature
        loop: int = 1,
    ) -> None:
        self.device_id, self.model_path, self.loop = device_id, model_path, loop
        self.acl_json_path, self.debug = acl_json_path, debug
        self.model: Model | None = Model(model_path, device_id)
        self.times: list[Any] = []
        self.start = time.perf_counter()
        self.clock = 0.0

    def get_inputs(self) -> list[TensorDescription]:
        """Descriptions of the inputs."""
        return [describe(tensor) for tensor in self.opened().om.inputs]

    def get_outputs(self) -> list[TensorDescription]:
        """Descriptions of the outputs."""
        return [describe(tensor) for tensor in self.opened().om.outputs]

    def set_loop_count(self, loop: int) -> None:
        """How often each inference executes."""
        self.loop = loop

    def opened(self) -> Model:
        """The model; fails once the session is freed."""
        if self.model is None:
            raise native.error(-1, "ACL: general failure")
        return self.model

    def run(self, feeds: list[bytes]) -> list[np.ndarray]:
        """Outputs of the last of `loop` executions; each of them is recorded."""
        model = self.opened()
        outputs: list[np.ndarray] = []
        for i in range(self.loop):
            if self.loop > 1:
                native.mutter(f"\rloop inference exec: ({i + 1}/{self.loop})")
            outputs, milliseconds = model.execute(feeds)
            self.record(milliseconds)
        if self.loop > 1:
            native.mutter("\n")
        Transfers.h2d.append(0.01 + sum(map(len, feeds)) / BYTES_PER_MS)
        Transfers.d2h.append(0.01 + sum(output.nbytes for output in outputs) / BYTES_PER_MS)
        return outputs

    def record(self, milliseconds: float) -> None:
        """Note one execution."""
        self.times.append(float(np.float32(milliseconds)))

    def free(self) -> None:
        """Give the model's memory back."""
        if self.model is not None:
            native.say("[INFO] unload model success, model Id is 1")
        self.model = None


class SessionB(Session):
    """The interface of generation B."""

    def infer(self, feeds: list[Any], mode: str = "static", custom_sizes: Any = 100000) -> list[np.ndarray]:
        """Outputs; arrays are read in the order in which they lie in memory."""
        del custom_sizes
        if mode in ("dymdims", "dymshape"):
            raise not_dynamic(mode)
        return self.run([bytes_in_memory(as_array(feed)) for feed in feeds])

    def sumary(self) -> Times:
        """Times of all executions since the last reset, in ms."""
        return Times(list(self.times))

    def reset_sumaryinfo(self) -> None:
        """Forget the times."""
        self.times.clear()

    def finalize(self) -> None:
        """Free the model and close the device."""
        self.free()
        native.say(f"[INFO] end to reset device {self.device_id}")
        native.say("[INFO] end to finalize acl")


class SessionC(Session):
    """The interface of generation C."""

    MODES = ("static", "dymbatch", "dymhw", "dymdims", "dymshape")

    def infer(
        self,
        feeds: list[Any],
        mode: str = "static",
        custom_sizes: Any = 100000,
        out_array: bool = True,  # noqa: FBT001, FBT002  # the real signature
    ) -> list[Any]:
        """Outputs, as arrays or left on the device."""
        del custom_sizes
        if mode not in self.MODES:
            raise RuntimeError(f"wrong infer_mode:{mode}, only support {', '.join(self.MODES)}")
        if mode != "static":
            raise not_dynamic(mode)
        outputs = self.run([as_array(feed).tobytes() for feed in feeds])
        return outputs if out_array else [Tensor(output) for output in outputs]

    def infer_pipeline(self, feeds_list: list[Any], mode: str = "static", custom_sizes: Any = 100000) -> list[Any]:
        """Outputs of each of the feeds."""
        return [self.infer(feeds, mode, custom_sizes) for feeds in feeds_list]

    def record(self, milliseconds: float) -> None:
        """Note begin and end since the session began, as float32: coarser, the longer it lasts."""
        begin = max(self.clock, (time.perf_counter() - self.start) * 1000 - milliseconds)
        self.clock = begin + milliseconds
        self.times.append((float(np.float32(begin)), float(np.float32(self.clock))))

    def summary(self) -> Times:
        """Begin and end of all executions since the last reset, in ms."""
        return Times(list(self.times))

    def reset_summaryinfo(self) -> None:
        """Forget the times."""
        self.times.clear()

    def free_resource(self) -> None:
        """Free the model."""
        self.free()

    @staticmethod
    def finalize() -> None:
        """Close the device."""
        native.say("[INFO] end to finalize acl")


def describe(tensor: TensorInfo) -> TensorDescription:
    """The tensor in the words of the interface."""
    return TensorDescription(tensor.name, DataType[tensor.type], list(tensor.shape), tensor.nbytes, tensor.nbytes)


def not_dynamic(mode: str) -> RuntimeError:
    """What a model with fixed shapes says to a dynamic mode."""
    native.say(f"[ERROR] the model is static, {mode} can not be set")
    return native.error(1, "ACL: invalid parameter")


def as_array(feed: Any) -> np.ndarray:
    """The array that an array, a number of numpy, a tensor of torch or of the device is."""
    if isinstance(feed, Tensor):
        return feed.array
    if isinstance(feed, np.ndarray | np.generic):
        return np.asarray(feed)
    if type(feed).__module__.startswith("torch"):
        return feed.numpy()
    raise RuntimeError(f"type:{type(feed)} invalid")


def bytes_in_memory(array: np.ndarray) -> bytes:
    """As many bytes as the array has, from where it begins: a transposed view gives its base's order."""
    if array.flags.c_contiguous:
        return array.tobytes()
    reach = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True) if stride > 0)
    count = min(array.nbytes, reach + array.itemsize)  # beyond lies what is not the array's
    return ctypes.string_at(array.ctypes.data, count).ljust(array.nbytes, b"\0")
