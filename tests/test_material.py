"""What a run judges: found once, whatever is asked of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import fingerprint, pipeline
from roadworthy.card import Sample
from roadworthy.data import cityscapes
from roadworthy.material import Material
from roadworthy.problem import Problem


@pytest.fixture
def asked(monkeypatch):
    """The names of what was found or made in earnest, in order."""
    seen = []
    for module, name in (
        (pipeline, "open_data"),
        (cityscapes, "check"),
        (pipeline, "weights_file"),
        (fingerprint, "of_file"),
        (pipeline, "prepare"),
    ):
        good = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, good=good, name=name, **more: seen.append(name) or good(*args, **more)
        )
    return seen


def test_everything_is_found_once(tiny_data, tiny_card, asked):
    """Frames are gigabytes and checkpoints hundreds of megabytes; models alike in their frames share them."""
    material = Material(str(tiny_data), None)
    for _ in range(2):
        dataset, name = material.dataset(tiny_card)
        weights, digest = material.weights(tiny_card), material.digest(tiny_card)
    other = material.dataset(replace(tiny_card, path=tiny_card.path.parent / "other" / "card.toml"))

    assert ["open_data", "check", "weights_file", "of_file"] == asked
    assert (5, "tiny-v1/5") == (len(dataset), name)
    assert digest == fingerprint.of_file(weights)
    assert other == (dataset, name)
    assert material.graph(tiny_card) is material.graph(tiny_card)
    assert 1 == asked.count("prepare")


def test_large_networks_run_small_on_drawn_frames_alone(tiny_data, tiny_card, monkeypatch):
    """The first of them, at the card's size for them; frames of one's own are judged in full."""
    large = replace(tiny_card, sample=Sample(size=(32, 64), frames=2))
    material = Material(str(tiny_data), None)
    dataset, name = material.dataset(large)

    assert (3, 32, 64) == material.fitted(large).input.shape
    assert (2, "tiny-v1/2@32x64") == (len(dataset), name)

    good = pipeline.open_data
    monkeypatch.setattr(pipeline, "open_data", lambda *args, **more: replace(good(*args, **more), origin=None))
    material = Material(str(tiny_data), None)
    assert large == material.fitted(large)
    assert 5 == len(material.dataset(large)[0])


def test_bad_weights_are_read_once(tiny_data, tiny_card, tmp_path, asked):
    """Each figure of the model has the same reason to fail."""
    (tmp_path / "bad.pth").write_bytes(b"no checkpoint")
    material = Material(str(tiny_data), tmp_path / "bad.pth")
    for _ in range(2):
        with pytest.raises(Problem, match=r"bad\.pth"):
            material.graph(tiny_card)

    assert 1 == asked.count("prepare")


def test_paths_are_those_of_the_run_s_folder(tiny_data, tiny_card, tmp_path, monkeypatch):
    """A worker has a folder of its own, where a relative path is another."""
    monkeypatch.chdir(tiny_data.parent)
    weights = pipeline.weights_file(tiny_card, None)
    (tmp_path / "own").symlink_to(weights.parent)
    material = Material(tiny_data.name, None)
    frame = material.dataset(tiny_card)[0].frames[0]

    assert all(path.is_absolute() for path in vars(frame).values() if hasattr(path, "is_absolute"))
    monkeypatch.chdir(tmp_path)
    material = Material(str(tiny_data), (tmp_path / "own").relative_to(tmp_path) / weights.name)
    assert tmp_path / "own" / weights.name == material.weights(tiny_card)


def test_a_photograph_larger_than_the_input_is_told_where_nothing_shrinks_it(tiny_data, tiny_card):
    """Before an hour of work; a recipe that resizes takes it."""
    smaller = replace(tiny_card.input, shape=(3, 32, 64))
    fixed = replace(tiny_card, input=replace(smaller, steps=("scale",)))

    assert 5 == len(Material(str(tiny_data), None).dataset(replace(tiny_card, input=smaller))[0])
    with pytest.raises(Problem, match="256x128; it must be 64x32"):
        Material(str(tiny_data), None).dataset(fixed)
