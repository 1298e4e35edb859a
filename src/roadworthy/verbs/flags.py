"""The parser of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from roadworthy import __version__, training
from roadworthy.data import cityscapes
from roadworthy.verbs import pages, work
from roadworthy.words import Language

WEIGHTS = "checkpoint (default: the sample weights beside the card, else untrained ones)"


def parser() -> argparse.ArgumentParser:
    """Of all verbs; each sets `verb` to the function that does it."""
    found = argparse.ArgumentParser(prog="roadworthy", description="Acceptance of segmentation networks.")
    found.add_argument("--version", action="version", version=f"roadworthy {__version__}")
    verbs = found.add_subparsers(required=True, metavar="VERB")
    models = argparse.ArgumentParser(add_help=False)
    models.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="more model cards")

    def verb(function: Any, *, card: bool = True, dry: bool = False) -> argparse.ArgumentParser:
        text = function.__doc__.rstrip(".")
        found = verbs.add_parser(function.__name__, help=text, description=text, parents=[models])
        found.set_defaults(verb=function)
        if card:
            found.add_argument("model", metavar="MODEL", help="key of a card, such as erfnet")
        if dry:
            found.add_argument("--dry-run", action="store_true", help="look for the inputs, show what would be done")
        return found

    verb(work.doctor, card=False).add_argument("--json", action="store_true")

    add = verb(work.sample, card=False).add_argument
    add("folder", type=Path, metavar="DIR", help="a new folder")
    add("--split", choices=("train", "val"), default="val", help="other seeds for each (default: val)")
    add("--frames", type=_positive, default=cityscapes.SAMPLE_FRAMES["val"], help="how many")

    add = verb(work.preprocess, dry=True).add_argument
    add("source", type=Path, metavar="IMAGE_OR_DATA", help="a photograph, or a Cityscapes folder")
    add("out", type=Path, metavar="OUT", help="a .bin file, or a folder for them")

    add = verb(work.score, dry=True).add_argument
    add("results", type=Path, metavar="RESULT_DIR", help="files <input name>_<output>.bin, as ais_bench writes them")
    add("--data", required=True, metavar="DIR", help="the Cityscapes folder they are of")
    add("--order", type=Path, metavar="FILE", help="frame stems, one a line")
    _add_scores(add)

    add = verb(work.evaluate, dry=True).add_argument
    add("--data", default=cityscapes.SAMPLE, metavar="DIR", help="Cityscapes folder (default: the sample data)")
    _add_chip(add)
    add("--time-limit", type=float, default=900.0, metavar="S", help="seconds of silence (default: 900)")
    add("--batch", type=_positive, default=1, metavar="N", help="frames at a time (default: 1)")
    add("--out", type=Path, metavar="DIR", help="folder of the records")
    add("--keep-frames", type=int, default=0, metavar="N", help="keep the N worst frames as pictures (default: 0)")
    _add_scores(add)

    add = verb(work.export, dry=True).add_argument
    add("out", type=Path, metavar="OUT.onnx")
    add("--weights", type=Path, metavar="FILE", help=WEIGHTS)
    add("--data", default=cityscapes.SAMPLE, metavar="DIR", help="frames that show what surgery did to class maps")

    add = verb(work.demo).add_argument
    add("image", type=Path, metavar="IMAGE", help="a photograph of any size, JPEG or PNG")
    add("out", type=Path, metavar="OUT.png", help="the picture")
    _add_chip(add)

    training.add_flags(verb(work.train).add_argument)
    _add_tables(verb(pages.tables, card=False))
    _add_report(verb(pages.report, card=False).add_argument)
    _add_merge(verb(pages.merge, card=False).add_argument)
    _add_deliver(verb(pages.deliver).add_argument)

    markdown = "a Markdown page, such as a model's README.md"
    verb(pages.lint, card=False).add_argument("files", type=Path, nargs="+", metavar="FILE", help=markdown)
    return found


def _add_chip(add: Any) -> None:
    add("--weights", type=Path, metavar="FILE", help=WEIGHTS)
    add("--soc", metavar="CHIP", help="exact name (default: what the machine has; on a cpu the network in torch)")
    add("--runtime", metavar="NAME", help="how the chip is run, such as ais_bench (by files) or eager (torch)")
    add("--device", type=int, metavar="N", help="number of the device (default: the first free one of the chip)")


def _add_tables(parser: argparse.ArgumentParser) -> None:
    models = "whose tables are printed (default: all, and the summary)"
    parser.add_argument("model", nargs="*", metavar="MODEL", help=models)
    language = "print the results in this language (default: the guides' tables in their own words)"
    parser.add_argument("--language", choices=get_args(Language), help=language)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true", help="render the tables between the markers of pages")
    mode.add_argument("--check", action="store_true", help="show how pages differ from what would be rendered")
    named = "page, repeatable (default: README.md and reports/*.md)"
    parser.add_argument("--readme", type=Path, action="append", metavar="FILE", help=named)
    _add_records(parser.add_argument)


def _add_merge(add: Any) -> None:
    add("records", type=Path, nargs="+", metavar="RECORDS", help="a file, or a folder of *.jsonl")
    place = "a file, or a folder (such as OUT/) that gets their samples too (default: print JSON lines)"
    add("--out", metavar="FILE", help=place)


def _add_report(add: Any) -> None:
    add("out", type=Path, metavar="OUT.html", help="one file that needs no network")
    _add_records(add)
    add("--profile", metavar="NAME", help="require the ratios of a delivery rule too, such as modelzoo-310p")


def _add_deliver(add: Any) -> None:
    add("out", type=Path, metavar="OUT", help="a new or empty folder, or that of an earlier delivery of the model")
    add("--language", choices=("zh", "en"), default="zh", help="of the guide (default: zh)")
    _add_records(add)


def _add_records(add: Any) -> None:
    sources = (
        "a file, or a folder of *.jsonl with their samples, such as a run's, repeatable (default: reports/records)"
    )
    add("--records", type=Path, action="append", default=[], metavar="RECORDS", help=sources)


def _add_scores(add: Any) -> None:
    add("--convention", default="card", metavar="NAME", help="how mIoU is averaged: card (default), a name, or all")
    add("--json", action="store_true", help="print one JSON object")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)
