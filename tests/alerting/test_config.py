"""The file of rules: what is right is read, what is wrong is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phlo.alerting.config import FILE, read_config
from phlo.errors import InvalidAlerting
from phlo.scaffold.init import init_project

if TYPE_CHECKING:
    from pathlib import Path


def written(root: Path, text: str) -> Path:
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(text)
    return root


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert read_config(tmp_path).rules == ()


def test_the_template_is_read_and_says_what_the_environment_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init_project("shop", tmp_path, "glucose")
    config = read_config(tmp_path / "shop")
    assert [rule.on for rule in config.rules] == ["check_failed", "freshness", "query", "run_failed"]
    assert config.destinations[0].missing == ("PHLO_ALERT_SLACK_WEBHOOK",)
    (tmp_path / "shop" / ".env").write_text("PHLO_ALERT_SLACK_WEBHOOK=https://a\nPHLO_ALERT_SLACK_CHANNEL=#g\n")
    slack = read_config(tmp_path / "shop").destinations[0]
    assert (slack.missing, dict(slack.options)) == ((), {"webhook": "https://a", "channel": "#g"})
    monkeypatch.setenv("PHLO_ALERT_SLACK_WEBHOOK", "https://b")
    assert read_config(tmp_path / "shop").destinations[0].options["webhook"] == "https://b"
    assert "https" not in repr(read_config(tmp_path / "shop"))


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("[1", "config.yaml"),
        ("- 1", "it has no `destinations` and `rules`"),
        ("rule: []", "the file: it has no `rule`; did you mean `rules`?"),
        ("rules: {a: 1}", "rules: it is no list"),
        ("rules: [{on: run_failed}]", "has no name"),
        ("rules: [{name: a, on: run_fails}]", "rule `a`: on: `run_fails` is none of .*; did you mean `run_failed`"),
        ("rules: [{name: a, on: freshness, table: raw.g}]", "rule `a`: `older_than_hours` is missing"),
        ("rules: [{name: a, on: rejected, share: much}]", "share = `much` is no number"),
        ("rules: [{name: a, on: run_failed, severity: bad}]", "severity: `bad` is none of info, warning, error"),
        ("rules: [{name: a, on: run_failed, to: slak}]", "there is no destination `slak`"),
        ("rules: [{name: a, on: run_failed}, {name: a, on: run_failed}]", "rules: `a` is there twice"),
        ("destinations: [{name: s, type: slack}]", "destination `s`: `webhook` is missing"),
        ("destinations: [{name: s, type: pager}]", "type: `pager` is none of"),
        ("destinations: [{name: s, type: webhook, url: x, methd: y}]", "it has no `methd`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, detail: str) -> None:
    with pytest.raises(InvalidAlerting, match=detail) as error:
        read_config(written(tmp_path, text))
    assert ".phlo/alerting/config.yaml" in str(error.value)
