"""The command line: figures on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from roadworthy import card as cards
from roadworthy import record, runtimes, terminal, training
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.data import cityscapes
from roadworthy.problem import Problem, Unavailable
from roadworthy.record import UNTRAINED, Record
from roadworthy.runtimes import devices, om
from roadworthy.words import Language

if TYPE_CHECKING:
    from roadworthy.workshop import Share

IN_TORCH = "eager"  # what a checkpoint is evaluated by where no chip is named, and what it was trained by
RECORDS = Path("reports/records")
USAGE, CHIP_IS_MISSING, INTERRUPTED = 2, 4, 130
WEIGHTS = "checkpoint (default: the sample weights beside the card, else untrained ones)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit status as the README says."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.verb(options) or 0)
    except Unavailable as problem:
        print(f"roadworthy: {problem}", file=sys.stderr)
        return CHIP_IS_MISSING
    except Problem as problem:
        print(f"roadworthy: {problem}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"roadworthy: {error.filename}: {error.strerror}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("roadworthy: interrupted", file=sys.stderr)
        return INTERRUPTED


def doctor(options: argparse.Namespace) -> None:
    """What this machine can run, what is missing for the rest, how to get it."""
    reasons: dict[tuple[str, str], str | None] = {}
    for chip in (chip for chip in chips.socs().values() if not chip.unnamed):
        for card in _cards(options).values():
            case = Case(card, chip, 1)
            reasons.setdefault((chip.name, case.runtime), runtimes.missing(case))
    chips_here, tools = devices.inventory(), om.tools()
    if options.json:
        socs = [{"soc": s, "runtime": r, "missing": why} for (s, r), why in reasons.items()]
        print(json.dumps({"socs": socs, "devices": chips_here, "tools": tools}))
        return
    for (name, runtime), why in reasons.items():
        print(f"{'ok     ' if why is None else 'missing'}  {name:16} {runtime:16} {why or ''}".rstrip())
    for facts in chips_here:
        print(f"device   {', '.join(f'{key} {value}' for key, value in facts.items())}")
    for name, found in tools.items():
        print(f"tool     {name:16} {found}")


def sample(options: argparse.Namespace) -> None:
    """Write the sample data set."""
    from roadworthy import pipeline  # noqa: PLC0415

    if options.folder.exists() and any(options.folder.iterdir()):
        raise Problem(f"{options.folder}: the folder is not empty; name a new one")
    with terminal.counted("drawing frames") as progress:
        pipeline.write_sample(options.folder, options.split, options.frames, progress)
    print(options.folder)


def preprocess(options: argparse.Namespace) -> None:
    """Write the network's input: one .bin file for a photograph, or a folder of them for a data set."""
    from roadworthy import rehearsal, results  # noqa: PLC0415

    card = _card(options)
    if options.dry_run:
        _show(rehearsal.preprocess(card, options.source, options.out))
        return
    with terminal.counted("pre-processing") as progress:
        results.write_inputs(card, options.source, options.out, progress)


def score(options: argparse.Namespace) -> None:
    """Count the mIoU of a folder of result files."""
    from roadworthy import pipeline, rehearsal, results  # noqa: PLC0415

    card = _card(options)
    dataset = pipeline.open_data(options.data, card)
    names = pipeline.conventions(card, options.convention)
    if options.order:
        dataset = cityscapes.read_order(options.order, dataset)
    if options.dry_run:
        _show(rehearsal.score(card, options.results, dataset))
        return
    with terminal.counted("scoring") as progress:
        evaluation = results.score_results(card, options.results, dataset, progress)
    summary = results.summary_of(options.results)
    print(f"results: {f'those of {summary}' if summary else 'all files, there is no summary'}", file=sys.stderr)
    _print_scores(pipeline.scores(card, evaluation, names), options)


