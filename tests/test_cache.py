"""The cache: made once, never half."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from roadworthy import cache
from roadworthy.problem import Problem


def test_two_runs_at_once_make_a_thing_once(tmp_path, monkeypatch):
    """The second waits for the first and finds the thing whole."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    made, both = [], threading.Barrier(2)

    def make(folder):
        made.append(folder)
        (folder / "a").write_text("1")
        threading.Event().wait(0.2)
        (folder / "b").write_text("2")

    def ask(_):
        both.wait()
        return sorted(p.name for p in cache.made("things", "one", make).iterdir())

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(ask, range(2)))

    assert [["a", "b"], ["a", "b"]] == found
    assert 1 == len(made)


def test_what_fails_half_way_is_made_anew(tmp_path, monkeypatch):
    """An interrupted run leaves nothing that looks finished."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))

    def broken(folder):
        (folder / "a").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.made("things", "one", broken)

    assert [] == [p for p in (tmp_path / "things").iterdir() if p.suffix != ".lock"]
    assert "whole" == (cache.made("things", "one", lambda f: (f / "a").write_text("whole")) / "a").read_text()


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    """The sentence names the folder and the variable that changes it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))

    with pytest.raises(Problem, match=f"cannot be made .*{cache.VARIABLE} names another"):
        cache.made("things", "one", lambda _: None)


def test_a_run_makes_a_thing_once():
    """Each under its own key; None is a thing too."""
    memo, made = cache.Memo(), []

    for key in ("one", "two", "one"):
        assert memo.once(key, lambda key=key: made.append(key)) is None
    assert ["one", "two"] == made


def test_a_problem_is_kept_as_a_thing_is():
    """What cost an hour and failed costs no second one; any other exception is nobody's answer."""
    memo, tried = cache.Memo(), []

    def fail(error):
        tried.append(error)
        raise error

    for _ in range(2):
        with pytest.raises(Problem, match="no such thing"):
            memo.once("problem", lambda: fail(Problem("no such thing")))
        with pytest.raises(KeyboardInterrupt):
            memo.once("interrupted", lambda: fail(KeyboardInterrupt()))
    assert [Problem, KeyboardInterrupt, KeyboardInterrupt] == [type(error) for error in tried]
