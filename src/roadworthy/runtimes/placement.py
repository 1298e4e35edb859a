"""Where the nodes of a graph run in fact: a provider that leaves its work to the CPU gives no figure of the chip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from roadworthy.problem import CaseFailed

Node = tuple[str, str]  # operation, name
Placed = Mapping[str, Sequence[Node]]  # nodes by the provider that runs them

SHOWN = 5  # kinds of operations in a sentence, nodes as evidence
SHAPES = frozenset({"Shape", "Size"})  # where arithmetic with shapes begins
ARITHMETIC = SHAPES | {  # what such arithmetic is made of; providers leave it to the CPU on purpose
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Gather",
    "Identity",
    "Range",
    "Slice",
    "Squeeze",
    "Unsqueeze",
}


def summary(placed: Placed) -> str:
    """Such as "CUDAExecutionProvider 120, CPUExecutionProvider 4 (Gather 2, Shape 2)": kinds but of the first."""
    told = [f"{provider} {len(nodes)}" for provider, nodes in placed.items()][:1]
    told += [f"{provider} {len(nodes)} ({kinds(nodes)})" for provider, nodes in list(placed.items())[1:]]
    return ", ".join(told)


def kinds(nodes: Iterable[Node]) -> str:
    """Operations with their numbers, the most frequent first, such as "Resize 4, Conv 1"."""
    counted = sorted(Counter(operation for operation, _ in nodes).items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(counted) - SHOWN} more kinds" if len(counted) > SHOWN else ""
    return ", ".join(f"{operation} {number}" for operation, number in counted[:SHOWN]) + more


def check(placed: Placed, wanted: Sequence[str]) -> None:
    """Raise CaseFailed unless the first wanted provider runs nodes, and none but the wanted ones computes on pixels.

    Others may do arithmetic with shapes. An operation alone does not tell whether it joins shapes or pixels: it is
    taken for arithmetic where the graph asks for a shape anywhere.
    """
    total = sum(map(len, placed.values()))
    others = {provider: nodes for provider, nodes in placed.items() if provider not in wanted}
    if not placed.get(wanted[0]):
        told = " and ".join(f"{provider} runs {kinds(nodes)}" for provider, nodes in placed.items() if nodes)
        reason = "see what ONNX Runtime wrote to standard error when it loaded the provider"
        raise CaseFailed(f"{wanted[0]} runs none of the graph's {total} nodes: {told}; {reason}", evidence(placed))
    asked = any(operation in SHAPES for nodes in placed.values() for operation, _ in nodes)
    allowed = ARITHMETIC if asked else frozenset({"Constant"})
    strays = {provider: [node for node in nodes if node[0] not in allowed] for provider, nodes in others.items()}
    if number := sum(map(len, strays.values())):
        told = " and ".join(f"{provider} runs {kinds(nodes)}" for provider, nodes in strays.items() if nodes)
        raise CaseFailed(
            f"{wanted[0]} leaves {number} of the graph's {total} nodes to others: {told}", evidence(strays)
        )


def evidence(placed: Placed) -> list[str]:
    """The first nodes, one a line, as "CPUExecutionProvider: Resize /decoder/Resize_1"."""
    lines = [f"{provider}: {operation} {name}" for provider, nodes in placed.items() for operation, name in nodes]
    return lines[:SHOWN]
