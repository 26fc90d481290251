#!/usr/bin/env bash
# apt_apart.sh FOLDER APT-GET-ARGUMENT...
# apt-get with lists of its own in FOLDER, made from those of the machine and with Debian's sources,
# so that nothing of the machine changes. `update` comes first.
set -euo pipefail

folder=$(realpath "$1")
shift
if [[ ! -d $folder/lists ]]; then
    mkdir -p "$folder"/{lists,archives}/partial "$folder/parts"
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed 'p; s/^deb \(.*debian.*\)/deb-src \1/' >"$folder/sources.list" || true
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -e $file ]] || continue
        sed 's/^Types: deb$/Types: deb deb-src/' "$file" >"$folder/parts/$(basename "$file")"
    done
fi
apt-get -qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts="$folder/parts" \
    -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder" -o Dir::Cache::Archives="$folder/archives" \
    -o APT::Sandbox::User=root "$@" >&2
