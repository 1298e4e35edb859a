"""Streams: every frame once, in order, the last batch padded, no more decoded ahead than asked for."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from roadworthy.data import cityscapes, decode, preprocess, stream


@pytest.fixture(scope="module")
def dataset(tiny_data):
    """Five frames."""
    return cityscapes.open_dataset(tiny_data)


@pytest.mark.parametrize("bursts", [False, True])
@pytest.mark.parametrize(("size", "held"), [(1, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (8, [5])])
def test_every_frame_comes_once_in_order(tiny_card, dataset, size, held, bursts):
    """Inputs and labels are those of the frames, at any batch size."""
    batches = list(stream.batches(tiny_card, dataset, size, bursts=bursts))
    recipe = preprocess.recipe(tiny_card)

    assert held == [len(batch.frames) for batch in batches]
    assert dataset.frames == tuple(frame for batch in batches for frame in batch.frames)
    assert {(size, 3, 64, 128)} == {batch.inputs.shape for batch in batches}
    for batch in batches:
        for slot, frame in enumerate(batch.frames):
            truth = decode.resize_label(decode.read_label(frame.label, frame.label_kind), (64, 128))
            assert np.array_equal(preprocess.apply(recipe, decode.read_image(frame.image)), batch.inputs[slot])
            assert np.array_equal(truth, batch.labels[slot])


def test_the_last_batch_is_padded_with_its_first_frame(tiny_card, dataset):
    """As ais_bench pads."""
    last = list(stream.batches(tiny_card, dataset, 4))[-1]

    assert 1 == len(last.labels)
    assert all(np.array_equal(last.inputs[0], last.inputs[slot]) for slot in range(1, 4))


def test_no_more_is_done_ahead_than_asked_for():
    """Memory holds a few frames, whatever their number."""
    begun = []
    results = stream.in_order(begun.append, range(100), ahead=3)
    next(results)

    assert len(begun) <= 4

    results.close()

    assert len(begun) <= 4


def test_bursts_leave_the_cores_alone_in_between():
    """All of a burst is done when its first result is given, and nothing is begun before the burst is used up."""
    begun = []
    results = stream.in_order(lambda job: begun.append(job) or job, range(10), ahead=4, bursts=True)

    for seen in range(4):
        assert seen == next(results)
        assert [0, 1, 2, 3] == sorted(begun)
    next(results)
    assert list(range(8)) == sorted(begun)


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_threads_work_as_are_asked_for(workers):
    """All of them at once, and no more."""
    together, seen = threading.Barrier(workers), set()

    def work(job: int) -> int:
        seen.add(threading.current_thread().name)
        together.wait(30)
        return job

    assert list(range(6)) == list(stream.in_order(work, range(6), ahead=6, workers=workers))
    assert workers == len(seen)


def test_results_keep_their_order_whoever_is_first():
    """A slow first job does not let the second overtake it."""
    first = threading.Event()

    def work(job: int) -> int:
        if job == 0:
            first.wait(1)
        elif job == 1:
            first.set()
        return job

    assert list(range(6)) == list(stream.in_order(work, range(6), ahead=2))


def test_to_leave_early_waits_for_no_job():
    """The garbage collector may close what an error left behind while its thread holds the very lock that a join takes."""
    go_on, begun, threads = threading.Event(), [], set()

    def work(job: int) -> int:
        threads.add(threading.current_thread())
        begun.append(job)
        return job if job == 0 or go_on.wait(30) else -1

    results = stream.in_order(work, range(100), ahead=9)
    assert 0 == next(results)
    leaving = threading.Thread(target=results.close)
    leaving.start()
    leaving.join(10)
    left = not leaving.is_alive()
    go_on.set()
    leaving.join()
    for thread in threads:
        thread.join()

    assert left
    assert len(begun) <= 3  # those that were not begun never are
