"""Work in a process of its own: whatever happens there is told here, and nothing of it stays."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from roadworthy import worker
from roadworthy.problem import OutOfMemory, Problem, TimedOut

SRC = Path(worker.__file__).parents[1]
WORK = '''
"""What a worker is asked to do: it must be able to import it."""

import ctypes, os, signal, subprocess, sys, tempfile, time
from pathlib import Path

from roadworthy.problem import OutOfMemory, Problem

BLOCK = ctypes.create_string_buffer(4096)


def double(number, progress):
    return 2 * number, os.getpid(), os.getsid(0)


def count(total, pause, progress):
    for done in range(1, total + 1):
        time.sleep(pause)
        progress(done, total)
    return "counted"


def fail(error, progress):
    raise error


def unknown(progress):
    raise Problem("x.toml: nothing is right")


def too_large(progress):
    raise OutOfMemory("it does not fit", ["EL0004: no", "more"])


def host(progress):
    raise MemoryError("no page")


def divide(progress):
    print("before the end")
    return 1 / 0


def leave(progress):
    raise SystemExit(0)


def unsendable(progress):
    return lambda: None


def native(progress):
    libc = ctypes.CDLL(None)
    stdout = ctypes.c_void_p.in_dll(libc, "stdout")
    libc.setvbuf(stdout, BLOCK, 0, ctypes.c_size_t(4096))  # which PYTHONUNBUFFERED turns off for C too
    libc.printf(b"native words without an end")
    return 1 / 0


def die(number, progress):
    print("last words")
    os.kill(os.getpid(), number)
    time.sleep(600)


def hang(note, progress):
    children = [
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=own)
        for own in (False, True)
    ]
    write(note, " ".join(str(pid) for pid in (os.getpid(), *(child.pid for child in children))))
    print("I hang")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def leave_behind(note, killed, progress):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    write(note, str(child.pid))
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)


def surroundings(names, progress):
    return os.getcwd(), os.listdir(), {name: os.environ.get(name) for name in names}, sys.stdin.read()


def litter(note, error, progress):
    folder, (file, name) = tempfile.mkdtemp(), tempfile.mkstemp()
    write(note, f"{folder}\\n{name}")
    if error:
        os.kill(os.getpid(), signal.SIGKILL)
    return tempfile.gettempdir()


def write(note, text):
    Path(f"{note}.part").write_text(text)
    os.replace(f"{note}.part", note)
'''
CALLER = """
import sys
from pathlib import Path

import roadworthy_work
from roadworthy import worker

