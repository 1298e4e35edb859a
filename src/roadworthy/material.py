"""What a run judges: frames, checkpoints and graphs, each found or made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from roadworthy import cache, fingerprint, pipeline
from roadworthy.card import ModelCard
from roadworthy.data import cityscapes
from roadworthy.data.cityscapes import Dataset
from roadworthy.pipeline import Graph, Progress


class Material:
    """Of the data set `data` and the checkpoint `given`, or of what is drawn and made in their place."""

    def __init__(self, data: str, given: Path | None, progress: Progress | None = None) -> None:
        self._data = data if data == cityscapes.SAMPLE else str(Path(data).absolute())  # workers have own folders
        self._given = given.absolute() if given else None
        self._progress = progress
        self._memo = cache.Memo()

    def dataset(self, card: ModelCard, progress: Progress | None = None) -> tuple[Dataset, str]:
        """The data set with the card's kind of label, every frame checked, and its name with digest.

        `progress` is told of the frames that are read, which they are once.
        """
        card = self.fitted(card)
        small = card.sample if self.opened(card).origin else None

        def checked() -> tuple[Dataset, str]:
            dataset = self.opened(card)
            if small is not None:
                dataset = replace(dataset, frames=dataset.frames[: small.frames])
            name = cityscapes.check(dataset, card.input.shape, exact=not card.input.resizes, progress=progress)
            return dataset, name + (f"@{card.input.shape[1]}x{card.input.shape[2]}" if small and small.size else "")

        frames = (card.scoring.labels, card.input.shape, card.input.resizes, small)  # alike for many a model
        return self._memo.once(("data", *frames), checked)

    def fitted(self, card: ModelCard) -> ModelCard:
        """The card at the size at which it is judged on these data: large networks run small on drawn frames."""
        return card.at_sample_size() if self.opened(card).origin else card

    def opened(self, card: ModelCard, progress: Progress | None = None) -> Dataset:
        """The data set as its folder has it; `progress` is told of frames that are drawn first."""
        key, told = ("opened", card.scoring.labels), progress or self._progress
        return self._memo.once(key, lambda: pipeline.open_data(self._data, card, progress=told))

    def weights(self, card: ModelCard) -> Path:
        """The checkpoint that is judged."""
        return self._memo.once(("weights", card.key), lambda: pipeline.weights_file(card, self._given))

    def digest(self, card: ModelCard) -> str:
        """The checkpoint's hash."""
        weights = self.weights(card)
        return self._memo.once(("digest", weights), lambda: fingerprint.of_file(weights))

    def graph(self, card: ModelCard) -> Graph:
        """The card's network with these weights as ONNX."""
        key = ("graph", card.key, card.input.shape)
        return self._memo.once(key, lambda: pipeline.prepare(card, self.weights(card)))
