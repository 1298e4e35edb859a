"""Options -> the cases of a session, and the tests that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roadworthy import card as cards
from roadworthy import profile as profiles
from roadworthy import record
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.case import Case, TrainCase, expand
from roadworthy.problem import Problem
from roadworthy.profile import Profile
from roadworthy.published import RESULT
from roadworthy.record import Record

Cell = tuple[str, tuple[Any, ...]]  # a test's id and its arguments


@dataclass(frozen=True)
class Selection:
    """The cells that a session judges; `named` are the chips asked for by name.

    `training` are those of training, `runs` the records that they are judged by: oldest first, by folder.
    """

    cases: tuple[Case, ...]
    named: tuple[str, ...]
    profile: Profile | None = None
    training: tuple[TrainCase, ...] = ()
    runs: Mapping[Path, tuple[Record, ...]] = field(default_factory=dict)

    @classmethod
    def of(  # noqa: PLR0913  the options of a session
        cls,
        folders: Iterable[Path],
        socs: Sequence[str],
        batches: Sequence[int],
        *,
        published: bool = False,
        profile: str | None = None,
        runtime: str = "",
        default: str = "cpu",
        trained: Sequence[Path] = (),
        committed: Path | None = None,
    ) -> Selection:
        """The cells of all cards in `folders` on the named chips (else the default) at the given batch sizes.

        Training has no batch sizes: it is left out where some are given. What is judged of it are the runs in the
        folders `trained`, and the newest in the folder `committed` of what those do not have. With `published`, the
        cells of the guides' tables instead, of all named chips unless some are chosen. Raises Problem for an unknown
        chip or profile, a batch size below 1, a broken card, and a folder without records of training.
        """
        for batch in batches:
            if batch < 1:
                raise Problem(f"--batch {batch}: a batch size is 1 or more")
        if published and trained:
            raise Problem(
                f"--trained {trained[0]}: judges what was measured, --published what the guides say; give one"
            )
        named = tuple(dict.fromkeys(chips.find(name).name for name in socs))
        if nameless := [name for name in named if chips.find(name).unnamed]:
            raise Problem(
                f"--soc {nameless[0]}: is how guides speak of a chip whose name they leave out; --soc takes a name, such as T4"
            )
        rule = profiles.find(profile) if profile else None
        found = cards.find(folders)
        runs = {} if published else _runs(found, trained, committed)
        if published:
            rows = [r for card in found.values() for r in card.published() if r.settings.get("group") == RESULT]
            cells = [
                Case(card, chips.find(soc), batch)
                for card in found.values()
                for soc, batch in _published_cells(card)
                if soc in (named or (soc,)) and batch in (batches or (batch,))
            ]
        else:
            rows = [r for records in runs.values() for r in records]
            chosen = [chips.find(name) for name in named or (default,)]
            cells = expand(found.values(), chosen, list(dict.fromkeys(batches)), runtime)
        training = [
            case for case in _trainings(found, rows) if not batches and case.soc.name in (named or (case.soc.name,))
        ]
        return cls(tuple(cells), named, rule, tuple(training), runs)

    def cells(self, kind: str) -> tuple[tuple[str, ...], list[Cell]]:
        """The arguments of the tests that ask for this kind of cases, and what each of them gets."""
        if kind not in KINDS:
            raise Problem(f"roadworthy({kind!r}): there are no such cases; known: {', '.join(KINDS)}")
        arguments, cells = KINDS[kind]
        return arguments, cells(self)

    def batched(self) -> list[Case]:
        """The cases whose class maps are compared with those at batch 1."""
        return [case for case in self.cases if case.batch > 1]

    def per_chip(self) -> list[Case]:
        """One case, that of the smallest batch, for every model and chip."""
        smallest: dict[tuple[str, str], Case] = {}
        for case in sorted(self.cases, key=lambda case: case.batch):
            smallest.setdefault((case.card.key, case.soc.name), case)
        return list(smallest.values())

    def ratios(self) -> list[tuple[Case, str, float | None]]:
        """Every delivered chip with each chip that it is compared with, and the ratio required (None: told only)."""
        return [
            (case, other, required)
            for case in self.per_chip()
            for other, required in profiles.ratios(case.card, case.soc, self.profile).items()
        ]

    def training_ratios(self) -> list[tuple[TrainCase, str, float]]:
        """Every case of training with each other chip that its card compares with, and the share required.

        Processes of a cpu are compared with no chip.
        """
        return [
            (case, other, share)
            for case in self.training
            if case.card.train and case.card.train.target and case.soc.vendor != "host"
            for other, share in case.card.train.target.vs.items()
            if other != case.soc.name
        ]

    def scaled(self) -> list[TrainCase]:
        """The cases of training on more than one device."""
        return [case for case in self.training if case.devices > 1]

    def training_records(self) -> list[Record]:
        """What training is judged by and compared with: the guides' figures, then the runs, oldest first."""
        models = {case.card.key: case.card for case in self.training}
        return [
            *(r for card in models.values() for r in card.published()),
            *(r for run in self.runs.values() for r in run),
        ]

    def of_run(self, folder: Path, cases: Iterable[TrainCase]) -> list[Record]:
        """The records in the folder of a training run that are of these cases."""
        judged = {(case.card.key, case.soc.name, case.devices) for case in cases}
        return [r for r in self.runs.get(folder, ()) if _cell(r) in judged]


