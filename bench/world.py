"""The data of the bench: databases, logs, the day before, a year before; and the way back to the state before a run."""
import os
import subprocess

from server import BUILD, Failed, program, run_program

DAY, DAY_BEFORE = "2025-03-19", "2025-03-18"
YEAR_END, YEAR_BEGIN = "2025-12-31", "2025-01-01"
SEED, SEED_BEFORE = 7, 8
DAYS_OF_YEAR_BEFORE = 364

RESULTS = ("content_statistics", "ad_statistics", "settlement", "parked_content", "reconciliation", "day_close")
WATCH_COLUMNS = ("member_id, content_post_id, last_playback_position, total_playback_time, watched_date,"
                 " streaming_status, created_at, updated_at")
AD_COLUMNS = ("member_id, content_post_id, advertisement_id, playback_position, watched_date,"
              " streaming_status, created_at, updated_at")
LOG_INDEXES = {
    "member_content_watch_log": (
        ("watch_log_day", "watched_date, content_post_id, member_id, total_playback_time"),
        ("watch_log_updated", "updated_at")),
    "member_ad_watch_log": (
        ("ad_watch_log_day", "watched_date, content_post_id, advertisement_id, member_id, playback_position"),
        ("ad_watch_log_updated", "updated_at")),
}
# Everything that a run leaves in the job tables, children first; the engine's own tables go with them.
JOB_TABLES = (
    "DELETE FROM BATCH_STEP_EXECUTION_CONTEXT WHERE STEP_EXECUTION_ID IN"
    " (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID > {kept})",
    "DELETE FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID > {kept}",
    "DELETE FROM BATCH_JOB_EXECUTION_CONTEXT WHERE JOB_EXECUTION_ID > {kept}",
    "DELETE FROM BATCH_JOB_EXECUTION_PARAMS WHERE JOB_EXECUTION_ID > {kept}",
    "DELETE FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID > {kept}",
    "DELETE FROM BATCH_JOB_INSTANCE WHERE JOB_INSTANCE_ID NOT IN"
    " (SELECT JOB_INSTANCE_ID FROM BATCH_JOB_EXECUTION)",
)


def generator():
    path = os.path.join(BUILD, "bench", "generate")
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is not there: script/bench builds it")
    return path


def make_database(server, name, threads):
    """An empty database with the project's schema; gives the configuration for it."""
    session = server.connect()
    session.run(f"DROP DATABASE IF EXISTS {name}")
    session.run(f"CREATE DATABASE {name}")
    session.close()
    configuration = server.configuration(name, threads)
    run_program([program("settlectl"), "--config", configuration, "migrate"], server.folder)
    return configuration


def _load(server, session, table, columns, arguments):
    """Through a named pipe, so that no file of a gigabyte is written."""
    pipe = os.path.join(server.folder, "rows")
    if os.path.exists(pipe):
        os.unlink(pipe)
    os.mkfifo(pipe)
    # The shell waits in opening the pipe until the server opens its end.
    writer = subprocess.Popen(["sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", pipe, generator(),
                               *map(str, arguments)])
    session.run(f"LOAD DATA INFILE '{pipe}' INTO TABLE {table} ({columns})")
    if writer.wait() != 0:
        raise Failed(f"the generator ended with {writer.returncode}")
    os.unlink(pipe)


