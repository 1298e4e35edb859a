"""Inputs and result files under the guides' names: paired by name, wrong ones named."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roadworthy import evaluations, pipeline, results
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.run import Run
from roadworthy.soc import find


@pytest.fixture(scope="module")
def dataset(tiny_card, tiny_data):
    """Five frames."""
    return pipeline.open_data(str(tiny_data), tiny_card)


@pytest.fixture(scope="module")
def made(tiny_card, dataset, tmp_path_factory):
    """Result files as ais_bench writes them: float16 logits of every frame."""
    graph = pipeline.prepare(tiny_card, pipeline.weights_file(tiny_card, None))
    job = pipeline.Job(graph.files[-1], pipeline.weights_file(tiny_card, None), Path())
    session = pipeline.runtimes.find("onnxruntime").open_session(graph.files[-1], Case(tiny_card, find("cpu"), 1), job)
    folder = tmp_path_factory.mktemp("made")
    for batch in pipeline.stream.batches(tiny_card, dataset, 1):
        path = folder / f"{batch.frames[0].stem}_leftImg8bit_0.bin"
        session.run(batch.inputs)[0].astype(np.float16).tofile(path)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(made, tmp_path / "results")


@pytest.fixture
def score(tiny_card, dataset):
    """Scores a folder; gives the matrices."""
    return lambda folder, card=tiny_card: results.score_results(card, folder, dataset, quiet).matrices


def quiet(done: int, total: int) -> None:
    """Progress that nobody sees."""
    assert done <= total


def summary_of(dataset, *, swapped: bool = False) -> dict:
    """What ais_bench says of a run: which file came from which input, under the paths of that run."""
    files = [f"/old/place/{f.stem}_leftImg8bit_0.bin" for f in dataset.frames]
    if swapped:
        files[0], files[1] = files[1], files[0]
    inputs = [f"./prep/{f.stem}_leftImg8bit.bin" for f in dataset.frames]
    return {
        "filesinfo": {
            str(i): {"infiles": [a], "outfiles": [b]} for i, (a, b) in enumerate(zip(inputs, files, strict=True))
        }
    }


def test_inputs_are_written_under_the_guides_names(tiny_card, dataset, tmp_path):
    """One .bin for a photograph; a folder of them for a data set; the bytes the network is given."""
    results.write_inputs(tiny_card, dataset.root, tmp_path / "all", quiet)
    results.write_inputs(tiny_card, dataset.frames[1].image, tmp_path / "one.bin", quiet)
    batch = next(pipeline.stream.batches(tiny_card, dataset, 2))
    stems = [frame.stem for frame in dataset.frames]

    assert [f"{stem}_leftImg8bit.bin" for stem in stems] == sorted(p.name for p in (tmp_path / "all").iterdir())
    assert batch.inputs[1].tobytes() == (tmp_path / "one.bin").read_bytes()
    assert batch.inputs[0].tobytes() == (tmp_path / "all" / f"{stems[0]}_leftImg8bit.bin").read_bytes()


def test_a_photograph_of_another_size_is_no_input(tiny_card, dataset, tmp_path):
    """Where the recipe does not resize, the network's size is the only one."""
    whole = replace(tiny_card, input=replace(tiny_card.input, steps=("scale",)))

    with pytest.raises(Problem, match=r"leftImg8bit\.png: gives an input of 128x256; tiny takes 64x128"):
        results.write_inputs(whole, dataset.frames[0].image, tmp_path / "one.bin", quiet)
    assert not list(tmp_path.iterdir())