def _one(cases: Iterable[Case | TrainCase]) -> list[Cell]:
    return [(case.id, (case,)) for case in cases]


def _pairs(pairs: Iterable[tuple[Case | TrainCase, str, float | None]], name: Callable[[Any], str]) -> list[Cell]:
    return [(f"{name(pair[0])}-vs-{pair[1]}", pair) for pair in pairs]


PAIR = ("case", "other", "required")
KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[Selection], list[Cell]]]] = {
    "all": (("case",), lambda selection: _one(selection.cases)),
    "batched": (("case",), lambda selection: _one(selection.batched())),
    "per_chip": (("case",), lambda selection: _one(selection.per_chip())),
    "ratios": (PAIR, lambda selection: _pairs(selection.ratios(), lambda case: f"{case.card.key}-{case.soc.name}")),
    "training": (("case",), lambda selection: _one(selection.training)),
    "training_ratios": (PAIR, lambda selection: _pairs(selection.training_ratios(), lambda case: case.id)),
    "scaled": (("case",), lambda selection: _one(selection.scaled())),
}


def _published_cells(card: ModelCard) -> list[tuple[str, int]]:
    """What the guide says of chips that it names."""
    cells = [(r.soc, r.batch) for r in card.published() if r.batch is not None and not chips.find(r.soc).unnamed]
    return list(dict.fromkeys(cells))


def _trainings(found: Mapping[str, ModelCard], rows: Iterable[Record]) -> list[TrainCase]:
    """The cells of rows of training."""
    cells = dict.fromkeys(_cell(r) for r in rows if r.model in found)
    return [TrainCase(found[model], chips.find(soc), devices) for model, soc, devices in cells if devices]


def _runs(
    found: Mapping[str, ModelCard], trained: Iterable[Path], committed: Path | None
) -> dict[Path, tuple[Record, ...]]:
    """Records of training by folder, oldest first; of what the folders `trained` hold, the committed ones are left out."""
    named = sorted(
        ((folder, _run(folder, found)) for folder in dict.fromkeys(trained)), key=lambda run: _newest(run[1])
    )
    cells = {_cell(r) for _, rows in named for r in rows}
    runs = {}
    if committed is not None:
        kept = [
            r for r in record.read_folder(committed) if _is_training(r) and r.source == "measured" and not r.endless
        ]
        kept = [r for r in kept if r.soc in chips.socs()]
        runs[committed] = tuple(sorted((r for r in kept if _cell(r) not in cells), key=lambda r: r.when or ""))
    return {**runs, **dict(named)}


def _run(folder: Path, found: Mapping[str, ModelCard]) -> tuple[Record, ...]:
    """The records of training in a folder; raises Problem where there is none, or one of no known model or chip."""
    path = folder / "records.jsonl"
    if not path.is_file():
        raise Problem(f"{path}: there is no such file; --trained takes the folder of a training run")
    rows = tuple(r for r in record.read(path) if _is_training(r) and not r.endless)
    if not rows:
        raise Problem(f"{path}: holds no record of training; --trained takes the folder of a training run")
    for r in rows:
        if r.model not in found:
            raise Problem(f"{path}: is of the model {r.model!r}; known: {', '.join(found)}; --models takes its folder")
        if r.soc not in chips.socs():
            raise Problem(f"{path}: {chips.unknown(r.soc)}")
    return rows


def _newest(rows: Iterable[Record]) -> str:
    return max(r.when or "" for r in rows)


def _cell(record: Record) -> tuple[str, str, int | None]:
    return record.model, record.soc, record.devices


def _is_training(record: Record) -> bool:
    return record.metric.startswith("train.") and record.devices is not None and record.source != "published"
