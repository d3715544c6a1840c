"""Launches each run of the server in a process of its own, and notices how it ends.

Dagster's launcher needs a server for the code, which costs two processes more. Whether a run's process is alive is
read off its tags, for webserver and queue hold instances of their own, and a server may have been started anew.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass

from phlo.orchestration.tags import STOP_TAG, executed_by, is_alive, stop

if TYPE_CHECKING:
    from dagster import DagsterRun
    from dagster._serdes import ConfigurableClassData

WORKER = "phlo.orchestration.worker"

_watched: set[str] = set()


def watched() -> frozenset[str]:
    """The runs that launchers of this process started and that have not ended: they notice it themselves."""
    return frozenset(_watched)


class ProcessLauncher(RunLauncher, ConfigurableClass):
    """What dagster.yaml names as the launcher."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: object) -> ProcessLauncher:
        """Make it as dagster.yaml says."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process, in a group of its own: Ctrl-C is for the server, which then tells its runs."""
        run = context.dagster_run
        with self._log(run.run_id).open("wb") as log:
            command = [sys.executable, "-m", WORKER, run.run_id]
            worker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._instance.add_run_tags(run.run_id, executed_by(run.run_id, worker.pid))
        self._workers[run.run_id] = worker
        _watched.add(run.run_id)
        threading.Thread(target=self._reap, args=(run.run_id, worker), name=f"reap-{run.run_id}", daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Ask a run to stop; it keeps its ref and says so."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.add_run_tags(run_id, {STOP_TAG: run_id})
        self._instance.report_run_canceling(run)
        return stop(self._instance, run)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster may ask after a run's process."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Tell whether a run's process is there."""
        return CheckRunHealthResult(WorkerStatus.RUNNING if is_alive(run) else WorkerStatus.FAILED)

    def join(self, timeout: float = 30) -> None:
        """Wait for the runs that this launcher started."""
        for worker in list(self._workers.values()):
            worker.wait(timeout)

    def stop(self, seconds: float = 20) -> None:
        """End the runs that this launcher started: politely first, so that each keeps its ref and says why."""
        workers, ends = list(self._workers.values()), time.monotonic() + seconds
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(max(0.0, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _reap(self, run_id: str, worker: subprocess.Popen[bytes]) -> None:
        from phlo.orchestration.reconcile import settle

        code = worker.wait()
        if not self.has_instance:
            return
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            settle(self._instance, run, f"its process ended with {_said(code)}{self._last_words(run_id)}")
        self._workers.pop(run_id, None)
        _watched.discard(run_id)
        self._log(run_id).unlink(missing_ok=True)

    def _log(self, run_id: str) -> Path:
        """What a run's process says beside its events; kept while it runs."""
        folder = Path(self._instance.root_directory) / "workers"
        folder.mkdir(exist_ok=True)
        return folder / f"{run_id}.log"

    def _last_words(self, run_id: str) -> str:
        said = self._log(run_id).read_text(errors="replace").strip().splitlines()
        return f" ({said[-1]})" if said else ""


def _said(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
