#!/usr/bin/env bash
# tidy_one.sh BUILD-DIR FILE: clang-tidy over one file; quiet where nothing is found.
set -uo pipefail

# C has the names of C.
checks=
[[ $2 == *.c ]] && checks=-readability-identifier-naming
# A warning option of g++ that clang 14 does not know is no finding.
if ! output=$(clang-tidy-14 -p "$1" --quiet ${checks:+--checks="$checks"} \
    --extra-arg=-Wno-unknown-warning-option "$2" 2>/dev/null); then
    echo "$output"
    exit 1
fi
