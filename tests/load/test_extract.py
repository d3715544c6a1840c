from __future__ import annotations

import datetime as dt
import importlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pandas as pd
import pyarrow as pa
import pytest
from dlt.sources.rest_api import rest_api as plain_rest_api
from loading import DAY, ingestion
from recorded_nightscout import Answer, recorded, replay, serve

from phlo.declarations import Ingestion, SilentReporter, declared, relative
from phlo.errors import (
    AmbiguousResource,
    MalformedResponse,
    PhloError,
    SourceAuthFailed,
    SourceFunctionFailed,
    SourceInterrupted,
    SourceNotFound,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
    SourceUnreachable,
    TransientSourceError,
    UnusableRows,
)
from phlo.load.extract import PAGE, pages, spec_rest_api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def rows_of(what: Ingestion, day: dt.date | None = DAY, reporter: SilentReporter | None = None) -> list[Any]:
    found: list[Any] = []
    for page in pages(what, day, reporter or SilentReporter()):
        found += page if isinstance(page, list) else page.to_pylist()
    return found


# ── what a function may return ───────────────────────────────────────────────────────────────────────────


ROWS = [{"n": 1}, {"n": 2}]


def in_a_generator() -> Iterator[dict[str, int]]:
    yield from ROWS


@pytest.mark.parametrize(
    "given",
    [
        ROWS,
        tuple(ROWS),
        in_a_generator(),
        [ROWS],
        iter([[ROWS[0]], [ROWS[1]]]),
        pa.Table.from_pylist(ROWS),
        pa.Table.from_pylist(ROWS).to_batches()[0],
        pa.Table.from_pylist(ROWS).to_reader(),
        [pa.Table.from_pylist(ROWS)],
        [ROWS[0], pa.Table.from_pylist(ROWS[1:])],
        pd.DataFrame(ROWS),
        iter([pd.DataFrame(ROWS[:1]), pd.DataFrame(ROWS[1:])]),
        dlt.resource(ROWS, name="readings"),
        dlt.resource([pa.Table.from_pylist(ROWS)], name="readings"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_rows_come_as_they_are_from(given: Any) -> None:
    assert rows_of(ingestion(rows=given)) == ROWS


def test_nothing_is_an_empty_load() -> None:
    assert rows_of(ingestion(rows=None)) == []
    assert rows_of(ingestion(rows=[])) == []


def test_one_dict_is_one_row() -> None:
    assert rows_of(ingestion(rows={"n": 1}, function=lambda partition_date: {"n": 1})) == [{"n": 1}]


def test_a_function_without_partitions_is_called_without_a_date() -> None:
    def table() -> list[dict[str, int]]:
        return ROWS

    assert rows_of(ingestion(table, partitioned=False), None) == ROWS


def test_the_function_gets_the_day_as_text() -> None:
    def echo(partition_date: str) -> list[dict[str, str]]:
        return [{"day": partition_date}]

    assert rows_of(ingestion(echo)) == [{"day": "2024-01-20"}]


def test_rows_that_come_one_at_a_time_are_passed_on_in_pages() -> None:
    def many(partition_date: str) -> Iterator[dict[str, int]]:
        return ({"n": n} for n in range(2 * PAGE + 1))

    assert [len(page) for page in pages(ingestion(many), DAY, SilentReporter())] == [PAGE, PAGE, 1]


def test_a_page_of_large_rows_ends_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.load.extract.PAGE_SIZE", 1_000)

    def large(partition_date: str) -> Iterator[dict[str, Any]]:
        return ({"n": n, "text": "x" * size} for n, size in enumerate((400, 400, 400, 2_000, 1)))

    found = [[row["n"] for row in page] for page in pages(ingestion(large), DAY, SilentReporter())]
    assert found == [[0, 1, 2], [3], [4]]


def test_arrow_batches_pass_as_they_are() -> None:
    batch = pa.Table.from_pylist(ROWS).to_batches()[0]
    (page,) = pages(ingestion(rows=batch), DAY, SilentReporter())
    assert page is batch


def test_a_frame_of_mixed_values_comes_row_by_row() -> None:
    frame = pd.DataFrame({"n": [1, "two", None]}, dtype=object)
    assert rows_of(ingestion(rows=frame)) == [{"n": 1}, {"n": "two"}, {"n": None}]


def test_a_named_index_is_a_column_and_a_plain_one_is_not() -> None:
    frame = pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="key"))
    assert rows_of(ingestion(rows=frame)) == [{"key": "a", "n": 1}]
    assert rows_of(ingestion(rows=frame.reset_index(drop=True))) == [{"n": 1}]
    assert list(frame.columns) == ["n"]


def test_anything_that_hands_itself_over_as_arrow_is_arrow() -> None:
    import duckdb

    with duckdb.connect() as con:
        relation = con.sql("SELECT 1 AS n UNION ALL SELECT 2 ORDER BY n")
        assert rows_of(ingestion(rows=relation)) == ROWS


def test_a_model_with_fields_is_a_row() -> None:
    from pydantic import BaseModel

    class Reading(BaseModel):
        n: int

    assert rows_of(ingestion(rows=[Reading(n=1), Reading(n=2)])) == ROWS


@pytest.mark.parametrize(
    ("given", "named"), [("text", "str"), (5, "int"), ([1, 2], "int"), (["a"], "str"), (b"x", "bytes")]
)
def test_what_is_no_row_is_an_error_that_names_its_type(given: Any, named: str) -> None:
    with pytest.raises(UnusableRows, match=f"`readings` delivered `.*`, a `{named}`, where a row"):
        rows_of(ingestion(rows=given))


def test_what_is_no_row_is_shown() -> None:
    with pytest.raises(UnusableRows, match="delivered `'maintenance'`, a `str`, where a row"):
        rows_of(ingestion(rows=["maintenance"]))


def test_what_is_no_row_is_shown_without_half_a_secret() -> None:
    item = f"call https://ann:{'correct-horse-' * 6}@db.example.org/x"
    with pytest.raises(UnusableRows) as failure:
        rows_of(ingestion(rows=[item]))
    assert "correct" not in str(failure.value)
    assert "https://***@db.example.org" in str(failure.value)


def test_columns_of_one_name_are_an_error() -> None:
    table = pa.table([[1], [2]], names=["n", "n"])
    with pytest.raises(UnusableRows, match="several columns of one name: `n`"):
        rows_of(ingestion(rows=table))


def test_an_async_function_is_said_to_be_unusable() -> None:
    async def later(partition_date: str) -> list[dict[str, int]]:
        return ROWS

    with pytest.raises(UnusableRows, match="coroutine"):
        rows_of(ingestion(later))


# ── dlt ──────────────────────────────────────────────────────────────────────────────────────────────────


def source(*names: str) -> Any:
    @dlt.source(name="several")
    def several() -> Any:
        return [dlt.resource([{"from": name}], name=name) for name in names]

    return several()


def test_the_resource_named_like_the_table_is_taken() -> None:
    assert rows_of(ingestion(rows=source("others", "readings"))) == [{"from": "readings"}]


def test_the_only_resource_is_taken_whatever_its_name() -> None:
    assert rows_of(ingestion(rows=source("entries"))) == [{"from": "entries"}]
    assert rows_of(ingestion(rows=source("a", "b").with_resources("b"))) == [{"from": "b"}]


def test_several_resources_of_other_names_are_an_error_that_lists_them() -> None:
    with pytest.raises(AmbiguousResource) as failure:
        rows_of(ingestion(rows=source("reading", "doses")))
    assert str(failure.value) == (
        "The dlt source of `readings` has 2 resources, `reading`, `doses`; did you mean `reading`?"
    )


def test_a_source_without_resources_is_an_error() -> None:
    with pytest.raises(AmbiguousResource, match="has no resource"):
        rows_of(ingestion(rows=source()))


def test_hints_without_effect_are_named_in_a_warning() -> None:
    reporter = SilentReporter()
    resource = dlt.resource(ROWS, name="entries", primary_key="n", write_disposition="merge")
    assert rows_of(ingestion(rows=resource), reporter=reporter) == ROWS
    assert reporter.messages == [
        "`readings`: primary_key, write_disposition of the dlt resource `entries` has no effect; "
        "@phlo.ingestion says what is loaded and how it is written"
    ]


def test_incremental_state_is_not_kept_and_the_warning_says_so() -> None:
    @dlt.resource(name="entries")
    def entries(at: Any = dlt.sources.incremental("n", initial_value=1)) -> Any:  # noqa: B008  dlt's way
        yield [{"n": 1, "from": at.last_value}, {"n": 2, "from": at.last_value}]

    reporter = SilentReporter()
    for _ in range(2):
        assert [row["from"] for row in rows_of(ingestion(rows=entries()), reporter=reporter)] == [1, 1]
    assert "incremental" in reporter.messages[0]


def test_a_resource_without_hints_gives_no_warning() -> None:
    reporter = SilentReporter()
    rows_of(ingestion(rows=dlt.resource(ROWS, name="entries")), reporter=reporter)
    assert reporter.messages == []


def test_resources_can_be_read_in_several_threads() -> None:
    def many(partition_date: str) -> Any:
        return dlt.resource(({"day": partition_date, "n": n} for n in range(500)), name="readings")

    days = [DAY + dt.timedelta(days=n) for n in range(8)]
    found: dict[dt.date, list[Any]] = {}
    threads = [
        threading.Thread(target=lambda day=day: found.update({day: rows_of(ingestion(many), day)})) for day in days
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[day] == [{"day": str(day), "n": n} for n in range(500)] for day in days)


def test_telemetry_is_off_and_limits_are_ours_where_the_user_sets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from dlt.common.configuration.resolve import resolve_configuration
    from dlt.common.configuration.specs import RuntimeConfiguration

    rows_of(ingestion(rows=[]))
    ours = resolve_configuration(RuntimeConfiguration())
    assert (ours.dlthub_telemetry, ours.request_timeout, ours.request_max_attempts) == (False, 10.0, 4)
    monkeypatch.setenv("RUNTIME__REQUEST_TIMEOUT", "99")
    assert resolve_configuration(RuntimeConfiguration()).request_timeout == 99.0


@pytest.mark.parametrize(
    "statement",
    [
        "import dlt",
        "from dlt.sources.rest_api import rest_api",
        "from dlt.sources.helpers import requests",
        "from dlt.sources.helpers.rest_client import RESTClient",
    ],
)
def test_limits_are_ours_however_dlt_is_imported(statement: str) -> None:
    code = (
        "from phlo.load.extract import spec_rest_api\n"
        f"with spec_rest_api():\n    {statement}\n"
        "from dlt.sources.helpers import requests\n"
        "from dlt.sources.helpers.rest_client import RESTClient\n"
        "own = RESTClient('http://host').session\n"
        "shared = requests.client.session\n"
        "print(own.timeout, own.send.retry.stop.max_attempt_number)\n"
        "print(shared.timeout, shared.send.retry.stop.max_attempt_number)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "10.0 4"
    if statement != "import dlt":
        assert done.stdout.splitlines()[1] == "10.0 4"


# ── rest_api with one dict ───────────────────────────────────────────────────────────────────────────────


def config(url: str, path: str = "entries.json", **endpoint: Any) -> dict[str, Any]:
    return {"client": {"base_url": url}, "resources": [{"name": "entries", "endpoint": {"path": path, **endpoint}}]}


def test_rest_api_takes_the_one_dict_while_the_context_is_open_and_is_itself_after() -> None:
    from dlt.sources import rest_api as module

    with spec_rest_api():
        changed = module.rest_api
        assert list(changed(config("http://host")).resources) == ["entries"]
        with spec_rest_api():
            assert module.rest_api is changed
        assert module.rest_api is changed
    assert module.rest_api is plain_rest_api
    assert list(changed(config("http://host")).resources) == ["entries"]


def test_every_other_call_of_rest_api_is_untouched() -> None:
    from dlt.sources import rest_api as module

    apart = config("http://host")
    with spec_rest_api():
        assert isinstance(module.rest_api, type(plain_rest_api))
        assert list(module.rest_api(client=apart["client"], resources=apart["resources"]).resources) == ["entries"]
        assert list(module.rest_api(apart["client"], apart["resources"]).resources) == ["entries"]
        assert list(module.rest_api.clone(name="mine")(**apart).resources) == ["entries"]
        assert list(module.rest_api_source(apart).resources) == ["entries"]


def test_importing_workflows_that_do_not_use_dlt_does_not_import_it() -> None:
    code = (
        "import sys\n"
        "from phlo.load.extract import spec_rest_api\n"
        "with spec_rest_api():\n"
        "    import json\n"
        "print([name for name in ('dlt', 'pyarrow', 'pandas', 'pandera') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_change_waits_for_the_import() -> None:
    code = (
        "import sys\n"
        "from phlo.load.extract import spec_rest_api\n"
        "with spec_rest_api():\n"
        "    from dlt.sources.rest_api import rest_api\n"
        "print(list(rest_api({'client': {'base_url': 'http://host'}, 'resources': ['entries']}).resources))\n"
        "import dlt.sources.rest_api\n"
        "print(dlt.sources.rest_api.rest_api is rest_api, len(sys.meta_path))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "['entries']"
    assert done.stdout.splitlines()[1].startswith("False")


# ── a real server's answers ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def printed(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Ingestion]]:
    """The documentation's schema and workflow as printed, with another base URL."""
    text = (shared / "spec" / "building-with-phlo-package.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    schema = next(block for block in blocks if "class RawGlucoseEntries" in block)
    workflow = next(block for block in blocks if "source = rest_api({\n" in block)

    def load(url: str) -> Ingestion:
        for name, content in (
            ("workflows/schemas/nightscout.py", schema),
            ("workflows/ingestion/glucose_entries.py", workflow.replace("https://gwp-diabetes.fly.dev", url)),
        ):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            for package in (file.parent, file.parent.parent):  # or else another project's on the path goes before it
                (package / "__init__.py").touch()
        declared.clear()
        forget_workflows()
        importlib.invalidate_caches()
        with spec_rest_api():
            importlib.import_module("workflows.ingestion.glucose_entries")
        (record,) = declared
        assert isinstance(record, Ingestion)
        return record

    monkeypatch.syspath_prepend(str(tmp_path))
    yield load
    declared.clear()
    forget_workflows()


def forget_workflows() -> None:
    """Every project calls its package so, and another test's may be imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == "workflows"]:
        del sys.modules[name]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_printed_workflow_asks_once_and_gets_the_day(
    printed: Callable[[str], Ingestion], caplog: pytest.LogCaptureFixture
) -> None:
    with serve(replay(recorded())) as server, caplog.at_level(logging.WARNING):
        logging.getLogger("dlt").addHandler(caplog.handler)
        rows = rows_of(printed(server.url))
        logging.getLogger("dlt").removeHandler(caplog.handler)
    assert len(rows) == 281
    assert server.requests == [
        "/api/v1/entries.json?count=10000&find[dateString][$gte]=2024-01-20T00:00:00.000Z"
        "&find[dateString][$lt]=2024-01-20T23:59:59.999Z"
    ]
    assert set(rows[0]) > {"_id", "sgv", "date", "dateString", "direction", "device"}
    assert caplog.messages == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_day_without_data_is_no_rows(printed: Callable[[str], Ingestion]) -> None:
    with serve(replay(recorded())) as server:
        assert rows_of(printed(server.url), dt.date(2023, 6, 1)) == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_server_that_wants_a_secret_refuses_without_one(printed: Callable[[str], Ingestion]) -> None:
    denied = recorded("recorded_auth_denied.jsonl")[0]
    with serve(lambda _: Answer(denied["resp"], denied["status"])) as server:
        with pytest.raises(SourceAuthFailed) as failure:
            rows_of(printed(server.url))
        assert len(server.requests) == 1
    assert str(failure.value).startswith("The source of `glucose_entries` refused access (401 Unauthorized): http://")
    assert "glucose_entries.py" in failure.value.next_step


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the waiting."""
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_RETRY_DELAY", "0.05")
    monkeypatch.setenv("RUNTIME__REQUEST_TIMEOUT", "0.3")


def asking(url: str, **endpoint: Any) -> Ingestion:
    def entries(partition_date: str) -> Any:
        from dlt.sources.rest_api import rest_api

        return rest_api(config(url, **endpoint))

    return ingestion(entries)


@pytest.mark.parametrize(
    ("status", "error", "asked", "retryable"),
    [
        (400, SourceRefused, 1, False),
        (401, SourceAuthFailed, 1, False),
        (403, SourceAuthFailed, 1, False),
        (404, SourceNotFound, 1, False),
        (429, SourceRateLimited, 4, True),
        (500, SourceUnavailable, 4, True),
        (503, SourceUnavailable, 4, True),
    ],
)
def test_an_http_error_is_named_and_retried_when_that_may_help(
    quick: None, status: int, error: type[PhloError], asked: int, retryable: bool
) -> None:
    with serve(lambda _: Answer({"status": status, "message": "no"}, status)) as server:
        with pytest.raises(error) as failure:
            rows_of(asking(server.url))
        assert len(server.requests) == asked
    assert failure.value.retryable is retryable
    assert '"message": "no"' in str(failure.value), "what the server said, though dlt raises before it is read"
    assert str(status) in str(failure.value)
    assert f"{server.url}/entries.json" in str(failure.value)


def test_a_server_that_recovers_is_no_error(quick: None) -> None:
    answers = iter([Answer([], 503), Answer([], 429, {"retry-after": "0"}), Answer(ROWS)])
    with serve(lambda _: next(answers)) as server:
        assert rows_of(asking(server.url)) == ROWS


def test_retry_after_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    answers = iter([Answer([], 429, {"retry-after": "1"}), Answer(ROWS)])
    with serve(lambda _: next(answers)) as server:
        started = time.monotonic()
        assert rows_of(asking(server.url)) == ROWS
        assert time.monotonic() - started >= 1.0


def test_a_dead_source_is_given_up_in_well_under_a_minute() -> None:
    from phlo.load.extract import HTTP

    attempts, timeout, longest = (
        HTTP["request_max_attempts"],
        HTTP["request_timeout"],
        HTTP["request_max_retry_delay"],
    )
    backoff = sum(min(HTTP["request_backoff_factor"] * 2**n, longest) for n in range(attempts - 1))
    assert attempts * timeout + backoff < 50
    assert (attempts - 1) * longest < 50


def test_no_answer_in_time_is_an_unreachable_source(quick: None) -> None:
    with serve(lambda _: Answer(ROWS, delay=5)) as server:
        with pytest.raises(SourceUnreachable, match="no answer in time") as failure:
            rows_of(asking(server.url))
        assert len(server.requests) == 4
    assert failure.value.retryable


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://127.0.0.1:9", "Connection refused"), ("http://nowhere.invalid", "can not be reached")],
)
def test_no_connection_is_an_unreachable_source(quick: None, url: str, words: str) -> None:
    with pytest.raises(SourceUnreachable, match=words) as failure:
        rows_of(asking(url))
    assert url in str(failure.value)
    assert "object at 0x" not in str(failure.value)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>Please log in</html>", "it begins with `<html>Please log in</html>…`"),
        (b"", "it is empty"),
        (b'[{"n": 1}, {"n":', "it breaks off"),
        (b'[{"n": 1}, {"n": "a', "it breaks off"),
    ],
)
def test_an_answer_that_is_not_json_is_malformed(body: bytes, says: str) -> None:
    with serve(lambda _: Answer(body)) as server, pytest.raises(MalformedResponse) as failure:
        rows_of(asking(server.url))
    assert f"is not JSON: {says} ({server.url}" in str(failure.value)


def test_a_body_that_ends_too_early_is_an_interrupted_source(quick: None) -> None:
    with serve(lambda _: Answer(ROWS, cut=5)) as server, pytest.raises(SourceInterrupted):
        rows_of(asking(server.url))


def test_a_source_that_dies_between_pages_is_interrupted(quick: None) -> None:
    def answer(path: str) -> Answer:
        if "page=2" in path:
            return Answer(ROWS, cut=5)
        return Answer(ROWS, headers={"link": f'<{server.url}/entries.json?page=2>; rel="next"'})

    with serve(answer) as server, pytest.raises(SourceInterrupted, match="stopped half way") as failure:
        rows_of(asking(server.url))
    assert isinstance(failure.value, TransientSourceError)


def test_pages_are_followed_to_the_last(quick: None) -> None:
    def answer(path: str) -> Answer:
        number = int(path.rpartition("=")[2]) if "page=" in path else 1
        link = {"link": f'<{server.url}/entries.json?page={number + 1}>; rel="next"'} if number < 3 else {}
        return Answer([{"page": number}], headers=link)

    with serve(answer) as server:
        assert rows_of(asking(server.url)) == [{"page": 1}, {"page": 2}, {"page": 3}]


def test_an_exception_in_the_function_names_its_file_and_line() -> None:
    def broken(partition_date: str) -> Any:
        return {"a": 1}["b"]

    with pytest.raises(SourceFunctionFailed) as failure:
        rows_of(ingestion(broken))
    line = broken.__code__.co_firstlineno + 1
    assert str(failure.value) == f"`readings` failed in {relative(__file__, Path.cwd())}, line {line}: KeyError: 'b'"
    assert isinstance(failure.value.__cause__, KeyError)


def test_a_variable_that_the_environment_lacks_is_named_with_the_place_for_it() -> None:
    def asks(partition_date: str) -> Any:
        return [{"token": os.environ["SHOP_TOKEN_OF_NOBODY"]}]

    with pytest.raises(SourceFunctionFailed) as failure:
        rows_of(ingestion(asks))
    said = "the environment has no `SHOP_TOKEN_OF_NOBODY`; set it there, or in the project's .env"
    assert str(failure.value).endswith(f", line {asks.__code__.co_firstlineno + 1}: {said}")


def test_an_exception_half_way_through_a_generator_names_its_line() -> None:
    def broken(partition_date: str) -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise ValueError("no more")

    with pytest.raises(SourceFunctionFailed, match=r"ValueError: no more") as failure:
        rows_of(ingestion(broken))
    assert failure.value.values["line"] == broken.__code__.co_firstlineno + 2


def test_an_exception_in_a_dlt_resource_names_its_line() -> None:
    @dlt.resource(name="readings")
    def readings() -> Any:
        yield {"n": 1}
        raise ZeroDivisionError("oops")

    def entries(partition_date: str) -> Any:
        return readings

    with pytest.raises(SourceFunctionFailed, match="ZeroDivisionError: oops") as failure:
        rows_of(ingestion(entries))
    assert failure.value.values["file"] == relative(__file__, Path.cwd())


def test_other_clients_are_understood_too(quick: None) -> None:
    import urllib.request

    import requests

    def with_requests(partition_date: str) -> Any:
        answer = requests.get(f"{server.url}/x", timeout=5)
        answer.raise_for_status()
        return answer.json()

    def with_urllib(partition_date: str) -> Any:
        return urllib.request.urlopen(f"{server.url}/x", timeout=5).read()

    def with_dlt(partition_date: str) -> Any:
        return dlt.sources.helpers.requests.get(f"{server.url}/x").json()

    with serve(lambda _: Answer({}, 404)) as server:
        for function in (with_requests, with_urllib, with_dlt):
            with pytest.raises(SourceNotFound, match="/x"):
                rows_of(ingestion(function))
