"""The rim to pytest: options, one test per case, the header, verdict lines, exit status.

An installed plugin loads in every pytest run of its environment: nothing heavier than `tomllib` is imported before a
test of a roadworthy suite runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from roadworthy import card as cards
from roadworthy import ci, header, record, runtimes, trained
from roadworthy.case import Case, TrainCase
from roadworthy.data import cityscapes
from roadworthy.gates import Verdict
from roadworthy.problem import Problem, Unavailable
from roadworthy.record import Record
from roadworthy.runtimes import devices
from roadworthy.selection import Selection

if TYPE_CHECKING:
    from roadworthy.evidence import Evidence

MARKER = (
    "roadworthy(cases, measured=False): one test per case: `all`, `batched` (compared with batch 1), `per_chip`, "
    "`ratios` (per delivered chip and chip to compare with, as `case`, `other`, `required`), of training `training`, "
    "`training_ratios` (as `ratios`) or `scaled` (on several devices); "
    "a measured one needs a run and is left out with --published"
)
IN_A_WORKER = "-n (pytest-xdist): cases run one at a time, in one process; run the suite without it"
NOTHING_JUDGED = pytest.ExitCode.NO_TESTS_COLLECTED  # 5


@dataclass
class State:
    """What one pytest session judges and has judged."""

    selection: Selection
    asked: bool = False  # whether a suite asks for cases, be there any or not
    ours: dict[str, Case | TrainCase] = field(default_factory=dict)  # by test id
    judged: int = 0
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list)  # with the cell that each is about
    failed: set[str] = field(default_factory=set)  # ids of the tests with a verdict that failed
    evidence: Evidence | None = None
    default: str = ""  # why the chip is what it is, where none was asked for
    lost: str | None = None  # why records were not added
    added: bool = False

    @property
    def cells(self) -> list[Case]:
        """The cases that run, of those that are left after `-k`."""
        return [case for case in self.ours.values() if isinstance(case, Case)]

    @property
    def trainings(self) -> list[TrainCase]:
        """The cases of training, of those that are left after `-k`."""
        return [case for case in self.ours.values() if isinstance(case, TrainCase)]

    def note(self, item: pytest.Item, cell: str, verdict: Verdict) -> None:
        """Keep what was judged of a cell."""
        self.verdicts.append((cell, verdict))
        if verdict.outcome == "failed":
            self.failed.add(item.nodeid)


KEY = pytest.StashKey[State]()
BROKEN = pytest.StashKey[pytest.UsageError]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line of the suites."""
    add = parser.getgroup("roadworthy", "acceptance of segmentation networks").addoption
    add("--soc", action="append", metavar="CHIP", help="chip to judge, exact name, repeatable (default: cpu)")
    add(
        "--data",
        default=cityscapes.SAMPLE,
        metavar="DIR",
        help="Cityscapes folder (default: the drawn sample data set)",
    )
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="checkpoint (default: the sample weights beside the card, else untrained ones)",
    )
    add("--batch", action="append", type=int, metavar="N", help="batch size, repeatable (default: those of the card)")
    add("--profile", metavar="NAME", help="require the ratios of a delivery rule too, such as modelzoo-310p")
    add("--published", action="store_true", help="judge the guides' own figures; no chip is needed")
    add("--runtime", metavar="NAME", help="how chips are run, such as ais_bench (by files) or eager (torch)")
    add("--device", type=int, metavar="N", help="number of the device (default: the first free one of the chip)")
    add("--time-limit", type=float, default=900.0, metavar="S", help="seconds a case may be silent (default: 900)")
    add(
        "--keep-frames",
        type=int,
        default=0,
        metavar="N",
        help="keep the N worst frames of a case as pictures (default: 0)",
    )
    add("--dry-run", action="store_true", help="show what every case would run, run nothing")
    add("--update-records", action="store_true", help="add this run's records to reports/records/")
    add(
        "--trained", action="append", type=Path, metavar="DIR", help="judge the training run in this folder, repeatable"
    )
    add("--models", action="append", type=Path, metavar="DIR", help="one more folder of model cards, repeatable")
    add("--out", type=Path, metavar="DIR", help="folder for this run's records (default: in the user's cache)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse wrong options before anything is collected."""
    config.addinivalue_line("markers", MARKER)
    option = config.option
    given = (option.soc, option.models, option.batch, option.published, option.profile, option.runtime, option.trained)
    if any(given) or option.keep_frames:
        _state(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case, for tests that ask by marker: other people's tests may have a `case` of their own."""
    marker = metafunc.definition.get_closest_marker("roadworthy")
    if marker is not None:
        try:
            arguments, cells = _state(metafunc.config).selection.cells(marker.args[0])
        except (pytest.UsageError, Problem) as error:  # a broken card: told when collection is over, once
            metafunc.config.stash[BROKEN] = pytest.UsageError(str(error))
            return
        metafunc.parametrize(arguments, [pytest.param(*values, id=name) for name, values in cells])


@pytest.hookimpl(trylast=True)  # after -k and -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which tests are ours; leave out those without a case, and with `--published` those that need a run."""
    if BROKEN in config.stash:
        raise config.stash[BROKEN]
    out = []
    for item in items:
        marker = item.get_closest_marker("roadworthy")
        if marker is None:
            continue
        state = _state(config)
        state.asked = True
        case = item.callspec.params.get("case") if isinstance(item, pytest.Function) else None
        if not isinstance(case, Case | TrainCase) or (config.option.published and marker.kwargs.get("measured")):
            out.append(item)  # pytest puts a mark of its own where there are no cases
        elif _in_a_worker(config) and state.ours:
            out.append(item)  # one is enough to say that none runs here
        else:
            state.ours[item.nodeid] = case
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """What is judged: chips, data and its size, weights and their hash, versions."""
    state = config.stash.get(KEY, None)
    if state is None or not state.ours:
        return []
    option, runs = config.option, state.selection.runs
    rule = f", by the profile {option.profile}" if option.profile else ""
    if option.published:
        return [*header.published(list(state.ours.values()), rule), header.versions()]
    try:
        running = header.running(state.cells, option.data, option.weights, state.default, rule)
    except Problem as problem:
        raise pytest.UsageError(str(problem)) from None
    return [*running, *header.trained(state.trainings, [f for f, rows in runs.items() if rows]), header.versions()]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Before the first test: show the plan of a dry run, or check chips, frames and weights of all cases at once."""
    state = session.config.stash.get(KEY, None)
    if state is None or not state.ours or session.config.option.collectonly or session.testsfailed:
        return None
    if _in_a_worker(session.config):  # where the one test that is left says why nothing runs
        return None
    if session.config.option.dry_run:
        _print_plans(session.config, state)
        return True
    if not session.config.option.published:
        try:
            _check_before(session.config, state)
        except Problem as problem:
            raise pytest.UsageError(str(problem)) from None
    return None


@pytest.hookimpl(tryfirst=True)  # before a fixture
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to run in a worker of pytest-xdist: another would hold the chip, and nobody would have all verdicts."""
    state = item.config.stash.get(KEY, None)
    if _in_a_worker(item.config) and state is not None and item.nodeid in state.ours:
        pytest.fail(IN_A_WORKER, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A Problem is told in its one sentence, without a traceback; what cannot run here is skipped with its reason."""
    try:
        return (yield)
    except Problem as caught:
        problem, state = caught, item.config.stash.get(KEY, None)
        if state is None or item.nodeid not in state.ours:
            raise
    outcome: Literal["failed", "unjudged"] = "unjudged" if isinstance(problem, Unavailable) else "failed"
    state.note(item, state.ours[item.nodeid].id, Verdict(_gate(item), outcome, "nothing", "", str(problem)))
    if outcome == "unjudged":
        pytest.skip(str(problem))
    pytest.fail(str(problem), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count what was judged; a test that broke without a verdict has failed as well."""
    report = yield
    state = item.config.stash.get(KEY, None)
    if state is None or item.nodeid not in state.ours:
        return report
    if report.when == "call" and report.outcome != "skipped":
        state.judged += 1
    if report.failed and call.excinfo and item.nodeid not in state.failed:
        because = call.excinfo.exconly(tryshort=True).partition("\n")[0]
        state.note(item, state.ours[item.nodeid].id, Verdict(_gate(item), "failed", "nothing", "", because))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The verdicts, as a table on a terminal and a line each elsewhere, and where the records are."""
    state = config.stash.get(KEY, None)
    if state is None:
        return
    if state.verdicts:
        from roadworthy import reporter  # noqa: PLC0415  see the module's docstring

        terminalreporter.section("verdicts")
        reporter.print_verdicts(config, state.verdicts)
    if state.evidence and state.evidence.records and state.evidence.out:
        terminalreporter.write_line(f"records: {state.evidence.out / 'records.jsonl'}")
    if state.lost:
        terminalreporter.write_line(f"records not added: {state.lost}", red=True)
    elif state.added:
        terminalreporter.write_line(f"records added to {_records_folder(config)}")
    if not state.asked or config.option.dry_run or config.option.collectonly:
        return
    if not state.judged:
        terminalreporter.write_line("nothing was judged", yellow=True)
    for line in ci.tell(os.environ, state.verdicts):
        terminalreporter.write_line(line)


@pytest.hookimpl(tryfirst=True)  # before the terminal prints the summary
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Add the records where asked for; a run that judged nothing is no success."""
    state, option = session.config.stash.get(KEY, None), session.config.option
    if state is None or not state.asked or option.dry_run or option.collectonly:
        return
    if exitstatus == pytest.ExitCode.OK and not state.judged:
        session.exitstatus = NOTHING_JUDGED
    elif option.update_records and (state.evidence or option.trained):
        state.lost = _commit(session.config, state, passed=exitstatus == pytest.ExitCode.OK)
        state.added = state.lost is None
        if state.lost and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Evidence:
    """Where a suite's records come from: a run on this machine, or with `--published` the guides."""
    return _evidence(pytestconfig)


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Callable[[Case | TrainCase, Verdict], None]:
    """Turn a verdict into the test's outcome: passed, failed, or skipped with its reason where it is unjudged."""

    def decide(case: Case | TrainCase, verdict: Verdict) -> None:
        cell = request.node.callspec.id if hasattr(request.node, "callspec") else case.id
        state = _state(request.config)
        state.note(request.node, cell, verdict)
        known = trained.figures(case, state.selection.training_records()) if isinstance(case, TrainCase) else {}
        request.node.user_properties += ci.properties(verdict, known.values()).items()  # record_property warns
        if verdict.outcome == "unjudged":
            pytest.skip(str(verdict))
        if verdict.outcome == "failed":
            pytest.fail(str(verdict), pytrace=False)

    return decide


@pytest.fixture(scope="session")
def committed(pytestconfig: pytest.Config) -> list[Record]:
    """The records in reports/records/."""
    return record.read_folder(_records_folder(pytestconfig))


@pytest.fixture(scope="session")
def training(pytestconfig: pytest.Config) -> list[Record]:
    """The records that training is judged by: the guides', then those that were measured, oldest first."""
    return _state(pytestconfig).selection.training_records()


def _in_a_worker(config: pytest.Config) -> bool:
    """Whether this process is one of many that pytest-xdist has started."""
    return hasattr(config, "workerinput")


def _gate(item: pytest.Item) -> str:
    """What a test without a verdict judges, by its name."""
    return str(getattr(item, "originalname", item.name)).removeprefix("test_").replace("_", " ")


def _state(config: pytest.Config) -> State:
    if KEY not in config.stash:
        option = config.option
        folders = [cards.builtin_models(), *(option.models or [])]
        try:
            if option.runtime:
                runtimes.check(option.runtime)
            default, why = ("cpu", "") if option.soc or option.published else devices.default(option.runtime or "")
            if option.time_limit <= 0:
                raise Problem(f"--time-limit {option.time_limit:g}: it must be more than 0 seconds")
            if option.keep_frames < 0:
                raise Problem(f"--keep-frames {option.keep_frames}: it must be 0 (none is kept) or more")
            selection = Selection.of(
                folders,
                option.soc or [],
                option.batch or [],
                published=option.published,
                profile=option.profile,
                runtime=option.runtime or "",
                default=default,
                trained=option.trained or [],
                committed=_records_folder(config),
            )
            if selection.profile and not selection.ratios():
                raise Problem(
                    f"--profile {option.profile}: judges {selection.profile.judge}, which is not among the chips"
                )
        except Problem as problem:
            raise pytest.UsageError(str(problem)) from None
        config.stash[KEY] = State(selection, default=why)
    return config.stash[KEY]


def _evidence(config: pytest.Config) -> Evidence:
    state = _state(config)
    if state.evidence is not None:
        return state.evidence
    from roadworthy import cache, evidence, reporter, run, workshop  # noqa: PLC0415  see the module's docstring

    option = config.option
    if option.published:
        state.evidence = evidence.Published()
    else:
        line = reporter.progress_line(config)
        manner = workshop.Manner(
            option.device,
            option.time_limit,
            reporter.teller(config, line),
            keep_frames=option.keep_frames,
            line=line.step if line else None,
        )
        state.evidence = run.Run(option.out or cache.run_folder(), option.data, option.weights, manner)
    return state.evidence


def _check_before(config: pytest.Config, state: State) -> None:
    for name in state.selection.named:
        reasons = [runtimes.missing(case) for case in state.cells if case.soc.name == name]
        if reasons and all(reasons):
            raise Problem(
                f"{name} is not there: {reasons[0]}; go on with --published (judge the guides' figures), "
                "--dry-run (show the commands) or another chip (--soc cpu)"
            )
    if config.option.device is not None:
        for soc in {case.soc for case in state.cells}:
            devices.of_soc(soc, config.option.device)
    record.read_folder(_records_folder(config))  # a line that is no record is told before an hour of work
    if state.cells:
        _evidence(config).check(state.cells)


def _commit(config: pytest.Config, state: State, *, passed: bool) -> str | None:
    """Add the records of a run that passed, and those of the training runs that it judged; says why not, or None."""
    from roadworthy import evidence  # noqa: PLC0415  see the module's docstring

    folder = _records_folder(config)
    if not passed:
        return "only a run that passed becomes what later runs are compared with"
    try:
        known = record.read_folder(folder)
        for run in config.option.trained or []:
            fresh = [row for row in state.selection.of_run(run, state.trainings) if row not in known]
            evidence.commit(evidence.Kept(fresh, run), folder)
        if state.evidence:
            evidence.commit(state.evidence, folder)
    except Problem as problem:
        return str(problem)
    return None


def _print_plans(config: pytest.Config, state: State) -> None:
    from roadworthy import plan, reporter  # noqa: PLC0415  see the module's docstring

    option, told = config.option, {}
    for case in state.cells:
        told[case.id] = plan.lines(case, option.data, option.weights, option.device)
    for cell in state.trainings:
        told[cell.id] = plan.of_training(cell, state.selection.training_records())
    reporter.print_plans(config, told)


def _records_folder(config: pytest.Config) -> Path:
    return config.rootpath / "reports" / "records"
