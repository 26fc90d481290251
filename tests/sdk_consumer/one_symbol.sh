#!/bin/sh
# Every plugin exports the one symbol of the ABI and nothing else. Usage: one_symbol.sh FILE...
set -eu
[ $# -gt 0 ] || { echo "no plugin was named" >&2; exit 1; }
failed=0
for plugin in "$@"; do
    symbols=$(nm -D --defined-only "$plugin" | sed 's/^[0-9a-f]* . //')
    if [ "$symbols" != certcast_plugin_v1 ]; then
        echo "$plugin exports, beside or in place of certcast_plugin_v1:" >&2
        echo "$symbols" | grep -vx certcast_plugin_v1 | head -n 20 >&2 || true
        failed=1
    fi
done
exit $failed