def evaluate(options: argparse.Namespace) -> None:
    """The streaming accuracy run without pytest; under torchrun -m roadworthy, every process takes a share of the frames."""
    with training.one_voice():
        if options.time_limit <= 0:
            raise Problem(f"--time-limit {options.time_limit:g}: a case may be silent for more than 0 seconds")
        if options.keep_frames < 0:
            raise Problem(f"--keep-frames {options.keep_frames}: it must be 0 (none is kept) or more")
        if options.dry_run:
            from roadworthy import pipeline, rehearsal  # noqa: PLC0415

            case = _case(options, options.batch, _tell)
            pipeline.conventions(case.card, options.convention)
            _show(rehearsal.evaluate(case, options.data, options.weights, options.device))
            return
        with training.shared() as share:
            _evaluate(options, share)


def _evaluate(options: argparse.Namespace, share: Share) -> None:
    from roadworthy import cache, pipeline  # noqa: PLC0415
    from roadworthy.run import Run  # noqa: PLC0415
    from roadworthy.workshop import Manner  # noqa: PLC0415

    tell = _tell if share.first else lambda _: None
    case = _case(options, options.batch, tell)
    names = pipeline.conventions(case.card, options.convention)
    with terminal.counted("frames", shown=share.first) as progress, tempfile.TemporaryDirectory() as other:
        manner = Manner(
            options.device, options.time_limit, tell, progress, share=share, keep_frames=options.keep_frames
        )
        out = (options.out or cache.run_folder()) if share.first else Path(other)
        run = Run(out, options.data, options.weights, manner)
        found = run.accuracy(case)[0]
        if found.value is None:
            raise Problem(f"{case.id}: {found.outcome}: {found.detail}")
        evaluation = run.evaluation(case)
    if not share.first:
        return
    print(f"records: {run.out}/records.jsonl", file=sys.stderr)
    origin = {"data": found.data, "weights": found.weights}
    how = f"{case.runtime}, in torch; --soc cpu runs the graph" if case.runtime == IN_TORCH else case.runtime
    print(f"data: {found.data}, weights: {found.weights}, runtime: {how}", file=sys.stderr)
    _print_scores([{**row, **origin} for row in pipeline.scores(case.card, evaluation, names)], options)


def export(options: argparse.Namespace) -> None:
    """ONNX after surgery, with its ledger beside it."""
    from roadworthy import pipeline, rehearsal  # noqa: PLC0415

    card = _card(options)
    if options.dry_run:
        _show(rehearsal.export(card, options.weights, options.data, options.out))
        return
    weights = pipeline.weights_file(card, options.weights)
    if weights.name.startswith(UNTRAINED):
        print(f"weights of {card.key}: untrained; --weights takes {card.weights}", file=sys.stderr)
    ledger = pipeline.write_graph(card, weights, pipeline.open_data(options.data, card), options.out)
    for entry in ledger:
        print(f"{entry.name}: {len(entry.touched)} found: {', '.join(entry.touched)}")
        changed = "no value changed" if entry.before == entry.after else "values changed"
        print(f"  {changed}: sha256 {entry.before} -> {entry.after}")
        print(f"  on {entry.frames} frames: {entry.agreement:.4%} of pixels agree, mIoU {entry.miou_delta:+.6f}")


def demo(options: argparse.Namespace) -> None:
    """Draw the class map of a photograph over it, beside the photograph, with a legend."""
    from roadworthy import demo as painter  # noqa: PLC0415
    from roadworthy.workshop import Manner  # noqa: PLC0415

    case = _case(options, 1, _tell)
    with terminal.counted("photograph") as progress:
        manner = Manner(options.device, tell=_tell, progress=progress)
        found = painter.show(case, options.image, options.out, options.weights, manner)
    print(options.out)
    print(", ".join(painter.words(found)))


def train(options: argparse.Namespace) -> int:
    """Train a network: in one process, or in many under torchrun -m roadworthy.train."""
    return training.train(_card(options), options)


def tables(options: argparse.Namespace) -> int:
    """Print the guides' tables, render them in pages, or check that pages have them."""
    from roadworthy import tables as renderer  # noqa: PLC0415

    found, records = _cards(options), _records([options.records] if options.records else [])
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

    committed = [RECORDS] if any(RECORDS.glob("*.jsonl")) else []  # without any, the guides' figures are the report
    writing.report(options.out, _cards(options), options.records or committed, options.profile, _tell)
    print(options.out)


