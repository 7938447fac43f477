#!/usr/bin/python3
"""Every SQL constant of the programs is understood by the server on the migrated schema: each is cut out of the
preprocessed source and prepared."""

import os
import re
import shlex
import subprocess

import lib
import pymysql

suite = lib.Suite()

FOLDERS = ("common", "daemon", "cli")
PACKAGES = ("libmariadb", "libuv", "libconfig", "libsystemd", "jansson", "libcrypto")
# That many there are at least: fewer would mean that they are not found any more.
AT_LEAST = 120
TEXT = r'"(?:[^"\\]|\\.)*"'
CONSTANT = re.compile(rf"\bconst char (\w+_SQL)\[[^\]]*\]\s*=\s*((?:{TEXT}\s*)+);")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def compiler():
    """What the Makefile compiles with, as far as the preprocessor cares."""
    flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True, capture_output=True, text=True).stdout
    return [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu17", "-E", "-P", "-I.", "-D_GNU_SOURCE",
            '-DSETTLEMENTD_VERSION="0"', '-DSETTLEMENTD_MIGRATIONS="/"', *shlex.split(flags)]


def unquote(literals):
    """The text of adjacent C string literals."""
    inner = "".join(literal[1:-1] for literal in re.findall(TEXT, literals))
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match.group(1), match.group(1)), inner)


def constants_of(path, command):
    """(name, text) of each SQL constant in the file."""
    source = subprocess.run([*command, str(path)], cwd=lib.ROOT, check=True, capture_output=True, text=True).stdout
    return [(name, unquote(literals)) for name, literals in CONSTANT.findall(source)]


def all_constants():
    command = compiler()
    files = sorted(path.relative_to(lib.ROOT) for folder in FOLDERS for path in (lib.ROOT / folder).rglob("*.c"))
    return [(path, name, text) for path in files for name, text in constants_of(path, command)]


def complaint(database, text):
    """What the server says against a statement; nothing when it can be prepared."""
    try:
        database.execute("PREPARE tried FROM %s", text)
        database.execute("DEALLOCATE PREPARE tried")
    except pymysql.MySQLError as error:
        return f"{error.args[1]} ({error.args[0]})"
    return None


@suite.test("literals are joined and unquoted as a compiler does it")
def literals():
    assert unquote(r'"SELECT \"a\""   " FROM \\t"') == 'SELECT "a" FROM \\t'
    found = CONSTANT.findall('static const char A_SQL[] = "x" "y";\nextern const char B_SQL[];')
    assert found == [("A_SQL", '"x" "y"')], found


@suite.test("no constant is passed over")
def complete():
    found = all_constants()
    assert len(found) >= AT_LEAST, f"only {len(found)} were found"
    for folder in FOLDERS:
        for path in (lib.ROOT / folder).rglob("*.c"):
            named = set(re.findall(r"\bconst char (\w+_SQL)\[[^\]]*\]\s*=", path.read_text()))
            got = {name for file, name, _ in found if lib.ROOT / file == path}
            assert named <= got, f"{path}: {sorted(named - got)}"


@suite.test("the server can prepare each of them on the migrated schema")
def prepare():
    with lib.Database() as database:
        complaints = [f"{path}: {name}: {said}" for path, name, text in all_constants()
                      for said in [complaint(database, text)] if said]
        assert not complaints, "\n".join(complaints)


@suite.test("a table or a column that is not there is found")
def detects():
    with lib.Database() as database:
        assert complaint(database, "SELECT job_name FROM job_control WHERE job_name = ?") is None
        assert "1146" in complaint(database, "SELECT 1 FROM nowhere")
        assert "1054" in complaint(database, "SELECT nothing FROM job_control")
        assert "1064" in complaint(database, "SELEKT 1")


if __name__ == "__main__":
    suite.main()
