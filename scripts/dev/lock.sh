#!/usr/bin/env bash
# Write requirements.lock: every package of requirements.txt, direct or not, with its version and hashes, for all
# platforms and Pythons the app supports. ./scripts/dev/lock.sh keeps versions where it can; --upgrade takes the newest.
#
# torch and torchvision are not in it: they come from either of two indexes (scripts/_python_env.sh), whose files differ.
# The CUDA packages that the default index's torch asks for are not in it either: a CPU build has no use for them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../_python_env.sh"

ensure_installed requirements.txt requirements-dev.txt
compile() {
  "$VENV_PYTHON" -m uv --quiet pip compile requirements.txt --universal --python-version 3.11 \
    --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.lock "$@"
}

compile --no-annotate "$@"
left_out=()
while read -r name; do
  left_out+=(--no-emit-package "$name")
done < <(grep -oE '^(torch|torchvision|triton|cuda-[a-z-]+|nvidia-[a-z0-9-]+)==' requirements.lock | tr -d =)
compile --generate-hashes --no-annotate "${left_out[@]}"
