#!/usr/bin/env bash
# run.sh [--json FILE] [--build-dir DIR] [NAME...]
# Measures what certcast costs, as ratios within one run wherever that is possible, and fails where a
# limit is missed. NAME is a figure of the table; all of them where none is given.
# --build-dir: a release build that is there already.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

readonly all_names=(noop_rate_ratio sandbox_rate_ratio waiting_wall_ratio waiting_worker_kb kill_late_ms_median
    kill_late_ms_worst single_run_ratio cold_start_ratio journal_cost_ratio scheduling_growth
    ssh_floor_ratio ssh_scp_ratio ssh_ansible_ratio ssh_parallel_kb kubernetes_floor_ratio)
declare -Ar limit_of=(
    [noop_rate_ratio]='>= 0.5'
    [sandbox_rate_ratio]='>= 0.8'
    [waiting_wall_ratio]='<= 1.5'
    [waiting_worker_kb]='<= 250'
    [single_run_ratio]='<= 60'
    [journal_cost_ratio]='<= 1.5'
    [scheduling_growth]='<= 12'
    [ssh_floor_ratio]='>= 0.8'
    [ssh_scp_ratio]='>= 2.5'
    [ssh_ansible_ratio]='>= 50'
    [kubernetes_floor_ratio]='>= 0.7')
declare -Ar meaning_of=(
    [noop_rate_ratio]='attempts a second without sandbox and journal, against bare fork+exit+wait; 5,000, 64 in parallel'
    [sandbox_rate_ratio]='attempts a second without journal, against the same without sandbox'
    [waiting_wall_ratio]='wall time of 2,000 that wait 1 s at 1,000 in parallel, against 2 s'
    [waiting_worker_kb]='PSS and page tables of everything, for each of 1,000 that wait'
    [kill_late_ms_median]='a hung attempt is dead so long after deadline + grace; 64 others run'
    [kill_late_ms_worst]='the latest of 16'
    [single_run_ratio]='one deployment of the file plugin, against posix_spawn of /bin/true'
    [cold_start_ratio]='exec + dlopen for each attempt, against the fork; 500 at 64 in parallel'
    [journal_cost_ratio]='2,000 attempts of two steps each, 64 in parallel, against the same without journal'
    [scheduling_growth]='time for ten times the deployments: the larger of 1,000/100 and 10,000/1,000'
    [ssh_floor_ratio]='200 hosts, 32 in parallel, two files each: rate against a bare program on libssh'
    [ssh_scp_ratio]='the same against xargs -P32 scp, of both files at once'
    [ssh_ansible_ratio]="50 hosts against ansible's copy module with 32 forks"
    [ssh_parallel_kb]='PSS and page tables of everything, for each of 500 that wait for a reload'
    [kubernetes_floor_ratio]='500 new secrets in 50 namespaces, 32 in parallel: rate against a bare program on libcurl')

json=
build=
names=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --json) json=${2:?--json takes a file}; shift ;;
        --build-dir) build=$(cd "${2:?--build-dir takes a folder}" && pwd); shift ;;
        *)
            if [[ -z ${meaning_of[$1]+known} ]]; then
                echo "run.sh: there is no figure $1; there are: ${all_names[*]}" >&2
                exit 2
            fi
            names+=("$1")
            ;;
    esac
    shift
