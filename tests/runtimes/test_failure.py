"""What ais_bench and the compiler print when they fail, and what is made of it."""

from __future__ import annotations

import pytest

from roadworthy.problem import CaseFailed, OutOfMemory, Unsupported
from roadworthy.runtimes import failure

WHAT = "erfnet-bs64-Ascend310"
TRACEBACK = """Traceback (most recent call last):
  File "/usr/lib/python3.9/site-packages/ais_bench/infer/interface.py", line 77, in __init__
    self.session = aclruntime.InferenceSession(self.model_path, self.device_id, options)
"""
LOAD = "[ERROR] load model from file failed, model file is erfnet_bs64.om\n"
INVALID = "RuntimeError: [1][ACL: invalid parameter]\n"
NO_BUFFER = "RuntimeError: [2][ACL: memory allocation fail]\n"
GENERAL = "RuntimeError: [-1][ACL: general failure]\n"
EXECUTE = "[ERROR] execute model failed, modelId is 1\n" + GENERAL
WRONG_SOC = (
    "EE1001: [PID: 7] 2024-05-01-10:00:00.000.001 ModelCheckCompatibility failed, supported socVersion=Ascend310P3, "
    "but the model socVersion=Ascend310\n"
)
BAD_DEVICE = """[INFO] acl init success
EL0003: The argument is invalid.
        open device 3 failed, runtime result = 507033.[FUNC:ReportCallError][FILE:log_inner.cpp][LINE:162]
[ERROR] acl open device 3 failed
SetDevice failed. ret=507033
"""
HARMLESS = """[INFO] Current available memory is enough, rtMalloc never failed, out of memory: no
[WARNING] RUNTIME(7,python3):2024-05-01 [npu_driver.cc:1] EL0004 InnerCode=0x7020016
INFO:root:free device memory 20000 MB
[INFO] import ais_bench.infer.backends.backend error: No module named 'attrs'
"""
OOM = [
    "EL0004: Failed to allocate memory.",
    "[PID: 9] 2026-04-09-21:56:40.384.694 Memory_Allocation_Failure(EL0004): Failed to allocate memory requested by GE module.",
    "        Possible Cause: Available memory is insufficient.",
    "        alloc device memory failed, runtime result = 207001[FUNC:ReportCallError][FILE:log_inner.cpp][LINE:161]",
    "        Call rtMalloc fail, purpose:feature map, size:3221291008, device_id:0[FUNC:Malloc][FILE:m.cc][LINE:83]",
    "[ERROR] RUNTIME(7,python3): [api_c.cc:4738]7 desc=[driver error:memory], InnerCode=0x7020016",
    "        rtMalloc execute failed, reason=[driver error:out of memory]",
    "[2][ACL: memory allocation fail] Malloc ptrData failed.",
    "[ERROR] MemoryHelper::MxbsMalloc failed.i:0 name:out size:41943040 ret:2",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "Inference array Processing:   0%|          | 0/1 [00:00<?, ?it/s][ERROR] MemoryHelper::MxbsMalloc failed.i:0",
]
HOST = [
    ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3.00 GiB for an array", 1),
    ("MemoryError", 1),
    ("terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc", -6),
    ("RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 403 bytes", 1),
    ("OSError: [Errno 12] Cannot allocate memory", 1),
    ("Out of memory: Killed process 812 (python3)", 1),
    ("EL0004: Failed to allocate memory.\nrtMallocHost execution failed, reason=[driver error:out of memory]", 1),
    ("[INFO] load model success\n", -9),
    (HARMLESS, 137),
]
CRASHES = [
    (LOAD + TRACEBACK + INVALID, 1, "the OM cannot be loaded ([ERROR] load model from file failed, model file is erf"),
    (TRACEBACK + EXECUTE, 1, "failed while it ran ([ERROR] execute model"),
    (
        BAD_DEVICE + "EL0004: Failed to allocate memory.",
        1,
        "device cannot be opened (open device 3 failed, runtime res",
    ),
    (
        "[ERROR] arg0 tensorsize: 196608 filesize: 602112 not match",
        1,
        "takes 196608 bytes and the first input file has 602",
    ),
    (
        "[ERROR] Check i:0 name:x in size:1 needsize:2 not match\n" + EXECUTE,
        1,
        "input 0 of the model takes 2 bytes and got 1;",
    ),
    (
        "[ERROR] save out files error array x files_count_perbatch:2 ndata.shape0:1",
        1,
        "first axis is 1 cannot be parted among 2",
    ),
    (
        "ImportError: libascend_hal.so: cannot open shared object file",
        1,
        "libascend_hal.so is not found; it comes with",
    ),
    ("ModuleNotFoundError: No module named 'aclruntime'", 1, "this Python has no aclruntime; install its wheel"),
    ("OSError: libx.so: cannot allocate memory in static TLS block", 1, "libx.so was loaded too late"),
    (
        "OSError: [Errno 28] No space left on device: 'a'",
        1,
        "a disk is full (OSError: [Errno 28] No space left on device",
    ),
    ("", -11, "died by SIGSEGV (segmentation fault); CANN's log"),
    ("", 134, "died by SIGABRT (aborted); CANN's log"),
    ("", -15, "died by SIGTERM (terminated); it was ended from outside"),
    (TRACEBACK + "ValueError: no such flag\nfree", 1, "ended with exit status 1 (ValueError: no such flag); run"),
    (TRACEBACK + INVALID, 1, "(RuntimeError: [1][ACL: invalid parameter])"),
    (TRACEBACK + NO_BUFFER + "[INFO] end", 1, "(RuntimeError: [2][ACL: memory allocation fail])"),
    ("[ERROR] Invalid args. x is invalid\n" + TRACEBACK + INVALID, 1, "([ERROR] Invalid args. x is invalid)"),
    ("x: error: argument --loop: 0\n\rloop inference exec: (3/9)", 2, "(x: error: argument --loop: 0)"),
    ("[INFO] x", 255, "ended with exit status 255 (it printed nothing)"),
    ("done", 0, "ended without a result (done)"),
]
CODES = r"""
E10001: Value [-1] for parameter [x] is invalid. Reason: maybe => the input x has an axis without a size; give all
E10001: Value Q for parameter --mode is invalid. Reason: isn't 'a'. => E10001: Q is no value of --mode: isn't a; atc
E10001: Value <Q> for parameter <--mode> is invalid. => E10001: Q is no value of --mode; atc
E10002: Value "x: 1" for parameter "--input_shape" is invalid. Reason: a blank. => x: 1 is no --input_shape: a blank; it
E10011: Value (x:0) for parameter (--input_shape) is invalid. => x:0 is no --input_shape; it is written name:1,3,512
E10004: Value for --output is empty. => --output is empty; give
E10007: [PID: 10] 2025-03-18-09:02:18.501.341 [--framework] is required. => --framework is missing; --framework=5 is ONNX
E10010: Value [loud] for parameter [--log] is invalid. => --log=loud is unknown; it takes debug, info
E10016: Opname [q] specified in [--input_shape] is not found => the graph has no node q, which --input_shape names; --in
Invalid_Argument(E10016): Opname q specified in --out_nodes is not => E10016: the graph has no node q, which --out_nodes
[PID: 9] 2026-04-09-21:56:40.3 Invalid(E10016): Opname q specified in --x => E10016: the graph has no node q, which --x
E10016: words of another CANN => E10016: words of another CANN; --input_shape takes
E10022: Path ./out/ for parameter --output does not include the file name. => --output ./out/ names no file; add
E10054: The requied parameter [--soc_version] for ATC is empty. => --soc_version is missing; give it
E16005: The model has [2] [--domain_version] fields, but only one is => 2 sets of operators; keep the one of ai.onnx
E20001: Failed to compile Op [/a/b_5]. (optype: [StridedSliceD]) => the operator /a/b_5 cannot be compiled; the log
EC0010: Failed to import Python module [X: No module named 'attrs'.]. => fails for the compiler with X: No module named attrs; i
E40000: Failed to import te.platform.log_util. => cannot import te.platform.log_util; install
E19999: Inner Error!\nE19999 index:0 > list.size(): 0[FUNC:SetStream] => E19999: an inner error of the compiler, index:0 > list
E19999: Inner Error!\n  x\nE20001: Failed to compile Op [a] => E20001: the operator a cannot
E19999: Inner Error!\n  x\nE10041: Failed to load the model => E10041: Failed to load the model (log
E10041: Failed to load the model\nE20001: Failed to compile Op [a] => E20001: the operator a cannot
Killed => was killed or broke, most often since the host's memory ran out
W11001: x\nBrokenPipeError: [Errno 32] Broken pipe => the host's memory ran out
OSError: [Errno 28] No space left on device\nBrokenPipeError: x => the compiler: a disk is full
atc.bin: libascend_hal.so: cannot open shared object file => libascend_hal.so is not found; it comes with the driver
"""
UNSUPPORTED = r"""
E19010: No parser is registered for Op [a b, optype [ai.onnx::23::Div]]. => read the operator ai.onnx::23::Div (a b); export
EZ3002: Optype [T] of Ops kernel [K] is unsupported. Reason: no. => K does not take the operator T as it is here: no; put
EZ3003: No supported Ops kernel and engine are found for [n], optype [AddDsl]. => the chip has no operator AddDsl (n); put
E10001: Value [Ascend310310P3] for parameter [--soc_version] is invalid. => no chip Ascend310310P3; --soc_version is
"""
MESSAGES = [
    (kind, *row.split(" => "))
    for kind, rows in ((CaseFailed, CODES), (Unsupported, UNSUPPORTED))
    for row in rows.strip().splitlines()
]


