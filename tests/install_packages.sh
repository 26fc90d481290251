#!/usr/bin/env bash
# install_packages.sh SECTION...
# Installs what is missing of the given sections of packages.txt (all of them where none is given).
# Where nothing is missing, apt is not called and no rights are needed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/packages.txt

wanted() {  # SECTION...
    awk -v sections="${*:-}" '
        BEGIN { count = split(sections, names, " "); for (i in names) chosen[names[i]] = 1 }
        { sub(/#.*/, ""); gsub(/[ \t]/, "") }
        /^\[.*\]$/ { section = substr($0, 2, length($0) - 2); next }
        $0 != "" && (count == 0 || section in chosen)' "$list"
}

missing() {  # of the names on standard input
    local package
    while read -r package; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            echo "$package"
    done
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "install_packages: this needs root, and there is no sudo. As root, run:" >&2
        echo "    $*" >&2
        return 1
    fi
}

# Debian starts servers when it installs them. The tests start servers of their own, so this asks the
# package scripts, in the way Debian provides for, to leave those alone while this script lives.
readonly policy=/usr/sbin/policy-rc.d
readonly servers=(nginx dovecot slapd mariadb postgresql ssh)
policy_placed=no
keep_stopped() {  # SERVER...
    [[ -e $policy ]] && return
    local draft
    draft=$(mktemp)
    cat >"$draft" <<END
#!/bin/sh
# Keeps $* from being started while certcast's install_packages.sh (process $$) installs it.
# May be removed.
for server in $*; do
    case "\$*" in *"\$server"*) [ -d /proc/$$ ] && exit 101 ;; esac
done
exit 0
END
    echo "install_packages: $* will not be started as a system service ($policy, for the moment)"
    policy_placed=yes
    as_root install -m 0755 "$draft" "$policy"
    rm -f "$draft"
}
remove_policy() {
    if [[ $policy_placed == yes ]]; then as_root rm -f "$policy"; fi
}
trap remove_policy EXIT

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install_packages: this is not Debian; install what $list names in your own way" >&2
    exit 1
fi

for section in "$@"; do
    if ! grep -qxF "[$section]" "$list"; then
        echo "install_packages: $list has no section [$section]" >&2
        exit 2
    fi
done
mapfile -t packages < <(wanted "$@" | missing)
[[ ${#packages[@]} -eq 0 ]] && exit 0

echo "install_packages: installing ${packages[*]}"
brought=()
for server in "${servers[@]}"; do
    if [[ " ${packages[*]/#openssh-server/ssh} " == *" $server"* ]]; then brought+=("$server"); fi
done
if [[ ${#brought[@]} -gt 0 ]]; then keep_stopped "${brought[@]}"; fi
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends \
    "${packages[@]}"
if [[ -d /run/systemd/system ]]; then
    for server in "${brought[@]}"; do as_root systemctl disable --quiet "$server.service"; done
fi
