"""What losses are made of: labels at another size, cross-entropy of what is not ignored, ICNet's three branches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from roadworthy import card as cards
from roadworthy.train import loss

BUILTIN = cards.find([cards.builtin_models()])
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def own_loss(key: str):
    """The function that the card of a model names."""
    card = BUILTIN[key]
    return card.lookup(card.train.loss, key="train.loss")


def drawn(size: tuple[int, int], classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, classes, *size) that want a gradient, and labels (2, *size) of which some are ignored."""
    rng = np.random.default_rng(1)
    label = rng.choice([*range(classes), 255], (2, *size))
    return torch.from_numpy(rng.normal(size=(2, classes, *size))).float().requires_grad_(), torch.from_numpy(label)


@given(SIZES, SIZES)
def test_nearest_never_invents_an_id_and_keeps_the_corners(before, after):
    """Whatever the two sizes, every pixel is one of the label's, and the four corners stay where they are."""
    label = torch.arange(before[0] * before[1]).reshape(1, *before) * 7
    small = loss.nearest(label, after)
    down, across = (-1 if n > 1 else 0 for n in after)

    assert (1, *after) == tuple(small.shape)
    assert set(small.unique().tolist()) <= set(label.unique().tolist())
    assert label[0, 0, 0] == small[0, 0, 0]
    assert label[0, down, across] == small[0, down, across]
    assert label[0, down, 0] == small[0, down, 0]
    assert label[0, 0, across] == small[0, 0, across]


def test_nearest_takes_every_pixel_from_its_own_place():
    """Rows are not taken for columns, nor frames for each other: 9 -> 3 keeps the first, the middle and the last."""
    label = torch.arange(2 * 9 * 5).reshape(2, 9, 5)

    assert torch.equal(label[:, [0, 4, 8]][:, :, [0, 2, 4]], loss.nearest(label, (3, 3)))


@pytest.mark.parametrize("shrink", [loss.nearest, loss.bilinear])
def test_a_label_of_the_outputs_size_is_left_as_it_is(shrink):
    """Also its ignored pixels."""
    _, label = drawn((6, 7))

    assert torch.equal(label, shrink(label, (6, 7)))


def test_the_guides_way_invents_classes_between_two():
    """Halfway between road (0) and building (2) lies sidewalk (1); nearest gives one of the two."""
    label = torch.tensor([[[0, 2]]]).repeat(1, 2, 1)

    assert [[0, 1, 2]] * 2 == loss.bilinear(label, (2, 3))[0].tolist()
    assert {0, 2} == set(loss.nearest(label, (2, 3)).unique().tolist())


def test_the_guides_way_ignores_only_what_is_ignored_all_around():
    """Its ignored pixels are -1: beside class 0, half of one is class 0; beside class 4 an id between them."""
    beside_zero, beside_four, alone = ([[[a, b]] * 2] for a, b in ((255, 0), (255, 4), (255, 255)))

    assert [255, 0, 0] == loss.bilinear(torch.tensor(beside_zero), (2, 3))[0, 0].tolist()
    assert [255, 1, 4] == loss.bilinear(torch.tensor(beside_four), (2, 3))[0, 0].tolist()
    assert [255, 255, 255] == loss.bilinear(torch.tensor(alone), (2, 3))[0, 0].tolist()


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 0.5, 3.0, 0.0])])
def test_entropy_is_the_mean_of_torch(weight):
    """Value and gradient, with and without weights of classes."""
    ours, label = drawn((4, 6))
    theirs = ours.detach().clone().requires_grad_()
    found = loss.entropy(ours, label, weight, loss.nearest)
    right = functional.cross_entropy(theirs, label, weight, ignore_index=255)
    found.backward()
    right.backward()

    assert pytest.approx(right.item(), rel=1e-6) == found.item()
    assert torch.allclose(theirs.grad, ours.grad, atol=1e-7)


