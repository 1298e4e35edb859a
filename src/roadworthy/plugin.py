"""The rim to pytest: options, one test per case, the header, verdict lines, exit status.

An installed plugin loads in every pytest run of its environment: nothing heavier than `tomllib` is imported here before
a test of a roadworthy suite runs.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Generator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from roadworthy import card as cards
from roadworthy import fingerprint
from roadworthy import soc as chips
from roadworthy.case import Case, expand
from roadworthy.data import cityscapes
from roadworthy.gates import Verdict
from roadworthy.problem import Problem, Unavailable

if TYPE_CHECKING:
    from roadworthy.pipeline import Evidence

CASE_FIXTURES = ("case", "batched_case", "chip_case")
SAMPLE = "sample"
CHIP_IS_MISSING = 4
NOTHING_JUDGED = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line of the suites."""
    group = parser.getgroup("roadworthy", "acceptance of segmentation networks")
    add = group.addoption
    add("--soc", action="append", metavar="CHIP", help="chip to judge, exact name, repeatable (default: cpu)")
    add("--data", default=SAMPLE, metavar="DIR", help="Cityscapes folder (default: the drawn sample data set)")
    add("--weights", type=Path, metavar="FILE", help="checkpoint (default: the sample weights beside the card)")
    add("--batch", action="append", type=int, metavar="N", help="batch size, repeatable (default: those of the card)")
    add("--published", action="store_true", help="judge the guides' own figures; no chip is needed")
    add("--dry-run", action="store_true", help="show what every case would run, run nothing")
    add("--update-records", action="store_true", help="add this run's records to reports/records/")
    add("--models", action="append", type=Path, metavar="DIR", help="one more folder of model cards, repeatable")
    add("--out", type=Path, metavar="DIR", help="folder for this run's records (default: in the user's cache)")


class Session:
    """What one pytest session judges and has judged. Problems with the options end the session with one sentence."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self.config = config
        self.published: bool = option.published
        self.dry_run: bool = option.dry_run
        self.data: str = option.data
        self.weights: Path | None = option.weights
        self.named: list[str] = option.soc or []
        self.ours: dict[str, Case] = {}
        self.judged = 0
        self.verdicts: list[tuple[Case, Verdict]] = []
        self.evidence: Evidence | None = None
        for batch in option.batch or []:
            if batch < 1:
                raise Problem(f"--batch {batch}: a batch size is 1 or more")
        self.cards = cards.find([cards.builtin_models(), *(option.models or [])])
        self.cases = self._published_cases() if self.published else self._cases()

    def _cases(self) -> list[Case]:
        socs = [chips.find(name) for name in self.named or ["cpu"]]
        return expand(self.cards.values(), list(dict.fromkeys(socs)), self.config.option.batch or ())

    def _published_cases(self) -> list[Case]:
        named = [chips.find(name).name for name in self.named]
        cells = {
            (r.model, r.soc, r.batch): None
            for card in self.cards.values()
            for r in card.published()
            if r.batch is not None and (not named or r.soc in named)
        }
        wanted = self.config.option.batch
        return [
            Case(self.cards[model], chips.find(soc), batch)
            for model, soc, batch in cells
            if batch is not None and (not wanted or batch in wanted)
        ]

    def parameters(self, fixture: str) -> list[Case]:
        """The cases of a fixture: all, those to compare with batch 1, or the smallest batch of every model and chip."""
        if fixture == "batched_case":
            return [case for case in self.cases if case.batch > 1]
        if fixture == "chip_case":
            return list({(c.card.key, c.soc.name): c for c in sorted(self.cases, key=lambda c: -c.batch)}.values())
        return self.cases

    def records_folder(self) -> Path:
        """Where committed records live."""
        return self.config.rootpath / "reports" / "records"

    def run_folder(self) -> Path:
        """Where this run's records go."""
        if self.config.option.out:
            return Path(self.config.option.out)
        from roadworthy import cache  # noqa: PLC0415  platformdirs is not for every pytest run

        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S")
        return cache.folder() / "runs" / f"{now}-{os.getpid()}"


KEY = pytest.StashKey[Session]()


