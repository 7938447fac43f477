#!/bin/sh
# Checks what the compiler does not: who may include whom, lengths, banned calls, no floating point near money, include
# guards, that every suite is run, that every event is documented, and the format. One line a finding, FILE:LINE: what. Ends
# with 1 when there is one.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 # lengths are counted in characters

FILE_LINES=500
FUNCTION_LINES=70
FUNCTION_PARAMETERS=5
FOREIGN_SIGNATURES="send_and_fail" # functions whose parameters a library has laid down, as an expression

findings=$(mktemp)
trap 'rm -f "$findings" "$findings.list"' EXIT

# Prints all files of the project with one of the given endings.
sources() {
    for ending in "$@"; do
        find . \( -path ./.git -o -path ./build -o -path ./.sandbox \) -prune -o \
            -type f -name "*.$ending" -print
    done | sed 's|^\./||' | sort
}

c_files=$(sources c h)
shell_files=$(find script .ci tests bench -path tests/fuzz/corpus -prune -o -type f -print 2>/dev/null | sort | while read -r file; do
    if head -n 1 "$file" | grep -q '^#!/bin/sh'; then echo "$file"; fi
done)

# The include law. A rule names who may include what; the first rule whose left side matches a file counts.
check_includes() {
    # shellcheck disable=SC2086 # a list of names without spaces
    awk '
    function rule(who, whom) { left[++rules] = who; right[rules] = "^(" whom ")" }
    function report(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }
    function only_in(header, where) {
        if ($0 ~ "<" header ">" && FILENAME !~ where && FILENAME !~ /^(tests|bench)\//)
            report("<" header "> belongs into " where " only")
    }
    BEGIN {
        rule("^common/domain/", "common/base.h$|common/err.h$|common/domain/")
        rule("^common/schedule/", "common/base.h$|common/err.h$|common/utf8.h$|common/domain/civil.h$|common/schedule/")
        rule("^common/", "common/")
        rule("^cli/", "common/|cli/")
        rule("^daemon/schedule/", "common/|daemon/schedule/")
        rule("^daemon/engine/", "common/[^/]*$|common/db/|daemon/engine/")
        rule("^daemon/jobs/", "common/|daemon/engine/|daemon/jobs/")
        rule("^daemon/[^/]*$", "common/|daemon/")
        rule("^tests/", "common/|daemon/|cli/|tests/")
        rule("^bench/", "common/|bench/")
    }
    /^#[ ]*include[ ]*</ {
        only_in("mysql.h", "^common/db/")
        only_in("libconfig.h", "^common/config[a-z_]*\\.[ch]$")
        only_in("uv.h", "^daemon/(loop|run_display)[a-z_]*\\.[ch]$")
    }
    /^#[ ]*include[ ]*"/ {
        split($0, parts, "\"")
        path = parts[2]
        for (i = 1; i <= rules && FILENAME !~ left[i]; i++) ;
        if (i > rules) report("this folder has no rule in the include law")
        else if (path !~ right[i]) report("may not include " path)
        if (path ~ /^common\/db\/(internal|exchange)\.h$/ && FILENAME !~ /^common\/db\//)
            report(path " belongs to common/db alone")
        if (path ~ /^common\/fault_/ && FILENAME !~ /^(common\/fault|tests\/)/)
            report(path " belongs to the fault seam alone")
    }' $c_files </dev/null
}

check_file_lengths() {
    for file in $c_files $(sources sql sh py) $shell_files; do
        lines=$(wc -l <"$file")
        if [ "$lines" -gt "$FILE_LINES" ]; then
            echo "$file:$lines: longer than $FILE_LINES lines"
        fi
    done | sort -u
}

# clang-format leaves comments alone.
check_comments() {
    # shellcheck disable=SC2086 # a list
    awk '
    /^[ \t]*(\/\*| \*)/ && length($0) > 100 { printf "%s:%d: a comment beyond 100 columns\n", FILENAME, FNR }
    /^[ \t]* \* \*\/$/ { printf "%s:%d: the end of a comment alone on its line\n", FILENAME, FNR }' $c_files </dev/null
}

