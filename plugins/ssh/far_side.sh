# Runs on the far side, under any POSIX sh, as
#     sh -c THIS certcast TOKEN CHECK RELOAD FIRST [PATH MODE OWNER GROUP SIZE LINES]..
# and does what it is asked by lines on standard input: "deploy PATIENCE LIMIT", "settle", "rollback
# PATIENCE LIMIT", "inspect", which FIRST may be too, to save a round trip; PATIENCE is for others who
# deploy, LIMIT for each command, in seconds. With "deploy" come the contents of the files, one after
# the other, and, once they are staged, the line "commit"; LINES is "" where they are no plain lines.
# After a deployment that went well all files are read back. Answers are lines on standard output. It
# goes on when the connection breaks: what it has begun it brings to an end.
# What an attempt leaves lies beside each file: .NAME.certcast-TOKEN.new is not switched to yet, or,
# where nothing was before, a second name of the file; .none says that where it has no second name;
# .old is what was replaced.
# A text without single quotes, because it is quoted by them. Programs and subshells are what it
# spends its time on, so the shell does what it can itself.
# shellcheck shell=sh disable=SC2012,SC3013,SC3067 # the first words of ls -l, -ef, -O, -G are there everywhere
set -u
unset text line  # what has been exported stays so, and files with keys go through these
LC_ALL=C
export LC_ALL
trap "" HUP INT PIPE TERM
token=$1 check=$2 reload=$3 first=$4
shift 4
if [ -n "$check$reload" ]; then usual=$(umask); fi
umask 077
newline="
"

say() { printf "certcast %s\n" "$*"; }

# A substitution costs as much as a program: only what has failed is asked why, by doing it again.
try() { "$@" >/dev/null 2>&1 || error=$("$@" 2>&1); }  # COMMAND..

# Each PATH MODE .. becomes PATH REAL MODE .., where its symlinks lead.
todo=$#
while [ "$todo" -gt 0 ]; do
    real=$1 hops=0
    while [ -h "$real" ] && [ "$hops" -lt 40 ]; do
        hops=$((hops + 1))
        link=$(readlink "$real" && printf x)
        link=${link%?x}
        case $link in /*) real=$link ;; *) real=${real%/*}/$link ;; esac
    done
    set -- "$@" "$1" "$real" "$2" "$3" "$4" "$5" "$6"
    shift 6
    todo=$((todo - 6))
done

# What lies beside a file.
name() {
    beside=${real%/*}/.${real##*/}.certcast
    new=$beside-$token.new old=$beside-$token.old none=$beside-$token.none said=$beside-$token.said
}

# each DO FILE..: until one fails.
each() {
    do=$1
    shift
    while [ $# -gt 0 ]; do
        path=$1 real=$2 mode=$3 owner=$4 group=$5 size=$6 lines=$7
        shift 7
        name
        "$do" || return 1
    done
}

# together DO NAMES FILE..: once, with the names that NAMES gives of each.
together() {
    do=$1 names=$2
    shift 2
    todo=$#
    while [ "$todo" -gt 0 ]; do
        real=$2
        name
        eval "set -- \"\$@\" $names"
        shift 7
        todo=$((todo - 7))
    done
    "$do" "$@"
}

look() {
    if [ ! -e "$real" ]; then
        say absent
    elif [ ! -f "$real" ]; then
        say odd
    elif [ ! -r "$real" ]; then
        say unreadable
    else
        found=$(find "$real" -prune -perm "$mode" ${owner:+-user "$owner"} ${group:+-group "$group"} 2>/dev/null)
        say file "${found:+as wanted}"
        show "$real"
    fi
}

show() {  # FILE..
    cat "$@" 2>/dev/null
    printf "\ncertcast-%s %s\n" "$token" $?
}

# A link that names its holder is made at once or not at all.
on_linux=yes
{ read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null ||
    { on_linux="" && boot=$(sysctl -n kern.boottime 2>/dev/null); }

is_alive() {  # HOLDER
    [ "${1#* }" = "$boot" ] && [ "${1%% *}" != $$ ] &&
        { kill -0 "${1%% *}" || ps -p "${1%% *}"; } >/dev/null 2>&1
}

# One deployment after the other. Who is gone holds it no more.
take_lock() {
    lock=$beside-lock waited=0 missed=0
    until try ln -s "$$ $boot" "$lock"; do
        if holder=$(readlink "$lock" 2>/dev/null); then
            refusal=busy error="another deployment holds $lock (process ${holder%% *})"
            if ! is_alive "$holder" && mv -f "$lock" "$lock-$$" 2>/dev/null; then
                # Somebody may have been faster, and holds it now.
                [ "$(readlink "$lock-$$")" = "$holder" ] || ln -s "$(readlink "$lock-$$")" "$lock"
                rm -f "$lock-$$"
            fi
            sleep 1
        else
            # It cannot be made, unless it has just been let go.
            refusal=failed missed=$((missed + 1))
            [ "$missed" -lt 3 ] || return 1
        fi
        waited=$((waited + 1))
        [ "$waited" -le "$patience" ] || return 1
    done
    locked=yes
    return 1  # the first file stands for all of them
}

# The end of what was asked for, in one line.
answer() {
    if [ -n "$locked" ]; then rm -f "$lock"; fi
    locked=""
    case $* in
        *"$newline"*) say "$(printf "%s" "$*" | tr "\n" " ")" ;;
        *) say "$*" ;;
    esac
}

