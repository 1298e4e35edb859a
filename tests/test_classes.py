"""The classes: their names, order and colours are those of cityscapesScripts."""

from __future__ import annotations

from roadworthy.classes import CLASSES, COLOURS


def test_the_classes_are_cityscapes_in_order_of_train_id():
    """Nineteen names, the ones that tests and reports lean on in their places."""
    assert 19 == len(set(CLASSES))
    assert ("road", "sky", "car", "train", "bicycle") == tuple(CLASSES[i] for i in (0, 10, 13, 16, 18))


def test_every_class_has_a_colour_of_its_own():
    """Nineteen, none black, which is void's."""
    assert 19 == len(COLOURS) == len({*COLOURS, (0, 0, 0)} - {(0, 0, 0)})
    assert {"road": (128, 64, 128), "sky": (70, 130, 180), "bicycle": (119, 11, 32)}.items() <= dict(
        zip(CLASSES, COLOURS, strict=True)
    ).items()
