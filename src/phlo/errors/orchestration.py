"""The orchestrator: runs without a ref, and the server."""

from __future__ import annotations

from phlo.errors.base import PhloError


class OrchestrationError(PhloError):
    """The orchestrator: runs without a ref, and the server."""

    code = "orchestration"


class RunNotOpened(OrchestrationError):
    """A step ran without the executor that opens the run's ref."""

    code = "run-not-opened"
    message = "The Dagster run `{run}` has no ref: it was not started by the executor of this project's jobs"
    hint = "launch it in the UI or with `phlo materialize`; `materialize()` and `execute_in_process()` bypass it"


class StepsFailed(OrchestrationError):
    """Steps of a Dagster run failed, so it is not published."""

    code = "steps-failed"
    message = "`{steps}` failed: {reason}"
    hint = "`phlo ref diff {ref}` shows what was loaded before that"


class ParentRefGone(OrchestrationError):
    """The ref that a re-execution would go on with is not there any more."""

    code = "parent-ref-gone"
    message = "The failed run can not be resumed: its ref `{run}` is not there any more"
    hint = "re-execute all steps instead: that opens a ref of its own"


class ServerRunning(OrchestrationError):
    """The project has a server already."""

    code = "server-running"
    message = "`{project}` is served already, at {url} by process {pid}"
    hint = "open {url}, or end that process first (`kill {pid}`)"


class PortInUse(OrchestrationError):
    """Nothing can listen at the address."""

    code = "port-in-use"
    message = "Nothing can listen at {host}:{port}: {detail}"
    hint = "`phlo dev --port {other}` takes another port"
