#!/usr/bin/env bash
# Look up every package of requirements.lock, and torch, in the database of known vulnerabilities (needs the
# network). Exit code 0: none is known.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../_python_env.sh"

ensure_installed requirements.txt requirements-dev.txt
"$VENV_PYTHON" -m pip_audit --strict --disable-pip --requirement requirements.lock
"$VENV_PYTHON" -m pip_audit --strict --disable-pip --no-deps --requirement <(grep -E '^(torch|torchvision)==' requirements.txt)
