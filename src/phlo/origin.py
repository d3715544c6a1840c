"""Where this Phlo was installed from (PEP 610): what a project depends on, and how more of it is installed.

Never by the bare name: on the public index it belongs to somebody else, whose versions are below 1.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import unquote, urlsplit, urlunsplit

RELEASES = ">=1.0,<2"


def read_origin() -> str | None:
    """Read what the installer noted; None for a release from an index, and for a tree of sources."""
    try:
        return distribution("phlo").read_text("direct_url.json")
    except PackageNotFoundError:
        return None


def requirement(direct_url: str | None) -> str:
    """Say what a project depends on: where Phlo was installed from, else the releases it works with.

    >>> requirement(None)
    'phlo>=1.0,<2'
    >>> requirement('{"url": "https://example.org/phlo.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}}')
    'phlo @ git+https://example.org/phlo.git@0a1b'
    """
    # By its address, pip would install a copy of the sources over an editable Phlo.
    if not direct_url or _is_editable(direct_url):
        return f"phlo{RELEASES}"
    return f"phlo @ {_address(direct_url)}"


def install_line(extra: str, direct_url: str | None) -> str:
    """Say how an extra is installed beside this Phlo.

    >>> install_line("dagster", '{"url": "file:///src/phlo", "dir_info": {"editable": true}}')
    "pip install -e '/src/phlo[dagster]'"
    >>> install_line("dagster", None)
    "pip install 'phlo[dagster]>=1.0,<2'"
    """
    if not direct_url:
        return f"pip install 'phlo[{extra}]{RELEASES}'"
    if "dir_info" in json.loads(direct_url):
        folder = unquote(urlsplit(json.loads(direct_url)["url"]).path)
        return f"pip install {'-e ' if _is_editable(direct_url) else ''}'{folder}[{extra}]'"
    return f"pip install 'phlo[{extra}] @ {_address(direct_url)}'"


def _is_editable(direct_url: str) -> bool:
    return bool(json.loads(direct_url).get("dir_info", {}).get("editable"))


def _address(direct_url: str) -> str:
    origin = json.loads(direct_url)
    parts = urlsplit(origin["url"])
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))  # without a password
    if "vcs_info" in origin:
        url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    return f"{url}#subdirectory={origin['subdirectory']}" if origin.get("subdirectory") else url
