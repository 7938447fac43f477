#!/usr/bin/python3
"""Texts that mean harm, wherever somebody can give one: arguments, reasons, configuration, file names, CSV fields, the
words of the server. They are refused or treated as data; what is printed and logged moves no cursor, forges no line
and is valid JSON; no file is written that somebody else chose."""

import csv
import io
import itertools
import json
import os
import re
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lib
from daemon import Served
from lib import JOB, SETTLECTL, SETTLEMENTD

suite = lib.Suite()

DAY = "2022-03-01"
INJECTIONS = (
    "' OR '1'='1", "\" OR \"\"=\"", "'; DROP TABLE settlement; -- ", "daily-settlement'; DELETE FROM day_close; #",
    "daily-settlement' UNION SELECT 1,2,3,4 -- ", "`settlement`", "*/ DELETE FROM day_close /*", "\\", "\\'; DO 0; -- ",
    "%", "_", "%s%n%s%n", "${USER}", "$(id)", "; id", "../../../etc/passwd", "-1", "--json", "=1+1", "", " ",
    "1 OR 1=1", "1;DROP TABLE node", "0x31", "9223372036854775808", "2022-03-01' OR 1=1 -- ", "2022-03-01\n",
)
DISGUISES = (
    b"a\ntime=2022-03-01T00:00:00Z level=error event=forged", b"a\r\nforged", b"\x1b[31mred\x1b[2J\x1b]0;title\x07",
    b"\x9b31m", "\u009b31m\u0085".encode(), "\u202egnp.exe".encode(), "\u2066hidden\u2069".encode(),
    "\u2028\u2029".encode(), b"\xff\xfe\xc0\xaf\xed\xa0\x80", b"cut \xed\x95", "\U000e0041".encode(), b"\x7f\x08\x08",
    "한국어 עברית".encode(), b"x" * 100000, "\u202e".encode() * 5000,
)
TEXTS = tuple(text.encode() for text in INJECTIONS) + DISGUISES
# Where settlectl takes a text; @ stands for it. None of these asks a daemon for anything.
PLACES = (
    "@", "help @", "--format @ runs", "--config @ runs", "runs @", "runs --limit @", "show @", "next @", "status @",
    "top --by @ --period daily --date " + DAY, "top --by views --period @ --date " + DAY,
    "top --by views --period daily --date @", "top --by views --period daily --date " + DAY + " --limit @",
    "report @ --period daily --date " + DAY, "report settlement --period @ --date " + DAY,
    "report settlement --from @ --to @", "report settlement --by @ --from " + DAY + " --to " + DAY,
    "explain --content @ --date " + DAY, "explain --content 1 --date @", "purge --older-than @", "import @ x.csv",
    "import member @", "import member x.csv --max-rejects @", "migrate @", "run @ --date 1", "run " + JOB + " --date @",
    "backfill " + JOB + " --from @ --to @", "stop @", "restart @", "abandon @", "run --@",
)
# A character that a terminal obeys, that hides something or that ends a line where none ends.
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff"
                     "\U000e0000-\U000e0fff]")
CODES = (0, 1, 2, 3, 78)


def expect_harmless(output, what):
    """Valid UTF-8 without anything harmful; lines end where the program ends them."""
    text = output.decode("utf-8")
    found = HARMFUL.search(text.replace("\r\n", "\n"))
    assert not found, f"{what} printed {found.group()!r} at {text[max(0, found.start() - 80):found.start() + 20]!r}"
    return text


def run(program, arguments, database, codes=CODES):
    done = subprocess.run([program, *arguments], capture_output=True, timeout=60 * lib.FACTOR, check=False,
                          cwd=database.directory, stdin=subprocess.DEVNULL)
    shown = b" ".join(os.fsencode(argument) for argument in arguments)[:300]
    assert done.returncode in codes, f"{shown!r} ended with {done.returncode}: {done.stderr[-2000:]!r}"
    expect_harmless(done.stdout, shown)
    expect_harmless(done.stderr, shown)
    return done


