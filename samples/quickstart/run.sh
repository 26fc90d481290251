#!/usr/bin/env bash
# run.sh [--build-dir DIR]
# Puts a renewed certificate onto three nginx servers at once, while a fourth deployment hangs and a
# fifth crashes. Everything happens in a temporary folder and on loopback; nothing keeps running.
# --build-dir: use this build instead of installing what is missing and building.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export PATH=$PATH:/usr/sbin:/sbin  # where nginx is, for those who are not root

build=
case ${1-} in
    --build-dir) build=$(cd "${2:?--build-dir takes a folder}" && pwd) ;;
    '') ;;
    *) echo "usage: run.sh [--build-dir DIR]" >&2; exit 2 ;;
esac

number=0
step() { number=$((number + 1)); printf '\n%d. %s\n' "$number" "$*"; }
give_up() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

if [[ -z $build ]]; then
    step "Installing what is missing and building; this takes some minutes the first time"
    build=$root/build/release
    "$root/tests/install_packages.sh" build test
    mkdir -p "$root/build"
    log=$root/build/quickstart.log
    if ! (cd "$root" && cmake --preset release --log-level=WARNING &&
        cmake --build --preset release) >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        give_up "the build failed; all of it stands in $log"
    fi
fi

umask 077
work=$(mktemp -d)
servers=()
clean_up() {
    for server in "${servers[@]}"; do kill -TERM "$server" 2>/dev/null || true; done
    for server in "${servers[@]}"; do wait "$server" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

names=(web1 web2 web3)
declare -A port_of=() before=() after=()

# ---- certificates -------------------------------------------------------------------------------

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

make_authority() {
    new_key "$work/ca.key"
    openssl req -x509 -new -key "$work/ca.key" -days 365 -subj "/CN=Throwaway CA" \
        -out "$work/ca.pem" 2>/dev/null
}

make_certificate() {  # NAME DAYS: NAME/cert.pem and NAME/key.pem, signed by the throwaway CA
    mkdir "$work/$1"
    new_key "$work/$1/key.pem"
    openssl req -new -key "$work/$1/key.pem" -subj /CN=quickstart.test -out "$work/$1.csr"
    openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
        -CAcreateserial -days "$2" -out "$work/$1/cert.pem" -extfile - 2>/dev/null \
        <<<"subjectAltName=DNS:quickstart.test"
}

fingerprint() { openssl x509 -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | tr A-F a-f; }

# What a server shows to whoever connects: "FINGERPRINT EXPIRY", or "nothing".
served_by() {  # NAME
    local pem
    pem=$(openssl s_client -connect "127.0.0.1:${port_of[$1]}" -servername quickstart.test \
        </dev/null 2>/dev/null | openssl x509 2>/dev/null) || { echo nothing; return; }
    printf '%s %s\n' "$(fingerprint <<<"$pem")" \
        "$(date -u -d "$(openssl x509 -noout -enddate <<<"$pem" | cut -d= -f2)" +%F)"
}

# ---- servers ------------------------------------------------------------------------------------

free_ports() {  # that many ports which nothing listens on, from the kernel
    perl -MIO::Socket::INET -e '
        my @sockets = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:0") or die }
            1 .. shift;
        print join(" ", map { $_->sockport } @sockets), "\n"' "$1"
}

write_server() {  # NAME
    local folder=$work/$1
    mkdir -p "$folder"
    cp "$work/old/cert.pem" "$folder/site.crt"
    cp "$work/old/key.pem" "$folder/site.key"
    cat >"$folder/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen 127.0.0.1:${port_of[$1]} ssl;
        server_name quickstart.test;
        ssl_certificate $folder/site.crt;
        ssl_certificate_key $folder/site.key;
        return 200 "hello from $1\n";
    }
}
END
}

start_server() {  # NAME: started, and answering
    local server give_up_at=$((SECONDS + 10))
    nginx -e stderr -c "$work/$1/nginx.conf" 2>>"$work/$1/stderr" &
    server=$!
    servers+=("$server")
    while [[ -d /proc/$server && $SECONDS -lt $give_up_at ]]; do
        [[ $(served_by "$1") == nothing ]] || return 0
    done
    return 1
}

