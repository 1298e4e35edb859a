"""Cards: parsed strictly, wrong ones refused with file, key, what was found and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy.data import preprocess
from roadworthy.problem import Problem
from roadworthy.target import Drop

TWO_TABLES = 2 * '[[table]]\nname = "t"\nrows = "batches"\ncolumns = [{ head = "batch", show = "batch" }]\n'


@pytest.fixture
def written(tiny_models: Path, tmp_path: Path):
    """Writes the tiny card with one text replaced; gives its path."""

    def write(old: str = "", new: str = "") -> Path:
        text = (tiny_models / "tiny" / "card.toml").read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "tiny" / "card.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return write


def test_the_erfnet_card_holds_the_guides_figures():
    """ERFNet's card parses, and its 24 throughput cells and 11 accuracies become records; a blank cell does not."""
    card = cards.find([cards.builtin_models()])["erfnet"]
    records = card.published()

    assert ("ErfNet", (3, 512, 1024), 20) == (card.name, card.input.shape, card.net.classes)
    assert 11 * [0.722] == [r.value for r in records if r.metric == "miou"]
    assert ("Ascend310", 64) not in [(r.soc, r.batch) for r in records if r.metric == "miou"]
    assert 24 == len([r for r in records if r.metric == "throughput"])
    assert [("Ascend310", 64)] == [(r.soc, r.batch) for r in records if r.outcome == "oom"]
    assert {"wall"} == {r.clock for r in records if r.soc == "T4"}
    assert {"device"} == {r.clock for r in records if r.soc == "Ascend310P3" and r.metric == "throughput"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("opset   = 11", "opzet   = 11", "unknown key 'export.opzet'; did you mean 'opset'?"),
        ("opset   = 11", "", "key 'export.opset' is missing; it holds a whole number"),
        ("opset   = 11", 'opset   = "11"', "key 'export.opset' is '11'; it must be a whole number"),
        ("opset   = 11", "opset   = true", "key 'export.opset' is True; it must be a whole number"),
        ('kind = "logits"', 'kind = "probs"', "key 'output.kind' is 'probs'; it must be one of 'logits', 'classes'"),
        ("{ relative = 0.01 }", "0.01", "key 'target.drop' is 0.01; it must be a table"),
        ("{ relative = 0.01 }", "{ relative = 0.01, points = 1 }", 'drop must hold one of "points" and "relative"'),
        ("shape = [3, 64, 128]", "shape = [64, 128]", "shape is [64, 128]; it must be [channels, height, width]"),
        ("[  100.0".replace("  ", ""), "[1.0, 100.0", "throughput.Ascend310 has 3 figures for 2 batch sizes"),
        ('"oom"]', '"full"]', "key 'published.throughput.Ascend310[1]' is 'full'"),
        (
            'judge = "Ascend310P3"',
            'judge = "310P3"',
            "target.judge names 310P3: there is no chip of this name; did you mean",
        ),
        (
            "batch       = [    1,",
            'batch       = ["oom",',
            "throughput.batch is ['oom', 4.0]; it must be a list of whole",
        ),
        ('pass  = "floor_bn_weights"', "", 'surgery[0] has no "pass"'),
        ('name    = "Tiny"', "name    = ", "not a TOML file"),
        (
            'kind = "logits"',
            'kind = "logits"\nindex = 1',
            "index is 1; it must be one of the 1 outputs, counted from 0",
        ),
        ("miou    = 78.31", "", "weights, data, miou and drop go together"),
        (
            "oom   = { Ascend310",
            "oom   = { A310",
            "target.oom names A310: there is no chip of this name; did you mean Ascend310?",
        ),
        (
            "vs    = { Ascend310",
            "vs    = { GPU",
            "target.vs names GPU, a chip without a name; nothing can be promised of it",
        ),
        ("[sample]", "[sample]\nframes = 0", "frames is 0; it must be 1 or more"),
        ("batches = [1, 4, 16]", "batches = []", "batches is []; it must list batch sizes of 1 or more"),
        ('kind = "logits"', 'kind = "logits"\nstride = 0', "stride is 0; it must be 1 or more"),
        (
            'name  = "image"',
            'name  = "image"\nfile = "x.bin"',
            "file is 'x.bin'; it must name a frame's file by {stem}",
        ),
        (
            'name  = "image"',
            'name  = "image"\nfile = "{name}.bin"',
            "file is '{name}.bin'; it must name a frame's file",
        ),
        ('name  = "image"', 'name  = "image"\nfile = "{stem"', "file is '{stem'; it must name a frame's file"),
        ("[110.0, 130.0]", "[110.0, 1e10]", "throughput is 10000000000.0; it must be"),
        ("[89.5, 89.5]", '[89.5, "oom"]', 'miou holds "oom"; what did not fit stands in published.throughput'),
        (
            "[published.miou]",
            '[published.environment]\nCANN = "5.1"\n\n[published.miou]',
            "environment names 'CANN'; it must be one of driver, firmware, cann, python, torch",
        ),
        ("[sample]", "[sample]\nsize = [8]", "size is [8]; it must be [height, width]"),
        ("[published.miou]", TWO_TABLES + "[published.miou]", "table has two of one name: t, t"),
        ('name  = "image"', 'name  = "my image"', "name is 'my image'; it must be of letters, digits and _ . / -"),
        ('name  = "image"', 'name  = "image;label"', "name is 'image;label'; it must be of letters, digits and"),
        ('name  = "image"', 'name  = "image:0"', "name is 'image:0'; it must be of letters, digits and"),
        ('name  = "image"', """name  = "it's" """, 'name is "it\'s"; it must be of letters, digits and'),
        ('name  = "image"', 'name  = "bäld"', "name is 'bäld'; it must be of letters, digits and"),
        ('name  = "image"', 'name  = ""', "name is ''; it must be of letters, digits and"),
        (
            'name  = "image"',
            'name  = "image"\nfile = "bin/{stem}.bin"',
            "file is 'bin/{stem}.bin'; it must be a file's name, without folders",
        ),
        (
            'name  = "image"',
            'name  = "image"\nfile = "..\\\\{stem}.bin"',
            "it must be a file's name, without folders",
        ),
        (
            "tiny.safetensors",
            "../tiny.safetensors",
            "weights is '../tiny.safetensors'; it must be the name of a file beside the card",
        ),
        ("tiny.safetensors", "/x/tiny.pth", "weights is '/x/tiny.pth'; it must be the name of a file beside"),
        ("tiny.safetensors", "..", "weights is '..'; it must be the name of a file beside"),
        *(
            (
                "[scoring]",
                f'[atc]\noptions = {{ {flag} = "x" }}\n\n[scoring]',
                f"options names '{flag}'; it must be a flag of atc that no other key of the card gives",
            )
            for flag in (
                *("framework", "model", "output", "input_format", "input_shape"),
                *("out_nodes", "soc_version", "log", "output_type"),
            )
        ),
        ("[scoring]", '[atc]\noptions = { "--x" = "1" }\n\n[scoring]', "options names '--x'; it must be a flag of atc"),
        ("[scoring]", '[atc]\noptions = { "a b" = "1" }\n\n[scoring]', "options names 'a b'; it must be a flag of atc"),
        (
            "[scoring]",
            '[atc]\noptions = { mode = "a b" }\n\n[scoring]',
            "mode is 'a b'; it must be of letters, digits and _ . , : ; / + -",
        ),
        (
            "[scoring]",
            '[atc]\noptions = { mode = "$(x)" }\n\n[scoring]',
            "mode is '$(x)'; it must be of letters, digits",
        ),
        (
            "[scoring]",
            """[atc]\noptions = { mode = 'a"' }\n\n[scoring]""",
            "mode is 'a\"'; it must be of letters, digits",
        ),
        ("epochs  = 8", "epochs  = 8.5", "key 'train.recipe.1p.epochs' is 8.5; it must be a whole number"),
        ("epochs  = 8", "epoch = 8", "unknown key 'train.recipe.1p.epoch'; did you mean 'epochs'?"),
        ('optimizer = "sgd"', 'optimizer = "sdg"', "key 'train.optimizer' is 'sdg'; it must be one of 'sgd', 'adam'"),
        ("crop      = [64, 128]", "crop = [64]", "train.crop is [64]; it must be [height, width]"),
        (
            "[train.recipe.1p]",
            "[train.target]\nmiou = 68.4\ndrop = { points = 1 }\nvs = { CPU = 0.9 }\n\n[train.recipe.1p]",
            "train.target.vs names CPU: there is no chip of this name",
        ),
        ("[scoring]", '[atc]\nprecision_mode = "a b"\n\n[scoring]', "precision_mode is 'a b'; it must be of letters"),
        ("[scoring]", '[atc]\noutput_type = "INT8"\n\n[scoring]', "'atc.output_type' is 'INT8'; it must be one of"),
        ("[scoring]", '[atc]\nlog = "loud"\n\n[scoring]', "'atc.log' is 'loud'; it must be one of 'debug', 'info'"),
        *(
            (
                "[scoring]",
                f"[aoe]\njob_types = {wrong}\n\n[scoring]",
                f"job_types is {wrong}; it must list 1, 2 or both, each once",
            )
            for wrong in ([], [0], [3], [1, 1], [1, 2, 1])
        ),
    ],
)
def test_a_wrong_card_is_refused(written, old, new, told):
    """The sentence names the file, the key, what was found and what would be right."""
    path = written(old, new)

    with pytest.raises(Problem, match=re.escape(told)) as caught:
        cards.load(path)

    assert str(path) in str(caught.value)


