"""``python -m phlo`` is ``phlo``."""

from phlo.cli.main import main

main()
