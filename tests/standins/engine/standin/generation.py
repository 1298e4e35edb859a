"""In what the three generations of the front-end differ."""

from __future__ import annotations

from dataclasses import dataclass

from standin.session import Session, SessionB, SessionC


@dataclass(frozen=True)
class Generation:
    """One generation of ais_bench; the version string is the same for all."""

    session: type[Session]
    is_first: bool = False  # the script of September 2022
    divides: bool = True  # gives each of several devices its share of the inputs, unasked
    strict_paths: bool = False
    folder_mode: int = 0o755
    file_mode: int = 0o644
    device_folder: str = "device{device}"
    logs_devices: bool = False

    @property
    def label(self) -> str:
        """How the line of the throughput calls the batch size."""
        return "batchsize" if self.is_first else "batchsize.mean"


A = Generation(SessionB, is_first=True)
B = Generation(SessionB)
C = Generation(
    SessionC,
    divides=False,
    strict_paths=True,
    folder_mode=0o750,
    file_mode=0o640,
    device_folder="device{device}_{index}",
    logs_devices=True,
)
