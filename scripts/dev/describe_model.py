"""Have a model's INT8 IR say what its card says, as OpenVINO's model_api reads it; see docs/models.md.

    python -m scripts.describe_model [FOLDER]

Models made from now on say it already. Weights and answers stay; the card gets the new checksums of the IR's files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.base.settings import PROJECT_ROOT
from core.models.card import check_file, read_card, write_card
from core.models.self_description import describe_model
from scripts._running import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    starter = PROJECT_ROOT / "models" / "starter"
    parser.add_argument("folder", type=Path, nargs="?", default=starter, help="of the model; default: the starter's")
    folder: Path = parser.parse_args(arguments).folder
    return run_command(lambda: _describe(folder))


def _describe(folder: Path) -> int:
    card = read_card(folder)
    for name in card.checksums:
        check_file(folder / name, card)
    write_card(describe_model(card, folder), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
