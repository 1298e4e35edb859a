"""Why ais_bench or CANN's compiler failed, told from what they printed: an exception says the same of many causes."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roadworthy.problem import CaseFailed, OutOfMemory, Unsupported
from roadworthy.runtimes import cann

EVIDENCE, WIDTH = 6, 300  # lines kept, characters of each
HARMLESS = re.compile(r"\[?(?:DEBUG|INFO|EVENT|TRACE|WARN(?:ING)?)\b(?!.*ERROR\])")  # at the start of a line
PROGRESS = re.compile(r'(?!.*ERROR\])(?:.*\d+%\||.*loop inference exec:|[.^~ ]+$|File "|Traceback|During handling)')
RAISED = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt|Exit)\b:?\s*(?P<text>.*)")
SAYS_NOTHING = re.compile(r"(?:\[-?\d+\]\s*\[.*\]\s*)?$")  # `[1][ACL: invalid parameter]` is said of many causes
STAMP = r"(?:\[PID: ?\d+\] (?:\d{4}-\S+ )?)?"  # from CANN 7 on, behind the code or before it
CODE = re.compile(STAMP + r"(?:\w+\()?(?P<code>E[A-Z]?\d{4,5})\)?:\s*" + STAMP + r"(?P<message>.*)")
BLOCK = re.compile(STAMP + r"(?:\w+\()?E[A-Z]?\d{4,5}\b")  # `E19999 index:0 > ...` has no colon
HOST_MEMORY = "the host's memory ran out, not the device's; give it more, or run a smaller batch"


@dataclass(frozen=True)
class Sign:
    """A line that decides, the outcome that it means, and the sentence, with the line and its named groups."""

    seen: str
    told: str
    kind: type[CaseFailed] = CaseFailed


FIRST = (  # before what a missing library or a signal says
    Sign(
        r"(?i)supported\s*socVersion\s*[=:]\s*\W?(?P<here>\w+).*?model\s*socVersion\s*[=:]\s*\W?(?P<made>\w+)",
        "the OM was made for {made} and this chip is {here}; compile it with --soc_version={here}",
        Unsupported,
    ),
    Sign(
        r"ModelCheckCompatibility failed",
        "the OM was made for another chip than this one; compile it with --soc_version=Ascend + Name of npu-smi info",
        Unsupported,
    ),
    Sign(
        r"open device \d+ failed|SetDevice failed|Failed to open device|\b507033\b",
        "the device cannot be opened ({line}); choose one that npu-smi info shows (column Device), in health and not "
        "filled by another process",
    ),
    Sign(r"(?:MallocHost|HostMemAlloc)\w*\b.*fail", HOST_MEMORY),
    Sign(
        r"\bEL0004\b|Available memory is insufficient|(?:result|ret|code)\W+(?:is\W+)?207001\b|\brtMalloc\w*\b.*\bfail"
        r"|InnerCode=0x7020016|Malloc ptrData failed|MxbsMalloc failed|memory data malloc failed|\b(?i:out of memory)\b(?!.*Killed process)",
        "the device's memory is too small for it; a smaller batch may fit, or see in npu-smi info whether another "
        "process fills the device",
        OutOfMemory,
    ),
    Sign(
        r"No space left on device|OSError: \d+ requested and \d+ written",
        "a disk is full ({line}); free space there, or set TMPDIR to another disk",
    ),
)
OTHERS = (
    Sign(r"MemoryError\b|std::bad_alloc|an(?:no|')t allocate memory|Killed process", HOST_MEMORY),
    Sign(
        r"tensorsize:\s*(?P<need>\d+)\s+filesize:\s*(?P<have>\d+)\s+not match",
        "the model takes {need} bytes and the first input file has {have}; a whole number of files must make one batch",
    ),
    Sign(
        r"[Cc]heck i:\s*(?P<input>\d+).*?\bin size:\s*(?P<have>\d+)\s+needsize:\s*(?P<need>\d+)",
        "input {input} of the model takes {need} bytes and got {have}; all files must be of the size of the first one",
    ),
    Sign(
        r"save out files error.*?files_count_perbatch:\s*(?P<files>\d+)\s+ndata\.shape\s*\d*:\s*(?P<first>\d+)",
        "an output whose first axis is {first} cannot be parted among {files} files; the files are too small for the "
        "model (float16 for float32?), or --output_batchsize_axis is another",
    ),
    Sign(
        r"(?i)load model from file failed",
        "the OM cannot be loaded ({line}); it is missing or damaged, or made for another chip or CANN: compile it again",
    ),
    Sign(
        r"execute (?:model|Infer) failed",
        "the model was loaded and failed while it ran ({line}); CANN's log in ~/ascend/log says which operator",
    ),
)


PYTHON = "install it for the python3 that is first on PATH, and source set_env.sh of CANN"
CODES = (  # patterns of messages without brackets and quotes, which change from CANN to CANN; after ";" what is right
    Sign(
        r"E10001: Value -1 for parameter (?P<p>\S+) is invalid",
        "the input {p} has an axis without a size; give all of its sizes in --input_shape, under this very name",
    ),
    Sign(
        r"E10001: Value (?P<v>.*?) for (?:parameter )?\S*soc_version is invalid",
        "this CANN knows no chip {v}; --soc_version is Ascend and Name of npu-smi info, of a chip that this CANN still has",
        Unsupported,
    ),
    Sign(
        r"E10001: Value (?P<v>.*?) for (?:parameter )?(?P<p>\S+) is invalid\.?\s*(?:Reason: )?(?P<why>.*)",
        "{v} is no value of {p}: {why}; atc --help lists what it takes",
    ),
    Sign(
        r"(?:E10002|E10011): Value (?P<v>.*?) for .*? is invalid\.?\s*(?:Reason: )?(?P<why>.*)",
        "{v} is no --input_shape: {why}; it is written name:1,3,512,1024;name:.. in whole numbers, without blanks",
    ),
    Sign(r"E10010: Value (?P<v>.*?) for", "--log={v} is unknown; it takes debug, info, warning, error or null"),
    Sign(r"E10004: .*?(?P<p>--[\w-]+)", "{p} is empty; give it a value or leave it out"),
    Sign(r"E10007: .*?(?P<p>--[\w-]+)", "{p} is missing; --framework=5 is ONNX"),
    Sign(
        r"E10016: Opname (?P<v>.*?) specified in (?P<p>[\w-]+)",
        "the graph has no node {v}, which {p} names; --input_shape takes the names of the graph's inputs, --out_nodes those "
        "of its nodes, not of tensors",
    ),
    Sign(r"E10022: Path (?P<v>\S+) for parameter (?P<p>\S+)", "{p} {v} names no file; add the name, without .om"),
    Sign(r"E10054: .*?(?P<p>--[\w-]+)", "{p} is missing; give it, and put values with ; or blanks into quotes"),
    Sign(r"E16005: .*?(?P<v>\d+)", "the graph has {v} sets of operators; keep the one of ai.onnx in opset_import"),
    Sign(
        r"(?:E19010|EZ9010): .*?for Op (?P<v>.*), optype (?P<t>[^\s,]*[^\s,.])",
        "this CANN cannot read the operator {t} ({v}); export with an opset that it knows, or put another one into its place",
        Unsupported,
    ),
    Sign(
        r"EZ3002: Optype (?P<v>\S+) of Ops kernel (?P<t>\S+) is unsupported\.?\s*(?:Reason: )?(?P<why>.*)",
        "the chip's {t} does not take the operator {v} as it is here: {why}; put another one, type or shape into its place",
        Unsupported,
    ),
    Sign(
        r"EZ3003: .*? for (?P<v>.*), optype (?P<t>[^\s,]*[^\s,.])",
        "the chip has no operator {t} ({v}); put another one into its place, and see that CANN's operators (OPP) for it "
        "are installed",
        Unsupported,
    ),
    Sign(r"E20001: .*?compile Op (?P<v>.+?)[.,]? *(?:\(|$)", "the operator {v} cannot be compiled; the log says why"),
    Sign(r"EC0010: .*?Python module (?P<v>.*?)\.*$", f"Python fails for the compiler with {{v}}; {PYTHON}"),
    Sign(r"E40000: .*?import (?P<v>[\w.]+\w)", f"the compiler cannot import {{v}}; {PYTHON}"),
    Sign(r"E19999: (?P<v>.*)", "an inner error of the compiler, {v}; the lines of the log before it say more"),
)
NO_HOST_MEMORY = r"BrokenPipeError|\bKilled$|MemoryError\b|bad_alloc|(?i:out of memory|cannot allocate memory(?! in))"
OUTSIDE = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def classify(what: str, text: str, status: int) -> CaseFailed:
    """The failure of a run that printed `text` (both streams) and ended with `status`, negative for a signal.

    Lines are weighed, not their order: native ones come late. The sentence begins with `what`.
    """
    lines = _serious(text)
    if failed := _shown(what, lines, FIRST):
        return failed
    if hint := cann.missing_library("\n".join(lines)):
        deciding = [line for line in lines if cann.missing_library(line)]
        return CaseFailed(f"{what}: {hint}", _evidence(deciding))
    ended = _signal(status)
    if ended is signal.SIGKILL:
        return CaseFailed(f"{what}: killed with SIGKILL, most often since {HOST_MEMORY}", _evidence(_last(lines)))
    return _shown(what, lines, OTHERS) or _ended(what, lines, status, ended)


def _shown(what: str, lines: Sequence[str], signs: Iterable[Sign]) -> CaseFailed | None:
    """The failure of the first sign that a line shows; evidence are these lines, and the codes beside them."""
    for sign in signs:
        seen = re.compile(sign.seen)
        deciding = [line for line in lines if seen.search(line)]
        if deciding:
            found = seen.search(deciding[0])
            groups = found.groupdict() if found else {}
            codes = [line for line in lines if BLOCK.match(line)]
            told = sign.told.format(line=deciding[0][:WIDTH], **groups)
            return sign.kind(f"{what}: {told}", _evidence([*deciding, *codes]))
    return None


def _ended(what: str, lines: Sequence[str], status: int, ended: signal.Signals | None) -> CaseFailed:
    """A failure of which nothing is known but its last words."""
    last = _last(lines)
    if ended:
        told = f"died by {ended.name} ({(signal.strsignal(ended) or 'unknown').lower()})"
        todo = "it was ended from outside" if ended in OUTSIDE else "CANN's log in ~/ascend/log says where"
        return CaseFailed(f"{what}: {told}; {todo}", _evidence(last))
    how = f"ended with exit status {status}" if status else "ended without a result"
    said = last[-1][:WIDTH] if last else "it printed nothing"
    return CaseFailed(f"{what}: {how} ({said}); run the command alone to see more", _evidence(last))


def _last(lines: Sequence[str]) -> list[str]:
    """The last words, the one that says most at the end: an exception with a text, else an error, else any line."""
    plain = [line for line in lines if not PROGRESS.match(line)]
    raised = [line for line in plain if (found := RAISED.match(line)) and not SAYS_NOTHING.match(found["text"])]
    errors = [line for line in plain if "[ERROR]" in line]
    best = (raised or errors or plain)[-1:]
    return [*(line for line in plain[-3:] if line not in best), *best]


def _serious(text: str) -> list[str]:
    """The lines that may decide, stripped: progress bars part them with a carriage return only."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    return [line for line in lines if line and not HARMLESS.match(line)]


