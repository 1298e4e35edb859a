"""The network's input, bit for bit what Pillow and numpy make of a photograph."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.registry import CPUDispatcher
from PIL import Image

from roadworthy.data import decode, preprocess
from roadworthy.problem import Problem


def photograph(seed, height, width):
    """Random pixels (height, width, 3), half of them black or white, where rounding has an edge."""
    pixels = np.random.default_rng(seed).integers(-128, 384, (height, width, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def plain(image, size):
    """The guide's recipe in so many words."""
    resized = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    return np.float32(resized.transpose(2, 0, 1)) / np.float32(255)


F32, F64 = np.float32, np.float64
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
GUIDES = {  # network: steps, (mean, std), what the guide's script makes of one value in the order of its roundings
    "icnet": (("scale", "normalize"), IMAGENET, lambda v, mean, std: (F32(v) / F32(255) - F32(mean)) / F32(std)),
    "hrnet": (
        ("scale", "normalize_wide"),
        IMAGENET,
        lambda v, mean, std: F32(F64(F32(F64(F32(v) / F32(255)) - F64(mean))) / F64(std)),
    ),
    "deeplabv3": (
        ("normalize_cv2",),
        ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        lambda v, mean, std: F32(F64(F32(v) - F32(mean)) * (F64(1) / F64(F32(std)))),
    ),
}


def guided(card, network):
    """The card with the steps and values of a network's guide."""
    steps, (mean, std), _ = GUIDES[network]
    return dataclasses.replace(card, input=dataclasses.replace(card.input, steps=steps, mean=mean, std=std))


def with_steps(card, *steps: str):
    """The card with other words in its [input].steps."""
    return dataclasses.replace(card, input=dataclasses.replace(card.input, steps=steps))


def test_erfnets_recipe_is_a_size_and_a_table(erfnet):
    """The card's steps come down to 512x1024 and x/255 in float32, the same for each channel."""
    recipe = preprocess.recipe(erfnet)
    expected = np.tile(np.arange(256, dtype=np.float32) / np.float32(255), (3, 1))

    assert (512, 1024) == recipe.size
    assert np.float32 == recipe.table.dtype
    assert np.array_equal(expected, recipe.table)


@pytest.mark.parametrize("network", GUIDES)
def test_a_guides_recipe_is_a_table_of_its_roundings(erfnet, network):
    """Each of the 256 values of each channel has the bits that the guide's script gives it; no resize."""
    recipe = preprocess.recipe(guided(erfnet, network))
    _, (means, stds), value = GUIDES[network]
    expected = [[value(v, mean, std) for v in range(256)] for mean, std in zip(means, stds, strict=True)]

    assert recipe.size is None
    assert np.float32 == recipe.table.dtype
    assert np.array_equal(np.array(expected, np.float32).view(np.int32), recipe.table.view(np.int32))


def test_the_width_of_normalizing_is_seen_in_the_last_bits(erfnet):
    """ICNet's and HRNet's guides share steps and values, and yet neither's recipe will do for the other."""
    narrow, wide = (preprocess.recipe(guided(erfnet, network)).table for network in ("icnet", "hrnet"))

    assert np.any(narrow != wide, axis=1).all()
    assert np.allclose(narrow, wide, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step", ["normalize", "normalize_wide", "normalize_cv2"])
@pytest.mark.parametrize(
    ("missing", "values", "count"), [("mean", (), 0), ("std", (), 0), ("mean", (0.5,), 1), ("std", (1.0,) * 4, 4)]
)
def test_normalizing_without_values_is_a_problem(erfnet, step, missing, values, count):
    """The card, the key and the number of values are named; a single value is not taken for three."""
    card = guided(erfnet, "icnet")
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, steps=(step,), **{missing: values}))

    with pytest.raises(
        Problem, match=rf"card\.toml: key 'input\.{missing}' holds {count} values; .* each of 3 channels"
    ):
        preprocess.recipe(card)


def test_no_steps_leave_the_pixels_as_they_are(erfnet):
    """Without steps the input is the photograph's own values, at its own size."""
    image = photograph(0, 3, 5)
    made = preprocess.apply(preprocess.recipe(with_steps(erfnet)), image)

    assert np.array_equal(image.transpose(2, 0, 1).astype(np.float32), made)


def test_a_full_frame_is_bit_exact(erfnet):
    """A frame of Cityscapes' size becomes what Pillow's resize and numpy's division make of it."""
    image = photograph(1, 1024, 2048)

    assert np.array_equal(plain(image, (512, 1024)), preprocess.apply(preprocess.recipe(erfnet), image))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 40), wider=st.integers(0, 40), short=st.integers(1, 60))
