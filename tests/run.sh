#!/usr/bin/env bash
# run.sh [CTEST-OPTION...]
# Installs what is missing, builds the dev preset and runs all tests.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export PATH=$PATH:/usr/sbin:/sbin  # where nginx is, for those who are not root

tests/install_packages.sh build test
cmake --preset dev --log-level=WARNING
cmake --build --preset dev
ctest --preset dev --parallel 2 "$@"
