"""Everything that can go wrong, as types.

PhloError                     exit 1
├── UsageError                exit 2: the command line or a declaration is wrong
├── ProjectError              the project's files are wrong
├── SourceError               the source did not deliver (``TransientSourceError`` may, tried again)
├── DataError                 the data does not fit its schema or its checks
├── CatalogError              refs, publishes, leases
├── QueryError                SQL that may not or can not run
└── TransformError            a dbt model failed

Each leaf declares its ``code``, a ``message`` and a ``hint`` as templates over its values; the values stay
readable as ``error.values``. The reference page of errors is generated from this module.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class PhloError(Exception):
    """An error with a stable code, one sentence that carries its values, and a hint that names the next step.

    >>> error = UnknownAsset(name="glucos", nearest=nearest("glucos", ["glucose_entries"]))
    >>> print(error)
    There is no asset named `glucos`; did you mean `glucose_entries`?
    >>> error.code, error.values["name"]
    ('unknown-asset', 'glucos')
    """

    code: ClassVar[str] = "error"
    message: ClassVar[str] = "{detail}"
    hint: ClassVar[str] = ""
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, **values: object) -> None:
        self.values = values
        self.next_step = self.hint.format_map(values)
        super().__init__(self.message.format_map(values))


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names come nearest to ``name``, as the tail of a sentence.

    >>> nearest("sgv2", ["sgv", "date"])
    '; did you mean `sgv`?'
    >>> nearest("x", [])
    '.'
    """
    candidates = sorted(set(known))
    folded = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), list(folded), n=3, cutoff=0.6)
    within = [folded[low] for low in folded if name and (name.lower() in low or low in name.lower())]
    found = list(dict.fromkeys([*(folded[match] for match in close), *within]))[:3]
    if not found:
        return "."
    return "; did you mean " + " or ".join(f"`{match}`" for match in found) + "?"


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────


class UsageError(PhloError):
    """The command line or a declaration is wrong."""

    code = "usage"
    exit_code = 2


class UnknownAsset(UsageError):
    """A name that no ingestion and no model has."""

    code = "unknown-asset"
    message = "There is no asset named `{name}`{nearest}"
    hint = "`phlo materialize --dry-run` lists the project's assets"


class InvalidDate(UsageError):
    """A partition or a bound that is not a calendar day."""

    code = "invalid-date"
    message = "`{value}` is not a date"
    hint = "write a UTC day as YYYY-MM-DD, such as 2024-01-20"


class InvalidRange(UsageError):
    """A range of days that ends before it begins."""

    code = "invalid-range"
    message = "The range ends on {end}, before it begins on {start}"
    hint = "swap --start-date and --end-date"


class InvalidTime(UsageError):
    """A time that is not ISO 8601."""

    code = "invalid-time"
    message = "`{value}` is not a time"
    hint = "write it as 2024-01-20 or 2024-01-20T14:30:00Z; without a zone it is UTC"


class InvalidDeclaration(UsageError):
    """An argument of a decorator or a check is wrong."""

    code = "invalid-declaration"
    message = "{where}: {detail}"
    hint = "{fix}"


class InvalidProjectName(UsageError):
    """A name that a project can't have."""

    code = "invalid-project-name"
    message = "`{name}` can not be a project's name: {detail}"
    hint = "`phlo init my-platform` makes one in ./my-platform"


class UnknownTemplate(UsageError):
    """A template that `phlo init` does not have."""

    code = "unknown-template"
    message = "There is no template `{name}`{nearest}"
    hint = "the templates are {known}"


class InvalidAnswer(UsageError):
    """An answer to `phlo create-workflow` that can't be."""

    code = "invalid-answer"
    message = "{question}: `{value}` will not do"
    hint = "{fix}"


class UnknownDomain(UsageError):
    """A domain that no test is named for."""

    code = "unknown-domain"
    message = "There are no tests of a domain `{name}`{nearest}"
    hint = "`phlo test` runs all tests; a domain's are tests/test_DOMAIN_*.py"


# ── project ──────────────────────────────────────────────────────────────────────────────────────────────


class ProjectError(PhloError):
    """The project's files are wrong."""

    code = "project"


class NoProject(ProjectError):
    """Neither the folder nor its parents hold a Phlo project."""

    code = "no-project"
    message = "There is no Phlo project in `{folder}` or above it (a pyproject.toml with [tool.phlo] or needing phlo)"
    hint = "`phlo init NAME` makes one; `phlo --project FOLDER …` uses one elsewhere"


