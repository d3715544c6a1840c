from pathlib import Path

import pytest

from phlo.inspect.declared import declared_tables, ingestions_in
from phlo.project import Project


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("@phlo.ingestion\ndef readings(): ...", {"readings"}),
        ("@ingestion(cron='0 * * * *')\nasync def readings(): ...", {"readings"}),
        ("@phlo.ingestion(table_name='meals')\n@other\ndef load(): ...", {"meals"}),
        ("@phlo.ingestion(table_name=NAME)\ndef load(): ...", set()),
        ("@phlo.ingestion(**options)\ndef load(): ...", set()),
        ("@phlo.quality(table='raw.meals')\ndef check(): ...", set()),
        ("def (", set()),
        ("\0", set()),
    ],
)
def test_ingestions_are_named_by_their_text(source: str, names: set[str]) -> None:
    assert ingestions_in(source.encode()) == names


def test_a_file_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "workflows" / "ingestion"
    folder.mkdir(parents=True)
    (folder / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (folder / "here.py").write_text("@phlo.ingestion\ndef readings(): ...")
    assert declared_tables(Project(tmp_path, "p")) == {"raw.readings"}
