#!/usr/bin/env bash
# Run every check, the fast ones first: ./scripts/test.sh [--no-browser] [pytest arguments]
#
#   ./scripts/test.sh                               everything
#   ./scripts/test.sh --no-browser                  all but the tests that drive a real browser
#   ./scripts/test.sh tests/unit/test_x.py -k name  the static checks and these tests
#
# Makes .venv or brings it up to date by itself. The browser is Chromium or Chrome from PATH, or $CHROMIUM.
# The exit code is 0 only if every check asked for has run and passed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/_python_env.sh"

# Nothing here may wait for an answer.
exec </dev/null

find_chromium() {
  local candidate
  for candidate in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
    ! command -v "$candidate" || return 0
  done
  return 1
}

# Debian's Chromium, where this user may install it.
install_chromium() {
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  say "Installing chromium ..."
  apt-get -qq update || true
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium >/dev/null
}

step() {
  say "== $*"
  "$VENV_PYTHON" -m "$@"
}

browser=wanted
suites=(tests/unit tests/api tests/ui tests/e2e)
pytest_arguments=(--timeout 300) # seconds a test: a hanging one fails with its stack
for argument in "$@"; do
  if [[ $argument == --no-browser ]]; then
    browser=unwanted
    continue
  fi
  # Tests named by path or node id replace the suites.
  [[ ! -e ${argument%%::*} ]] || suites=()
  pytest_arguments+=("$argument")
done

ensure_installed requirements.txt requirements-dev.txt
if [[ $browser == wanted ]]; then
  find_chromium >/dev/null || install_chromium || true
  CHROMIUM=$(find_chromium) || browser=missing
  export CHROMIUM
fi
[[ $browser == wanted ]] || pytest_arguments+=(-m "not browser")

step ruff check
step ruff format --check
step mypy
say "== lint-imports"
"$VENV_PYTHON" -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
step pytest ${suites[@]+"${suites[@]}"} "${pytest_arguments[@]}"

[[ $browser != missing ]] ||
  fail "chromium is missing: the browser tests were NOT run. Install it (Debian: apt install chromium) or pass --no-browser."