def _session(config: pytest.Config) -> Session:
    if KEY not in config.stash:
        try:
            config.stash[KEY] = Session(config)
        except Problem as problem:
            pytest.exit(str(problem), returncode=pytest.ExitCode.USAGE_ERROR)
    return config.stash[KEY]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse unknown chips before anything is collected."""
    config.addinivalue_line("markers", "measured: needs a run, not published figures; left out with --published")
    if config.option.soc:
        _session(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case."""
    for fixture in CASE_FIXTURES:
        if fixture in metafunc.fixturenames:
            cases = _session(metafunc.config).parameters(fixture)
            metafunc.parametrize(fixture, [pytest.param(case, id=case.id) for case in cases])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--published`, tests that need a run are left out."""
    if config.option.published:
        out = [item for item in items if item.get_closest_marker("measured")]
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which of the tests that are left are ours."""
    for item in session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        for fixture in CASE_FIXTURES:
            if fixture in parameters:
                _session(session.config).ours[item.nodeid] = parameters[fixture]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """What is judged: chips, data and its size, weights and their hash, versions."""
    if KEY not in config.stash or not config.stash[KEY].ours:
        return []
    session = config.stash[KEY]
    socs = ", ".join(dict.fromkeys(case.soc.name for case in session.ours.values()))
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ("roadworthy", "torch", "onnx", "onnxruntime"))
    if session.published:
        return [f"judging: the guides' published figures; chips: {socs}", f"versions: {versions}"]
    try:
        lines = [f"judging: {socs}; data: {_data_line(session)}"]
        for card in {case.card.key: case.card for case in session.ours.values()}.values():
            path = session.weights or (card.path.parent / card.sample.weights if card.sample else None)
            if path is not None and not path.is_file():
                raise Problem(f"{path}: there is no such file; --weights takes a checkpoint (.pth or .safetensors)")
            lines.append(
                f"weights of {card.key}: {f'{path} ({fingerprint.of_file(path)})' if path else 'none, see --weights'}"
            )
    except Problem as problem:
        pytest.exit(str(problem), returncode=pytest.ExitCode.USAGE_ERROR)
    return [*lines, f"versions: {versions}"]


def _data_line(session: Session) -> str:
    if session.data == SAMPLE:
        return "sample (24 drawn frames, made on first use)"
    dataset = cityscapes.open_dataset(Path(session.data))
    return f"{session.data} ({len(dataset)} frames{', drawn by roadworthy' if dataset.origin else ''})"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Before the first test: show the plan of a dry run, or check chips, frames and weights of all cases at once."""
    if KEY not in session.config.stash or session.config.option.collectonly or session.testsfailed:
        return None
    own = session.config.stash[KEY]
    if own.ours and own.dry_run:
        _print_plans(own)
        return True
    if own.ours and not own.published:
        try:
            _preflight(own)
        except Problem as problem:
            pytest.exit(str(problem), returncode=CHIP_IS_MISSING)
    return None


def _print_plans(own: Session) -> None:
    from roadworthy import pipeline  # noqa: PLC0415

    terminal: Any = own.config.pluginmanager.get_plugin("terminalreporter")
    for case in {case.id: case for case in own.ours.values()}.values():
        terminal.write_line(f"{case.id}:")
        for line in pipeline.plan(case, own.data, own.weights):
            terminal.write_line(f"  {line}")


def _preflight(own: Session) -> None:
    from roadworthy import pipeline, runtimes  # noqa: PLC0415

    for name in own.named:
        reasons = [runtimes.missing(case) for case in own.ours.values() if case.soc.name == name]
        if reasons and all(reasons):
            raise Problem(
                f"{name} is not there: {reasons[0]}; go on with --published (judge the guides' figures), "
                "--dry-run (show the commands) or another chip (--soc cpu)"
            )
    run = own.evidence = pipeline.Run(own.run_folder(), own.data, own.weights)
    problems = []
    selected = {case.card.key: case.card for case in own.ours.values()}
    for card in selected.values():
        run.dataset(card)
        try:
            run.graph(card)
        except Unavailable:
            continue  # its tests skip with this reason
        except Problem as problem:
            problems.append(problem)
    if problems and len(problems) == len(selected):
        raise problems[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count what was judged."""
    report = yield
    own = item.config.stash.get(KEY, None)
    if own is not None and report.when == "call" and report.outcome != "skipped":
        own.judged += item.nodeid in own.ours
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A Problem is told in its one sentence, without a traceback; what cannot run here is skipped with its reason."""
    try:
        return (yield)
    except Unavailable as reason:
        pytest.skip(str(reason))
    except Problem as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Evidence:
    """Where a suite's records come from: a run on this machine, or with `--published` the guides."""
    own = _session(pytestconfig)
    if own.evidence is None:
        from roadworthy import pipeline  # noqa: PLC0415

        own.evidence = (
            pipeline.Published() if own.published else pipeline.Run(own.run_folder(), own.data, own.weights)
        )
    return own.evidence


@pytest.fixture
def judge(pytestconfig: pytest.Config, record_property: Callable[[str, object], None]) -> Callable[[Case, Verdict], None]:
    """Turn a verdict into the test's outcome: passed, failed, or skipped with its reason where it is unjudged."""

    def decide(case: Case, verdict: Verdict) -> None:
        _session(pytestconfig).verdicts.append((case, verdict))
        record_property("observed", verdict.observed)
        record_property("required", verdict.required)
        if verdict.outcome == "unjudged":
            pytest.skip(str(verdict))
        if verdict.outcome == "failed":
            pytest.fail(str(verdict), pytrace=False)

    return decide


@pytest.fixture(scope="session")
def committed(pytestconfig: pytest.Config) -> list[Any]:
    """The records in reports/records/, oldest first."""
    from roadworthy import record  # noqa: PLC0415

    return record.read_folder(_session(pytestconfig).records_folder())


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A line per verdict, and where the records are."""
    own = config.stash.get(KEY, None)
    if own is None or not (own.verdicts or own.evidence):
        return
    colours = {"passed": "green", "failed": "red", "unjudged": "yellow"}
    if own.verdicts:
        terminalreporter.section("verdicts")
        width = max(len(case.id) for case, _ in own.verdicts)
        for case, verdict in own.verdicts:
            terminalreporter.write(f"{case.id:{width}}  ", **{})
            terminalreporter.write_line(str(verdict), **{colours[verdict.outcome]: True})
    if own.evidence and own.evidence.records and own.evidence.out:
        terminalreporter.write_line(f"records: {own.evidence.out / 'records.jsonl'}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Add the records where asked for; a run that judged nothing is no success."""
    own = session.config.stash.get(KEY, None)
    if own is None or not own.ours or own.dry_run or session.config.option.collectonly:
        return
    if session.config.option.update_records and own.evidence and own.evidence.records and own.evidence.out:
        from roadworthy import pipeline  # noqa: PLC0415

        pipeline.commit(own.evidence, own.records_folder())
    if session.exitstatus == pytest.ExitCode.OK and not own.judged:
        session.exitstatus = NOTHING_JUDGED
