"""The order of steps on the small model: graphs, files of inputs and results, the ledger's effect."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from roadworthy import evidence, pipeline
from roadworthy.case import Case
from roadworthy.convert import ledger
from roadworthy.data import cityscapes
from roadworthy.problem import Problem, Unavailable
from roadworthy.soc import find


@pytest.fixture(scope="module")
def dataset(tiny_card, tiny_data):
    """Five frames."""
    return pipeline.open_data(str(tiny_data), tiny_card)


@pytest.fixture(scope="module")
def graph(tiny_card):
    """The small model as ONNX."""
    return pipeline.prepare(tiny_card, pipeline.weights_file(tiny_card, None))


@pytest.fixture
def results(tiny_card, dataset, graph, tmp_path):
    """Result files as ais_bench writes them: float16 logits of every frame."""
    session = pipeline.runtimes.find("onnxruntime").open_session(graph.files[-1], Case(tiny_card, find("cpu"), 1))
    folder = tmp_path / "results"
    folder.mkdir()
    for batch in pipeline.stream.batches(tiny_card, dataset, 1):
        path = folder / f"{batch.frames[0].stem}_leftImg8bit_0.bin"
        session.run(batch.inputs)[0].astype(np.float16).tofile(path)
    return folder


def quiet(done: int, total: int) -> None:
    """Progress that nobody sees."""
    assert done <= total


def test_a_graph_is_made_once(tiny_card, graph):
    """Same card, weights and tools: the same files; another floor: others."""
    weights = pipeline.weights_file(tiny_card, None)
    floored = replace(tiny_card, surgery=({**tiny_card.surgery[0], "floor": 0.7},))

    assert graph == pipeline.prepare(tiny_card, weights)
    assert ["exported.onnx", "exported.1-floor_bn_weights.onnx"] == [path.name for path in graph.files]
    assert graph.files != pipeline.prepare(floored, weights).files


def test_a_model_without_weights_cannot_run_and_says_where_they_are(tiny_card):
    """Not a failure: the case is skipped with this reason."""
    with pytest.raises(Unavailable, match=r"tiny ships no weights; --weights FILE takes tiny\.pth, see https://"):
        pipeline.weights_file(replace(tiny_card, sample=None), None)


def test_inputs_are_written_under_the_guides_names(tiny_card, dataset, tmp_path):
    """One .bin for a photograph; a folder of them for a data set; the bytes the network is given."""
    pipeline.write_inputs(tiny_card, dataset.root, tmp_path / "all", quiet)
    pipeline.write_inputs(tiny_card, dataset.frames[1].image, tmp_path / "one.bin", quiet)
    batch = next(pipeline.stream.batches(tiny_card, dataset, 2))
    stems = [frame.stem for frame in dataset.frames]

    assert [f"{stem}_leftImg8bit.bin" for stem in stems] == sorted(p.name for p in (tmp_path / "all").iterdir())
    assert batch.inputs[1].tobytes() == (tmp_path / "one.bin").read_bytes()
    assert batch.inputs[0].tobytes() == (tmp_path / "all" / f"{stems[0]}_leftImg8bit.bin").read_bytes()


def test_result_files_score_as_the_stream_does(tiny_card, tiny_data, dataset, results, tmp_path):
    """Float16 files of the same logits give the streaming run's matrices, up to float16's ties."""
    run = evidence.Run(tmp_path / "run", str(tiny_data), None)
    streamed = run.evaluation(Case(tiny_card, find("cpu"), 4))
    scored = pipeline.score_results(tiny_card, results, dataset, quiet)

    assert streamed.stems == scored.stems
    assert pytest.approx(pipeline.score(tiny_card, streamed).miou, abs=2e-3) == pipeline.score(tiny_card, scored).miou


def test_results_are_paired_by_name(tiny_card, dataset, results):
    """A missing file, one cut short and one of no frame are named; nothing is paired by position."""
    files = sorted(results.iterdir())
    shutil.copy(files[0], results / "stranger_leftImg8bit_0.bin")
    with pytest.raises(Problem, match=r"1 results are of no frame of .*, first stranger_leftImg8bit_0\.bin"):
        pipeline.score_results(tiny_card, results, dataset, quiet)

    (results / "stranger_leftImg8bit_0.bin").unlink()
    content = files[2].read_bytes()
    files[2].write_bytes(content[:-2])
    with pytest.raises(Problem, match=f"{files[2].name}: holds {len(content) - 2} bytes"):
        pipeline.score_results(tiny_card, results, dataset, quiet)

    files[2].write_bytes(content)
    np.save(files[2].with_suffix(".npy"), np.zeros((20, 64, 128), np.float16))
    with pytest.raises(Problem, match=f"{files[2].stem}.npy: the same result is there as {files[2].name}"):
        pipeline.score_results(tiny_card, results, dataset, quiet)

    files[2].with_suffix(".npy").unlink()
    files[2].unlink()
    with pytest.raises(Problem, match=f"1 of 5 results are missing, first .*{files[2].name}"):
        pipeline.score_results(tiny_card, results, dataset, quiet)


def test_scores_are_of_the_card_a_named_or_all_conventions(tiny_card, tiny_data, tmp_path):
    """The JSON objects have miou, iou (19), pooled_miou, convention and frames."""
    evaluation = evidence.Run(tmp_path, str(tiny_data), None).evaluation(Case(tiny_card, find("cpu"), 1))
    (own,) = pipeline.scores(tiny_card, evaluation, pipeline.conventions(tiny_card, "card"))

    assert ("dataset", 19, 5) == (own["convention"], len(own["iou"]), own["frames"])
    assert ["pooled"] == pipeline.conventions(tiny_card, "pooled")
    assert ["dataset", "pooled"] == pipeline.conventions(tiny_card, "all")
    with pytest.raises(Problem, match=r"--convention Score: .* known: card, all, dataset, pooled"):
        pipeline.conventions(tiny_card, "Score")


def test_an_export_shows_what_surgery_did_to_class_maps(tiny_card, dataset, tmp_path):
    """A floor that changes nothing leaves every pixel; one at 1.0 changes pixels and mIoU; both are in the ledger."""
    weights = pipeline.weights_file(tiny_card, None)
    floored = replace(tiny_card, surgery=({**tiny_card.surgery[0], "floor": 1.0},))
    (kept,) = pipeline.write_graph(tiny_card, weights, dataset, tmp_path / "kept.onnx")
    (broken,) = pipeline.write_graph(floored, weights, dataset, tmp_path / "broken.onnx")

    assert (("bn.weight",), 1.0, 0.0, 3) == (kept.touched, kept.agreement, kept.miou_delta, kept.frames)
    assert broken.agreement < 0.999
    assert broken.miou_delta < 0
    assert [broken] == ledger.read(tmp_path / "broken.ledger.json")
    assert (tmp_path / "broken.onnx").is_file()


def test_a_plan_runs_nothing_and_names_every_step(tiny_card):
    """Export, surgery, build, run."""
    plan = pipeline.plan(Case(tiny_card, find("cpu"), 4), "DATA", None)

    assert ["roadworthy", "  surgery", "onnxruntime:", "roadworthy"] == [
        line.split(" p")[0].split(" e")[0].split(" no")[0] for line in plan
    ]
    assert "--data DATA" in plan[-1]


def test_the_sample_data_say_where_they_come_from(tmp_path):
    """A written folder opens as the sample data set, whatever the folder is called."""
    pipeline.write_sample(tmp_path / "mine", "val", 1)
    dataset = cityscapes.open_dataset(tmp_path / "mine")

    assert "sample-v1" == dataset.origin
    assert "sample-v1/1" == cityscapes.check(dataset, (3, 512, 1024))
