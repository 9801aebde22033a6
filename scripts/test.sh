#!/usr/bin/env bash
# Run every check, the fast ones first: ./scripts/test.sh [--no-browser] [--shuffle] [pytest arguments]
#
#   ./scripts/test.sh                               everything
#   ./scripts/test.sh --no-browser                  all but the tests that drive a real browser
#   ./scripts/test.sh --shuffle                     in random order; --shuffle --randomly-seed N is that order again
#   ./scripts/test.sh tests/unit/test_x.py -k name  the static checks and these tests
#
# Makes .venv or brings it up to date by itself. The browser is $CHROMIUM, or Chromium or Chrome from
# PATH: its headless shell where there is one, which needs a third less of the processor.
# The exit code is 0 only if every check asked for has run and passed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/_python_env.sh"

# Nothing here may wait for an answer.
exec </dev/null

# Where nothing compiled is kept, each process of the tests compiles them all anew.
unset PYTHONDONTWRITEBYTECODE
# More threads than cores: whoever waits for another sleeps meanwhile.
export OMP_WAIT_POLICY=PASSIVE

find_chromium() {
  local candidate
  for candidate in "${CHROMIUM:-chromium-headless-shell}" chromium chromium-browser google-chrome; do
    ! command -v "$candidate" || return 0
  done
  return 1
}

# install_system NAME...: packages of Debian, where this user may install them.
install_system() {
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  say "Installing $* ..."
  apt-get -qq update || true
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" >/dev/null
}

step() {
  say "== $*"
  "$VENV_PYTHON" -m "$@"
}

browser=wanted
suites=(tests)
pytest_arguments=(--timeout 600) # seconds a test: a hanging one fails with its stack
for argument in "$@"; do
  case $argument in
    --no-browser) browser=unwanted ;;
    --shuffle) pytest_arguments+=(-p randomly) ;;
    *)
      # Tests named by path or node id replace the suites.
      [[ ! -e ${argument%%::*} ]] || suites=()
      pytest_arguments+=("$argument")
      ;;
  esac
done

ensure_installed requirements.txt requirements-dev.txt requirements-batch.txt
if [[ $browser == wanted ]]; then
  command -v "${CHROMIUM:-chromium-headless-shell}" >/dev/null || install_system chromium-headless-shell ||
    find_chromium >/dev/null || install_system chromium || true
  CHROMIUM=$(find_chromium) || browser=missing
  export CHROMIUM
fi
# Without them the tests of the proxy and of the container are skipped, with the reason.
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || install_system nginx-light || true
command -v bwrap >/dev/null || install_system bubblewrap || true
[[ $browser == wanted ]] || pytest_arguments+=(-m "not browser" --ignore tests/e2e)

./scripts/check.sh
if [[ ${#suites[@]} -eq 0 ]]; then
  step pytest "${pytest_arguments[@]}"
else
  # Four processes on two cores, a file each at a time: browser tests wait for half of their time.
  step pytest --numprocesses 4 --dist loadfile "${suites[@]}" "${pytest_arguments[@]}"
fi

[[ $browser != unwanted ]] || say "The tests that drive a browser were not run: --no-browser."
[[ $browser != missing ]] ||
  fail "chromium is missing: the browser tests were NOT run. Install it (Debian: apt install chromium) or pass --no-browser."
