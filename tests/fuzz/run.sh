#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]
# Builds the fuzz targets (certificate, describe, frame, pipeline; all of them where none is given)
# and fuzzes each for that long, one after the other. New inputs gather in build/fuzz/corpus/TARGET;
# what ends a target is kept in build/fuzz/findings/TARGET, and ends the script. To keep a few of the
# inputs that reach something new:
#     build/fuzz/bin/fuzz_TARGET -merge=1 -use_counters=0 -max_len=4096 \
#         tests/fuzz/corpus/TARGET build/fuzz/corpus/TARGET
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: tests/fuzz/run.sh SECONDS [TARGET...]" >&2
    exit 2
fi
seconds=$1
shift
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(certificate describe frame pipeline)

tests/install_packages.sh build fuzz
cmake --preset fuzz --log-level=WARNING
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"
for target in "${targets[@]}"; do
    mkdir -p "build/fuzz/corpus/$target" "build/fuzz/findings/$target"
    build/fuzz/bin/"fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=16384 -dict="tests/fuzz/dictionary/$target" -print_final_stats=1 \
        -artifact_prefix="build/fuzz/findings/$target/" \
        "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target"
done
