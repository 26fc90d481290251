#!/usr/bin/env bash
# run.sh [CHECK...]: floors, format, spelling, shell, tidy; all of them where none is given.
# tidy reads compile_commands.json of the dev preset, so build that first.
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${CERTCAST_LINT_BUILD_DIR:-build/dev}

sources() {  # GIT-PATTERN...: what git knows and what it would add
    git ls-files --cached --others --exclude-standard -- "$@" |
        while read -r file; do [[ ! -f $file ]] || echo "$file"; done
}

floors() { tests/lint/floors.sh; }

format() {
    sources '*.cpp' '*.hpp' '*.c' '*.h' | xargs clang-format-14 --dry-run --Werror
}

spelling() { sources | grep -vxF LICENSE | xargs codespell; }

shell() {
    # By name or by first line: .ci/run has no suffix.
    sources | while read -r file; do
        [[ $file == *.sh ]] || head -n 1 "$file" | grep -qaE '^#!.*\bbash$' || continue
        echo "$file"
    done | xargs shellcheck
}

# What is compiled and stands in core, sdk, plugins or samples. Tests are written to misbehave.
tidy() {
    local files
    files=$(sources 'core/*.cpp' 'sdk/*.cpp' 'plugins/*.cpp' 'plugins/*.c' 'samples/*.cpp' 'samples/*.c' |
        while read -r file; do
            ! grep -qF "\"file\": \"$PWD/$file\"" "$build/compile_commands.json" || echo "$file"
        done)
    # Without the options of g++ that clang takes for mistakes.
    mkdir -p "$build/clang-tidy"
    sed 's/ -fno-gnu-unique//g' "$build/compile_commands.json" \
        >"$build/clang-tidy/compile_commands.json"
    # Each on its own: what it prints stays together, and nothing is printed of a file in order.
    xargs -P "$(nproc)" -n 1 tests/lint/tidy_one.sh "$build/clang-tidy" <<<"$files"
}

checks=("$@")
[[ ${#checks[@]} -gt 0 ]] || checks=(floors format spelling shell tidy)
failed=()
for check in "${checks[@]}"; do
    begun=$SECONDS
    if ("$check"); then verdict=ok; else verdict=FAILED; failed+=("$check"); fi
    echo "lint: $check $verdict ($((SECONDS - begun)) s)"
done
if [[ ${#failed[@]} -gt 0 ]]; then
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
fi
