"""Command lines, thin over core: ``python -m scripts.NAME``. Those in ``dev`` are for developers and images."""

from pathlib import Path

# ``python -m scripts.load`` finds scripts/dev/load.py: what a command is called does not depend on whom it is for.
__path__.append(str(Path(__file__).parent / "dev"))
