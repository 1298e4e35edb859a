"""Verbs that read records and pages: what is shown, joined, delivered, and found not to follow."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from roadworthy import record
from roadworthy.problem import Problem
from roadworthy.verbs import given

FOUND, BAD_INPUT = 1, 2  # exit status of lint; the larger one counts


def tables(options: argparse.Namespace) -> int:
    """Print the guides' tables, render them in pages, or check that pages have them."""
    from roadworthy import tables as renderer  # noqa: PLC0415

    found = given.cards(options)
    records = given.records(options, found)
    every = list(found.values())
    if wrong := [name for name in options.model if name not in found]:
        raise Problem(f"{wrong[0]}: there is no such model; known: {', '.join(found)}")
    if options.model and (options.write or options.check):
        raise Problem(f"{options.model[0]}: --write and --check take whole pages; a model is named to print its tables")
    if options.language and (options.write or options.check):
        right = "--write and --check take each table in the language of its marker, such as summary.zh"
        raise Problem(f"--language {options.language}: {right}; a language is named to print")
    if options.write:
        for path in _pages(options):
            renderer.write(path, every, records)
        return 0
    if options.check:
        stale = {path: renderer.check(path, every, records) for path in _pages(options)}
        for path in filter(stale.get, stale):
            print(stale[path], end="")
            print(f"{path} is stale; `roadworthy tables --write --readme {path}` renders it anew", file=sys.stderr)
        return int(any(stale.values()))
    language = options.language
    texts = {} if options.model else {"summary": renderer.summary(every, records, language or "en")}
    for name in options.model or found:
        told = {f"{name}.{language}": renderer.results(found[name], records, language)} if language else {}
        texts |= told or renderer.of_card(found[name], records)
    print("\n".join(f"{name}\n\n{text}" for name, text in texts.items()), end="")
    return 0


def report(options: argparse.Namespace) -> None:
    """Write one page of HTML: verdicts, throughput, classes, history, worst frames, environment, commands."""
    from roadworthy.report import writing  # noqa: PLC0415

    folders = options.records or given.committed()  # without any, the guides' figures are the report
    writing.report(options.out, given.cards(options), folders, options.profile, given.tell)
    print(options.out)


def merge(options: argparse.Namespace) -> None:
    """Join records of several machines: each once, oldest first; two that contradict each other are refused."""
    from roadworthy import merge as joiner  # noqa: PLC0415

    lines = joiner.read(options.records, given.tell)
    records = joiner.joined(lines)
    if options.out is None:
        sys.stdout.buffer.write(b"".join(map(record.line, records)))  # UTF-8, whatever a terminal is set to
    elif joiner.is_folder(options.out):
        joiner.write_folder(Path(options.out), lines, records, given.tell)
    else:
        joiner.write_file(Path(options.out), records)
    twice = len(lines) - len(records)
    given.tell(f"{len(records)} record{'s' * (len(records) != 1)}, {twice} duplicate{'s' * (twice != 1)} left out")


def lint(options: argparse.Namespace) -> int:
    """Find the cells of published tables (310, 310P, T4) that do not follow from the figures beside them."""
    from roadworthy import lint as linter  # noqa: PLC0415

    status = 0
    for path in dict.fromkeys(options.files):
        try:
            report = linter.lint(path)
        except Problem as problem:  # the other files are none the worse for it
            given.tell(f"roadworthy: {problem}")
            status = BAD_INPUT
            continue
        for finding in report.findings:
            print(f"{path}:{finding}")
        for line in report.unjudged:
            given.tell(f"{path}:{line}, so that it is not recomputed")
        if not report.tables:
            given.tell(f"{path}: no table has a column of 310, 310P or T4")
        elif not report.cells:
            given.tell(f"{path}: no cell of its tables follows from others, so that none is recomputed")
        status = max(status, FOUND * bool(report.findings))
    return status


def deliver(options: argparse.Namespace) -> None:
    """Write what goes to the model zoo: modelzoo_level.txt, and the model's guide as README.md."""
    from roadworthy import deliver as delivery  # noqa: PLC0415

    card, records = given.card(options), given.records(options, given.cards(options))
    for level in delivery.write(card, records, options.out, options.language):
        status = level.status or "left out"
        given.tell(f"{level.key}: {status}: {level.because('en')}")
    for name in (delivery.LEVELS, delivery.GUIDE):
        print(options.out / name)


def _pages(options: argparse.Namespace) -> list[Path]:
    return options.readme or [Path("README.md"), *sorted(Path("reports").glob("*.md"))]
