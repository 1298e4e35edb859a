"""Roads, places and a process alone; many processes are in test_processes.py."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from roadworthy.problem import Problem, Unavailable
from roadworthy.train import group
from roadworthy.train.group import CPU, ROADS, Group, Place


@pytest.fixture
def alone() -> Group:
    """The only process of a run on the cpu."""
    return Group(CPU, Place(), torch.device("cpu"))


def test_roads_differ_in_names_alone():
    """Device and backend by torch's names, and the chip as the guides call it."""
    assert {"cpu": ("gloo", "cpu"), "cuda": ("nccl", "GPU"), "npu": ("hccl", "NPU")} == {
        kind: (road.backend, road.chip) for kind, road in ROADS.items()
    }
    assert all(kind == group.find(kind).kind for kind in ROADS)


def test_an_unknown_device_lists_the_known_ones():
    """One sentence."""
    with pytest.raises(Problem, match=re.escape("--device gpu: it must be auto, cpu, cuda, npu")):
        group.find("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_machine_without_an_accelerator_trains_on_its_cpu():
    """Unless another device is asked for, which is told to be missing before anything is made."""
    assert CPU == group.find("auto")
    for kind, told in (("cuda", "torch .* sees no such device"), ("npu", "torch_npu cannot be imported")):
        with pytest.raises(Unavailable, match=f"--device {kind}: {told}"), group.joined(ROADS[kind], Place()):
            pass


def test_a_chip_is_named_by_what_its_device_calls_itself():
    """Else as the guides call it without naming it."""
    assert "T4" == ROADS["cuda"].soc("Tesla T4")
    assert ("GPU", "NPU", "cpu") == (ROADS["cuda"].soc("NVIDIA H900"), ROADS["npu"].soc("Ascend910B"), CPU.soc(""))


def test_a_place_is_what_torchrun_says(monkeypatch):
    """Rank, number of processes, rank and number on this machine; without torchrun there is one process."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert Place(0, 1, 0, 1) == Place.here()
    for word, value in {"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(word, value)

    assert Place(rank=9, world=16, local=1, neighbours=8) == Place.here()

    monkeypatch.setenv("RANK", "nine")
    with pytest.raises(Problem, match="the environment is not what torchrun makes"):
        Place.here()


def test_alone_every_sum_and_list_is_its_own(alone):
    """Nothing is wrapped, nothing is sent."""
    module = nn.Conv2d(1, 1, 1)

    assert alone.first
    assert module is alone.wrap(module)
    assert [1.0, 2.0] == alone.mean(torch.tensor([1.0, 2.0])).tolist()
    assert ["x"] == alone.gathered("x")
    with alone.apart(module):
        module(torch.ones(1, 1, 1, 1)).sum().backward()
    assert 1.0 == float(module.weight.grad)


def test_others_are_not_first():
    """One of them writes and speaks."""
    assert [True, False, False] == [Group(CPU, Place(rank, 3), torch.device("cpu")).first for rank in range(3)]


def test_the_cpu_has_no_name_of_its_own():
    """It is not told beside the chip."""
    assert not group.name_of(torch.device("cpu"))
