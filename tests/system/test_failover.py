#!/usr/bin/python3
"""A failover with real replication: the primary dies, and a replica takes its place that has caught up, or has not. In
the second case nothing may be settled anew until a person says so."""

import json
import os

import lib
import servers
from lib import JOB, wait_until

suite = lib.Suite()
test = suite.test

DAYS = ("2026-07-01", "2026-07-02", "2026-07-03")
SETTLED = "^daemon (idle|waiting)"
# What a daemon that is halted may write: its own sign of life.
OWN = ("node",)


class Failover:
    """A primary, a replica that will lag and one that keeps up; a database whose first day is settled everywhere."""

    def __init__(self):
        self.primary = servers.Primary()
        self.laggard, self.good = servers.Replica(self.primary), servers.Replica(self.primary)
        self.in_use = self.primary
        self.database = servers.Served(servers.Address(self.primary))
        self.database.fill(*DAYS)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.database.__exit__(kind)

    def daemon(self, number, **options):
        """A daemon that remembers, each number on a host of its own."""
        return self.database.daemon(environment=self.database.remembers(number), **options)

    def settle(self, day):
        self.database.ask_run(day, "--wait").expect(0)

    def lose(self, day):
        """From here on one replica lags, and a day is settled that it does not get."""
        self.laggard.catch_up()
        self.laggard.stop_applying()
        self.settle(day)
        self.good.catch_up()

    def fail_over_to(self, server):
        """The server that was in use is gone, and another one answers at its address."""
        self.in_use.kill()
        self.in_use = server
        server.promote()
        self.database.follow(server)

    def remembered(self, number):
        path = self.database.remembers(number)["STATE_DIRECTORY"]
        with open(f"{path}/acknowledged-{self.database.name}.json", encoding="utf-8") as file:
            return [(row["date"], row["step"], row["status"]) for row in json.load(file)["acknowledged"]]

    def wait_remembered(self, number, day):
        """Until a daemon's file holds the end of the day."""
        wait_until(lambda: (day, "", "COMPLETED") in self.remembered(number), 20, f"{day} in the file of host {number}")

    def run(self, day, number=1):
        environment = {**os.environ, **self.database.remembers(number)}
        process = lib.Process([lib.SETTLEMENTD, "run", JOB, "--date", day, "--config", self.database.configuration],
                              self.database.directory, environment)
        self.database.processes.append(process)
        return process


def status_problems(database):
    shown = json.loads(database.settlectl("--json", "status").expect(0).stdout)
    return [problem["text"] for problem in shown["problems"] if problem["kind"] == "halted"]


@test("a replica that lagged: all daemons halt, name the day that is missing and write nothing; one that has it, and they go on")
def _():
    with Failover() as failover:
        database = failover.database
        running, idle = failover.daemon(1), failover.daemon(2)
        failover.settle(DAYS[0])
        failover.lose(DAYS[1])
        lost = database.execution(DAYS[1])
        for number in (1, 2):   # also the one that did not settle it
            failover.wait_remembered(number, DAYS[1])
        for process in (running, idle):
            process.forget()
        failover.fail_over_to(failover.laggard)
        for process in (running, idle):
            status = process.wait_status("HALTED")
            assert f"{DAYS[1]} (execution {lost})" in status and DAYS[0] in status, status
            event = process.wait_event("halted", level="error", error="ERR_BEHIND")
            assert "accept-loss" in event["msg"], event

        before = database.contents(*OWN)
        database.execute("INSERT INTO job_request (command, job_name, date_from, date_to, requested_by, requested_at)"
                         " VALUES ('RUN', %s, %s, %s, 'test', NOW(6))", JOB, DAYS[1], DAYS[1])
        wait_until(lambda: len(status_problems(database)) == 2, 20, "two daemons that say that they are halted")
        assert DAYS[1] in status_problems(database)[0]
        assert "need attention" in database.settlectl("status", "--check").expect(1).stderr
        refused = failover.run(DAYS[1]).expect(1)
        assert f"HALTED: the database has lost what it had acknowledged: it does not know that {DAYS[1]}" in refused.stderr
        assert database.request()[0] == "PENDING"
        after = database.contents(*OWN)
        changed = [table for table, checksum in after.items() if checksum != before[table]]
        assert changed == ["job_request"], changed      # the test's own
        assert database.closed_days() == [DAYS[0]]

        for process in (running, idle):
            process.forget()
        failover.fail_over_to(failover.good)
        for process in (running, idle):
            process.wait_status(SETTLED)
            process.wait_event("database-back")
        assert database.execution(DAYS[1]) == lost
        failover.settle(DAYS[2])
        database.verify()
        assert database.closed_days() == list(DAYS) and not status_problems(database)


