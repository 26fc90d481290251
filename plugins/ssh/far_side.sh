# Runs on the far side, under any POSIX sh, as
#     sh -c THIS certcast ACTION TOKEN PATIENCE CHECK RELOAD [PATH MODE OWNER GROUP SIZE]..
# with the contents of the files on standard input, one after the other, and then the line "commit".
# What an attempt leaves lies beside each file: .NAME.certcast-TOKEN.new is not switched to yet, .old
# is what was replaced, .none says that nothing was there. Answers are lines on standard output; what
# commands say goes to standard error. It goes on when the connection breaks: what it has begun it
# brings to an end. A text without single quotes, because it is quoted by them.
# shellcheck shell=sh disable=SC2012 # the first words of ls -l are portable, and stat is not
set -u
umask 077
LC_ALL=C
export LC_ALL
trap "" HUP INT PIPE TERM
action=$1 token=$2 patience=$3 check=$4 reload=$5
shift 5

say() { printf "certcast %s\n" "$*"; }

# each DO FILE..: until one fails.
each() {
    do=$1
    shift
    while [ $# -gt 0 ]; do
        path=$1 mode=$2 owner=$3 group=$4 size=$5
        shift 5
        real=$path hops=0
        while [ -h "$real" ] && [ "$hops" -lt 40 ]; do
            hops=$((hops + 1))
            link=$(readlink "$real" && printf x)
            link=${link%?x}
            case $link in /*) real=$link ;; *) real=${real%/*}/$link ;; esac
        done
        beside=${real%/*}/.${real##*/}.certcast
        new=$beside-$token.new old=$beside-$token.old none=$beside-$token.none
        "$do" || return 1
    done
}

look() {
    if [ -f "$real" ]; then
        ls -ld "$real" | { read -r _ _ its_owner its_group _ && printf "certcast file %s %s " "$its_owner" "$its_group"; }
        ls -ldn "$real" | { read -r rights _ uid gid _ && printf "%s %s %s " "$rights" "$uid" "$gid"; }
        if bytes=$({ wc -c <"$real"; } 2>/dev/null); then
            printf "%d\n" "$bytes"
            cat "$real"
            say end
        else
            printf "unreadable\n"
        fi
    elif [ -e "$real" ]; then
        say odd
    else
        say absent
    fi
}

# One deployment after the other. Whoever made it and is gone holds it no more.
take_lock() {
    lock=$beside-lock waited=0
    until error=$(mkdir "$lock" 2>&1); do
        [ -d "$lock" ] || return 1
        holder=$(cat "$lock/pid" 2>/dev/null)
        if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null && ! ps -p "$holder" >/dev/null 2>&1; then
            rm -f "$lock/pid"
            rmdir "$lock" 2>/dev/null
            continue
        fi
        error="another deployment holds $lock (process ${holder:-unknown})"
        waited=$((waited + 1))
        [ "$waited" -le "$patience" ] || return 1
        sleep 1
    done
    printf "%s\n" $$ >"$lock/pid"
    locked=yes
    return 1  # the first file stands for all of them
}

leave() {  # ANSWER..
    if [ -n "$locked" ]; then
        rm -f "$lock/pid"
        rmdir "$lock"
    fi
    say "$(printf "%s" "$*" | tr "\n" " ")"
    exit
}

own() {
    if [ -n "$owner" ]; then chown "$owner" "$new" || return 1; fi
    if [ -n "$group" ]; then chgrp "$group" "$new" || return 1; fi
    [ -e "$real" ] || return 0
    # Without a word of the operator they stay as they are, as far as the system permits.
    ls -ldn "$real" | {
        read -r _ _ uid gid _
        if [ -z "$owner" ]; then chown "$uid" "$new"; fi
        if [ -z "$group" ]; then chgrp "$gid" "$new"; fi
    } 2>/dev/null
    return 0
}

stage() {
    error=$(dd ibs=1 obs=65536 count="$size" of="$new" 2>&1) || return 1
    error="the connection broke before it was whole"
    [ "$(wc -c <"$new")" -eq "$size" ] || return 1
    error=$(own 2>&1) && error=$(chmod "$mode" "$new" 2>&1) || return 1
    { sync "$new" || sync; } 2>/dev/null
}

keep() {
    if [ -e "$real" ]; then error=$(ln "$real" "$old" 2>&1); else error=$( (: >"$none") 2>&1); fi
}

switch() {
    error=$(mv -f "$new" "$real" 2>&1) && { sync "${real%/*}/" || sync; } 2>/dev/null
}

# What was there stays known until nothing needs it any more.
restore() {
    if [ -e "$old" ]; then
        rm -f "$new"
        error=$(ln "$old" "$new" 2>&1) && error=$(mv -f "$new" "$real" 2>&1) || return 1
        restored=yes
    elif [ -e "$none" ]; then
        error=$(rm -f "$real" 2>&1) || return 1
        restored=yes
    fi
}

forget() { rm -f "$new" "$old" "$none"; }

undo() {  # FILE..
    each restore "$@" && each forget "$@"
}

# A command of the operator, with signals as a program expects them.
run() {
    (
        trap - HUP INT PIPE TERM
        exec sh -c "$1" >&2 </dev/null
    )
    status=$?
}

deploy() {  # FILE..
    each stage "$@" || { failed="$path: $error" && each forget "$@" && leave failed "$failed"; }
    say staged
    IFS= read -r word
    [ "$word" = commit ] || { each forget "$@" && leave failed "nobody said commit"; }
    each keep "$@" || { failed="$path: $error" && each forget "$@" && leave failed "$failed"; }
    each switch "$@" || { failed="$path: $error" && undo "$@" && leave failed "$failed"; }
    if [ -n "$check" ]; then
        run "$check"
        [ "$status" -eq 0 ] || { undo "$@" && leave refused "$status"; }
    fi
    say switched
    status=0
    [ -z "$reload" ] || run "$reload"
    leave reloaded "$status"
}

rollback() {  # FILE..
    each restore "$@" || leave failed "$path: $error"
    status=0
    if [ -n "$restored" ] && [ -n "$reload" ]; then run "$reload"; fi
    [ "$status" -ne 0 ] || each forget "$@"
    leave reloaded "$status"
}

locked="" restored=""
if [ "$action" = inspect ]; then
    each look "$@"
    exit
fi
each take_lock "$@"
[ -n "$locked" ] || leave busy "$error"
case $action in
    deploy) deploy "$@" ;;
    rollback) rollback "$@" ;;
    settle) each forget "$@" && leave settled ;;
esac