def test_an_input_that_the_disk_has_no_room_for_is_told(tiny_card, dataset, tmp_path):
    """With the system's reason, and nothing is left of it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(Problem, match=r"one\.bin: the input could not be written \(File too large\)"):
            results.write_inputs(tiny_card, dataset.frames[0].image, tmp_path / "one.bin", quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [] == list(tmp_path.iterdir())


def test_result_files_score_as_the_stream_does(tiny_card, tiny_data, dataset, folder, tmp_path):
    """Float16 files of the same logits give the streaming run's matrices, up to float16's ties."""
    run = Run(tmp_path / "run", str(tiny_data), None)
    streamed = run.evaluation(Case(tiny_card, find("cpu"), 4))
    scored = results.score_results(tiny_card, folder, dataset, quiet)

    assert streamed.stems == scored.stems
    assert (
        pytest.approx(evaluations.score(tiny_card, streamed).miou, abs=2e-3)
        == evaluations.score(tiny_card, scored).miou
    )


def test_a_stranger_among_the_results_is_named(folder, score):
    """A result of no frame of the data set."""
    shutil.copy(next(folder.iterdir()), folder / "stranger_leftImg8bit_0.bin")

    with pytest.raises(Problem, match=r"1 results are of no frame of .*: stranger_leftImg8bit_\*"):
        score(folder)


def test_missing_results_are_named(folder, score):
    """All of them, up to twenty."""
    files = sorted(folder.iterdir())
    for file in files[1:3]:
        file.unlink()

    with pytest.raises(Problem, match=f"2 of 5 results are missing: {files[1].name}, {files[2].name}"):
        score(folder)


@pytest.mark.parametrize("part", [-2, 0.5])
def test_a_result_cut_short_is_named(folder, score, part):
    """Also at half its length, where float32 would pass for float16."""
    for file in folder.iterdir():
        np.fromfile(file, np.float16).astype(np.float32).tofile(file)
    file = sorted(folder.iterdir())[2]
    content = file.read_bytes()
    file.write_bytes(content[: part if part < 0 else int(part * len(content))])

    with pytest.raises(Problem, match=rf"{file.name}: holds \d+ bytes, the other results {len(content)}"):
        score(folder)


def test_results_of_another_model_are_told_by_their_size(folder, score):
    """All of one size, and none that this network gives."""
    for file in folder.iterdir():
        np.zeros((19, 64, 128), np.float16).tofile(file)

    with pytest.raises(
        Problem, match=r"_0\.bin: holds 311296 bytes; logits of 20x64x128 are 655360 bytes as float32 or"
    ):
        score(folder)


def test_a_result_that_is_there_twice_is_named(folder, score):
    """As .bin and as .npy."""
    file = sorted(folder.iterdir())[2]
    np.save(file.with_suffix(".npy"), np.zeros((20, 64, 128), np.float16))

    with pytest.raises(Problem, match=rf"{file.stem}\.npy: the same result is there as {file.name}"):
        score(folder)


def test_a_folder_of_texts_is_told_what_to_do(folder, score):
    """--outfmt TXT is no format to score."""
    for file in folder.iterdir():
        file.rename(file.with_suffix(".txt"))

    with pytest.raises(Problem, match=r"5 of 5 results are missing: .*; there are \.txt files: run with --outfmt BIN"):
        score(folder)


def test_the_output_is_found_under_any_number_that_the_card_knows(tiny_card, made, folder, score):
    """ATC keeps one output, numbered 0, where the guide's script looks for 1; another number is missing."""
    for file in folder.iterdir():
        file.rename(folder / file.name.replace("_0.bin", "_1.bin"))
    both = replace(tiny_card, output=replace(tiny_card.output, files=(0, 1)))

    assert (score(made) == score(folder, both)).all()
    with pytest.raises(Problem, match="5 of 5 results are missing: "):
        score(folder)


def test_swapped_frames_are_paired_by_name(folder, score, dataset, made):
    """The order of files, of the data set or of the summary's entries says nothing."""
    backwards = replace(dataset, frames=dataset.frames[::-1])
    entries = summary_of(dataset)["filesinfo"]
    turned = dict(zip(entries, list(entries.values())[::-1], strict=True))
    (folder / "sumary.json").write_text(json.dumps({"filesinfo": turned}))

    assert (score(made) == score(folder)).all()
    assert (score(made)[::-1] == results.score_results(tiny_of(score), folder, backwards, quiet).matrices).all()


def tiny_of(score):
    """The card that `score` scores by."""
    return score.__defaults__[0]


