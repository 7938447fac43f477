#!/usr/bin/python3
"""Daemons that are upgraded one after the other while a day is being settled. The versions are the same programs with
migrations of their own beside them: the old one knows those of the tree, the new one has one more."""

import functools
import shutil
import signal
from pathlib import Path

import daemon
import lib
import oracle
from lib import JOB, wait_until

suite = lib.Suite()
test = suite.test

DAYS = ("2026-07-01", "2026-07-02")
MANY = {"contents": 400, "views": 1200, "ad_views": 200}
LATEST = len(list((lib.ROOT / "migrations").glob("[0-9]*.sql")))
NEXT = f"{LATEST + 1:04d}_next.sql"
WORKS = f"-- works with programs from: {LATEST:04d}\n"
# Tables that every chunk uses, one that the coordinator uses, and a new one.
CHANGES = """
ALTER TABLE step_partition ADD COLUMN IF NOT EXISTS upgraded INT NULL;
ALTER TABLE content_statistics ADD COLUMN IF NOT EXISTS upgraded INT NOT NULL DEFAULT 7;
ALTER TABLE BATCH_STEP_EXECUTION ADD COLUMN IF NOT EXISTS upgraded INT NULL, ALGORITHM=INSTANT;
CREATE INDEX IF NOT EXISTS job_request_upgraded ON job_request (requested_at);
CREATE TABLE IF NOT EXISTS upgraded (i INT NOT NULL PRIMARY KEY) ENGINE=InnoDB;
"""

WAITING_SQL = ("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE()"
               " AND STATE LIKE 'Waiting for table metadata lock'")


class Version:
    """Programs with a folder of migrations beside them."""

    def __init__(self, directory, name, migration=None):
        self.directory = Path(directory, name)
        programs = self.directory / "build" / "any"
        programs.mkdir(parents=True)
        self.settlementd, self.settlectl = (
            shutil.copy(program, programs) for program in (lib.SETTLEMENTD, lib.SETTLECTL))
        shutil.copytree(lib.ROOT / "migrations", self.directory / "migrations")
        if migration:
            self.add(migration)

    def add(self, migration):
        (self.directory / "migrations" / NEXT).write_text(migration, encoding="utf-8")

    def migrate(self, database):
        return database.start(self.settlectl, "--config", database.owner_configuration, "migrate")


class Upgraded(daemon.Served):
    """A database and the versions; the last day takes many chunks."""

    def __init__(self, migration, **options):
        super().__init__(**{"chunk_size": 1, **options})
        self.old = Version(self.directory, "old")
        self.new = Version(self.directory, "new", migration)
        self.fill(*DAYS, **MANY)
        self.settle(DAYS[0])

    def begin(self, program):
        """A daemon at the last day, with some chunks behind it, which may be more than the first step has."""
        running = self.daemon(program=program)
        asked = self.ask_run(DAYS[1], "--wait")
        self.wait_chunks(50)
        return running, asked

    def hold_advertisements(self):
        """Holds the last row of the second step, in a table that no migration here changes: half of the day is ahead."""
        key, = self.rows("SELECT content_post_id, advertisement_id FROM member_ad_watch_log WHERE watched_date = %s"
                         " ORDER BY content_post_id DESC, advertisement_id DESC LIMIT 1", DAYS[1])
        return daemon.Held(self, "ad_statistics", f"'DAILY', '{DAYS[1]}', {key[0]}, {key[1]}, 0, 0")

    def wait_chunks(self, more):
        wanted = self.progress(DAYS[1]) + more
        wait_until(lambda: self.progress(DAYS[1]) >= wanted, 60, f"{more} more chunks")

    def expect_as_undisturbed(self):
        self.verify()
        found = oracle.dump_differences(undisturbed(), self.dump())
        assert not found, "differs from the undisturbed run:\n" + "\n".join(found[:10])


