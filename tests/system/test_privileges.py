#!/usr/bin/python3
"""What the three users of the database may do: the worker what its programs need and no more, the reader to look, and
neither to change the schema, to touch what was settled, or to see the viewers' addresses. All other tests run as the
worker, too."""

import json
import re

import grants
import lib
import test_sql
from grants import User, refusal, spelled
from lib import Database

suite = lib.Suite()

DAY = "2022-03-01"
DENIED = (1044, 1142, 1143, 1227, 1370, 1095)
# What only `settlectl migrate` does.
OWNERS = {("common/schema.c", "CREATE_TABLE_SQL"), ("common/schema.c", "RECORD_SQL")}
# Made at run time from the tables of cli/import_kind.c.
IMPORTS = ("member", "content_post", "advertisement", "member_content_watch_log", "member_ad_watch_log")
# Tables that a role has no right in, with the reason.
WITHOUT = {
    "worker": {"job_instance_status": "for people", "job_running": "for people", "job_failure": "for people"},
    "reader": {"BATCH_JOB_SEQ": "drawn from by who writes", "BATCH_JOB_EXECUTION_SEQ": "likewise",
               "BATCH_STEP_EXECUTION_SEQ": "likewise"},
}
VERBS = {
    "SELECT": "SELECT 1 FROM {table}",
    "INSERT": "INSERT INTO {table} SELECT * FROM {table} WHERE FALSE",
    "UPDATE": "UPDATE {table} SET {column} = {column}",
    "DELETE": "DELETE FROM {table}",
}
# What would change the schema or the server, or read and write its files.
NEVER = (
    "DROP TABLE {table}", "TRUNCATE TABLE {table}", "ALTER TABLE {table} ADD COLUMN extra INT",
    "CREATE INDEX extra ON {table} ({column})", "RENAME TABLE {table} TO other", "LOCK TABLES {table} WRITE",
    "CREATE TRIGGER extra BEFORE INSERT ON {table} FOR EACH ROW SET @a = 1",
    "GRANT SELECT ON {table} TO {name}@localhost",
    "CREATE OR REPLACE TABLE {table} (i INT)",
)
NEVER_AT_ALL = (
    "CREATE TABLE other (i INT)", "CREATE TEMPORARY TABLE other (i INT)", "CREATE VIEW other AS SELECT 1",
    "DROP VIEW job_running", "CREATE SEQUENCE other", "DROP SEQUENCE BATCH_JOB_SEQ", "CREATE DATABASE {name}_other",
    "DROP DATABASE {name}", "CREATE PROCEDURE other() SELECT 1", "CREATE FUNCTION other() RETURNS INT RETURN 1",
    "CREATE EVENT other ON SCHEDULE EVERY 1 DAY DO SELECT 1", "CREATE USER other@localhost", "CREATE ROLE other",
    "SET GLOBAL sync_binlog = 0", "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
    "SET PASSWORD FOR root@localhost = ''",
    "SELECT 1 INTO OUTFILE '/tmp/settlementd-privileges'", "LOAD DATA INFILE '/etc/passwd' INTO TABLE member",
    "SELECT LOAD_FILE('/etc/passwd') IS NULL OR 1 FROM mysql.user", "SELECT * FROM mysql.global_priv",
    "GRANT {name}_worker TO root@localhost", "SHOW ENGINE INNODB STATUS", "FLUSH TABLES", "SHUTDOWN",
)


def statements():
    """(where, text) of everything that the programs send as the worker."""
    return [(f"{path}: {name}", text) for path, name, text in test_sql.all_constants()
            if (str(path), name) not in OWNERS]


