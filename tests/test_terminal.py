"""Progress on real terminals (pseudo ones of the system): a line that moves and is gone, colours, and silence in pipes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from roadworthy import terminal

ROOT = Path(__file__).parents[1]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38)(?:;\d+)*m")  # of letters
SGR = re.compile(r"\x1b\[[0-9;]*m")
END = "\x03"  # of a text: no drawing holds it
FRAMES = re.compile(r"^tiny-bs1-cpu: frames  1/5(, 0:\d\d:\d\d so far)?$", re.MULTILINE)  # time is told from 1 s on
DRAWN = re.compile(re.escape(terminal.BELOW) + r"([^\x1b]*)" + re.escape(terminal.BACK))
VARIABLES = ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


def opened(columns: int) -> tuple[int, int]:
    """Both ends of a pseudo terminal of so many columns: what is read, and the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def surroundings(**more: str) -> dict[str, str]:
    """The environment without a word on colours."""
    return {**{k: v for k, v in os.environ.items() if k not in VARIABLES}, "TERM": "xterm-256color", **more}


def on_a_terminal(command: list[object], columns: int, folder: Path, **more: str) -> tuple[int, str]:
    """Exit status, and all that a command writes to a terminal."""
    ours, theirs = opened(columns)
    words = [*map(str, command)]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=surroundings(**more))
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    return process.wait(60), said.decode()


class Typed:
    """A terminal of 60 columns in this process, and a clock that goes on by hand."""

    def __init__(self) -> None:
        self.ours, theirs = opened(60)
        self.file = os.fdopen(theirs, "w", encoding="utf-8")
        self.now = 100.0
        self.below = terminal.Below(self.file, lambda: self.now)

    def said(self) -> str:
        """What came since it was last asked: all of it, since a terminal hands on in parts, and later, what is written."""
        self.file.write(END)
        self.file.flush()
        said = ""
        while not said.endswith(END):
            said += os.read(self.ours, 1 << 16).decode()
        return said.removesuffix(END)


@pytest.fixture
def typed():
    """A terminal with a line below."""
    found = Typed()
    yield found
    found.file.close()
    os.close(found.ours)


def test_a_line_is_drawn_below_the_cursor_and_erased_when_over(typed):
    """The cursor goes back to where it was, so that another program prints on."""
    with typed.below.step("net-bs1-cpu: frames") as show:
        show(1, 24)
        drawn = typed.said()
    erased = typed.said()

    assert f"{terminal.ROOM}{terminal.BELOW}net-bs1-cpu: frames  1/24{terminal.BACK}" == drawn
    assert terminal.BELOW + terminal.BACK == erased


def test_a_line_is_drawn_a_few_times_a_second_and_no_more(typed):
    """However many frames there are."""
    with typed.below.step("frames") as show:
        for done in range(100):
            typed.now += 0.01
            show(done, 100)

    assert 4 <= len(DRAWN.findall(typed.said())) - 1 <= 6  # in a second, and erased


def test_nothing_is_written_of_a_step_without_news(typed):
    """What takes no time needs no line."""
    with typed.below.step("frames"):
        pass

    assert "" == typed.said()


def test_a_line_is_erased_where_a_step_breaks(typed):
    """An error is printed on a clean terminal."""
    with contextlib.suppress(KeyboardInterrupt), typed.below.step("frames") as show:
        show(1, 2)
        raise KeyboardInterrupt

    assert typed.said().endswith(terminal.BELOW + terminal.BACK)


@pytest.mark.parametrize("name", ["n" * 90, "模" * 45])
def test_a_line_never_wraps(typed, name):
    """A second row would not be erased; a Chinese letter takes two columns."""
    with typed.below.step(name) as show:
        show(1, 2)
        (text,) = DRAWN.findall(typed.said())

    assert 58 <= cell_len(text) <= 59