@functools.cache
def undisturbed():
    with daemon.Served() as database:
        database.fill(*DAYS, **MANY)
        database.settle(*DAYS)
        return database.dump()


@test("a day goes on while its database is migrated and its daemon replaced by a new one: the tables are as if nothing was")
def _():
    with Upgraded(WORKS + CHANGES, ttl_s=20) as database, daemon.hold_settlement(database, DAYS[1]) as end:
        with database.hold_advertisements():
            old, asked = database.begin(database.old.settlementd)
            done = database.new.migrate(database).expect(0).stdout
        assert f"applied {NEXT}" in done, done
        assert database.value("SELECT works_from FROM schema_migration ORDER BY version DESC LIMIT 1") == LATEST
        database.wait_chunks(50)
        new = database.daemon(program=database.new.settlementd)
        again = database.daemon(program=database.old.settlementd)   # an old one that was started again works as well
        again.stop()
        assert "nothing to do" in database.old.migrate(database).expect(0).stdout
        assert database.executions(DAYS[1])[-1][1] == "STARTED", "the day was over before the daemon was replaced"
        old.signal(signal.SIGTERM)
        old.wait_status("finishing")
        end.release()
        old.expect(0)
        asked.expect(0)
        new.wait_status("^daemon idle$")
        assert [row[:3] for row in database.runs(DAYS[1])][-1] == ("COMPLETED", "RESUME", "NONE"), database.runs(DAYS[1])
        assert not [event for event in old.events() + new.events() if event["event"] == "partition-failed"]
        database.expect_as_undisturbed()


@test("a migration that waits for a table lets a running day pass, and is applied when the table is free")
def _():
    with Upgraded(WORKS + CHANGES, ttl_s=20) as database:
        with database.hold_advertisements():
            running, asked = database.begin(database.old.settlementd)
            blocker = database.connect()
            blocker.begin()
            oracle.rows_of(blocker, "SELECT COUNT(*) FROM step_partition")
            migrating = database.new.migrate(database)
            wait_until(lambda: database.value(WAITING_SQL), 20, "a migration that waits")
        database.wait_chunks(20)
        assert not migrating.ended()
        blocker.rollback()
        blocker.close()
        migrating.expect(0)
        asked.expect(0)
        assert [row[0] for row in database.runs(DAYS[1])] == ["COMPLETED"], database.runs(DAYS[1])
        running.stop()
        database.expect_as_undisturbed()


@test("a migration that old programs cannot work with: the running day ends, then the old daemon waits, and the new one works")
def _():
    with Upgraded(CHANGES, heartbeat_s=1, ttl_s=20) as database:
        old, asked = database.begin(database.old.settlementd)
        database.old.add(CHANGES)      # installed under it: what it knows is what it knew when it was started
        database.new.migrate(database).expect(0)
        words = f"the database has migration {NEXT} (number {LATEST + 1}), which this program does not know"
        assert words in old.wait_status("waiting for the database")
        old.wait_event("database-away", error="ERR_UNSAFE")
        asked_of_old = database.executions(DAYS[1])[-1][0]
        wait_until(lambda: database.closed_days() == list(DAYS), 60, "the end of the day")
        (database.old.directory / "migrations" / NEXT).unlink()
        refused = database.daemon(program=database.old.settlementd, ready=False).expect(1).stderr
        for said in (refused, database.start(database.old.settlementd, "run", JOB, "--date", DAYS[1], "--config",
                                             database.configuration).expect(1).stderr,
                     database.start(database.old.settlectl, "--config", database.configuration, "status").expect(1).stderr,
                     database.old.migrate(database).expect(1).stderr):
            assert words in said and "install that version here as well" in said, said
        old.stop()
        new = database.daemon(program=database.new.settlementd)
        new.wait_status("^daemon idle$")
        asked.expect(0)
        assert database.execution(DAYS[1]) == asked_of_old
        database.expect_as_undisturbed()


if __name__ == "__main__":
    suite.main()
