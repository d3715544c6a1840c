"""SIGKILL before each write to the disk of a run, one after another: main is whole, and the next run goes on from it.

A library that is loaded before libc counts the calls that write, of Python, SQLite and DuckDB alike, and kills the
process before the one it was told.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from phlo.iceberg.catalog import SqlRefCatalog

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 60
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>
#include <sys/stat.h>

static atomic_long count, limit;

void kill_at(long step) { count = 0; limit = step; }
long steps(void) { return count; }

static void step(void) { if (atomic_fetch_add(&count, 1) + 1 == limit) kill(getpid(), SIGKILL); }

#define STEP(type, name, parameters, arguments) \
    type name parameters { \
        static type (*real) parameters; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        step(); \
        return real arguments; \
    }

STEP(ssize_t, write, (int file, const void *from, size_t size), (file, from, size))
STEP(ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at))
STEP(ssize_t, pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at))
STEP(int, fsync, (int file), (file))
STEP(int, fdatasync, (int file), (file))
STEP(int, ftruncate64, (int file, off64_t size), (file, size))
STEP(int, rename, (const char *from, const char *to), (from, to))
STEP(int, unlink, (const char *path), (path))
STEP(int, mkdir, (const char *path, mode_t mode), (path, mode))
"""

# Imports once, then forks a child for each line it reads: the step before which that is killed (0: none). Each run
# sets three numbers one higher and adds a row, in a merge, a load and a publish.
NURSERY = """
import ctypes, os, sys
from pathlib import Path
import pyarrow as pa
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import merge
from phlo.protocols import Load

shim = ctypes.CDLL(None)
shim.steps.restype = ctypes.c_long
catalog = SqlRefCatalog(sys.argv[1], Path(sys.argv[2]))

def run(name):
    with catalog.lease(["raw.g"], name):
        catalog.create_ref(name, run_id=name)
        table = catalog.load("raw.g", name)
        number = 1 + table.scan().to_arrow()["value"].to_pylist()[0]
        keys = ["a", "b", "c", f"new-{number}"]
        merge(table, pa.table({"key": keys, "value": [number] * 3 + [0]}), ["key"])
        catalog.record_load(name, Load("raw.g", name, name))
        catalog.publish(name)

for line in sys.stdin:
    name, step = line.split()
    child = os.fork()
    if not child:
        shim.kill_at(int(step))
        run(name)
        took = shim.steps()
        print(took, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print("killed" if os.WIFSIGNALED(status) else "failed", flush=True)
"""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """The library that counts and kills."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("counting the calls that write takes Linux and a C compiler")
    (tmp_path / "shim.c").write_text(SHIM)
    library = tmp_path / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(tmp_path / "shim.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


@pytest.mark.slow
def test_a_run_killed_before_each_of_its_writes_leaves_main_whole(tmp_path: Path, shim: Path) -> None:
    uri, warehouse = f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse"
    catalog = SqlRefCatalog(uri, warehouse)
    begin(catalog)
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, uri, str(warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"LD_PRELOAD": str(shim), "PATH": "/usr/bin:/bin"},
    ) as nursery:

        def run(name: str, step: int) -> str:
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            nursery.stdin.write(f"{name} {step}\n")
            nursery.stdin.flush()
            return nursery.stdout.readline().strip()

        steps = int(run("whole", 0))
        assert steps > 40
        outcomes = []
        for number in range(1, KILLS + 1):
            outcomes.append(run(f"run-{number}", 1 + steps * number // (KILLS + 1)))
            check_whole(catalog)
        assert outcomes.count("killed") > KILLS * 0.9, outcomes
        before = values(catalog)["a"]
        assert int(run("last", 0)) > 0
        assert values(catalog)["a"] == before + 1
        check_whole(catalog)
        assert nursery.stdin is not None
        nursery.stdin.close()
    assert nursery.returncode == 0


def begin(catalog: SqlRefCatalog) -> None:
    import pyarrow as pa

    from phlo.iceberg.merge import merge

    catalog.create_ref("zero")
    schema = pa.schema([("key", pa.string()), ("value", pa.int64())])
    table = catalog.create_table("raw.g", schema, "zero", keys=["key"])
    merge(table, pa.table({"key": ["a", "b", "c"], "value": [0, 0, 0]}), ["key"])
    catalog.publish("zero")


def values(catalog: SqlRefCatalog) -> dict[str, Any]:
    rows = catalog.load("raw.g").scan().to_arrow().to_pylist()
    found = {row["key"]: row["value"] for row in rows}
    assert len(found) == len(rows), "a row was doubled"
    return found


def check_whole(catalog: SqlRefCatalog) -> None:
    """Each publish sets all three numbers, adds one row and one load: any part of one without the rest shows."""
    seq, found = catalog.pin().seq, values(catalog)
    assert seq is not None
    count = seq - 1
    assert found == {"a": count, "b": count, "c": count, **{f"new-{number}": 0 for number in range(1, seq)}}
    assert len(catalog.loads()) == count
