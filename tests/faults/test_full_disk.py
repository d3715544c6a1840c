"""A full disk, met at each step of a run: an error that says so, main as it was, and all well with room again."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Shop

DAY = "2024-01-20"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("free_kib", [40, *(pytest.param(free, marks=pytest.mark.slow) for free in (0, 150, 300, 600))])
def test_a_full_disk_is_said_and_harms_nothing(
    shop: Shop, small_disk: Path, free_kib: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHLO_STATE", str(small_disk))
    shop.deliver(DAY, [{"id": n, "text": f"{n:x}" * 10} for n in range(200)])
    assert shop.call("materialize", "readings", "--partition", DAY).code == 0
    fill(small_disk, free_kib)
    shop.deliver(DAY, [{"id": n, "text": os.urandom(50).hex()} for n in range(2_000 if free_kib < 100 else 20_000)])
    failed = shop.run("materialize", "readings", "--partition", DAY, code=1)
    assert "error[" in failed.stderr
    said = failed.stderr.partition("\nhint: ")[0]  # a hint speaks of the disk whatever happened
    assert "No space left on device" in said or "database or disk is full" in said, failed.stderr
    assert "\nhint: " in failed.stderr
    assert "Traceback" not in failed.stderr
    (small_disk / "ballast").unlink()
    assert shop.read("SELECT count(*) AS n, max(length(text)) AS longest FROM raw.readings") == [
        {"n": 200, "longest": 20}
    ]
    shop.deliver(DAY, [{"id": n, "text": "changed"} for n in range(10)])
    assert shop.call("materialize", "readings", "--partition", DAY).code == 0
    assert shop.read("SELECT count(*) AS n FROM raw.readings WHERE text = 'changed'") == [{"n": 10}]


def fill(folder: Path, free_kib: int) -> None:
    """Leave so much room and no more."""
    stat = os.statvfs(folder)
    size = stat.f_bavail * stat.f_frsize - free_kib * 1024
    with (folder / "ballast").open("wb") as file:
        file.write(b"\0" * max(size, 0))
