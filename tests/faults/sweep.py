"""Sweeps a command: stops it at each of its steps, each time in a fresh copy of the project, and looks what is left.

``python tests/faults/sweep.py SCENARIO FAULT FOLDER every|ends|firsts|none`` prints what it found as JSON; ``ends``
are the first and the last step of each kind. All the processes are forked from this one, which imports what the first
of them have imported and does nothing else: they are as fresh as the user's, and begin seconds sooner.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scenarios import OLD, SCENARIOS, Scenario, age
from steps import Fault, Outcome, Step, forked, why_not
from witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = ("No space left on device", "database or disk is full")


def main(name: str, kind: str, folder: Path, how: str) -> dict[str, Any]:
    """Sweep; return the numbers, and every problem that was met."""
    sweep = Sweep(SCENARIOS[name], folder.resolve())
    sweep.measure()
    numbers = chosen(sweep.steps, how)
    problems, stopped = [], 0
    for number in numbers:
        fault = Fault(kind, number)  # type: ignore[arg-type]
        found = sweep.one(fault)
        stopped += found is not None
        problems += found or ()
    return {
        "steps": len(sweep.steps),
        "unseen": sweep.unseen,
        "tried": len(numbers),
        "stopped": stopped,
        "problems": problems,
    }


def unseen(steps: tuple[Step, ...], witnessed: list[tuple[str, str]] | None) -> list[str] | None:
    """Compare what was held with what strace saw; SQLite's shared memory is mapped, which is no step but its own."""
    if witnessed is None:
        return None
    ours = Counter((step.call, step.path) for step in steps)
    theirs = Counter(each for each in witnessed if (each[0], Path(each[1]).suffix) != ("mmap", ".db-shm"))
    return [f"{call} {like(path)}" for call, path in (*(theirs - ours), *(ours - theirs))]


def chosen(steps: tuple[Step, ...], how: str) -> list[int]:
    """The numbers of the steps to stop at; a kind is one call on one sort of file."""
    if how == "every":
        return list(range(1, len(steps) + 1))
    kinds: dict[tuple[str, str], list[int]] = {}
    for number, step in enumerate(steps, 1):
        kinds.setdefault((step.call, Path(step.path).suffix), []).append(number)
    places = {"ends": (0, -1), "firsts": (0,), "none": ()}[how]
    return sorted({same[place] for same in kinds.values() for place in places})


def like(path: str) -> str:
    """A path without the names that differ between runs."""
    for pattern in (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", r"\d{8}-\d{6}-[0-9a-f]{4}", r"[0-9a-f]{8,}", r"\d+"):
        path = re.sub(pattern, "*", path)
    return path


@dataclass
class Sweep:
    """One scenario in one folder: ``project`` is made anew for each fault, from ``pristine``."""

    scenario: Scenario
    folder: Path
    states: list[Any] = field(default_factory=list)
    """What main may read as: before the command, after each of its publishes."""
    steps: tuple[Step, ...] = ()
    files: Counter[str] = field(default_factory=Counter)
    """What is in the project's state when all is done and tidied up."""
    command: tuple[str, ...] = ()
    journals: int = 0
    """How many runs there were before."""
    unseen: list[str] | None = None
    """Steps that strace saw and the sweep does not, and the other way round; None without strace."""

    @property
    def project(self) -> Path:
        """The project's folder: always the same, as tables know where they are."""
        return self.folder / "shop"

    @property
    def pristine(self) -> Path:
        """What there is before the command."""
        return self.folder / "pristine"

    def measure(self) -> None:
        """Make what there is before the command; run it without a fault."""
        self.project.mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        self.scenario.begin(self.project)
        for act in self.scenario.before:
            if callable(act):
                act(self.project)
            else:
                self.phlo(*act)
        before = self.look()
        refs, self.journals = before["refs"], before["journals"]
        self.command = tuple(word.format(ref=refs[0]["name"] if refs else "") for word in self.scenario.command)
        shutil.copytree(self.project, self.pristine, symlinks=True)
        witness = Witness(self.folder / "strace.log")
        done = self.run(on_fork=witness.attach)
        assert done.code == 0, done.err
        self.unseen = unseen(done.steps, witness.steps(self.folder))
        after = self.look()
        self.states = [before["main"], *(self.as_of(seq) for seq in range(before["seq"] + 1, after["seq"] + 1))]
        assert self.states[-1] == after["main"]
        self.files = self.tidied()
        self.steps = done.steps

    def one(self, fault: Fault) -> list[str] | None:
        """Stop the command as told, then look; None where it came to its end first."""
        shutil.rmtree(self.project)
        shutil.copytree(self.pristine, self.project, symlinks=True)
        done = self.run(fault)
        if fault.kind != "full" and done.code == 0:
            return None
        step = done.steps[fault.at - 1] if len(done.steps) >= fault.at else None
        where = f"{step.call} {like(str(Path(step.path).relative_to(self.folder)))}" if step else "no step"
        return [f"{fault.kind} at {fault.at}, {where}: {problem}" for problem in self.judge(fault, done)]

    def judge(self, fault: Fault, done: Outcome) -> Any:
        """Tell what is wrong after a fault."""
        if fault.kind == "full":
            yield from badly_said(done)
        elif done.code != -9:
            yield f"ended with {done.code}: {done.err}"
        found = self.look()
        if "problem" in found:
            yield f"can not be looked at: {found['problem']}"
            return
        if found["main"] not in self.states:
            yield f"main is between: {json.dumps(found['main'])[:2000]}"
            return
        landed = found["main"] == self.states[-1]
        unclear = "error[commit-unclear]" in done.err  # then it may be either
        if unclear and "not published" in done.err:
            yield f"says what it does not know: {done.err}"
        moves = self.states[0] != self.states[-1]
        if fault.kind == "full" and moves and (done.code == 0) != landed and not unclear:
            yield f"said {done.code}, yet main is {'after' if landed else 'before'}: {done.err}"
        if self.scenario.names_the_dead and fault.kind != "full":
            yield from not_named(found, self.journals, landed)
        again = self.phlo(*(self.scenario.once if landed and self.scenario.once else self.command))
        if again.code:
            yield f"running it again ended with {again.code}: {again.err}"
        after = self.look()
        if after.get("main") != self.states[-1]:
            yield f"main is wrong after another run: {json.dumps(after)[:2000]}"
        if fault.at in chosen(self.steps, "ends") and (more := self.tidied() - self.files):
            yield f"left for ever: {dict(more)}"

    def run(self, fault: Fault | None = None, **more: Any) -> Outcome:
        """Run the command, perhaps with a fault."""
        return self.phlo(*self.command, fault=fault, settings=self.scenario.settings, whole=True, **more)

    def phlo(
        self, *words: str, fault: Fault | None = None, settings: Any = (), whole: bool = False, **more: Any
    ) -> Outcome:
        """Run a command of the user's; ``whole`` to the last step that Python does at its end."""

        def work() -> int:
            os.environ.update(settings)
            os.environ["TMPDIR"] = str(self.folder / "tmp")
            os.chdir(self.project)
            from phlo.cli.main import main

            try:
                main(list(words))
            except SystemExit as stop:
                if not whole:
                    leave(stop.code)
                raise

        return self.fork(work, fault, **more)

    def look(self) -> dict[str, Any]:
        """What a user sees of main, of refs and of runs."""
        return self.ask(lambda: seen(self.project))

    def as_of(self, seq: int) -> Any:
        """What main was as of a publish."""
        return self.ask(lambda: main_of(self.project, seq))

    def ask(self, question: Any) -> Any:
        """Answer a question in a process of its own."""

        def work() -> int:
            os.environ["TMPDIR"] = str(self.folder / "tmp")
            os.chdir(self.project)
            sys.stdout.write(json.dumps(question()))
            leave(0)

        done = self.fork(work)
        return json.loads(done.out) if done.code == 0 else {"problem": done.err[-2000:]}

    def fork(self, work: Callable[[], int], fault: Fault | None = None, **more: Any) -> Outcome:
        """Do work in a child; while the steps are not known, learn what it imports."""
        if self.steps:
            return forked(work, self.folder, fault, **more)
        learnt = self.folder.with_name(f"{self.folder.name}.modules")

        def told() -> int:
            atexit.register(lambda: learnt.write_text("\n".join(sys.modules)))
            return work()

        done = forked(told, self.folder, **more)
        for name in learnt.read_text().split("\n"):
            if name.partition(".")[0] not in {"workflows", "__main__"}:
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)
        return done

    def tidied(self) -> Counter[str]:
        """What is left when days have passed and maintenance was done."""
        for _ in range(2):  # the first one's own past goes with the second
            age(self.project)
            done = self.phlo("maintain", "--yes", settings=OLD)
            assert done.code == 0, done.err
        state = self.project / ".phlo" / "state"
        kept = [path.relative_to(self.folder) for path in (*state.rglob("*"), *(self.folder / "tmp").rglob("*"))]
        return Counter(like(str(path)) for path in kept)


