"""The page: whole, escaped, without a network, the same bytes for the same records."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from roadworthy import record
from roadworthy.__main__ import main
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.report import render

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"
ADDRESSES = {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}  # names, which nothing fetches


class Reader(HTMLParser):
    """The tags of a page, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep words."""
        self.words.append(data)


@pytest.fixture
def page(tmp_path, capsys):
    """The text of the report of these folders."""

    def make(*folders: Path, words: tuple[str, ...] = ()) -> str:
        out = tmp_path / "report.html"
        asked = [word for folder in folders for word in ("--records", str(folder))]
        assert main(["report", str(out), *asked, *words]) == 0
        assert f"{out}\n" == capsys.readouterr().out
        return out.read_text(encoding="utf-8")

    return make


def test_without_committed_records_the_guides_figures_are_the_report(page, tmp_path, monkeypatch):
    """As in a project of one's own, before anything was measured there."""
    monkeypatch.chdir(tmp_path)
    text = page()

    assert "0 records" in text
    assert "381.95" in text


def test_nothing_is_fetched(page, delivery):
    """No address but names of formats, pictures inside, and a policy that forbids any other way."""
    text = page(delivery)
    found = Reader(text)
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and a.get("http-equiv"))

    assert set(re.findall(r"https?://[^\s\"'<)]+", text)) <= ADDRESSES
    assert "default-src 'none'" in policy
    assert 8 == len([a for tag, a in found.tags if tag == "img" and a["src"].startswith("data:image/")])
    assert not [tag for tag, a in found.tags if tag in ("link", "iframe", "object", "base") or (tag == "script" and a)]
    assert not re.search(r"@import|url\((?!#)", text)


def test_parts_come_in_their_order(page, delivery):
    """Verdicts first, then the models, frames, environment, commands."""
    text = page(delivery)
    places = [text.index(f'id="{name}"') for name in ("verdicts", "model-erfnet", "frames", "environment", "commands")]

    assert sorted(places) == places
    assert re.search(r"<dt>✕ failed</dt><dd>\d+</dd>", text)


def test_failed_verdicts_come_first_and_passed_ones_last(page, delivery):
    """And the counts on top are those of the verdicts."""
    text = page(delivery, words=("--profile", "modelzoo-310p"))
    order = re.findall(r'<tr data-filter="(\w+) ', text)
    counts = dict(re.findall(r"<dt>. (\w+)</dt><dd>(\d+)</dd>", text))

    assert sorted(order, key=("failed", "unjudged", "passed").index) == order
    assert {"failed", "unjudged", "passed"} == set(order)
    assert f"{len(order)} rows of {sum(map(int, counts.values()))} verdicts" in text
    assert "ratios also by the profile modelzoo-310p" in text


def test_no_id_is_there_twice(page, delivery):
    """Charts, tables and parts have names of their own; what a button copies and a link names is there."""
    found = Reader(page(delivery))
    ids = [a["id"] for _, a in found.tags if "id" in a]
    named = [a["data-copies"] for _, a in found.tags if "data-copies" in a]
    named += [a["href"][1:] for tag, a in found.tags if tag == "a"]

    assert len(ids) == len(set(ids))
    assert set(named) <= set(ids)


def evil(folder: Path) -> Path:
    """Records whose every text is an attack."""
    base = Record(
        model="erfnet", soc="Ascend310P3", batch=1, metric="miou", value=0.7, source="measured", runtime=EVIL, provider=EVIL,
        data=f"{EVIL}/500", frames=500, weights=f"{EVIL}@0", when="2026-10-01T00:00:00+00:00",
        environment={EVIL: EVIL, "om": EVIL, "driver": EVIL}, detail=EVIL, samples=f"samples/{EVIL.replace('/', '')}.npz",
    )  # fmt: skip
    name = "samples/frames.npz"
    rows = [
        base,
        replace(base, value=0.71, batch=4),
        replace(base, metric="throughput", value=None, outcome="crash", batch=8),
        replace(base, metric="frame.miou", value=0.1, samples=name),
        replace(base, model=EVIL),
        replace(base, soc=EVIL),
        replace(base, metric="train.miou", model="icnet", run=EVIL, devices=8, settings={"group": EVIL, "lr": EVIL}),
    ]
    (folder / "samples").mkdir(parents=True)
    pixels = np.zeros((1, 8, 16), np.uint8)
    np.savez(
        folder / name, stems=np.array([EVIL]), mious=np.array([0.1]), photographs=np.zeros((1, 8, 16, 3), np.uint8),
        labels=pixels, predictions=pixels,
    )  # fmt: skip
    record.append(folder / "records.jsonl", rows)
    return folder


def test_words_of_records_are_words(page, tmp_path):
    """In every field: no tag and no attribute of theirs comes to be, and they are shown as they are."""
    found = Reader(page(evil(tmp_path / "run")))
    words = "".join(found.words)

    assert 1 == len([tag for tag, _ in found.tags if tag == "script"])
    assert not [a for _, a in found.tags if any(name.startswith("on") for name in a)]
    assert not [a for tag, a in found.tags if tag == "img" and not a["src"].startswith("data:")]
    assert words.count(EVIL) > 8


