"""Assets from declarations: a step for each ingestion, one for dbt, and one for the checks.

A step calls the pipeline's function for its part of the plan, on the ref of its run.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    FreshnessPolicy,
    MaterializeResult,
    RetryRequested,
    asset,
    multi_asset,
    multi_asset_check,
)

from phlo.backfill import CHUNK
from phlo.declarations import check_name
from phlo.errors import ChecksFailed, DataTestsFailed, TransformError, TransientSourceError
from phlo.orchestration import about, show
from phlo.orchestration.current import current, part
from phlo.orchestration.keys import asset_key, check_keys, data_test_keys, word
from phlo.pipeline import check, load, transform

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from dagster import (
        AssetCheckExecutionContext,
        AssetCheckKey,
        AssetChecksDefinition,
        AssetExecutionContext,
        AssetKey,
    )

    from phlo.declarations import Check, Ingestion, Quality
    from phlo.errors import PhloError
    from phlo.pipeline import Run
    from phlo.profiles import Lake
    from phlo.quality.results import CheckResult
    from phlo.transform.models import DataTest, Model
    from phlo.transform.results import TransformResult

Step = TypeVar("Step", bound="Callable[..., Any]")

FIRST_DAY = dt.date(2020, 1, 1)
"""Where partitions begin that neither their ingestion (partition_start) nor the project (start_date) dates."""

RETRIES, RETRY_SECONDS = 2, 30
"""How often, and after how long, a step asks a source again that did not answer."""


def ingestion_asset(lake: Lake, ingestion: Ingestion) -> AssetsDefinition:
    """Make the asset of an ingested table."""
    days = partitions(lake, ingestion) if ingestion.partitioned else None

    @asset(
        key=asset_key(ingestion.table),
        name=None,
        group_name=word(ingestion.group),
        description=ingestion.description or None,
        partitions_def=days,
        backfill_policy=BackfillPolicy.multi_run(CHUNK) if days else None,
        freshness_policy=_freshness(ingestion),
        kinds={"python", "iceberg"},
        metadata=about.ingestion(lake, ingestion),
    )
    @bare
    def step(context: AssetExecutionContext) -> MaterializeResult[Any]:
        run, began = current(context.run.run_id), time.monotonic()
        try:
            load(part(run, ingestions=(ingestion,)))
        except TransientSourceError as error:
            raise RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
        took = {"duration (s)": round(time.monotonic() - began, 3)}
        return MaterializeResult(metadata=show.on_ref(run, ingestion.table) | took)

    return step


def dbt_assets(
    lake: Lake, models: Sequence[Model], tests: Iterable[DataTest], known: Iterable[str]
) -> AssetsDefinition:
    """Make the assets of dbt's models: one step builds those of them that a run asks for, and runs their tests."""
    by_key = {asset_key(model.table): model for model in models}
    made = {model.table for model in models}
    tested = data_test_keys(tests, made)

    @multi_asset(
        name="dbt",
        can_subset=True,
        specs=[_model_spec(lake, key, model, {*known, *made}) for key, model in by_key.items()],
        check_specs=[_test_spec(key, test) for key, test in tested.items()],
    )
    @bare
    def dbt(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any] | AssetCheckResult]:
        run = current(context.run.run_id)
        chosen = tuple(model for key, model in by_key.items() if key in context.selected_asset_keys)
        built = part(run, models=chosen)
        try:
            transform(built)
        except TransformError as error:
            run.transformed = cast("TransformResult | None", error.values.get("result"))
            yield from _test_results(run, tested, context.selected_asset_check_keys)
            raise
        run.transformed = built.transformed
        for model in chosen:
            yield MaterializeResult(asset_key=asset_key(model.table), metadata=show.model(run, model))
        yield from _test_results(run, tested, context.selected_asset_check_keys)

    return dbt


