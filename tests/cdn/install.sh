#!/usr/bin/env bash
# install.sh
# Puts what the cloud deployers are judged by into $CERTCAST_CDN, else ~/.cache/certcast/cdn: the vendors'
# own clients (package.json), and the signing suite that Debian's source of aws-crt-python holds.
# Prints that folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${CERTCAST_CDN:-${XDG_CACHE_HOME:-$HOME/.cache}/certcast/cdn}

is_complete() {
    [[ -d $folder/signing-suite ]] && cmp -s "$here/package-lock.json" "$folder/installed-lock.json"
}
if ! is_complete; then
    mkdir -p "$folder"
    # Two that install at once would be in each other's way.
    exec {lock}>"$folder/.lock"
    flock "$lock"
fi
if ! is_complete; then
    "$here/../install_packages.sh" cdn >&2
    command -v npm >/dev/null || "$here/../install_packages.sh" node >&2
    rm -f "$folder/installed-lock.json"
    cp "$here/package.json" "$here/package-lock.json" "$folder"
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund >&2)

    work=$(mktemp -d -p "$folder")
    trap 'rm -rf "$work"' EXIT
    "$here/../apt_apart.sh" "$work" update
    (cd "$work" && "$here/../apt_apart.sh" "$work" source --only-source --download-only aws-crt-python)
    (cd "$work" && dpkg-source --no-check -x aws-crt-python_*.dsc source >&2)
    suite=$(find "$work/source" -type d -name aws-signing-test-suite -print -quit)
    rm -rf "$folder/signing-suite"
    mv "$suite" "$folder/signing-suite"
    cp "$here/package-lock.json" "$folder/installed-lock.json"
fi
echo "$folder"