def test_no_text_of_these_is_harmless_by_chance():
    """The words of a full memory decide nothing in a line of information or a warning."""
    failed = failure.classify(WHAT, HARMLESS, 1)

    assert CaseFailed is type(failed)
    assert str(failed).startswith(f"{WHAT}: ended with exit status 1 (it printed nothing)")


@pytest.mark.parametrize("line", OOM)
@pytest.mark.parametrize("rest", [LOAD + TRACEBACK + INVALID, TRACEBACK + NO_BUFFER, ""])
def test_the_devices_memory_is_told_by_any_of_its_marks(line, rest):
    """At load and at buffers, wherever the line stands; the exception is the same for other causes."""
    late = [failure.classify(WHAT, text, 1) for text in (f"{rest}\n{line}", f"{line}\r{rest}")]

    assert [OutOfMemory] * 2 == [type(failed) for failed in late]
    assert [True] * 2 == [line.strip() in failed.evidence for failed in late]
    assert str(late[0]).startswith(f"{WHAT}: the device's memory is too small for it; a smaller batch may fit")


@pytest.mark.parametrize(("text", "status"), HOST)
def test_the_hosts_memory_is_never_booked_as_the_devices(text, status):
    """A pure inference builds gigabytes on the host; a killed process with a mark of the device is the device's."""
    failed = failure.classify(WHAT, text, status)

    assert CaseFailed is type(failed)
    assert "the host's memory ran out, not the device's" in str(failed)
    assert OutOfMemory is type(failure.classify(WHAT, OOM[0], 137))


