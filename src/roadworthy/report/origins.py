"""Where the figures come from: the environment of the newest runs, and the commands that repeat them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roadworthy import soc as chips
from roadworthy.card import ModelCard, builtin_models
from roadworthy.case import Case
from roadworthy.record import Record
from roadworthy.report.grid import Cell, Table, day, heads

DRAWN = "sample-"  # how the names of drawn data sets begin
COMMANDS = {"om": "the OM was built by", "ais_bench": "it was run by"}  # keys of environments that hold commands
FLAGS = {  # of training, by the keys of a record's settings
    "recipe": "--recipe",
    "batch_size": "--batch",
    "accumulate": "--accumulate",
    "lr": "--rate",
    "epochs": "--epochs",
    "max_steps": "--max-steps",
    "crop": "--crop",
    "optimizer": "--optimizer",
    "schedule": "--schedule",
    "warmup": "--warmup",
    "precision": "--precision",
    "shrink": "--shrink",
    "seed": "--seed",
}
FIRST = (
    "chip",
    "driver",
    "firmware",
    "cann",
    "cpu",
    "python",
    "torch",
    "onnx",
    "onnxruntime",
    "tensorrt",
    "roadworthy",
)


@dataclass(frozen=True)
class Command:
    """What to type, and what it repeats."""

    what: str
    lines: tuple[str, ...]


def environments(records: Sequence[Record]) -> Table | None:
    """A column for every chip: what its newest run depended on; None where nothing was measured."""
    newest = {r.soc: r for r in records if r.source != "published" and r.environment}
    if not newest:
        return None
    runs = [newest[soc] for soc in chips.socs() if soc in newest]
    scored = {(r.soc, r.model, r.weights): r.data for r in records if r.data}  # throughput is of no data
    told = [_told(r, r.data or scored.get((r.soc, r.model, r.weights))) for r in runs]
    keys = dict.fromkeys([*(key for run in told for key in run)])
    rows = [(Cell(key), *(Cell(run.get(key, "")) for run in told)) for key in keys if key not in COMMANDS]
    caption = "What the newest run of every chip depended on"
    return Table("environment", caption, heads("what", *(r.soc for r in runs)), tuple(rows))


def commands(cards: Mapping[str, ModelCard], records: Sequence[Record]) -> list[Command]:
    """For every model and chip that was measured, what repeats its newest run."""
    cells: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        if r.source != "published" and r.run is None:
            cells.setdefault((r.model, r.soc), []).append(r)
    order = list(chips.socs())
    placed = sorted(cells.items(), key=lambda c: (c[0][0], order.index(c[0][1])))
    found = [command for (m, _), rows in placed for command in _of_chip(cards[m], rows)]
    runs = {(r.model, r.run, r.soc, r.devices): r for r in records if r.run and r.source != "published"}
    return [*found, *(_of_training(cards[r.model], r) for r in runs.values())]


def _of_chip(card: ModelCard, rows: Sequence[Record]) -> list[Command]:
    """The suite that accepts, and for throughput that it does not measure (on a host, or alone) the one that times."""
    scored, timed = [r for r in rows if r.data], [r for r in rows if not r.data]
    host = chips.find(rows[0].soc).vendor == "host"
    accepted = scored if host or not scored else rows  # on a chip, whether a batch fits is seen by timing it
    apart: dict[tuple[str | None, str | None], list[Record]] = {}
    for r in timed if host or not scored else []:
        apart.setdefault((r.runtime, r.weights), []).append(r)
    facts = {key: text for r in rows for key, text in r.environment.items() if key in COMMANDS}
    built = [line for key, what in COMMANDS.items() if key in facts for line in (f"# {what}", *facts[key].splitlines())]
    accepting, timing = ("acceptance", "-k", card.key), ("bench", "-k", f"throughput and {card.key}")
    suites = [(accepting, accepted), *((timing, own) for own in apart.values())]
    return [_typed(card, words, own, built) for words, own in suites if own]


def _typed(card: ModelCard, suite: Sequence[str], rows: Sequence[Record], built: Sequence[str]) -> Command:
    newest = max((r for r in rows if r.data), key=lambda r: r.when or "", default=rows[-1])
    same = [r for r in rows if (r.weights, r.runtime) == (newest.weights, newest.runtime)]
    same = [r for r in same if r.data in (newest.data, None)]  # throughput is of no data
    words = ["pytest", *suite, "--soc", newest.soc, *_inputs(card, newest)]
    batches = sorted({r.batch for r in same if r.batch})
    words += [word for batch in batches for word in ("--batch", str(batch))]
    if newest.runtime and newest.runtime != Case(card, chips.find(newest.soc), 1).runtime:
        words += ["--runtime", newest.runtime]
    words += _folder(card)
    what = "" if suite[0] == "acceptance" else ", throughput"
    return Command(f"{card.name} on {newest.soc}{what}, {day(newest.when)}", (shlex.join(words), *built))


def _folder(card: ModelCard) -> list[str]:
    """The flag that finds a card of one's own, its folder without the path that this machine has to it."""
    folder = card.path.absolute().parents[1]
    return [] if folder == builtin_models().absolute() else ["--models", folder.name]


def _inputs(card: ModelCard, record: Record) -> list[str]:
    """Flags that name data and weights as the records name them, digests left out."""
    words = []
    if record.data and not record.data.startswith(DRAWN):
        words += ["--data", record.data.partition("/")[0].rpartition("-")[0] or record.data]
    shipped = card.sample.weights if card.sample else None
    name = (record.weights or "").rpartition("@")[0]
    if name and not record.untrained and name != shipped:
        words += ["--weights", name]
    return words


def _of_training(card: ModelCard, record: Record) -> Command:
    """The run's numbers as flags, in the words of the verb."""
    words = ["roadworthy", "train", record.model]
    if record.devices and record.devices > 1:
        words = ["torchrun", "--nproc-per-node", str(record.devices), "-m", "roadworthy.train", record.model]
    name = (record.data or "").partition("/")[0]
    words += ["--data", "sample" if name.startswith(DRAWN) else name.rpartition("-")[0] or "DIR"]
    told = {flag: record.settings.get(key) for key, flag in FLAGS.items()}
    words += [word for flag, value in told.items() if value is not None for word in (flag, f"{value}")]
    words += _folder(card)
    return Command(f"Training {record.run}, {day(record.when)}", (shlex.join(words),))


def _told(record: Record, data: str | None) -> dict[str, str]:
    known = dict(record.environment)
    ordered = {key: known[key] for key in FIRST if key in known}
    run = {
        "newest run": f"{record.model}, {day(record.when)}",
        "runtime": ", ".join(filter(None, [record.runtime, record.provider])),
        "data": data or "",
        "weights": record.weights or "",
    }
    return {**run, **ordered, **known}
