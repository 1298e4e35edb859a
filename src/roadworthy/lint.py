"""Lint of published tables: each cell that does not follow from the figures beside it, and what it should be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from roadworthy import printed
from roadworthy.claim import Claim
from roadworthy.figure import Figure, printable, up
from roadworthy.printed import Column, Printed, Row, Subject

CERTAIN = 5  # digits from which two figures that differ in one of them are the same one, mistyped
LOST = re.compile(r"内存|失败|不支持|memory|\boom\b|fail|unsupported")
Key = tuple[tuple[Subject, ...], int | str]


@dataclass(frozen=True)
class Finding:
    """A cell that does not follow."""

    line: int
    index: int
    column: str
    row: str
    found: str
    wanted: str
    because: str

    def __str__(self) -> str:
        row = f"row {self.row}, " if self.row else ""
        return f"{self.line}: {row}column {self.column}: {self.found} should be {self.wanted}: {self.because}"


@dataclass(frozen=True)
class Report:
    """What a page has: tables with columns of chips, cells that were recomputed, findings, and what could not be judged."""

    tables: int
    cells: int
    findings: tuple[Finding, ...]
    unjudged: tuple[str, ...]


def lint(path: Path) -> Report:
    """The report of a Markdown file; raises Problem for one that cannot be read."""
    return judge(printed.read(path))


def judge(tables: Sequence[Printed]) -> Report:
    """The report of the tables of one page."""
    claims: list[Claim] = []
    unjudged: list[str] = []
    for table in tables:
        claims += _bests(table)
        for column in table.ratios:
            above, below = (_operand(table, column, side) for side in column.of)
            if above is not None and below is not None:
                claims += _without_noughts(_ratios(table, column, above, below))
                continue
            lost = column.of[above is not None]
            name = lost.chip + "-AOE" * lost.tuned
            unjudged.append(f"{table.line}: column {column.head}: the table has no one column of throughput of {name}")
    claims += _repeated(tables, claims)
    findings = [_finding(claim) for claim in claims if not claim.follows] + [f for t in tables for f in _baseless(t)]
    findings.sort(key=lambda finding: (finding.line, finding.index))
    return Report(len(tables), len(claims), tuple(findings), tuple(unjudged))


def _finding(claim: Claim) -> Finding:
    why = "; ".join(filter(None, [claim.because, claim.cause]))
    return Finding(claim.line, claim.index, claim.column, claim.row, claim.figure.text, claim.wanted, why)


def _above(table: Printed, best: Row) -> list[Row]:
    """The rows that a row of best batches speaks of: those above it, up to another such row."""
    rows = list(table.rows[: table.rows.index(best)])
    last = max((i for i, row in enumerate(rows) if row.best), default=-1)
    return rows[last + 1 :]


def _highest(rows: Sequence[Row], column: Column) -> tuple[Row, Figure] | None:
    """The row of a column's highest throughput, and the figure there."""
    found = [(row, figure) for row in rows if (figure := row.figure(column))]
    speeds = column.of[0].kind in ("", "throughput")
    return max(found, key=lambda pair: pair[1].value) if found and speeds else None


def _bests(table: Printed) -> list[Claim]:
    """The figures of rows of best batches: each the highest of the rows above it."""
    found = []
    for row in filter(lambda row: row.best, table.rows):
        rows = _above(table, row)
        for column in table.figures:
            figure, highest = row.figure(column), _highest(rows, column)
            if figure is None or highest is None or figure.digits == str(highest[0].key):  # that is the batch itself
                continue
            because = f"the highest of the rows above is {highest[1].text}, of {highest[0].label}"
            known = {other.label: other.figure(column) for other in rows}
            others = {f"that is the figure of {name}": other.value for name, other in known.items() if other}
            value, digits = highest[1].value, highest[1].decimals
            found.append(Claim(row.line, column.index, column.head, row.label, figure, value, because, digits, others))
    return found


def _operand(table: Printed, ratio: Column, side: Subject) -> Column | None:
    """The one column of figures that a side of a ratio speaks of."""
    chips = [column for column in table.figures if column.of[0].chip == side.chip and column.of[0].kind != "latency"]
    found = [column for column in chips if column.of[0].tuned == side.tuned]
    if not found and not side.tuned:
        found = chips  # of a table with tuned figures alone, whose ratios need not say so
    kinds = {ratio.of[0].kind} if ratio.of[0].kind else {"throughput", ""}
    if len(found) > 1:
        found = [column for column in found if column.of[0].kind in kinds]
    return found[0] if len(found) == 1 else None


