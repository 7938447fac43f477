"""One measurement each: a run of settlementd, the plain SQL, the writes, an import. Times in seconds."""
import os
import re
import time

import world
from server import ROOT, Failed, program, run_program, statements

BENCH = os.path.join(ROOT, "bench")
STEP_SECONDS = ("SELECT STEP_NAME, TIMESTAMPDIFF(MICROSECOND, START_TIME, END_TIME) / 1e6 FROM BATCH_STEP_EXECUTION"
                " WHERE JOB_EXECUTION_ID = (SELECT MAX(JOB_EXECUTION_ID) FROM BATCH_JOB_EXECUTION)"
                " AND STEP_NAME NOT LIKE '%:partition%' ORDER BY STEP_EXECUTION_ID")
PARTITION_COUNTERS = ("SELECT COUNT(*), COALESCE(SUM(chunk_count), 0), COALESCE(SUM(deadlock_count), 0),"
                      " COALESCE(SUM(lock_wait_count), 0) FROM step_partition p WHERE p.job_instance_id ="
                      " (SELECT MAX(JOB_INSTANCE_ID) FROM BATCH_JOB_INSTANCE)")


def _counters(session):
    values = dict(session.run("SHOW GLOBAL STATUS LIKE 'Com_commit'"))
    values.update(session.run("SELECT NAME, COUNT FROM information_schema.INNODB_METRICS"
                              " WHERE NAME IN ('lock_deadlocks', 'lock_timeouts')"))
    return {name: int(value) for name, value in values.items()}


