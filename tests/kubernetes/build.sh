#!/usr/bin/env bash
# build.sh
# Builds a kube-apiserver from Debian's source package, which takes some 5 minutes the first time, and
# puts it beside etcd and kubectl into $CERTCAST_KUBERNETES, else ~/.cache/certcast/kubernetes. Prints
# that folder. For tests alone: the release is long unsupported.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${CERTCAST_KUBERNETES:-${XDG_CACHE_HOME:-$HOME/.cache}/certcast/kubernetes}
programs=(kube-apiserver etcd kubectl)

is_complete() {
    local program
    for program in "${programs[@]}"; do [[ -x $folder/$program ]] || return 1; done
}
if is_complete; then
    echo "$folder"
    exit 0
fi

mkdir -p "$folder"
# Two that build at once would take as long as one after the other.
exec {lock}>"$folder/.lock"
flock "$lock"
if is_complete; then
    echo "$folder"
    exit 0
fi
"$here/../install_packages.sh" kubernetes >&2

work=$(mktemp -d -p "$folder")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"

apt() { "$here/../apt_apart.sh" "$work" "$@"; }
apt update
apt download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev etcd-server kubernetes-client
apt source --only-source --download-only kubernetes
for package in ./*.deb; do dpkg -x "$package" unpacked; done
dpkg-source --no-check -x kubernetes_*.dsc kubernetes >&2
# The release's own copy knows Go up to 1.17: built with a newer one, the server dies over some answers.
rm -r kubernetes/vendor/github.com/modern-go/reflect2
cp -rL unpacked/usr/share/gocode/src/github.com/modern-go/reflect2 kubernetes/vendor/github.com/modern-go/

export GOROOT=$work/unpacked/usr/lib/go-1.19 GOPATH=$work/kubernetes/.go GOCACHE=$work/cache
export CGO_ENABLED=0 GOFLAGS=-mod=vendor GOPROXY=off GOTOOLCHAIN=local
export PATH=$GOROOT/bin:$PATH
# Debian has the library's source apart from the tools.
if [[ -e $work/unpacked/usr/share/go-1.19 ]]; then
    for name in "$work"/unpacked/usr/share/go-1.19/*; do
        [[ -e $GOROOT/${name##*/} ]] || ln -sfn "$name" "$GOROOT/${name##*/}"
    done
fi
mkdir -p "$GOPATH/src/k8s.io"
ln -s "$work/kubernetes" "$GOPATH/src/k8s.io/kubernetes"
(cd "$GOPATH/src/k8s.io/kubernetes" && make WHAT=cmd/kube-apiserver >&2)
cp -L kubernetes/_output/bin/kube-apiserver unpacked/usr/bin/etcd unpacked/usr/bin/kubectl "$folder"
is_complete
echo "$folder"
