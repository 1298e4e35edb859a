"""The loop in one process: learns, repeats itself, goes on as if it had never stopped, keeps what it should."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import torch

from roadworthy import evaluations, network, pipeline, runtimes
from roadworthy.case import Case
from roadworthy.data import cityscapes
from roadworthy.problem import OutOfMemory, Problem
from roadworthy.runtimes import Job
from roadworthy.soc import find
from roadworthy.train import checkpoint, group
from roadworthy.train.loop import Frames, Loop, Start, evaluated

DROPOUT = "nn.Dropout(0.3)"


def values(loop: Loop) -> dict[str, list[float]]:
    """Every parameter and statistic of a run's network; compared with ==, bit for bit."""
    return {name: value.flatten().tolist() for name, value in loop.module.state_dict().items()}


def resumed(loop: Loop) -> Start:
    """A start from what a run has left."""
    return Start(resume=loop.keeper.last, state=checkpoint.read(loop.keeper.last, loop.plan.model))


@pytest.fixture(scope="module")
def frames(dataset, tiny_splits) -> Frames:
    """Twenty frames to train on and five to validate on."""
    return Frames(dataset, cityscapes.open_dataset(tiny_splits), "tiny-v1/5")


def test_the_loss_falls(run, plan):
    """Forty steps of the small network learn the colours; loss and rate of every step are kept."""
    loop = run(replace(plan, epochs=8, rate=0.5))
    losses = loop.history.losses

    assert (40, 40, 40) == (loop.step, len(losses), len(loop.history.rates))
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert 0.5 == max(loop.history.rates)


def test_a_seed_repeats_a_run(run, plan):
    """Same seed, same weights bit for bit, whatever the number of threads; another seed, others."""
    first, again, other = (run(replace(plan, seed=seed), f"{n}") for n, seed in enumerate((1, 1, 2)))

    assert values(first) == values(again)
    assert first.history.losses == again.history.losses
    assert values(first)["conv.weight"] != values(other)["conv.weight"]


@pytest.mark.parametrize("seed", [0, 20_261_121, 2**63 - 1])
def test_any_seed_will_do(run, plan, seed):
    """Also a date, and the largest that torch takes."""
    assert 1 == run(replace(plan, seed=seed, max_steps=1)).step


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("stop", [1, 5, 7])  # within an epoch of five steps, at its end, and later
def test_a_run_that_stopped_goes_on_as_if_it_had_not(run, plan, model, stop, optimizer):
    """The very same parameters: order, crops, dropout, rate and the optimizer's state are taken up."""
    card, whole = model(DROPOUT), replace(plan, optimizer=optimizer, rate=0.02, model="plain", window=2)
    straight = run(whole, "straight", card)
    stopped = run(replace(whole, max_steps=stop), "stopped", card)
    on = run(whole, "stopped", card, resumed(stopped))

    assert stop == stopped.step
    assert values(stopped) != values(straight)
    assert values(straight) == values(on)
    assert straight.history.losses == on.history.losses
    assert straight.history.rates == on.history.rates


def test_dropout_and_momentum_have_a_part_in_that(run, plan, model):
    """Without either, the same run gives other parameters: the test above would see them lost."""
    card, other, whole = model(DROPOUT), model(name="none"), replace(plan, rate=0.02, model="plain")

    assert values(run(whole, "a", card)) != values(run(whole, "b", other))
    assert values(run(whole, "c", card)) != values(run(replace(whole, momentum=0.0), "d", card))


@pytest.mark.parametrize("stop", [8, 10])  # within the second epoch, and at its end
def test_a_stop_that_is_asked_for_comes_after_a_whole_step(run, plan, frames, stop):
    """What was done is kept, the epoch's end is looked at when the run goes on, and nothing differs from not stopping."""
    whole, asked = replace(plan, epochs=3), iter([*[False] * (stop - 1), *[True] * 9])
    stopped = run(whole, "stopped", frames=frames, stopping=lambda: next(asked))
    scores = list(stopped.history.scores)
    on = run(whole, "stopped", start=resumed(stopped), frames=frames)
    straight = run(whole, "straight", frames=frames)

    assert (stop, [[1, 5]]) == (stopped.step, [row[:2] for row in scores])
    assert values(straight) == values(on)
    assert straight.history.scores == on.history.scores
    assert [[1, 5], [2, 10], [3, 15]] == [row[:2] for row in on.history.scores]


