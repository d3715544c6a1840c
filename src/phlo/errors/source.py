"""The source did not deliver."""

from __future__ import annotations

from phlo.errors.base import PhloError


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
    hint = "check the address and the network; run it again"


class SourceUnavailable(TransientSourceError):
    """The server answered 5xx, each time it was asked."""

    code = "source-unavailable"
    message = "The source of `{asset}` answered {status} {reason}: {url}{said}"
    hint = "it was asked several times; run it again later"


class SourceRateLimited(TransientSourceError):
    """The server answered 429, each time it was asked."""

    code = "source-rate-limited"
    message = "The source of `{asset}` asks for fewer requests (429): {url}{said}"
    hint = "wait, or load fewer days at once with --parallel 1"


class SourceInterrupted(TransientSourceError):
    """The source died while it delivered."""

    code = "source-interrupted"
    message = "The source of `{asset}` stopped half way, after {rows} rows: {detail}"
    hint = "nothing of it was published; run it again"


class SourceAuthFailed(SourceError):
    """The server answered 401 or 403."""

    code = "source-auth-failed"
    message = "The source of `{asset}` refused access ({status} {reason}): {url}{said}"
    hint = "check the token or secret that {function} sends; keep it in .env"


class SourceNotFound(SourceError):
    """The server answered 404."""

    code = "source-not-found"
    message = "The source of `{asset}` has nothing there (404): {url}{said}"
    hint = "check base_url and path in {function}"


class SourceRefused(SourceError):
    """The server answered another 4xx."""

    code = "source-refused"
    message = "The source of `{asset}` refused the request ({status} {reason}): {url}{said}"
    hint = "check the parameters in {function}"


class MalformedResponse(SourceError):
    """The answer is not the JSON it should be."""

    code = "malformed-response"
    message = "The answer of the source of `{asset}` is not JSON: {detail}"
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
