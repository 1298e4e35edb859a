"""Printed tables: those of a Markdown page that have columns of chips, figures as they stand there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy import prose
from roadworthy.figure import Figure
from roadworthy.problem import Problem

KINDS = {  # of figures, by the words of heads and of the lines before a table
    "throughput": r"吞吐率|吞吐量|吞吐|性能|帧率|throughput|performance|fps",
    "accuracy": r"精度|准确率|accuracy|precision|miou|iou|map|acc",
    "latency": r"时延|延时|耗时|latency",
}
CHIPS = {"310p": "310P", "310p3": "310P", "710": "310P", "310": "310", "t4": "T4"}  # 710 is 310P's older name
OTHERS = {"gpu": "GPU", "v100": "V100", "a100": "A100"}
WORD = re.compile(
    "|".join([
        r"(?P<unit>(?:images?|imgs?|samples?|张|帧)/s(?:ec)?|/(?:card|卡)|ms|%)",
        r"(?P<chip>310p3|310p|310|710|t4|gpu|v100|a100)(?!\d)",
        r"(?P<tuned>aoe(?:自动)?(?:调优|优化)?后?)",
        *(f"(?P<{kind}>{words})" for kind, words in KINDS.items()),
        r"(?P<over>[/÷])",
        r"(?P<glue>ascend|昇腾|nvidia|tesla|比值|比|倍数|ratio|的|[-_+&()\[\]:])",
        r"(?P<strange>.)",
    ])
)  # fmt: skip
BEST = re.compile(
    r"(?:性能|吞吐率|batch|bs)?(?:最优|最佳|best)(?:batch(?:_?size)?|bs|批次?|性能|吞吐率|fps|throughput|值|[-_:()])*"
)
BATCH = re.compile(r"(?:batch(?:_?size)?|bs|批)[-_=:(]*(\d{1,9})\)?|(\d{1,9})")
NAMED_BATCH = re.compile(r"\(?(?:batch(?:_?size)?|bs)[-_=:\s]*\d+\)?", re.IGNORECASE)
NUMBER = re.compile(r"(?<![\d.])(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,18})(?:\.\d{1,18})?(?![\d.])")
RULE = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
MARKS = re.compile(
    r"<sup>.*?</sup>|<[^<>]*>|\*+|`+|~~|\[\^[^\]]*\]|[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]+", re.DOTALL
)
MARGIN = re.compile(r"^[\s>]+")


@dataclass(frozen=True)
class Subject:
    """What figures are of: a chip, tuned by AOE or not, and their kind; "" where the page does not say."""

    chip: str
    tuned: bool
    kind: str


@dataclass(frozen=True)
class Column:
    """A column: figures of one subject, ratios of two, or anything else."""

    index: int
    head: str
    of: tuple[Subject, ...] = ()
    percent: bool = False


@dataclass(frozen=True)
class Row:
    """A row: its line in the file, its cells, and what names it."""

    line: int
    cells: tuple[str, ...]
    label: str

    @property
    def best(self) -> bool:
        """Whether it repeats every chip's best batch; one that names a batch does not."""
        return BEST.fullmatch(_plain(self.label)) is not None

    @property
    def key(self) -> int | str:
        """What the same row of another table is found by: the batch size, `best`, or the label."""
        found = BATCH.fullmatch(_plain(self.label))
        return "best" if self.best else int(found[1] or found[2]) if found else _plain(self.label)

    def text(self, column: Column) -> str:
        """What stands in a cell; nothing where the row ends before it."""
        return _markless(self.cells[column.index]) if column.index < len(self.cells) else ""

    def figure(self, column: Column) -> Figure | None:
        """The one number of a cell; None of a cell with several, or with words alone."""
        plain = NAMED_BATCH.sub("", unicodedata.normalize("NFKC", self.text(column)))
        numbers = NUMBER.findall(plain)
        sign = "%" * ("%" in plain)
        return Figure(numbers[0] + sign, bool(sign) or column.percent) if len(numbers) == 1 else None


@dataclass(frozen=True)
class Printed:
    """A table with columns of chips."""

    line: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def figures(self) -> list[Column]:
        """The columns of one chip each."""
        return [column for column in self.columns if len(column.of) == 1]

    @property
    def ratios(self) -> list[Column]:
        """The columns of one chip over another."""
        return [column for column in self.columns if len(column.of) == 2]