own() {
    if [ -n "$group" ]; then chgrp "$group" "$new" || return 1; fi
    if [ -n "$owner" ]; then chown "$owner" "$new" || return 1; fi
    [ -e "$real" ] || return 0
    if [ -O "$real" ] && [ -G "$real" ] && [ -O "$new" ] && [ -G "$new" ]; then return 0; fi
    # Without a word of the operator they stay as they are, as far as the system permits.
    ls -ldn "$real" | {
        read -r _ _ uid gid _
        if [ -z "$owner" ]; then chown "$uid" "$new" 2>/dev/null; fi
        if [ -n "$group" ] || chgrp "$gid" "$new"; then return 0; fi
        # Another group must not read more than everybody may.
        all=${mode#"${mode%?}"} members=${mode%?}
        members=${members#"${members%?}"}
        [ $((members & ~all)) -eq 0 ]
    }
}

stage() {
    error="it is the same file as another of them"
    [ ! -e "$new" ] || return 1
    for gone in "$beside"-*.new "$beside"-*.said; do  # of somebody who was killed
        if [ -e "$gone" ] && ! [ "$gone" -ef "$real" ]; then rm -f "$gone"; fi
    done
    if [ -n "$lines" ]; then take_lines; else take_bytes; fi || return 1
    if [ -n "$owner$group" ] || [ -e "$real" ]; then error=$(own 2>&1) || return 1; fi
    try chmod "$mode" "$new"
}

take_lines() {
    text=""
    while [ "$lines" -gt 0 ]; do
        IFS= read -r line
        text=$text$line$newline
        lines=$((lines - 1))
    done
    error="the connection broke before it was whole"
    [ ${#text} -eq "$size" ] || return 1
    # Not printf, which is a program somewhere, and programs show their arguments to everybody.
    set -C
    { echo "${text%"$newline"}" >"$new"; } 2>/dev/null && { set +C; text="" line=""; return 0; }
    rm -f "$new"
    error=$( { dd if=/dev/zero bs="$size" count=1 >"$new"; } 2>&1)  # says why, unlike some echo
    set +C
    return 1
}

take_bytes() {
    error=$(set -C && { dd ibs=1 obs=65536 count="$size" >"$new"; } 2>&1) || return 1
    case $error in
        "$size+0 records in"*) return 0 ;;
    esac
    error="the connection broke before it was whole"
    return 1
}

# What the disk refused is told once: asked again, all is well. Where sync takes no names, it does it
# all.
sync_all() {
    sync "$@" >/dev/null 2>&1 && return 0
    error=$(sync "$@" 2>&1) && error="it could not be synced"
    { ! sync / && sync; } 2>/dev/null
}

# Another name for a file, or a copy where the system permits none.
copy() {  # FROM TO
    ln "$1" "$2" 2>/dev/null ||
        { rm -f "$2-part" && cp -p "$1" "$2-part" && mv -f "$2-part" "$2"; }
}

keep() { if [ -e "$real" ]; then try copy "$real" "$old"; fi; }

say_none() {
    [ -e "$none" ] || error=$( (set -C && echo >"$none") 2>&1)
}

switch() {
    if [ ! -e "$old" ]; then
        if ln "$new" "$real" 2>/dev/null; then
            [ "$new" -ef "$real" ] || say_none  # some file systems number each name apart
            return
        fi
        error="somebody else has just made it"
        [ ! -e "$real" ] || return 1
        say_none || return 1
    fi
    try mv -f "$new" "$real"
}

# What was there stays known until nothing needs it any more.
restore() {
    if [ -e "$old" ]; then
        restored=yes
        if [ "$old" -ef "$real" ]; then return 0; fi
        rm -f "$new"
        try copy "$old" "$new" && switch || return 1
    elif [ -e "$none" ] || [ "$new" -ef "$real" ]; then
        restored=yes
        say_none && remove "$real" "$new" || return 1
    fi
}

remove() { try rm -f "$@"; }
forget() {  # FILE..
    together remove "\"\$new\" \"\$new-part\" \"\$old\" \"\$old-part\" \"\$none\"" "$@"
}
sync_folders() { together sync_all "\"\${real%/*}/\"" "$@"; }  # FILE..

# As if nothing had been begun.
put_back() {  # FILE..
    left=""
    each restore "$@" && { sync_folders "$@"; forget "$@"; } || left="; and not put back: $path: $error"
}

# Ends all of it, since what else has been sent may not have been read.
fail() {  # FILE..
    why="$path: $error"
    put_back "$@"
    answer failed "$why$left"
    exit 1
}

# A command of the operator, with signals as a program expects them. What it says goes through a
# file, so that nobody waits for a background process that keeps its output open. Where there is no
# timeout, or an old one, it may take as long as it likes; also on FreeBSD, whose timeout waits for
# the daemons that a command has started, and ends them.
run() {
    (
        trap - HUP INT PIPE TERM
        set -C  # it is written to nothing that is there
        exec >"$said" 2>&1 </dev/null
        set +C
        umask "$usual"
        if [ -n "$on_linux" ] && timeout -k 5 5 true 2>/dev/null; then
            exec timeout -k 5 "$limit" sh -c "$1"
        fi
        exec sh -c "$1"
    )
    status=$?
    text=$(tail -c 16384 "$said")
    rm -f "$said"
    say said ${#text}
    printf "%s\n" "$text"
}

deploy() {  # FILE..
    each stage "$@" || fail "$@"
    together sync_all "\"\$new\"" "$@" || fail "$@"
    say staged
    IFS= read -r word
    error="nobody said commit"
    [ "$word" = commit ] || fail "$@"
    each keep "$@" || fail "$@"
    each switch "$@" || fail "$@"
    sync_folders "$@" || fail "$@"
    if [ -n "$check" ]; then
        run "$check"
        if [ "$status" -ne 0 ]; then
            put_back "$@"
            if [ -z "$left" ]; then
                answer refused "$status"
            else
                answer failed "check ended with status $status$left"
            fi
            return
        fi
    fi
    status=0
    if [ -n "$reload" ]; then
        say switched
        run "$reload"
    fi
    answer reloaded "$status"
    [ "$status" -ne 0 ] || together show "\"\$real\"" "$@"
}

rollback() {  # FILE..
    restored="" status=0
    each restore "$@" || { answer failed "$path: $error"; return; }
    sync_folders "$@"
    if [ -n "$restored" ] && [ -n "$reload" ]; then run "$reload"; fi
    [ "$status" -ne 0 ] || forget "$@" || { answer failed "$error"; return; }
    answer reloaded "$status"
}

locked=""
printf "\ncertcast ready\n"  # behind whatever a shell says when somebody logs in
if [ "$first" = inspect ]; then each look "$@"; fi
while IFS=" " read -r action patience limit; do
    case $action in
        inspect) each look "$@" ;;
        settle)
            # What this attempt has left belongs to nobody else, so nobody is kept away.
            if forget "$@"; then answer settled; else answer failed "$error"; fi
            ;;
        deploy | rollback)
            each take_lock "$@"
            if [ -z "$locked" ]; then
                answer "$refusal" "$path: $error"
                exit 1
            fi
            "$action" "$@"
            ;;
    esac
done
