#!/usr/bin/python3
"""Commands that keep launches waiting, and stand still: the server ends them, and nothing of them stays."""

import signal
from contextlib import contextmanager

import lib
from lib import Database, Suite, wait_until
from test_import import MEMBER_HEADER, count, expect_nothing, held, load, member_line, session_ends, waiting_sessions, write

suite = Suite()

LIMIT_SQL = "SELECT COUNT(*) FROM mysql.general_log WHERE argument = 'SET SESSION idle_transaction_timeout = 60'"


@contextmanager
def statements_logged(database):
    database.execute("SET GLOBAL log_output = 'TABLE'")
    database.execute("SET GLOBAL general_log = ON")
    try:
        yield
    finally:
        database.execute("SET GLOBAL general_log = OFF")


@suite.test("what keeps launches waiting asks the server to end it when it stands still for a minute")
def _():
    with Database() as database, statements_logged(database):
        path = write(database, "members.csv", MEMBER_HEADER, member_line(1))
        before = database.value(LIMIT_SQL)
        load(database, "member", path)
        assert database.value(LIMIT_SQL) == before + 1
        database.settlectl("purge", "--older-than", "90d").expect(0)
        assert database.value(LIMIT_SQL) == before + 2


@suite.test("an import that was stopped (Ctrl-Z) for too long loads nothing and lets launches through")
def _():
    with Database() as database, held(database, "member", "(5000, 'x', 'x', 'MEMBER')") as other:
        path = write(database, "members.csv", MEMBER_HEADER, *(member_line(number) for number in range(1, 20001)))
        # The server's own limit for transactions that have written goes before that of the session, and is shorter here.
        database.execute("SET GLOBAL idle_write_transaction_timeout = 5")
        try:
            process = database.settlectl("import", "member", str(path))
            session, = wait_until(lambda: waiting_sessions(database), 30, "an import that waits")
        finally:
            database.execute("SET GLOBAL idle_write_transaction_timeout = DEFAULT")
        process.signal(signal.SIGSTOP)
        other.rollback()
        session_ends(database, session)
        expect_nothing(database, "member")
        with other.cursor() as cursor:
            cursor.execute("SELECT job_name FROM job_control FOR UPDATE NOWAIT")
        process.signal(signal.SIGCONT)
        said = process.expect(1).stderr
        assert "nothing was loaded, import it again" in said, said
        load(database, "member", path)
        assert count(database, "member") == 20000


if __name__ == "__main__":
    suite.main(programs=(lib.SETTLECTL,))