def import_statements(database):
    """What the import makes: every column of the table, bound."""
    made = []
    for table in IMPORTS:
        columns = [row[0] for row in database.rows("SELECT column_name FROM information_schema.columns WHERE "
                                                   "table_schema = DATABASE() AND table_name = %s", table)]
        made.append((f"import into {table}",
                     f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"))
    return made


def complaints(connection, texts):
    """What the server says against preparing them: it looks at rights when it prepares."""
    said = []
    for where, text in texts:
        with connection.cursor() as cursor:
            try:
                cursor.execute("PREPARE tried FROM %s", (text,))
                cursor.execute("DEALLOCATE PREPARE tried")
            except lib.oracle.pymysql.MySQLError as error:
                said.append(f"{where}: {error.args[1]} ({error.args[0]})")
    return said


def tables(database, kinds=("BASE TABLE", "SEQUENCE", "VIEW")):
    return [row[0] for row in database.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = "
                                            "DATABASE() AND table_type IN %s ORDER BY 1", kinds)]


def first_column(database, table):
    return database.value("SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND "
                          "table_name = %s ORDER BY ordinal_position LIMIT 1", table)


@suite.test("about every table of the schema it is decided what the worker and the reader may do with it")
def every_table():
    with Database() as database:
        there = set(tables(database))
        for role, without in WITHOUT.items():
            granted = set(grants.table_rights(role))
            assert granted <= there, f"grants.sql names what is not there: {sorted(granted - there)}"
            undecided = there - granted - set(without)
            assert not undecided, f"migrations/grants.sql says nothing about {sorted(undecided)} for the {role}"
            assert not granted & set(without), f"{role}: {sorted(granted & set(without))}"
        lines = [line for line in grants.TEXT.splitlines() if line and not line.startswith("--")]
        assert len(lines) == len(grants.STATEMENT.findall(grants.TEXT)), "a line is not a grant"


@suite.test("the worker has the rights that the programs' statements need, and each of its rights is needed by one")
def exactly():
    with Database() as database:
        texts = statements() + import_statements(database)
        connection = lib.oracle.connect(lib.SOCKET, database.name, database.name)
        said = complaints(connection, texts)
        assert not said, "\n".join(said)
        idle = []
        for table, rights in grants.table_rights("worker").items():
            about = [text for text in texts if re.search(rf"\b{table}\b", text[1])]
            for right in rights:
                for change, preposition in (("REVOKE", "FROM"), ("GRANT", "TO")):
                    database.execute(f"{change} {spelled(right)} ON {table} {preposition} {database.name}_worker")
                    if change == "REVOKE" and not complaints(connection, about):
                        idle.append(f"{spelled(right)} ON {table}")
        connection.close()
        assert not idle, f"no statement needs {idle}"


def may(rights, verb):
    return any(right[0] == verb for right in rights)


def expect_denied(database, connection, role):
    """Whatever grants.sql does not give is refused, table by table, and the tables are what they were."""
    rights = grants.table_rights(role)
    before = database.dump()
    allowed = []
    for table in tables(database):
        names = {"table": table, "column": first_column(database, table), "name": database.name}
        refused = [sql for verb, sql in VERBS.items() if not may(rights.get(table, ()), verb)]
        if table.endswith("_SEQ"):
            refused = [sql for sql in refused if not sql.startswith(("UPDATE", "DELETE"))]
        for sql in (*refused, *NEVER):
            number = refusal(connection, sql.format(**names))
            if number not in DENIED:
                allowed.append(f"{sql.format(**names)} ({number})")
    for sql in NEVER_AT_ALL:
        number = refusal(connection, sql.format(name=database.name))
        if number not in (*DENIED, 1045, 1410, 1290, 1698):
            allowed.append(f"{sql.format(name=database.name)} ({number})")
    assert not allowed, "\n".join(allowed)
    assert database.dump() == before


def filled():
    database = Database()
    data = lib.generate(3, [lib.day_of(DAY)], contents=10, views=60, ad_views=20, missing=1)
    lib.load(database, data)
    database.execute("INSERT INTO member VALUES (1, 'secret@example.net', 'ada', 'CREATOR')")
    database.execute("UPDATE member_content_watch_log SET client_ip = '192.0.2.7'")
    database.settle(DAY)
    return database


@suite.test("the worker can neither change the schema nor write or read what it has no business with")
def worker():
    with filled() as database:
        connection = lib.oracle.connect(lib.SOCKET, database.name, database.name)
        expect_denied(database, connection, "worker")
        for sql in ("SELECT client_ip FROM member_content_watch_log", "SELECT * FROM member_ad_watch_log",
                    "SELECT email FROM member", "UPDATE settlement SET content_revenue_micros = 0",
                    "DELETE FROM day_close", "UPDATE settlement_rate SET price_micros = 0",
                    "DELETE FROM schema_migration", "UPDATE content_post SET member_id = 7",
                    "UPDATE parked_content SET reason = ''"):
            assert refusal(connection, sql) in DENIED, sql
        connection.close()


@suite.test("the reader sees results and jobs, not the viewers, and can write nothing")
def reader():
    with filled() as database, User(database, "reader", "reader") as user:
        connection = user.connect()
        expect_denied(database, connection, "reader")
        for table in grants.table_rights("reader"):
            for verb in ("INSERT", "UPDATE", "DELETE"):
                sql = VERBS[verb].format(table=table, column=first_column(database, table))
                # A view that cannot be written at all is refused for that.
                assert refusal(connection, sql) in (*DENIED, 1288, 1356, 1471), sql
        for sql in ("SELECT client_ip FROM member_content_watch_log", "SELECT * FROM member_ad_watch_log",
                    "SELECT email FROM member", "SELECT member_id FROM member_content_watch_log"):
            assert refusal(connection, sql) in DENIED, sql
        assert lib.oracle.rows_of(connection, "SELECT target_date FROM job_instance_status")
        connection.close()


@suite.test("settlectl shows a reader everything, and says that it may not ask for work")
def reader_commands():
    with filled() as database, User(database, "reader", "reader") as user:
        content = database.value("SELECT MIN(content_post_id) FROM settlement")
        for arguments in (("status",), ("runs",), ("show", "1"), ("next",), ("nodes",),
                          ("top", "--by", "views", "--period", "daily", "--date", DAY),
                          ("report", "settlement", "--period", "daily", "--date", DAY),
                          ("explain", "--content", str(content), "--date", DAY)):
            json.loads(user.settlectl("--json", *arguments).expect(0).stdout)
        for arguments in (("run", lib.JOB, "--date", DAY), ("pause", lib.JOB), ("purge", "--older-than", "1d")):
            assert "denied to user" in user.settlectl(*arguments).expect(1).stderr, arguments


@suite.test("migrate says that it takes the owner; the check of the schema takes none of its rights")
def migrate():
    with Database() as database:
        program = (lib.SETTLECTL, "--config", database.configuration, "migrate")
        done = database.start(*program).expect(0).stdout
        assert "nothing to do" in done and f"{database.name}_worker: nothing was granted" in done, done
        database.execute("DELETE FROM schema_migration ORDER BY version DESC LIMIT 1")
        said = database.start(*program).expect(1).stderr
        assert "takes the owner of the schema" in said and database.name in said, said
        assert "settlectl migrate" in database.settlectl("runs").expect(1).stderr


@suite.test("migrate grants to the roles that are there, makes none, and can be repeated")
def roles():
    with Database(migrate=False) as database:
        name = database.name
        assert "no rights in it" in database.settlectl("runs").expect(1).stderr
        database.execute(f"DROP ROLE {name}_reader")
        given = json.loads(database.settlectl("migrate", "--json").expect(0).stdout)["roles"]
        outcomes = {row["role"]: row["outcome"] for row in given}
        assert outcomes == {f"{name}_worker": "GIVEN", f"{name}_reader": "NO_ROLE"}, outcomes
        assert not database.value("SELECT COUNT(*) FROM mysql.user WHERE User = %s", f"{name}_reader")
        database.execute(f"CREATE ROLE {name}_reader")
        assert f"{name}_reader: has the rights" in database.settlectl("migrate").expect(0).stdout
        database.settlectl("runs").expect(0)


@suite.test("a platform's table without a column that is only shown is no obstacle")
def adopted():
    with Database(migrate=False) as database:
        database.execute("CREATE TABLE member (member_id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB")
        assert f"{database.name}_reader: has the rights" in database.settlectl("migrate").expect(0).stdout
        database.settle(DAY)


@suite.test("a database may have any name: the role's is quoted")
def quoting():
    with Database() as database:
        name = f"{database.name}`; -- \\' \""
        quoted = "`" + name.replace("`", "``") + "`"
        database.execute(f"CREATE DATABASE {quoted}")
        try:
            text = open(database.owner_configuration, encoding="utf-8").read()
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            with open(database.owner_configuration, "w", encoding="utf-8") as file:
                file.write(text.replace(f'name = "{database.name}"', f'name = "{escaped}"'))
            roles = json.loads(database.settlectl("migrate", "--json").expect(0).stdout)["roles"]
            assert [role["role"] for role in roles] == [f"{name}_worker", f"{name}_reader"], roles
            assert {role["outcome"] for role in roles} == {"NO_ROLE"}, roles
        finally:
            database.execute(f"DROP DATABASE {quoted}")
            database.configure()


@suite.test("the worker ends its own lost sessions, and nobody else's")
def sessions():
    with Database() as database, User(database, "other", "worker") as user:
        mine, second = (lib.oracle.connect(lib.SOCKET, database.name, database.name) for _ in range(2))
        others = user.connect()
        number = second.thread_id()
        with second.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK('settlementd.test', 0)")
        assert lib.oracle.rows_of(mine, "SELECT IS_USED_LOCK('settlementd.test')")[0][0] == number
        assert refusal(others, f"KILL {number}") in DENIED
        assert refusal(mine, f"KILL {number}") == 0
        lib.wait_until(lambda: lib.oracle.rows_of(mine, "SELECT IS_USED_LOCK('settlementd.test')")[0][0] is None, 10,
                       "the end of the session")
        mine.close()
        others.close()


if __name__ == "__main__":
    suite.main()
