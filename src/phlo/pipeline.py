"""One run, from sources to published tables: the way of the data on one screen.

    open_run → load (extract → stage → validate → write) → transform → check → publish → close

A run is a branch of the whole catalog. Everything it does lands on the branch; ``publish`` moves main to it in one
step, or nothing happens to main at all. The command line and the orchestrator are two callers of these functions.
"""

from __future__ import annotations

import datetime as dt
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phlo.errors import CatalogError, LeaseLost, PhloError, PublishConflict, UnknownRef
from phlo.journal import Journal, said_of
from phlo.journal import journal as start_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from phlo.declarations import Reporter
    from phlo.load.write import Loaded
    from phlo.plan import Plan
    from phlo.profiles import Lake
    from phlo.protocols import Publish
    from phlo.quality.results import CheckResult
    from phlo.transform.results import TransformResult

ATTEMPTS = 3
"""How often a run whose publish is refused is replayed on today's main before it gives up."""


REFUSED = (PublishConflict, LeaseLost)
"""What a publish is refused with when others were quicker."""


@dataclass
class Run:
    """One execution on one ref, and what came of it so far."""

    lake: Lake
    plan: Plan
    reporter: Reporter
    id: str
    parallel: int = 1
    started: float = field(default_factory=time.monotonic)
    loads: list[Loaded] = field(default_factory=list)
    transformed: TransformResult | None = None
    checks: list[CheckResult] = field(default_factory=list)
    published: Publish | None = None

    @property
    def ref(self) -> str:
        """The branch it writes."""
        return f"run-{self.id}"

    @property
    def staging(self) -> Path:
        """Where its extracted rows are kept until it is published."""
        return self.lake.staging / self.id

    @property
    def seconds(self) -> float:
        """How long it has been going."""
        return time.monotonic() - self.started


def execute(
    lake: Lake,
    plan: Plan,
    reporter: Reporter,
    *,
    wait: bool = True,
    parallel: int = 1,
    run_id: str | None = None,
    loading: Callable[[Run], None] | None = None,
    before_publish: Callable[[], None] | None = None,
) -> Run:
    """Run a plan to its publish; on any failure main is untouched and the ref is kept with the reason.

    A publish that is refused, because main moved or another run took the lease over, is replayed: a new ref on
    today's main, the kept staging merged again (nothing is extracted twice), models and checks computed again.

    ``loading`` brings rows that are no source's onto the ref, in the place of ``load``. ``before_publish`` may raise
    what keeps the run from its publish, at the last moment.

    Raises ``ChecksFailed``, ``SourceError``, ``DataError``, ``TransformError``, ``TableLeased`` (without ``wait``)
    and, after the last attempt, ``PublishConflict`` or ``LeaseLost``.
    """
    run_id = run_id or new_run_id()
    with journaled(lake, plan, run_id, reporter) as journal:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with leased(lake, plan, run_id, journal, wait=wait):
                    forget(lake, f"run-{run_id}")
                    run = open_run(lake, plan, journal, run_id=run_id, parallel=parallel)
                    journal.keep(run)
                    with kept_when_it_fails(run):
                        (loading or load)(run)
                        transform(run)
                        check(run)
                        if before_publish is not None:
                            before_publish()
                        publish(run)
                    close(run)
                    return run
            except REFUSED as refused:
                if attempt == ATTEMPTS:
                    raise
                journal.warn(f"{refused}; replaying it on today's main ({attempt + 1} of {ATTEMPTS})")
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def journaled(lake: Lake, plan: Plan, run_id: str, reporter: Reporter) -> Iterator[Journal]:
    """Keep the run's journal, unless whoever runs it keeps it already."""
    if isinstance(reporter, Journal):
        yield reporter
        return
    with start_journal(
        lake.project.state,
        run_id,
        reporter,
        selection=plan.selection,
        partitions=plan.partitions,
        tables=plan.writes,
    ) as journal:
        yield journal


@contextmanager
def leased(lake: Lake, plan: Plan, run_id: str, reporter: Reporter, *, wait: bool = True) -> Iterator[None]:
    """Hold the lease on the tables that a plan writes.

    A lease that can't be given back is told and no more: what was published is published, and it ends by itself.
    """
    entered, failure = False, None
    try:
        with lake.catalog.lease(plan.writes, run_id, wait=wait, on_wait=reporter.warn):
            entered = True
            try:
                yield
            except BaseException as error:
                failure = error
                raise
    except CatalogError as error:
        if not entered or error is failure:
            raise
        reporter.warn(f"the lease of {run_id} could not be given back, it ends with this process: {error}")
        if failure is not None:
            raise failure from None


