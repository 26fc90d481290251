#!/usr/bin/env bash
# tidy_one.sh BUILD-DIR FILE: clang-tidy over one file; quiet where nothing is found.
set -uo pipefail

lint=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# C has the names of C.
checks=
[[ $2 == *.c ]] && checks=-readability-identifier-naming
# A warning option of g++ that clang 14 does not know is no finding.
if ! output=$(clang-tidy-14 -p "$1" --quiet ${checks:+--checks="$checks"} \
    --extra-arg=-Wno-unknown-warning-option \
    --extra-arg-before=-include"$lint/clang_tidy_prelude.hpp" "$2" 2>/dev/null); then
    echo "$output"
    exit 1
fi
