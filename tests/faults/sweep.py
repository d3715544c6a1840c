"""Sweeps a command: stops it at each of its steps and looks what is left.

``python tests/faults/sweep.py SCENARIO kill|torn|full|short FOLDER every|ends|firsts|some|none`` prints what it
found as JSON; ``ends`` are the first and the last step of each kind, ``some`` a quarter of the firsts. What a SIGKILL
leaves at a step is what is on the disk while the process is held there, so that one run shows all of them; a full disk
takes a run for each. All the processes are forked from this one, which imports what the first of them have imported
and does nothing else: they are as fresh as the user's, and begin seconds sooner.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from looks import badly_said, leave, like, main_of, not_named, seen
from scenarios import OLD, SCENARIOS, Scenario, age
from steps import Fault, Held, Outcome, Step, forked, why_not
from witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PARTS = ("shop", "tmp")
"""What commands change, in the sweep's folder: the project, and where the system has its drafts."""

KILLED = Outcome(-signal.SIGKILL, "", "", ())


def main(name: str, kind: str, folder: Path, how: str) -> dict[str, Any]:
    """Sweep; return the numbers, and every problem that was met."""
    sweep = Sweep(SCENARIOS[name], folder.resolve())
    sweep.measure()
    numbers = chosen(sweep.steps, how)
    found = sweep.kills(numbers, torn=kind == "torn") if kind in {"kill", "torn"} else sweep.full(numbers, kind)
    tried = list(found)
    return {
        "steps": len(sweep.steps),
        "unseen": sweep.unseen,
        "tried": len(tried),
        "problems": [problem for problems in tried for problem in problems],
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
        kinds.setdefault((step.call, "".join(Path(like(step.path)).suffixes)), []).append(number)
    places = {"ends": (0, -1), "firsts": (0,), "some": (0,), "none": ()}[how]
    found = sorted({same[place] for same in kinds.values() for place in places})
    return found[::4] if how == "some" else found


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
    unpublished: int = 0
    """How many runs before did not come to their publish."""
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
        refs, self.unpublished = before["refs"], before["journals"] - before["seq"]
        self.command = tuple(word.format(ref=refs[0]["name"] if refs else "") for word in self.scenario.command)
        copy(self.folder, self.pristine)
        witness = Witness(self.folder / "strace.log")
        done = self.run(on_fork=witness.attach)
        assert done.code == 0, done.err
        self.unseen = unseen(done.steps, witness.steps(self.folder))
        after = self.look()
        self.states = [before["main"], *(self.as_of(seq) for seq in range(before["seq"] + 1, after["seq"] + 1))]
        assert self.states[-1] == after["main"]
        self.files = self.tidied()
        self.steps = done.steps

    def kills(self, numbers: Sequence[int], *, torn: bool) -> Iterator[list[str]]:
        """Look what a SIGKILL leaves before each of the steps; ``torn``: in the middle of those that write."""
        self.put(self.pristine)
        left: dict[int, Held] = {}

        def keep(held: Held) -> None:
            if held.number in numbers and not (torn and held.half is None):
                left[held.number] = held
                copy(self.folder, self.folder / "left" / str(held.number))

        self.run(on_step=keep)
        known = set[str]()
        for number, held in left.items():
            self.put(self.folder / "left" / str(number))
            shutil.rmtree(self.folder / "left" / str(number))
            if held.half and torn and Path(held.step.path).exists():
                with Path(held.step.path).open("r+b") as file:
                    file.seek(held.half[0])
                    file.write(held.half[1])
            if (content := digest(self.folder)) not in known:  # a sync, say, leaves what was there before it
                known.add(content)
                fault = Fault("kill", number)
                yield self.told("torn" if torn else "kill", number, held.step, self.judge(fault, KILLED))
            else:
                yield []

    def full(self, numbers: Sequence[int], kind: Any) -> Iterator[list[str]]:
        """Run the command with a disk that is full from each of the steps on, or at it."""
        for number in numbers:
            self.put(self.pristine)
            fault = Fault(kind, number)
            done = self.run(fault)
            step = done.steps[number - 1] if len(done.steps) >= number else None
            yield self.told(kind, number, step, self.judge(fault, done))

    def told(self, kind: str, number: int, step: Step | None, problems: Iterator[str]) -> list[str]:
        """Say where a problem was met."""
        where = f"{step.call} {like(str(Path(step.path).relative_to(self.folder)))}" if step else "no step"
        return [f"{kind} at {number}, {where}: {problem}" for problem in problems]

    def put(self, source: Path) -> None:
        """Let the project be as it was."""
        for part in PARTS:
            shutil.rmtree(self.folder / part)
        copy(source, self.folder)

    def judge(self, fault: Fault, done: Outcome) -> Iterator[str]:
        """Tell what is wrong after a fault."""
        killed = fault.kind == "kill"
        if not killed:
            yield from badly_said(done)
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
        if not killed and moves and (done.code == 0) != landed and not unclear:
            yield f"said {done.code}, yet main is {'after' if landed else 'before'}: {done.err}"
        if self.scenario.names_the_dead and killed:
            yield from not_named(found, self.unpublished)
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
        return self.fork(self.work(words, settings, whole=whole), fault, **more)

    def work(self, words: Sequence[str], settings: Any = (), *, whole: bool = False) -> Callable[[], int]:
        """What a process does that runs a command."""

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

        return work

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


def copy(source: Path, target: Path) -> None:
    """Copy all that commands change."""
    for part in PARTS:
        shutil.copytree(source / part, target / part, symlinks=True)


def digest(folder: Path) -> str:
    """Tell whether two states of the disk are one; SQLite makes its shared memory anew when nobody else has it."""
    found = hashlib.sha256()
    for path in sorted(path for part in PARTS for path in (folder / part).rglob("*")):
        content = path.read_bytes() if path.is_file() and path.suffix != ".db-shm" else b""
        found.update(f"{path} {path.is_dir()} {len(content)}\n".encode() + content)
    return found.hexdigest()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.stdout.write(why_not())
        sys.exit()
    began = time.monotonic()
    result = main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
    sys.stdout.write(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}))
