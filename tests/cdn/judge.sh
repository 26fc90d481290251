#!/usr/bin/env bash
# judge.sh VENDOR
# Has the vendor's own client judge its double. 77: it is not there, and need not be.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export CERTCAST_CDN=${CERTCAST_CDN:-${XDG_CACHE_HOME:-$HOME/.cache}/certcast/cdn}
if [[ ! -e $CERTCAST_CDN/installed-lock.json ]]; then
    echo "judge.sh: the vendors' clients are not there; tests/run.sh --cdn installs them"
    if [[ ${CERTCAST_REAL_PARTS:-} == required ]]; then exit 1; fi
    exit 77
fi
case $1 in
    aws) exec /usr/bin/python3 "$here/judge_aws.py" ;;
    *) exec node "$here/judge_$1.mjs" ;;
esac
