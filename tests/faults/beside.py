"""Lets a second command begin, or the clock jump, at each step of a first, and looks what is left.

``python tests/faults/beside.py PAIR goes-on|killed FOLDER every|ends|firsts|some`` prints what it found as JSON. The
first is held at its step until the second is over, or waits for it; then it goes on, or is killed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from looks import leave, like
from scenarios import PAIRS, Pair, set_clock
from steps import Fault, Held, Outcome, Step
from sweep import Sweep, chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUIET = 6
"""Tenths of a second in which a process that waits does nothing to speak of."""

PATIENCE = 60.0
"""Seconds after which the first goes on whatever the second does."""


def main(name: str, ends: str, folder: Path, how: str) -> dict[str, Any]:
    """Sweep; return the numbers, and every problem that was met."""
    set_clock(0)
    beside = Beside(PAIRS[name], folder.resolve())
    beside.measure()
    numbers = chosen(beside.sweep.steps, how)
    problems = [problem for number in numbers for problem in beside.one(number, kill=ends == "killed")]
    return {"steps": len(beside.sweep.steps), "tried": len(numbers), "over": beside.over, "problems": problems}


class Beside:
    """One pair of commands in one folder."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self.pair, self.sweep = pair, Sweep(pair.first, folder)
        self.states: dict[str, Any] = {}
        """What main reads as after the second alone, after both in either order, and when the first is run again."""
        self.over = 0
        """How often the second was over before the first went on."""

    def measure(self) -> None:
        """Run the two with nothing in their way, in each order: models of the first may read what the second loads."""
        self.sweep.measure()
        for order in (["alone", "turned"], ["", "both", "again"]):
            self.sweep.put(self.sweep.pristine)
            for place, which in enumerate(order):
                first = (order[0] == "") == (place % 2 == 0)
                if first:
                    assert self.sweep.run().code == 0
                elif self.pair.second:
                    done = self._second().ended()
                    assert done.code == 0, done.err
                self.states[which] = self.sweep.look()["main"]

    def one(self, number: int, *, kill: bool) -> Iterator[str]:
        """Let the other things happen at a step of the first; say what is wrong afterwards."""
        set_clock(0)
        self.sweep.put(self.sweep.pristine)
        met: list[Step] = []
        second: list[Started] = []

        def happen(held: Held) -> None:
            if held.number != number:
                return
            met.append(held.step)
            if self.pair.change is not None:
                self.pair.change(self.sweep.project)
            if self.pair.second:
                second.append(self._second())
                self.over += second[0].settled()

        first = self.sweep.run(Fault("kill", number) if kill else None, on_step=happen)
        for step in met:  # threads may take a step less
            where = f"at {number}, {step.call} {like(str(Path(step.path).relative_to(self.sweep.folder)))}"
            done = [each.ended() for each in second]
            yield from (f"{where}: {problem}" for problem in self._judged(first, done, kill=kill))

    def _judged(self, first: Outcome, second: list[Outcome], *, kill: bool) -> Iterator[str]:
        if first.code not in ({0, -9} if kill else {0}):
            yield f"the first ended with {first.code}: {first.err}"
        for each in second:
            if each.code:
                yield f"the second ended with {each.code}: {each.err}"
        found = self.sweep.look()
        if "problem" in found:
            yield f"can not be looked at: {found['problem']}"
            return
        right = [self.states["both"], self.states["turned"]]
        if first.code:
            right += [self.states["alone"], *(self._with_second(state) for state in self.sweep.states[1:-1])]
        if found["main"] not in right:
            yield f"main is wrong: {json.dumps(found['main'])[:2000]}"
        again = self.sweep.phlo(*self.pair.first.command)
        if again.code:
            yield f"running the first again ended with {again.code}: {again.err}"
        if self.sweep.look().get("main") != self.states["again"]:
            yield "main is wrong after another run of the first"

    def _with_second(self, state: Any) -> dict[str, Any]:
        """What main reads as after some publishes of the first, which only add rows, and after the second."""
        alone = self.states["alone"]
        both = {name: Counter(state.get(name, ())) | Counter(alone.get(name, ())) for name in {*state, *alone}}
        return {name: sorted(rows.elements()) for name, rows in sorted(both.items())}

    def _second(self) -> Started:
        return Started(self.sweep.work(self.pair.second, self.pair.settings))


@dataclass
class Started:
    """A process that goes on beside what its parent does."""

    work: Callable[[], int]

    def __post_init__(self) -> None:
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.status: int | None = None
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            os.dup2(self.out.fileno(), 1)
            os.dup2(self.err.fileno(), 2)
            try:
                leave(self.work())
            except SystemExit as stop:
                leave(stop.code)

    def settled(self) -> bool:
        """Wait until it is over, or does nothing any more; tell which."""
        spent, quiet, ends = self._spent(), 0, time.monotonic() + PATIENCE
        while quiet < QUIET and time.monotonic() < ends:
            if self._over():
                return True
            time.sleep(0.1)
            before, spent = spent, self._spent()
            quiet = quiet + 1 if self._sleeps() and spent - before <= 1 else 0
        return self._over()

    def ended(self) -> Outcome:
        """Wait until it is over."""
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]
        return Outcome(os.waitstatus_to_exitcode(self.status), self._said(self.out), self._said(self.err), ())

    def _over(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def _stat(self) -> list[str]:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()

    def _spent(self) -> int:
        """Hundredths of a second that it has computed."""
        return sum(int(field) for field in self._stat()[11:13])

    def _sleeps(self) -> bool:
        try:
            return all(
                (task / "stat").read_text().rpartition(")")[2].split()[0] == "S"
                for task in Path(f"/proc/{self.pid}/task").iterdir()
            )
        except (FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
            return False

    @staticmethod
    def _said(file: Any) -> str:
        with file:
            file.seek(0)
            text: str = file.read().decode(errors="replace")
            return text


if __name__ == "__main__":
    began = time.monotonic()
    result = main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    sys.stdout.write(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}))
