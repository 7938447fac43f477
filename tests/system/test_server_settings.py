#!/usr/bin/python3
"""Servers on which a commit that was confirmed can be lost: refused by the name of the setting, at the start and in the
middle of a day, by the daemon, by a run in the foreground and by an import. Real servers, started with these settings."""

import os
import re
import shutil

import lib
import servers
from lib import wait_until
from servers import BINLOG

suite = lib.Suite()
test = suite.test

DAY = "2026-07-01"
MANY = {"contents": 300, "views": 900, "ad_views": 100}
CRASH = "else a crash of the server or a power cut can lose commits"

# Options of the server, the setting, its value, what it must be, whether the daemon waits instead of ending.
SETTINGS = (
    (["--innodb-flush-log-at-trx-commit=2"], "INNODB_FLUSH_LOG_AT_TRX_COMMIT", "2", "1, " + CRASH, False),
    (["--innodb-flush-log-at-trx-commit=0"], "INNODB_FLUSH_LOG_AT_TRX_COMMIT", "0", "1, " + CRASH, False),
    (["--innodb-doublewrite=OFF"], "INNODB_DOUBLEWRITE", "OFF", "ON, else a power cut can tear pages", False),
    (["--innodb-flush-method=nosync"], "INNODB_FLUSH_METHOD", "nosync", "O_DIRECT (or fsync, O_DSYNC), " + CRASH, False),
    (["--innodb-flush-method=O_DIRECT_NO_FSYNC"], "INNODB_FLUSH_METHOD", "O_DIRECT_NO_FSYNC", "O_DIRECT (or ", False),
    ([*BINLOG, "--sync-binlog=0"], "SYNC_BINLOG", "0", "1, else a crash can lose commits while the binary log", False),
    ([*BINLOG, "--sync-binlog=100"], "SYNC_BINLOG", "100", "1, ", False),
    ([*BINLOG, "--binlog-format=STATEMENT"], "BINLOG_FORMAT", "STATEMENT", "ROW (or MIXED), since with READ COMMITTED",
     False),
    (["--read-only"], "READ_ONLY", "ON", "OFF, since this one takes no writes", True),
    (["--innodb-force-recovery=1"], "INNODB_FORCE_RECOVERY", "1", "0, the server was started to rescue", True),
)
# What does no harm is not refused.
HARMLESS = (BINLOG, [*BINLOG, "--binlog-format=MIXED"], ["--sync-binlog=0"], ["--innodb-flush-method=fsync"])


class Restarted:
    """A server that can be started anew with other options, and a migrated database on it with a day's logs."""

    def __init__(self):
        self.server = servers.Server()
        self.database = servers.Served(servers.Address(self.server))
        self.database.fill(DAY)

    def restart(self, *options):
        self.server.stop()
        self.server.start(*options)
        self.database.reconnect()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.restart()
        self.database.__exit__(kind)


def check_words(said, name, value, must):
    assert f"the server's setting {name} is {value} and must be {must}" in said, said
    assert re.search(f"(SET GLOBAL|put) {name} = .* the server's configuration (for good|and start it anew)", said), said


@test("settings under which a commit can be lost are refused by name: the daemon ends with 78, a run and an import with 1")
def _():
    with Restarted() as restarted:
        database = restarted.database
        logs = os.path.join(database.directory, "logs.csv")
        with open(logs, "w", encoding="ascii") as file:
            file.write("member_id,email,username,role\n1,a@b.c,a,MEMBER\n")
        for options, name, value, must, waits in SETTINGS:
            restarted.restart(*options)
            before = database.contents()
            running = database.daemon(ready=False)
            if waits:
                running.wait_status(f"the server's setting {name} is {value}")
                check_words(running.wait_event("database-away")["msg"], name, value, must)
                running.stop()
            else:
                check_words(running.expect(78).stderr, name, value, must)
            check_words(database.run(DAY).expect(1).stderr, name, value, must)
            check_words(database.settlectl("import", "member", logs).expect(1).stderr, name, value, must)
            assert database.contents() == before, f"something was written in spite of {options}"


@test("settings that lose nothing are accepted")
def _():
    with Restarted() as restarted:
        for options in HARMLESS:
            restarted.restart(*options)
            restarted.database.daemon().stop()
        restarted.database.settle(DAY)
        restarted.database.verify()


@test("what a session can set it sets itself, whatever the server's own values are")
def _():
    server = servers.Server()
    with servers.Served(servers.Address(server)) as database:
        database.fill(DAY)
        server.execute(*(f"SET GLOBAL {setting}" for setting in (
            "tx_read_only = ON", "completion_type = 'RELEASE'", "unique_checks = OFF", "foreign_key_checks = OFF",
            "check_constraint_checks = OFF", "autocommit = OFF", "time_zone = '+05:00'", "sql_mode = 'ANSI'",
            "tx_isolation = 'SERIALIZABLE'", "max_statement_time = 0.001", "innodb_lock_wait_timeout = 100000")))
        running = database.daemon()
        database.ask_run(DAY, "--wait").expect(0)
        database.verify()
        running.stop()