def test_a_stop_asked_for_in_the_last_step_still_ends_the_run(run, plan, frames):
    """The last epoch is validated: the end is nearer than another start."""
    asked = iter([*[False] * 9, True])  # once a step
    loop = run(plan, frames=frames, stopping=lambda: next(asked))

    assert 10 == loop.step
    assert [2, 10] == loop.history.scores[-1][:2]


def test_a_run_in_another_folder_takes_its_best_weights_along(run, plan, frames):
    """What was best before stays the best where nothing beats it."""
    first = run(replace(plan, max_steps=5), "first", frames=frames)
    on = run(plan, "second", start=resumed(first), frames=Frames(frames.train, None))

    assert first.keeper.best == on.keeper.best
    assert (first.keeper.out / first.keeper.best).read_bytes() == (on.keeper.out / on.keeper.best).read_bytes()


def test_a_best_checkpoint_that_is_gone_is_not_told_of(run, plan, frames):
    """A run goes on without it, and leaves another."""
    first = run(replace(plan, max_steps=5), "first", frames=frames)
    (first.keeper.out / first.keeper.best).unlink()
    on = run(replace(plan, max_steps=6), "second", start=resumed(first), frames=Frames(frames.train, None))

    assert "tiny_2_0.000_best_model.pth" == on.keeper.best
    assert (on.keeper.out / on.keeper.best).is_file()


def test_a_loss_that_is_no_number_ends_the_run(run, plan, tmp_path):
    """The sentence names step, rate and the last good state, which loads and is finite."""
    last = tmp_path / "out" / "last.pth"
    with pytest.raises(Problem, match="the loss is nan at step 2, learning rate inf") as caught:
        run(replace(plan, rate=math.inf, warmup=0))
    state = checkpoint.read(last, "tiny")

    assert f"{last} holds the last good state" in str(caught.value)
    assert 0 == state["step"]
    assert all(value.isfinite().all() for value in state["state_dict"].values())


@pytest.mark.parametrize("changed", [{"window": 1}, {"batch": 20}])  # one step in a window, and in an epoch
def test_weights_that_are_no_numbers_are_never_kept(run, plan, tmp_path, changed):
    """The loss before the step that broke them was finite: they would be written over good ones, or validated."""
    with pytest.raises(Problem, match="the weights are no longer finite after step 1, learning rate inf"):
        run(replace(plan, rate=math.inf, warmup=0, **changed))
    state = checkpoint.read(tmp_path / "out" / "last.pth", "tiny")

    assert all(value.isfinite().all() for value in state["state_dict"].values())


def test_too_few_frames_are_told(run, plan):
    """The sentence counts what a step takes, and nothing is divided by zero."""
    told = "20 training frames are fewer than the 24 of one step (1 devices x 8 crops x 3 batches)"

    with pytest.raises(Problem, match=re.escape(told)):
        run(replace(plan, batch=8, accumulate=3))


def test_an_unused_parameter_must_exist(run, plan, model):
    """A card that names another one is wrong; its name is told."""
    card = model(loss='"train.loss"\nunused = ["conv.weight", "conv.wait"]')

    with pytest.raises(
        Problem, match=re.escape("train.unused names 'conv.wait', which is no parameter of the network")
    ):
        run(replace(plan, model="plain"), card=card)


def test_an_unused_parameter_is_left_as_it_is(run, plan, model):
    """It is in every checkpoint, and decay does not shrink it; the others learn."""
    card = model(loss='"train.loss"\nunused = ["conv.bias"]')
    whole = replace(plan, model="plain", decay=0.1)
    one, four = (values(run(replace(whole, max_steps=steps), f"{steps}", card)) for steps in (1, 3))

    assert one["conv.bias"] == four["conv.bias"]
    assert one["conv.weight"] != four["conv.weight"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("loss", '"train.lost"', "train.loss: there is no 'train.lost'; known: train.loss"),
        ("schedule", '"cosinus"', "train.schedule: there is no 'cosinus'; known: cosine, poly"),
    ],
)
def test_a_card_that_names_no_function_is_told_the_right_ones(run, plan, model, key, value, told):
    """As everywhere in a card."""
    card = model(**{key: value})

    with pytest.raises(Problem, match=re.escape(told)):
        run(replace(plan, model="plain", **{key: value.strip('"')}), card=card)