def test_a_terminal_that_does_not_say_how_wide_it_is_has_80_columns(typed):
    """As those of some services do."""
    fcntl.ioctl(typed.file, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    with typed.below.step("n" * 90) as show:
        show(1, 2)
        (text,) = DRAWN.findall(typed.said())

    assert "n" * 79 == text


@pytest.mark.parametrize(
    ("news", "told"),
    [
        ([(0.5, 1, 24)], "1/24"),
        ([(2, 1, 24)], "1/24, 0:00:02 so far"),
        ([(10, 0, 0)], "0:00:10 so far"),
        ([(10, 4, 24), (12, 8, 24)], "8/24, 0:00:12 so far, 0:00:08 left"),  # not by the 10 s before the first frame
        ([(10, 4, 24), (12, 8, 24), (15, 8, 24)], "8/24, 0:00:15 so far, 0:00:05 left"),  # no news: time goes on
        ([(10, 4, 24), (12, 8, 24), (99, 8, 24)], "8/24, 0:01:39 so far, 0:00:00 left"),
        ([(10, 3, 3), (20, 1, 3), (21, 2, 3)], "2/3, 0:00:21 so far, 0:00:01 left"),  # the next graph begins anew
        ([(10, 1, 3), (11, 3, 3), (20, 1, 3), (21, 2, 3)], "2/3, 0:00:21 so far, 0:00:01 left"),
        ([(10, 4, 24), (12, 24, 24)], "24/24, 0:00:12 so far"),
        ([(3600, 1, 9), (7200, 2, 9)], "2/9, 2:00:00 so far, 7:00:00 left"),
    ],
)
def test_the_time_left_follows_from_the_speed_of_the_news(news, told):
    """(seconds, done, total) of each; the words after the last."""
    clock = terminal.Clock(1000.0)
    words = [clock.words(done, total, 1000.0 + second) for second, done, total in news]

    assert told == words[-1]


@pytest.mark.parametrize(("term", "expected"), [("xterm", True), ("dumb", False), ("", False)])
def test_lines_move_on_terminals_that_are_not_dumb(typed, monkeypatch, term, expected):
    """A pipe or a file is none."""
    monkeypatch.setenv("TERM", term)
    with Path(os.devnull).open("w") as nowhere:
        assert not terminal.moves(nowhere)

    assert expected == terminal.moves(typed.file)


# The command line


SAMPLE = [sys.executable, "-m", "roadworthy", "sample", "drawn", "--frames", "2"]


def test_a_verb_has_a_bar_in_colours_on_a_terminal(tmp_path):
    """With frames done, and time."""
    status, said = on_a_terminal(SAMPLE, 80, tmp_path)

    assert 0 == status
    assert re.search(r"drawing frames .*━.* 2/2 \d:\d\d:\d\d so far, \d:\d\d:\d\d left", SGR.sub("", said))
    assert COLOUR.search(said)


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_bar_has_no_colours_where_none_are_wanted_and_stays_away_from_dumb_terminals(tmp_path, more):
    """NO_COLOR leaves the bar; TERM=dumb leaves nothing but the answer."""
    status, said = on_a_terminal(SAMPLE, 80, tmp_path, **more)

    assert 0 == status
    assert not COLOUR.search(said)
    assert ("NO_COLOR" in more) == ("drawing frames" in said)
    assert SGR.sub("", said).rstrip().endswith("drawn")


def test_a_verb_is_silent_in_a_pipe_whatever_forces_colours(tmp_path):
    """FORCE_COLOR makes no terminal of it."""
    surrounded = surroundings(FORCE_COLOR="1")
    done = subprocess.run(SAMPLE, cwd=tmp_path, env=surrounded, capture_output=True, text=True, check=False)

    assert (0, "drawn\n", "") == (done.returncode, done.stdout, done.stderr)


# pytest


@pytest.fixture(scope="module")
def judging(tmp_path_factory, tiny_models, tiny_data):
    """The command that judges the small model with some options, and the folder for it."""
    folder = tmp_path_factory.mktemp("typed")
    shutil.copytree(ROOT / "acceptance", folder / "acceptance")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n")

    def words(*options: str) -> tuple[list[object], Path]:
        python = [sys.executable, "-m", "pytest", "-p", "roadworthy.plugin", "-p", "no:cacheprovider", "acceptance"]
        return [*python, "--models", tiny_models, "--data", tiny_data, "-k", "tiny and bs1", *options], folder

    return words


@pytest.fixture(scope="module")
def at_80(judging) -> tuple[int, str]:
    """A run on a terminal of 80 columns."""
    command, folder = judging()
    return on_a_terminal(command, 80, folder)


def test_a_run_shows_what_it_does_and_takes_it_away(at_80):
    """One line at a time below pytest's own; the last thing done to it is to erase it."""
    status, said = at_80
    drawn = DRAWN.findall(said)

    assert 0 == status
    assert FRAMES.search("\n".join(drawn))
    assert any(text.startswith("tiny: reading frames  1/5") for text in drawn)
    assert "" == drawn[-1]
    assert max(map(len, drawn)) < 80


def test_without_the_line_the_run_prints_what_it_always_prints(at_80):
    """Dots of one file stand in one line, as if nothing had been drawn meanwhile."""
    said = DRAWN.sub("", at_80[1]).replace(terminal.ROOM, "")
    plain = SGR.sub("", said).replace("\r\n", "\n")

    assert "\x1b" not in plain
    assert re.search(r"^acceptance/test_accuracy\.py \.s +\[ 50%\]$", plain, re.MULTILINE)
    assert re.search(r"^cell +gate +outcome +observed +required$", plain, re.MULTILINE)
    assert re.search(r"^tiny-bs1-cpu  accuracy +passed +mIoU 0\.78", plain, re.MULTILINE)
    assert re.search(r"^    the sample target of card\.toml is 0\.7831$", plain, re.MULTILINE)
    assert "4 verdicts: 1 unjudged, 3 passed\n" in plain
    assert COLOUR.search(said)


@pytest.mark.parametrize(
    ("options", "more"),
    [(("-q",), {}), ((), {"TERM": "dumb"})],
    ids=["quiet", "dumb"],
)
def test_a_run_that_is_to_be_quiet_has_no_line(judging, options, more):
    """With -q, and on a dumb terminal, which has the table all the same."""
    command, folder = judging(*options)
    status, said = on_a_terminal(command, 80, folder, **more)

    assert 0 == status
    assert [] == DRAWN.findall(said)
    assert "frames  1/5" not in said
    assert "4 verdicts: " in said


def test_a_run_without_colours_and_capture_has_its_line_and_table(judging):
    """NO_COLOR is honoured; -s and -v print on, at 160 columns with a column for the reason."""
    command, folder = judging("-s", "-v")
    status, said = on_a_terminal(command, 160, folder, NO_COLOR="1")

    assert 0 == status
    assert FRAMES.search("\n".join(DRAWN.findall(said)))
    assert not COLOUR.search(said)
    assert re.search(r"^cell +gate +outcome +observed +required +because\r$", said, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("-p", "no:terminal"), ("-p", "no:terminal", "--dry-run"), ("-s",)])
def test_a_run_in_a_pipe_has_no_line_and_one_line_for_each_verdict(judging, options):
    """No escape is in it; without pytest's own terminal it says nothing, and harms nothing."""
    command, folder = judging(*options)
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=surroundings(), capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    quiet = "no:terminal" in options

    assert 0 == done.returncode, said
    assert "\x1b" not in said
    assert "frames  1/5" not in said
    assert quiet != bool(
        re.search(r"^tiny-bs1-cpu  accuracy passed: observed mIoU .*; the sample target", said, re.MULTILINE)
    )
    assert quiet != ("4 verdicts: 1 unjudged, 3 passed\n" in said)