@test("a setting that is changed under a daemon makes it wait, and say so; it goes on when the setting is mended")
def _():
    server = servers.Server()
    with servers.Served(servers.Address(server)) as database:
        database.fill(DAY)
        running = database.daemon()
        server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        running.wait_status("waiting for the database: the server's setting INNODB_FLUSH_LOG_AT_TRX_COMMIT is 2")
        check_words(running.wait_event("database-away")["msg"], "INNODB_FLUSH_LOG_AT_TRX_COMMIT", "2", "1, ")
        running.forget()
        server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        running.wait_status("^daemon idle$")
        database.ask_run(DAY, "--wait").expect(0)
        database.verify()


@test("a day that is moved to a server with other settings writes nothing there, and goes on when the first one is back")
def _():
    server = servers.Server()
    address = servers.Address(server)
    with servers.Served(address, chunk_size=1, transaction_limit=100) as database:
        database.fill(DAY, **MANY)
        running = database.daemon()
        asked = database.ask_run(DAY, "--wait")
        wait_until(lambda: database.progress(DAY) > 100, 60, "100 chunks")
        server.kill()
        other = servers.Server(start=False)
        shutil.rmtree(f"{other.directory}/data")
        shutil.copytree(f"{server.directory}/data", f"{other.directory}/data")
        other.start("--innodb-doublewrite=OFF")
        database.follow(other)
        before = database.contents()
        running.wait_status("the server's setting INNODB_DOUBLEWRITE is OFF")
        running.wait_event("lease-not-renewed")
        assert database.contents() == before, "something was written to the other server"
        other.kill()
        server.start()
        database.follow(server)
        asked.expect(0)
        database.verify()


@test("a table whose engine has no transactions is refused, and so is a sequence")
def _():
    server = servers.Server()
    with servers.Served(servers.Address(server)) as database:
        for make, what in (("TABLE sloppy (i INT)", "sloppy is MyISAM"), ("SEQUENCE careless", "careless is MyISAM")):
            database.execute(f"CREATE {make} ENGINE=MyISAM")
            # The worker sees what it has a right in.
            database.execute(f"GRANT SELECT ON {make.split()[1]} TO {database.name}_worker")
            assert what in database.daemon(ready=False).expect(78).stderr
            assert what in database.run(DAY).expect(1).stderr
            database.execute(f"DROP {make.split()[0]} {make.split()[1]}")
        database.daemon().stop()


@test("a node of a Galera cluster is refused, unless the configuration says that it is the only writer: then it settles")
def _():
    if not os.path.exists(servers.PROVIDER):
        print(f"skipped: {servers.PROVIDER} is not installed (package galera-4)", flush=True)
        return
    port, incoming = servers.free_port(), servers.free_port()
    server = servers.Server(
        "--wsrep-on=ON", f"--wsrep-provider={servers.PROVIDER}", "--wsrep-cluster-address=gcomm://", "--wsrep-new-cluster",
        f"--wsrep-node-address=127.0.0.1:{port}", "--wsrep-node-name=only", "--bind-address=127.0.0.1",
        f"--port={incoming}", f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{port};gcache.size=16M",
        "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2")
    wait_until(lambda: server.execute("SHOW STATUS LIKE 'wsrep_ready'")[0][1] == "ON", 20, "the cluster")
    with servers.Served(servers.Address(server)) as database:
        database.fill(DAY)
        for said in (database.daemon(ready=False).expect(78).stderr, database.run(DAY).expect(1).stderr):
            assert "WSREP_ON is ON and must be OFF" in said and "database.galera_single_writer = true" in said, said
        with open(database.configuration, encoding="utf-8") as file:
            text = file.read()
        with open(database.configuration, "w", encoding="utf-8") as file:
            file.write(text.replace("database: {", "database: { galera_single_writer = true;"))
        server.execute("SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON")
        running = database.daemon()
        database.ask_run(DAY, "--wait").expect(0)
        database.verify()
        running.stop()
        assert [row[0] for row in database.runs()] == ["COMPLETED"], database.runs()
        waits = server.value("SELECT COUNT(*) FROM mysql.general_log WHERE argument = 'SET SESSION wsrep_sync_wait = 15'")
        begins = server.value("SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE 'SET SESSION time_zone%'")
        assert waits == begins > 0, f"{waits} of {begins} sessions wait for what the cluster has confirmed"


if __name__ == "__main__":
    suite.main()
