"""The process of a run, as its tags name it: whether it is there, and asking it to end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from phlo.orchestration.tags import executed_by, stop

if TYPE_CHECKING:
    import pytest
    from floor import Floor


def test_a_process_is_asked_to_end_and_one_that_is_gone_or_another_users_is_not(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = floor.create("events")
    assert not stop(floor.instance, run)  # it has none
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        run = run.with_tags(executed_by(run.run_id, sleeper.pid))

        def refused(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", refused)
            assert not stop(floor.instance, run)
        assert floor.engine_events(run) == [f"Process {sleeper.pid} is another user's, and was not stopped."]
        assert stop(floor.instance, run)
        assert sleeper.wait(60) != 0
    finally:
        sleeper.kill()
    assert not stop(floor.instance, run)
