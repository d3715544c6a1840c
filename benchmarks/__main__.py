"""Run benchmarks and print their tables.

python -m benchmarks                 all of them, some minutes
python -m benchmarks merge queries   some of them
python -m benchmarks --quick         all, small: to see that they run, not what they say
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from pathlib import Path

from benchmarks.measure import machine


def main() -> None:
    every = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What Phlo costs beside others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(every)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small, to see that they run")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(every):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    print(machine(), end="\n\n")
    for name in arguments.names or every:
        for table in importlib.import_module(f"benchmarks.{name}").tables(arguments.quick):
            print(table, flush=True)


def names() -> list[str]:
    """The modules that are benchmarks."""
    here = Path(__file__).parent
    found = [module.name for module in pkgutil.iter_modules([str(here)])]
    return [name for name in found if "\ndef tables(" in (here / f"{name}.py").read_text()]


if __name__ == "__main__":
    main()
