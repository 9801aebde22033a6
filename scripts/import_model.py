"""Import an image classifier that others made, and make its INT8 copy.

    python -m scripts.import_model FILE.onnx --name parts --labels labels.txt --config preprocessor_config.json
    python -m scripts.import_model FILE.pth --architecture convnext_tiny --config config.json --name parts
    python -m scripts.import_model FILE.xml FILE.bin --name parts --labels labels.txt --preprocessing how.json
    python -m scripts.import_model DOWNLOADED.zip --name parts

FILE is ONNX, OpenVINO IR (.xml; its .bin is looked for beside it where it is not named; or both in a ZIP), a state dict
of a network that torchvision names, or a model that was downloaded from My models, which needs nothing besides. How
images become its inputs must be said, by the IR itself, by timm's or Hugging Face's file, or by --preprocessing with a
JSON like {"resize": 256, "crop": 224, "mean": [...], "std": [...]}: it is never guessed. Then, unless --only, as
scripts.optimize does, --calibrate makes INT8 of it. Exit codes as there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.base.errors import InvalidRequest
from core.base.settings import Settings, get_settings
from core.models.foreign.importer import ARCHIVE, NUMBERS, ImportOrder, import_model
from core.models.foreign.preprocessing_files import preprocessing_of, read_json
from core.models.install import installed_folder
from scripts import optimize
from scripts._running import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options, get_settings()))


def _run(options: argparse.Namespace, settings: Settings) -> int:
    given: Path | None = options.preprocessing
    source, *others = options.files
    if len(others) > 1:
        raise InvalidRequest("Only an OpenVINO IR has two files, .xml and .bin; name one model.")
    if others and source.suffix.lower() == NUMBERS:
        source, others = others[0], [source]
    order = ImportOrder(
        source,
        options.title or ("" if source.suffix.lower() == ARCHIVE else options.name),
        architecture=options.architecture,
        labels=options.labels.read_bytes() if options.labels else b"",
        settings=options.config,
        preprocessing=preprocessing_of(read_json(given), given.name) if given else None,
        numbers=others[0] if others else None,
    )
    model = import_model(order, installed_folder(options.name, settings), settings)
    facts = model.card.graph
    print(f"Imported as {options.name}: {len(model.card.classes):,} classes, {model.preprocessing.words}")
    if facts is not None and not facts.maps:
        print("It does not end in the mean of maps, so where it looked cannot be shown.")
    if options.only or (model.has_int8 and not options.calibrate):
        return 0
    more = ["--calibrate", str(options.calibrate)] if options.calibrate else []
    return optimize.main(["--model", options.name, *more])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".onnx, .xml (and .bin), .zip, .pth, ...")
    parser.add_argument("--name", required=True, help="of the installed model: lower-case letters, digits, hyphens")
    parser.add_argument("--title", default="", help="for people; default: the name")
    parser.add_argument("--architecture", default="", help="of a state dict, as torchvision names it")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class labels, one a line or JSON")
    parser.add_argument(
        "--config", type=Path, nargs="+", default=[], metavar="FILE.json", help="timm's or Hugging Face's"
    )
    parser.add_argument("--preprocessing", type=Path, metavar="FILE.json", help="wins over what the model says")
    parser.add_argument("--calibrate", type=Path, metavar="STACK.zip|FOLDER", help="images like those to recognise")
    parser.add_argument("--only", action="store_true", help="make no INT8 copy yet")
    return parser


if __name__ == "__main__":
    sys.exit(main())
