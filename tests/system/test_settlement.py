#!/usr/bin/python3
"""The daily settlement through the real programs: days in order, what may not be launched, rates, parked contents.
After each story the oracle, which knows only the logs, must agree with every row."""

import re

import lib
import oracle

suite = lib.Suite()


def said(process, *words):
    """Insists that the program named each of the words."""
    for word in words:
        assert re.search(word, process.output, re.IGNORECASE), f"{process} did not say {word!r}:\n{process.output}"


def numbers_in(text):
    return {int(number) for number in re.findall(r"\d+", text)}


def closed_days(database):
    return [row[0] for row in database.rows("SELECT business_date FROM day_close ORDER BY 1")]


def few(days, **options):
    """A small dataset with every kind of content."""
    return lib.generate(11, days, **{"contents": 40, "views": 300, "ad_views": 120, **options})


@suite.test("migrations can be applied twice")
def migrate_twice():
    with lib.Database() as database:
        tables = database.rows("SHOW TABLES")
        database.settlectl("migrate").expect(0)
        assert database.rows("SHOW TABLES") == tables
        assert database.value("SELECT COUNT(*) FROM settlement_rate") == 8


@suite.test("days settled in order agree with the oracle after each of them")
def days_in_order():
    days = lib.days_from("2021-03-29", 5)
    with lib.Database(chunk_size=7, partition_items=60, threads=3) as database:
        lib.load(database, lib.generate(1, days, contents=120, views=1500, ad_views=500, missing=4))
        lib.set_rates(database, "2021-01-01", (0, 10, 51, 400))
        for day in days:
            database.settle(day)
            database.verify()
        assert closed_days(database) == days


@suite.test("the default tiers: 500004 views are worth 540005.0, in two days")
def default_tiers():
    with lib.Database() as database:
        lib.add_contents(database, {5: 6})
        for day, count in (("2021-01-01", 99999), ("2021-01-02", 400005)):
            database.execute(f"""INSERT INTO member_content_watch_log (member_id, content_post_id,
                last_playback_position, total_playback_time, watched_date, streaming_status)
                SELECT seq, 5, 0, 1, %s, 'STOPPED' FROM seq_1_to_{count}""", day)
            database.settle(day)
        assert database.rows("""SELECT content_revenue_micros, total_content_revenue_micros, ad_revenue_micros
                                FROM settlement ORDER BY settlement_date""") == [
            (99999000000, 99999000000, 0), (440006000000, 540005000000, 0)]
        database.verify()


@suite.test("weeks, months and years over week 53, a leap day and a whole month")
def calendar():
    days = (lib.days_from("2020-02-27", 4) + lib.days_from("2020-11-01", 30) + lib.days_from("2020-12-27", 9)
            + lib.days_from("2024-12-29", 4))
    with lib.Database() as database:
        lib.load(database, few(days, contents=12, views=40, ad_views=20, missing=1))
        database.settle(*days)
        database.verify()
        weeks = {row[0] for row in database.rows(
            "SELECT DISTINCT statistics_date FROM content_statistics WHERE period = 'WEEKLY'")}
        for monday in ("2020-02-24", "2020-12-28", "2021-01-04", "2024-12-30"):
            assert lib.day_of(monday) in weeks, f"no week of {monday}"
        assert database.value("""SELECT COUNT(DISTINCT statistics_date) FROM content_statistics
            WHERE period = 'MONTHLY' AND statistics_date BETWEEN '2020-02-01' AND '2020-03-01'""") == 2


@suite.test("threads, chunks and partitions make no difference to the result")
def shapes():
    days = lib.days_from("2022-05-01", 2)
    dumps = []
    for shape in ((1, 1, 1), (4, 3, 25), (8, 1000, 200000), (2, 1, 200000)):
        with lib.Database(**dict(zip(("threads", "chunk_size", "partition_items"), shape))) as database:
            lib.load(database, few(days, views=500))
            lib.set_rates(database, "2021-01-01", (0, 3, 20, 100))
            database.settle(*days)
            database.verify()
            dumps.append(database.dump())
    for dump in dumps[1:]:
        assert not oracle.dump_differences(dumps[0], dump), oracle.dump_differences(dumps[0], dump)[:5]


@suite.test("a day without logs is closed and writes nothing")
def empty_day():
    with lib.Database() as database:
        database.settle("2021-06-01")
        assert [len(rows) for rows in database.dump().values()][:4] == [0, 0, 0, 0]
        assert database.rows("SELECT view_logs, ad_logs FROM day_close") == [(0, 0)]
        database.verify()
        lib.load(database, few(lib.days_from("2021-06-03", 1)))
        database.settle("2021-06-02", "2021-06-03", "2021-06-04")
        database.verify()


