"""CANN: which version the environment names, and what a message about a missing library means."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

VARIABLES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")  # set by set_env.sh
FILES = (  # the first ones name CANN's own version, the last one its parts' as well
    "ascend_toolkit_install.info",
    "*/ascend_toolkit_install.info",
    "version.cfg",
    "compiler/version.info",
)
VERSIONS = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^version_dir=(?P<version>\S+)",  # beside Version=7.6.0.1.220, which is the part's
        r"^[vV]ersion=(?P<version>\S+)",
        r"^(?:toolkit|runtime)_running_version=\[(?:[^\]:]*:)?(?:CANN-)?(?P<version>[^\]:]+)\]",  # [part's:CANN's]
    )
)
HINTS = {
    r"libascend_hal\.so\S*: cannot open": """libascend_hal.so is not found; it comes with the driver: install it, and put
        /usr/local/Ascend/driver/lib64/driver and /usr/local/Ascend/driver/lib64/common on LD_LIBRARY_PATH""",
    r"(?P<it>lib[\w.+-]+\.so[\d.]*): cannot open shared object file": """{it} is not found; source set_env.sh of CANN
        (/usr/local/Ascend/ascend-toolkit/set_env.sh) in this shell""",
    r"(?P<it>\S+): cannot allocate memory in static TLS block": """{it} was loaded too late, which has nothing to do with
        memory; run the command with LD_PRELOAD={it}""",
    r"version [`'\"]?(?P<it>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)'? not found": """a library was built for a newer system
        ({it} is not found); install the package made for this one, or put a newer libstdc++ first on LD_LIBRARY_PATH""",
    r"aclruntime\S*: undefined symbol": "aclruntime was built for another CANN; install the wheel of this one",
    r"No module named '?aclruntime\b": """this Python has no aclruntime; install its wheel, which there is for each minor
        version of Python""",
    r"No module named '?ais_bench\b": """this Python has no ais_bench; install its wheel and aclruntime's, and run them with
        the same Python""",
    r"No module named '?acl\b": """this Python does not find acl; source set_env.sh of CANN, which puts it on
        PYTHONPATH""",
    r"No module named '?(?P<it>[\w.]+)": """this Python has no module {it}; install it for the python3 that is first on
        PATH""",
}


def find_cann() -> dict[str, str]:
    """`cann` (its version) and `cann_home` of the toolkit that the environment names, or else of the atc on PATH.

    What is not known is left out; empty where there is no CANN.
    """
    for home in _homes():
        version = next((found for path in _files(home) if (found := _version(path))), None)
        return {"cann": version, "cann_home": str(home)} if version else {"cann_home": str(home)}
    return {}


def _homes() -> Iterator[Path]:
    """Folders that CANN may be in, those that the environment names first."""
    named = [Path(os.environ[name]) for name in VARIABLES if os.environ.get(name)]
    if atc := shutil.which("atc"):
        named.append(Path(atc).parents[1])
    return (home for home in named if home.is_dir())


def _files(home: Path) -> Iterator[Path]:
    """Files that may tell the version, the surest first."""
    for pattern in FILES:
        yield from sorted(home.glob(pattern))


def _version(path: Path) -> str | None:
    """The version that a file tells."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return next((found["version"] for pattern in VERSIONS if (found := pattern.search(text))), None)


def missing_library(text: str) -> str | None:
    """What a loader's or an import's error in `text` means and what helps, in one sentence, or None."""
    for pattern, told in HINTS.items():
        if found := re.search(pattern, text):
            return " ".join(told.split()).format(**found.groupdict())
    return None
