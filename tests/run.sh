#!/usr/bin/env bash
# run.sh [--kubernetes] [CTEST-OPTION...]
# Installs what is missing, builds the dev preset and runs all tests. --kubernetes builds the API server
# first, without which the tests against one are skipped; that takes some minutes, once.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export PATH=$PATH:/usr/sbin:/sbin  # where nginx is, for those who are not root

tests/install_packages.sh build test
if [[ ${1:-} == --kubernetes ]]; then
    shift
    tests/kubernetes/build.sh
fi
cmake --preset dev --log-level=WARNING
cmake --build --preset dev
ctest --preset dev --parallel 2 "$@"
