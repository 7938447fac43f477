#!/usr/bin/python3
"""What a settled day leaves in Spring Batch's tables: names, keys, status words, parameters, counters and contexts, as
JobExplorer and dashboards expect them."""

import base64
import hashlib
import json

import lib

suite = lib.Suite()

# An empty java.util.HashMap, as the JVM writes it.
EMPTY_CONTEXT = ("rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAB3"
                 "CAAAABAAAAAAeA==")
COUNTERS = ("COMMIT_COUNT", "READ_COUNT", "FILTER_COUNT", "WRITE_COUNT", "READ_SKIP_COUNT", "WRITE_SKIP_COUNT",
            "PROCESS_SKIP_COUNT", "ROLLBACK_COUNT")
DAYS = lib.days_from("2021-09-30", 2)


def job_key(day):
    """The job key of Spring Batch 5."""
    text = f"targetDate={{value={day}, type=class java.lang.String, identifying=true}};"
    return hashlib.md5(text.encode()).hexdigest()


def settled():
    """Two settled days; three contents of each are parked."""
    database = lib.Database(chunk_size=5, partition_items=100, threads=3)
    lib.load(database, lib.generate(3, DAYS, contents=80, views=1200, ad_views=300, missing=3))
    database.settle(*DAYS)
    return database


@suite.test("one instance a day, with Spring Batch 5's job key")
def instances():
    with settled() as database:
        found = database.rows("SELECT JOB_NAME, JOB_KEY, VERSION FROM BATCH_JOB_INSTANCE ORDER BY JOB_INSTANCE_ID")
        assert found == [(lib.JOB, job_key(day), 0) for day in DAYS], found
        parameters = database.rows("""SELECT PARAMETER_NAME, PARAMETER_TYPE, PARAMETER_VALUE, IDENTIFYING
                                      FROM BATCH_JOB_EXECUTION_PARAMS ORDER BY JOB_EXECUTION_ID""")
        assert parameters == [("targetDate", "java.lang.String", str(day), "Y") for day in DAYS], parameters


@suite.test("executions and steps end COMPLETED, in order, with all their times")
def statuses():
    with settled() as database:
        for table in ("BATCH_JOB_EXECUTION", "BATCH_STEP_EXECUTION"):
            assert not database.rows(f"""SELECT * FROM {table} WHERE STATUS <> 'COMPLETED'
                OR EXIT_CODE NOT IN ('COMPLETED', 'COMPLETED WITH SKIPS') OR EXIT_MESSAGE IS NULL OR VERSION IS NULL
                OR START_TIME IS NULL OR END_TIME IS NULL OR LAST_UPDATED IS NULL OR START_TIME < CREATE_TIME
                OR END_TIME < START_TIME OR ABS(TIMESTAMPDIFF(SECOND, END_TIME, UTC_TIMESTAMP(6))) > 3600"""), table
        for day in DAYS:
            names = [row[0] for row in database.rows(f"""SELECT s.STEP_NAME FROM BATCH_STEP_EXECUTION s
                JOIN BATCH_JOB_EXECUTION e USING (JOB_EXECUTION_ID) {lib.DAY_SQL}
                WHERE s.STEP_NAME NOT LIKE '%%:%%' ORDER BY s.START_TIME, s.STEP_EXECUTION_ID""", str(day))]
            assert names == list(lib.STEPS), names


@suite.test("workers are named STEP:partitionN from 0, one for each planned partition")
def workers():
    with settled() as database:
        for day in DAYS:
            for step in lib.STEPS:
                names = {row[0] for row in database.rows(f"""SELECT s.STEP_NAME FROM BATCH_STEP_EXECUTION s
                    JOIN BATCH_JOB_EXECUTION e USING (JOB_EXECUTION_ID) {lib.DAY_SQL}
                    WHERE s.STEP_NAME LIKE %s""", str(day), f"{step}:%")}
                planned = database.value(f"SELECT COUNT(*) {lib.PLAN_SQL} AND p.step_name = %s", str(day), step)
                assert names == {f"{step}:partition{number}" for number in range(planned)}, (step, planned, names)
        assert database.value(f"SELECT COUNT(*) {lib.PLAN_SQL} AND p.step_name = %s", str(DAYS[0]), lib.STEPS[0]) > 1


