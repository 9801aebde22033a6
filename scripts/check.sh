#!/usr/bin/env bash
# Run the checks that read files and run nothing of the app: ./scripts/check.sh
# They come first in scripts/test.sh, and before each commit where pre-commit is set up (docs/development.md).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/_python_env.sh"

ensure_installed requirements.txt requirements-dev.txt requirements-batch.txt
# The programs that come as wheels lie beside Python, and call each other by name.
PATH=$PWD/$VENV/bin:$PATH

step() {
  say "== $*"
  "$@"
}

# The browser's side. node comes as a wheel, what checks with it by tests/js/package-lock.json: installed once for each
# lock, a copy of which says what is there.
readonly JS=tests/js
readonly JS_LOCK=$JS/package-lock.json
readonly JS_INSTALLED=$JS/node_modules/.installed-lock
readonly CONTRACT=pages/_ui/components/shared/contract.d.ts

ensure_npm_packages() {
  ! cmp -s "$JS_LOCK" "$JS_INSTALLED" || return 0
  say "Installing $JS_LOCK into $JS/node_modules ..."
  npm --prefix "$JS" ci --ignore-scripts --silent ||
    fail "npm could not install what checks the JavaScript ($JS_LOCK). It needs the network once; start again to retry."
  cp "$JS_LOCK" "$JS_INSTALLED"
}

js() { npm --prefix "$JS" run --silent "$@"; }

# What the JavaScript is checked against is made from what Python sends.
contract() {
  local made
  made=$(js contract) || fail "$CONTRACT could not be made, for the reason above."
  if [[ $made != "$(<"$CONTRACT")" ]]; then
    printf '%s\n' "$made" >"$CONTRACT"
    fail "$CONTRACT was not what contract.py says. It has been made anew: look at it, and commit it."
  fi
}

step ruff check
step ruff format --check
step mypy
step lint-imports
step shellcheck --external-sources scripts/*.sh scripts/dev/*.sh .ci/run
step hadolint Dockerfile
step check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
ensure_npm_packages
step contract
step js lint
step js types
step js test
