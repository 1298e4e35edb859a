"""Tools as processes: words as they are, both streams apart, a log, an end."""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import shlex
import signal
import sys
import threading
import time

import psutil
import pytest

from roadworthy.problem import CaseFailed, TimedOut
from roadworthy.runtimes import command

ODD = ["a b", "it's", 'so "called"', "a;touch hacked", "$(touch hacked)", "`touch hacked`", "*", "", "a\nb", "--x=ü"]
ADDED = [f"{name}={value}" for name, value in command.QUIET.items()]
CHILDREN = """
import subprocess, sys, time
for own in (False, True):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=own)
    print(child.pid, flush=True)
"""


@pytest.fixture
def run(tmp_path):
    """Runs Python code as a tool, in a folder of its own."""
    folder = tmp_path / "a folder"
    folder.mkdir()

    def run(code: str, *words: str, limit_s: float = 60, **environment: str) -> command.Done:
        return command.run(
            [sys.executable, "-c", code, *words],
            folder=folder,
            log=tmp_path / "logs" / "tool.log",
            limit_s=limit_s,
            environment=environment,
        )

    return run


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


@contextlib.contextmanager
def own_input(file: int):
    """A file as this process's standard input."""
    before = os.dup(0)
    os.dup2(file, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_words_arrive_as_they_are(run, tmp_path):
    """No shell sees them: blanks, quotes, semicolons and commands in them are letters."""
    done = run("import json, sys; print(json.dumps(sys.argv[1:]))", *ODD)

    assert ODD == json.loads(done.stdout)
    assert ODD == shlex.split(done.shown)[-len(ODD) :]
    assert [] == list(tmp_path.rglob("hacked"))


def test_both_streams_are_kept_apart_and_the_log_begins_with_the_command(run):
    """What was run, where, and what was added to the environment, so that a person can type it."""
    done = run("import sys; print('to out'); print('to err', file=sys.stderr)", TUNE_BANK_PATH="my bank")
    first, *rest = done.log.read_text(encoding="utf-8").splitlines()
    words = shlex.split(first)

    assert ("to out\n", "to err\n", 0) == (done.stdout, done.stderr, done.status)
    assert "to out\n\nto err\n" == done.text
    assert ["$", "cd", str(done.log.parents[1] / "a folder"), "&&"] == words[:4]
    assert [*ADDED, "TUNE_BANK_PATH=my bank", *done.words] == words[4:]
    assert ["to out"] == rest
    assert "to err\n" == done.log.with_suffix(".err").read_text(encoding="utf-8")


def test_a_second_run_is_added_to_the_log_and_read_alone(run):
    """What the first one said is not taken for the second's."""
    first = run("import sys; print('one'); print('uno', file=sys.stderr)")
    second = run("import sys; print('two'); print('due', file=sys.stderr)")

    assert [("one\n", "uno\n"), ("two\n", "due\n")] == [(done.stdout, done.stderr) for done in (first, second)]
    assert ["one", "two"] == [line for line in first.log.read_text("utf-8").splitlines() if not line.startswith("$")]


def test_a_tool_has_our_environment_folder_and_no_input(run, tmp_path, monkeypatch):
    """CANN's own log stays out of what is read, also where the user wants it; a question is answered by nothing."""
    monkeypatch.setenv("MINE", "yes")
    monkeypatch.setenv("ASCEND_SLOG_PRINT_TO_STDOUT", "1")
    names = ["MINE", "ASCEND_SLOG_PRINT_TO_STDOUT", "ADDED"]
    code = (
        "import json, os, sys; print(json.dumps([os.getcwd(), sys.stdin.read(), *map(os.environ.get, sys.argv[1:])]))"
    )
    (tmp_path / "typed").write_text("an answer", encoding="utf-8")
    with (tmp_path / "typed").open(encoding="utf-8") as typed, own_input(typed.fileno()):
        done = run(code, *names, ADDED="too")

    assert [str(tmp_path / "a folder"), "", "yes", "0", "too"] == json.loads(done.stdout)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.abort()", -signal.SIGABRT),
    ],
)
def test_the_status_tells_an_exit_from_a_signal(run, code, status):
    """Positive: what the tool returned; negative: what ended it. Neither is judged here."""
    assert status == run(code).status


def test_output_that_is_no_text_is_kept(run):
    """Compilers print what a terminal of their land shows."""
    done = run(r"import sys; sys.stdout.buffer.write(b'ok \xb2\xe2')")

    assert done.stdout.startswith("ok ")
    assert done.log.read_bytes().endswith(b"ok \xb2\xe2")


def test_a_tool_that_takes_too_long_is_ended_with_all_that_it_started(run):
    """SIGTERM ignored, a child in its own session: all are gone, and the last words are told."""
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{CHILDREN}\ntime.sleep(600)"
    with pytest.raises(TimedOut, match=r"was ended after 3 s without a result; its log is .*tool\.log") as caught:
        run(code, limit_s=3.0)
    shown, *pids = caught.value.evidence

    assert [*ADDED, sys.executable, "-c"] == shlex.split(shown)[1:-1]
    assert [True, True] == [gone(int(pid)) for pid in pids]


def test_a_tool_goes_when_its_caller_is_interrupted(run, tmp_path):
    """Ctrl-C in the middle of a compilation leaves no compiler behind."""
    note = tmp_path / "pid"

    def interrupt() -> None:
        while not (note.is_file() and note.read_text(encoding="utf-8").endswith("\n")):
            time.sleep(0.05)
        _thread.interrupt_main()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(
                "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(600)",
                str(note),
            )
    finally:
        signal.signal(signal.SIGINT, before)

    assert gone(int(note.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "told"), [("nothing", "No such file or directory"), ("data", "Permission denied"), (".", "Permission")]
)
def test_a_tool_that_cannot_be_started_is_told(tmp_path, name, told):
    """Missing, no program, a folder: a sentence with the reason, and the command."""
    (tmp_path / "data").write_text("x", encoding="utf-8")
    tool = str(tmp_path / name)
    with pytest.raises(CaseFailed, match=f"cannot be started \\({told}") as caught:
        command.run([tool, "a b"], folder=tmp_path, log=tmp_path / "x.log", limit_s=1)

    assert str(caught.value).startswith(tool)
    assert (f"$ {shlex.join([*ADDED, tool, 'a b'])}",) == caught.value.evidence