@pytest.mark.parametrize("weight", [None, torch.ones(5)])
def test_a_crop_without_a_labelled_pixel_teaches_nothing(weight):
    """Loss and gradient are 0, not the NaN of a mean of nothing."""
    output, label = drawn((4, 6))
    found = loss.entropy(output, torch.full_like(label, 255), weight, loss.nearest)
    found.backward()

    assert 0 == found.item()
    assert 0 == output.grad.abs().max().item()


def test_ignored_pixels_have_no_part():
    """Whatever the network says there, loss and gradient stay what they are; there the gradient is 0."""
    output, label = drawn((4, 6))
    ignored = (label == 255).unsqueeze(1)
    other = output.detach().masked_fill(ignored, 50.0).requires_grad_()
    first, second = (loss.entropy(logits, label, None, loss.nearest) for logits in (output, other))
    second.backward()

    assert ignored.any()
    assert first.item() == second.item()
    assert 0 == other.grad[ignored.expand_as(other)].abs().max().item()


def test_entropy_brings_the_label_to_the_output():
    """A coarse output is compared with the label at its size, by the way that is asked for."""
    output, label = drawn((3, 3))[0], drawn((8, 5))[1]
    right = functional.cross_entropy(output, label[:, [0, 4, 7]][:, :, [0, 2, 4]], ignore_index=255)

    assert pytest.approx(right.item(), rel=1e-6) == loss.entropy(output, label, None, loss.nearest).item()
    assert right.item() != loss.entropy(output, label, None, loss.bilinear).item()


def test_half_precision_is_summed_in_float32():
    """A hundred thousand pixels do not overflow float16."""
    output = torch.zeros(1, 2, 320, 320, dtype=torch.float16)
    found = loss.entropy(output, torch.zeros(1, 320, 320, dtype=torch.int64), None, loss.nearest)

    assert torch.float32 == found.dtype
    assert pytest.approx(np.log(2), rel=1e-5) == found.item()


def test_the_loss_of_icnet_is_of_its_three_coarse_outputs():
    """1.0 of 1/4, 0.4 of 1/8, 0.4 of 1/16; the full size carries none, not even a gradient."""
    outputs = [torch.full((1,), float(value), requires_grad=True) for value in (1000, 100, 10, 1)]
    found = own_loss("icnet")(outputs, lambda output: output.sum())
    found.sum().backward()

    assert pytest.approx(100 + 4 + 0.4) == found.item()
    assert (None, *map(pytest.approx, (1.0, 0.4, 0.4))) == tuple(
        o.grad if o.grad is None else o.grad.item() for o in outputs
    )


def test_the_loss_of_icnet_needs_four_outputs():
    """An exported network of one output is not trained by mistake."""
    with pytest.raises(ValueError, match="argument"):
        own_loss("icnet")([torch.zeros(1)], lambda output: output.sum())


def test_the_loss_of_erfnet_is_that_of_its_output():
    """Cross-entropy as it is."""
    output = torch.tensor([3.0])

    assert 3.0 == own_loss("erfnet")([output], lambda found: found.sum()).item()


def test_icnet_learns_from_its_branches_and_not_from_the_full_size():
    """The real network: its outputs are at 1, 1/4, 1/8 and 1/16, and the loss is the weighted sum at these sizes."""
    card = BUILTIN["icnet"]
    torch.manual_seed(0)
    module = card.lookup(card.net.build)(19).eval()
    label = torch.from_numpy(np.random.default_rng(0).integers(0, 19, (1, 192, 192)))
    sizes = []

    def entropy(output: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(output.shape[-2:]))
        return loss.entropy(output, label, None, loss.nearest)

    with torch.no_grad():
        outputs = module(torch.rand(1, 3, 192, 192))
        found = own_loss("icnet")(outputs, entropy)

    assert (192, 192) == tuple(outputs[0].shape[-2:])
    assert [(48, 48), (24, 24), (12, 12)] == sizes
    parts = [functional.cross_entropy(o, loss.nearest(label, o.shape[-2:])) for o in outputs[1:]]
    assert pytest.approx(float(parts[0] + 0.4 * parts[1] + 0.4 * parts[2]), rel=1e-5) == float(found)
