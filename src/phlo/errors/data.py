"""The data does not fit its schema, its table or its checks."""

from __future__ import annotations

from phlo.errors.base import PhloError


class DataError(PhloError):
    """The data does not fit its schema or its checks."""

    code = "data"


class SchemaError(DataError):
    """A validation schema that can't be read, or can't be applied to the rows."""

    code = "schema-error"
    message = "The schema `{schema}` can not be used: {detail}"
    hint = "{fix}"


class UnknownKey(DataError):
    """A unique key that is no column of rows which have no schema."""

    code = "unknown-key"
    message = "No row of `{table}` has a value in a column `{key}`, its unique key; they have {columns}{nearest}"
    hint = "name columns of the rows in unique_key: {source}"


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
    hint = (
        "give `{column}` the type `{stored}` again or load it under another name; `phlo undo` takes back a first load"
    )


class PartitioningChanged(DataError):
    """An ingestion that began, or ceased, to take ``partition_date``, in a table whose rows it replaces by day."""

    code = "partitioning-changed"
    message = "`{table}` was loaded {before} so far, and `{function}` now loads it {now}: its rows would be doubled"
    hint = "{fix}, or load it under another table_name"


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


class WriteFailed(DataError):
    """Rows that can't be written: no room in memory or on the disk, or a value that no column can take."""

    code = "write-failed"
    message = "Rows can not be written to `{table}`: {detail}"
    hint = "`phlo doctor` looks at the disk; memory_limit in [tool.phlo] is what a write may use before it spills"


class UnsupportedPartitioning(DataError):
    """A table partitioned by another tool in a way that Phlo does not write."""

    code = "unsupported-partitioning"
    message = "`{table}` is partitioned by `{transform}`, which Phlo can read but not write"
    hint = "partition it by a column, or by year, month or day of one"


class FormatNotWritable(DataError):
    """A table that another engine has upgraded to a version of Iceberg's format that Phlo does not write."""

    code = "format-not-writable"
    message = "`{table}` has version {version} of Iceberg's format, which Phlo can read but not write"
    hint = "write it with the engine that upgraded it, or load under another table_name"


class UnreadableFile(DataError):
    """A file that is damaged, or that Phlo can not read as the engine means it that wrote it."""

    code = "unreadable-file"
    message = "`{table}` has files that Phlo can not read: {detail}"
    hint = (
        "put a damaged file back from a copy; files of another engine it can rewrite "
        "(in Trino: ALTER TABLE {table} EXECUTE optimize)"
    )