def all_of(function, *lists):
    """Calls the function for each combination, some at the same time; the first failure is everybody's."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda values: function(*values), itertools.product(*lists)))


def is_valid(text):
    return text.decode("utf-8", errors="replace").encode() == text


def filled():
    database = lib.Database()
    lib.load(database, lib.generate(3, [lib.day_of(DAY)], contents=10, views=60, ad_views=20, missing=1))
    database.settle(DAY)
    return database


def whole(database):
    """Every table with its rows, to see that nothing came of it."""
    names = [row[0] for row in database.rows("SHOW FULL TABLES WHERE Table_type IN ('BASE TABLE', 'SEQUENCE')")]
    return {name: database.rows(f"SELECT * FROM {name}") for name in names}


@suite.test("no argument of settlectl is more than a text, in words and as JSON")
def arguments():
    with filled() as database:
        before = whole(database)

        def give(place, text):
            words = [word.encode().replace(b"@", text) for word in place.split(" ")]
            config = [] if "--config" in place else [b"--config", database.configuration.encode()]
            run(SETTLECTL, [*config, *words], database)
            done = run(SETTLECTL, [*config, b"--json", *words], database)
            if done.stdout and b"help" not in words:
                json.loads(done.stdout)

        all_of(give, PLACES, TEXTS)
        assert whole(database) == before


@suite.test("no argument of settlementd is more than a text")
def daemon_arguments():
    with filled() as database:
        before = whole(database)
        config = [b"--config", database.configuration.encode()]
        for text in TEXTS:
            for words in ([text], [b"run", text, b"--date", DAY.encode()], [b"run", JOB.encode(), b"--date", text],
                          [b"--check-config", b"--config", text], [b"--" + text]):
                if words[:1] != [b"--check-config"]:
                    words = [*config, *words]
                if words[-1] in (b"", b"--"):
                    continue    # the daemon itself
                run(SETTLEMENTD, words, database)
        assert whole(database) == before


@suite.test("a reason is stored as it was given, shown harmlessly, and forges no line of the log")
def reasons():
    with Served() as database:
        running = database.daemon()
        for text in TEXTS:
            if len(text) > 1000:
                continue
            valid = is_valid(text)
            for command in ("pause", "resume") if text in DISGUISES else ("pause",):
                run(SETTLECTL, [b"--config", database.configuration.encode(), command.encode(), JOB.encode(),
                                b"--reason=" + text], database, codes=(0,) if valid else (1, 2))
                if valid:
                    stored = database.value("SELECT reason FROM job_request ORDER BY request_id DESC LIMIT 1")
                    assert stored == text.decode(), (stored, text)
            if text in DISGUISES:
                run(SETTLECTL, ["--config", database.configuration, "next"], database, codes=(0,))
                json.loads(run(SETTLECTL, ["--config", database.configuration, "--json", "next"], database).stdout)
        for line in expect_harmless(running.files[1].read_bytes(), "the daemon").splitlines():
            assert re.match(r"time=\S+ level=\w+ event=[a-z-]+ msg=\"", line), line
        assert not running.events("forged"), running.stderr
        statuses = running.said("STATUS")
        assert statuses and not any(HARMFUL.search(status) for status in statuses), statuses


def quoted(text):
    """A text as libconfig reads it."""
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@suite.test("no value of the configuration is more than a text")
def configuration():
    # Not as somebody who could make databases: some of these are good names.
    options = ("timezone = @;", "database: { name = @; socket = SOCKET; user = WORKER; };",
               "database: { user = @; socket = SOCKET; };",
               "database: { socket = @; };", "database: { password_file = @; };",
               "database: { host = \"127.0.0.1\"; port = 1; tls: { ca = @; }; };",
               "log: { level = @; };", "jobs = ( { name = @; } );",
               "jobs = ( { name = \"daily-settlement\"; cron = @; } );",
               "jobs = ( { name = \"daily-settlement\"; timezone = @; } );", "@ = 1;", "database: { @ = 1; };")
    with filled() as database:
        before = whole(database)
        own = b"SOCKET", quoted(lib.SOCKET.encode()), b"WORKER", quoted(database.name.encode())

        def give(option, text):
            text = text[:500]
            shown = text if option.startswith("@") or "{ @" in option else quoted(text)
            path = Path(database.directory, f"hostile{next(lib.numbers)}.conf")
            path.write_bytes(option.encode().replace(*own[:2]).replace(*own[2:]).replace(b"@", shown))
            for program, words in ((SETTLECTL, ["runs"]), (SETTLECTL, ["migrate"]), (SETTLEMENTD, ["--check-config"])):
                run(program, ["--config", str(path), *words], database, codes=(0, 1, 3, 78))

        # Other tests make and drop their own meanwhile.
        others = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT LIKE 'settlementd%'"
        databases = database.rows(others)
        all_of(give, options, TEXTS)
        assert database.rows(others) == databases
        assert whole(database) == before


def titles():
    """What a column of a CSV file can hold."""
    found = [text.decode() for text in TEXTS if len(text) <= 250 and is_valid(text) and text.strip()]
    return [*found, "=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1",
            "\n=1", "＝1+1"]


def csv_file(database, name, header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    path = Path(database.directory, name)
    path.write_bytes(text.getvalue().encode())
    return path


@suite.test("titles and names come back as they were, harmless for eyes, valid JSON, and no formula in CSV")
def imported():
    with lib.Database() as database:
        texts = titles()
        database.settlectl("import", "content", csv_file(
            database, "contents.csv", ("content_post_id", "member_id", "title", "duration"),
            [(number, number, text, 1) for number, text in enumerate(texts, 1)])).expect(0)
        database.settlectl("import", "member", csv_file(
            database, "members.csv", ("member_id", "email", "username", "role"),
            [(number, text, text[:100], "CREATOR") for number, text in enumerate(texts, 1)])).expect(0)
        stored = dict(database.rows("SELECT content_post_id, title FROM content_post"))
        assert stored == dict(enumerate(texts, 1)), [pair for pair in stored.items() if texts[pair[0] - 1] != pair[1]]
        data = lib.Dataset()
        for number in stored:
            data.add_views(lib.day_of(DAY), number, 1)
        lib.load(database, data)
        database.settle(DAY)
        top = ["--config", database.configuration, "top", "--by", "views", "--period", "daily", "--date", DAY,
               "--limit", "500"]
        run(SETTLECTL, top, database, codes=(0,))
        rows = json.loads(run(SETTLECTL, [*top, "--json"], database, codes=(0,)).stdout)["contents"]
        assert {row["content"]: row["title"] for row in rows} == stored
        printed = subprocess.run([SETTLECTL, *top, "--format", "csv"], capture_output=True, check=True).stdout.decode()
        rows = list(csv.DictReader(io.StringIO(printed, newline="")))
        for row in rows:
            given, got = stored[int(row["content"])], row["title"]
            formula = given[0] in "=+-@\t\r\n＝"
            assert got == ("'" if formula else "") + re.sub(r"(?![\t\r\n])" + HARMFUL.pattern, "?", given), (given, got)
        for number in stored:
            run(SETTLECTL, ["--config", database.configuration, "explain", "--content", str(number), "--date", DAY],
                database, codes=(0,))
        report = ["--config", database.configuration, "report", "settlement", "--period", "daily", "--date", DAY]
        for form in ("table", "json"):
            run(SETTLECTL, [*report, "--format", form], database, codes=(0,))


@suite.test("what is rejected is told harmlessly, and only those may read it who could read the file")
def rejected():
    with lib.Database() as database:
        for number, text in enumerate(TEXTS):
            path = Path(database.directory, f"members{number}.csv")
            field = b'"' + text[:1000].replace(b'"', b'""') + b'"'
            path.write_bytes(b"email,username,role\r\na@b," + field + b"," + field + b"\r\n")
            path.chmod(0o600)
            run(SETTLECTL, ["--config", database.configuration, "import", "member", str(path)], database, codes=(1,))
            expect_harmless(path.with_suffix(".rejected.log").read_bytes(), "the reject file")
            for ending in (".rejected.log", ".rejected.csv"):
                assert stat.S_IMODE(path.with_suffix(ending).stat().st_mode) == 0o600
        assert database.value("SELECT COUNT(*) FROM member") == 0


@suite.test("a link beside the file is not followed: what it points to stays as it is")
def links():
    with lib.Database() as database:
        victim = Path(database.directory, "victim")
        path = Path(database.directory, "members.csv")
        path.write_text("email,username,role\na@b,ada,QUEEN\n", encoding="utf-8")
        endings = (".rejected.csv", ".rejected.log", ".rejected.csv.part", ".rejected.log.part")
        for make in (os.symlink, os.link):
            for ending in endings:
                victim.write_text("precious", encoding="utf-8")
                link = f"{path.with_suffix('')}{ending}"
                make(victim, link)
                database.settlectl("import", "member", path).expect(1)
                assert victim.read_text(encoding="utf-8") == "precious", (make, ending)
                for other in endings:
                    Path(f"{path.with_suffix('')}{other}").unlink(missing_ok=True)
        # A link without a target: nothing must come into being there.
        os.symlink(Path(database.directory, "nowhere"), f"{path.with_suffix('')}.rejected.csv")
        database.settlectl("import", "member", path).expect(1)
        assert not Path(database.directory, "nowhere").exists()


@suite.test("any name of a file can be imported, and is shown harmlessly")
def file_names():
    with lib.Database() as database:
        for number, text in enumerate(TEXTS):
            if b"/" in text or not text or len(text) > 200:
                continue
            path = os.fsencode(database.directory) + b"/" + text + b".csv"
            with open(path, "wb") as file:
                file.write(b"email,username,role\na@b,ada,QUEEN\nn%d@b,ada,MEMBER\n" % number)
            done = run(SETTLECTL, ["--config", database.configuration, "--json", "import", "--max-rejects", "1",
                                   "member", path], database, codes=(0, 1))
            # The database keeps the name, and takes no other than valid UTF-8.
            json.loads(done.stdout)
        assert database.value("SELECT COUNT(*) FROM import_file") > 20


@suite.test("words of the server that mean harm reach log, tables, status and database harmlessly")
def server_words():
    with lib.Database() as database:
        lib.load(database, lib.generate(3, [lib.day_of(DAY)], contents=10, views=60, ad_views=20, missing=1))
        words = "a\ntime=2022-03-01T00:00:00Z level=error event=forged \x1b[2J\u202e\u2028'; DROP TABLE node; --"
        database.execute("CREATE TRIGGER refuse BEFORE INSERT ON settlement FOR EACH ROW SIGNAL SQLSTATE '45000' "
                         "SET MESSAGE_TEXT = %s", words)
        done = run(SETTLEMENTD, ["run", JOB, "--date", DAY, "--quiet", "--config", database.configuration], database,
                   codes=(1,))
        lines = [line for line in done.stderr.decode().splitlines() if line.startswith("time=")]
        assert any("event=step-ended" in line for line in lines), done.stderr
        assert not any(" event=forged" in line.split('"')[0] for line in lines), done.stderr
        kept = database.value("SELECT EXIT_MESSAGE FROM BATCH_JOB_EXECUTION")
        assert "DROP TABLE" in kept and not HARMFUL.search(kept.replace("\n", "\x00")), kept
        for page in (["runs"], ["show", "1"], ["status"]):
            words = ["--config", database.configuration, *page]
            run(SETTLECTL, words, database, codes=(0,))
            json.loads(run(SETTLECTL, [*words, "--json"], database, codes=(0,)).stdout)


@suite.test("a configuration and a password that anybody may write are not used")
def open_to_all():
    with lib.Database() as database:
        configured, password = Path(database.configuration), Path(database.directory, "password")
        password.write_text("secret\n", encoding="utf-8")
        text = configured.read_text(encoding="utf-8")
        configured.write_text(text.replace("database: {", f'database: {{ password_file = "{password}";'),
                              encoding="utf-8")
        for path in (configured, password):
            path.chmod(0o666)
            said = database.settlectl("runs").expect(78).stderr
            assert f"{path}: anybody on this machine may write it" in said and "chmod o-w" in said, said
            path.chmod(0o644)


if __name__ == "__main__":
    suite.main()