start_servers() {
    local attempt ports name i
    for attempt in 1 2 3; do
        read -ra ports < <(free_ports ${#names[@]})
        for i in "${!names[@]}"; do port_of[${names[i]}]=${ports[i]}; done
        for name in "${names[@]}"; do
            write_server "$name"
            start_server "$name" || continue 2  # someone else was faster: other ports
        done
        return 0
    done
    cat "$work"/web*/stderr >&2
    give_up "nginx could not be started (after $attempt attempts)"
}

# ---- the pipeline -------------------------------------------------------------------------------

write_pipeline() {
    cat >"$work/pipeline.toml" <<END
format = 1

[certificate.site]
certificate = "new/cert.pem"
key = "new/key.pem"

[defaults]
retry = { attempts = 1 }

[deploy.nginx]
plugin = "nginx"
certificate = "site"
targets = [
$(for name in "${names[@]}"; do printf '    { name = "%s", port = %s },\n' "$name" "${port_of[$name]}"; done)
]
[deploy.nginx.config]
config = "\${target.name}/nginx.conf"
check = ["nginx", "-t", "-e", "stderr", "-c", "$work/\${target.name}/nginx.conf"]
reload = ["nginx", "-s", "reload", "-e", "stderr", "-c", "$work/\${target.name}/nginx.conf"]
[[deploy.nginx.config.files]]
certificate = "site"
fullchain = "\${target.name}/site.crt"
key = "\${target.name}/site.key"
address = "127.0.0.1:\${target.port}"
server_name = "quickstart.test"
[[deploy.nginx.probe]]
address = "127.0.0.1:\${target.port}"
server_name = "quickstart.test"

[deploy.hangs]
plugin = "sample-hang"
certificate = "site"
timeouts = { deploy = "1s" }
grace = "500ms"
probe = false

[deploy.crashes]
plugin = "sample-crash"
certificate = "site"
probe = false
END
}

# A value of one deployment in the report, read without a JSON tool.
reported() {  # DEPLOYMENT KEY
    tr -d '\n' <"$work/report.json" |
        grep -oP "\"name\":\s*\"\Q$1\E\".*?\"$2\":\s*\"?\K[a-z_0-9]+" | head -n 1 || true
}

# ---- what is shown ------------------------------------------------------------------------------

step "Making a throwaway CA, a certificate that is about to expire, and its renewal"
make_authority
make_certificate old 5
make_certificate new 90
new_fingerprint=$(fingerprint <"$work/new/cert.pem")

step "Starting three nginx on loopback, with the old certificate"
start_servers
for name in "${names[@]}"; do
    before[$name]=$(served_by "$name")
    printf '   %s listens on 127.0.0.1:%s\n' "$name" "${port_of[$name]}"
done

step "Running five deployments at once: three nginx, one that hangs, one that crashes"
write_pipeline
export CERTCAST_PLUGIN_PATH=$build/samples/quickstart/plugins
export XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/runtime
mkdir -p "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
echo "   certcast run pipeline.toml"
status=0
begun=$EPOCHREALTIME
"$build/bin/certcast" run "$work/pipeline.toml" --output plain --report "$work/report.json" \
    >"$work/output" 2>&1 || status=$?
ended=$EPOCHREALTIME
sed 's/^/   | /' "$work/output"
[[ -s $work/report.json ]] || give_up "certcast wrote no report (exit status $status)"

step "What each server serves"
printf '   %-5s  %-26s  %s\n' server before after
for name in "${names[@]}"; do
    after[$name]=$(served_by "$name")
    read -r former former_end <<<"${before[$name]}"
    read -r current current_end <<<"${after[$name]}"
    printf '   %-5s  %s.. until %s  %s.. until %s\n' "$name" "${former:0:8}" "${former_end-}" \
        "${current:0:8}" "${current_end-}"
done

step "How long it took"
wall=$(awk "BEGIN { printf \"%.0f\", ($ended - $begun) * 1000 }")
sum=0
for name in nginx/web1 nginx/web2 nginx/web3 hangs crashes; do
    took=$(reported "$name" duration_ms)
    sum=$((sum + ${took:-0}))
    printf '   %-11s %6s ms  %s\n' "$name" "${took:-?}" "$(reported "$name" status)"
done
printf '   %-11s %6s ms\n   %-11s %6s ms\n' "all at once" "$wall" "their sum" "$sum"

step "Is it as it should be?"
failed=0
expect() {  # WHAT ACTUAL EXPECTED
    if [[ $2 == "$3" ]]; then
        printf '   yes  %s\n' "$1"
    else
        printf '   NO   %s: %s, expected %s\n' "$1" "${2:-nothing}" "$3"
        failed=1
    fi
}
for name in "${names[@]}"; do
    expect "$name serves the new certificate" "${after[$name]%% *}" "$new_fingerprint"
done
expect "the one that hangs timed out" "$(reported hangs status)" timed_out
expect "the one that crashes crashed" "$(reported crashes status)" crashed
expect "certcast says so by its exit status" "$status" 1
expect "all at once took less than one after the other" "$((wall < sum))" 1
exit "$failed"
