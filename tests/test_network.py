"""Checkpoints: the published layouts load strictly, anything else is refused in one sentence."""

from __future__ import annotations

import collections
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from roadworthy import card as cards
from roadworthy import network
from roadworthy.problem import Problem


@pytest.fixture(scope="module")
def erfnet() -> cards.ModelCard:
    """The real card."""
    return cards.find([cards.builtin_models()])["erfnet"]


@pytest.fixture(scope="module")
def published(erfnet) -> collections.OrderedDict[str, torch.Tensor]:
    """A checkpoint laid out as ERFNet's: `module.` on every key, no num_batches_tracked."""
    state = network.build(erfnet).state_dict()
    return collections.OrderedDict((f"module.{k}", v) for k, v in state.items() if "num_batches" not in k)


def test_the_published_layout_loads(erfnet, published, tmp_path):
    """The prefix goes, the missing counters are zero, every weight is where it belongs."""
    torch.save(published, tmp_path / "erfnet.pth")
    loaded = network.load(erfnet, tmp_path / "erfnet.pth")

    assert not loaded.training
    assert all(torch.equal(loaded.state_dict()[k.removeprefix("module.")], v) for k, v in published.items())
    assert 0 == loaded.state_dict()["encoder.initial_block.bn.num_batches_tracked"].item()


def test_an_outer_state_dict_is_opened(erfnet, published, tmp_path):
    """`{meta, state_dict}` and bare keys load as well."""
    bare = {k.removeprefix("module."): v for k, v in published.items()}
    torch.save({"meta": {"epoch": 3}, "state_dict": bare}, tmp_path / "erfnet.pth")

    assert 2_066_836 == sum(p.numel() for p in network.load(erfnet, tmp_path / "erfnet.pth").parameters())


def test_weights_of_another_network_are_refused_by_their_keys(tiny_card, published, tmp_path):
    """The first missing and the first unexpected key are named."""
    torch.save(published, tmp_path / "erfnet.pth")
    told = "not the weights of tiny: of its 7 keys 7 missing, first 'bn.weight' and 345 unexpected, first 'encoder"

    with pytest.raises(Problem, match=re.escape(told)):
        network.load(tiny_card, tmp_path / "erfnet.pth")


def test_a_weight_of_another_shape_is_refused(erfnet, published, tmp_path):
    """19 output channels instead of 20 are named with both shapes."""
    state = {**published, "module.decoder.output_conv.bias": torch.zeros(19)}
    torch.save(state, tmp_path / "erfnet.pth")
    told = "'decoder.output_conv.bias' has shape [19]; it must be [20]"

    with pytest.raises(Problem, match=re.escape(told)):
        network.load(erfnet, tmp_path / "erfnet.pth")


