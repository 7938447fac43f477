#!/bin/sh
# One of the lanes of script/test: works off a list of suites that all lanes share, each suite taken by whoever is free,
# on a database server of its own, so that a suite which freezes, kills or sets the server disturbs no other.
#
#   tests/lane.sh FOLDER DATABASES LIST NUMBER
#
# The server's folder is in DATABASES. FOLDER/LIST has a suite a line: NAME|VARIANT|SECONDS|COMMAND. The command gets the
# programs of the variant and a server; with the variant `none` it needs neither. What the N-th suite said is in
# FOLDER/LIST.N/said, its line of the summary in FOLDER/LIST.N/line. Ends with 1 when a suite has failed.
set -eu
folder=$1
databases=$2
list=$3
number=$4

export SETTLEMENTD_SANDBOX="$databases/sandbox$number"
child=
server_runs=
failed=0

# shellcheck disable=SC2317 # called by the traps
clean_up() {
    trap - EXIT INT TERM HUP
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    if [ -n "$server_runs" ]; then script/sandbox stop >/dev/null; fi
}
trap clean_up EXIT
trap 'clean_up; exit 143' INT TERM HUP

# bounded SECONDS COMMAND...: in a process group of its own, which ends as a whole when the time is over.
bounded() {
    limit=$1
    shift
    timeout --kill-after=10 "$limit" "$@" 3<&- &
    child=$!
    outcome=0
    wait "$child" || outcome=$?
    child=
    if [ "$outcome" -eq 124 ]; then printf 'stopped: not done within %s s\n' "$limit"; fi
    return "$outcome"
}

start_server() {
    if [ -n "$server_runs" ]; then return; fi
    server_runs=yes
    bounded 150 script/sandbox start || return 1
    SETTLEMENTD_TEST_SOCKET=$(script/sandbox socket)
    export SETTLEMENTD_TEST_SOCKET
}

# The programs for the system tests; instrumented ones are given more time for everything.
choose_programs() {
    export SETTLEMENTD_BIN="$PWD/build/$1/settlementd" SETTLECTL_BIN="$PWD/build/$1/settlectl" TEST_TIMEOUT_FACTOR=5
    if [ "$1" = release ]; then TEST_TIMEOUT_FACTOR=2; fi
}

perform() {
    variant=$1
    seconds=$2
    shift 2
    if [ "$variant" != none ]; then
        start_server || return 1
        choose_programs "$variant"
    fi
    bounded "$seconds" "$@"
}

# report NAME FOLDER BEGAN VERDICT: one line when all is well, everything that was said when not; in one piece.
report() {
    last=$(tail -n 1 "$2/said" | cut -c 1-100)
    printf '%-7s %-34s %4s s  %s\n' "$4" "$1" $(($(date +%s) - $3)) "$last" >"$2/line"
    if [ "$4" = ok ]; then
        cat "$2/line"
    else
        flock "$folder/lock" cat "$2/said" "$2/line"
    fi
}

count=0
while IFS='|' read -r name variant seconds command <&3; do
    count=$((count + 1))
    mine="$folder/$list.$count"
    mkdir "$mine" 2>/dev/null || continue # another lane has taken it
    printf '%s ...\n' "$name"
    began=$(date +%s)
    verdict=ok
    # shellcheck disable=SC2086 # the command's words
    if ! perform "$variant" "$seconds" $command >"$mine/said" 2>&1; then
        verdict=FAILED
        failed=1
    fi
    report "$name" "$mine" "$began" "$verdict"
done 3<"$folder/$list"
exit "$failed"