def forget(lake: Lake, ref: str) -> None:
    """Drop the ref of an attempt that was refused, where there is one: its staging is kept for the next."""
    with suppress(UnknownRef):
        lake.catalog.drop_ref(ref)


def open_run(lake: Lake, plan: Plan, reporter: Reporter, *, run_id: str, parallel: int = 1) -> Run:
    """Branch the run's ref off main, after a look at what runs that died have left."""
    tidy(lake)
    run = Run(lake, plan, reporter, run_id, parallel)
    lake.catalog.create_ref(run.ref, run_id=run_id, selection=plan.selection)
    return run


def load(run: Run) -> None:
    """Extract and stage the partitions in threads; meanwhile validate what has arrived, and write it in order."""
    from phlo.load.arrivals import arriving
    from phlo.load.write import write_loads

    lake, engine = run.lake, run.lake.engine
    with arriving(run.plan.loads, run.id, run.staging, run.reporter, run.parallel) as arrivals:
        for ingestion in run.plan.ingestions:
            rows = arrivals.get(ingestion.table_name, [])
            run.loads += write_loads(ingestion, rows, engine, lake.catalog, run.ref, run.reporter)


def transform(run: Run) -> None:
    """Run the plan's dbt models, and the tests on them, on the ref."""
    if run.plan.models:
        from phlo.transform.run import run_models

        names = [model.name for model in run.plan.models]
        run.transformed = run_models(run.lake, run.ref, names, run.reporter, full_refresh=run.plan.full_refresh)


def check(run: Run) -> None:
    """Check the ref; raise ``ChecksFailed`` or ``DataTestsFailed`` when what blocks did not pass.

    Beside the plan's checks these are those of views that read what changed, and dbt's tests of loaded tables.
    """
    from phlo.quality.gate import check_ref, insist
    from phlo.transform.run import test_changes

    changed = {each.table: set(run.plan.partitions) for each in run.plan.ingestions if each.partitioned}
    # An ingestion without a schema has no table before its first row.
    unborn = {each.table for each in run.plan.ingestions} - run.lake.catalog.pin(run.ref).tables.keys()
    planned = [quality for quality in run.plan.qualities if quality.table not in unborn]
    run.checks += check_ref(run.lake, run.ref, planned, changed, tables=False)
    insist(run.checks, run.ref, run.reporter.warn)
    run.transformed = test_changes(run.lake, run.ref, run.transformed)


def publish(run: Run) -> None:
    """Move main to the ref, all tables at once."""
    run.published = run.lake.catalog.publish(run.ref)


def close(run: Run) -> None:
    """Let go of what a published run no longer needs."""
    shutil.rmtree(run.staging, ignore_errors=True)


def tidy(lake: Lake) -> None:
    """Keep the refs of runs that died as failed, and forget failed refs, and their staging, beyond retention."""
    settings = lake.project.settings
    lake.catalog.reap()
    lake.catalog.prune(keep=settings.keep_failed, days=settings.keep_failed_days)
    # Before the runs are listed: a run leases, then stages.
    folders = list(lake.staging.iterdir()) if lake.staging.is_dir() else []
    known = {ref.run_id for ref in lake.catalog.refs()} | lake.catalog.live_runs()
    for folder in folders:
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept_when_it_fails(run: Run) -> Iterator[None]:
    """Keep the ref of a run that does not get to its publish, with the reason; errors of Phlo's carry the run."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, PhloError):
            error.values["run"] = run
        reason = said_of(error)
        try:
            # What did not get as far as its publish holds unchecked or half the data: publishing it takes force.
            run.lake.catalog.fail_ref(run.ref, reason, blocked=not isinstance(error, REFUSED))
        except UnknownRef:
            published = run.lake.catalog.publishes(1, run_id=run.id)
            what = "published" if published else "dropped"
            run.reporter.warn(f"{reason}, but {run.ref} was {what} before that")
            raise error from None
        except PhloError as second:
            run.reporter.warn(f"{run.ref} could not be marked as failed, the next run will: {second}")
            raise error from None
        if not isinstance(error, Exception):
            run.reporter.warn(f"{reason}; nothing was published, and what there is so far is kept on {run.ref}")
        raise


def new_run_id() -> str:
    """Name a run so that names sort by time: ``20240120-143022-3fa9``."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
