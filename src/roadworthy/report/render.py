"""The page as one file of HTML: style and script inside, everything from records escaped, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from roadworthy import whole
from roadworthy.problem import Problem
from roadworthy.report.page import Page

TEMPLATE = "page.html.j2"
HERE = Path(__file__).parent
MARK = b'<meta name="generator" content="roadworthy '
HEAD = 4096  # bytes, in which a page's mark stands


def html(page: Page) -> str:
    """The page's text; the same page gives the same text."""
    environment = Environment(
        loader=PackageLoader("roadworthy.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()  # no other script may run
    text = environment.get_template(TEMPLATE).render(
        page=page,
        style=Markup(style),  # noqa: S704  ours
        script=Markup(script),  # noqa: S704  ours
        digest=digest,
        drawn=Markup,  # of charts, which escape their words
    )
    return (
        text.lstrip().encode(errors="backslashreplace").decode()
    )  # half a character, which UTF-8 has not, as its escape


def check(out: Path) -> None:
    """Raise Problem where no file can be written at `out`, or one that is no older report; nothing is written."""
    if out.is_dir():
        raise Problem(f"{out}: is a folder; the report goes into a file such as {out / 'report.html'}")
    if not out.parent.is_dir():
        raise Problem(f"{out}: there is no folder {out.parent}; name a file in one that is there")
    folder = Path(os.path.realpath(out)).parent  # where a link leads
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Problem(f"{out}: the folder {folder} cannot be written to; name a file in another")
    if out.is_file() and not _is_report(out):
        raise Problem(f"{out}: is no report of roadworthy, and would be lost; name a new file")


def write(page: Page, out: Path) -> None:
    """Write the page, whole or not at all; raises Problem naming the file that could not be written."""
    check(out)
    text = html(page)
    with whole.written(out, "report") as part:
        part.write_text(text, encoding="utf-8")


def _is_report(path: Path) -> bool:
    """Whether a file is an older report, or empty."""
    with path.open("rb") as file:
        begun = file.read(HEAD)
    return not begun or MARK in begun
