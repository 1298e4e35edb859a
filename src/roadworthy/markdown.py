"""Text from cards, records and tools in pages and logs: it is read as it is, and nothing in it acts."""

from __future__ import annotations

import re

MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word starts nothing
HTML = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")  # what starts a tag or a letter by its name: <= is none
NAMES = {"<": "&lt;", "&": "&amp;"}


def line(text: str) -> str:
    """Text as one line, without what is not printable: colours of a terminal, marks that turn the direction of reading."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def escaped(text: str) -> str:
    """The same in a line of Markdown or a cell of a table: it ends neither, and starts no HTML, emphasis, link or formula."""
    return HTML.sub(lambda found: NAMES[found[0]], MARKUP.sub(r"\\\g<0>", line(text)))
