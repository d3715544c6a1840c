"""Calls an ingestion's function and yields its rows page by page; the only door to dlt.

Of dlt only the extraction is used: its resources are iterated, its HTTP client retries. Its normalizing, loading,
state and telemetry are not. The rows stay as the source gave them.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING, Any

from phlo.errors import AmbiguousResource, UnusableRows, nearest
from phlo.load.frames import frame_batches, is_frame
from phlo.load.rows import texts_size
from phlo.load.source_errors import translate
from phlo.redaction import beginning

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Iterator, Sequence
    from types import ModuleType

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter

SHOWN = 60
"""Characters of what is no row that its error shows."""

PAGE = 5_000
"""Rows of a page made from rows that come one at a time."""

PAGE_SIZE = 8 * 2**20
"""Characters of their texts that end a page before that: rows of a megabyte each would fill the memory."""

HTTP = {
    "request_timeout": 10.0,
    "request_max_attempts": 4,
    "request_backoff_factor": 0.5,
    "request_max_retry_delay": 10.0,
}
"""dlt's settings where the user has none: a dead source is given up after 44 s at most, not after 25 minutes."""

DLT, REST_API, REQUESTS = "dlt", "dlt.sources.rest_api", "dlt.sources.helpers.requests"


def pages(
    ingestion: Ingestion, partition: dt.date | None, reporter: Reporter
) -> Generator[list[Mapping[str, Any]] | pa.RecordBatch, None, None]:
    """Yield the rows of one partition: lists of dicts, or Arrow batches as they are.

    Raises a ``SourceError`` for whatever the function or its source raises.
    """
    rows = 0
    with spec_rest_api():
        try:
            for page in _pages(_call(ingestion, partition), ingestion, reporter):
                yield page
                rows += len(page)
        except (Exception, SystemExit) as error:  # noqa: BLE001  user code may raise anything, or exit
            raise translate(error, ingestion, rows) from (error if _is_users(error) else None)


@contextmanager
def spec_rest_api() -> Iterator[None]:
    """Let ``rest_api({...})`` take one dict of ``client`` and ``resources``, as Phlo's documentation writes it.

    dlt takes these apart, and the dict only as ``rest_api_source({...})``. While this context is open, a call with
    exactly one such dict is forwarded there; every other call is untouched. The change is made when (and if)
    ``dlt.sources.rest_api`` is imported, and lasts for what imported it.
    """
    # Read when dlt is imported, before a provider of ours can be asked.
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    with _LOCK:
        _OPEN.append(1)
        if len(_OPEN) == 1:
            sys.meta_path.insert(0, _FINDER)
            for name, change in _AFTER_IMPORT.items():
                if name in sys.modules:
                    change(sys.modules[name])
    try:
        yield
    finally:
        with _LOCK:
            _OPEN.pop()
            if not _OPEN:
                sys.meta_path.remove(_FINDER)
                _take_back()


def _call(ingestion: Ingestion, partition: dt.date | None) -> Any:
    if not ingestion.partitioned:
        return ingestion.function()
    return ingestion.function(partition_date=str(partition))


def _pages(result: Any, ingestion: Ingestion, reporter: Reporter) -> Iterator[Any]:
    if result is None:
        return
    result = _resource(result, ingestion)
    buffer: list[Mapping[str, Any]] = []
    size = 0
    for item in _items(result, ingestion):
        if isinstance(item, dict):  # what most sources give, row by row
            buffer.append(item)
            size += texts_size(item)
        elif (arrow := _arrow(item, ingestion)) is None:
            buffer.extend(_rows(item, ingestion))
            size += texts_size(item) if isinstance(item, Mapping) else 0
        else:
            if buffer:
                yield buffer
                buffer, size = [], 0
            yield from _distinct(arrow, ingestion)
        if len(buffer) >= PAGE or size >= PAGE_SIZE:
            yield buffer
            buffer, size = [], 0
    if buffer:
        yield buffer
    _warn_of_hints(result, ingestion, reporter)


def _items(result: Any, ingestion: Ingestion) -> Iterable[Any]:
    """What to go through: one thing that holds rows, or an iterable of such things."""
    if isinstance(result, Mapping) or _is_arrow(result) or is_frame(result) or hasattr(result, "model_dump"):
        return [result]
    if inspect.iscoroutine(result):
        result.close()  # nobody is going to wait for it
    if isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        raise _unusable(result, ingestion)
    items: Iterable[Any] = result
    return items


def _rows(item: Any, ingestion: Ingestion) -> Sequence[Mapping[str, Any]]:
    """Read one item as rows: a dict, a list of dicts, a pydantic model, a DataFrame that Arrow can't hold."""
    if isinstance(item, Mapping):
        return [item]
    if hasattr(item, "model_dump"):
        return [item.model_dump()]
    if is_frame(item):
        return item.to_dict("records")  # type: ignore[no-any-return]
    if isinstance(item, (list, tuple)):
        return [row for each in item for row in _rows(each, ingestion)]
    raise _unusable(item, ingestion)


def _unusable(item: Any, ingestion: Ingestion) -> UnusableRows:
    detail = f"`{beginning(repr(item), SHOWN)}`, a `{type(item).__name__}`, where a row (a dict) was expected"
    return UnusableRows(asset=ingestion.table_name, detail=detail, function=ingestion.source)


def _is_arrow(item: Any) -> bool:
    return hasattr(item, "__arrow_c_stream__") or hasattr(item, "__arrow_c_array__")


