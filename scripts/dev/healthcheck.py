"""Ask the server of this container whether it is ready: exit code 0 if it is, 1 if not (Docker's HEALTHCHECK).

It looks where ``scripts/dev/image_start.sh`` has put it, with the standard library alone: it runs every few seconds.
"""

from __future__ import annotations

import os
import sys
import urllib.request

TIMEOUT_SECONDS = 4


def main() -> int:
    """Command line; see the module's text."""
    port = os.environ.get("STREAMLIT_SERVER_PORT") or os.environ.get("PORT") or "8501"
    base = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    address = f"http://127.0.0.1:{port}{f'/{base}' if base else ''}/api/health/ready"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:  # also a status of 400 and above
        print(f"{address}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
