"""A model on a device: loading, executing, and the words in which either fails."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from standin import knobs, native
from standin.om import DTYPES, BrokenOmError, Om, read

LONGEST_SLEEP = 0.020  # seconds; the reported time is the full one
RIPPLE = 0.009
INVALID = (1, "ACL: invalid parameter")
NO_MEMORY = (2, "ACL: memory allocation fail")
GENERAL = (-1, "ACL: general failure")
TRACEBACK = "        TraceBack (most recent call last):"
LOAD_BLOCKS = {  # every one of them ends in the same exception: only these lines tell them apart
    "oom": (
        "EL0004: {stamp} Failed to allocate memory.",
        "        Possible Cause: Available memory is insufficient.",
        "        Solution: Close applications not in use.",
        TRACEBACK,
        "        rtMalloc execute failed, reason=[driver error:out of memory], runtime result = 207001",
    ),
    "wrongsoc": (
        "EE1001: {stamp} The argument is invalid.Reason: ModelCheckCompatibility failed, supported socVersion={chip}, but the model socVersion={soc}",
        TRACEBACK,
        "        rtModelLoad execute failed, reason=[the argument is invalid]",
    ),
    "corrupt": (
        "EE9999: Inner Error!",
        "EE9999: {stamp} The model cannot be read, its header or its length is wrong.",
        TRACEBACK,
        "        [Load][Model]failed, ge result[145000]",
    ),
}


class Model:
    """A model in a device's memory; every execution lengthens its own record of time."""

    def __init__(self, path: str, device: int) -> None:
        self.device = device
        chip = open_device(device)
        self.om = load(path, device, chip)
        self.executions = 0
        self.asked: tuple[list[bytes], bool] = ([], False)
        self.session: Any = None
        if knobs.latency_ms() is None:
            self._open(path)
        native.say(f"[INFO] load model {path} success")
        native.say("[INFO] create model description success")

    def execute(self, feeds: list[bytes]) -> tuple[list[np.ndarray], float]:
        """Outputs, and the device's milliseconds for them."""
        self._check_sizes(feeds)
        fail_execution(knobs.fault("exec", self.om.batch), self.device)
        self.executions += 1
        per_image = knobs.latency_ms()
        if per_image is None:
            start = time.perf_counter()
            outputs = self._compute(feeds)
            return outputs, (time.perf_counter() - start) * 1000
        outputs = self._zeros() if self._is_blank(feeds) else self._compute(feeds)
        milliseconds = per_image * self.om.batch * (0.75 if self.om.tuned else 1)
        time.sleep(min(milliseconds / 1000, LONGEST_SLEEP))
        return outputs, milliseconds * (1 + RIPPLE * math.sin(self.executions))

    def _check_sizes(self, feeds: list[bytes]) -> None:
        for i, (tensor, feed) in enumerate(zip(self.om.inputs, feeds, strict=False)):
            if len(feed) != tensor.nbytes:
                sizes = f"in size:{len(feed)} needsize:{tensor.nbytes}"
                native.say(f"[ERROR] Check i:{i} name:{tensor.name} {sizes} not match")
                raise native.error(*GENERAL)
        if len(feeds) != len(self.om.inputs):
            native.say(f"[ERROR] intensors in:{len(feeds)} need:{len(self.om.inputs)} not match")
            raise native.error(*GENERAL)

    def _is_blank(self, feeds: list[bytes]) -> bool:
        """Whether every byte is zero; asked once for feeds that are executed again and again."""
        if self.asked[0] is not feeds:
            self.asked = (feeds, not any(np.frombuffer(feed, np.uint8).any() for feed in feeds))
        return self.asked[1]

    def _zeros(self) -> list[np.ndarray]:
        return [np.zeros(tensor.shape, DTYPES[tensor.type]) for tensor in self.om.outputs]

    def _compute(self, feeds: list[bytes]) -> list[np.ndarray]:
        if self.session is None:
            self._open("")
        arrays = {
            tensor.name: np.frombuffer(feed, DTYPES[tensor.type]).reshape(tensor.shape)
            for tensor, feed in zip(self.om.inputs, feeds, strict=True)
        }
        outputs = self.session.run([tensor.name for tensor in self.om.outputs], arrays)
        return [
            output.astype(DTYPES[tensor.type], copy=False)
            for tensor, output in zip(self.om.outputs, outputs, strict=True)
        ]

    def _open(self, path: str) -> None:
        import onnxruntime  # noqa: PLC0415  # slow, and seldom needed where the latency is given

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(self.om.graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no common class of their own
            raise load_failure("corrupt", path) from error


def open_device(device: int) -> str:
    """The chip of this device; the board's own failure for one that is not there."""
    native.say("[INFO] acl init success")
    chips = knobs.board()
    if not 0 <= device < len(chips):
        raise device_failure(device)
    native.say(f"[INFO] open device {device} success")
    return chips[device]


def device_failure(device: int) -> RuntimeError:
    """What an absent or broken device says."""
    native.say(f"[ERROR] acl open device {device} failed")
    native.say("SetDevice failed. ret=507033")
    return native.error(507033, "ACL: unknown error")


def load(path: str, device: int, chip: str) -> Om:
    """The OM as the device takes it: of its own chip, and not larger than its memory."""
    try:
        om = read(path)
    except BrokenOmError as error:
        knobs.fault("load", None)
        raise load_failure("corrupt", path) from error
    kind = knobs.fault("load", om.batch)
    if kind == "device":
        raise device_failure(device)
    if kind is not None:
        raise load_failure(kind, path, chip, om.soc)
    if om.soc != chip:
        raise load_failure("wrongsoc", path, chip, om.soc)
    memory = knobs.memory_mb()
    if memory is not None and om.memory_mb > memory:
        raise load_failure("oom", path)
    return om


def load_failure(kind: str, path: str, chip: str = "", soc: str = "") -> RuntimeError:
    """The block of the kind, the line with the model, and the exception that is the same for all."""
    if kind == "wrongsoc" and soc == chip:
        soc = next(name for name in ("Ascend310", "Ascend310P3") if name != chip)
    for line in LOAD_BLOCKS.get(kind, LOAD_BLOCKS["corrupt"]):
        native.say(line.format(stamp=native.stamp(), chip=chip, soc=soc))
    native.say(f"[ERROR] load model from file failed, model file is {path}")
    return native.error(*INVALID)


def fail_execution(kind: str | None, device: int) -> None:
    """Fail in the way asked for; `oom` is that of the buffers, everything else the one general failure."""
    if kind is None:
        return
    if kind == "device":
        raise device_failure(device)
    if kind == "oom":
        native.say("[2][ACL: memory allocation fail] Malloc ptrData failed.")
        native.say("[ERROR] MemoryHelper::MxbsMalloc failed.i:0 name:output size:0")
        raise native.error(*NO_MEMORY)
    native.say("EZ9999: Inner Error!")
    native.say(f"EZ9999: {native.stamp()} An exception of the aicore happened, chipId:{device}, dieId:0.")
    native.say(TRACEBACK)
    native.say("[ERROR] execute model failed, modelId is 1")
    Path("exception_cb_index_0").write_bytes(b"")
    raise native.error(*GENERAL)
