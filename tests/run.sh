#!/usr/bin/env bash
# run.sh [--kubernetes] [--cdn] [CTEST-OPTION...]
# Installs what is missing, builds the dev preset and runs all tests. --kubernetes builds the API server
# first, without which the tests against one are skipped; that takes some minutes, once. --cdn installs
# the clients of cloud vendors, without which the tests of deployers to them are skipped.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export PATH=$PATH:/usr/sbin:/sbin  # where nginx is, for those who are not root

tests/install_packages.sh build test
while [[ ${1:-} == --kubernetes || ${1:-} == --cdn ]]; do
    case $1 in
        --kubernetes) tests/kubernetes/build.sh ;;
        --cdn) tests/cdn/install.sh ;;
    esac
    shift
done
cmake --preset dev --log-level=WARNING
cmake --build --preset dev
ctest --preset dev --parallel 2 "$@"