@suite.test("a manager's counters are the sums of its workers', and those of their partitions")
def counters():
    sums = ", ".join(f"SUM(s.{name})" for name in COUNTERS)
    with settled() as database:
        for day in DAYS:
            for step in lib.STEPS:
                found = [database.rows(f"""SELECT {sums} FROM BATCH_STEP_EXECUTION s JOIN BATCH_JOB_EXECUTION e
                    USING (JOB_EXECUTION_ID) {lib.DAY_SQL} WHERE s.STEP_NAME LIKE %s""", str(day), name)[0]
                         for name in (step, f"{step}:%")]
                assert found[0] == found[1], (step, found)
                planned = database.rows(f"""SELECT SUM(p.chunk_count), SUM(p.read_count), SUM(p.write_count),
                    SUM(p.skip_count), SUM(p.rollback_count) {lib.PLAN_SQL} AND p.step_name = %s""", str(day), step)[0]
                named = dict(zip(COUNTERS, found[0]))
                assert planned == (named["COMMIT_COUNT"], named["READ_COUNT"], named["WRITE_COUNT"],
                                   named["PROCESS_SKIP_COUNT"], named["ROLLBACK_COUNT"]), (step, planned, named)


@suite.test("the counters tell the true numbers of rows")
def true_numbers():
    with settled() as database:
        for day in DAYS:
            steps = {row[0]: dict(zip(COUNTERS, row[1:])) for row in database.rows(
                f"""SELECT s.STEP_NAME, {", ".join("s." + name for name in COUNTERS)} FROM BATCH_STEP_EXECUTION s
                    JOIN BATCH_JOB_EXECUTION e USING (JOB_EXECUTION_ID) {lib.DAY_SQL}
                    WHERE s.STEP_NAME NOT LIKE '%%:%%'""", str(day))}
            paid = database.value("SELECT COUNT(*) FROM settlement WHERE settlement_date = %s", day)
            parked = database.value("SELECT COUNT(*) FROM parked_content WHERE settlement_date = %s", day)
            assert parked == 3
            assert steps["settlement"]["WRITE_COUNT"] == paid, (steps["settlement"], paid)
            assert steps["settlement"]["PROCESS_SKIP_COUNT"] == parked, (steps["settlement"], parked)
            assert sum(step["ROLLBACK_COUNT"] for step in steps.values()) == 0, steps
            for name, table in zip(lib.STEPS, ("member_content_watch_log", "member_ad_watch_log")):
                logs = database.value(f"SELECT COUNT(*) FROM {table} WHERE watched_date = %s", day)
                assert steps[name]["READ_COUNT"] == logs, (name, steps[name], logs)
                assert steps[name]["WRITE_COUNT"] > 0 and steps[name]["COMMIT_COUNT"] > 0, (name, steps[name])
        assert not database.rows("SELECT 1 FROM step_partition WHERE deadlock_count OR lock_wait_count")


@suite.test("every execution and step has a context that JobExplorer can decode")
def contexts():
    with settled() as database:
        for table, owner, key in (("BATCH_JOB_EXECUTION_CONTEXT", "BATCH_JOB_EXECUTION", "JOB_EXECUTION_ID"),
                                  ("BATCH_STEP_EXECUTION_CONTEXT", "BATCH_STEP_EXECUTION", "STEP_EXECUTION_ID")):
            missing = database.rows(f"SELECT {key} FROM {owner} WHERE {key} NOT IN (SELECT {key} FROM {table})")
            assert not missing, f"no row in {table} for {missing[:5]}"
            for short, long in database.rows(f"SELECT DISTINCT SHORT_CONTEXT, SERIALIZED_CONTEXT FROM {table}"):
                json.loads(short)
                assert base64.b64decode(long, validate=True).startswith(b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap")
                if json.loads(short) == {}:
                    assert long == EMPTY_CONTEXT, long


@suite.test("partitions are disjoint, cover the day and are all completed")
def ranges():
    with settled() as database:
        for day in DAYS:
            logged = [row[0] for row in database.rows("""SELECT DISTINCT content_post_id FROM member_content_watch_log
                WHERE watched_date = %s""", day)]
            plan = database.rows(f"""SELECT p.lower_key, p.upper_key, p.status, p.partition_number {lib.PLAN_SQL}
                AND p.step_name = 'content-statistics' ORDER BY 1""", str(day))
            assert all(left[1] <= right[0] for left, right in zip(plan, plan[1:])), plan
            assert all(any(low < content <= high for low, high, *_ in plan) for content in logged)
            assert not database.rows(f"SELECT * {lib.PLAN_SQL} AND p.status <> 'COMPLETED'", str(day))


@suite.test("metadata can be purged without touching money")
def purge():
    with settled() as database:
        before = database.dump()
        for table in ("BATCH_STEP_EXECUTION_CONTEXT", "BATCH_JOB_EXECUTION_CONTEXT", "BATCH_STEP_EXECUTION",
                      "BATCH_JOB_EXECUTION_PARAMS", "BATCH_JOB_EXECUTION", "BATCH_JOB_INSTANCE"):
            database.execute(f"DELETE FROM {table}")
        assert database.dump() == before
        assert not database.rows("SELECT * FROM step_partition")
        again = database.run(DAYS[1]).expect(0)
        assert database.dump() == before, again.output


if __name__ == "__main__":
    suite.main()