def job(server, database, configuration, date):
    """The whole job, from the start of the program to its end, and what the database and the program say about it."""
    session = server.connect(database)
    before = _counters(session)
    cpu = server.cpu_seconds()
    finished = world.settle(server, configuration, date)
    cpu = server.cpu_seconds() - cpu
    after = _counters(session)
    partitions, chunks, deadlocks, lock_waits = map(int, session.run(PARTITION_COUNTERS)[0])
    usage = re.findall(r".*\brun-usage\b.*", finished.errors)
    if not usage:
        raise Failed("settlementd did not log the event run-usage:\n" + finished.errors[-2000:])
    result = {
        "seconds": finished.seconds, "cpu": cpu,
        "steps": {name: float(seconds) for name, seconds in session.run(STEP_SECONDS)},
        "peak_kib": finished.peak_kib,
        "commits": after["Com_commit"] - before["Com_commit"],
        "partitions": partitions, "chunks": chunks,
        "deadlocks": max(deadlocks, after.get("lock_deadlocks", 0) - before.get("lock_deadlocks", 0)),
        "lock_waits": max(lock_waits, after.get("lock_timeouts", 0) - before.get("lock_timeouts", 0)),
        "usage": {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", usage[-1])},
    }
    session.close()
    return result


def plain_script(server, database, script, date):
    """A script of the plain SQL on one connection: seconds in all and for each step, without the restoring before it."""
    session = server.connect(database)
    session.run(f"SET @day = '{date}', @began = UTC_TIMESTAMP(6)")
    session.run("SET @day_before = CAST(CAST(@day AS DATE) - INTERVAL 1 DAY AS CHAR),"
                " @week = CAST(CAST(@day AS DATE) - INTERVAL WEEKDAY(@day) DAY AS CHAR),"
                " @month = CAST(CAST(@day AS DATE) - INTERVAL DAYOFMONTH(@day) - 1 DAY AS CHAR),"
                " @year = CAST(MAKEDATE(YEAR(@day), 1) AS CHAR)")
    steps, slow, cpu = {}, [], server.cpu_seconds()
    began = time.monotonic()
    for step, sql in statements(os.path.join(BENCH, script)):
        statement_began = time.monotonic()
        session.run(sql)
        took = time.monotonic() - statement_began
        steps[step] = steps.get(step, 0.0) + took
        slow.append((took, " ".join(sql.split())[:100]))
    seconds = time.monotonic() - began
    cpu = server.cpu_seconds() - cpu
    failed = session.run("SELECT check_name, expected, actual FROM reconciliation"
                         f" WHERE job_execution_id = 0 AND target_date = '{date}' AND NOT passed")
    session.close()
    if failed:
        raise Failed(f"{script}: these checks of the plain SQL failed: {failed}")
    return {"seconds": seconds, "cpu": cpu, "steps": steps, "statements": slow}


# The columns that have to be the same on both sides: all but the id of the execution.
SAME = {
    "content_statistics": "period, statistics_date, content_post_id, view_count, watch_time, ad_view_count,"
                          " COALESCE(accumulated_views, 'none'), COALESCE(accumulated_ad_views, 'none')",
    "ad_statistics": "period, statistics_date, content_post_id, advertisement_id, view_count, watch_time",
    "settlement": "settlement_date, content_post_id, creator_id, content_revenue_micros, ad_revenue_micros,"
                  " total_content_revenue_micros, total_ad_revenue_micros, status",
    "parked_content": "settlement_date, content_post_id, reason, COALESCE(paid_on, 'none')",
    "day_close": "business_date, view_logs, ad_logs",
}


def _digest(session, table, columns, where="TRUE"):
    """How many rows, and a sum over 60 bits of each row's MD5: equal for equal sets of rows."""
    return session.run(f"SELECT COUNT(*), SUM(CONV(LEFT(MD5(CONCAT_WS('|', {columns})), 15), 16, 10))"
                       f" FROM {table} WHERE {where}")[0]


def require_same_results(server, ours, theirs):
    session = server.connect()
    for table, columns in SAME.items():
        a, b = (_digest(session, f"{database}.{table}", columns) for database in (ours, theirs))
        if a != b:
            raise Failed(f"{table} differs: settlementd wrote {a[0]} rows, the plain SQL {b[0]}, or other values")
    session.close()


def require_same_step(server, ours, theirs, date):
    """After the step alone the plain SQL has not counted the advertisement views yet; settlementd has, by now."""
    session = server.connect()
    day = f"period = 'DAILY' AND statistics_date = '{date}' AND view_count > 0"
    same = "content_post_id, view_count, watch_time, accumulated_views, accumulated_ad_views - ad_view_count"
    a, b = (_digest(session, f"{database}.content_statistics", same, day) for database in (ours, theirs))
    session.close()
    if a != b:
        raise Failed(f"content_statistics differs after the step: {a[0]} and {b[0]} rows, or other values")


def writes(server, database, date, workers, chunk=1000):
    """Rows a second: one INSERT at a time, and batched by one worker and by all, with a COMMIT for each `chunk` rows."""
    program_path = os.path.join(ROOT, "build", "release", "bench", "writes")
    finished = run_program([program_path, server.socket, database, date, str(chunk), str(workers)], server.folder)
    found = re.findall(r"^(\S+) (\d+) (\d+)$", finished.output, re.MULTILINE)
    return {name: int(rows) / (int(us) / 1e6) for name, rows, us in found}


def import_file(server, database, configuration, path, rows):
    """settlectl import into the empty table: seconds, and its peak memory."""
    session = server.connect(database)
    session.run("TRUNCATE TABLE member_content_watch_log")
    session.run("DELETE FROM import_file")
    finished = run_program([program("settlectl"), "--config", configuration, "import", "watch-log", path],
                           server.folder)
    found = session.one("SELECT COUNT(*) FROM member_content_watch_log")
    session.close()
    if found != rows:
        raise Failed(f"settlectl import loaded {found} of {rows} rows")
    return {"seconds": finished.seconds, "peak_kib": finished.peak_kib}


def load_file(server, database, path, rows):
    """The same file with LOAD DATA INFILE into a table made like the other, emptied before."""
    session = server.connect(database)
    session.run("DROP TABLE IF EXISTS loaded")
    session.run("CREATE TABLE loaded LIKE member_content_watch_log")
    began = time.monotonic()
    session.run(f"LOAD DATA INFILE '{path}' INTO TABLE loaded FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'"
                f" IGNORE 1 LINES ({world.WATCH_COLUMNS})")
    seconds = time.monotonic() - began
    found = session.one("SELECT COUNT(*) FROM loaded")
    columns = world.WATCH_COLUMNS
    same = _digest(session, "loaded", columns) == _digest(session, "member_content_watch_log", columns)
    session.run("DROP TABLE loaded")
    session.close()
    if found != rows or not same:
        raise Failed(f"LOAD DATA INFILE loaded {found} of {rows} rows, or others than settlectl import")
    return {"seconds": seconds}