def test_the_best_checkpoint_has_the_published_name_and_the_beaten_one_is_gone(run, plan, frames):
    """Epoch and mIoU are in its name, its keys have the published prefix, and there is one of it."""
    loop = run(replace(plan, epochs=4), frames=frames, pictures=True)
    epoch, _, score = loop.history.best
    scores = [row[2] for row in loop.history.scores]

    assert scores[0] < score  # or no best one was ever beaten
    assert f"tiny_{epoch}_{score:.3f}_best_model.pth" == loop.keeper.best
    assert {loop.keeper.best, "last.pth", "curves.png"} == {path.name for path in loop.keeper.out.iterdir()}
    assert all(key.startswith("module.") for key in torch.load(loop.keeper.out / loop.keeper.best))


def test_the_best_checkpoint_is_not_the_last(run, plan, frames):
    """Where a later epoch is worse, the weights of the better one stay."""
    first = run(replace(plan, epochs=4, max_steps=10), "first", frames=frames)
    state = checkpoint.read(first.keeper.last, "tiny")
    broken = replace(first.plan, rate=1e4, max_steps=15)  # what was learned is lost, finitely
    worse = run(broken, "first", start=Start(resume=first.keeper.last, state=state), frames=frames)

    assert worse.history.scores[-1][2] < worse.history.best[2]
    assert worse.history.best[1] <= 10
    assert first.keeper.best == worse.keeper.best
    assert (worse.keeper.out / worse.keeper.best).is_file()


def test_without_validation_the_last_weights_are_the_best(run, plan):
    """They too have the published name."""
    loop = run(plan)

    assert "tiny_2_0.000_best_model.pth" == loop.keeper.best
    kept = network.read_checkpoint(loop.keeper.out / loop.keeper.best)
    assert values(loop) == {name: value.flatten().tolist() for name, value in kept.items()}
    assert [] == loop.history.scores


@pytest.mark.parametrize(("validate", "epochs"), [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3, 4]), (9, [4]), (0, [])])
def test_epochs_are_validated_as_often_as_asked_for_and_the_last_one_always(run, plan, frames, validate, epochs):
    """Unless there is to be none."""
    loop = run(replace(plan, batch=20, epochs=4, validate=validate), frames=frames)

    assert epochs == [row[0] for row in loop.history.scores]


def test_the_figure_of_an_epoch_is_that_of_its_checkpoint(run, plan, frames, tiny_card, tmp_path):
    """`evaluate --runtime eager` of the best weights gives bit for bit what the run told."""
    loop = run(replace(plan, epochs=4, rate=0.5), frames=frames)
    path, case = loop.keeper.out / loop.keeper.best, Case(tiny_card, find("cpu"), 1)
    session = runtimes.find("eager").open_session(path, case, Job(path, path, tmp_path))
    evaluation = pipeline.evaluate(case, session, frames.val)

    assert loop.history.best[2] == evaluations.score(tiny_card, evaluation).miou
    assert loop.history.best[2] > 0.2


def test_an_evaluation_in_between_is_one_of_all_frames(run, plan, frames, tiny_card):
    """The matrices are those of the pipeline, in the order of the frames, and the module may go on learning."""
    loop = run(replace(plan, max_steps=2))
    alone = group.Group(group.CPU, group.Place(), torch.device("cpu"))
    found = evaluated(tiny_card, loop.module, frames.val, alone)

    assert tuple(frame.stem for frame in frames.val.frames) == found.stems
    assert found.matrices.sum() == sum(int((cityscapes_label(frame) != 255).sum()) for frame in frames.val.frames)


def cityscapes_label(frame):
    """A frame's truth at the size at which it is compared."""
    from roadworthy.data import decode  # noqa: PLC0415

    return decode.resize_label(decode.read_label(frame.label, frame.label_kind), (64, 128))


