"""What the tests of the two documents share: shells that run printed lines, and printed projects over a real server."""

from __future__ import annotations

import sys
from pathlib import Path

# Tests are imported by path, which leaves modules beside them out of reach.
sys.path.append(str(Path(__file__).resolve().parent))