@pytest.mark.parametrize("key", ["my model", "a;b", "it's", ".hidden", "-v", "modèle"])
def test_a_folder_with_an_odd_name_is_no_model(written, key):
    """Its name is in test ids, files and commands."""
    path = written()
    odd = path.parent.rename(path.parent.with_name(key)) / path.name

    with pytest.raises(Problem, match=re.escape("a model's key is of letters, digits and _ . -")) as caught:
        cards.load(odd)

    assert f"the folder is called {key!r}" in str(caught.value)


def test_what_the_compiler_and_the_tuner_are_told_is_read(written):
    """Options as they are, in order; one search alone, or both the other way round."""
    told = '[atc]\noptions = { enable_small_channel = "1", op = "a.b,c:d;e/f+g-h" }\n\n[aoe]\njob_types = [2, 1]\n\n'
    card = cards.load(written("[scoring]", f"{told}[scoring]"))

    assert {"enable_small_channel": "1", "op": "a.b,c:d;e/f+g-h"} == card.atc.options
    assert (2, 1) == card.aoe.job_types
    assert (1, 2) == cards.load(written()).aoe.job_types


FIGURES = {  # of every guide: (records of mIoU, of throughput, of them out of memory, of training)
    "erfnet": (11, 24, 1, 0),
    "icnet": (1, 5, 1, 8 + 20),
    "deeplabv3": (2, 3, 0, 0),
    "hrnet": (4, 6, 0, 0),
}