if __name__ == "__main__":
    worker.call(roadworthy_work.hang, sys.argv[1], log=Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the module with the work lies; a worker has its caller's path."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "roadworthy_work.py").write_text(WORK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder
    sys.modules.pop("roadworthy_work")


@pytest.fixture(scope="module")
def work(folder):  # noqa: ARG001  it is on the path
    """The module with the work."""
    return importlib.import_module("roadworthy_work")


@pytest.fixture
def log(tmp_path):
    """Where a worker's output goes; its folder is not there yet."""
    return tmp_path / "logs" / "worker.log"


def gone(pid: int) -> bool:
    """Whether a process has ended, if need be in a moment."""
    for _ in range(50):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def noted(note: Path, limit_s: float = 60.0) -> list[int]:
    """Processes that a worker has written down, as soon as it has."""
    end = time.monotonic() + limit_s
    while not note.is_file():
        assert time.monotonic() < end
        time.sleep(0.05)
    return [int(pid) for pid in note.read_text(encoding="utf-8").split()]


def test_work_is_done_in_a_process_of_its_own(work, log):
    """It leads a session, gives its result, and is gone."""
    answer, pid, session = worker.call(work.double, 21, log=log)

    assert 42 == answer
    assert os.getpid() != pid == session
    assert gone(pid)


def test_the_same_can_be_done_here(work):
    """For a debugger; the log is not written."""
    told = []

    assert "counted" == worker.here(work.count, 2, 0, progress=lambda *said: told.append(said), log=None, limit_s=1)
    assert [(1, 2), (2, 2)] == told


def test_progress_is_told_and_is_a_sign_of_life(work, log):
    """All of it, in order; the limit is on silence, not on the whole."""
    told, seconds = [], []
    began = time.monotonic()
    found = worker.call(
        work.count, 3, 1.1, log=log, limit_s=2.5, progress=lambda *said: told.append(said), alive=seconds.append
    )

    assert ("counted", [(done, 3) for done in range(1, 4)]) == (found, told)
    assert time.monotonic() - began > 3.2
    assert seconds == sorted(seconds)
    assert [True, True] == [seconds[0] < 1, seconds[-1] > 2]


@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    [
        ("unknown", Problem, ("x.toml: nothing is right",)),
        ("too_large", OutOfMemory, ("it does not fit", ("EL0004: no", "more"))),
        ("host", MemoryError, ("no page",)),
    ],
)
def test_what_a_user_is_told_comes_back_as_it_was_raised(work, log, name, kind, arguments):
    """With its evidence; where it was raised stands in the log."""
    with pytest.raises(kind) as caught:
        worker.call(getattr(work, name), log=log)

    assert kind is caught.type
    assert arguments == caught.value.args
    assert f", in {name}\n" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("divide", "before the end\nTraceback (most recent call last):\n"),
        ("divide", "ZeroDivisionError: division by zero\n"),
        ("leave", "SystemExit: 0\n"),
        ("unsendable", "Can't pickle"),
        ("native", "native words without an end"),
    ],
)
def test_any_other_end_is_told_by_what_was_written(work, log, name, told):
    """An exception, an early exit, a result that cannot be sent; native code's words, which it had not flushed."""
    with pytest.raises(worker.Died) as caught:
        worker.call(getattr(work, name), log=log)

    assert 1 == caught.value.status
    assert told in caught.value.text
    assert log == caught.value.log
    assert caught.value.text == log.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_told_by_its_number(work, log, number):
    """Negative, as subprocess does."""
    with pytest.raises(worker.Died) as caught:
        worker.call(work.die, int(number), log=log)

    assert (-number, "last words\n") == (caught.value.status, caught.value.text)


def test_only_this_workers_words_are_told(work, log):
    """The log goes on from case to case."""
    for _ in range(2):
        with pytest.raises(worker.Died) as caught:
            worker.call(work.die, int(signal.SIGKILL), log=log)

    assert "last words\n" == caught.value.text
    assert "last words\nlast words\n" == log.read_text(encoding="utf-8")


def test_of_much_output_the_end_is_told(work, log, monkeypatch):
    """A log may be gigabytes."""
    monkeypatch.setattr(worker, "TAIL", 6)
    with pytest.raises(worker.Died) as caught:
        worker.call(work.die, int(signal.SIGKILL), log=log)

    assert "words\n" == caught.value.text


def test_a_hang_is_ended_with_all_that_it_started(work, log, tmp_path):
    """SIGTERM ignored, a child in its own session: all are gone soon after the limit, and the last words are told."""
    began = time.monotonic()
    with pytest.raises(TimedOut, match="no sign of life for 2 s, so it was ended; its output is in ") as caught:
        worker.call(work.hang, tmp_path / "note", log=log, limit_s=2.0)

    assert time.monotonic() - began < 8
    assert str(log) in str(caught.value)
    assert ("I hang",) == caught.value.evidence
    assert [True] * 3 == [gone(pid) for pid in noted(tmp_path / "note")]


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_worker_leaves_behind_goes_with_it(work, log, tmp_path, killed):
    """A child that outlives its parent, well or killed, times nobody's case."""
    with pytest.raises(worker.Died) if killed else contextlib.nullcontext():
        worker.call(work.leave_behind, tmp_path / "note", killed, log=log)

    assert [True] == [gone(pid) for pid in noted(tmp_path / "note")]


def test_ctrl_c_ends_the_worker(work, log, tmp_path):
    """Whatever interrupts the caller; the worker's own children go too."""

    def interrupt(_):
        if (tmp_path / "note").is_file():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.call(work.hang, tmp_path / "note", log=log, alive=interrupt)

    assert [True] * 3 == [gone(pid) for pid in noted(tmp_path / "note")]


