"""Real photographs and a trained checkpoint in the published layout: the figure that the original network gives."""

from __future__ import annotations

import json
import re

import pytest

from roadworthy.__main__ import main

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.mark.parametrize("batch", [1, 8])
def test_street40_scores_as_its_readme_says(shared, tmp_path, capsys, batch):
    """MIoU by ERFNet's convention and pooled to 1e-4, per class to 1e-3."""
    told = (shared / "data" / "README.md").read_text(encoding="utf-8")
    own, pooled = re.findall(r"\*\*(0\.\d{6})\*\*", told)
    data, weights = shared / "data" / "street40", shared / "data" / "erfnet_street.pth"
    options = {"--data": data, "--weights": weights, "--out": tmp_path, "--batch": batch}
    status = main(["evaluate", "erfnet", "--json", *(str(word) for option in options.items() for word in option)])
    row = json.loads(capsys.readouterr().out)

    assert (0, 40) == (status, row["frames"])
    assert pytest.approx(float(own), abs=1e-4) == row["miou"]
    assert pytest.approx(float(pooled), abs=1e-4) == row["pooled_miou"]
    for name, value in zip(row["classes"], row["iou"], strict=True):
        found = re.search(rf"\b{name}\s(0\.\d+)", told)
        assert pytest.approx(float(found[1]) if found else 0, abs=1e-3) == value
