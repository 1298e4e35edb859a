"""The stand-ins of the Ascend tools keep the contract that the real tools were seen to keep."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

STANDINS = Path(__file__).with_name("standins")
SHAPE = (3, 4, 8)
FILE_BYTES = 4 * 3 * 4 * 8
OURS = ("STANDIN_", "TUNE_BANK", "PYTHON", "ASCEND_", "HOME")
Result = subprocess.CompletedProcess[str]


def run(command: list[str], folder: Path, **knobs: str) -> Result:
    """What a tool says and how it ends, with nothing of the user's own settings."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    env |= {"HOME": str(folder), "PYTHONIOENCODING": "utf-8"} | knobs
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, text=True, capture_output=True, check=False, umask=0o022
    )


def tool(name: str, folder: Path, *flags: str, **knobs: str) -> Result:
    """A run of atc, aoe or npu-smi."""
    return run([str(STANDINS / "bin" / name), *flags], folder, **knobs)


def bench(generation: str, folder: Path, *flags: str, **knobs: str) -> Result:
    """A run of the command line front end of a generation."""
    if generation == "a":
        return run([str(STANDINS / "a" / "ais_infer.py"), *flags], folder, **knobs)
    return run(["-m", "ais_bench", *flags], folder, PYTHONPATH=str(STANDINS / generation), **knobs)


def python(generation: str, folder: Path, code: str, **knobs: str) -> Result:
    """A run of code that may import a generation's package."""
    return run(["-c", code], folder, PYTHONPATH=str(STANDINS / generation), **knobs)


def flags(batch: int = 4, **changes: str) -> list[str]:
    """Flags of ATC for the network in `folder`."""
    given = {"framework": "5", "model": "net.onnx", "output": "net", "input_format": "NCHW"}
    given |= {"input_shape": f"image:{batch},3,4,8", "soc_version": "Ascend310P3"} | changes
    return [f"--{name}={value}" for name, value in given.items()]


def write_files(folder: Path, count: int, size: int = FILE_BYTES, *, name: str = "f{}.bin") -> None:
    """Input files whose bytes are all their number, so that outputs can be told apart."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / name.format(number)).write_bytes(np.full(size // 4, number, np.float32).tobytes())


def header(path: Path) -> dict:
    """The JSON line of a stand-in's OM."""
    return json.loads(path.read_bytes().split(b"\n", 2)[1])


def printed_throughput(result: Result) -> float:
    """The last figure of the throughput line, which stands among carriage returns."""
    lines = result.stdout.replace("\r", "\n").splitlines()
    return float(next(line for line in lines if "throughput 1000*" in line).rpartition(" ")[2])