def test_a_worker_goes_with_its_caller(folder, log, tmp_path):
    """A caller that is killed has no last word: the worker, what it started, its server and its files go all the same."""
    script, path = tmp_path / "caller.py", os.pathsep.join(map(str, (SRC, folder)))
    script.write_text(CALLER, encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:  # pytest's own may be too long for a socket
        caller = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "note"), str(log)],
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": temporary},
        )
        try:
            pids = noted(tmp_path / "note")
            pids += [process.pid for process in psutil.Process(caller.pid).children(recursive=True)]
        finally:
            caller.kill()
            caller.wait()

        assert len(pids) > 3
        assert [True] * len(pids) == [gone(pid) for pid in pids]
        assert [] == list(Path(temporary).glob("roadworthy-*"))


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_temporary_folder_may_be_too_long_for_a_socket(folder, tmp_path, elsewhere):
    """One of 107 characters: the socket lies in another, and files where they should; else it is told in one sentence."""
    script, path = tmp_path / "caller.py", os.pathsep.join(map(str, (SRC, folder)))
    given = [repr(str(tmp_path / name)) for name in ("note", "log")]
    call = f"worker.call(roadworthy_work.litter, {given[0]}, False, log=Path({given[1]}))"
    lines = [line for line in CALLER.splitlines() if "worker.call" not in line]
    script.write_text("\n".join([*lines, f"    {'' if elsewhere else 'worker.SHORT = ();'}{call}"]), encoding="utf-8")
    temporary = tmp_path / ("long" * 25)
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE, encoding="utf-8", check=False,
    )  # fmt: skip

    if elsewhere:
        files = [Path(line) for line in (tmp_path / "note").read_text(encoding="utf-8").splitlines()]
        assert (0, "", {temporary}) == (done.returncode, done.stderr, {file.parents[1] for file in files})
    else:
        told = (
            f"Problem: {temporary}: no process can be served from here (AF_UNIX path too long); TMPDIR names a folder"
        )
        assert 1 == done.returncode
        assert f"{told} of a shorter path, with room\n" in done.stderr


def test_a_worker_has_its_callers_environment(work, log, monkeypatch):
    """As it is now, not as it was when the server began; no input."""
    monkeypatch.setenv("LATER", "gone")
    worker.call(work.double, 1, log=log)
    monkeypatch.delenv("LATER")
    monkeypatch.setenv("NOW", "here")
    *_, environment, read = worker.call(work.surroundings, ["LATER", "NOW"], log=log)

    assert ({"LATER": None, "NOW": "here"}, "") == (environment, read)


def test_a_worker_has_a_folder_of_its_own(work, log, tmp_path, monkeypatch):
    """Empty, among the temporary ones, gone with it: tools that litter where they stand litter there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder, content, environment, _ = worker.call(work.surroundings, ["TMPDIR"], log=log)

    assert (tmp_path, []) == (Path(folder).parent, content)
    assert {"TMPDIR": folder} == environment
    assert not Path(folder).exists()


@pytest.mark.parametrize("killed", [False, True])
def test_temporary_files_go_with_the_worker(work, log, tmp_path, monkeypatch, killed):
    """Also those of one that had no time to remove them; they lay where the caller's lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if killed:
        with pytest.raises(worker.Died):
            worker.call(work.litter, tmp_path / "note", killed, log=log)
    else:
        assert Path(worker.call(work.litter, tmp_path / "note", killed, log=log)).parent == tmp_path
    files = [Path(line) for line in (tmp_path / "note").read_text(encoding="utf-8").splitlines()]

    assert [(tmp_path, False)] * 2 == [(file.parents[1], file.exists()) for file in files]
    assert [] == list(tmp_path.glob("roadworthy-*"))


def test_a_log_that_cannot_be_written_is_told(work, tmp_path):
    """Before anything runs."""
    (tmp_path / "file").touch()

    with pytest.raises(Problem, match=r"file/x\.log: the log could not be written \("):
        worker.call(work.double, 1, log=tmp_path / "file" / "x.log")