def _evidence(lines: Iterable[str]) -> list[str]:
    """The first of these lines, each once."""
    return [line[:WIDTH] for line in dict.fromkeys(lines)][:EVIDENCE]


def _signal(status: int) -> signal.Signals | None:
    """The signal that ended a process, told by subprocess (negative) or by a shell (128 and more)."""
    number = -status if status < 0 else status - 128
    return signal.Signals(number) if number in {known.value for known in signal.Signals} else None


def aoe_errors(text: str, status: int, log: str) -> CaseFailed:
    """The failure of aoe, which runs on the device and fails there as a model does, or else as the compiler."""
    if failed := _shown("the tuner", _serious(text), FIRST):
        return type(failed)(f"{failed} (log: {log})", failed.evidence)
    return atc_errors(text, status, log)


def atc_errors(text: str, status: int, log: str) -> CaseFailed:
    """The failure of atc; the sentence begins with the code, where there is one, and ends with the log's path.

    Warnings (W codes) decide nothing, and an inner error (9999) only where no other code does.
    """
    lines = _serious(text)
    found = [(i, code) for i, line in enumerate(lines) if (code := CODE.match(line))]
    if not found:
        host = [line for line in lines if re.search(NO_HOST_MEMORY, line)]
        failed = classify("the compiler", text, status)
        if (host or _signal(status) is signal.SIGKILL) and "No space left on device" not in text:
            failed = CaseFailed(f"the compiler was killed or broke, most often since {HOST_MEMORY}", _evidence(host))
        return type(failed)(f"{failed} (log: {log})", failed.evidence)
    number, match = min(found, key=lambda pair: (pair[1]["code"].endswith("9999"), not _rows(pair[1]["code"])))
    message = match["message"]
    following = [line for line in lines[number + 1 :] if not line.lstrip("[ ").startswith("TraceBack")]
    if message in ("", "Inner Error!") and following:
        message = re.sub(rf"^{match['code']}:?\s*{STAMP}", "", following[0])
    told, kind = _meaning(match["code"], message.partition("[FUNC:")[0][:WIDTH])
    blocks = [line for line in lines if BLOCK.match(line)]
    return kind(f"{match['code']}: {told} (log: {log})", _evidence([lines[number], *blocks]))


def _meaning(code: str, message: str) -> tuple[str, type[CaseFailed]]:
    """What a code says here and what would be right; the message itself of an unknown one."""
    plain = re.sub(r"[\[\]{}`]|<(?=[^<>\s]+>)|(?<=\w)>", "", re.sub(r"\]\s*\[", " ", message))
    plain = re.sub(r"(?<!\w)(['\"])([^'\"]*)\1(?!\w)", r"\2", plain)
    plain = re.sub(r"(?<!\S)\((\S+?)\)(?=[\s.,;]|$)", r"\1", plain)
    rows = _rows(code)
    for row in rows:
        if found := re.match(row.seen, f"{code}: {plain}"):
            wrong, _, right = row.told.partition("; ")
            return f"{wrong.format(**found.groupdict()).rstrip(' .:')}; {right}", row.kind
    if not rows:
        return message, CaseFailed
    return f"{message.rstrip(' .')}; {rows[-1].told.partition('; ')[2]}", rows[-1].kind


def _rows(code: str) -> list[Sign]:
    """What is known of a code."""
    return [row for row in CODES if re.fullmatch(row.seen.partition(": ")[0], code)]