def test_weights_to_begin_with_are_taken_up(run, plan):
    """A run begins where another's best checkpoint is, not at random, and says which weights these were."""
    first = run(replace(plan, epochs=8, rate=0.5), "first")
    path = first.keeper.out / first.keeper.best
    loop = run(replace(plan, max_steps=1), "second", start=Start(finetune=path))

    assert loop.history.losses[0] < 0.7 * run(replace(plan, max_steps=1), "fresh").history.losses[0]
    assert re.fullmatch(rf"{re.escape(path.name)}@[0-9a-f]+", loop.weights)
    assert loop.weights == run(plan, "second", start=resumed(loop)).weights
    assert "fresh" == first.weights


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_on_a_cpu_too(run, plan, precision):
    """A few steps near those of float32; weights stay float32."""
    short = replace(plan, max_steps=4)
    full, mixed = run(short, "fp32"), run(replace(short, precision=precision), precision)

    assert pytest.approx(full.history.losses, rel=0.02) == mixed.history.losses
    assert full.history.losses != mixed.history.losses
    assert {torch.float32, torch.int64} == {value.dtype for value in mixed.module.state_dict().values()}


@pytest.mark.parametrize("scale", [None, 32.0])
def test_a_run_in_fp16_goes_on_with_its_scale(run, plan, scale):
    """Found while training, or fixed; interrupted or not, the parameters are the same."""
    whole = replace(plan, precision="fp16", loss_scale=scale)
    stopped = run(replace(whole, max_steps=3), "stopped")

    assert values(run(whole, "straight")) == values(run(whole, "stopped", start=resumed(stopped)))
    assert (scale or 2.0**16) == checkpoint.read(stopped.keeper.last, "tiny")["scaler"]["scale"]


def test_a_scale_that_is_given_stays(run, plan):
    """A step whose gradient overflows is left out, and the scale is what it was: nothing would make it grow again."""
    loop = run(replace(plan, precision="fp16", loss_scale=2.0**127, max_steps=2))
    torch.manual_seed(plan.seed)
    fresh = network.build(loop.card)

    assert 2.0**127 == checkpoint.read(loop.keeper.last, "tiny")["scaler"]["scale"]
    assert torch.equal(fresh.conv.weight, loop.module.conv.weight)


def test_a_scale_that_no_step_is_taken_with_ends_the_run(run, plan):
    """It would learn nothing to the end, and say nothing of it."""
    with pytest.raises(
        Problem, match="the last 10 steps up to 10 were left out: gradients overflow in fp16 at --loss-sc"
    ):
        run(replace(plan, precision="fp16", loss_scale=2.0**127, epochs=4, validate=0, window=5))


def test_weights_that_were_never_validated_are_replaced_by_later_ones(run, plan, frames):
    """What is published of a run without validation is where it ended, not where it stopped first."""
    blind = Frames(frames.train, None)
    first = run(replace(plan, max_steps=5), "first", frames=blind)
    on = run(replace(plan, max_steps=10), "first", start=resumed(first), frames=blind)
    kept = network.read_checkpoint(on.keeper.out / on.keeper.best)

    assert all(torch.equal(value, kept[name]) for name, value in on.module.state_dict().items())


def test_crops_made_while_the_clock_stood_still_count_in_no_speed(run, plan):
    """After a validation, steps use up what the pool has made meanwhile: a window of their own, which is cold."""
    rows = run(replace(plan, window=1, epochs=2)).history.windows

    assert [[1, 0], [2, 1], [3, 1], [4, 1], [5, 1], [8, 0], [9, 1], [10, 1]] == [[row[0], row[4]] for row in rows]


def test_windows_end_together_whichever_process_wants_to_keep(tiny_card, frames, plan, tmp_path):
    """Clocks of processes differ: one whose state is too old makes all of them pause, or they would meet no more."""

    class Two(group.Group):
        asked = 0

        def any(self, wish: bool) -> bool:  # noqa: FBT001
            self.asked += 1  # after each step whether to stop, after a window whether to keep
            return wish or self.asked == 3

    alone = Two(group.CPU, group.Place(), torch.device("cpu"))
    loop = Loop(tiny_card, replace(plan, window=2, max_steps=5), Frames(frames.train, None), alone, tmp_path, None)
    loop.train(lambda: False)

    assert [[2, 0], [5, 0]] == [[row[0], row[4]] for row in loop.history.windows]


