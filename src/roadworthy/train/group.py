"""The processes that train together, and the device of each: torchrun starts them, this joins them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from roadworthy.problem import Problem, Unavailable
from roadworthy.runtimes import nvidia_smi
from roadworthy.soc import socs


@dataclass(frozen=True)
class Road:
    """A kind of device by torch's name and by the guides', what its processes talk by, the package that brings it."""

    kind: str
    chip: str
    backend: str
    package: str = ""

    def soc(self, name: str) -> str:
        """The chip by the name that a device gives itself, else as the guides call it without naming it."""
        found = [soc.name for soc in socs().values() if not soc.unnamed and nvidia_smi.matches(name, soc.name)]
        return found[0] if found else self.chip


SCALE = 2.0**16  # of losses, until a better one is found
CPU = Road("cpu", "cpu", "gloo")
ROADS = {road.kind: road for road in (CPU, Road("cuda", "GPU", "nccl"), Road("npu", "NPU", "hccl", "torch_npu"))}


@dataclass(frozen=True)
class Place:
    """This process among those that torchrun has started; the only one where it has started none."""

    rank: int = 0
    world: int = 1
    local: int = 0
    neighbours: int = 1  # processes on this machine

    @classmethod
    def here(cls) -> Place:
        """By the variables that torchrun sets."""
        words = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if "WORLD_SIZE" not in os.environ:
            return cls()
        try:
            return cls(*(int(os.environ[word]) for word in words))
        except (KeyError, ValueError) as error:
            raise Problem(f"the environment is not what torchrun makes ({error}); it sets {', '.join(words)}") from None


def find(name: str) -> Road:
    """The road of this name; `auto` is that of the accelerator that torch sees, else the cpu's.

    Raises Problem for an unknown name.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return ROADS["cuda"]
        with suppress(ImportError):
            importlib.import_module(ROADS["npu"].package)
            if getattr(torch, ROADS["npu"].kind).is_available():
                return ROADS["npu"]
        return CPU
    if name not in ROADS:
        raise Problem(f"--device {name}: it must be auto, {', '.join(ROADS)}")
    return ROADS[name]


class Group:
    """The processes of a run, as one of them sees them; alone, every sum and list is its own."""

    def __init__(self, road: Road, place: Place, device: torch.device) -> None:
        self.road, self.place, self.device = road, place, device

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.place.rank == 0

    @property
    def threads(self) -> int | None:
        """Threads of torch on a cpu."""
        return torch.get_num_threads() if self.device.type == "cpu" else None

    def scaler(self, scale: float | None, *, enabled: bool) -> Any:
        """What keeps losses in fp16 from underflow: by `scale`, else by one that is found while training.

        Chips that saturate tell an overflow by a flag of their own, which their package's class reads.
        """
        if self.road.package:
            amp = importlib.import_module(f"{self.road.package}.{self.road.kind}.amp")
            return amp.GradScaler(init_scale=scale or SCALE, enabled=enabled, dynamic=scale is None)
        return torch.amp.GradScaler(self.device.type, init_scale=scale or SCALE, enabled=enabled)

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes after every backward pass."""
        if self.place.world == 1:
            return module
        devices = None if self.device.type == "cpu" else [self.device]
        return nn.parallel.DistributedDataParallel(module, device_ids=devices)

    def apart(self, wrapped: nn.Module) -> AbstractContextManager[object]:
        """Backward passes whose gradients stay with the process until one outside of this."""
        if isinstance(wrapped, nn.parallel.DistributedDataParallel):
            return wrapped.no_sync()
        return nullcontext()

    def mean(self, values: Tensor) -> Tensor:
        """Each value averaged over all processes, on the host."""
        values = values.cpu()
        if self.place.world > 1:
            distributed.all_reduce(values)
            values /= self.place.world
        return values

    def any(self, wish: bool) -> bool:  # noqa: FBT001  a value like others
        """Whether it is true of any process; all of them wait for the answer, their devices do not."""
        return bool(self.mean(torch.tensor([float(wish)])))

    def gathered(self, value: Any) -> list[Any]:
        """The value of every process, in the order of their ranks."""
        found: list[Any] = [value] * self.place.world
        if self.place.world > 1:
            distributed.all_gather_object(found, value)
        return found

    def same_statistics(self, module: nn.Module) -> None:
        """Give all processes the running statistics of the first, as forward passes of a wrapped module do."""
        if self.place.world > 1:
            for buffer in module.buffers():
                distributed.broadcast(buffer, 0)


@contextmanager
def joined(road: Road, place: Place) -> Iterator[Group]:
    """The group of all processes, left at the end.

    Where one has met a problem it stays in: it tells its own before the others see that it is gone. Raises Unavailable
    where this machine has not the road's device, Problem where the processes cannot meet.
    """
    device = _device(road, place)
    if place.world == 1:
        yield Group(road, place, device)
        return
    backend = CPU.backend if road == CPU else f"cpu:{CPU.backend},{road.kind}:{road.backend}"
    try:
        distributed.init_process_group(backend)
    except (RuntimeError, ValueError) as error:
        raise Problem(f"process {place.rank} of {place.world} cannot join the others by {backend} ({error})") from error
    yield Group(road, place, device)
    distributed.destroy_process_group()


def _device(road: Road, place: Place) -> torch.device:
    if road == CPU:
        return torch.device("cpu")
    if road.package:
        try:
            importlib.import_module(road.package)  # adds the device to torch
        except ImportError as error:
            raise Unavailable(f"--device {road.kind}: {road.package} cannot be imported ({error})") from None
    module = getattr(torch, road.kind)
    if not module.is_available():
        raise Unavailable(
            f"--device {road.kind}: torch {torch.__version__} sees no such device; --device cpu trains too"
        )
    if place.local >= module.device_count():
        raise Unavailable(
            f"--device {road.kind}: {place.neighbours} processes were started here, and {module.device_count()} devices are there; --nproc-per-node takes as many"
        )
    module.set_device(place.local)
    return torch.device(road.kind, place.local)


def name_of(device: torch.device) -> str:
    """What the device calls itself; empty for the cpu."""
    return "" if device.type == "cpu" else str(getattr(torch, device.type).get_device_name(device))
