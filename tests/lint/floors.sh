#!/usr/bin/env bash
# Includes go down only: a file in core/<floor> includes its own floor or lower ones; sdk and
# plugins include nothing of core. And the core stays small.
set -euo pipefail

cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

declare -Ar floor_of=([base]=0 [certificate]=1 [pipeline]=2 [plugin]=2 [worker]=3 [journal]=3
    [scheduler]=4 [report]=5 [cli]=6)
readonly most_core_lines=25000  # without comments and empty lines
readonly many_lines=500

complaints=0
complain() {  # FILE:LINE MESSAGE
    echo "$1: $2"
    complaints=$((complaints + 1))
}

# What the worker program is linked from: nothing of Asio, OpenSSL or the pipeline gets into it.
readonly of_the_program='^core/(base|worker)/|^core/plugin/(value|raw_value|descriptor|describe_wire)\.hpp$'

check_include() {  # FILE LINE INCLUDED
    local file=$1 at=$1:$2 included=$3 mine theirs
    theirs=${included#core/}
    theirs=${theirs%%/*}
    case $file in
        sdk/* | plugins/*)
            complain "$at" "includes $included; plugins and the SDK know nothing of core"
            return
            ;;
    esac
    if [[ ! -e $included ]]; then
        complain "$at" "includes $included, which is not there"
    fi
    if [[ -z ${floor_of[$theirs]+known} ]]; then
        complain "$at" "includes $included, whose folder has no floor (see tests/lint/floors.sh)"
        return
    fi
    [[ $file == core/* ]] || return 0
    mine=${file#core/}
    mine=${mine%%/*}
    if [[ -z ${floor_of[$mine]+known} ]]; then
        complain "$at" "$mine has no floor (see tests/lint/floors.sh)"
    elif [[ ${floor_of[$theirs]} -gt ${floor_of[$mine]} ]]; then
        complain "$at" "floor ${floor_of[$mine]} ($mine) includes $included of floor ${floor_of[$theirs]}"
    fi
    if [[ $file == core/worker/program/* && ! $included =~ $of_the_program ]]; then
        complain "$at" "includes $included; the worker program is made of base, worker and the plugin model"
    fi
}

mapfile -t sources < <(find core sdk plugins tests samples -type f \
    \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h' \) | sort)
while IFS=: read -r file line text; do
    included=${text#*\"}
    check_include "$file" "$line" "${included%%\"*}"
done < <(grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"core/' "${sources[@]}")

while IFS=: read -r file line text; do
    complain "$file:$line" "write includes from the root, without .. :$text"
done < <(grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*\.\./' "${sources[@]}")

core_lines=$(find core -type f \( -name '*.cpp' -o -name '*.hpp' \) -exec cat {} + |
    grep -vcE '^[[:space:]]*(//.*)?$')
if [[ $core_lines -ge $most_core_lines ]]; then
    complain core "$core_lines lines of code; it stays under $most_core_lines"
fi
for file in "${sources[@]}"; do
    lines=$(wc -l <"$file")
    if [[ $lines -gt $many_lines ]]; then
        echo "$file: warning: $lines lines; one idea a file?"
    fi
done

if [[ $complaints -gt 0 ]]; then
    echo "floors: $complaints complaints"
    exit 1
fi
echo "floors: ${#sources[@]} files, core has $core_lines lines of code"