@test("a loss that a person accepts: the daemons go on from what is there; the server that has the day is then the other one")
def _():
    with Failover() as failover:
        database = failover.database
        running, idle = failover.daemon(1), failover.daemon(2)
        failover.settle(DAYS[0])
        failover.lose(DAYS[1])
        for number in (1, 2):
            failover.wait_remembered(number, DAYS[1])
        failover.fail_over_to(failover.laggard)
        for process in (running, idle):
            process.wait_status("HALTED")
            process.forget()
        assert "--reason" in database.settlectl("accept-loss").expect(2).stderr
        said = database.settlectl("accept-loss", "--reason", "the old disk is gone").expect(0).stdout
        assert f"{DAYS[0]} is the last day that is settled" in said, said
        for process in (running, idle):
            process.wait_status(SETTLED)
            event = process.wait_event("loss-accepted", level="warn")
            assert DAYS[1] in event["missing"] and "the old disk is gone" in event["accepted_by"], event
        failover.settle(DAYS[1])
        database.verify()

        # What was settled here is not there: an old primary that comes back is behind.
        for number in (1, 2):
            failover.wait_remembered(number, DAYS[1])
        for process in (running, idle):
            process.forget()
        failover.fail_over_to(failover.good)
        for process in (running, idle):
            process.wait_status("HALTED")
        assert database.closed_days() == list(DAYS[:2])


@test("a day that is running when the primary dies is not continued on the replica that lags, but on the one that has it")
def _():
    with Failover() as failover:
        database = failover.database
        database.configure(chunk_size=1, restart_backoff_s=0)
        running = failover.daemon(1)
        failover.settle(DAYS[0])
        failover.lose(DAYS[1])
        failover.wait_remembered(1, DAYS[1])
        with database.hold(DAYS[2]) as held:
            asked = database.ask_run(DAYS[2], "--wait")
            held.wait_wanted()
            failover.good.catch_up()
            held.connection.close()
            failover.fail_over_to(failover.laggard)
        before = database.contents(*OWN)
        running.wait_status("HALTED")
        running.wait_event("run-usage")     # the execution has given up
        wait_until(lambda: len(running.events("halted")) > 0, 20, "the halt")
        assert database.contents(*OWN) == before, "something was written to the replica that lags"
        asked.expect(1)     # it found a database that had never heard of its request
        running.forget()
        failover.fail_over_to(failover.good)
        wait_until(lambda: database.closed_days() == list(DAYS), 30, "the end of the day")
        database.verify()


@test("a daemon that is started on such a replica is ready, and halted; it can be stopped, and goes on when the day is back")
def _():
    with Failover() as failover:
        database = failover.database
        failover.daemon(1).stop()
        assert failover.remembered(1) == []
        failover.run(DAYS[0]).expect(0)     # by hand, but with the daemon's state directory
        assert (DAYS[0], "", "COMPLETED") in failover.remembered(1)
        failover.laggard.catch_up()
        failover.laggard.stop_applying()
        failover.run(DAYS[1]).expect(0)
        failover.good.catch_up()
        failover.fail_over_to(failover.laggard)
        halted = failover.daemon(1)
        assert "HALTED" in halted.wait_status("HALTED")
        wait_until(lambda: status_problems(database), 20, "the sign of life of a daemon that is halted")
        halted.stop().wait_states("READY", "STOPPING")
        halted = failover.daemon(1)
        halted.wait_status("HALTED")
        halted.forget()
        failover.fail_over_to(failover.good)
        halted.wait_status(SETTLED)
        failover.settle(DAYS[2])
        database.verify()


if __name__ == "__main__":
    suite.main()