def merge(options: argparse.Namespace) -> None:
    """Join records of several machines: each once, oldest first; two that contradict each other are refused."""
    from roadworthy import merge as joiner  # noqa: PLC0415

    lines = joiner.read(options.records, _tell)
    records = joiner.joined(lines)
    if options.out is None:
        for row in records:
            print(record.line(row).decode(), end="")
    elif joiner.is_folder(options.out):
        joiner.write_folder(Path(options.out), lines, records, _tell)
    else:
        joiner.write_file(Path(options.out), records)
    _tell(f"{len(records)} records, {len(lines) - len(records)} duplicates left out")


def lint(options: argparse.Namespace) -> int:
    """Find the cells of published tables (310, 310P, T4) that do not follow from the figures beside them."""
    from roadworthy import lint as linter  # noqa: PLC0415

    reports = {path: linter.lint(path) for path in options.files}
    for path, report in reports.items():
        for finding in report.findings:
            print(f"{path}:{finding}")
        for line in report.unjudged:
            _tell(f"{path}:{line}, so that it is not recomputed")
        if not report.tables:
            _tell(f"{path}: no table has a column of 310, 310P or T4")
        elif not report.cells:
            _tell(f"{path}: no cell of its tables follows from others, so that none is recomputed")
    return int(any(report.findings for report in reports.values()))


