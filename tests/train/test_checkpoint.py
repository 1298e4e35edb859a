"""What a run leaves: whole files or none, the published layout, a state to go on from, weights to begin with."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest
import safetensors
import torch

from roadworthy import card as cards
from roadworthy import network
from roadworthy.problem import Problem
from roadworthy.train import checkpoint
from roadworthy.train.checkpoint import History
from roadworthy.train.plan import Plan

CARDS = cards.find([cards.builtin_models()])


@pytest.fixture
def module(tiny_card):
    """The small network with fresh weights."""
    torch.manual_seed(3)
    return network.build(tiny_card)


@pytest.fixture
def state(plan, module):
    """What a run of the small model keeps."""
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    history = History([3.0, 2.5], [0.1, 0.05], [[2, 8, 0.5, 0.1, 0.0]], [[1, 2, 0.5]])
    return checkpoint.state(plan, 2, history, module=module, optimizer=optimizer)


def test_a_state_comes_back_as_it_was(plan, module, state, tmp_path):
    """Plan, step, history and every tensor, read without running code."""
    checkpoint.save(state, tmp_path / "new" / "last.pth")
    found = checkpoint.read(tmp_path / "new" / "last.pth", "tiny")

    assert (plan, 2) == (Plan.of_saved(found["plan"]), found["step"])
    assert vars(History(**found["history"])) == state["history"]
    assert all(torch.equal(module.state_dict()[name], value) for name, value in found["state_dict"].items())
    assert ["last.pth"] == [path.name for path in (tmp_path / "new").iterdir()]


def test_a_state_holds_weights_that_load_as_a_checkpoint(tiny_card, module, state, tmp_path):
    """`evaluate --weights last.pth` works, and so does --finetune."""
    checkpoint.save(state, tmp_path / "last.pth")

    assert torch.equal(module.conv.weight, network.load(tiny_card, tmp_path / "last.pth").conv.weight)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda s: s["state_dict"], "weights without the state of a run, which last.pth holds; --finetune begins with"),
        (lambda s: {**s, "format": 2}, "of format 2; this version goes on with 1"),
        (lambda s: {**s, "plan": {**s["plan"], "model": "icnet"}}, "the run of another model: icnet, not tiny"),
        (lambda _: [1, 2], "weights without the state of a run"),
        (lambda s: {k: v for k, v in s.items() if k != "optimizer"}, "weights without the state of a run"),
    ],
)
def test_what_is_no_state_of_this_model_is_refused(state, tmp_path, spoil, told):
    """One sentence names the file and what it is."""
    checkpoint.save({"x": 0}, tmp_path / "x.pth")
    torch.save(spoil(state), tmp_path / "x.pth")

    with pytest.raises(Problem, match=re.escape(f"{tmp_path / 'x.pth'}: {told}")) as caught:
        checkpoint.read(tmp_path / "x.pth", "tiny")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 0.999])
def test_a_damaged_state_is_refused(state, tmp_path, share):
    """Wherever it was cut."""
    path = tmp_path / "last.pth"
    checkpoint.save(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    with pytest.raises(Problem, match=re.escape(f"{path}: damaged or truncated checkpoint")):
        checkpoint.read(path, "tiny")


def test_a_state_that_is_not_there_is_told(tmp_path):
    """Such as that of a run which never began."""
    with pytest.raises(Problem, match=re.escape(f"{tmp_path / 'last.pth'}: there is no such file")):
        checkpoint.read(tmp_path / "last.pth", "tiny")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from roadworthy.problem import Problem
from roadworthy.train import checkpoint

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
path = Path(sys.argv[1])
checkpoint.save({"number": 1}, path)
try:
    checkpoint.save({"number": 2, "large": torch.zeros(1_000_000)}, path)
except Problem as problem:
    print(problem)
"""


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path):
    """One sentence, the old file whole, and nothing half-made beside it."""
    path = tmp_path / "last.pth"
    command = [sys.executable, "-c", FULL_DISK, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert re.fullmatch(
        rf"{re.escape(str(path))}: the checkpoint could not be written \(.+\); an older one is kept\n", done.stdout
    )
    assert {"number": 1} == network.read_pickle(path)
    assert [path] == list(tmp_path.iterdir())


def test_a_write_that_breaks_off_leaves_the_older_file(tmp_path):
    """What was written of the new one is gone; an error without a word is told by its kind."""
    path = tmp_path / "x.pth"
    checkpoint.write(path, lambda file: file.write(b"old"))

    def fill(file):
        file.write(b"ne")
        raise RuntimeError

    with pytest.raises(Problem, match=r"x\.pth: the checkpoint could not be written \(RuntimeError\)"):
        checkpoint.write(path, fill)
    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_run_killed_while_it_writes_leaves_the_older_file(tmp_path):
    """Nothing but a finished file ever has the name."""
    path, seen = tmp_path / "x.pth", []
    checkpoint.write(path, lambda file: file.write(b"old"))
    checkpoint.write(path, lambda file: (file.write(b"new"), file.flush(), seen.append(path.read_bytes())))

    assert ([b"old"], b"new") == (seen, path.read_bytes())


def test_a_folder_that_cannot_be_is_told(tmp_path):
    """A file is in the way."""
    (tmp_path / "x").write_text("")

    with pytest.raises(Problem, match=re.escape(f"{tmp_path / 'x' / 'last.pth'}: the checkpoint could not be written")):
        checkpoint.save({}, tmp_path / "x" / "last.pth")


@pytest.mark.parametrize("key", ["icnet", "erfnet"])
def test_the_best_weights_have_the_published_layout(key, tmp_path):
    """Every name of the model, with the prefix that the published checkpoint has; it loads strictly, with the same values."""
    card = CARDS[key]
    module = network.build(card)
    checkpoint.save(checkpoint.published(module, card.train.prefix), tmp_path / card.weights)
    stored = torch.load(tmp_path / card.weights)
    loaded = network.load(card, tmp_path / card.weights).state_dict()

    assert [f"{card.train.prefix}{name}" for name in module.state_dict()] == list(stored)
    assert {"icnet": "", "erfnet": "module."}[key] == card.train.prefix
    assert all(torch.equal(value, loaded[name]) for name, value in module.state_dict().items())


def test_half_precision_weights_say_what_made_them(tiny_card, module, tmp_path):
    """Float16 but for counters, loadable, with a header."""
    path = tmp_path / "tiny.safetensors"
    checkpoint.save_half(module, path, {"command": "roadworthy train", "seed": "0"})
    with safetensors.safe_open(path, "pt") as file:
        header, kinds = file.metadata(), {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    loaded = network.load(tiny_card, path)

    assert {"command": "roadworthy train", "seed": "0"} == header
    assert (torch.float16, torch.int64) == (kinds["conv.weight"], kinds["bn.num_batches_tracked"])
    assert torch.allclose(module.conv.weight, loaded.conv.weight, rtol=1e-3, atol=1e-4)


def test_a_module_begins_with_the_weights_of_a_checkpoint(tiny_card, module, tmp_path):
    """All of them, and none is told to be fresh."""
    checkpoint.save(checkpoint.published(module, "module."), tmp_path / "x.pth")
    other = network.build(tiny_card)

    assert [] == checkpoint.begin(tiny_card, other, tmp_path / "x.pth")
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("key", "classes", "fresh"),
    [
        (
            "erfnet",
            11,
            ["encoder.output_conv", "decoder.output_conv"],
        ),  # the last one is transposed: (16, classes, 2, 2)
        ("erfnet", 30, ["encoder.output_conv", "decoder.output_conv"]),
        ("icnet", 35, ["head.cff_12.conv_low_cls", "head.cff_24.conv_low_cls", "head.conv_cls"]),
    ],
)
def test_classifiers_of_another_number_of_classes_begin_anew(key, classes, fresh, tmp_path):
    """They keep their fresh weights and are named; everything else is the checkpoint's."""
    card = CARDS[key]
    torch.manual_seed(1)
    told = network.build(replace(card, net=replace(card.net, classes=classes))).state_dict()
    checkpoint.save({f"module.{name}": value for name, value in told.items()}, tmp_path / "x.pth")
    module = network.build(card)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = checkpoint.begin(card, module, tmp_path / "x.pth")
    after = module.state_dict()

    assert set(fresh) == {name.rpartition(".")[0] for name in found}
    assert found
    assert all(torch.equal(before[name], after[name]) for name in found)
    assert all(torch.equal(told[name], after[name]) for name in after if name not in found)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"decoder.output_conv.bias": torch.zeros(11)}, None),
        (
            {"encoder.initial_block.bn.weight": torch.zeros(11)},
            "'encoder.initial_block.bn.weight' has shape [11]; it must",
        ),
        (
            {"decoder.output_conv.bias": torch.zeros(11), "encoder.output_conv.bias": torch.zeros(12)},
            "'encoder.output_conv.bias' has shape [12]; it must be [20]",
        ),
        (
            {"decoder.output_conv.bias": torch.zeros(20, 1)},
            "'decoder.output_conv.bias' has shape [20, 1]; it must be [20]",
        ),
        (
            {"decoder.output_conv.weight": torch.zeros(17, 11, 2, 2)},
            "'decoder.output_conv.weight' has shape [17, 11, 2, 2]; it must be [16, 20, 2, 2]",
        ),
        ({"more": torch.zeros(20)}, "1 unexpected, first 'more'"),
    ],
)
def test_nothing_but_the_number_of_classes_may_differ(spoil, told, tmp_path):
    """All classifiers by the same number; another layer, another dimension or another name is another network's."""
    card = CARDS["erfnet"]
    module = network.build(card)
    checkpoint.save({**checkpoint.published(module, ""), **spoil}, tmp_path / "x.pth")

    if told is None:
        assert list(spoil) == checkpoint.begin(card, module, tmp_path / "x.pth")
    else:
        with pytest.raises(Problem, match=re.escape(told)):
            checkpoint.begin(card, module, tmp_path / "x.pth")


def test_the_best_epoch_is_the_first_of_equals():
    """And none where nothing was validated."""
    rows = [[1, 5, 0.25], [2, 10, 0.5], [3, 15, 0.5], [4, 20, 0.125]]

    assert [2, 10, 0.5] == History(scores=rows).best
    assert History().best is None


def test_images_per_second_are_of_warm_windows_together():
    """Images over seconds, not a mean of speeds; nothing without a warm window."""
    cold, fast, slow = [2, 8, 8.0, 0.0, 0.0], [4, 8, 1.0, 0.0, 1.0], [5, 4, 3.0, 0.0, 1.0]

    assert 3.0 == History(windows=[cold, fast, slow]).images_per_second()
    assert History(windows=[cold]).images_per_second() is None
    assert History().images_per_second() is None
