#!/usr/bin/env bash
# Step of the image: add the ImageNet model where it can be downloaded, and see that recognition works at all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Installed below the app's own folder, ImageNet ships with the image, and a volume for own models does not hide it.
export AISR_DATA_DIR=$PWD AISR_CACHE_DIR=$scratch/cache AISR_WORK_DIR=$scratch/work

python -m scripts.make_sample_stack "$scratch/sample.zip"
# What a missing system library or a damaged model would break, breaks the build.
roles='from core.engines.registry import *; print(default_engine().name, reference_engine().name)'
engines=$(python -c "$roles")
for engine in $engines; do
  python -m scripts.predict "$scratch/sample.zip" --engine "$engine" --batch-size 8 --out "$scratch/results.csv"
done
python -m scripts.optimize --model imagenet --optional