def load_logs(server, database, contents, days):
    """Fills in the contents and the logs of `days`, (date, logs, seed) each, with a fifth as many advertisement logs. The
    indexes are made afterwards, which is sooner done than to fill them row by row, and packs them for both sides."""
    session = server.connect(database)
    session.run("SET SESSION check_constraint_checks = OFF, unique_checks = OFF")
    _load(server, session, "content_post", "content_post_id, member_id, title, duration", ("content", contents))
    for table, indexes in LOG_INDEXES.items():
        session.run(f"ALTER TABLE {table} " + ", ".join(f"DROP INDEX {name}" for name, _ in indexes))
    for date, logs, seed in days:
        _load(server, session, "member_content_watch_log", WATCH_COLUMNS, ("watch-log", date, logs, contents, seed))
        _load(server, session, "member_ad_watch_log", AD_COLUMNS, ("ad-log", date, max(logs // 5, 1), contents, seed))
    for table, indexes in LOG_INDEXES.items():
        session.run(f"ALTER TABLE {table} " + ", ".join(f"ADD INDEX {name} ({columns})" for name, columns in indexes))
        session.run(f"ANALYZE TABLE {table}")
    session.close()


def settle(server, configuration, date):
    return run_program([program("settlementd"), "run", "daily-settlement", "--date", date, "--config", configuration,
                        "--quiet"], server.folder)


def keep_results(server, database, copy):
    """Copies the results as they are to a database of their own, for `restore`."""
    session = server.connect()
    session.run(f"DROP DATABASE IF EXISTS {copy}")
    session.run(f"CREATE DATABASE {copy}")
    for table in RESULTS:
        session.run(f"CREATE TABLE {copy}.{table} LIKE {database}.{table}")
        session.run(f"INSERT INTO {copy}.{table} SELECT * FROM {database}.{table}")
    kept = session.one(f"SELECT COALESCE(MAX(JOB_EXECUTION_ID), 0) FROM {database}.BATCH_JOB_EXECUTION")
    session.close()
    return kept


def restore(server, database, copy, kept=None):
    """Brings the results back to what was kept, and the job tables to execution `kept` unless it is None."""
    session = server.connect(database)
    for table in RESULTS:
        session.run(f"TRUNCATE TABLE {table}")
        session.run(f"INSERT INTO {table} SELECT * FROM {copy}.{table}")
        session.run(f"ANALYZE TABLE {table}")
    if kept is not None:
        for statement in JOB_TABLES:
            session.run(statement.format(kept=kept))
        session.run("DELETE FROM late_content")
    session.close()


def make_plain(server, database, plain):
    """A database for the plain SQL: the tables of the results, made like the originals."""
    session = server.connect()
    session.run(f"DROP DATABASE IF EXISTS {plain}")
    session.run(f"CREATE DATABASE {plain}")
    for table in RESULTS:
        session.run(f"CREATE TABLE {plain}.{table} LIKE {database}.{table}")
    session.close()


def forget_day(session, date):
    """Undoes the only run in a database that has months behind it: takes the day out of the results again."""
    for table, key in (("content_statistics", "content_post_id"), ("ad_statistics", "content_post_id, advertisement_id")):
        sums = "view_count, watch_time, ad_view_count" if table == "content_statistics" else "view_count, watch_time"
        subtract = ", ".join(f"whole.{name} = whole.{name} - today.{name}" for name in sums.split(", "))
        for period, first in (("WEEKLY", f"'{date}' - INTERVAL WEEKDAY('{date}') DAY"),
                              ("MONTHLY", f"'{date}' - INTERVAL DAYOFMONTH('{date}') - 1 DAY"),
                              ("YEARLY", f"MAKEDATE(YEAR('{date}'), 1)")):
            session.run(f"UPDATE {table} whole JOIN {table} today USING ({key}) SET {subtract}"
                        f" WHERE whole.period = '{period}' AND whole.statistics_date = {first}"
                        f" AND today.period = 'DAILY' AND today.statistics_date = '{date}'")
            session.run(f"DELETE FROM {table} WHERE period = '{period}' AND statistics_date = {first}"
                        " AND view_count = 0" + (" AND ad_view_count = 0" if "ad_view" in sums else ""))
        session.run(f"DELETE FROM {table} WHERE period = 'DAILY' AND statistics_date = '{date}'")
    session.run(f"DELETE FROM settlement WHERE settlement_date = '{date}'")
    session.run(f"DELETE FROM day_close WHERE business_date = '{date}'")
    session.run(f"DELETE FROM reconciliation WHERE target_date = '{date}'")
    for statement in JOB_TABLES:
        session.run(statement.format(kept=0))
    session.run("DELETE FROM late_content")


def make_year(server, database, contents):
    """Writes logs and results of the days before YEAR_END, as settling them one by one would have left them: each content
    was viewed once every day, and one advertisement with it on Sundays."""
    session = server.connect(database)
    session.run(f"SET @contents = {contents}, @days = {DAYS_OF_YEAR_BEFORE}, @first = '{YEAR_BEGIN}'")
    with open(os.path.join(os.path.dirname(__file__), "year.sql"), encoding="utf-8") as file:
        script = file.read().replace("seq_1_to_days", f"seq_1_to_{DAYS_OF_YEAR_BEFORE}")
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    for statement in "\n".join(lines).split(";\n"):
        if statement.strip():
            session.run(statement)
    session.close()
