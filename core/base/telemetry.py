"""Nothing about people's use of this product leaves the machine: libraries that would report it are told not to."""

from __future__ import annotations

import sys


def forbid_telemetry() -> None:
    """Keep OpenVINO and NNCF from reporting to Google Analytics; call it before either is imported.

    Both report each import and conversion through the package ``openvino_telemetry`` without asking, and both do
    without where it cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
