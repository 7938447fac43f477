#!/usr/bin/python3
"""What docs/operations.md tells people to type against the database works as it stands there: the users of
migrations/users.sql can do what they are for, and each query is understood. compose.yaml's files make the same users."""

import contextlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import lib
from grants import User
from test_units import Stage

suite = lib.Suite()

GUIDE = (lib.ROOT / "docs/operations.md").read_text()
# That many there are at least: fewer would mean that they are not found any more.
AT_LEAST = 8


def statements(word):
    """The statements of the guide that begin with a word: indented by four, ended by a semicolon."""
    code = "\n".join(line[4:] if line.startswith("    ") else ";" for line in GUIDE.splitlines())
    return [text.strip() for text in re.findall(rf"^({word}\b[^;]+);", code, re.MULTILINE)]


def renamed(database, path):
    """A file of the project that is about the database settlement and its users, for a database of another name."""
    text = (lib.ROOT / path).read_text(encoding="utf-8")
    text = re.sub(r"\bsettlement(_owner|_worker|_reader|\.\*)", rf"{database.name}\1", text)
    return re.sub(r"\bsettlementd(@| owner-| database-)", rf"{database.name}_daemon\1", text)


LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/fuzz/README.md")


def anchors(path):
    """The names of a document's headings, as links have them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    words = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in words}


def dead_links(paths):
    """(document, link) of each that leads nowhere, but for those to other sites."""
    for path in paths:
        for target, anchor in LINK.findall(path.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            other = (path.parent / target).resolve() if target else path
            if not other.exists() or (anchor and anchor not in anchors(other)):
                yield str(path), target + anchor


@suite.test("the links of the documents lead somewhere, in the tree and where they are installed")
def links():
    paths = [*map(lib.ROOT.joinpath, DOCUMENTS), *sorted((lib.ROOT / "docs").glob("*.md"))]
    found = sum(len(LINK.findall(path.read_text(encoding="utf-8"))) for path in paths)
    assert found > 50, f"only {found} links were found"
    assert not list(dead_links(paths)), list(dead_links(paths))
    with Stage() as stage:
        installed = sorted(stage.rglob("share/doc/settlementd/*.md"))
        assert len(installed) == len(paths), installed
        assert not list(dead_links(installed)), list(dead_links(installed))


@contextlib.contextmanager
def dropped(database):
    """The names of owner and daemon, who are no more at the end."""
    names = f"{database.name}_owner", f"{database.name}_daemon"
    try:
        yield names
    finally:
        for name in names:
            database.execute(f"DROP USER IF EXISTS {name}@localhost")


@contextlib.contextmanager
def site(database):
    """The users of migrations/users.sql, without what logs in an operating system's user; gives owner and daemon."""
    text = renamed(database, "migrations/users.sql").replace(" IDENTIFIED VIA unix_socket", "")
    commands = [command for command in re.sub(r"^--.*$", "", text, flags=re.MULTILINE).split(";") if command.strip()]
    with dropped(database) as names:
        for _ in range(2):      # it may be run again
            for command in commands:
                database.execute(command)
        yield names


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


# What the image of MariaDB does with a script of its folder for new servers.
ENTRYPOINT = """set -eo pipefail
docker_process_sql() {{ mariadb --no-defaults --socket='{socket}' --user=root "$@"; }}
{script}"""


class Container:
    """A folder with what compose.yaml mounts, at other places and for another database."""

    def __init__(self, database, folder):
        self.database = database
        self.folder = Path(folder)
        (self.folder / "users.sql").write_text(renamed(database, "migrations/users.sql"), encoding="utf-8")
        for name, password in (("owner-password", "Own/er+1=\n"), ("database-password", "w.o-r_k\n")):
            (self.folder / name).write_text(password, encoding="utf-8")

    def _entrypoint(self, script):
        return ENTRYPOINT.format(socket=self.database.options["socket"], script=script)

    def make_users(self):
        script = renamed(self.database, "conf/container/users.sh").replace("/run/secrets", str(self.folder))
        script = script.replace("/usr/share/settlementd", str(self.folder))
        script = script.replace("--database=settlement", f"--database={self.database.name}")
        return subprocess.run(["bash", "-c", self._entrypoint(script)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def settlectl(self, configuration, *arguments):
        """With a configuration of conf/container/, and the secrets where an engine puts them."""
        text = (lib.ROOT / "conf" / "container" / configuration).read_text(encoding="utf-8")
        text = text.replace("/run/mysqld/mysqld.sock", self.database.options["socket"])
        text = re.sub(r'user = "settlement(_owner|d)"',
                      lambda m: f'user = "{self.database.name}{"_daemon" if m[1] == "d" else m[1]}"', text)
        text = text.replace('name = "settlement"', f'name = "{self.database.name}"')
        path = self.folder / configuration
        path.write_text(text, encoding="utf-8")
        return lib.Process([lib.SETTLECTL, *arguments, "--config", str(path)], self.folder,
                           {**os.environ, "CREDENTIALS_DIRECTORY": str(self.folder)})


@suite.test("the container: its script gives owner and worker their passwords, with which its configurations migrate and look")
def container():
    with lib.Database(migrate=False) as database, dropped(database) as (owner, worker), \
            tempfile.TemporaryDirectory() as folder:
        made = Container(database, folder)
        done = made.make_users()
        assert done.returncode == 0, done
        assert "takes the owner of the schema" in made.settlectl("daemon.conf", "migrate").expect(1).stderr
        granted = made.settlectl("owner.conf", "migrate").expect(0).stdout
        assert granted.count("has the rights of grants.sql") == 2, granted
        made.settlectl("daemon.conf", "status").expect(0)
        for user in (owner, worker):
            database.execute(f"ALTER USER {user}@localhost IDENTIFIED BY 'other'")
        for configuration in ("owner.conf", "daemon.conf"):
            assert "Access denied" in made.settlectl(configuration, "status").expect(1).stderr
        (made.folder / "owner-password").write_text("a' OR ''='", encoding="utf-8")
        done = made.make_users()
        assert done.returncode != 0 and "owner-password: only letters" in done.stderr, done


if __name__ == "__main__":
    suite.main()
