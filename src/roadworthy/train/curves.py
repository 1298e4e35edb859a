"""A run's loss, rate and mIoU as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from roadworthy import whole
from roadworthy.train.checkpoint import History

SMOOTH = 0.9  # of the line through the losses


def draw(history: History, title: str, path: Path) -> None:
    """Write a PNG: loss of every step with a smoothed line, rate, and mIoU of validated epochs by step.

    Raises Problem naming the file where it cannot be written.
    """
    figure = Figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    steps = range(1, len(history.losses) + 1)
    above.plot(steps, history.losses, color="tab:blue", alpha=0.3, linewidth=0.8)
    above.plot(steps, smoothed(history.losses), color="tab:blue", label="loss, smoothed")
    above.set(title=title, ylabel="loss")
    rates = above.twinx()
    rates.plot(steps, history.rates, color="tab:orange", linewidth=1, label="learning rate")
    rates.set(ylabel="learning rate")
    above.legend(handles=[*above.get_lines()[1:], *rates.get_lines()], loc="lower left")
    if history.scores:
        epochs, at, scores = zip(*history.scores, strict=True)
        below.plot(at, [100 * score for score in scores], "o-", color="tab:green", markersize=3)
        best = max(range(len(scores)), key=lambda i: scores[i])
        below.plot(at[best], 100 * scores[best], "o", color="tab:red")
        below.set_title(
            f"mIoU: best {100 * scores[best]:.2f} % in epoch {epochs[best]:.0f}, last {100 * scores[-1]:.2f} %"
        )
    below.set(xlabel="step", ylabel="mIoU (%)")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    for axes in (above, rates, below):
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    with whole.written(path, "picture") as part:
        figure.savefig(part, format="png", dpi=120)


def smoothed(values: list[float]) -> list[float]:
    """An exponential mean, begun without the pull of a first value."""
    found, mean, weight = [], 0.0, 0.0
    for value in values:
        mean, weight = SMOOTH * mean + (1 - SMOOTH) * value, SMOOTH * weight + (1 - SMOOTH)
        found.append(mean / weight)
    return found