class UnknownProject(ProjectError):
    """Neither a folder nor an installed project has that name."""

    code = "unknown-project"
    message = "`{name}` is neither a folder nor an installed project{nearest}"
    hint = "install the project's wheel, or name its folder"


class InvalidSetting(ProjectError):
    """A setting in pyproject.toml, the environment or .env is wrong."""

    code = "invalid-setting"
    message = "The setting `{name}` is wrong: {detail}"
    hint = "see [tool.phlo] in {file}, and PHLO_* in the environment and in .env"


class WorkflowImportFailed(ProjectError):
    """A workflow file does not import, so its assets are missing."""

    code = "workflow-import-failed"
    message = "`{file}` does not import (line {line}): {detail}"
    hint = "mend the file; the assets of the other files can still be used"


class DuplicateAsset(ProjectError):
    """Two declarations name one table."""

    code = "duplicate-asset"
    message = "The table `{table}` is declared twice: in {first} and in {second}"
    hint = "give one of them another table_name"


class MissingExtra(ProjectError):
    """An optional dependency is not installed."""

    code = "missing-extra"
    message = "{feature} needs the package `{package}`, which is not installed"
    hint = "pip install 'phlo[{extra}]'"


class ProjectExists(ProjectError):
    """A new project's place is taken."""

    code = "project-exists"
    message = "`{path}` is already a {kind}; nothing was touched"
    hint = "choose another name, or move it away"


class WorkflowExists(ProjectError):
    """A workflow that is to be created is there already."""

    code = "workflow-exists"
    message = "`{table}` has a workflow already, in {file}; nothing was written"
    hint = "edit that file, or create the workflow under another table name"


class SchemaFileBroken(ProjectError):
    """A schema file that is to be extended is not Python."""

    code = "schema-file-broken"
    message = "`{file}` can not be extended (line {line}): {detail}; nothing was written"
    hint = "mend the file and run the command again"


# ── source ───────────────────────────────────────────────────────────────────────────────────────────────


class SourceError(PhloError):
    """The source did not deliver."""

    code = "source"


class TransientSourceError(SourceError):
    """The source may deliver when it is asked again."""

    code = "transient-source"
    retryable = True


class SourceUnreachable(TransientSourceError):
    """No connection, or no answer in time."""

    code = "source-unreachable"
    message = "The source of `{asset}` can not be reached: {detail}"
    hint = "check the address and the network; `phlo materialize {asset}` tries again"


class SourceUnavailable(TransientSourceError):
    """The server answered 5xx, each time it was asked."""

    code = "source-unavailable"
    message = "The source of `{asset}` answered {status} {reason}: {url}"
    hint = "it was asked several times; `phlo materialize {asset}` tries again later"


class SourceRateLimited(TransientSourceError):
    """The server answered 429, each time it was asked."""

    code = "source-rate-limited"
    message = "The source of `{asset}` asks for fewer requests (429): {url}"
    hint = "wait, or load fewer days at once with --parallel 1"


class SourceInterrupted(TransientSourceError):
    """The source died while it delivered."""

    code = "source-interrupted"
    message = "The source of `{asset}` stopped half way, after {rows} rows: {detail}"
    hint = "nothing of it was kept; `phlo materialize {asset}` begins again"


class SourceAuthFailed(SourceError):
    """The server answered 401 or 403."""

    code = "source-auth-failed"
    message = "The source of `{asset}` refused access ({status} {reason}): {url}"
    hint = "check the token or secret that {function} sends; keep it in .env"


class SourceNotFound(SourceError):
    """The server answered 404."""

    code = "source-not-found"
    message = "The source of `{asset}` has nothing there (404): {url}"
    hint = "check base_url and path in {function}"


class SourceRefused(SourceError):
    """The server answered another 4xx."""

    code = "source-refused"
    message = "The source of `{asset}` refused the request ({status} {reason}): {url}"
    hint = "check the parameters in {function}"


class MalformedResponse(SourceError):
    """The answer is not the JSON it should be."""

    code = "malformed-response"
    message = "The source of `{asset}` did not answer with JSON: {detail}"
    hint = "look at the address in a browser: is it the API's, or a login page's?"


