"""migrations/grants.sql as the tests of rights read it: who may do what with which table, right by right."""

import re

import lib

TEXT = (lib.ROOT / "migrations" / "grants.sql").read_text(encoding="utf-8")
STATEMENT = re.compile(r"^GRANT (.+) ON (\w+) TO settlement_(\w+);$", re.MULTILINE)
RIGHT = re.compile(r"([A-Z]+)(?: \(([^)]*)\))?")


def rights_of(text):
    """Each right once: (verb, column or None)."""
    return [(verb, column.strip() or None) for verb, columns in RIGHT.findall(text) for column in columns.split(",")]


def table_rights(role):
    """The rights of a role: table -> [(verb, column or None)]."""
    rights = {}
    for text, table, name in STATEMENT.findall(TEXT):
        if name == role:
            rights.setdefault(table, []).extend(rights_of(text))
    return rights


def spelled(right):
    """A right as GRANT and REVOKE want it."""
    verb, column = right
    return f"{verb} ({column})" if column else verb


class User:
    """A further account of the database's server, with a role or without, and a configuration that names it."""

    def __init__(self, database, suffix, role=None):
        self.database = database
        self.name = f"{database.name}_{suffix}"
        database.execute(f"CREATE USER {self.name}@localhost")
        if role:
            database.execute(f"GRANT {database.name}_{role} TO {self.name}@localhost")
            database.execute(f"SET DEFAULT ROLE {database.name}_{role} FOR {self.name}@localhost")
        self.configuration = f"{database.directory}/{suffix}.conf"
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(lib.CONFIGURATION.format(**{"user": self.name, "name": database.name, **database.options}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.database.execute(f"DROP USER {self.name}@localhost")

    def connect(self):
        return lib.oracle.connect(self.database.options["socket"], self.database.name, self.name)

    def settlectl(self, *arguments):
        return self.database.start(lib.SETTLECTL, "--config", self.configuration, *arguments)


def refusal(connection, sql):
    """The number of the error with which the server refuses a statement; 0 when it does it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
    except lib.oracle.pymysql.MySQLError as error:
        return error.args[0]
    return 0
