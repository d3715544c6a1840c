"""The project's files are wrong."""

from __future__ import annotations

from phlo.errors.base import PhloError


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
    hint = "{fix}; the assets of the other files can still be used"


class ChecksUnavailable(ProjectError):
    """A workflow file that may declare checks does not import, and nothing is published unchecked."""

    code = "checks-unavailable"
    message = "`{files}` may declare checks and does not import, so nothing was run"
    hint = "mend the file; nothing is published without its checks"


class DuplicateAsset(ProjectError):
    """Two declarations name one table."""

    code = "duplicate-asset"
    message = "The table `{table}` is declared twice: in {first} and in {second}"
    hint = "give one of them another table_name"


class MissingExtra(ProjectError):
    """An optional dependency is not installed."""

    code = "missing-extra"
    message = "{feature} needs the package `{package}`, which is not installed"
    hint = "{install}"

    def __init__(self, **values: object) -> None:
        from phlo.origin import install_line, read_origin

        if "extra" in values:
            values["install"] = install_line(str(values["extra"]), read_origin())
        super().__init__(**values)


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


class InvalidAlerting(ProjectError):
    """The file of alert rules is wrong."""

    code = "invalid-alerting"
    message = "`{file}` is wrong: {where}: {detail}"
    hint = "mend it; `phlo alerts list` shows what it says"


class AlertsUnavailable(ProjectError):
    """The file that remembers alerts can not be read or written."""

    code = "alerts-unavailable"
    message = "`{file}`, which remembers alerts, can not be used: {detail}"
    hint = "make room on the disk; a file that is broken may be deleted: what holds is then told again"


class AlertNotSent(ProjectError):
    """A destination of alerts could not be told."""

    code = "alert-not-sent"
    retryable = True
    message = "`{destination}` was not told: {detail}"
    hint = "the alert is kept and told later; `phlo alerts test {destination}` tries the destination"
