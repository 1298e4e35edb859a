"""The words of tables, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Language = Literal["en", "zh"]

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "accuracy": ("Accuracy: mIoU, %", "精度：mIoU（%）"),
        "throughput": ("Throughput: images/s", "性能：吞吐率（帧/秒）"),
        "training": ("Training: {group}", "训练：{group}"),
        "result": ("the result", "结果"),
        "upstream": ("upstream", "上游官方"),
        "search": ("{group}, search for settings", "{group}超参搜索"),
        "batch": ("batch", "batch"),
        "best row": ("best", "最优batch"),
        "bold": (
            "The best batch of each chip is bold and enters the last row; ratios are computed from the figures as measured.",
            "每种芯片的最优batch以粗体标出，并列于末行；比值由原始测量值计算。",
        ),
        "oom": ("out of memory", "内存不足"),
        "oom in words": ("out of memory ({guide})", "{guide}"),
        "lost": ("out of memory, which the card does not expect", "内存不足，且模型卡片未预期"),
        "run": ("run", "名称"),
        "devices": ("devices", "卡数"),
        "final": ("final mIoU, %", "最终mIoU（%）"),
        "best": ("best mIoU, %", "最优mIoU（%）"),
        "speed": ("images/s", "吞吐率（帧/秒）"),
        "target": ("target", "目标精度"),
        "nothing": ("Nothing of {name} is published or measured.\n", "{name}尚无公布或实测的数据。\n"),
        "all": ("All figures: {origin}.", "全部数据：{origin}。"),
        "published": ("published in the guide", "指南公布"),
        "published with": (
            "published in the guide, whose Ascend chips ran with {facts}",
            "指南公布，其昇腾芯片环境为{facts}",
        ),
        "measured": ("measured on {when}", "{when}实测"),
        "driver": ("driver {version}", "驱动{version}"),
        "firmware": ("firmware {version}", "固件{version}"),
        "cann": ("CANN {version}", "CANN {version}"),
        "unknown driver": ("driver and CANN not known", "驱动与CANN版本未知"),
        "runtime": ("by {runtime}", "运行时{runtime}"),
        "dies": ("on one die times {dies}", "单颗芯片实测值乘以{dies}"),
        "comma": (", ", "，"),
        "semicolon": ("; ", "；"),
        "failed training": ("{cell}: {told}.", "{cell} 未通过：{told}。"),
        "full stop": (".", "。"),
        "device": ("device clock", "设备计时"),
        "wall": ("wall clock", "墙钟计时"),
        "no clock": ("unknown clock", "未知计时"),
        "clock of": ("{clock} of {runtime}", "{runtime}的{clock}"),
        "unlike": (
            "{soc} was timed by the {theirs}, the chip divided by it by the {own}: this ratio compares unlike",
            "{soc}为{theirs}，与之相比的芯片为{own}：该比值并非同类相比",
        ),
        "model": ("model", "模型"),
        "chip": ("chip", "芯片"),
        "best batch": ("best batch", "最优batch"),
        "target %": ("target %", "目标 %"),
        "verdict": ("verdict", "判定"),
        "of best": (
            "Ratios are of best batches; mIoU is the lowest of all batch sizes.",
            "比值均为最优batch之比；mIoU取各batch中的最低值。",
        ),
        "passed": ("passed", "通过"),
        "failed": ("failed", "未通过"),
        "unjudged": ("unjudged", "未判定"),
        "of gates": ("{outcome}: {gates}", "{outcome}：{gates}"),
        "gate accuracy": ("accuracy", "精度"),
        "gate memory": ("memory", "内存"),
        "gate throughput": ("throughput against {other}", "相对{other}的性能"),
    }
)


def word(name: str, language: Language, /, **values: object) -> str:
    """The word of this name, filled with values."""
    return WORDS[name][language == "zh"].format(**values)
