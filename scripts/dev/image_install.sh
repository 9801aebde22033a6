#!/usr/bin/env bash
# Step of the image: make .venv with exactly the packages of requirements.lock, and without what only developers need.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../_python_env.sh"

make_venv
pip_install --require-hashes -r requirements.lock
install_cpu_torch
# Finds everything installed; only where PyTorch's CPU index could not be used, this gets torch from the default index.
pip_install -r requirements.txt

# Headers and tests, which nothing imports: about 250 MB.
for package in "$VENV"/lib/python3.*/site-packages; do
  rm -rf "$package"/torch/{include,test}
  rm -rf "$package"/{pandas,pyarrow,sklearn,networkx}/tests
  find "$package/scipy" "$package/sympy" -type d -name tests -prune -exec rm -rf {} + 2>/dev/null || true
done
rm -f "$UNFINISHED"
