"""The folder that goes to the model zoo."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import deliver, lint
from roadworthy.problem import Problem

MODELS = cards.find([cards.builtin_models()])


@pytest.fixture
def write(tiny_card, tmp_path):
    """Delivers the small model into a folder of this name."""

    def call(name: str = "out", language: str = "zh", card=tiny_card):
        return deliver.write(card, [], tmp_path / name, language)

    return call


def contents(folder) -> dict[str, str]:
    """Text of every file by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_delivery_is_two_files(write, tmp_path):
    """In a new folder, whose parents are made too; the levels are given back."""
    levels = write("new/out")
    found = contents(tmp_path / "new" / "out")

    assert {"README.md", "modelzoo_level.txt"} == set(found)
    assert "FuncStatus:OK\nModelConvert:OK\n" == found["modelzoo_level.txt"].replace("PrecisionStatus:OK\n", "")
    assert "# Tiny 推理指导\n" in found["README.md"]
    assert ["OK", "OK", None, None, "OK", None] == [level.status for level in levels]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("key", sorted(MODELS))
def test_a_delivered_guide_passes_our_own_lint(write, tmp_path, key, language):
    """What we publish follows from the figures beside it, marks of notes and all."""
    write(card=MODELS[key], language=language)

    assert () == lint.lint(tmp_path / "out" / "README.md").findings


def test_the_same_figures_give_the_same_bytes(write, tmp_path):
    """Nothing of the day or the machine is in them."""
    write("one")
    write("two")

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_earlier_delivery_is_written_anew(write, tmp_path):
    """In another language too; a file of the user's beside it stays."""
    write()
    (tmp_path / "out" / "LICENSE").write_text("mine")
    write(language="en")
    found = contents(tmp_path / "out")

    assert {"README.md", "modelzoo_level.txt", "LICENSE"} == set(found)
    assert "# Tiny: inference guide\n" in found["README.md"]
    assert "mine" == found["LICENSE"]


def test_an_empty_folder_is_taken(write, tmp_path):
    """It may have been made beforehand."""
    (tmp_path / "out").mkdir()
    write()

    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("notes.txt", "mine", r"out: holds notes\.txt and no README\.md of deliver; name a new or empty folder"),
        ("README.md", "# mine", r"README\.md: was not written by deliver for this model; name a new or empty folder"),
        ("README.md", "<!-- roadworthy deliver tin: -->", r"README\.md: was not written by deliver for this model"),
    ],
)
def test_a_folder_of_anything_else_is_refused(write, tmp_path, name, text, told):
    """And left as it is: no file of the user's is written over."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(text)
    with pytest.raises(Problem, match=told):
        write()

    assert {name: text} == contents(tmp_path / "out")


def test_a_file_is_refused(write, tmp_path):
    """OUT is a folder."""
    (tmp_path / "out").write_text("")
    with pytest.raises(Problem, match="out: is a file; name a new or empty folder"):
        write()


def test_a_folder_that_cannot_be_made_is_told(write, tmp_path):
    """With the system's reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match=r"out: the delivery could not be written \(Not a directory\)"):
        write("file/out")


def test_a_delivery_that_broke_off_can_be_made_again(write, tmp_path, monkeypatch):
    """A full disk, or Ctrl-C: no half of a file is left, and the folder is taken the next time."""
    written = Path.write_text

    def full(path: Path, text: str, **how: str) -> int:
        if path.name.startswith("README.md"):
            written(path, text[:9], **how)
            raise KeyboardInterrupt
        return written(path, text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(KeyboardInterrupt):
        write()
    monkeypatch.undo()
    left = contents(tmp_path / "out")
    write()

    assert {} == left
    assert {"README.md", "modelzoo_level.txt"} == set(contents(tmp_path / "out"))


def test_a_delivery_that_broke_off_between_its_files_can_be_made_again(write, tmp_path, monkeypatch):
    """The guide is there first, by which the folder is known."""
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.name != "README.md":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(
            Problem, match=r"_level\.txt: the delivery could not be written \(No space left on device\)"
        ):
            write()
    left = set(contents(tmp_path / "out"))
    write()

    assert {"README.md"} == left
    assert {"README.md", "modelzoo_level.txt"} == set(contents(tmp_path / "out"))