def write_network(path: Path) -> None:
    """`Sum_0`, the sum of the channels, which is the network's output, and `Whole_1`, its whole part."""
    nodes = [
        helper.make_node("ReduceSum", ["image"], ["sum"], name="Sum_0", axes=[1], keepdims=0),
        helper.make_node("Cast", ["sum"], ["whole"], name="Whole_1", to=TensorProto.INT64),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", *SHAPE])
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n", 4, 8])
    graph = helper.make_graph(nodes, "net", [image], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the network."""
    write_network(tmp_path / "net.onnx")
    return tmp_path


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """The same network as OM of batch 1 and 4."""
    path = tmp_path_factory.mktemp("compiled")
    write_network(path / "net.onnx")
    oms = {}
    for batch in (1, 4):
        assert tool("atc", path, *flags(batch)).returncode == 0
        oms[batch] = (path / "net.om").read_bytes()
    return oms


@pytest.fixture
def work(tmp_path: Path, compiled: dict[int, bytes]) -> Path:
    """A folder with `b1.om`, `b4.om` and ten files in `in`."""
    for batch, content in compiled.items():
        (tmp_path / f"b{batch}.om").write_bytes(content)
    write_files(tmp_path / "in", 10)
    return tmp_path


def test_every_stand_in_says_that_it_is_one():
    """Nobody can take a stand-in for the real tool: its first words say what it is."""
    files = [*(STANDINS / "bin").iterdir(), STANDINS / "a" / "ais_infer.py", *STANDINS.glob("?/ais_bench/__init__.py")]

    assert len(files) == 6
    assert all("roadworthy stand-in" in "".join(file.read_text("utf-8").splitlines()[:2]) for file in files)


def test_atc_writes_an_om_of_the_chosen_outputs_and_leaves_its_traces(folder: Path):
    """Out nodes are nodes, in the order given; the output type changes floats only; the batch is fixed."""
    result = tool("atc", folder, *flags(out_nodes="Whole_1:0;Sum_0:0", output_type="FP16"))

    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == "ATC start working now, please wait for a moment."
    assert result.stdout.splitlines()[1] == "ATC run success, welcome to the next use."
    assert [["whole", [4, 4, 8], "INT64"], ["sum", [4, 4, 8], "FP16"]] == header(folder / "net.om")["outputs"]
    assert {"net.om", "fusion_result.json", "kernel_meta"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"soc_version": "310P3"}, "E10001"),
        ({"soc_version": "Ascend310310P3"}, "E10001"),
        ({"input_shape": "image:-1,3,4,8"}, "E10001"),
        ({"input_shape": "img:4,3,4,8"}, "E10016"),
        ({"out_nodes": "sum:0"}, "E10016"),
        ({"log": "loud"}, "E10010"),
    ],
)
def test_atc_refuses_with_its_codes(folder: Path, change: dict[str, str], code: str):
    """A wrong value ends in exit 255, the failure's sentence, and the code on a line of its own."""
    result = tool("atc", folder, *flags(**change))

    assert result.returncode == 255
    assert result.stdout.splitlines()[1].startswith("ATC run failed, Please check the detail log")
    assert result.stdout.splitlines()[2].startswith(f"{code}: [PID: ")
    assert not (folder / "net.om").exists()


def test_what_aoe_learns_contaminates_later_compilations(folder: Path):
    """Tuning writes to a bank that plain atc uses, unless TUNE_BANK_PATH points elsewhere."""
    tuned = tool("aoe", folder, *flags(job_type="2", output="tuned"))
    tool("atc", folder, *flags(output="later"))
    tool("atc", folder, *flags(output="clean"), TUNE_BANK_PATH=str(folder / "empty"))

    assert "Aoe process finished" in tuned.stdout
    assert [True, True, False] == [header(folder / f"{name}.om")["tuned"] for name in ("tuned", "later", "clean")]
    assert len(list(folder.glob("aoe_result_opat_*_pid*.json"))) == 1


def test_aoe_takes_the_chip_from_the_board_and_may_write_to_its_workspace_only(folder: Path):
    """ASCEND_DEVICE_ID names the device whose chip it is; without a board there is no tuning."""
    chips = {"STANDIN_SOC": "Ascend310,Ascend310P5", "ASCEND_DEVICE_ID": "1", "STANDIN_AOE_WORKSPACE": "1"}
    tool("aoe", folder, *flags(job_type="1"), **chips)
    (om,) = folder.glob("aoe_workspace/net_*/tunespace/result/net_*_tune.om")

    assert not (folder / "net.om").exists()
    assert header(om)["soc"] == "Ascend310P5"
    assert "Aoe process finished" not in tool("aoe", folder, *flags(job_type="1"), STANDIN_SOC="").stdout


def test_the_last_batch_is_filled_and_fillers_leave_no_outputs(work: Path):
    """Ten files at batch 4 are three runs and ten outputs, in natural order, with a summary beside the folder."""
    result = bench("b", work, "--model", "b4.om", "--input", "in", "--output", "out", "--output_dirname", "r")
    summary = json.loads((work / "out" / "r_summary.json").read_text("utf-8"))

    assert result.returncode == 0
    assert "filesperbatch:4 runcount:3" in result.stdout
    assert {"infiles": ["in/f9.bin"], "outfiles": ["out/r/f9_0.bin"]} == summary["filesinfo"]["9"]
    assert len(summary["filesinfo"]) == len(list((work / "out" / "r").iterdir())) == 10
    assert np.all(np.fromfile(work / "out" / "r" / "f9_0.bin", np.float32) == 27)
    assert summary["NPU_compute_time"]["count"] == len(summary["npu_compute_time_list"]) == 3


def test_stems_end_at_the_first_dot_and_overwrite_each_other(work: Path):
    """Two files that differ behind a dot leave one output and no word about it; numbers sort as numbers."""
    write_files(work / "dots", 11, name="img.{}.bin")
    result = bench("b", work, "--model", "b1.om", "--input", "dots", "--output", "out", "--output_dirname", "r")

    assert result.returncode == 0
    assert ["img_0.bin"] == [path.name for path in (work / "out" / "r").iterdir()]
    assert np.all(np.fromfile(work / "out" / "r" / "img_0.bin", np.float32) == 30)


def test_a_file_half_as_large_passes_without_output_and_dies_with_it(work: Path):
    """float16 files of a float32 model are taken as two files a batch, and timed plausibly."""
    write_files(work / "half", 2, FILE_BYTES // 2)
    silent = bench("b", work, "--model", "b1.om", "--input", "half")
    saved = bench("b", work, "--model", "b1.om", "--input", "half", "--output", "out")

    assert silent.returncode == 0
    assert "filesperbatch:2 runcount:1" in silent.stdout
    assert saved.returncode == 1
    assert "save out files error array shape:" in saved.stdout


def test_only_the_first_file_is_measured(work: Path):
    """A later file of another size fails in the middle: earlier outputs are there, a summary is not."""
    (work / "in" / "f1.bin").write_bytes(b"\1" * 4)
    result = bench("b", work, "--model", "b1.om", "--input", "in", "--output", "out", "--output_dirname", "r")

    assert result.returncode == 1
    assert f"Check i:0 name:image in size:4 needsize:{FILE_BYTES} not match" in result.stdout
    assert ["r"] == [path.name for path in (work / "out").iterdir()]
    assert ["f0_0.bin"] == [path.name for path in (work / "out" / "r").iterdir()]


def test_batchsize_is_a_multiplier_only(work: Path):
    """A wrong --batchsize multiplies the throughput of a pure inference and nothing complains."""
    knobs = {"STANDIN_LATENCY_MS": "10"}
    right = bench("b", work, "--model", "b1.om", **knobs)
    wrong = bench("b", work, "--model", "b1.om", "--batchsize", "64", **knobs)

    assert printed_throughput(right) == pytest.approx(100, rel=0.01)
    assert printed_throughput(wrong) == 64 * printed_throughput(right)


def test_a_tuned_model_is_faster_by_a_quarter(work: Path):
    """The knob's latency is of one image; a tuned OM reports 0.75 of it, whatever was really slept."""
    (work / "tuned.om").write_bytes((work / "b4.om").read_bytes().replace(b'"tuned": false', b'"tuned": true'))
    result = bench("b", work, "--model", "tuned.om", "--loop", "3", STANDIN_LATENCY_MS="100")

    assert result.stdout.replace("\r", "\n").count("loop inference exec: (") == 3
    assert printed_throughput(result) == pytest.approx(1000 / 75, rel=0.01)


@pytest.mark.parametrize(("form", "read"), [("NPY", np.load), ("TXT", np.loadtxt)])
def test_outputs_in_other_formats(work: Path, form: str, read):
    """NPY keeps the shape, TXT has the rows of the last axis."""
    bench("b", work, "--model=b4.om", "--input=in/f3.bin", "--output=out", "--output_dirname=r", f"--outfmt={form}")

    assert np.all(read(work / "out" / "r" / f"f3_0.{form.lower()}") == 9)


def test_the_version_check_changes_the_run_mode_where_pkg_resources_is_missing(work: Path):
    """Recent setuptools let B and C fall back to tensors with warnings; A does not look."""
    blind = work / "blind" / "pkg_resources.py"
    blind.parent.mkdir()
    blind.write_text("raise ImportError", encoding="utf-8")
    path = os.pathsep.join([str(STANDINS / "c"), str(blind.parent)])
    result = run(["-m", "ais_bench", "--model", "b1.om"], work, PYTHONPATH=path)

    assert result.stdout.count("[WARNING]") in (2, 3)
    assert "Inference tensor Processing" in result.stdout
    assert "Inference array Processing" in bench("a", work, "--model", "b1.om").stdout


def test_native_lines_come_late(work: Path):
    """At a pipe the library's lines are buffered: the summary of the run stands before the model's loading."""
    text = bench("b", work, "--model", "b1.om", PYTHONUNBUFFERED="1").stdout

    assert text.index("Performance Summary") < text.index("[INFO] load model b1.om success")


@pytest.mark.parametrize(
    ("knobs", "said", "raised"),
    [
        ({"STANDIN_MEMORY_MB": "0.001"}, "EL0004", "[1][ACL: invalid parameter]"),
        ({"STANDIN_SOC": "Ascend310"}, "EE1001", "[1][ACL: invalid parameter]"),
        ({"STANDIN_FAULT": "load:corrupt"}, "load model from file failed, model file is b4", "[1][ACL: invalid par"),
        ({"STANDIN_FAULT": "exec:oom:4"}, "Malloc ptrData failed.", "[2][ACL: memory allocation fail]"),
        ({"STANDIN_FAULT": "exec:fail"}, "execute model failed, modelId is", "[-1][ACL: general failure]"),
        ({"STANDIN_SOC": ""}, "SetDevice failed. ret=507033", "[507033]"),
        ({"STANDIN_FAULT": "load:hostmemory"}, "", "MemoryError"),
    ],
)
def test_causes_are_on_stdout_and_exceptions_on_stderr(work: Path, knobs: dict[str, str], said: str, raised: str):
    """Failures that share an exception are told apart by what stands on stdout."""
    result = bench("b", work, "--model", "b4.om", **knobs)

    assert result.returncode == 1
    assert said in result.stdout
    assert raised in result.stderr.splitlines()[-1]


def test_faults_may_kill_and_may_be_for_one_batch_only(work: Path):
    """A crash dies by its signal, without the library's lines; another batch size is left alone."""
    crash = bench("b", work, "--model", "b4.om", STANDIN_FAULT="exec:crash:4")

    assert (-signal.SIGSEGV, False) == (crash.returncode, "load model" in crash.stdout)
    assert bench("b", work, "--model", "b1.om", STANDIN_FAULT="exec:crash:4,load:kill:8").returncode == 0


def test_an_om_that_is_cut_short_does_not_load(work: Path):
    """A broken file fails as every load fails, with no word of memory or chip."""
    (work / "cut.om").write_bytes((work / "b4.om").read_bytes()[:-9])
    result = bench("b", work, "--model", "cut.om", STANDIN_LATENCY_MS="1")

    assert result.returncode == 1
    assert "[ERROR] load model from file failed, model file is cut.om" in result.stdout
    assert not {"EL0004", "EE1001"} & {line[:6] for line in result.stdout.splitlines()}


def test_generation_c_refuses_open_folders_links_and_odd_names(work: Path):
    """An output folder as mkdir makes it, a soft link, and a plus in a path: each is exit 2."""
    (work / "open").mkdir(mode=0o755)
    (work / "link.om").symlink_to("b1.om")
    (work / "V3+").mkdir()
    (work / "V3+" / "b1.om").write_bytes((work / "b1.om").read_bytes())
    refused = (["--model", "b1.om", "--output", "open"], ["--model", "link.om"], ["--model", "V3+/b1.om"])

    assert [2, 2, 2] == [bench("c", work, *its).returncode for its in refused]
    assert bench("b", work, "--model", "V3+/b1.om").returncode == 0


def test_generation_c_closes_what_it_makes_and_can_use_it_again(work: Path):
    """Folders are 0750 and files 0640, so that a second run takes the same output folder."""
    runs = [bench("c", work, "--model=b1.om", "--output=out", f"--output_dirname={name}") for name in "xy"]
    made = [
        work / "out",
        work / "out" / "x",
        work / "out" / "x" / "pure_infer_data_0.bin",
        work / "out" / "y_summary.json",
    ]

    assert [0, 0] == [result.returncode for result in runs]
    assert [0o750, 0o750, 0o640, 0o640] == [stat.S_IMODE(path.stat().st_mode) for path in made]


@pytest.mark.parametrize(
    ("generation", "folders", "files"), [("b", ["device0", "device1"], 5), ("c", ["device0_0", "device1_1"], 10)]
)
def test_several_devices(work: Path, generation: str, folders: list[str], files: int):
    """B divides the inputs among devices, C gives all of them to each."""
    two = {"STANDIN_SOC": "Ascend310P3,Ascend310P3"}
    common = ("--model=b1.om", "--input=in", "--output=out", "--output_dirname=r", "--device=0,1")
    result = bench(generation, work, *common, **two)

    assert result.returncode == 0
    assert "[INFO] multidevice run end qsize:4 result:0" in result.stdout
    assert [files, files] == [len(list((work / "out" / "r" / name).iterdir())) for name in folders]
    assert all((work / "out" / "r" / f"{name}_summary.json").is_file() for name in folders)


def test_generation_a_keeps_its_own_habits(work: Path):
    """The summary lies inside with one m and without counts, and a folder is never used twice."""
    (work / "out").mkdir()
    flags_ = ("--model", "b4.om", "--input", "in", "--output", "out", "--output_dirname", "r")
    first, second = bench("a", work, *flags_), bench("a", work, *flags_)
    summary = json.loads((work / "out" / "r" / "sumary.json").read_text("utf-8"))

    assert "[INFO] warm up 1 times done" in first.stdout
    assert "throughput 1000*batchsize(1)/NPU_compute_time.mean(" in first.stdout
    assert not {"pid", "npu_compute_time_list"} & summary.keys()
    assert "FileExistsError" in second.stderr
    assert bench("a", work, "--om", "b4.om", "--warmup_count", "2").returncode == 2


def test_the_interface_reads_memory_in_b_and_values_in_c(work: Path):
    """A transposed view is read as it lies in memory by B; times are floats in B and pairs in C."""
    code = """
import numpy as np
from ais_bench.infer.interface import InferSession
session = InferSession(0, "b1.om")
image = np.arange(96, dtype=np.float32).reshape(1, 4, 8, 3).transpose(0, 3, 1, 2)
(output,) = session.infer([image])
(time,) = session.{summary}().exec_time_list
session.{reset}()
print(np.array_equal(output, image.sum(1)), type(time), session.{summary}().exec_time_list, session.{free}())
print(session.get_inputs()[0].shape)
"""
    b = python("b", work, code.format(summary="sumary", reset="reset_sumaryinfo", free="finalize"))
    c = python("c", work, code.format(summary="summary", reset="reset_summaryinfo", free="free_resource"))

    assert "False <class 'float'> [] None" in b.stdout
    assert "True <class 'tuple'> [] None" in c.stdout
    assert "[-1][ACL: general failure]" in b.stderr, "a session that was freed is of no use"


def test_the_interface_of_c_refuses_modes_that_it_does_not_know(work: Path):
    """The guide of msit spells dyn, the code dym; B takes whatever it does not know for static."""
    code = """
import numpy as np
from ais_bench.infer.interface import InferSession
print(InferSession(0, "b1.om").infer([np.zeros(96, np.float32)], "dynbatch")[0].shape)
"""

    assert "(1, 4, 8)" in python("b", work, code).stdout
    assert "wrong infer_mode" in python("c", work, code).stderr


def test_npu_smi_shows_chips_in_two_rows_and_ids_that_are_no_devices(tmp_path: Path):
    """Names lack their prefix, the version says stand-in, and the NPU id is not the device."""
    table = tool("npu-smi", tmp_path, "info", STANDIN_SOC="Ascend310P3,Ascend310").stdout
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    chips = [(first[0].split(), second[0].split()) for first, second in pairwise(cells) if "OK" in first]
    power = tool("npu-smi", tmp_path, "info", "-t", "power", "-i", "4").stdout

    assert [(["4", "310P3"], ["0", "0"]), (["8", "310"], ["0", "1"])] == chips
    assert "standin" in table
    assert float(next(line for line in power.splitlines() if "Power Dissipation(W)" in line)[34:]) > 0
