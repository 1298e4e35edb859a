"""Files that are written whole or not at all, and what stays as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from roadworthy import whole
from roadworthy.problem import Problem


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A name in a folder of its own."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "a.txt"


def put(path: Path, text: str = "new") -> None:
    """Write a file."""
    with whole.written(path, "text") as part:
        part.write_text(text)


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_as_it_was_until_the_new_one_is_whole(out):
    """And nothing lies beside it then."""
    put(out, "old")
    with whole.written(out, "text") as part:
        part.write_text("new")
        meanwhile = out.read_text()

    assert ("old", "new") == (meanwhile, out.read_text())
    assert [out] == list(out.parent.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, Problem, ValueError])
def test_what_ends_the_block_leaves_the_file_as_it_was(out, error):
    """It goes on as it is, and nothing is left of the new file."""
    put(out, "old")

    def fail() -> None:
        with whole.written(out, "text") as part:
            part.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()

    assert "old" == out.read_text()
    assert [out] == list(out.parent.iterdir())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("first\nsecond"), "first"),
        (OSError(), "OSError"),
    ],
)
def test_a_disk_that_is_full_is_one_sentence(out, error, reason):
    """The file, what it was to be, the reason, and what is left."""
    with (
        pytest.raises(Problem, match=rf"a\.txt: the text could not be written \({reason}\); all is lost$"),
        whole.written(out, "text", "; all is lost"),
    ):
        raise error

    assert [] == list(out.parent.iterdir())


def test_two_at_once_do_not_meet(out):
    """Each has a file of its own; the last one stays."""
    with whole.written(out, "text") as one:
        one.write_text("one")
        put(out, "two")
        between = out.read_text()

    assert ("two", "one") == (between, out.read_text())


def test_folders_are_made(out):
    """Those on the way."""
    put(out.parent / "b" / "c" / "d.txt")

    assert "new" == (out.parent / "b" / "c" / "d.txt").read_text()


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_a_new_file_is_for_whom_the_umask_leaves_it(out, umask):
    """As if it had been opened by its name."""
    before = os.umask(umask)
    try:
        put(out)
    finally:
        os.umask(before)

    assert 0o666 & ~umask == mode(out)


@pytest.mark.parametrize("kept", [0o664, 0o600, 0o444, 0o755])
def test_a_file_keeps_its_mode(out, kept):
    """Also one that nobody may write; a new one that is not whole yet is nobody else's."""
    put(out, "old")
    out.chmod(kept)
    with whole.written(out, "text") as part:
        part.write_text("new")
        meanwhile = mode(part)

    assert (0o600, kept, "new") == (meanwhile, mode(out), out.read_text())


def test_a_link_stays_and_its_file_is_written(out, tmp_path):
    """Beside the file that it leads to, on that file's disk; also where that is not there yet."""
    link, target = tmp_path / "link", out.parent / "target"
    link.symlink_to(Path("out") / "target")
    put(link, "first")
    with whole.written(link, "text") as part:
        part.write_text("second")

    assert (True, "second", target.parent) == (link.is_symlink(), target.read_text(), part.parent)
    assert {link, out.parent, target} == set(tmp_path.rglob("*"))


@pytest.mark.parametrize("there", ["folder", "pipe", "loop"])
def test_what_is_there_and_is_no_file_stays(out, there):
    """A folder, a pipe, a link that leads to itself."""
    {"folder": out.mkdir, "pipe": lambda: os.mkfifo(out), "loop": lambda: out.symlink_to(out)}[there]()
    told = {"folder": "a folder is there", "pipe": "a device or pipe is there", "loop": r"Too many .*symbolic links.*"}

    with pytest.raises(Problem, match=rf"a\.txt: the text could not be written \({told[there]}\)$"):
        put(out)
    with pytest.raises(Problem, match=rf"a\.txt: the text cannot be written here \(.*{told[there]}\)$"):
        whole.check(out, "text")

    assert [out] == list(out.parent.iterdir())
    assert there == {"d": "folder", "p": "pipe", "l": "loop"}[stat.filemode(out.lstat().st_mode)[0]]


def test_what_could_be_written_is_not_touched_by_the_check(out):
    """Whether it is there or not."""
    whole.check(out, "text")
    nothing = list(out.parent.iterdir())
    put(out, "old")
    whole.check(out, "text")

    assert ([], "old") == (nothing, out.read_text())
    assert [out] == list(out.parent.iterdir())


def test_a_folder_that_cannot_be_is_told(out):
    """With the name that is in the way."""
    put(out)

    with pytest.raises(Problem, match=r"b\.txt: the text cannot be written here \(.*a\.txt: (Not a|File exists)"):
        whole.check(out / "b.txt", "text")
    with pytest.raises(Problem, match=r"b\.txt: the text could not be written \((Not a|File exists)"):
        put(out / "b.txt")
