"""Verbs that run a step or several: figures on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy import runtimes, terminal, training
from roadworthy import soc as chips
from roadworthy.case import Case
from roadworthy.data import cityscapes
from roadworthy.problem import Problem
from roadworthy.record import UNTRAINED
from roadworthy.runtimes import devices, om
from roadworthy.verbs import given

if TYPE_CHECKING:
    from roadworthy.workshop import Share


def doctor(options: argparse.Namespace) -> None:
    """What this machine can run, what is missing for the rest, how to get it."""
    reasons: dict[tuple[str, str], str | None] = {}
    for chip in (chip for chip in chips.socs().values() if not chip.unnamed):
        for card in given.cards(options).values():
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

    card = given.card(options)
    if options.dry_run:
        given.show(rehearsal.preprocess(card, options.source, options.out))
        return
    with terminal.counted("pre-processing") as progress:
        results.write_inputs(card, options.source, options.out, progress)


def score(options: argparse.Namespace) -> None:
    """Count the mIoU of a folder of result files."""
    from roadworthy import evaluations, pipeline, rehearsal, results  # noqa: PLC0415

    card = given.card(options)
    dataset = pipeline.open_data(options.data, card)
    names = evaluations.conventions(card, options.convention)
    if options.order:
        dataset = cityscapes.read_order(options.order, dataset)
    if options.dry_run:
        given.show(rehearsal.score(card, options.results, dataset))
        return
    with terminal.counted("scoring") as progress:
        evaluation = results.score_results(card, options.results, dataset, progress)
    summary = results.summary_of(options.results)
    print(f"results: {f'those of {summary}' if summary else 'all files, there is no summary'}", file=sys.stderr)
    _print_scores(evaluations.scores(card, evaluation, names), options)


def evaluate(options: argparse.Namespace) -> None:
    """The streaming accuracy run without pytest; under torchrun -m roadworthy, every process takes a share of the frames."""
    with training.one_voice():
        if options.time_limit <= 0:
            raise Problem(f"--time-limit {options.time_limit:g}: it must be more than 0 seconds")
        if options.keep_frames < 0:
            raise Problem(f"--keep-frames {options.keep_frames}: it must be 0 (none is kept) or more")
        if options.dry_run:
            from roadworthy import evaluations, rehearsal  # noqa: PLC0415

            case = given.case(options, options.batch, given.tell)
            evaluations.conventions(case.card, options.convention)
            given.show(rehearsal.evaluate(case, options.data, options.weights, options.device))
            return
        with training.shared() as share:
            _evaluate(options, share)


def _evaluate(options: argparse.Namespace, share: Share) -> None:
    from roadworthy import cache, evaluations  # noqa: PLC0415
    from roadworthy.run import Run  # noqa: PLC0415
    from roadworthy.workshop import Manner  # noqa: PLC0415

    tell = given.tell if share.first else lambda _: None
    case = given.case(options, options.batch, tell)
    names = evaluations.conventions(case.card, options.convention)
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
    how = f"{case.runtime}, in torch; --soc cpu runs the graph" if case.runtime == given.IN_TORCH else case.runtime
    print(f"data: {found.data}, weights: {found.weights}, runtime: {how}", file=sys.stderr)
    _print_scores([{**row, **origin} for row in evaluations.scores(case.card, evaluation, names)], options)


def export(options: argparse.Namespace) -> None:
    """ONNX after surgery, with its ledger beside it."""
    from roadworthy import pipeline, rehearsal  # noqa: PLC0415

    card = given.card(options)
    if options.dry_run:
        given.show(rehearsal.export(card, options.weights, options.data, options.out))
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

    case = given.case(options, 1, given.tell)
    with terminal.counted("photograph") as progress:
        manner = Manner(options.device, tell=given.tell, progress=progress)
        found = painter.show(case, options.image, options.out, options.weights, manner)
    print(options.out)
    print(", ".join(painter.words(found)))


def train(options: argparse.Namespace) -> int:
    """Train a network: in one process, or in many under torchrun -m roadworthy.train."""
    return training.train(given.card(options), options)


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