class SourceFunctionFailed(SourceError):
    """The ingestion's own function raised an exception."""

    code = "source-function-failed"
    message = "`{asset}` failed in {file}, line {line}: {detail}"
    hint = "mend the function; --debug shows the whole traceback"


class UnusableRows(SourceError):
    """What the function returned can't be read as rows."""

    code = "unusable-rows"
    message = "`{asset}` delivered {detail}"
    hint = "let {function} return dicts, a dlt source, an Arrow table or a DataFrame"


class AmbiguousResource(SourceError):
    """A dlt source has several resources, and none is named like the table."""

    code = "ambiguous-resource"
    message = "The dlt source of `{asset}` has {detail}"
    hint = "name the resource `{asset}`, or return one resource: source.resources[…]"


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────


class DataError(PhloError):
    """The data does not fit its schema or its checks."""

    code = "data"


class SchemaError(DataError):
    """A validation schema that can't be read, or can't be applied to the rows."""

    code = "schema-error"
    message = "The schema `{schema}` can not be used: {detail}"
    hint = "{fix}"


class TooManyRejected(DataError):
    """So many rows of a load were rejected that it can't be right."""

    code = "too-many-rejected"
    message = "{rejected} of {read} rows of `{table}` were rejected ({loads}): {reasons}"
    hint = "`phlo rejected show {table} --ref {ref}` shows them; max_rejected and on_invalid set the limit"


class StagingFailed(DataError):
    """Extracted rows can't be written to the staging folder."""

    code = "staging-failed"
    message = "Rows of `{asset}` can not be staged in `{folder}`: {detail}"
    hint = "make room on the disk; nothing was published"


class ChecksFailed(DataError):
    """A blocking check did not pass, so nothing was published."""

    code = "checks-failed"
    message = "{count} blocking check(s) failed: {checks}; nothing was published, and the data is kept on `{ref}`"
    hint = '`phlo query --ref {ref} "SELECT …"` looks at it; `phlo ref publish {ref} --force` publishes it anyway'


class SchemaMismatch(DataError):
    """Rows whose column has a type that the table's column can not take."""

    code = "schema-mismatch"
    message = "The column `{column}` of `{table}` is `{stored}`, but the new rows hold `{given}`"
    hint = "give `{column}` the type `{stored}` again, or load it under another name"


class UnsupportedType(DataError):
    """A column of a type that no table can hold."""

    code = "unsupported-type"
    message = "The column `{column}` has the type `{given}`, which a table can not hold"
    hint = "cast it to a number, a text, a date or a timestamp, or to lists and structs of these"


class AmbiguousColumn(DataError):
    """Two columns whose names differ in case only, or not at all."""

    code = "ambiguous-column"
    message = "The columns `{one}` and `{other}` have the same name in SQL"
    hint = "rename one of them"


class UnsupportedPartitioning(DataError):
    """A table partitioned by another tool in a way that Phlo does not write."""

    code = "unsupported-partitioning"
    message = "`{table}` is partitioned by `{transform}`, which Phlo can read but not write"
    hint = "partition it by a column, or by year, month or day of one"


# ── catalog ──────────────────────────────────────────────────────────────────────────────────────────────


class CatalogError(PhloError):
    """Refs, publishes and leases."""

    code = "catalog"


class UnknownRef(CatalogError):
    """A ref that the catalog does not have."""

    code = "unknown-ref"
    message = "There is no ref `{name}`{nearest}"
    hint = "`phlo ref list` shows the refs"


class UnknownTable(CatalogError):
    """A table that the ref does not have."""

    code = "unknown-table"
    message = "There is no table `{name}` on `{ref}`{nearest}"
    hint = "`phlo catalog tables` lists the tables"


class UnknownNamespace(CatalogError):
    """A schema (namespace) that holds no table on the ref."""

    code = "unknown-namespace"
    message = "There is no table in the schema `{name}` on `{ref}`{nearest}"
    hint = "`phlo catalog tables` lists the tables of all schemas"


class PublishConflict(CatalogError):
    """A table that the run read or wrote moved on main since the run began."""

    code = "publish-conflict"
    retryable = True
    message = "`{ref}` can not be published: {tables} changed on main since it began"
    hint = "run it again; Phlo replays a run by itself up to three times before it says this"


