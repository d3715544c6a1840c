"""What no other error foresees: the command line says even these in one sentence."""

from __future__ import annotations

from phlo.errors.base import PhloError


class SystemFailed(PhloError):
    """The operating system refused a file, such as for want of room or of rights."""

    code = "system"
    message = "{detail}"
    hint = "`phlo doctor` looks at disk and permissions"


class InternalError(PhloError):
    """A defect of Phlo's, or of a library that it uses."""

    code = "internal"
    message = "{kind}: {detail}"
    hint = "run it again as `phlo --debug …` and report what it shows"
