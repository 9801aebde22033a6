"""The command ``aisr``: what people run, each command's code loaded only when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# name -> (module with a main(), what it does); scripts.NAME also runs by itself: python -m scripts.NAME
COMMANDS = {
    "predict": ("scripts.predict", "recognise every image of a ZIP or folder"),
    "batch": ("scripts.batch", "recognise folders of any size, on one machine or many; goes on where it ended"),
    "optimize": ("scripts.optimize", "make an INT8 model, judge it against FP32, install it"),
    "import": ("scripts.import_model", "take in a classifier that others made: ONNX, OpenVINO IR, torchvision"),
    "export": ("scripts.export_model", "write a model as a repository for OpenVINO Model Server"),
    "layers": ("scripts.layers", "say which layers make INT8 err, keep those in FP32"),
    "teach": ("scripts.teach", "teach a model classes of your own, install it"),
    "benchmark": ("scripts.benchmark", "measure the engines on this machine"),
    "evaluate": ("scripts.evaluate", "say how often models are right, where classes are known"),
    "settings": ("core.base.settings", "print every limit and option"),
}
ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (by default the process's) begin with; returns its exit code, 2 for none."""
    name, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    if name in {"-h", "--help"}:
        print(usage())
        return 0
    if name == "run":
        _run_app(rest)
    if name not in COMMANDS:
        print(f"aisr: no command {name!r}\n\n{usage()}", file=sys.stderr)
        return 2
    sys.argv = [f"aisr {name}", *rest]  # argparse takes the program's name from here
    result: int = importlib.import_module(COMMANDS[name][0]).main(rest)
    return result


def usage() -> str:
    """What ``aisr --help`` prints."""
    lines = [f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: aisr COMMAND [options]      aisr COMMAND --help says more",
            "",
            "  run        start the app; takes streamlit's options, such as --server.port 8600",
            *lines,
        ]
    )


def _run_app(options: Sequence[str]) -> None:
    """Become Streamlit: signals reach it without a process between."""
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), *options])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
