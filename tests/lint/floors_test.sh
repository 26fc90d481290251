#!/usr/bin/env bash
# floors.sh finds each kind of mistake in a small tree that is made for it.
set -euo pipefail

lint=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/floors.sh
tree=$(mktemp -d "${1:-/tmp}/floors.XXXXXX")
trap 'rm -rf "$tree"' EXIT
failed=0

fresh_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/{core/{base,scheduler,worker/program},sdk,plugins,tests,samples}
    echo '#include <string>' >"$tree/core/base/error.hpp"
    echo '#include "core/base/error.hpp"' >"$tree/core/scheduler/run.hpp"
    echo >"$tree/plugins/none.cpp"
}

expect() {  # STATUS WHAT
    local status=0
    "$lint" "$tree" >"$tree/output" 2>&1 || status=$?
    if [[ $status -ne $1 ]]; then
        echo "$2: exit status $status, expected $1"
        cat "$tree/output"
        failed=1
    fi
}

fresh_tree
expect 0 "a tree without mistakes"

echo '#include "core/scheduler/run.hpp"' >"$tree/core/base/up.hpp"
expect 1 "an include upward"

fresh_tree
echo '#include "core/base/error.hpp"' >"$tree/plugins/nosy.cpp"
expect 1 "a plugin that includes core"

fresh_tree
echo '#include "core/scheduler/run.hpp"' >"$tree/core/worker/program/main.cpp"
expect 1 "the worker program including the scheduler"

fresh_tree
mkdir "$tree/core/attic"
echo '#include "core/base/error.hpp"' >"$tree/core/attic/old.hpp"
expect 1 "a folder without a floor"

fresh_tree
yes 'int x;' 2>/dev/null | head -n 25000 >"$tree/core/base/long.cpp" || true
expect 1 "a core that is too large"

exit "$failed"