class Code:
    """A pickle of this creates a file when it is loaded by an unpickler that trusts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))])
def test_code_in_a_pickle_is_refused_and_never_run(erfnet, tmp_path, save):
    """Loading a checkpoint runs nothing."""
    save({"weight": Code(tmp_path / "ran")}, tmp_path / "bad.pth")

    with pytest.raises(Problem, match=r"bad\.pth: refused: no checkpoint of plain tensors"):
        network.load(erfnet, tmp_path / "bad.pth")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_checkpoint_is_refused(erfnet, published, tmp_path, share, suffix):
    """Wherever it was cut, the file is named."""
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pth":
        torch.save(published, path)
    else:
        network.safetensors.torch.save_file(dict(published), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    with pytest.raises(Problem, match=re.escape(str(path)) + ": damaged"):
        network.load(erfnet, path)


def test_a_file_that_is_no_checkpoint_is_refused(erfnet, tmp_path):
    """A list of tensors, and a file that is not there."""
    torch.save([torch.zeros(1)], tmp_path / "list.pth")

    with pytest.raises(Problem, match="it holds no table of names and tensors"):
        network.load(erfnet, tmp_path / "list.pth")
    with pytest.raises(Problem, match="there is no such file"):
        network.load(erfnet, tmp_path / "none.pth")


def test_weights_match_where_names_and_shapes_do(tiny_card):
    """They come back as they were, in any order; the first name or shape that differs is told with its file."""
    want = network.build(tiny_card).state_dict()
    have = dict(reversed(list(want.items())))

    assert have is network.matched(tiny_card, Path("x.pth"), have, want)
    for other, told in (
        ({**have, "more": torch.zeros(1)}, "x.pth: not the weights of tiny: of its 7 keys 1 unexpected, first 'more'"),
        ({k: v for k, v in have.items() if k != "bn.bias"}, "of its 7 keys 1 missing, first 'bn.bias'"),
        (
            {**have, "bn.bias": torch.zeros(4)},
            "x.pth: not the weights of tiny: 'bn.bias' has shape [4]; it must be [3]",
        ),
    ):
        with pytest.raises(Problem, match=re.escape(told)):
            network.matched(tiny_card, Path("x.pth"), other, want)


def test_a_pickle_of_plain_values_is_read(tmp_path):
    """Tensors, numbers, texts, lists and tables: what a run keeps of itself. Nothing that is not there is read."""
    told = {"step": 3, "plan": {"rate": 0.1, "crop": [32, 64], "name": None}, "weight": torch.ones(2)}
    torch.save(told, tmp_path / "x.pth")
    found = network.read_pickle(tmp_path / "x.pth")

    assert (3, told["plan"], [1.0, 1.0]) == (found["step"], found["plan"], found["weight"].tolist())
    with pytest.raises(Problem, match=r"none\.pth: there is no such file"):
        network.read_pickle(tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("key", "wrap"),
    [
        ("icnet", lambda state: state),
        ("deeplabv3", lambda state: {"meta": {"CLASSES": None}, "state_dict": state}),
        (
            "hrnet",
            lambda state: {"loss.criterion.weight": torch.ones(19)} | {f"model.{k}": v for k, v in state.items()},
        ),
    ],
)
def test_every_published_layout_loads_strictly(key, wrap, tmp_path):
    """What a wrapper put around the names goes; every name that is left is wanted, and every one wanted is there."""
    card = cards.find([cards.builtin_models()])[key]
    state = network.build(card).state_dict()
    first = next(iter(state))
    state[first] = torch.full_like(state[first], 0.25)
    torch.save(wrap(state), tmp_path / card.weights)
    loaded = network.load(card, tmp_path / card.weights).state_dict()

    assert (0.25, list(state)) == (float(loaded[first].mean()), list(loaded))


def test_a_model_prefix_is_kept_where_not_every_name_has_it(tmp_path):
    """A network may call one of its own parts `model`."""
    torch.save({"model.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "own.pth")

    assert ["model.a", "b"] == list(network.read_checkpoint(tmp_path / "own.pth"))


def test_untrained_weights_depend_on_names_and_differ_between_layers(tiny_card, tmp_path):
    """The same twice; activations of order one; class maps of more than one class."""
    frame = np.random.default_rng(0).random((1, 3, 64, 128), np.float32)
    for name in ("one", "two"):
        network.save_untrained(tiny_card, frame, tmp_path / f"{name}.safetensors")
    module = network.load(tiny_card, tmp_path / "one.safetensors")
    with torch.inference_mode():
        logits = module(torch.from_numpy(frame))

    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    assert 0.1 < float(logits.std()) < 10
    assert len(logits.argmax(1).unique()) > 3


def test_untrained_weights_are_made_of_zeros_too_and_not_of_what_is_not_finite(tiny_card, tmp_path):
    """A dead input has no power to settle on; one that is not finite would leave weights that are not."""
    network.save_untrained(tiny_card, np.zeros((1, 3, 64, 128), np.float32), tmp_path / "zeros.safetensors")

    assert all(
        bool(value.isfinite().all()) for value in network.load(tiny_card, tmp_path / "zeros.safetensors").parameters()
    )
    with pytest.raises(Problem, match=r"net.py: the network fails on .*what a BatchNorm sees is not finite"):
        network.save_untrained(tiny_card, np.full((1, 3, 64, 128), np.nan, np.float32), tmp_path / "nan.safetensors")


def test_untrained_weights_are_the_same_with_any_number_of_threads(erfnet, tmp_path):
    """Sums over pixels differ in their last bits; a checkpoint of another name would be another network."""
    frame, before = np.random.default_rng(0).random((1, 3, 128, 256), np.float32), torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            network.save_untrained(erfnet, frame, tmp_path / f"{threads}.safetensors")
    finally:
        torch.set_num_threads(before)

    assert 1 == len({(tmp_path / f"{threads}.safetensors").read_bytes() for threads in (1, 2, 3)})


ORIGINALS = [
    ("erfnet", "net:ERFNet", []),
    ("icnet", "net:ICNet", ["--path", "eval"]),
    ("icnet", "net:ICNetExport", ["--path", "export"]),
    ("deeplabv3", "net:DeepLabV3", []),
    ("deeplabv3", "net:DeepLabV3", ["--method", "logits"]),
    ("hrnet", "net:HRNetOCR", []),
]


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize(("key", "builder", "options"), ORIGINALS, ids=[" ".join([k, *o]) for k, _, o in ORIGINALS])
def test_a_network_computes_what_the_original_computes(shared, key, builder, options):
    """Golden outputs of the original implementation; the weights travel through a file in the published layout."""
    checker = shared / "reference" / "networks" / "check_parity.py"
    where = ["--builder", builder, "--pythonpath", str(cards.builtin_models() / key)]
    where += ["--loader", "roadworthy.network:read_checkpoint"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", checker, "--model", key, *where, *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (0, "0 failing output(s)") == (done.returncode, done.stdout.split(", ")[-3]), done.stdout + done.stderr


@pytest.mark.realdata
@pytest.mark.parametrize("key", ["erfnet", "icnet", "deeplabv3", "hrnet"])
def test_the_manifest_is_the_state_dict(shared, key):
    """The published names, in the published order, and after them whatever a later stage adds: nothing."""
    card = cards.find([cards.builtin_models()])[key]
    manifest = json.loads((shared / "reference" / "networks" / f"{key}.manifest.json").read_text())
    names = [e["name"].removeprefix(manifest["key_prefix"]) for e in manifest["entries"]]

    assert names == list(network.build(card).state_dict()) == list(network.build(card, "operated").state_dict())