def leave(code: Any) -> NoReturn:
    """End without taking the interpreter apart, which takes longer than the work."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def badly_said(done: Outcome) -> Any:
    """What is wrong with how a full disk was told."""
    if "Traceback" in done.err:
        yield f"a traceback: {done.err}"
    if done.code == 0:
        return
    said = done.err.partition("\nhint: ")[0]
    if done.code != 1 or "error[" not in said or "\nhint: " not in done.err:
        yield f"no error with a hint: {done.code} {done.err}"
    elif not any(words in said.partition("error[")[2] for words in FULL):
        yield f"does not say that the disk is full: {done.err}"


def not_named(found: dict[str, Any], journals: int, landed: bool) -> Any:
    """Whether refs and status tell of the run that died."""
    for ref in found["refs"]:
        if ref["name"].startswith("run-") and ref["state"] == "open":
            yield f"{ref['name']} is said to be open"
    if found["journals"] > journals and not landed and "died" not in found["last"]:
        yield f"status does not tell of the run that died: {found['last']}"


def seen(project: Path) -> dict[str, Any]:
    """What the commands tell."""
    history, status = command("history", "--json"), command("status", "--json")
    return {
        "main": main_of(project),
        "seq": len(history),
        "refs": command("ref", "list", "--json"),
        "last": sorted({asset["last_status"] for asset in status["assets"]}),
        "journals": sum(b"\n" in file.read_bytes() for file in (project / ".phlo" / "state" / "runs").glob("*.jsonl")),
    }


def main_of(project: Path, seq: int | None = None) -> dict[str, Any]:
    """All rows of all tables and views of main, but for what tells when and by which run."""
    from phlo.profiles import open_lake

    lake = open_lake(project)
    pin = lake.catalog.pin(seq=seq)
    found = {}
    for name in sorted({*pin.tables, *pin.views}):
        rows = lake.engine.query(f"SELECT * FROM {name}", pin).to_pylist()
        shown = [{key: value for key, value in row.items() if key not in TIMES} for row in rows]
        found[name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in shown)
    return found


TIMES = {"_phlo_load_id", "_phlo_loaded_at", "load_id", "loaded_at", "rejected_at"}


def command(*words: str) -> Any:
    """What a command prints as JSON."""
    from phlo.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as stop:
            assert stop.code == 0, err.getvalue()
    return json.loads(out.getvalue())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.stdout.write(why_not())
        sys.exit()
    began = time.monotonic()
    result = main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
    sys.stdout.write(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}))