def read(path: Path) -> list[Printed]:
    """The tables of a page with a column of 310, 310P or T4; raises Problem for a file that is no page."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}; lint takes Markdown files") from None
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: byte {error.start} is not UTF-8; lint takes Markdown files in UTF-8") from None
    return find(text)


def find(text: str) -> list[Printed]:
    """The same of a page's text."""
    tables = [_table(*found) for found in _grids(_prose(text.split("\n")))]
    return [table for table in tables if any(s.chip in CHIPS.values() for c in table.columns for s in c.of)]


def _prose(lines: Sequence[str]) -> list[str]:
    """Lines without the marks of quotes around them, those of code and of comments blank."""
    kinds = prose.kinds(lines)
    return [MARGIN.sub("", line).rstrip() if kind == "text" else "" for line, kind in zip(lines, kinds, strict=True)]


def _grids(lines: Sequence[str]) -> Iterator[tuple[int, list[list[str]], str]]:
    """Every pipe table: the line of its head, its head and rows, the kind that the words before it name."""
    end = 0
    for i in range(1, len(lines)):
        if i <= end or "|" not in lines[i - 1] or "|" not in lines[i] or not RULE.fullmatch(lines[i]):
            continue
        start, rows = i - 1, [_split(lines[i - 1])]
        end = i
        while end + 1 < len(lines) and "|" in lines[end + 1]:
            end += 1
            rows.append(_split(lines[end]))
        yield start + 1, rows, _kind(lines[:start])


def _split(line: str) -> list[str]:
    inner = re.sub(r"^(?:[-*+]\s+)?\|", "", line)
    inner = re.sub(r"(?<!\\)\|$", "", inner)
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _kind(before: Sequence[str]) -> str:
    """The kind of figures that the nearest words name, up to the heading; "" where they name none or several."""
    for line in reversed(before):
        if "|" in line:
            break
        found = [kind for kind, words in KINDS.items() if re.search(f"(?<![a-z])(?:{words})(?![a-z])", line.lower())]
        if found or line.startswith("#"):
            return found[0] if len(found) == 1 else ""
    return ""


def _table(line: int, grid: list[list[str]], kind: str) -> Printed:
    head, *rows = grid
    columns = tuple(_column(index, text, kind) for index, text in enumerate(head))
    batch = next((c.index for c in columns if not c.of and re.match(r"batch|bs\b|批", _plain(c.head))), None)
    label = next((c.index for c in columns if not c.of), 0) if batch is None else batch
    named = [_markless(cells[label]) if not columns[label].of and label < len(cells) else "" for cells in rows]
    found = [Row(line + 2 + i, tuple(cells), name) for i, (cells, name) in enumerate(zip(rows, named, strict=True))]
    return Printed(line, columns, tuple(found))


def _column(index: int, head: str, kind: str) -> Column:
    """What a head says, word by word; a head with a word that is none of ours is anything else."""
    plain = _plain(head)
    words = [(str(match.lastgroup), match[0]) for match in WORD.finditer(plain)]
    groups = [group for group, _ in words]
    kinds = {group for group in groups if group in KINDS} | ({"latency"} if ("unit", "ms") in words else set())
    sides: list[list[tuple[str, str]]] = [[]]
    for word in words:
        if word[0] == "over":
            sides.append([])
        else:
            sides[-1].append(word)
    chips = [_chip(side) for side in sides]
    if "strange" in groups or len(kinds) > 1 or len(chips) > 2 or None in chips:
        return Column(index, _markless(head))
    named = next(iter(kinds), kind if len(chips) == 1 else "")
    of = tuple(Subject(chip[0], chip[1], named) for chip in chips if chip)
    return Column(index, _markless(head), of, percent="%" in plain)


def _chip(words: Sequence[tuple[str, str]]) -> tuple[str, bool] | None:
    """The one chip that words name, and whether tuned; `aoe` alone is the tuned 310P."""
    chips = [text for group, text in words if group == "chip"]
    tuned = any(group == "tuned" for group, _ in words)
    if not chips and tuned:
        return "310P", True
    return ((CHIPS | OTHERS)[chips[0]], tuned) if len(chips) == 1 else None


def _markless(text: str) -> str:
    """Text without Markdown's, HTML's and footnotes' marks, runs of blanks made one."""
    return " ".join(MARKS.sub(" ", text).split())


def _plain(text: str) -> str:
    """The same in small letters without blanks, full-width ones made ordinary."""
    return "".join(unicodedata.normalize("NFKC", _markless(text)).lower().split())
