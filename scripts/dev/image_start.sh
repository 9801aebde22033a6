#!/usr/bin/env bash
# What the container runs: the app on $STREAMLIT_SERVER_PORT, else $PORT, else 8501.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export STREAMLIT_SERVER_PORT=${STREAMLIT_SERVER_PORT:-${PORT:-8501}}
# exec: the signal that ends the container reaches Streamlit itself.
exec python -m streamlit run app.py "$@"