# Functions as clang-format leaves them: braces in the first column, the signature right above.
check_functions() {
    # shellcheck disable=SC2086 # a list
    awk -v most="$FUNCTION_LINES" -v parameters="$FUNCTION_PARAMETERS" -v foreign="$FOREIGN_SIGNATURES" '
    function count_parameters(text,    i, depth, count, letter) {
        sub(/^[^(]*\(/, "", text)
        if (text ~ /^(void)?\)/) return 0
        count = 1
        for (i = 1; i <= length(text); i++) {
            letter = substr(text, i, 1)
            if (letter == "(") depth++
            else if (letter == ")" && depth-- == 0) break
            else if (letter == "," && depth == 0) count++
        }
        if (text ~ /\.\.\.\)/) count--
        return count
    }
    FNR == 1 { signature = ""; began = 0 }
    /^\{/ { began = FNR; if (signature ~ /\(/ && signature !~ foreign && count_parameters(signature) > parameters)
                printf "%s:%d: more than %d parameters\n", FILENAME, FNR, parameters }
    /^\}/ { if (began && $0 ~ /^\}$/ && FNR - began + 1 > most)
                printf "%s:%d: a function of %d lines, longer than %d\n", FILENAME, began,
                    FNR - began + 1, most
            began = 0 }
    /^[a-zA-Z_]/ { signature = $0; next }
    /^[ \t]+/ && !began && signature != "" { signature = signature $0; next }
    { signature = "" }' $c_files </dev/null
}