def _arrow(item: Any, ingestion: Ingestion) -> Iterator[pa.RecordBatch] | None:
    """Read an Arrow table, batch or reader, or anything that hands itself over as Arrow, as batches."""
    if isinstance(item, (dict, list)) or not (_is_arrow(item) or is_frame(item)):
        return None
    import pyarrow as pa

    if is_frame(item):
        return frame_batches(item, inferred=ingestion.validation_schema is None)
    batches: Iterable[pa.RecordBatch]
    if isinstance(item, pa.RecordBatch):
        batches = [item]
    elif isinstance(item, pa.Table):
        batches = item.to_batches()
    else:
        batches = pa.RecordBatchReader.from_stream(item)
    return iter(batches)


def _distinct(batches: Iterator[pa.RecordBatch], ingestion: Ingestion) -> Iterator[pa.RecordBatch]:
    """Let pass only batches whose columns can be told apart."""
    for batch in batches:
        names = batch.schema.names
        if len(set(names)) < len(names):
            twice = ", ".join(f"`{name}`" for name in dict.fromkeys(names) if names.count(name) > 1)
            detail = f"several columns of one name: {twice}"
            raise UnusableRows(asset=ingestion.table_name, detail=detail, function=ingestion.source)
        yield batch


def _resource(result: Any, ingestion: Ingestion) -> Any:
    """Pick the one resource of a dlt source; anything else is returned as it is."""
    if not _is_dlt(result, "DltSource"):
        return result
    resources = dict(result.selected_resources)
    if ingestion.table_name in resources:
        return resources[ingestion.table_name]
    if len(resources) == 1:
        return next(iter(resources.values()))
    listed = ", ".join(f"`{name}`" for name in resources)
    detail = f"{len(resources)} resources, {listed}" if resources else "no resource"
    raise AmbiguousResource(
        asset=ingestion.table_name, detail=f"{detail}{nearest(ingestion.table_name, resources)}".rstrip(".")
    )


def _warn_of_hints(resource: Any, ingestion: Ingestion, reporter: Reporter) -> None:
    """Say which of a resource's hints had no effect; which cursor it used is known once it has been read."""
    if not _is_dlt(resource, "DltResource"):
        return
    ignored = [name for name in ("primary_key", "merge_key") if resource._hints.get(name)]
    if resource.write_disposition != "append":
        ignored.append("write_disposition")
    cursor = resource.incremental
    if cursor is not None and getattr(cursor, "incremental", cursor) is not None:
        ignored.append("incremental")
    if ignored:
        reporter.warn(
            f"`{ingestion.table_name}`: {', '.join(ignored)} of the dlt resource `{resource.name}` has no effect; "
            "@phlo.ingestion says what is loaded and how it is written"
        )


def _is_dlt(result: Any, name: str) -> bool:
    """Whether something is dlt's, without importing dlt for what is not."""
    extract = sys.modules.get("dlt.extract")
    return extract is not None and isinstance(result, getattr(extract, name))


def _is_users(error: BaseException) -> bool:
    """Whether its own text may be shown in a traceback: HTTP errors quote addresses with secrets in them."""
    return type(error).__module__.split(".")[0] not in ("requests", "httpx", "urllib3", "urllib", "dlt")


# ── dlt, changed where it is imported ────────────────────────────────────────────────────────────────────


_LOCK = threading.RLock()
_OPEN: list[int] = []
_ORIGINAL: dict[str, Any] = {}


class _Finder(MetaPathFinder):
    """Lets Python find ``dlt.sources.rest_api`` as ever, and changes it once it is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _AFTER_IMPORT:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _AFTER_IMPORT[fullname](module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _change_rest_api(module: ModuleType) -> None:
    """Put a ``rest_api`` in place that also takes the one dict: the same object in all else."""
    import copy

    original = module.rest_api

    class RestApi(type(original)):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            if len(args) == 1 and not kwargs and isinstance(args[0], dict) and {"client", "resources"} <= set(args[0]):
                return module.rest_api_source(args[0])
            return super().__call__(*args, **kwargs)

    changed = copy.copy(original)
    changed.__class__ = RestApi
    _ORIGINAL["rest_api"] = (module, original)
    module.rest_api = changed  # type: ignore[attr-defined]


def _take_back() -> None:
    if "rest_api" in _ORIGINAL:
        module, original = _ORIGINAL.pop("rest_api")
        module.rest_api = original


def _change_dlt(module: ModuleType) -> None:
    """Give dlt our limits where the user sets none."""
    from dlt.common.configuration.providers import CustomLoaderDocProvider

    if DLT in _ORIGINAL:
        return
    _ORIGINAL[DLT] = module
    # The provider registered last is asked last: the environment and .dlt/config.toml come before it.
    limits = CustomLoaderDocProvider("phlo", lambda: {"runtime": dict(HTTP)}, locations=["phlo"])
    module.config.register_provider(limits)
    logging.getLogger("dlt").addFilter(_worth_saying)
    if REQUESTS in sys.modules:
        _change_requests(sys.modules[REQUESTS])


def _change_requests(module: ModuleType) -> None:
    """Let the client that dlt shares among users of its ``requests`` know the limits: it does not look them up."""
    from dlt.common.configuration.resolve import resolve_configuration
    from dlt.common.configuration.specs import RuntimeConfiguration

    if DLT in _ORIGINAL:  # dlt imports it itself, before it can be configured
        module.init(resolve_configuration(RuntimeConfiguration()))


def _worth_saying(record: logging.LogRecord) -> bool:
    """Drop what dlt says of every API that answers with a plain list."""
    return "Fallback `paginator` used" not in record.getMessage()


_AFTER_IMPORT = {DLT: _change_dlt, REQUESTS: _change_requests, REST_API: _change_rest_api}
_FINDER = _Finder()