@suite.test("a closed day asked for again ends with 0, names its execution and changes nothing")
def closed_day():
    days = lib.days_from("2021-06-01", 2)
    with lib.Database() as database:
        lib.load(database, few(days))
        database.settle(*days)
        before, batch = database.dump(), database.rows("SELECT * FROM BATCH_STEP_EXECUTION ORDER BY 1")
        for day in days:
            again = database.run(day).expect(0)
            execution = database.value("SELECT job_execution_id FROM day_close WHERE business_date = %s", day)
            assert execution in numbers_in(again.output), f"execution {execution} is not named:\n{again.output}"
        assert database.dump() == before
        assert database.rows("SELECT * FROM BATCH_STEP_EXECUTION ORDER BY 1") == batch
        assert [len(database.executions(day)) for day in days] == [1, 1]


@suite.test("rows that arrive after the close stay out, and are late")
def late_rows():
    days = lib.days_from("2021-06-01", 2)
    with lib.Database() as database:
        lib.load(database, few(days))
        database.settle(days[0])
        lib.insert(database, "member_content_watch_log", "watched_date, content_post_id, member_id, "
                   "last_playback_position, total_playback_time, streaming_status",
                   [(days[0], 1, member, 1, 1, "PAUSED") for member in range(9)])
        database.run(days[0]).expect(0)
        database.verify()
        database.settle(days[1])
        database.verify()


@suite.test("a day before the settled frontier is refused")
def before_frontier():
    with lib.Database() as database:
        lib.load(database, few(lib.days_from("2021-06-01", 1) + lib.days_from("2021-06-05", 1)))
        database.settle("2021-06-01", "2021-06-05")
        before = database.dump()
        for day in ("2021-05-31", "2021-06-03"):
            said(database.run(day).expect(1), day, "2021-06-05")
        assert database.dump() == before
        database.verify()


@suite.test("a day is refused while an earlier one has logs that are not settled, with the command that helps")
def skipped_day():
    days = lib.days_from("2021-06-01", 4)
    with lib.Database() as database:
        lib.load(database, few([days[0], days[1], days[3]]))
        database.settle(days[0])
        refused = database.run(days[3]).expect(1)
        said(refused, str(days[1]), f"settlementd run {lib.JOB} --date {days[1]}")
        assert closed_days(database) == days[:1]
        assert not database.rows("SELECT 1 FROM content_statistics WHERE statistics_date = %s", days[3])
        database.settle(days[1], days[3])
        assert closed_days(database) == [days[0], days[1], days[3]]
        database.verify()


@suite.test("usage errors end with 2, an unknown job with 3")
def usage():
    with lib.Database() as database:
        tail = ("--config", database.configuration)
        for date in ("2021-02-29", "2021-13-01", "2021-1-1", "20210101", "yesterday", "", "2021-01-01x", "0000-00-00"):
            database.run(date).expect(2)
        for arguments in (("run",), ("run", lib.JOB), ("run", lib.JOB, "--date"), ("run", "--date", "2021-01-01"),
                          ("run", lib.JOB, "--date", "2021-01-01", "--frobnicate"), ("walk",),
                          ("run", lib.JOB, "and", "--date", "2021-01-01")):
            refused = database.start(lib.SETTLEMENTD, *arguments, *tail).expect(2)
            assert refused.stderr.strip(), f"{refused} said nothing on stderr"
        database.start(lib.SETTLEMENTD, "run", "nightly", "--date", "2021-01-01", *tail).expect(3)
        for arguments in ((), ("frobnicate",), ("migrate", "twice"), ("--frobnicate", "migrate")):
            database.settlectl(*arguments).expect(2)
        assert not database.rows("SELECT * FROM BATCH_JOB_INSTANCE")


@suite.test("help and version need neither configuration nor database; a configuration alone can be checked")
def help_and_version():
    with lib.Database(migrate=False) as database:
        helped = database.start(lib.SETTLEMENTD, "--help").expect(0)
        assert all(word in helped.stdout for word in ("settlementd run JOB", "--check-config", "--date")), helped.stdout
        version = database.start(lib.SETTLEMENTD, "--version").expect(0).stdout
        assert re.fullmatch(r"settlementd \d+\.\d+\.\d+\n", version), version
        tail = ("--check-config", "--config", database.configuration)
        said(database.start(lib.SETTLEMENTD, *tail).expect(0), "no errors")
        said(database.start(lib.SETTLEMENTD, "run", *tail).expect(2), "--check-config takes no command")
        said(database.run("2021-01-01", "--date", "2021-01-02").expect(2), "--date is given twice")


