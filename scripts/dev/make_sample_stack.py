"""Write the sample image stack: ``python -m scripts.make_sample_stack OUT.zip``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.stacks.sample import make_sample_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, or 1 where the file cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_sample_stack", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.zip", help="the ZIP file to write; an existing one is replaced")
    out: Path = parser.parse_args(arguments).out
    try:
        make_sample_stack(out)
    except OSError as error:
        print(f"Cannot write {out}: {error.strerror}. Choose another place.", file=sys.stderr)
        return 1
    print(f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
