"""Pages: what stands between markers is rendered anew, what stands around them is kept."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from roadworthy import page
from roadworthy.problem import Problem

OLD = "# A\n<!-- roadworthy:table one -->\nold\n<!-- roadworthy:end -->\nB\n"
NEW = "# A\n<!-- roadworthy:table one -->\n\n| 1 |\n\n<!-- roadworthy:end -->\nB\n"


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """A page with the markers of a table called `one`."""
    path = tmp_path / "README.md"
    path.write_text(OLD, encoding="utf-8")
    return path


def test_what_is_written_is_not_stale(readme):
    """The difference before, none after; nothing but the table is touched."""
    tables = {"one": "| 1 |\n"}
    before = page.check(readme, tables)

    page.write(readme, tables)

    assert "-old" in before.splitlines()
    assert "+| 1 |" in before.splitlines()
    assert NEW == readme.read_text(encoding="utf-8")
    assert "" == page.check(readme, tables)
    assert [readme] == list(readme.parent.iterdir())


def test_an_unknown_name_lists_the_known_ones(readme):
    """Nothing is written then."""
    with pytest.raises(Problem, match=r"README\.md: there is no table 'one'; known: two, two\.accuracy"):
        page.write(readme, {"two": "", "two.accuracy": ""})

    assert OLD == readme.read_text(encoding="utf-8")


def test_a_page_without_markers_or_without_a_file_is_refused(tmp_path):
    """The sentence says what would be right."""
    (tmp_path / "plain.md").write_text("# A\n", encoding="utf-8")

    with pytest.raises(Problem, match=r"plain\.md: no table markers; a table stands between"):
        page.check(tmp_path / "plain.md", {})
    with pytest.raises(Problem, match=r"none\.md: there is no such file; --readme names another"):
        page.write(tmp_path / "none.md", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# A\n<!-- roadworthy:table one -->\nkept\n", ":2: table one begins and does not end;"),
        (f"<!-- roadworthy:table one -->\nkept\n{OLD}", ":1: table one begins and does not end;"),
        (f"{OLD}<!-- roadworthy:end -->\n", ":6: a table ends that does not begin;"),
        (f"{OLD}a <!-- roadworthy:end -->\n", ":6: 'a <!-- roadworthy:end -->' is no marker of a table;"),
        (f"{OLD}<!-- roadworthy:tables one -->\n", ":6: '<!-- roadworthy:tables one -->' is no marker of a table;"),
        (f"{OLD}<!--roadworthy:table one-->\nkept\n<!--roadworthy:end-->\n", ":6: '<!--roadworthy:table one-->' is no"),
        (f"{OLD}<!-- Roadworthy:table one -->\n", ":6: '<!-- Roadworthy:table one -->' is no marker of a table;"),
        (f"{OLD}<!--\nroadworthy:table one -->\n", ":6: '<!--' is no marker of a table;"),
        (
            f"{OLD}<!-- roadworthy:table one --><!-- roadworthy:end -->",
            ":6: '<!-- roadworthy:table one --><!-- roadworthy",
        ),
    ],
)
def test_markers_that_are_no_pair_are_refused(readme, text, told):
    """What stands between a table without an end and the next one's would be lost."""
    readme.write_text(text, encoding="utf-8")

    with pytest.raises(Problem, match=rf"README\.md{re.escape(told)}.* a table stands between"):
        page.write(readme, {"one": ""})

    assert text == readme.read_text(encoding="utf-8")


@pytest.mark.parametrize(("before", "after"), [("", " "), ("", "\t "), ("  ", "")])
def test_blanks_around_a_marker_do_not_hide_its_table(readme, before, after):
    """They stay, and the table is found stale and rendered."""
    old, new = (text.replace("<!--", f"{before}<!--").replace("-->", f"-->{after}") for text in (OLD, NEW))
    readme.write_text(old, encoding="utf-8")
    told = page.check(readme, {"one": "| 1 |\n"})

    page.write(readme, {"one": "| 1 |\n"})

    assert "-old" in told.splitlines()
    assert new == readme.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "shown",
    [
        "```html\n<!-- roadworthy:table NAME -->\n<!-- roadworthy:end -->\n```\n",
        "- a\n\n  ~~~\n  <!-- roadworthy:table NAME -->\n  ~~~\n",
        "    <!-- roadworthy:table NAME -->\n",
        "Begun by `<!-- roadworthy:table NAME -->`, ended by ``<!-- roadworthy:end -->``.\n",
    ],
)
def test_markers_that_are_shown_as_code_are_text(readme, shown):
    """A page may say how tables are put into pages; other tables of it are rendered."""
    readme.write_text(f"{shown}\n{OLD}\n{shown}", encoding="utf-8")

    page.write(readme, {"one": "| 1 |\n"})

    assert f"{shown}\n{NEW}\n{shown}" == readme.read_text(encoding="utf-8")

    readme.write_text(shown, encoding="utf-8")

    with pytest.raises(Problem, match=r"README\.md: no table markers"):
        page.check(readme, {})


def test_a_table_below_code_that_shows_a_fence_is_rendered(readme):
    """The fence that is shown opens nothing."""
    shown = "```\n    ```\n    x\n    ```\n```\n"
    readme.write_text(f"{shown}\n{OLD}", encoding="utf-8")

    page.write(readme, {"one": "| 1 |\n"})

    assert f"{shown}\n{NEW}" == readme.read_text(encoding="utf-8")


def test_a_byte_order_mark_stays(readme):
    """Before a marker too."""
    readme.write_text("\ufeff" + OLD.removeprefix("# A\n"), encoding="utf-8")

    page.write(readme, {"one": "| 1 |\n"})

    assert "\ufeff" + NEW.removeprefix("# A\n") == readme.read_text(encoding="utf-8")


def test_a_page_behind_a_link_is_written_and_keeps_its_mode(readme, tmp_path):
    """The link stays, and nothing lies beside either."""
    link = tmp_path / "links" / "README.md"
    link.parent.mkdir()
    link.symlink_to(Path("..") / readme.name)
    readme.chmod(0o664)

    page.write(link, {"one": "| 1 |\n"})

    assert NEW == readme.read_text(encoding="utf-8")
    assert (0o664, True) == (stat.S_IMODE(readme.stat().st_mode), link.is_symlink())
    assert {link.parent, readme, link} == set(tmp_path.rglob("*"))


def test_a_write_that_fails_leaves_the_page(readme, monkeypatch):
    """A full disk: one sentence, and nothing beside the page."""

    def full(path: Path, text: str, **_: str) -> None:
        path.write_bytes(text.encode()[:9])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(Problem, match=r"README\.md: the page could not be written \(No space left on device\)"):
            page.write(readme, {"one": ""})

    assert OLD == readme.read_text(encoding="utf-8")
    assert [readme] == list(readme.parent.iterdir())


def test_the_ends_of_lines_stay(readme):
    """Those of Windows too, and such a page is not stale."""
    readme.write_bytes(OLD.replace("\n", "\r\n").encode())

    page.write(readme, {"one": "| 1 |\n"})

    assert NEW.replace("\n", "\r\n").encode() == readme.read_bytes()
    assert "" == page.check(readme, {"one": "| 1 |\n"})


def test_a_page_in_another_encoding_is_refused(readme):
    """The sentence says where it is none of UTF-8."""
    readme.write_bytes(b"# A\xff\n" + OLD.encode())

    with pytest.raises(Problem, match=r"README\.md: byte 3 is not UTF-8; --readme takes Markdown pages in UTF-8"):
        page.check(readme, {"one": ""})