def test_any_wide_frame_is_bit_exact(seed, height, wider, short):
    """Smaller or larger, by whole or broken ratios, the result is Pillow's to the last bit."""
    image = photograph(seed, height, height + wider)
    size = (short, short * (height + wider) // height)
    table = np.tile(np.arange(256, dtype=np.float32) / np.float32(255), (3, 1))

    assert np.array_equal(plain(image, size), preprocess.apply(preprocess.Recipe(size, table), image))


def test_a_tall_frame_has_its_width_done_first():
    """Also where Pillow 13 would begin with the height, as no Pillow of the guides did."""
    image = photograph(2, 60, 12)
    recipe = preprocess.Recipe((20, 4), np.tile(np.arange(256, dtype=np.float32), (3, 1)))
    across = np.asarray(Image.fromarray(image).resize((4, 60), Image.Resampling.BILINEAR))
    expected = np.asarray(Image.fromarray(across).resize((4, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1)

    assert expected.tolist() == preprocess.apply(recipe, image).tolist()


def test_a_frame_that_fits_is_only_looked_up(erfnet):
    """A frame of the input's own size keeps its pixels."""
    image = photograph(3, 512, 1024)
    expected = np.float32(image.transpose(2, 0, 1)) / np.float32(255)

    assert np.array_equal(expected, preprocess.apply(preprocess.recipe(erfnet), image))


@pytest.mark.parametrize("height", [1, 2])
def test_each_channel_has_its_own_row_of_the_table(height):
    """A recipe with means per channel does not mix them up, with a resize or without."""
    table = np.arange(256, dtype=np.float32) + np.float32([[0], [1000], [2000]])
    image = np.full((height, 2 * height, 3), (7, 8, 9), np.uint8)

    assert [[[7, 7]], [[1008, 1008]], [[2009, 2009]]] == preprocess.apply(
        preprocess.Recipe((1, 2), table), image
    ).tolist()


def test_a_view_of_a_photograph_will_do(erfnet):
    """A crop, a mirrored or a read-only array gives what its copy gives."""
    recipe = preprocess.recipe(erfnet)
    mirrored = photograph(4, 1024, 2048)[:, ::-1]
    mirrored.setflags(write=False)

    assert np.array_equal(preprocess.apply(recipe, mirrored.copy()), preprocess.apply(recipe, mirrored))


def test_a_slot_of_a_batch_is_filled_in_place(erfnet):
    """`out` is written and given back; its neighbours stay as they are."""
    image = photograph(5, 512, 1024)
    batch = np.full((3, 3, 512, 1024), np.float32(-1))
    made = preprocess.apply(preprocess.recipe(erfnet), image, batch[1])

    assert np.shares_memory(batch[1], made)
    assert np.array_equal(plain(image, (512, 1024)), batch[1])
    assert np.all(batch[[0, 2]] == -1)


def test_a_photograph_of_another_shape_is_a_problem(erfnet):
    """A photograph is never squeezed: both sizes are named."""
    with pytest.raises(Problem, match="is 600x800, with its shorter side at 512 512x682; the network takes 512x1024"):
        preprocess.apply(preprocess.recipe(erfnet), photograph(6, 600, 800))


def test_a_slot_of_another_size_is_a_problem(erfnet):
    """Without a resize the photograph must have the size of the input."""
    recipe = preprocess.recipe(with_steps(erfnet, "scale"))

    with pytest.raises(Problem, match="an input of 8x16; the network takes 4x8"):
        preprocess.apply(recipe, photograph(7, 8, 16), np.empty((3, 4, 8), np.float32))


@pytest.mark.parametrize("out", [np.empty((3, 4, 8)), np.empty((4, 8, 3), np.float32).transpose(2, 0, 1)])
def test_a_slot_that_cannot_be_filled_is_refused(erfnet, out):
    """float64 or a transposed view is a mistake of the caller."""
    with pytest.raises(ValueError, match="it must be float32 in C order"):
        preprocess.apply(preprocess.recipe(with_steps(erfnet)), photograph(8, 4, 8), out)


@pytest.mark.parametrize("image", [np.zeros((4, 8), np.uint8), np.zeros((4, 8, 4), np.uint8), np.zeros((4, 8, 3))])
def test_what_is_no_photograph_is_refused(erfnet, image):
    """A gray, a four-channel or a float array is a mistake of the caller."""
    with pytest.raises(ValueError, match=r"it must be uint8 of \(height, width, 3\)"):
        preprocess.apply(preprocess.recipe(with_steps(erfnet)), image)


@pytest.mark.parametrize("word", ["crop", "apply", "recipe", "Recipe", "_fit", "np"])
def test_an_unknown_step_lists_the_steps(erfnet, word):
    """Only steps are known as steps, whatever else the module holds."""
    with pytest.raises(
        Problem, match=rf"card\.toml: key 'input\.steps' names '{word}'; known: normalize, .*, resize, scale$"
    ):
        preprocess.recipe(with_steps(erfnet, word))


def test_a_model_may_bring_its_own_step(erfnet, tmp_path):
    """`net.x` is a step of the model's own net.py, between the engine's."""
    (tmp_path / "net.py").write_text(
        "import dataclasses\n\n\n"
        "def double(recipe, spec):\n"
        "    return dataclasses.replace(recipe, table=recipe.table * 2)\n"
    )
    card = dataclasses.replace(with_steps(erfnet, "net.double", "scale"), path=tmp_path / "card.toml")

    assert 2.0 == preprocess.recipe(card).table[0, 255]


def test_frames_can_be_made_in_parallel():
    """The compiled kernel lets other threads run."""
    kernels = [found for found in vars(preprocess).values() if isinstance(found, CPUDispatcher)]

    assert kernels
    assert all(kernel.targetoptions["nogil"] for kernel in kernels)


@pytest.mark.realdata
@pytest.mark.parametrize("network", ["erfnet", *GUIDES])
def test_real_frames_have_the_guides_bytes(erfnet, cityscapes9, shared, network):
    """The sha256 of each of the nine inputs is the recorded one."""
    goldens = shared / "reference" / "scoring" / "preprocess_golden.json"
    recorded = json.loads(goldens.read_text())["models"][network]["images"]
    recipe = preprocess.recipe(erfnet if network == "erfnet" else guided(erfnet, network))
    made = {
        path.name.removesuffix("_leftImg8bit.png"): hashlib.sha256(
            preprocess.apply(recipe, decode.read_image(path))
        ).hexdigest()
        for path in cityscapes9.glob("leftImg8bit/val/*/*.png")
    }

    assert {stem: entry["sha256"] for stem, entry in recorded.items()} == made
