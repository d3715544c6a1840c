"""The command line or a declaration is wrong."""

from __future__ import annotations

from phlo.errors.base import PhloError


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
    hint = "write it as 2024-01-20 or 2024-01-20T14:30:00Z, without a zone in UTC; --since takes 1h and 7d too"


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


class InvalidPeriod(UsageError):
    """A period that can't be read."""

    code = "invalid-period"
    message = "`{value}` is not a period"
    hint = "write it as 30m, 24h, 7d or 4w"


class UnknownRun(UsageError):
    """A run that has no journal."""

    code = "unknown-run"
    message = "There is no run `{name}`{nearest}"
    hint = "`phlo logs` names the runs; journals are kept for history_days"


class WrongArguments(UsageError):
    """A command, an option or an argument that the command line does not take."""

    code = "wrong-arguments"
    message = "{detail}"
    hint = "`{command} --help` shows what it takes"