@pytest.mark.parametrize("beside", [False, True])
def test_the_summary_of_the_run_says_which_files_are_its_own(folder, score, dataset, made, beside):
    """An old file in the folder is left alone."""
    shutil.copy(next(folder.iterdir()), folder / "stale_leftImg8bit_0.bin")
    path = folder.with_name("results_summary.json") if beside else folder / "sumary.json"
    path.write_text(json.dumps(summary_of(dataset)))

    assert (score(made) == score(folder)).all()


def test_the_newer_of_two_summaries_counts(folder, score, dataset, made):
    """A folder that two versions of the tool wrote into."""
    newer, older = folder.with_name("results_summary.json"), folder / "sumary.json"
    newer.write_text(json.dumps(summary_of(dataset)))
    older.write_text("{}")
    os.utime(older, (1, 1))

    assert (score(made) == score(folder)).all()


def test_a_summary_that_crosses_frames_is_refused(folder, score, dataset):
    """A result is named after its input; one frame is never scored with another's."""
    (folder / "sumary.json").write_text(json.dumps(summary_of(dataset, swapped=True)))

    with pytest.raises(Problem, match=rf"says that {dataset.frames[1].stem}_leftImg8bit_0\.bin came from"):
        score(folder)


def test_the_missing_file_is_named_also_where_there_are_more_outputs(tiny_card, folder, score):
    """A folder with all outputs, one file of the first missing: the second is another output."""
    for file in list(folder.iterdir()):
        np.zeros(8, np.float16).tofile(folder / file.name.replace("_0.bin", "_1.bin"))
    lost = sorted(folder.glob("*_0.bin"))[2]
    lost.unlink()
    both = replace(tiny_card, output=replace(tiny_card.output, files=(0, 1)))

    with pytest.raises(Problem, match=f"1 of 5 results are missing: {lost.name}"):
        score(folder, both)


def test_one_photograph_does_not_go_into_a_folder(tiny_card, dataset, tmp_path):
    """A file is wanted."""
    with pytest.raises(Problem, match="is a folder; the input of one photograph goes into a file"):
        results.write_inputs(tiny_card, dataset.frames[0].image, tmp_path, quiet)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"filesinfo": {"0": {}}}', '{"filesinfo": {"0": {"infiles": [], "outfiles": []}}}']
)
def test_a_summary_that_is_none_is_named(folder, score, text):
    """Not a traceback."""
    (folder / "sumary.json").write_text(text)

    with pytest.raises(Problem, match=re.escape("sumary.json: no summary of ais_bench (")):
        score(folder)


def test_a_summary_of_fewer_frames_is_not_scored(folder, score, dataset):
    """A run over a part of the data set has no mIoU of the whole."""
    told = summary_of(dataset)
    del told["filesinfo"]["3"]
    (folder / "sumary.json").write_text(json.dumps(told))

    with pytest.raises(
        Problem, match=rf"sumary\.json: 1 of 5 results are missing or not listed: {dataset.frames[3].stem}"
    ):
        score(folder)


def test_a_run_on_several_devices_is_scored_as_one(folder, score, dataset):
    """Frames that were split over devices lie in a folder of each, with a summary beside it."""
    whole = score(folder)
    for index, frame in enumerate(dataset.frames):
        part = folder / f"device{index % 2}"
        part.mkdir(exist_ok=True)
        for path in folder.glob(f"{frame.stem}*.bin"):
            shutil.move(path, part / path.name)
    (folder / "device0_summary.json").write_text(json.dumps({"filesinfo": {}}))

    with pytest.raises(Problem, match="3 of 5 results are missing"):
        score(folder)
    (folder / "device0_summary.json").unlink()
    assert np.array_equal(whole, score(folder))


def test_devices_that_ran_all_frames_are_scored_one_by_one(folder, score):
    """Newer ais_bench gives every device all inputs; nothing says which result is meant."""
    for part in ("device0_0", "device1_1"):
        (folder / part).mkdir()
        for path in folder.glob("*.bin"):
            shutil.copy(path, folder / part / path.name)
    for path in folder.glob("*.bin"):
        path.unlink()

    with pytest.raises(Problem, match=r"device0_0 and device1_1 hold .* both.*score one of them, such as .*device0_0"):
        score(folder)
