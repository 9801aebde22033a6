#!/usr/bin/env bash
# Start the app: ./scripts/run.sh [streamlit options, e.g. --server.port 8600]
# The first start makes .venv and installs requirements.txt into it; later ones start at once.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=_python_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/_python_env.sh"

ensure_installed requirements.txt
# exec: Ctrl+C and a service manager's signals reach Streamlit itself.
exec "$VENV_PYTHON" -m streamlit run app.py "$@"
