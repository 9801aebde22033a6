#!/usr/bin/env bash
# Run the checks that read files and run nothing of the app: ./scripts/check.sh
# They come first in scripts/test.sh, and before each commit where pre-commit is set up (docs/development.md).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/_python_env.sh"

ensure_installed requirements.txt requirements-dev.txt
# The programs that come as wheels lie beside Python, and call each other by name.
PATH=$PWD/$VENV/bin:$PATH

step() {
  say "== $*"
  "$@"
}

step ruff check
step ruff format --check
step mypy
step lint-imports
step shellcheck --external-sources scripts/*.sh scripts/dev/*.sh .ci/run
step hadolint Dockerfile
step check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
