"""A dbt model failed."""

from __future__ import annotations

from phlo.errors.base import PhloError


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
    message = "{what} failed on `{ref}`: {failures}"
    hint = "{fix}"


class NothingSelected(TransformError):
    """A selection that no model and no source is part of."""

    code = "nothing-selected"
    message = "`{selection}` selects no model and no source"
    hint = (
        "selectors are dbt's, of models and their sources: name, +name, name+, tag:… or path:…; "
        "what no model reads is loaded by its name: `phlo materialize {ingestions}`"
    )


class ModelsSkipped(TransformError):
    """Models that dbt left out although nothing failed: main would get half of what it should."""

    code = "models-skipped"
    message = "dbt skipped {count} model(s), and nothing is said to have failed on `{ref}`: {names}"
    hint = "`dbt build` in the dbt project's folder says why; nothing was published"


class HooksFailed(TransformError):
    """Hooks of dbt_project.yml failed, so nothing was published."""

    code = "dbt-hooks-failed"
    message = "{count} hook(s) of dbt_project.yml failed on `{ref}`: {failures}"
    hint = "mend the hook or leave it out (on-run-start and on-run-end in dbt_project.yml); hooks can query, not write"


class LineageUnreadable(TransformError):
    """The file that keeps where columns come from can not be read."""

    code = "lineage-unreadable"
    message = "Where columns come from can not be read from `{file}`: {detail}"
    hint = "remove the file: the next run of the models writes it anew"


class DbtStopped(TransformError):
    """dbt came to no end of its own: a macro raised, or something that dbt itself counts as a failure."""

    code = "dbt-stopped"
    message = "`dbt {command}` stopped: {detail}"
    hint = "nothing was published; mend what it names and run again"


class DataTestsFailed(TransformError):
    """Data tests of models failed, so nothing was published."""

    code = "data-tests-failed"
    message = "{count} data test(s) failed on `{ref}`: {failures}"
    hint = '`phlo query --ref {ref} "SELECT …"` looks at the data; a test with `severity: warn` does not stop a run'


class PythonModelFailed(TransformError):
    """A model in Python raised, or returned what is no table."""

    code = "python-model-failed"
    message = "The model in Python failed: {detail}"
    hint = "return a pandas frame, an Arrow table or a relation such as dbt.ref(…)"


class ConstraintBroken(TransformError):
    """Rows of a model that break a constraint of its contract."""

    code = "constraint-broken"
    message = "{count} row(s) of `{table}` break the constraint {constraint}"
    hint = "mend the model's rows, or the constraint in its yml; nothing was written"


class UntypedColumn(TransformError):
    """A model's column that no table can hold."""

    code = "untyped-column"
    message = "The column `{column}` is {given}, which a table can not hold"
    hint = "give it a type, such as cast(null as varchar) as {column}"


class DuplicateKey(TransformError):
    """An incremental batch that has several rows for one key, so that its result would depend on their order."""

    code = "duplicate-key"
    message = "{count} key(s) found more than once in the rows to merge into `{table}`; the first is {example}"
    hint = "let the model return one row for each ({keys}), or use incremental_strategy='delete+insert'"


class NullKey(TransformError):
    """An incremental batch with rows that have no key, which every run would add again."""

    code = "null-key"
    message = "{count} row(s) to merge into `{table}` without {keys}"
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
    hint = (
        "`phlo materialize {table} --full-refresh` makes it again from all rows; "
        "on_schema_change='append_new_columns' or 'sync_all_columns' lets the table follow"
    )


class Interrupted(TransformError):
    """A model that was to begin after the user had pressed Ctrl-C."""

    code = "interrupted"
    message = "Stopped by Ctrl-C"
    hint = "nothing was published; run it again"


class UnsupportedStatement(TransformError):
    """A hook or macro that runs SQL which is neither a query nor a write that a ref can take."""

    code = "unsupported-statement"
    message = "`{statement}` can not run here{why}"
    hint = (
        "queries run, and on a run's ref create, drop, insert, delete, update, truncate, alter (columns) and comment; "
        "write a model for what else the statement makes"
    )
