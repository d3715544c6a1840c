"""Follows a command's journals into the project's instance, and into the one that ``DAGSTER_HOME`` names."""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from phlo.orchestration.definitions import definitions_of
from phlo.orchestration.instance import elsewhere, open_instance
from phlo.orchestration.jobs import code_beside
from phlo.orchestration.journals import Reader
from phlo.profiles import open_lake
from phlo.transform.models import last_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from dagster import DagsterInstance, RepositoryDefinition

    from phlo.journal import RunRecord
    from phlo.orchestration.jobs import Code
    from phlo.orchestration.recording import Told
    from phlo.profiles import Lake

    Say = Callable[[str], None]

SHOW_SECONDS = 0.5
REST_SECONDS, PAUSE_SECONDS = 5.0, 0.05
"""How long it may take until the process of a command that was killed is gone, and how often to look."""


def follow(told: Told, is_over: Callable[[float], bool], say: Say) -> None:
    """Follow them to the command's end, for which ``is_over`` waits so many seconds."""
    lake = open_lake(told.project)
    vars(lake)["workflows"] = told.workflows  # in the place of what it would import
    with ExitStack() as stack:
        views = _views(lake, told, stack, say)
        _look(views)
        _ = lake.engine  # for previews in the end; the command works meanwhile
        gc.freeze()
        gc.enable()  # a command may go on for hours, and each look leaves some garbage
        while not is_over(SHOW_SECONDS):
            _look(views)
        ends = time.monotonic() + REST_SECONDS
        while _look(views) and time.monotonic() < ends:
            time.sleep(PAUSE_SECONDS)
        for view in views:
            if view.problem:
                say(view.problem)


@dataclass
class View:
    """An instance that shows the command's runs."""

    reader: Reader
    instance: DagsterInstance
    code: Callable[[], Code]
    say: Say
    problem: str = ""
    """What was wrong at the last look: it may be all right at the next."""

    def look(self) -> bool:
        """Read what is new, and say whether more may come; an instance that fails keeps no other from it."""
        try:
            self.reader.read(self.instance, self.code, self.say)
            self.problem = ""
        except Exception as error:  # noqa: BLE001  locked, full or gone: said in the end, and left to the next server
            self.problem = f"{type(error).__name__}: {error}"
        return bool(self.reader.open)


def _look(views: list[View]) -> bool:
    more = [view.look() for view in views]
    return any(more)


def _views(lake: Lake, told: Told, stack: ExitStack, say: Say) -> list[View]:
    """Open the instances, and settle what died in them with its recorder; one out of reach keeps no other from it."""

    def is_ours(record: RunRecord) -> bool:
        return bool(record.pid == told.pid and record.lines[0]["process"] == told.process)

    found, repository = [], Repository(lake)
    for opened in (open_instance, elsewhere):
        try:
            instance = opened(lake.project)
            if instance is not None:
                stack.enter_context(instance)
                reader = Reader(lake, takes=is_ours, since=told.since)
                code = partial(repository.code, None if opened is open_instance else instance)
                found.append(View(reader, instance, code, say))
                reader.settle(instance, code, say)
        except Exception as error:  # noqa: BLE001  its settings or its storage are wrong: said, and left to a server
            say(f"{type(error).__name__}: {error}")
    return found


@dataclass
class Repository:
    """The project's definitions, made again when dbt has read its project in the meantime."""

    lake: Lake
    made: RepositoryDefinition | None = None
    nodes: int = -1

    def code(self, instance: DagsterInstance | None) -> Code:
        """The code that an instance's runs are of."""
        models, tests = last_read(self.lake.project) or ([], [])
        if self.made is None or len(models) + len(tests) != self.nodes:
            self.made, self.nodes = (
                definitions_of(self.lake, models, tests).get_repository_def(),
                len(models) + len(tests),
            )
        return code_beside(self.made, self.lake.project, instance)