done
[[ ${#names[@]} -gt 0 ]] || names=("${all_names[@]}")

if [[ -z $build ]]; then
    build=$root/build/release
    tests/install_packages.sh build test >&2
    cmake --preset release --log-level=WARNING >&2
    cmake --build --preset release >&2
fi
cmake --build "$build" --target bench >&2

work=$(mktemp -d)
far=$(mktemp -d -p /dev/shm)  # what is on other hosts: each has a disk of its own, and here they would share one
servers=()  # of our own
trap 'if ((${#servers[@]})); then kill "${servers[@]}"; wait "${servers[@]}" || :; fi; rm -rf "$work" "$far"' EXIT
export XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/run
mkdir -m 0700 "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
export CERTCAST_PLUGIN_PATH=$build/tests/bench/plugins
certcast=$build/bin/certcast
programs=$build/tests/bench/programs
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=bench \
    -addext subjectAltName=DNS:bench.test -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

calculate() {  # EXPRESSION
    awk "BEGIN { printf \"%.3f\", $1 }"
}

pipeline() {  # FILE MAX_PARALLEL: begins a pipeline
    cat >"$1" <<END
format = 1
[certificate.bench]
certificate = "cert.pem"
key = "key.pem"
[defaults]
max_parallel = $2
retry = { attempts = 1 }
END
}

without_sandbox() {  # FILE PLUGIN, right behind its beginning
    printf 'plugin.%s.sandbox = "off"\n' "$2" >>"$1"
}

entry() {  # FILE NAME PLUGIN COUNT [LINE...]: COUNT deployments of one plugin
    local file=$1 name=$2 plugin=$3 count=$4
    shift 4
    seq -f "$name%g" "$count" >"$work/$name.txt"
    {
        printf '[deploy.%s]\nplugin = "%s"\ncertificate = "bench"\nprobe = false\n' "$name" "$plugin"
        printf 'targets = { file = "%s.txt" }\n' "$name"
        printf '%s\n' "$@"
    } >>"$file"
}

run() {  # FILE [OPTION...]: plain output into a file, as an operator would have it
    "$certcast" run --output plain "$@" >"$work/output" 2>&1 || {
        echo "run.sh: certcast run failed:" >&2
        tail -n 20 "$work/output" >&2
        return 1
    }
}

seconds() {  # COMMAND...
    local begun=$EPOCHREALTIME
    "$@" || return
    calculate "$EPOCHREALTIME - $begun"
}

median() {
    sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

declare -A value_of=()

measure_noop() {
    local ours bare
    pipeline "$work/noop.toml" 64
    without_sandbox "$work/noop.toml" bench-noop
    entry "$work/noop.toml" noop bench-noop 5000
    # In turn, so that whatever slows the machine down for a while slows both.
    value_of[noop_rate_ratio]=$(for _ in 1 2 3 4 5; do
        bare=$("$programs/fork_loop" "$CERTCAST_PLUGIN_PATH/bench-noop.so" 5000 64)
        ours=$(seconds run "$work/noop.toml" --no-journal)
        calculate "$bare / $ours"
        echo
    done | median)
}

measure_sandbox() {
    local confined open
    pipeline "$work/confined.toml" 64
    entry "$work/confined.toml" confined bench-noop 5000
    pipeline "$work/open.toml" 64
    without_sandbox "$work/open.toml" bench-noop
    entry "$work/open.toml" open bench-noop 5000
    value_of[sandbox_rate_ratio]=$(for _ in 1 2 3 4 5; do
        open=$(seconds run "$work/open.toml" --no-journal)
        confined=$(seconds run "$work/confined.toml" --no-journal)
        calculate "$open / $confined"
        echo
    done | median)
}

measure_waiting_wall() {
    local wall
    pipeline "$work/waiting.toml" 1000
    entry "$work/waiting.toml" waiting bench-waiting 2000 'config = { milliseconds = 1000 }'
    wall=$(seconds run "$work/waiting.toml")
    value_of[waiting_wall_ratio]=$(calculate "$wall / 2")
}

measure_waiting_memory() {
    local host total
    pipeline "$work/memory.toml" 1000
    entry "$work/memory.toml" memory bench-waiting 1000 'config = { milliseconds = 8000 }'
    "$certcast" run --output plain "$work/memory.toml" >"$work/output" 2>&1 &
    host=$!
    total=$("$programs/sample_memory" "$host" 1000)
    wait "$host"
    value_of[waiting_worker_kb]=$(calculate "$total / 1000")
}

measure_kills() {
    local watcher
    mkfifo "$work/hung.fifo"
    pipeline "$work/kills.toml" 80
    printf 'plugin.bench-waiting.max_parallel = 64\n' >>"$work/kills.toml"
    entry "$work/kills.toml" hung bench-hung 16 'timeouts = { deploy = "1s" }' 'grace = "500ms"' \
        "config = { announce = \"$work/hung.fifo\" }"
    entry "$work/kills.toml" others bench-waiting 1500 'config = { milliseconds = 100 }'
    "$programs/watch_kills" "$work/hung.fifo" 16 500 >"$work/late" &
    watcher=$!
    # The hung ones fail, so the exit status is 1.
    "$certcast" run --output plain "$work/kills.toml" >"$work/output" 2>&1 && return 1
    wait "$watcher"
    value_of[kill_late_ms_median]=$(median <"$work/late")
    value_of[kill_late_ms_worst]=$(tail -n 1 "$work/late")
}

measure_single_run() {
    local ours bare
    pipeline "$work/single.toml" 1
    cat >>"$work/single.toml" <<END
[deploy.single]
plugin = "file"
certificate = "bench"
probe = false
config = { fullchain = "deployed.pem", key = "deployed.key" }
END
    ours=$("$programs/spawn_loop" 31 "$work/deployed.pem" "$certcast" run --output plain \
        "$work/single.toml")
    bare=$("$programs/spawn_loop" 301 "$work/deployed.pem" /bin/true)
    value_of[single_run_ratio]=$(calculate "$ours / $bare")
}

measure_cold_start() {
    local cold warm
    pipeline "$work/warm.toml" 64
    entry "$work/warm.toml" warm bench-noop 500
    pipeline "$work/cold.toml" 64
    entry "$work/cold.toml" cold bench-cold 500
    warm=$(seconds run "$work/warm.toml")
    cold=$(seconds run "$work/cold.toml")
    value_of[cold_start_ratio]=$(calculate "$cold / $warm")
}

measure_journal() {
    local with without
    pipeline "$work/steps.toml" 64
    entry "$work/steps.toml" steps bench-steps 2000
    value_of[journal_cost_ratio]=$(for _ in 1 2 3 4 5; do
        without=$(seconds run "$work/steps.toml" --no-journal)
        with=$(seconds run "$work/steps.toml")
        calculate "$with / $without"
        echo
    done | median)
}

# A real sshd. Who logs in has sh as a shell, because what a root shell's start-up files do is nobody's
# cost here; that takes mounts, hence root.
start_sshd() {
    [[ -z ${ssh_port-} ]] || return 0
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/user_key"
    sed 's!^\(root:.*:\)[^:]*$!\1/bin/sh!' /etc/passwd >"$work/passwd"
    local log=$work/sshd.log tries server=
    for tries in 1 2 3 4 5; do
        ssh_port=$((20000 + RANDOM % 10000))
        cat >"$work/sshd_config" <<END
ListenAddress 127.0.0.1
Port $ssh_port
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
Subsystem sftp /usr/lib/openssh/sftp-server
MaxStartups 1000
END
        # shellcheck disable=SC2016 # $1 is that of the inner shell
        unshare --mount sh -c 'mount --bind "$1/passwd" /etc/passwd && exec /usr/sbin/sshd -D -e -f "$1/sshd_config"' \
            sh "$work" 2>"$log" &
        server=$!
        until grep -q 'listening on\|Cannot bind' "$log"; do
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
        grep -q 'listening on' "$log" && break
        server=
    done
    if [[ -z $server ]]; then
        echo "run.sh: sshd does not start ($tries tries): $(tail -n 1 "$log")" >&2
        return 1
    fi
    servers+=("$server")
    echo "[127.0.0.1]:$ssh_port $(<"$work/host_key.pub")" >"$work/known_hosts"
}

hosts() {  # NAME COUNT: an empty folder for each, and a list of them
    rm -rf "${far:?}/$1"
    seq -f "$far/$1/%g" "$2" >"$work/$1.txt"
    xargs mkdir -p <"$work/$1.txt"
}

fleet() {  # FILE NAME COUNT MAX_PARALLEL [LINE...]: one deployment for each of these hosts
    local file=$1 name=$2 count=$3 parallel=$4
    shift 4
    hosts "$name" "$count"
    pipeline "$file" "$parallel"
    entry "$file" "$name" ssh "$count" "[deploy.$name.config]" 'host = "127.0.0.1"' "port = $ssh_port" \
        'user = "root"' "known_hosts = \"$work/known_hosts\"" "key_file = \"$work/user_key\"" \
        "files = [{ form = \"fullchain\", path = \"$far/$name/\${target.name}/crt\" }, { form = \"key\", path = \"$far/$name/\${target.name}/key\" }]" \
        "$@"
    seq "$count" >"$work/$name.txt"
}

against_fleet() {  # NAME COMMAND...: prints the seconds that it takes for $work/NAME.txt; in turn with ours
    local name=$1 theirs ours
    shift
    for _ in 1 2 3 4 5; do
        hosts "$name" 200
        fleet "$work/fleet.toml" fleet 200 32
        theirs=$("$@")
        ours=$(seconds run "$work/fleet.toml")
        calculate "$theirs / $ours"
        echo
    done | median
}

measure_ssh_floor() {
    start_sshd
    value_of[ssh_floor_ratio]=$(against_fleet bare "$programs/ssh_floor" "$ssh_port" root "$work/user_key" \
        "$work/bare.txt" 32 "$work/cert.pem" "$work/key.pem")
}

scp_all() {
    xargs -a "$work/scp.txt" -P 32 -I{} scp -q -F none -P "$ssh_port" -i "$work/user_key" \
        -o UserKnownHostsFile="$work/known_hosts" "$work/cert.pem" "$work/key.pem" root@127.0.0.1:{}/
}

measure_ssh_scp() {
    start_sshd
    value_of[ssh_scp_ratio]=$(against_fleet scp seconds scp_all)
}

# Host by host, as an operator writes it: two tasks of the copy module.
ansible_all() {
    ANSIBLE_CONFIG=$work/ansible.cfg ansible-playbook -i "$work/inventory" "$work/playbook.yml" >"$work/output"
}

measure_ssh_ansible() {
    local theirs ours
    if ! command -v ansible-playbook >/dev/null; then
        value_of[ssh_ansible_ratio]=-
        return
    fi
    start_sshd
    hosts ansible 50
    awk -v port="$ssh_port" -v key="$work/user_key" -v known="$work/known_hosts" '{
        printf "h%d ansible_host=127.0.0.1 ansible_port=%s ansible_user=root folder=%s ansible_ssh_private_key_file=%s", NR, port, $0, key
        printf " ansible_ssh_common_args=\"-F none -o UserKnownHostsFile=%s\"\n", known
    }' "$work/ansible.txt" >"$work/inventory"
    printf '[defaults]\nforks = 32\ninterpreter_python = /usr/bin/python3\n' >"$work/ansible.cfg"
    cat >"$work/playbook.yml" <<END
- hosts: all
  gather_facts: false
  tasks:
    - copy: { src: "$work/cert.pem", dest: "{{ folder }}/crt", mode: "0644" }
    - copy: { src: "$work/key.pem", dest: "{{ folder }}/key", mode: "0600" }
END
    fleet "$work/few.toml" few 50 32
    theirs=$(seconds ansible_all)
    ours=$(seconds run "$work/few.toml")
    value_of[ssh_ansible_ratio]=$(calculate "$theirs / $ours")
}

# All of them wait in their reload, which begins when they are connected and have switched.
measure_ssh_parallel() {
    local host total
    start_sshd
    mkdir "$work/begun"
    mkfifo "$work/go"
    exec {go}<>"$work/go"  # so that nobody's open waits
    fleet "$work/parallel.toml" parallel 500 500 'connect_timeout = "2m"' \
        "reload = [\"sh\", \"-c\", \"mktemp -d $work/begun/XXXXXX; read -r word <$work/go\"]"
    "$certcast" run --output plain "$work/parallel.toml" >"$work/output" 2>&1 &
    host=$!
    until [[ $(find "$work/begun" -mindepth 1 | wc -l) -ge 500 ]]; do
        if ! kill -0 "$host" 2>/dev/null; then
            tail -n 20 "$work/output" >&2
            return 1
        fi
        sleep 0.2
    done
    total=$("$programs/sample_memory" "$host" 500)
    seq 500 >&"$go"
    wait "$host"
    exec {go}>&-
    value_of[ssh_parallel_kb]=$(calculate "$total / 500")
}

# A real API server, where tests/kubernetes/build.sh has built one. Its data are in memory.
start_kubernetes() {
    local programs=${CERTCAST_KUBERNETES:-${XDG_CACHE_HOME:-$HOME/.cache}/certcast/kubernetes} port etcd tries
    [[ -x $programs/kube-apiserver ]] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=kubernetes \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$work/api.key" -out "$work/api.pem" 2>/dev/null
    echo 'bench-token,bench,1,system:masters' >"$work/tokens"
    install -m 0600 /dev/null "$work/token"
    echo bench-token >"$work/token"
    kubectl=(env HOME="$work" "$programs/kubectl" --certificate-authority "$work/api.pem" --token bench-token)
    for tries in 1 2 3 4 5; do
        etcd=http://127.0.0.1:$((20000 + RANDOM % 10000)) port=$((10000 + RANDOM % 10000))
        "$programs/etcd" --data-dir "$far/etcd$tries" --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
            --listen-peer-urls http://127.0.0.1:0 --unsafe-no-fsync >"$work/etcd.log" 2>&1 &
        servers+=($!)
        "$programs/kube-apiserver" --etcd-servers="$etcd" --bind-address=127.0.0.1 --secure-port="$port" \
            --insecure-port=0 --tls-cert-file="$work/api.pem" --tls-private-key-file="$work/api.key" \
            --token-auth-file="$work/tokens" --authorization-mode=RBAC \
            --service-account-issuer=https://kubernetes.default.svc \
            --service-account-key-file="$work/api.pem" --service-account-signing-key-file="$work/api.key" \
            --disable-admission-plugins=ServiceAccount --endpoint-reconciler-type=none \
            --service-cluster-ip-range=10.0.0.0/24 --cert-dir="$work" >"$work/api.log" 2>&1 &
        servers+=($!)
        until "${kubectl[@]}" --server "https://127.0.0.1:$port" get --raw /readyz >/dev/null 2>&1; do
            kill -0 "${servers[@]: -2}" 2>/dev/null || continue 2
            sleep 0.2
        done
        api=https://127.0.0.1:$port
        return
    done
    echo "run.sh: no API server ($tries tries): $(tail -n 1 "$work/api.log")" >&2
    return 1
}

measure_kubernetes_floor() {
    local round each theirs ours
    value_of[kubernetes_floor_ratio]=-
    start_kubernetes
    [[ -n ${api-} ]] || return 0
    for round in {1..50}; do
        printf -- '---\napiVersion: v1\nkind: Namespace\nmetadata: {name: space%d}\n' "$round"
    done | "${kubectl[@]}" --server "$api" create -f - >/dev/null
    value_of[kubernetes_floor_ratio]=$(for round in 1 2 3 4 5; do
        for each in {0..499}; do echo "space$((each % 50 + 1)) bare$round-$((each / 50))"; done >"$work/bare.txt"
        theirs=$("$programs/kubernetes_floor" "$api" "$work/api.pem" bench-token "$work/bare.txt" 32 \
            "$work/cert.pem" "$work/key.pem")
        pipeline "$work/secrets.toml" 32
        # shellcheck disable=SC2016 # certcast's, not the shell's
        entry "$work/secrets.toml" secrets kubernetes 500 '[deploy.secrets.config]' "server = \"$api\"" \
            "ca_file = \"$work/api.pem\"" "token = { file = \"$work/token\" }" \
            'namespace = "${target.space}"' "name = \"ours$round-\${target.number}\""
        for each in {0..499}; do
            echo "secret$each space=space$((each % 50 + 1)) number=$((each / 50))"
        done >"$work/secrets.txt"
        ours=$(seconds run "$work/secrets.toml")
        calculate "$theirs / $ours"
        echo
    done | median)
}

measure_scheduling() {
    value_of[scheduling_growth]=$("$programs/scheduling" 100 1000 10000)
}

declare -Ar measured_by=(
    [noop_rate_ratio]=measure_noop
    [sandbox_rate_ratio]=measure_sandbox
    [waiting_wall_ratio]=measure_waiting_wall
    [waiting_worker_kb]=measure_waiting_memory
    [kill_late_ms_median]=measure_kills
    [kill_late_ms_worst]=measure_kills
    [single_run_ratio]=measure_single_run
    [cold_start_ratio]=measure_cold_start
    [journal_cost_ratio]=measure_journal
    [scheduling_growth]=measure_scheduling
    [ssh_floor_ratio]=measure_ssh_floor
    [ssh_scp_ratio]=measure_ssh_scp
    [ssh_ansible_ratio]=measure_ssh_ansible
    [ssh_parallel_kb]=measure_ssh_parallel
    [kubernetes_floor_ratio]=measure_kubernetes_floor)

missed=0
printf '%-22s %9s  %-8s %-4s %s\n' figure value limit ok 'what it is'
for name in "${names[@]}"; do
    [[ -n ${value_of[$name]+measured} ]] || "${measured_by[$name]}"
    limit=${limit_of[$name]-}
    ok=-
    if [[ -n $limit && ${value_of[$name]} != - ]]; then
        ok=$(awk "BEGIN { print (${value_of[$name]} $limit) ? \"yes\" : \"NO\" }")
        [[ $ok == yes ]] || missed=1
    fi
    # Nothing where what it is measured against is not there.
    value=${value_of[$name]}
    [[ $value == - ]] || value=$(printf '%.3f' "$value")
    printf '%-22s %9s  %-8s %-4s %s\n' "$name" "$value" "${limit:--}" "$ok" \
        "${meaning_of[$name]}"
done
if [[ -n $json ]]; then
    for name in "${names[@]}"; do
        [[ ${value_of[$name]} == - ]] || printf '"%s": %s\n' "$name" "${value_of[$name]}"
    done |
        awk 'BEGIN { printf "{" } { printf "%s%s", (NR > 1 ? ", " : ""), $0 } END { print "}" }' >"$json"
fi
exit "$missed"