@pytest.mark.parametrize("key", list(FIGURES))
def test_every_figure_of_a_guide_is_a_record(key):
    """Counted by hand in the guides; what a guide leaves blank is absent."""
    records = cards.find([cards.builtin_models()])[key].published()
    kinds = [[r for r in records if r.metric == metric] for metric in ("miou", "throughput")]
    lost = [r for r in records if r.outcome == "oom"]
    trained = [r for r in records if r.metric.startswith("train.")]

    assert FIGURES[key] == (*map(len, kinds), len(lost), len(trained))
    assert {"published"} == {r.source for r in records}


def test_training_figures_keep_their_settings():
    """One row of the training guide's table of hyper-parameters, and one of its results."""
    records = cards.find([cards.builtin_models()])["icnet"].published()
    tuned = [r for r in records if r.settings.get("lr") == 0.12]
    eight = [r for r in records if r.run == "NPU-8p"]

    assert [("train.miou", 0.67), ("train.best_miou", 0.675)] == [(r.metric, r.value) for r in tuned]
    assert [("NPU", 8, 16, "O1", 32)] * 2 == [
        (r.soc, r.devices, r.settings["batch_size"], r.settings["opt_level"], r.settings["loss_scale"]) for r in tuned
    ]
    assert {"train.miou": pytest.approx(0.681), "train.throughput": 83} == {r.metric: r.value for r in eight}