def test_crops_too_small_for_the_network_are_told(run, plan, model):
    """A BatchNorm learns from more than one value."""
    card = model("nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.Upsample(size=(32, 64)))")

    with pytest.raises(
        Problem, match=r"1 crops of 32x64 leave a BatchNorm one value to learn from; a larger --crop or"
    ):
        run(replace(plan, model="plain", batch=1), card=card)


def test_accumulated_batches_make_the_step_of_a_large_one(run, plan, model):
    """Two batches of two teach what one of four does, where no layer looks at the batch and all crops have as much truth."""
    card = model()
    whole = replace(plan, model="plain", batch=2, crop=(64, 128), max_steps=2)
    large, small = run(replace(whole, batch=4), "large", card), run(replace(whole, accumulate=2), "small", card)
    half = run(whole, "half", card)

    for name, value in large.module.state_dict().items():
        assert torch.allclose(value, small.module.state_dict()[name], rtol=1e-5, atol=1e-7)
        assert not torch.allclose(value, half.module.state_dict()[name], rtol=1e-3)
    assert pytest.approx(large.history.losses, rel=1e-5) == small.history.losses


def test_rare_classes_weigh_more_where_the_card_says_so(run, plan, model):
    """The loss is another one, and weights are those of the frames."""
    weighed = model(loss='"train.loss"\nclass_weights = 1.1', name="weighed")
    short = replace(plan, max_steps=1, model="plain")
    with_weights = run(replace(short, class_weights=1.1), "a", weighed).history.losses
    plain = run(short, "b", model()).history.losses

    assert plain != with_weights


def test_windows_are_cold_at_first_and_hold_images_and_seconds(run, plan):
    """Every window's images are global batches of its steps; what was waited for is a part of its time."""
    loop = run(replace(plan, max_steps=5, window=1))
    rows = loop.history.windows

    assert [1, 2, 3, 4, 5] == [row[0] for row in rows]
    assert {4} == {row[1] for row in rows}
    assert [0, 1, 1, 1, 1] == [row[4] for row in rows]
    assert all(0 <= row[3] <= row[2] for row in rows)
    assert pytest.approx(16 / sum(row[2] for row in rows[1:])) == loop.history.images_per_second()


def test_a_batch_that_does_not_fit_is_told_with_a_way_out(run, plan, model):
    """Torch's own words, what was too large, and what takes the same steps in less memory; the outcome is oom."""
    card = model("Greedy()", net=GREEDY)

    with pytest.raises(
        OutOfMemory, match="a smaller --batch with a larger --accumulate has steps of the same crops"
    ) as caught:
        run(replace(plan, model="plain"), card=card)

    assert str(caught.value).startswith("4 crops of 32x64 do not fit in the memory of cpu (")
    assert "oom" == caught.value.outcome


GREEDY = '''
"""A network that wants more memory than there is."""

import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.conv = nn.Conv2d(3, classes, 1)

    def forward(self, x):
        return self.conv(x) + torch.empty(2**50)
'''


def test_a_defect_of_a_network_is_no_sentence(run, plan, model):
    """What is neither memory nor another process keeps its traceback."""
    with pytest.raises(RuntimeError, match="expected input"):
        run(replace(plan, model="plain"), card=model("nn.Conv2d(5, 3, 1)"))


def test_a_run_with_a_gap_in_its_data_is_told(run, plan, tiny_splits, tmp_path):
    """A file that goes while the run is under way ends it with its name."""
    dataset = cityscapes.open_dataset(tiny_splits, "train")
    gone = replace(dataset.frames[0], image=tmp_path / "gone.png")
    frames = Frames(replace(dataset, frames=(gone, *dataset.frames[1:])), None)

    with pytest.raises(Problem, match=re.escape(f"{tmp_path / 'gone.png'}: cannot be read")):
        run(plan, frames=frames)


def test_a_run_goes_on_with_as_many_frames_alone(run, plan, frames):
    """Another number of them would have other steps, and other rates."""
    first = run(replace(plan, max_steps=1), "first")
    fewer = Frames(replace(frames.train, frames=frames.train.frames[:-1]), frames.val)

    with pytest.raises(Problem, match=r"last\.pth: the run was begun with \d+ training frames; .* holds \d+$"):
        run(plan, "second", start=resumed(first), frames=fewer)