def _ratios(table: Printed, column: Column, above: Column, below: Column) -> list[Claim]:
    """A ratio of every row that has both figures; that of best batches is the highest figure over the highest."""
    found: list[Claim] = []
    for row in table.rows:
        rows = _above(table, row) if row.best else []
        one, other = (_figure(row, rows, side) for side in (above, below))
        shown = row.figure(column)
        if shown is None or one is None or other is None or not one.value or not other.value:
            continue
        scale = 100 if shown.percent else 1
        value = scale * one.value / other.value
        others = {"that is the other way round": scale * other.value / one.value}
        if row.best:
            others |= {f"that is the ratio of {claim.row}": claim.value for claim in found}
        near = max(4, shown.decimals + 2)
        best = ", best over best" if rows else ""
        because = f"{one.text} / {other.text} is {printable(up(value, near), near)}{'%' * shown.percent}{best}"
        least, most = _span(one, other)
        claim = Claim(row.line, column.index, column.head, row.label, shown, value, because, others=others)
        found.append(replace(claim, span=(scale * least, scale * most)))
    return found


def _baseless(table: Printed) -> list[Finding]:
    """Ratios of rows in which a batch that does not fit, or failed, stands for a figure."""
    found = []
    for column in table.ratios:
        sides = [side for subject in column.of if (side := _operand(table, column, subject))]
        for row in table.rows:
            shown = row.figure(column)
            words = [(side, row.text(side)) for side in sides if row.figure(side) is None and not row.best]
            said = [f"{side.head} is {text}" for side, text in words if LOST.search(text.lower())]
            if shown and said:
                why = f"{' and '.join(said)}, of which there is no ratio"
                found.append(Finding(row.line, column.index, column.head, row.label, shown.text, "/", why))
    return found


def _figure(row: Row, above: Sequence[Row], column: Column) -> Figure | None:
    highest = _highest(above, column)
    return highest[1] if highest else row.figure(column)


def _span(one: Figure, other: Figure) -> tuple[Fraction, Fraction]:
    half, under = Fraction(1, 2 * 10**one.decimals), Fraction(1, 2 * 10**other.decimals)
    least = (one.value - half) / (other.value + under)
    return least, (one.value + half) / (other.value - under) if other.value > under else least


def _without_noughts(column: list[Claim]) -> list[Claim]:
    """Where a column cuts digits off, a cell with fewer decimals than all others of it has lost noughts: 1.60 as 1.6."""
    if not any(claim.cut for claim in column):
        return column
    decimals = sorted(claim.decimals for claim in column)
    if len(column) == 1 or decimals[0] == decimals[1]:
        return column
    lost = [replace(c, padded=decimals[1]) if c.decimals == decimals[0] and c.follows else c for c in column]
    return [padded if padded.cut else claim for claim, padded in zip(column, lost, strict=True)]


def _repeated(tables: Sequence[Printed], claims: Sequence[Claim]) -> list[Claim]:
    """Cells that a larger table, or an earlier one as large, has too, where nothing in their own table decides.

    Two columns tell of one measurement where most of their common cells agree; of two that do not, only a figure of many
    digits that is plainly the other one, mistyped, is taken for a copy.
    """
    decided = {(claim.line, claim.index): claim for claim in claims}
    order = sorted(tables, key=lambda t: (-sum(r.figure(c) is not None for r in t.rows for c in t.figures), t.line))
    known = [_known(table, decided) for table in order]
    known = [cells | _implied(table, cells) for table, cells in zip(order, known, strict=True)]
    found: dict[tuple[int, int], Claim] = {}
    for i, table in enumerate(order):
        own = _known(table, {})
        for source in known[:i]:
            for column in [*table.figures, *table.ratios]:
                taken = decided.keys() | found.keys()
                common = [
                    replace(source[key], line=c.line, index=c.index, column=c.column, row=c.row, figure=c.figure)
                    for key, c in own.items()
                    if c.index == column.index and (c.line, c.index) not in taken and key in source
                ]
                same = 2 * sum(c.follows for c in common) > len(common)
                copies = [c for c in common if same or (c.mistyped and len(c.figure.digits) > CERTAIN)]
                found |= {(c.line, c.index): c for c in copies}
    return list(found.values())


def _known(table: Printed, decided: dict[tuple[int, int], Claim]) -> dict[Key, Claim]:
    """What a table says of each cell, as it should be, by column and row; names that several columns or rows have are left out."""
    found: dict[Key, Claim] = {}
    rows, columns = Counter(row.key for row in table.rows), Counter(column.of for column in table.columns)
    for column in (c for c in [*table.figures, *table.ratios] if columns[c.of] == 1):
        for row in (row for row in table.rows if rows[row.key] == 1):
            if figure := row.figure(column):
                claim = decided.get((row.line, column.index))
                value, digits = (claim.value, claim.digits) if claim else (figure.value, figure.decimals)
                text = figure.text if claim is None or claim.follows else claim.wanted
                because = f"the same cell is {text} in line {row.line}"
                own = Claim(row.line, column.index, column.head, row.label, figure, value, because, digits)
                found[column.of, row.key] = own
    return found


def _implied(table: Printed, known: dict[Key, Claim]) -> dict[Key, Claim]:
    """What a table without a row of best batches says of them: each column's highest figure."""
    if any(row.best for row in table.rows):
        return {}
    highest = {column.of: found[0].key for column in table.figures if (found := _highest(table.rows, column))}
    return {(of, "best"): known[of, key] for of, key in highest.items() if (of, key) in known}
