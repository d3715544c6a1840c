"""The UI in a real browser: the asset graph, a partition materialized, its run, and what was published.

``SCREENSHOTS=docs/guides/images pytest -m slow tests/orchestration/test_browser.py`` takes the pictures of the guide.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from server_process import PATIENCE, Served, served
from tests.conftest import Shop

from phlo.profiles import open_lake
from phlo.scaffold import synthetic_cgm
from phlo.scaffold.init import init_project
from phlo.scaffold.nightscout_server import NightscoutServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow
DAY = "2024-01-20"
CRON = '    cron="0 */1 * * *",\n'


class Page:
    """A browser on the UI."""

    def __init__(self, browser: Chrome, server: Served, root: Path) -> None:
        self.browser, self.server, self.root = browser, server, root

    def open(self, path: str) -> None:
        self.browser.get(f"http://127.0.0.1:{self.server.port}{path}")

    def see(self, *words: str) -> str:
        """Wait until the page shows all of these."""
        ends = time.monotonic() + PATIENCE
        while missing := [word for word in words if word not in self.text]:
            assert time.monotonic() < ends, f"{missing} did not appear on the page:\n{self.text}"
            time.sleep(0.2)
        return self.text

    @property
    def text(self) -> str:
        return str(self.browser.execute_script("return document.body.innerText"))

    def press(self, label: str) -> None:
        """Press the button that begins so, when it is there and may be pressed."""
        from selenium.common.exceptions import StaleElementReferenceException

        def pressed() -> bool:
            try:
                for each in self.browser.find_elements("tag name", "button"):
                    if each.is_displayed() and each.is_enabled() and each.text.startswith(label):
                        each.click()
                        return True
            except StaleElementReferenceException:
                pass  # the page was just drawn anew
            return False

        self.server.wait(pressed)

    def write(self, selector: str, text: str) -> None:
        """Write into a field, in the place of what is there."""
        from selenium.webdriver.common.keys import Keys

        self.server.wait(lambda: bool(self.browser.find_elements("css selector", selector)))
        field = self.browser.find_element("css selector", selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)
        field.send_keys(Keys.TAB)

    def picture(self, name: str) -> None:
        """Keep a picture, where somebody asked for them."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The glucose platform, served, with a site of readings behind it."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("chromium and chromedriver are not installed (on Debian: apt-get install chromium chromium-driver)")
    root = tmp_path / "glucose-platform"
    init_project(root.name, tmp_path, "glucose")
    take_the_schedule_out(root / "workflows/ingestion/nightscout/readings.py")
    with NightscoutServer(synthetic_cgm.entries(dt.date(2024, 1, 18), 5)) as site:
        monkeypatch.setenv("NIGHTSCOUT_BASE_URL", site.base_url)
        with served(Shop(root), name=root.name) as server, browser() as found:
            yield Page(found, server, root)


def test_a_partition_is_materialized_in_the_browser_and_its_run_says_what_was_published(page: Page) -> None:
    page.open("/assets/glucose_entries?view=lineage&lineageScope=downstream&lineageDepth=5")
    page.see("glucose_entries", "stg_gluco…_entries", "fct_gluc…_readings", "mrt_gluc…_overview")  # as it shortens them
    page.picture("asset-graph")

    page.open("/assets/glucose_entries")
    page.press("Materialize")
    page.press("Show all partitions")
    page.write("input[placeholder^='ex:']", DAY)
    page.picture("choose-a-partition")
    page.press("Launch 1 run")
    page.server.wait(lambda: [run["status"] for run in page.server.runs()] == ["SUCCESS"])

    (run,) = page.server.runs()
    page.open(f"/runs/{run['runId']}")
    page.see("Success", f"partition: {DAY}", "Published 2 tables of run-", "as publish 1")
    page.picture("run")

    page.open(f"/assets/glucose_entries?partition={DAY}&view=partitions")
    ((load,),) = (publish.loads for publish in open_lake(page.root).catalog.publishes())
    assert load.rows_written > 200
    page.see("Materialized (1)", "rows written", str(load.rows_written), "publish")
    page.picture("partition")


def test_a_backfill_is_chosen_and_launched_in_the_browser_and_its_days_show_what_was_published(page: Page) -> None:
    first, last = "2024-01-18", "2024-01-20"
    page.open("/assets/glucose_entries")
    page.press("Materialize")
    page.press("Show all partitions")
    page.write("input[placeholder^='ex:']", f"[{first}...{last}]")
    page.see("3 partitions")
    page.press("Launch backfill")
    page.server.wait(lambda: len(page.server.runs()) == 1)
    (run,) = page.server.runs()
    assert page.server.ended(run["runId"]) == "SUCCESS"

    page.open("/runs?view=backfills")
    page.see("glucose_entries", "3 partitions")
    page.open("/locations")
    page.see("glucose-platform", "Loaded")
    page.press("Reload")
    page.see("glucose-platform", "Loaded")
    assert "does not support" not in page.text

    (publish,) = open_lake(page.root).catalog.publishes()
    assert [load.partition for load in publish.loads] == [first, "2024-01-19", last]
    for load in publish.loads:
        page.open(f"/assets/glucose_entries?partition={load.partition}&view=partitions")
        page.see("Materialized (3)", "rows written", str(load.rows_written), "publish")


def take_the_schedule_out(workflow: Path) -> None:
    """Load nothing by the clock: its hour may come while a test counts what it launched itself."""
    text = workflow.read_text()
    assert CRON in text
    workflow.write_text(text.replace(CRON, ""))


def browser() -> Chrome:
    """Debian's chromium, without a screen."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,760"):
        options.add_argument(argument)
    return Chrome(options, Service(shutil.which("chromedriver")))