class BeforeFirstPublish(CatalogError):
    """An as-of time at which nothing had been published."""

    code = "before-first-publish"
    message = "Nothing had been published at {as_of}; the first publish was at {first}"
    hint = "`phlo history` lists the publishes"


class TableLeased(CatalogError):
    """Another run is writing the same table."""

    code = "table-leased"
    retryable = True
    message = "`{table}` is being written by {run_id} (host {host}, pid {pid}, since {since})"
    hint = "leave out --no-wait to wait for it"


class InvalidTableName(CatalogError):
    """A name that no table may have."""

    code = "invalid-table-name"
    message = "`{name}` can not name a table: {detail}"
    hint = "write `namespace.name` with letters, digits and underscores"


class InvalidRefName(CatalogError):
    """A name that no new ref may have."""

    code = "invalid-ref-name"
    message = "`{name}` can not name a ref: {detail}"
    hint = "refs of runs are named run-<id>; yours may be named like dev-ann"


class RefExists(CatalogError):
    """A ref of this name is there already."""

    code = "ref-exists"
    message = "There is already a ref `{name}`"
    hint = "`phlo ref drop {name}` forgets it"


class NameTaken(CatalogError):
    """A table or view of this name is there already."""

    code = "name-taken"
    message = "`{name}` can not be made on `{ref}`: there is already a {kind} `{taken}`"
    hint = "drop it on the ref first, or choose another name; names may not differ in upper and lower case only"


class ReadOnlyTable(CatalogError):
    """A write to main or to a pinned table."""

    code = "read-only-table"
    message = "`{name}` on `{ref}` can not be written: main moves only by a publish"
    hint = "write it on a ref and publish that: `phlo materialize` does both"


class NoHistory(CatalogError):
    """An as-of time on a ref that is not main."""

    code = "no-history"
    message = "`{ref}` can not be read as of a time: only main has a history"
    hint = "leave out --as-of, or --ref"


class PublishBlocked(CatalogError):
    """A blocking check failed on the ref."""

    code = "publish-blocked"
    message = "`{ref}` can not be published: {reason}"
    hint = "`phlo query --ref {ref}` looks at it; `phlo ref publish {ref} --force` publishes it as it is"


class UnknownPublish(CatalogError):
    """A publish that the log does not have."""

    code = "unknown-publish"
    message = "There is no publish {seq}; the newest is {newest}"
    hint = "`phlo history` lists the publishes"


class NothingPublished(CatalogError):
    """An undo before the first publish."""

    code = "nothing-published"
    message = "There is nothing to undo: nothing has been published yet"
    hint = "`phlo run` loads, checks and publishes"


class LeaseLost(CatalogError):
    """Another run took the lease over while this one seemed dead."""

    code = "lease-lost"
    retryable = True
    message = "`{ref}` can not be published: {run_id} no longer holds the lease on {tables}"
    hint = "run it again; nothing was published"


class CatalogUnavailable(CatalogError):
    """The catalog's database does not answer, is locked, or its disk is full."""

    code = "catalog-unavailable"
    retryable = True
    message = "The catalog `{uri}` does not work: {detail}"
    hint = "`phlo doctor` looks at the catalog, its disk and its locks"


class CatalogCorrupt(CatalogError):
    """The catalog's file is not a database, or is damaged."""

    code = "catalog-corrupt"
    message = "The catalog `{uri}` can not be read: {detail}"
    hint = "put back a copy of this file; the tables' data files are not touched by this"


class CatalogTooNew(CatalogError):
    """A newer Phlo wrote the catalog."""

    code = "catalog-too-new"
    message = "The catalog `{uri}` has format {found}; this Phlo reads up to {known}"
    hint = "upgrade Phlo in this environment to the version that last ran here"


class CatalogUnsupported(CatalogError):
    """A catalog URI of a database that Phlo does not speak."""

    code = "catalog-unsupported"
    message = "A catalog can not be kept in `{uri}`"
    hint = "use sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"


class ProjectMoved(CatalogError):
    """The project's folder moved, and Iceberg's paths are absolute."""

    code = "project-moved"
    message = "The tables were written below `{stored}`, but the project now keeps them in `{found}`"
    hint = "`phlo catalog relocate` mends their paths; or move the folder back to `{stored}`"