def deliver(options: argparse.Namespace) -> None:
    """Write what goes to the model zoo: modelzoo_level.txt, and the model's guide as README.md."""
    from roadworthy import deliver as delivery  # noqa: PLC0415

    card = _card(options)
    for level in delivery.write(card, _records(options.records), options.out, options.language):
        status = level.status or "left out"
        _tell(f"{level.key}: {status}: {level.because('en')}")
    for name in (delivery.LEVELS, delivery.GUIDE):
        print(options.out / name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="roadworthy", description="Acceptance of segmentation networks.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
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

    verb(doctor, card=False).add_argument("--json", action="store_true")

    add = verb(sample, card=False).add_argument
    add("folder", type=Path, metavar="DIR", help="a new folder")
    add("--split", choices=("train", "val"), default="val", help="other seeds for each (default: val)")
    add("--frames", type=_positive, default=cityscapes.SAMPLE_FRAMES["val"], help="how many")

    add = verb(preprocess, dry=True).add_argument
    add("source", type=Path, metavar="IMAGE_OR_DATA", help="a photograph, or a Cityscapes folder")
    add("out", type=Path, metavar="OUT", help="a .bin file, or a folder for them")

    add = verb(score, dry=True).add_argument
    add("results", type=Path, metavar="RESULT_DIR", help="files <input name>_<output>.bin, as ais_bench writes them")
    add("--data", required=True, metavar="DIR", help="the Cityscapes folder they are of")
    add("--order", type=Path, metavar="FILE", help="frame stems, one a line")
    _add_scores(add)

    add = verb(evaluate, dry=True).add_argument
    add("--data", default=cityscapes.SAMPLE, metavar="DIR", help="Cityscapes folder (default: the sample data)")
    _add_chip(add)
    add("--time-limit", type=float, default=900.0, metavar="S", help="seconds of silence (default: 900)")
    add("--batch", type=_positive, default=1, metavar="N", help="frames at a time (default: 1)")
    add("--out", type=Path, metavar="DIR", help="folder of the records")
    add("--keep-frames", type=int, default=0, metavar="N", help="keep the N worst frames as pictures (default: 0)")
    _add_scores(add)

    add = verb(export, dry=True).add_argument
    add("out", type=Path, metavar="OUT.onnx")
    add("--weights", type=Path, metavar="FILE", help=WEIGHTS)
    add("--data", default=cityscapes.SAMPLE, metavar="DIR", help="frames that show what surgery did to class maps")

    add = verb(demo).add_argument
    add("image", type=Path, metavar="IMAGE", help="a photograph of any size, JPEG or PNG")
    add("out", type=Path, metavar="OUT.png", help="the picture")
    _add_chip(add)

    training.add_flags(verb(train).add_argument)
    _add_tables(verb(tables, card=False))
    _add_report(verb(report, card=False).add_argument)
    _add_merge(verb(merge, card=False).add_argument)
    _add_deliver(verb(deliver).add_argument)

    pages = "a Markdown page, such as a model's README.md"
    verb(lint, card=False).add_argument("files", type=Path, nargs="+", metavar="FILE", help=pages)
    return parser


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
    pages = "page, repeatable (default: README.md and reports/*.md)"
    parser.add_argument("--readme", type=Path, action="append", metavar="FILE", help=pages)
    place = "of *.jsonl files (default: reports/records)"
    parser.add_argument("--records", type=Path, metavar="DIR", help=place)


def _add_merge(add: Any) -> None:
    add("records", type=Path, nargs="+", metavar="RECORDS", help="a file, or a folder of *.jsonl")
    place = "a file, or a folder (such as OUT/) that gets their samples too (default: print JSON lines)"
    add("--out", metavar="FILE", help=place)


def _add_report(add: Any) -> None:
    add("out", type=Path, metavar="OUT.html", help="one file that needs no network")
    folders = "a folder of *.jsonl and samples, such as a run's, repeatable (default: reports/records)"
    add("--records", type=Path, action="append", metavar="DIR", help=folders)
    add("--profile", metavar="NAME", help="require the ratios of a delivery rule too, such as modelzoo-310p")


def _add_deliver(add: Any) -> None:
    add("out", type=Path, metavar="OUT", help="a new or empty folder, or that of an earlier delivery of the model")
    add("--language", choices=("zh", "en"), default="zh", help="of the guide (default: zh)")
    place = "of *.jsonl files, repeatable (default: reports/records)"
    add("--records", type=Path, action="append", default=[], metavar="DIR", help=place)


def _records(named: Sequence[Path]) -> list[Record]:
    """The records of the folders named, or the committed ones; raises Problem for one named that has none."""
    for folder in named:
        if not folder.is_dir():
            raise Problem(f"{folder}: there is no such folder; --records takes one of *.jsonl files")
        if not any(folder.glob("*.jsonl")):
            raise Problem(f"{folder}: there is no *.jsonl in this folder; a run writes records.jsonl")
    return [row for folder in named or [RECORDS] for row in record.read_folder(folder)]


def _pages(options: argparse.Namespace) -> list[Path]:
    return options.readme or [Path("README.md"), *sorted(Path("reports").glob("*.md"))]


def _add_scores(add: Any) -> None:
    add("--convention", default="card", metavar="NAME", help="how mIoU is averaged: card (default), a name, or all")
    add("--json", action="store_true", help="print one JSON object")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def _cards(options: argparse.Namespace) -> dict[str, ModelCard]:
    return cards.find([cards.builtin_models(), *options.models])


def _card(options: argparse.Namespace) -> ModelCard:
    found = _cards(options)
    if options.model not in found:
        raise Problem(f"{options.model}: there is no such model; known: {', '.join(found)}")
    return found[options.model]


def _case(options: argparse.Namespace, batch: int, tell: Callable[[str], None]) -> Case:
    if options.runtime:
        runtimes.check(options.runtime)
    soc, why = (options.soc, "") if options.soc else devices.default(options.runtime or "")
    if why:
        tell(f"chip: {soc} ({why})")
    runtime = options.runtime or ("" if options.soc or soc != "cpu" else IN_TORCH)
    return Case(_card(options), chips.find(soc), batch, runtime)


def _show(lines: list[str]) -> None:
    print("\n".join(lines))


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _print_scores(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({row["convention"]: row for row in rows} if options.convention == "all" else rows[0]))
        return
    for row in rows:
        figures = (
            f"mIoU {row['miou']:.6f} (pooled {row['pooled_miou']:.6f}), pixel accuracy {row['pixel_accuracy']:.6f}"
        )
        speed = f", {row['seconds_per_frame']:.3f} s/frame" if "seconds_per_frame" in row else ""
        print(f"{row['convention']}: {figures}, {row['frames']} frames{speed}")
        if row["note"]:
            print(f"  {row['note']}")
        if len(rows) == 1:
            for name, value in zip(row["classes"], row["iou"], strict=True):
                print(f"  {name:14} {'-' if value is None else f'{value:.6f}'}")


if __name__ == "__main__":
    sys.exit(main())
