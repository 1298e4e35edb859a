"""The written guides followed line by line, as a reader types them, with stand-ins where a chip's tools are named."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from roadworthy import card as cards
from roadworthy import manual, pipeline
from roadworthy.card import ModelCard

ROOT = Path(__file__).parents[1]
STANDINS = Path(__file__).with_name("standins")
MODELS = cards.find([cards.builtin_models()])
OURS = re.compile(r"\b(roadworthy (?!doctor)|pytest |roadworthy\.train )")
HOURS = re.compile(r"\b(pytest |roadworthy\.train |roadworthy train )")


def blocks(guide: str) -> list[str]:
    """The lines of a guide's shell blocks, in order."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```$", guide, re.MULTILINE | re.DOTALL)
    return [line for block in found for line in textwrap.dedent(block).splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader's variables name: frames, and CANN as the stand-ins have it."""
    folder = tmp_path_factory.mktemp("place")
    pipeline.write_sample(folder / "data", "val", 2)
    (folder / "cann").mkdir()
    paths = f"export PATH={STANDINS / 'bin'}:$PATH PYTHONPATH={STANDINS / 'c'}\n"
    (folder / "cann" / "set_env.sh").write_text(paths, encoding="utf-8")
    return folder


def follow(lines: list[str], folder: Path, variables: dict[str, Path], dry: re.Pattern[str]) -> dict[str, str]:
    """Type the lines into one shell in a folder, with `--dry-run` behind those that match; what each printed."""
    typed = []
    for line in lines:
        name, equals, _ = line.partition("=")
        if equals and name in variables:
            typed.append(f"{name}={shlex.quote(str(variables[name]))}")
        else:
            typed += [f"echo {shlex.quote(f'>>> {line}')}", line + " --dry-run" * bool(dry.search(line))]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("STANDIN_", "ASCEND_", "PYTEST"))}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    env |= {"STANDIN_LATENCY_MS": "1", "TMPDIR": str(folder)}
    script = "\n".join(["set -e", "umask 002", *typed])  # as many a distribution has it
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607
        cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout[-3000:]
    parts = re.split(r"^>>> (.*)\n", done.stdout, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def stand_in_graph(card: ModelCard, path: Path) -> None:
    """A graph of the card's inputs and outputs that computes next to nothing."""
    batch = "N" if card.export.batches != (1,) else 1
    given = helper.make_tensor_value_info(card.input.name, TensorProto.FLOAT, [batch, *card.input.shape])
    classes, (height, width) = card.net.classes, card.output_shape[-2:]
    stride, nodes, outputs, weights = card.output.stride, [], [], []
    for name in card.kept_outputs:
        if card.output.kind == "classes":
            nodes.append(helper.make_node("ArgMax", [card.input.name], [name], name=name, axis=1, keepdims=1))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, [batch, 1, height, width]))
        else:
            weights.append(numpy_helper.from_array(np.zeros((classes, 3, 1, 1), np.float32), f"{name}.weight"))
            words = {"name": name, "strides": [stride, stride]}
            nodes.append(helper.make_node("Conv", [card.input.name, f"{name}.weight"], [name], **words))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, classes, height, width]))
    graph = helper.make_graph(nodes, card.key, [given], outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)


@pytest.mark.parametrize("key", sorted(MODELS))
def test_both_languages_give_the_same_commands(key):
    """Only the words about them differ."""
    zh, en = (blocks(manual.text(MODELS[key], [], language)) for language in ("zh", "en"))

    assert zh == en
    assert {"source", "npu-smi", "roadworthy", "python3", "pytest"} <= {line.split()[0] for line in zh}


def scores(told: dict[str, str]) -> list[list[str]]:
    """The mIoUs that `score` and `evaluate` printed."""
    lines = [line for line in told if line.startswith(("roadworthy score", "roadworthy evaluate"))]
    return [re.findall(r"mIoU (\d\.\d{6})", told[line]) for line in lines]


@pytest.mark.slow
def test_a_card_of_ones_own_has_a_guide_to_follow_too(tiny_card, tiny_models, tiny_data, place, tmp_path):
    """Graph, OM, files and scores are made: the same mIoU by files and in process."""
    weights = tiny_models / "tiny" / "tiny.safetensors"
    named = {"CANN": place / "cann", "ROADWORTHY": ROOT, "DATA": tiny_data, "WEIGHTS": weights, "MODELS": tiny_models}
    told = follow(blocks(manual.text(tiny_card, [], "zh")), tmp_path, named, HOURS)

    by_files, in_process = scores(told)

    assert by_files == in_process
    assert pytest.approx(0.783, abs=1e-3) == float(by_files[0])


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(MODELS))
def test_a_guide_can_be_followed_line_by_line(key, place, tmp_path):
    """Every line ends well: the vendor's tools run, ours look for their inputs and show what they would do."""
    card = MODELS[key]
    stand_in_graph(card, tmp_path / f"{key}.onnx")
    inputs = tmp_path / f"{key}-inputs"
    inputs.mkdir()
    for frame in pipeline.open_data(str(place / "data"), card).frames:
        np.zeros(card.input.shape, np.float32).tofile(inputs / card.input.file.format(stem=frame.stem))
    (tmp_path / "weights.pth").write_bytes(b"a dry run does not read them")
    named = {"CANN": place / "cann", "ROADWORTHY": ROOT, "DATA": place / "data", "WEIGHTS": tmp_path / "weights.pth"}
    lines = blocks(manual.text(card, [], "zh"))
    told = follow(lines, tmp_path, named, OURS)

    assert set(told) == {line for line in lines if line.partition("=")[0] not in named}
    (scored,) = [text for line, text in told.items() if line.startswith("roadworthy score")]
    assert "reads 2 results, results/run/" in scored
    (judged,) = [text for line, text in told.items() if line.startswith("pytest")]
    assert f"{key}-bs1-" in judged
    assert "training" not in judged


@pytest.mark.slow
def test_the_guide_of_erfnet_gives_the_same_miou_by_files_and_in_process(place, tmp_path):
    """Nothing dry but the acceptance of all batch sizes and the training: graph, tuning, files and scores are made."""
    weights = MODELS["erfnet"].own_weights
    named = {"CANN": place / "cann", "ROADWORTHY": ROOT, "DATA": place / "data", "WEIGHTS": weights}
    told = follow(blocks(manual.text(MODELS["erfnet"], [], "en")), tmp_path, named, HOURS)
    found = scores(told)

    assert 2 == len(found)
    assert found[0] == found[1] != []
    assert float(found[0][0]) > 0.5
    assert "throughput 1000*batchsize" in next(text for line, text in told.items() if "--loop 100" in line)