@suite.test("--check-config warns of names of jobs that nothing goes by, and of a password that it cannot read")
def warned_of():
    with lib.Database(migrate=False) as database:
        for text, warnings in (
                ('jobs = ( { name = "daily-settlment"; } );',
                 ["job daily-settlment: this version has no such job", "job daily-settlement is not named in jobs"]),
                ('database: { password_file = "/nowhere"; };', ["/nowhere: cannot be read"])):
            with open(database.configuration, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            checked = database.start(lib.SETTLEMENTD, "--check-config", "--config", database.configuration).expect(0)
            found = checked.stderr.splitlines()
            assert len(found) == len(warnings), found
            assert all(line.startswith("warning: " + words) for line, words in zip(found, warnings)), found


@suite.test("a run settles its day and ends with 0 whatever of standard input, output and error is closed")
def closed_descriptors():
    with lib.Database() as database:
        for number, closed in enumerate(("<&-", ">&-", "2>&-", "<&- >&- 2>&-")):
            for _ in range(2):      # the second finds the day closed
                database.start_closed(closed, lib.SETTLEMENTD, "run", lib.JOB, "--date", f"2021-01-0{number + 1}",
                                      "--config", database.configuration).expect(0)
        assert [row[0] for row in database.rows("SELECT COUNT(*) FROM day_close")] == [4]
        assert not database.rows("SELECT * FROM node"), "a process did not end as it should"


@suite.test("a bad configuration ends with 78 and names file and line")
def bad_configuration():
    wrong = ('tymezone = "Asia/Seoul";', 'workers: { threads = "two"; };', "workers: { chunk_size = 0; };",
             "lease: { heartbeat_s = 10; ttl_s = 11; };", "database: { name = ; };", 'timezone = "Mars/Olympus";',
             "workers: { thread = 1; };", "settlement: { skip_limit = -1; };", 'log: { level = "chatty"; };')
    with lib.Database() as database:
        for text in wrong:
            for path in (database.configuration, database.owner_configuration):
                with open(path, "w", encoding="utf-8") as file:
                    file.write("# first line\n\n" + text + "\n")
            for process in (database.run("2021-01-01"), database.settlectl("migrate"),
                            database.start(lib.SETTLEMENTD, "--check-config", "--config", database.configuration)):
                said(process.expect(78), r"(settlementd|owner)\.conf:" + ("" if "ttl_s" in text else r"3\b"))
        database.start(lib.SETTLEMENTD, "--check-config", "--config", "/nonexistent/x.conf").expect(78)
        database.configure()
        database.start(lib.SETTLEMENTD, "--check-config", "--config", database.configuration).expect(0)


@suite.test("rates that change between days price only what comes after")
def rate_change():
    days = lib.days_from("2021-06-01", 4)
    with lib.Database() as database:
        lib.load(database, few(days))
        lib.set_rates(database, days[0], (0, 10, 30, 50))
        lib.set_rates(database, days[2], (0, 5, 20), prices=(1, 10**12, 0))
        lib.set_rates(database, days[3], (0, 1), kinds=("CONTENT",), prices=(900, 100))
        database.settle(*days)
        database.verify()


@suite.test("a gap or an overlap in the rates is found at launch")
def bad_rates():
    days = lib.days_from("2021-06-01", 1)
    breaks = ("UPDATE settlement_rate SET applied_until = '2021-06-01'",
              "INSERT INTO settlement_rate VALUES ('CONTENT', '2021-05-01', 0, 5, NULL)",
              "DELETE FROM settlement_rate WHERE settlement_type = 'ADVERTISEMENT'",
              "UPDATE settlement_rate SET min_views = 1 WHERE min_views = 0")
    for statement in breaks:
        with lib.Database() as database:
            lib.load(database, few(days))
            saved = database.rows("SELECT * FROM settlement_rate")
            database.execute(statement)
            said(database.run(days[0]).expect(1), "rate")
            assert not database.rows("SELECT * FROM content_statistics"), f"statistics were written: {statement}"
            database.execute("DELETE FROM settlement_rate")
            lib.insert(database, "settlement_rate", "settlement_type, applied_from, min_views, price_micros, "
                       "applied_until", saved)
            database.settle(days[0])
            database.verify()


@suite.test("contents without a row are parked, and paid on the first settled day on which the row is there")
def parked_and_paid():
    days = lib.days_from("2021-06-01", 6)
    missing = {101: days[2], 102: days[2], 103: days[3], 104: None, 105: days[4]}   # content -> day with its row
    data = few([day for day in days if day != days[4]], missing=0)                  # a day without logs writes nothing
    for day in days[:2]:
        data.add_views(day, 101, 25)
    data.add_views(days[0], 102, 40)
    data.add_ad_views(days[0], 102, 1, 7)
    data.add_views(days[0], 103, 5)
    data.add_views(days[3], 103, 60)
    data.add_views(days[1], 104, 9)
    data.add_ad_views(days[2], 105, 2, 9)
    with lib.Database(chunk_size=3, partition_items=40) as database:
        lib.load(database, data)
        lib.set_rates(database, "2021-01-01", (0, 10, 30, 50))
        for day in days:
            lib.add_contents(database, {content: 77 for content, there in missing.items() if there == day})
            database.settle(day)
            database.verify(lambda at: {content for content, there in missing.items() if there is None or there > at})
        assert database.rows("SELECT settlement_date, content_post_id, paid_on FROM parked_content ORDER BY 2, 1") == [
            (days[0], 101, days[2]), (days[1], 101, days[2]), (days[0], 102, days[2]), (days[0], 103, days[3]),
            (days[1], 104, None), (days[2], 105, days[5])]
        codes = [database.executions(day)[-1][1:3] for day in days]
        assert codes == [("COMPLETED", "COMPLETED WITH SKIPS")] * 3 + [("COMPLETED", "COMPLETED")] * 3, codes
        skipped = database.rows("""SELECT q.PARAMETER_VALUE, SUM(s.PROCESS_SKIP_COUNT) FROM BATCH_STEP_EXECUTION s
            JOIN BATCH_JOB_EXECUTION_PARAMS q USING (JOB_EXECUTION_ID) WHERE s.STEP_NAME = 'settlement'
            GROUP BY 1 ORDER BY 1""")
        assert [int(count) for _, count in skipped] == [3, 2, 1, 0, 0, 0], skipped


@suite.test("more parked contents than skip_limit fail the job, and the same command resumes it")
def skip_limit():
    days = lib.days_from("2021-06-01", 2)
    mends = (lambda database, ids: database.configure(skip_limit=20),
             lambda database, ids: lib.add_contents(database, dict.fromkeys(ids, 8)))
    for mend in mends:
        data = few(days, missing=0)
        ids = list(range(2001, 2021))
        for content in ids:
            data.add_views(days[0], content, 4)
        with lib.Database(skip_limit=10, chunk_size=4, partition_items=40) as database:
            lib.load(database, data)
            said(database.run(days[0]).expect(1), "skip_limit|skip limit")
            assert not closed_days(database)
            assert database.executions(days[0])[-1][1] == "FAILED"
            said(database.run(days[0]).expect(1), "skip_limit|skip limit")
            mend(database, ids)
            database.settle(days[0])
            database.verify()
            parked = database.value("SELECT COUNT(*) FROM parked_content")
            assert database.executions(days[0])[-1][2] == ("COMPLETED WITH SKIPS" if parked else "COMPLETED"), parked
            present = {row[0] for row in database.rows("SELECT content_post_id FROM content_post")}
            lib.add_contents(database, {content: 8 for content in ids if content not in present})
            database.settle(days[1])
            database.verify()
            assert not database.rows("SELECT * FROM parked_content WHERE paid_on IS NULL")


@suite.test("an error that repetition cannot mend fails the job; once it is mended the same command resumes")
def permanent_error():
    day = lib.day_of("2021-06-01")
    with lib.Database(chunk_size=3, partition_items=40) as database:
        lib.load(database, few([day]))
        database.execute("CREATE TRIGGER refuse BEFORE INSERT ON settlement FOR EACH ROW "
                         "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the auditors are in'")
        said(database.run(day).expect(1), "the auditors are in")
        statuses = dict(database.rows("""SELECT STEP_NAME, STATUS FROM BATCH_STEP_EXECUTION
                                         WHERE STEP_NAME NOT LIKE '%:%'"""))
        assert statuses == {**dict.fromkeys(lib.STEPS[:3], "COMPLETED"), "settlement": "FAILED"}, statuses
        assert "the auditors are in" in database.executions(day)[-1][3]
        done = database.partitions(day, "COMPLETED")
        database.execute("DROP TRIGGER refuse")
        database.settle(day)
        database.verify()
        after = database.partitions(day)
        assert all(after[number] == row for number, row in done.items()), "a completed partition was touched"
        assert [row[1] for row in database.executions(day)] == ["FAILED", "COMPLETED"]


if __name__ == "__main__":
    suite.main()
