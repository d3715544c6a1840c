"""Refs, publishes and leases."""

from __future__ import annotations

from phlo.errors.base import PhloError


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


class TableNotYet(CatalogError):
    """A table that was made after the state that is read."""

    code = "table-not-yet"
    message = "There was no table `{name}` on main at publish {seq}; it is there since publish {since} at {at}"
    hint = "read it as of that time or later, or leave out --as-of"


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
    """The ref failed before all its checks passed."""

    code = "publish-blocked"
    message = "`{ref}` can not be published: {reason}"
    hint = "`phlo ref diff {ref}` shows what it changed; `phlo ref publish {ref} --force` publishes it as it is"


class RunGoesOn(CatalogError):
    """A ref whose run is not done yet."""

    code = "run-goes-on"
    message = "`{ref}` can not be published: its run goes on (host {host}, pid {pid}, since {since})"
    hint = "it publishes by itself when it is done"


class UnknownPublish(CatalogError):
    """A publish that the log does not have."""

    code = "unknown-publish"
    message = "There is no publish {seq}; the newest is {newest}"
    hint = "`phlo history` lists the publishes"


class HistoryExpired(CatalogError):
    """A state of main that maintenance no longer keeps."""

    code = "history-expired"
    message = "The state of publish {seq} is not kept any more: what can be read begins with publish {first}"
    hint = "choose a later time or publish; history_days in [tool.phlo] says how long `phlo maintain` keeps them"


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


class CommitUnclear(CatalogError):
    """The catalog's disk or its connection failed while it took a change: the change is made, or it is not, whole."""

    code = "commit-unclear"
    message = "The catalog `{uri}` failed while it took a change, which may be made or not: {detail}"
    hint = "`phlo history` and `phlo ref list` tell whether it is; `phlo doctor` looks at the catalog and its disk"


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
    hint = "`phlo catalog relocate` mends their paths; or move the project back, so that they are at `{stored}`"


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


class ReadOnlyLake(CatalogError):
    """A write to a lake that was opened from a bundle."""

    code = "read-only-lake"
    message = "This lake was opened from a bundle and can only be read: `{uri}`"
    hint = "write in the project that it was packed in, and pack it again with `phlo bundle`"


class ReadOnlyFolder(CatalogError):
    """A write to a lake whose folder this user can not write."""

    code = "read-only-folder"
    message = "The lake in `{folder}` can only be read: the folder can not be written"
    hint = "run it as the user who owns the folder; `phlo bundle` packs what is published into a file to take away"


class BundleBroken(CatalogError):
    """A file that is no bundle, or not a whole one."""

    code = "bundle-broken"
    message = "`{file}` can not be opened as a bundle: {detail}"
    hint = "copy it again, or pack it again with `phlo bundle`"