@pytest.mark.parametrize(
    "text", [WRONG_SOC + LOAD + INVALID, LOAD + WRONG_SOC.replace("supported socVersion=", "supportedSocVersion: ")]
)
def test_an_om_of_another_chip_is_unsupported(text):
    """Both names, and the right one for the compiler."""
    failed = failure.classify(WHAT, text, 1)

    assert Unsupported is type(failed)
    assert str(failed).startswith(
        f"{WHAT}: the OM was made for Ascend310 and this chip is Ascend310P3; compile it with"
    )
    assert "EE1001" in failed.evidence[0]
    assert Unsupported is type(failure.classify(WHAT, "EE1001: ModelCheckCompatibility failed", 1))


@pytest.mark.parametrize(("text", "status", "told"), CRASHES)
def test_every_other_failure_is_a_crash_with_its_cause(text, status, told):
    """The cause on standard output, the traceback on standard error, in any order."""
    failed = failure.classify(WHAT, text, status)

    assert CaseFailed is type(failed)
    assert str(failed).startswith(f"{WHAT}: ")
    assert told in str(failed)
    assert "\n" not in str(failed)


def test_evidence_is_short_and_verbatim():
    """Six lines at most, each once, of 300 characters, those that decided and the codes beside them."""
    many = failure.classify(WHAT, "\n".join(f"{LOAD.strip()} {n}{'x' * 400}" for n in range(9)), 1)
    few = failure.classify(WHAT, f"{LOAD}  {LOAD}[INFO] E1\nE19999: Inner Error!\nE19999 index:0\nRuntimeError", 1)

    assert [300] * 6 == [len(line) for line in many.evidence]
    assert (LOAD.strip(), "E19999: Inner Error!", "E19999 index:0") == few.evidence


@pytest.mark.parametrize(("kind", "text", "told"), MESSAGES)
def test_every_code_of_the_compiler_says_what_would_be_right(kind, text, told):
    """With the values of the message in any style of brackets, and the log's path at the end."""
    said = text.replace(r"\n", "\n")
    printed = f"ATC start working now, please wait for a moment.\nW11001: E10016: x\n{said}\nTraceBack:\n E19 x"
    failed = failure.atc_errors(printed, 255, "a/atc.log")

    assert kind is type(failed)
    assert told in str(failed)
    assert str(failed).endswith(" (log: a/atc.log)")
    assert failed.evidence


@pytest.mark.parametrize(("status", "told"), [(137, "the host's memory"), (-9, "the host's memory"), (-11, "SIGSEGV")])
def test_a_compiler_that_was_killed_says_so(status, told):
    """Without a code."""
    assert told in str(failure.atc_errors("", status, "atc.log"))
