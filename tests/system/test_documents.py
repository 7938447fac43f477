#!/usr/bin/python3
"""What docs/operations.md tells people to type against the database works as it stands there: the users of
migrations/users.sql can do what they are for, and each query is understood."""

import contextlib
import re
from pathlib import Path

import lib
from grants import User

suite = lib.Suite()

GUIDE = (lib.ROOT / "docs/operations.md").read_text()
# That many there are at least: fewer would mean that they are not found any more.
AT_LEAST = 8


def statements(word):
    """The statements of the guide that begin with a word: indented by four, ended by a semicolon."""
    code = "\n".join(line[4:] if line.startswith("    ") else ";" for line in GUIDE.splitlines())
    return [text.strip() for text in re.findall(rf"^({word}\b[^;]+);", code, re.MULTILINE)]


@contextlib.contextmanager
def site(database):
    """The users of migrations/users.sql for a database of another name, without what logs in an operating system's user;
    gives the names of owner and daemon."""
    text = (lib.ROOT / "migrations" / "users.sql").read_text(encoding="utf-8")
    text = re.sub(r"\bsettlement(_owner|_worker|_reader|\.\*)", rf"{database.name}\1", text)
    text = text.replace("settlementd@", f"{database.name}_daemon@").replace(" IDENTIFIED VIA unix_socket", "")
    commands = [command for command in re.sub(r"^--.*$", "", text, flags=re.MULTILINE).split(";") if command.strip()]
    names = f"{database.name}_owner", f"{database.name}_daemon"
    try:
        for _ in range(2):      # it may be run again
            for command in commands:
                database.execute(command)
        yield names
    finally:
        for name in names:
            database.execute(f"DROP USER {name}@localhost")


def use(database, name):
    """From now on the programs connect as this user, also to migrate."""
    for path in map(Path, (database.configuration, database.owner_configuration)):
        path.write_text(re.sub(r'user = "\w+"', f'user = "{name}"', path.read_text()))


@suite.test("from nothing: users.sql makes the users, the owner migrates, the worker runs, the reader asks what the guide asks")
def users():
    day = lib.day_of("2021-09-30")
    queries = statements("SELECT")
    assert len(queries) >= AT_LEAST, queries
    with lib.Database(migrate=False) as database, site(database) as (owner, worker), \
            User(database, "reader", "reader") as reader:
        database.execute(f"DROP DATABASE {database.name}")
        use(database, worker)
        assert "takes the owner of the schema" in database.settlectl("migrate").expect(1).stderr
        use(database, owner)
        done = database.settlectl("migrate").expect(0).stdout
        assert f"created database {database.name}" in done and done.count("has the rights of grants.sql") == 2, done
        use(database, worker)
        database.server.select_db(database.name)
        lib.load(database, lib.generate(1, [day], contents=10, views=50, ad_views=10))
        database.settle(day)
        database.settlectl("status").expect(0)
        connection = reader.connect()
        for sql in queries:
            lib.oracle.rows_of(connection, sql)
        connection.close()


if __name__ == "__main__":
    suite.main()