def checks(qualities: Sequence[Quality], tests: Iterable[DataTest], raw: Collection[str]) -> AssetChecksDefinition:
    """Make the asset checks of the declared checks, and of dbt's tests of loaded tables: one step.

    The checks of one table share a query. Every result is told before a blocking check that failed fails the step,
    and with it the run.
    """
    named, tested = check_keys(qualities), data_test_keys(tests, raw)
    specs = [_check_spec(key, quality, check) for key, (quality, check) in named.items()]

    @multi_asset_check(
        name="checks", can_subset=True, specs=[*specs, *(_test_spec(key, test) for key, test in tested.items())]
    )
    @bare
    def step(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        run = current(context.run.run_id)
        failure: PhloError | None = None
        try:
            check(run)
        except (ChecksFailed, DataTestsFailed) as error:
            failure = error
            run.transformed = cast("TransformResult | None", error.values.get("result", run.transformed))
        for key, result in _matched(run, named):
            if key in context.selected_asset_check_keys:
                yield _check_result(key, result)
        yield from _test_results(run, tested, context.selected_asset_check_keys)
        if failure:
            raise failure

    return step


def partitions(lake: Lake, ingestion: Ingestion) -> DailyPartitionsDefinition:
    """The UTC days of an ingestion, today included."""
    start = ingestion.partition_start or lake.project.settings.start_date or FIRST_DAY
    return DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=1, timezone="UTC")


def bare(step: Step) -> Step:
    """Take the annotations off a step: Dagster would read types in them, and in these modules they are text."""
    step.__annotations__ = {}
    return step


def _freshness(ingestion: Ingestion) -> FreshnessPolicy | None:
    if ingestion.freshness_hours is None:
        return None
    warn, fail = (dt.timedelta(hours=hours) for hours in ingestion.freshness_hours)
    return FreshnessPolicy.time_window(fail_window=fail, warn_window=warn if warn < fail else None)


def _model_spec(lake: Lake, key: AssetKey, model: Model, tables: Iterable[str]) -> AssetSpec:
    return AssetSpec(
        key,
        deps=[asset_key(parent) for parent in model.parents if parent in tables],
        description=model.description or None,
        group_name=word(model.table.split(".")[0]),
        kinds={"dbt", model.materialization if model.materialization in ("table", "view") else model.kind},
        metadata=about.model(lake, model),
        owners=about.owners(model),
        tags=about.tags(model),
    )


def _check_spec(key: AssetCheckKey, quality: Quality, check: Check) -> AssetCheckSpec:
    how = "nothing is published when it fails" if quality.blocking else "a failure is a warning"
    # Not `blocking` in Dagster's sense: that would keep the models from being built, and one step checks them too.
    return AssetCheckSpec(
        key.name, asset=key.asset_key, description=f"{check_name(check)}: {how}. {quality.description}"
    )


def _test_spec(key: AssetCheckKey, test: DataTest) -> AssetCheckSpec:
    how = "nothing is published when it fails" if test.severity == "error" else "a failure is a warning"
    return AssetCheckSpec(
        key.name, asset=key.asset_key, description=f"dbt test in {test.path}: {how}. {test.description}"
    )


def _test_results(
    run: Run, tested: Mapping[AssetCheckKey, DataTest], selected: AbstractSet[AssetCheckKey]
) -> Iterator[AssetCheckResult]:
    """What came of the data tests that ran; one that dbt skipped has no result."""
    results = {result.unique_id: result for result in run.transformed.tests} if run.transformed else {}
    for key, test in tested.items():
        result = results.get(test.unique_id)
        if key in selected and result is not None and result.status != "skipped":
            yield AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=result.status == "pass",
                severity=AssetCheckSeverity.WARN if test.severity == "warn" else AssetCheckSeverity.ERROR,
                description=result.message or result.status,
                metadata=show.test(result),
            )


def _matched(
    run: Run, named: Mapping[AssetCheckKey, tuple[Quality, Check]]
) -> Iterator[tuple[AssetCheckKey, CheckResult]]:
    """Results come by quality in the order of its checks, as do the keys."""
    waiting = {key: (quality.table, quality.name) for key, (quality, _) in named.items()}
    for result in run.checks:
        key = next((key for key, found in waiting.items() if found == (result.table, result.quality)), None)
        if key is not None:
            del waiting[key]
            yield key, result


def _check_result(key: AssetCheckKey, result: CheckResult) -> AssetCheckResult:
    return AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        severity=AssetCheckSeverity.ERROR if result.blocking else AssetCheckSeverity.WARN,
        description=result.message,
        metadata=show.check(result),
    )