# Looks for words in code: comments and texts are taken out first, lines stay where they are.
check_words() {
    # shellcheck disable=SC2086 # a list
    awk '
    function report(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }
    # mawk knows no word boundaries: a blank is put on both sides.
    function has(expression) { return (" " code " ") ~ ("[^A-Za-z0-9_.>]" expression) }
    function strip(line,    out, at, letter, pair) {
        out = ""
        for (at = 1; at <= length(line); at++) {
            letter = substr(line, at, 1)
            pair = substr(line, at, 2)
            if (inside) { if (pair == "*/") { inside = 0; at++ } continue }
            if (quote != "") {
                if (letter == "\\") at++
                else if (letter == quote) { quote = ""; out = out letter }
                continue
            }
            if (pair == "/*") { inside = 1; at++; continue }
            if (pair == "//") { out = out "//"; break }
            if (letter == "\"" || letter == "\047") quote = letter
            out = out letter
        }
        quote = ""
        return out
    }
    BEGIN {
        banned = "(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|strtok_r|system|popen|" \
            "alloca|setjmp|sigsetjmp|longjmp|siglongjmp|rand|srand|rand_r|asctime|ctime|gmtime|localtime|" \
            "tmpnam|getpwnam|getgrnam|getgrgid|gethostbyname|inet_ntoa|ttyname)[ ]*\\("
        sending = "mysql_(real_connect|query|real_query|send_query|store_result|use_result|next_result|ping|commit|" \
            "rollback|autocommit|select_db|change_user|reset_connection|kill|close|" \
            "stmt_(prepare|execute|store_result|close|reset|send_long_data))[ ]*\\("
    }
    FNR == 1 { inside = 0; quote = "" }
    {
        if ($0 ~ /[^A-Za-z](TODO|FIXME|XXX)[^A-Za-z]/) report("a note to oneself; do it, or write it down elsewhere")
        if ($0 ~ /\t/ || $0 ~ /[ ]$/) report("a tab, or blanks at the end")
        code = strip($0)
        if (has(banned)) report("a banned call: " code)
        if (has(sending) && FILENAME != "common/db/exchange.c" && FILENAME !~ /^(tests|bench)\//)
            report("what is sent to the server goes through common/db/exchange.c: " code)
        if (code ~ /\/\//) report("a // comment; comments are /* */ here")
        if (FILENAME ~ /^common\/domain\// &&
            (has("(float|double)[^A-Za-z0-9_]") || has("[0-9]+\\.[0-9]") || code ~ /<math\.h>/))
            report("floating point has no place in common/domain")
    }' $c_files </dev/null
}

check_guards() {
    for file in $(sources h); do
        case $file in */suites.h | tests/fuzz/targets.h) continue ;; esac
        guard=$(echo "$file" | tr 'a-z/.-' 'A-Z___')
        grep -qx "#ifndef $guard" "$file" && grep -qx "#define $guard" "$file" ||
            echo "$file:1: the include guard should be $guard"
    done
}

check_suites() {
    for file in tests/unit/test_*.c tests/db/test_*.c; do
        if [ ! -e "$file" ]; then continue; fi
        suite=$(basename "$file" .c)
        if ! grep -q "^Suite \*${suite}_suite(void)" "$file"; then continue; fi
        grep -qx "SUITE($suite)" "$(dirname "$file")/suites.h" ||
            echo "$file:1: never run: SUITE($suite) is not in $(dirname "$file")/suites.h"
    done
}

# Names of events in the code are in the table of docs/operations.md, each with its MESSAGE_ID, and the other way round. A
# name is a text in the call of log_event, or is assigned to something that is called event.
check_events() {
    document=docs/operations.md
    # shellcheck disable=SC2016 # backquotes of the table
    row_expression='^\| `[a-z-]+` \| `[0-9a-f]{32}` \|'
    for file in $(find common daemon cli -name '*.c' | sort); do
        tr '\n' ' ' <"$file" | grep -oE 'log_event\([^,]*,[^,]*,|event = [^;,}]*' | while read -r call; do
            case $call in
                *'"'*) echo "$call" | grep -oE '"[a-z-]+"' | sed "s|.*|$file &|" ;;
                *'const char *event,' | log_event*event, | 'event = '*) ;;
                *) echo "$file:1: the name of an event should be a text: $call" >&3 ;;
            esac
        done
    done 3>"$findings.list" | sort -k 2 -u | while read -r file quoted; do
        name=$(echo "$quoted" | tr -d '"')
        id=$(printf 'settlementd:event:%s' "$name" | sha256sum | cut -c 1-32)
        grep -qF "| \`$name\` | \`$id\` |" "$document" ||
            echo "$file:$(grep -nF -m 1 "$quoted" "$file" | cut -d : -f 1):" \
                "$document should have the row: | \`$name\` | \`$id\` | level | what happened |"
    done
    cat "$findings.list"
    grep -nE "$row_expression" "$document" | tr -d '|`' | while IFS=': ' read -r line name _; do
        grep -rqF --include='*.c' "\"$name\"" common daemon cli ||
            echo "$document:$line: there is no event $name any more"
    done
}

check_format() {
    if ! command -v clang-format >/dev/null; then
        echo "tidy: clang-format is not installed, the format was not checked" >&2
        return
    fi
    # shellcheck disable=SC2086 # a list
    clang-format --dry-run $c_files 2>&1 |
        sed -n 's/^\([^:]*\):\([0-9]*\):[0-9]*: warning:.*/\1:\2: not formatted; "make format" does it/p' | sort -u
}

check_shell() {
    if ! command -v shellcheck >/dev/null; then
        echo "tidy: shellcheck is not installed, the scripts were not checked" >&2
        return
    fi
    # shellcheck disable=SC2086 # a list
    shellcheck --format=gcc $shell_files || true
    shellcheck --format=gcc --shell=bash conf/container/users.sh || true
}

{
    check_includes
    check_file_lengths
    check_comments
    check_functions
    check_words
    check_guards
    check_suites
    check_events
    check_format
    check_shell
} >"$findings"

count=$(wc -l <"$findings")
cat "$findings"
if [ "$count" -gt 0 ]; then
    echo "tidy: $count findings" >&2
    exit 1
fi
# shellcheck disable=SC2086 # a list
echo "tidy: $(echo $c_files $shell_files | wc -w) files, nothing found"