class NotRelocatable(CatalogError):
    """A lake whose paths can not be rewritten now."""

    code = "not-relocatable"
    message = "The tables can not follow the folder: {detail}"
    hint = "move the folder back; end the runs that write to it, or compact the tables, and then move it again"


class MissingTableFiles(CatalogError):
    """A file that the catalog points to is gone."""

    code = "missing-table-files"
    message = "The file `{file}` of table `{name}` is missing"
    hint = "put the warehouse folder back from a copy, or `phlo undo` to a state whose files are there"


# ── query ────────────────────────────────────────────────────────────────────────────────────────────────


class QueryError(PhloError):
    """SQL that may not or can not run."""

    code = "query"


class QuerySyntax(QueryError):
    """SQL that does not parse."""

    code = "query-syntax"
    message = "Line {line}, column {column}: {detail}, in `{text}`"
    hint = "the project's SQL is Trino's, unless [tool.phlo] sets dialect"


class UnsupportedFunction(QueryError):
    """A function, type or clause of the dialect that the embedded engine has no equal of."""

    code = "unsupported-function"
    message = "`{name}` (line {line}) is not available on the embedded engine{nearest}"
    hint = "{fix}"


class QueryNotAllowed(QueryError):
    """A query that does more than read the catalog's tables."""

    code = "query-not-allowed"
    message = "`{what}` is not allowed in a query: {why}"
    hint = "queries read the catalog's tables, as `phlo catalog tables` lists them; models and workflows write"


class UnknownColumn(QueryError):
    """A column that the table does not have."""

    code = "unknown-column"
    message = "There is no column `{name}` in `{table}`{nearest}"
    hint = "`phlo catalog describe {table}` lists its columns"


class QueryFailed(QueryError):
    """A query that the engine could not run."""

    code = "query-failed"
    message = "The query failed: {detail}"
    hint = "{where}"


# ── transform ────────────────────────────────────────────────────────────────────────────────────────────


class TransformError(PhloError):
    """A dbt model failed."""

    code = "transform"


class DbtProjectBroken(TransformError):
    """dbt can not read the project's models."""

    code = "dbt-project-broken"
    message = "The dbt project in {folder} can not be read: {detail}"
    hint = "mend it; `dbt parse` in that folder says the same in dbt's own words"


class ModelsFailed(TransformError):
    """Models failed, so nothing was published."""

    code = "models-failed"
    message = "{count} of {total} model(s) failed on `{ref}`: {failures}"
    hint = "mend the model and run again; its compiled SQL is in {compiled}"


class DataTestsFailed(TransformError):
    """Data tests of models failed, so nothing was published."""

    code = "data-tests-failed"
    message = "{count} data test(s) failed on `{ref}`: {failures}"
    hint = '`phlo query --ref {ref} "SELECT …"` looks at the data; a test with `severity: warn` does not stop a run'


class UntypedColumn(TransformError):
    """A model's column that no table can hold."""

    code = "untyped-column"
    message = "The column `{column}` is {given}, which a table can not hold"
    hint = "give it a type, such as cast(null as varchar) as {column}"


class DuplicateKey(TransformError):
    """An incremental batch that has several rows for one key, so that its result would depend on their order."""

    code = "duplicate-key"
    message = "{count} key(s) occur more than once in the rows to merge into `{table}`; the first is {example}"
    hint = "let the model return one row for each ({keys}), or use incremental_strategy='delete+insert'"


class NullKey(TransformError):
    """An incremental batch with rows that have no key, which every run would add again."""

    code = "null-key"
    message = "{count} row(s) to merge into `{table}` have no {keys}"
    hint = "leave them out in the model (where {keys} is not null), or give them a key"


class InvalidModelConfig(TransformError):
    """A model's config() that the adapter can not follow."""

    code = "invalid-model-config"
    message = "`{option}`: {detail}"
    hint = "{fix}"


class ModelColumnsChanged(TransformError):
    """An incremental model whose columns no longer fit its table."""

    code = "model-columns-changed"
    message = "The columns of `{table}` changed: {changes}"
    hint = "run it with --full-refresh, or set on_schema_change='append_new_columns' or 'sync_all_columns'"


class UnsupportedStatement(TransformError):
    """A hook or macro that runs SQL which is not a query."""

    code = "unsupported-statement"
    message = "`{statement}` can not run here: dbt's adapter for Phlo runs queries, and materializations write"
    hint = "write a model for what the statement makes, or leave the hook out"