def test_the_same_records_give_the_same_bytes(delivery, tmp_path):
    """In two processes, with texts hashed in two ways, in another zone, and with settings of one's own for matplotlib."""
    (tmp_path / "matplotlibrc").write_text(
        "timezone: Asia/Tokyo\nxtick.labelsize: 30\nlines.markeredgewidth: 9\ntext.usetex: True\nsavefig.bbox: tight\n",
        encoding="utf-8",
    )
    pages = []
    for seed, more in (("1", {}), ("2", {"MATPLOTLIBRC": str(tmp_path), "TZ": "Asia/Tokyo"})):
        out = tmp_path / f"{seed}.html"
        command = [sys.executable, "-m", "roadworthy", "report", str(out), "--records", str(delivery)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed, **more})
        pages.append(out.read_bytes())

    assert pages[0] == pages[1]


def test_guides_alone_make_a_page(page, folder, chip):
    """One record of one model: the others are shown by their guides."""
    text = page(folder(chip))

    for name in ("deeplabv3", "erfnet", "hrnet", "icnet"):
        assert f'id="{name}-ratios"' in text
    assert 'id="frames"' not in text


def test_the_profile_must_be_known(delivery, tmp_path, capsys):
    """Status 2 and the known ones."""
    status = main(["report", str(tmp_path / "a.html"), "--records", str(delivery), "--profile", "mine"])

    assert 2 == status
    assert "roadworthy: --profile mine: there is no such profile; known: modelzoo-310p\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("nowhere/report.html", "there is no folder {}/nowhere; name a file in one that is there"),
        ("", "is a folder; the report goes into a file such as {}/report.html"),
        (f"{'a' * 300}.html", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(delivery, tmp_path, capsys, out, sentence):
    """One sentence and status 2."""
    status = main(["report", str(tmp_path / out), "--records", str(delivery)])
    told = capsys.readouterr().err.splitlines()

    assert 2 == status
    assert f"roadworthy: {tmp_path / out}: {sentence.format(tmp_path)}" == told[-1]
    assert [] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_told(tmp_path):
    """Before any record is read."""
    tmp_path.chmod(0o500)
    with pytest.raises(Problem, match="cannot be written to"):
        render.check(tmp_path / "a.html")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("records.jsonl", "{}\n"),
        ("report.html", "{}\n"),
        ("index.html", '<!doctype html>\n<meta name="generator" content="Hugo 0.1"><title>Mine</title>'),
        ("thesis.html", f'<!doctype html>{"words " * 2000}<meta name="generator" content="roadworthy 0.1">'),
    ],
)
def test_a_file_that_is_no_report_is_kept(delivery, tmp_path, capsys, name, content):
    """Records or a page of one's own, named as OUT by mistake, are not written over, whatever their name."""
    out = tmp_path / name
    out.write_text(content, encoding="utf-8")

    status = main(["report", str(out), "--records", str(delivery)])

    assert 2 == status
    assert (
        f"roadworthy: {out}: is no report of roadworthy, and would be lost; name a new file\n"
        == capsys.readouterr().err
    )
    assert content == out.read_text(encoding="utf-8")


def test_an_older_report_and_an_empty_file_are_written_anew(page, delivery, folder, chip, tmp_path):
    """The same command twice, and a file that mktemp made."""
    (tmp_path / "report.html").touch()
    first, second = page(delivery), page(folder(chip))

    assert "Acceptance report" in first
    assert '<p class="lead">1 record, the newest of <time>2026-10-01 08:00</time> UTC.' in second


def test_a_report_is_written_through_a_link(delivery, tmp_path):
    """Such as one from a server's folder; what it leads to keeps its mode, a new page has what the umask leaves."""
    out, link = tmp_path / "report.html", tmp_path / "link.html"
    link.symlink_to(out.name)
    main(["report", str(link), "--records", str(delivery)])
    fresh = stat.S_IMODE(out.stat().st_mode)
    out.chmod(0o664)
    main(["report", str(link), "--records", str(delivery)])
    os.umask(umask := os.umask(0))

    assert (0o666 & ~umask, 0o664) == (fresh, stat.S_IMODE(out.stat().st_mode))
    assert link.is_symlink()


def test_a_page_that_cannot_be_finished_leaves_the_old_one(delivery, tmp_path, monkeypatch, capsys):
    """A disk that is full half way."""
    out = tmp_path / "report.html"
    assert 0 == main(["report", str(out), "--records", str(delivery)])
    old = out.read_bytes()

    def full(path: Path, text: str, encoding: str) -> None:
        path.write_bytes(text[:1000].encode(encoding))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)

    assert 2 == main(["report", str(out), "--records", str(delivery)])
    assert f"{out}: the report could not be written (No space left on device)" in capsys.readouterr().err
    assert ["report.html"] == [path.name for path in tmp_path.iterdir()]
    assert old == out.read_bytes()


def test_a_line_cut_short_is_told_on_stderr(folder, chip, tmp_path, capsys):
    """And the page is written."""
    run = folder(chip)
    with (run / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"model"')
    status = main(["report", str(tmp_path / "a.html"), "--records", str(run)])

    assert 0 == status
    assert "the last line was cut short and is left out" in capsys.readouterr().err


def test_half_a_character_is_shown_as_its_escape(page, folder, chip):
    """UTF-8 has no such thing, JSON does."""
    assert "lost \\ud800 lost" in page(folder(replace(chip, value=None, outcome="crash", detail="lost \ud800 lost")))


def test_what_a_chart_leaves_out_is_said_beside_it(page, folder, chip):
    """Not in the folded table of its numbers, and once."""
    text = page(folder(*(replace(chip, batch=b, when=f"2026-10-0{d}") for b in range(1, 10) for d in (1, 2))))
    place = text.index("8 of 9 lines are drawn")

    assert text.rindex("<details", 0, place) < text.rindex("</details>", 0, place)
    assert 1 == text.count("8 of 9 lines are drawn")
