"""A card and its records -> the model's written guide: every command by the function that runs it, every figure computed."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from roadworthy import gates, markdown, plan, standing, tables, zoo
from roadworthy import soc as chips
from roadworthy.card import ModelCard, builtin_models
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.published import ENVIRONMENT
from roadworthy.record import Record
from roadworthy.runtimes import ais_bench
from roadworthy.words import Language

FOLDER = Path(__file__).with_name("manuals")
DATA, WEIGHTS, CLONE, MODELS = "$DATA", "$WEIGHTS", "$ROADWORTHY", "$MODELS"  # what a reader sets once


def text(card: ModelCard, records: Iterable[Record], language: Language) -> str:
    """The guide as Markdown; raises Problem for a card that does not deliver an Ascend chip."""
    if chips.find(card.target.judge).vendor != "huawei":
        told = f"target.judge is {card.target.judge}; the zoo's guide is of an Ascend chip, such as Ascend310P3"
        raise Problem(f"{card.path}: {told}")
    records = list(records)
    known = standing.counted(card, records)
    pages = Environment(  # noqa: S701  Markdown: what comes from cards and records goes through `md` and `code`
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    pages.filters |= {"md": lambda value: markdown.escaped(str(value)), "code": code, "link": link}
    facts = {**_of_card(card, language), **_of_figures(card, known, language), **_commands(card, known)}
    facts |= {"card": card, "mark": mark(card), "results": tables.results(card, records, language)}
    found = pages.get_template(f"{language}.md.j2").render(facts)
    return re.sub(r"\n{3,}", "\n\n", found).strip("\n") + "\n"


def mark(card: ModelCard) -> str:
    """What the guide of a card, and no other text, begins with."""
    return f"<!-- roadworthy deliver {card.key}: "


def code(value: object) -> str:
    """Text as code in a line: between more backquotes than it holds; a bar, which would end a cell, is left out."""
    words = markdown.line(str(value)).replace("|", "")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", words)), default=0))
    return f"{fence}{words}{fence}" if len(fence) == 1 else f"{fence} {words} {fence}"


def link(value: str) -> str:
    """An address that can be followed, also in a cell, else its text."""
    return f"<{value.replace('|', '%7C')}>" if re.fullmatch(r"https?://[^\s<>]+", value) else code(value)


def _of_card(card: ModelCard, language: Language) -> dict[str, Any]:
    """Shapes, sizes and names that the card's keys imply."""
    soc = chips.find(card.target.judge)
    kind, width = ("INT64", 8) if card.output.kind == "classes" else ("FLOAT32", 4)
    if kind == "FLOAT32" and card.atc.output_type == "FP16":
        kind, width = "FLOAT16", 2
    frames, given = gates.FULL_VAL, 4 * math.prod(card.input.shape)
    result = width * math.prod(card.output_shape) * len(card.kept_outputs)
    stem = "frankfurt_000000_000294"
    return {
        "about": getattr(card.guide, language),
        "soc": soc,
        "frames": frames,
        "input_bytes": given,
        "input_gigabytes": f"{frames * given / 1e9:.1f}",
        "result_gigabytes": f"{frames * result / 1e9:.1f}",
        "output_type": kind,
        "input_shape": " x ".join(map(str, card.input.shape)),
        "output_shape": " x ".join(map(str, card.output_shape)),
        "first_file": card.input.file.format(stem=stem),
        "first_result": f"{card.input.file.format(stem=stem).split('.')[0]}_{card.output.index}.npy",
        "oom": [batch for batch in card.export.batches if card.target.expects_oom(soc, batch)],
        "surgery": [{"name": step["pass"], "facts": _without(step, "pass")} for step in card.surgery],
    }


def _of_figures(card: ModelCard, known: Sequence[Record], language: Language) -> dict[str, Any]:
    """What the records say: the zoo's levels, and the versions that they were taken with."""
    levels = [(level, level.because(language)) for level in zoo.levels(card, known)]
    measured = [r for r in known if r.source == "measured" and r.soc == card.target.judge and r.environment]
    measured = [r for r in measured if r.outcome != "unstable"]  # whose figure stands nowhere
    newest = max(measured, key=lambda r: r.when or "", default=None)
    own = newest.environment if newest else {}
    return {
        "levels": levels,
        "environment": [(key, card.published_.environment.get(key), own.get(key)) for key in ENVIRONMENT],
        "measured": newest,
        "eager": list(dict.fromkeys(r.soc for r in known if (r.metric, r.runtime) == ("throughput", "eager"))),
        "python": metadata.metadata("roadworthy")["Requires-Python"],
    }


def _commands(card: ModelCard, known: Sequence[Record]) -> dict[str, Any]:
    """Lines as a person types them, at the delivered chip's best batch, by the functions that build what is run."""
    soc = chips.find(card.target.judge)
    best = gates.best(known, soc.name)
    case = Case(card, soc, best.batch if best and best.batch else card.export.batches[0])
    files, speed = ais_bench.running(case, 0)
    judge = ["pytest", f"{CLONE}/acceptance", "-k", f"{card.key} and not training", "--soc", soc.name]
    judge += ["--data", DATA, "--weights", WEIGHTS, "--out", "measured"]
    own = {
        "export": plan.export(card, Path(WEIGHTS)),
        "preprocess": plan.preprocess(card, DATA),
        "score": plan.score(card, DATA),
        "evaluate": plan.evaluate(case, DATA, Path(WEIGHTS)),
        "judge": shlex.join(judge),
    }
    commands = {name: _typed(card, line) for name, line in own.items()}
    paths = {"ROADWORTHY": "roadworthy", "DATA": "cityscapes", "WEIGHTS": Path(card.weights).name}
    paths |= {"MODELS": "models"} if _foreign(card) else {}
    return {
        "commands": {**commands, "files": files, "speed": speed},
        "variables": [f"{name}={shlex.quote(' '.join(f'/path/to/{path}'.split()))}" for name, path in paths.items()],
        "building": ais_bench.building(case),
        "batch": case.batch,
        "best": best is not None and card.export.batches != (1,),
        "om": f"{ais_bench.named(case)}.om",
        "training": _training(card),
        "more": " --models MODELS" if _foreign(card) else "",
    }


def _training(card: ModelCard) -> list[dict[str, Any]]:
    """Each recipe with its folder and the line that trains by it: no two runs are in one folder."""
    if card.train is None:
        return []
    rows, one = [], len(card.train.recipe) == 1
    for name, recipe in card.train.recipe.items():
        start = ["torchrun", "--nproc-per-node", str(recipe.devices), "-m", "roadworthy.train"]
        words = [*(start if recipe.devices > 1 else ["roadworthy", "train"]), card.key, "--data", DATA]
        folder = f"trained/{card.key}" if one else f"trained/{card.key}-{name}"
        words += ["--recipe", name, *([] if one else ["--out", folder])]
        rows.append({"recipe": recipe, "folder": folder, "line": _typed(card, shlex.join(words))})
    return rows


def _typed(card: ModelCard, line: str) -> str:
    """A line in which the shell fills in the reader's variables; it says where a card is that does not come with us."""
    where = f" --models '{MODELS}'" if _foreign(card) else ""
    return re.sub(r"'(\$[A-Z]+)([^']*)'", r'"\1"\2', line + where)


def _foreign(card: ModelCard) -> bool:
    return card.path.parents[1].resolve() != builtin_models().resolve()


def _without(step: Any, key: str) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != key}