def test_drawn_frames_shrink_a_large_network():
    """ICNet at 256x512, resized and compared there; ERFNet stays as it is."""
    found = cards.find([cards.builtin_models()])
    small = found["icnet"].at_sample_size()

    assert ((3, 256, 512), ("resize", "scale", "normalize"), "input") == (
        small.input.shape, small.input.steps, small.scoring.compare,
    )  # fmt: skip
    assert small == small.at_sample_size()
    assert found["erfnet"] is found["erfnet"].at_sample_size()


def test_a_card_cannot_name_its_own_path(written):
    """`path` is where the card lies, not a key."""
    with pytest.raises(Problem, match="unknown key 'path'"):
        cards.load(written('name    = "Tiny"', 'name    = "Tiny"\npath = "x"'))


def test_a_name_is_looked_up_in_the_stage_or_in_the_models_net(tiny_card):
    """A bare name is a public function of the stage's module, `net.x` is in the model's own net.py."""
    assert "Tiny" == tiny_card.lookup("net.Tiny").__name__
    assert preprocess.scale is tiny_card.lookup("scale", preprocess)


def test_a_card_names_functions_of_the_models_training(tiny_card, tmp_path):
    """`train.x` is in the model's own train.py; a wrong name lists the right ones, and so does a missing file."""
    assert tiny_card.path.parent / "train.py" == Path(tiny_card.lookup("train.loss").__code__.co_filename)
    with pytest.raises(Problem, match=re.escape("train.loss: there is no 'train.lost'; known: train.loss")):
        tiny_card.lookup("train.lost", key="train.loss")

    alone = tmp_path / "tiny" / "card.toml"
    alone.parent.mkdir()
    alone.write_bytes(tiny_card.path.read_bytes())
    with pytest.raises(Problem, match=r"tiny/train\.py: there is no such file; the card beside it names functions"):
        cards.load(alone).lookup("train.loss")


@pytest.mark.parametrize(
    ("name", "told"),
    [("net.Huge", "known: net.Tiny"), ("shrink", "known: .*scale"), ("_is_step", "known: "), ("Recipe", "known: ")],
)
def test_a_wrong_name_lists_the_right_ones(tiny_card, name, told):
    """The sentence names the card and what it could have said."""
    with pytest.raises(Problem, match=told) as caught:
        tiny_card.lookup(name, preprocess)

    assert str(tiny_card.path) in str(caught.value)


def test_a_model_in_two_folders_is_refused(tiny_models):
    """One key, one card."""
    with pytest.raises(Problem, match="the model 'tiny' is already defined"):
        cards.find([tiny_models, tiny_models])


def test_a_folder_without_cards_is_refused(tmp_path):
    """A wrong --models folder never means "no models"."""
    with pytest.raises(Problem, match=r"there is no <model>/card\.toml"):
        cards.find([tmp_path])


def test_a_drop_is_in_points_or_relative():
    """One point of 72.20 is not one per cent of it."""
    assert pytest.approx(0.712) == Drop(points=1.0).floor(0.722)
    assert pytest.approx(0.71478) == Drop(relative=0.01).floor(0.722)
