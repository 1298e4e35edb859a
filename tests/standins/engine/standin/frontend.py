"""The front-end that all generations share: from flags to files and a summary."""

from __future__ import annotations

import argparse
import contextlib
import copy
import multiprocessing
import os
import sys
import time
from typing import Any

from standin import arguments, console, feeds, knobs, native, summary
from standin.generation import Generation
from standin.om import BrokenOmError, read
from standin.results import PURE, Folder, folder_path
from standin.session import Session, Transfers


def main(generation: Generation) -> int:
    """Run as the flags say; returns the exit status."""
    args = arguments.parse(generation, sys.argv[1:])
    strike(args)
    if args.output_dirname is not None and args.output is None:
        console.log("ERROR", "--output_dirname needs --output")
        raise RuntimeError
    if not generation.is_first:
        check_version(args)
    args.folder = folder_path(args) if args.output is not None else None
    if len(args.device) > 1:
        return run_many(generation, args)
    run_one(generation, args)
    return 0


def strike(args: argparse.Namespace) -> None:
    """Fail where a test asks for it, before anything else."""
    batch = None
    with contextlib.suppress(BrokenOmError):
        batch = read(args.model).batch
    kind = knobs.fault("cli", batch)
    if kind is not None:
        console.log("ERROR", f"a fault of kind {kind} was asked for")
        raise RuntimeError


def check_version(args: argparse.Namespace) -> None:
    """Fall back to run_mode tensor where the version of aclruntime cannot be told: pkg_resources left setuptools."""
    try:
        import pkg_resources  # noqa: PLC0415  # absent from recent setuptools, which is the point

        pkg_resources.get_distribution("aclruntime")
    except Exception:  # noqa: BLE001  # the real one asks as carelessly
        console.log("WARNING", "aclruntime version:None is lower please update aclruntime follow any one method")
        console.log("WARNING", "1. install the wheel of the release")
        console.log("WARNING", "2. or build it from its sources")
        args.run_mode = "tensor"


def run_one(generation: Generation, args: argparse.Namespace) -> float:
    """The throughput of one device, with everything that is printed and written on the way."""
    session = generation.session(args.device[0], args.model, None, args.debug, args.loop)
    if args.batchsize is None:
        args.batchsize = session.opened().om.batch
        console.log("INFO", f"try get model batchsize:{args.batchsize}")
    refuse_dynamic(args)
    folder = Folder(generation, args.folder, args) if args.folder is not None else None
    sizes = [tensor.realsize for tensor in session.get_inputs()]
    runs = feeds.batches(args.input, sizes) if args.input else [[[PURE] for _ in sizes]]
    warm_up(generation, args, session, feed(args, runs[0], sizes))
    for run in console.bar(runs, f"Inference {args.run_mode} Processing"):
        outputs = session.run(feed(args, run, sizes))
        if folder is not None:
            folder.save(run, outputs)
    throughput = summary.report(generation, args, session.times, folder)
    session.free()
    native.say("[INFO] end to finalize acl")
    return throughput


def refuse_dynamic(args: argparse.Namespace) -> None:
    """No model of a stand-in has dynamic shapes."""
    if any(getattr(args, flag.removeprefix("--")) is not None for flag in arguments.DYNAMIC[:5]):
        console.log("ERROR", "the model is static, no --dym* flag can be set")
        raise native.error(1, "ACL: invalid parameter")


def feed(args: argparse.Namespace, run: list[feeds.Batch], sizes: list[int]) -> list[bytes]:
    """The bytes of every input in one run."""
    if not args.input:
        return [feeds.pure(size, args.pure_data_type) for size in sizes]
    return [feeds.joined(batch) for batch in run]


def warm_up(generation: Generation, args: argparse.Namespace, session: Session, first: list[bytes]) -> None:
    """Runs of the first inputs that no record keeps."""
    count = 1 if generation.is_first else args.warmup_count
    session.set_loop_count(1)
    for _ in range(count):
        session.run(first)
    session.set_loop_count(args.loop)
    session.times.clear()
    Transfers.reset()
    console.log("INFO", f"warm up {count} times done" if generation.is_first else f"warm up {count} done")


def run_many(generation: Generation, args: argparse.Namespace) -> int:
    """One process for each device; 0 where each of them told its index and its result."""
    console.log("INFO", f"multidevice:{args.device} run begin")
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [
        context.Process(target=child, args=(generation, its, index, queue))
        for index, its in enumerate(shares(generation, args))
    ]
    for process in children:
        process.start()
    for process in children:
        process.join()
    messages = []
    while not queue.empty():
        messages.append(queue.get())
    result = 0 if len(messages) == 2 * len(children) else 1
    console.log("INFO", f"multidevice run end qsize:{len(messages)} result:{result}")
    total = 0
    for index, throughput, start, end in (message for message in messages if isinstance(message, list)):
        text = f"i:{index} device_{args.device[index]} throughput:{throughput} start_time:{start} end_time:{end}"
        console.say(f"[INFO] {text}" if generation.logs_devices else text)
        total += throughput
    console.log("INFO", f"summary throughput:{total}")
    return result


def shares(generation: Generation, args: argparse.Namespace) -> list[argparse.Namespace]:
    """The flags of each device: its folder and its part of the inputs, or all of them."""
    count = len(args.device)
    parts = [args.input] * count
    if args.input and (generation.divides or args.divide_input):
        text = args.input.split(",")
        lists = feeds.file_lists(args.input, inputs_of(args.model, len(text)))
        parts = [",".join(path for files in lists for path in share(files, index, count)) for index in range(count)]
    result = []
    for index, device in enumerate(args.device):
        its = copy.copy(args)
        its.device, its.input = [device], parts[index]
        if args.folder is not None:
            name = generation.device_folder.format(device=device, index=index)
            its.folder = os.path.join(args.folder, name)  # noqa: PTH118  # paths stay as given
        result.append(its)
    return result


def share(files: list[str], index: int, count: int) -> list[str]:
    """One of `count` runs of files of nearly equal length."""
    return files[index * len(files) // count : (index + 1) * len(files) // count]


def inputs_of(model: str, otherwise: int) -> int:
    """How many inputs the model has, if it can be read."""
    try:
        return len(read(model).inputs)
    except BrokenOmError:
        return otherwise


def child(generation: Generation, args: argparse.Namespace, index: int, queue: Any) -> None:
    """One device's run, in a process of its own."""
    console.log("INFO", f"subprocess_{index} main run")
    try:
        queue.put(index)
        start = time.time()
        throughput = run_one(generation, args)
        queue.put([index, throughput, start, time.time()])
    finally:
        native.flush()
