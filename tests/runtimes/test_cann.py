"""CANN's version from the files of a toolkit, and hints for what a loader cannot find."""

from __future__ import annotations

import pytest

from roadworthy.runtimes import cann

INSTALL = """package_name=Ascend-cann-toolkit
version=8.1.RC1
innerversion=V100R001C21SPC001B212
compatible_version=[V100R001C15],[V100R001C18],[V100R001C19],[V100R001C20],[V100R001C21]
arch=x86_64
"""
CONFIG = """# version: 1.0
compiler_running_version=[7.6.0.1.220:8.0.0]
runtime_running_version=[7.6.0.1.220:8.0.0]
runtime_upgrade_version=[7.6.0.1.220:8.0.1]
"""


@pytest.fixture(autouse=True)
def _bare(tmp_path, monkeypatch):
    """No CANN in the environment."""
    for name in cann.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.parametrize("variable", ["ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"])
@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"x86_64-linux/ascend_toolkit_install.info": INSTALL, "version.cfg": CONFIG}, "8.1.RC1"),
        ({"ascend_toolkit_install.info": INSTALL}, "8.1.RC1"),
        ({"version.cfg": CONFIG, "compiler/version.info": "Version=7.6.0.1.220\n"}, "8.0.0"),
        ({"version.cfg": "runtime_running_version=[1.83.T8.0.B128:CANN-1.83]\n"}, "1.83"),
        ({"version.cfg": "runtime_running_version=[8.2]\n"}, "8.2"),
        ({"compiler/version.info": "Version=1.82.22.2.220\nversion_dir=5.1.RC2\ntimestamp=x\n"}, "5.1.RC2"),
        ({"compiler/version.info": "Version=1.84.15.1.310\n"}, "1.84.15.1.310"),
    ],
)
def test_the_version_is_found_in_every_file_that_tells_it(tmp_path, monkeypatch, variable, files, version):
    """CANN's own version goes before those of its parts."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv(variable, str(tmp_path))

    assert {"cann": version, "cann_home": str(tmp_path)} == cann.find_cann()


def test_a_toolkit_without_a_version_is_still_one(tmp_path, monkeypatch):
    """What is not known is left out; a folder that is not there is none."""
    (tmp_path / "version.cfg").write_text("# version: 1.0\ninnerversion=V100\n")
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(tmp_path / "gone"))
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))

    assert {"cann_home": str(tmp_path)} == cann.find_cann()


def test_the_compiler_on_path_tells_where_cann_is(tmp_path):
    """For a shell in which set_env.sh only changed PATH; nothing without it."""
    assert {} == cann.find_cann()
    (tmp_path / "bin" / "atc").touch(mode=0o755)
    (tmp_path / "version.cfg").write_text(CONFIG)

    assert {"cann": "8.0.0", "cann_home": str(tmp_path)} == cann.find_cann()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "atc.bin: error while loading shared libraries: libascend_hal.so: cannot open shared object file",
            "the driver",
        ),
        (
            "ImportError: libascendcl.so: cannot open shared object file: No such",
            "libascendcl.so is not found; source set_env",
        ),
        ("ImportError: /x/libgomp.so.1: cannot allocate memory in static TLS block", "LD_PRELOAD=/x/libgomp.so.1"),
        (
            "ImportError: /lib64/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by /x/aclruntime.so)",
            "(GLIBCXX_3.4.29 is not found)",
        ),
        ("ImportError: /x/aclruntime.cpython-39.so: undefined symbol: aclrtMalloc", "built for another CANN"),
        ("ModuleNotFoundError: No module named 'aclruntime'", "has no aclruntime; install its wheel"),
        ("/usr/bin/python3: No module named ais_bench", "has no ais_bench; install its wheel"),
        ("ModuleNotFoundError: No module named 'ais_bench.infer'", "has no ais_bench; install its wheel"),
        ("ModuleNotFoundError: No module named 'acl'", "does not find acl; source set_env.sh"),
        ("ModuleNotFoundError: No module named 'attrs'", "has no module attrs; install it"),
    ],
)
def test_what_is_missing_is_told_with_what_helps(text, hint):
    """Loaders and imports say what; the sentence says where it comes from."""
    told = cann.missing_library(text)

    assert hint in told
    assert "\n" not in told
    assert "  " not in told


def test_other_errors_are_no_missing_library():
    """A failure of memory is not."""
    assert cann.missing_library("RuntimeError: [1][ACL: invalid parameter]\nlibascend_hal.so loaded") is None
