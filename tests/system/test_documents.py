#!/usr/bin/python3
"""What docs/operations.md tells people to type against the database works as it stands there: the privileges are enough
for the migrations and for a run, and each query is understood."""

import re
from pathlib import Path

import lib

suite = lib.Suite()

GUIDE = (lib.ROOT / "docs/operations.md").read_text()
# That many there are at least: fewer would mean that they are not found any more.
AT_LEAST = 8


def statements(word):
    """The statements of the guide that begin with a word: indented by four, ended by a semicolon."""
    code = "\n".join(line[4:] if line.startswith("    ") else ";" for line in GUIDE.splitlines())
    return [text.strip() for text in re.findall(rf"^({word}\b[^;]+);", code, re.MULTILINE)]


class User:
    """A user of the server with the privileges that the guide gives to the one of that name, and a configuration that
    names it."""

    def __init__(self, database, name):
        [grant] = [text for text in statements("GRANT") if text.endswith(f"TO {name}@localhost")]
        self.database = database
        self.name = f"{database.name}_{name}"
        database.execute(f"CREATE USER {self.name}@localhost")
        database.execute(grant.replace("settlement.*", f"{database.name}.*").replace(f" {name}@", f" {self.name}@"))

    def __enter__(self):
        path = Path(self.database.configuration)
        path.write_text(re.sub(r'user = "\w+"', f'user = "{self.name}"', path.read_text()))
        return self

    def __exit__(self, *_):
        self.database.execute(f"DROP USER {self.name}@localhost")


@suite.test("the privileges in the guide are enough for migrations, a run and each of its queries")
def privileges():
    day = lib.day_of("2021-09-30")
    queries = statements("SELECT")
    assert len(queries) >= AT_LEAST, queries
    with lib.Database(migrate=False) as database, User(database, "settlement_schema"):
        database.settlectl("migrate").expect(0)
        lib.load(database, lib.generate(1, [day], contents=10, views=50, ad_views=10))
        with User(database, "settlementd") as daemon:
            database.settle(day)
            database.settlectl("status").expect(0)
            connection = lib.oracle.connect(lib.SOCKET, database.name, daemon.name)
            for sql in queries:
                lib.oracle.rows_of(connection, sql)
            connection.close()


if __name__ == "__main__":
    suite.main()
