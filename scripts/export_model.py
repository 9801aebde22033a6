"""Write an installed model as a repository for OpenVINO Model Server; see docs/models.md.

python -m scripts.export_model starter --to FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.base.settings import get_settings
from core.models.model_server import write_repository
from core.models.registry import ModelRegistry
from scripts._running import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="an installed model; default: the one in use")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="of the repository")
    options = parser.parse_args(arguments)
    return run_command(lambda: _export(options))


def _export(options: argparse.Namespace) -> int:
    print(write_repository(ModelRegistry(get_settings()).get(options.model), options.to))
    return 0


if __name__ == "__main__":
    sys.exit(main())
