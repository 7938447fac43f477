#!/usr/bin/python3
"""Does the oracle agree with a settlement that is right, and does it see every single wrong row? It is tried on the
settlement in toy.py, so the programs are not needed; only a server is (SETTLEMENTD_TEST_SOCKET)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import lib  # noqa: E402
import oracle  # noqa: E402
import toy  # noqa: E402

FIRST = lib.day_of("2020-12-30")        # a Wednesday in ISO week 53, whose Monday is the 28th
MISSING = 999

# One row made wrong, in every table and column that the oracle looks at; {content} and {day} have a row of each kind.
ONE_DAILY = "period = 'DAILY' AND content_post_id = {content} AND statistics_date = '{day}'"
CORRUPTIONS = (
    *(f"UPDATE content_statistics SET {column} = {column} + 1 WHERE {ONE_DAILY}" for column in (
        "view_count", "watch_time", "ad_view_count", "accumulated_views", "accumulated_ad_views")),
    *(f"UPDATE content_statistics SET {column} = {column} + 1 WHERE period = '{period}' AND content_post_id = "
      "{content} LIMIT 1" for period in oracle.PERIODS[1:] for column in ("view_count", "watch_time", "ad_view_count")),
    *(f"UPDATE ad_statistics SET {column} = {column} + 1 WHERE period = '{period}' LIMIT 1"
      for period in oracle.PERIODS for column in ("view_count", "watch_time")),
    *(f"UPDATE settlement SET {column} = {column} + 1 LIMIT 1" for column in (
        "creator_id", "content_revenue_micros", "ad_revenue_micros", "total_content_revenue_micros",
        "total_ad_revenue_micros")),
    f"DELETE FROM content_statistics WHERE {ONE_DAILY}",
    "DELETE FROM ad_statistics LIMIT 1",
    "DELETE FROM settlement LIMIT 1",
    "DELETE FROM parked_content LIMIT 1",
    "UPDATE parked_content SET paid_on = settlement_date LIMIT 1",
    "UPDATE parked_content SET paid_on = NULL WHERE paid_on IS NOT NULL LIMIT 1",
    "UPDATE parked_content SET reason = '' LIMIT 1",
    "INSERT INTO settlement VALUES ('{day}', 123456, 1, 0, 0, 0, 0, 'CALCULATED', 1)",
    "INSERT INTO parked_content VALUES ('{day}', 123456, 'invented', 1, NULL)",
    "INSERT INTO parked_content VALUES ('{day}', {content}, 'invented', 1, NULL)",
    "INSERT INTO content_statistics VALUES ('DAILY', '{day}', 123456, 0, 0, 0, 0, 0)",
    "UPDATE settlement SET job_execution_id = 0 LIMIT 1",
    "UPDATE reconciliation SET passed = 0 LIMIT 1",
    "UPDATE reconciliation SET actual = actual + 1 LIMIT 1",
    "DELETE FROM reconciliation LIMIT 1",
    "UPDATE day_close SET view_logs = view_logs + 1 LIMIT 1",
)

suite = lib.Suite()


class ToyDatabase(lib.Database):
    """A database whose tables come straight from the migrations."""

    def __init__(self):
        super().__init__(migrate=False)
        for path in sorted((lib.ROOT / "migrations").glob("[0-9]*.sql")):
            text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines()
                             if not line.startswith("--"))
            for statement in filter(str.strip, text.split(";\n")):
                with self.server.cursor() as cursor:
                    cursor.execute(statement.rstrip().rstrip(";"))

    def settle(self, *days):
        for day in days:
            toy.settle(self.server, day)


def settled(database):
    """Five days; one content gets its row after the second day, one is not watched again, one never gets its row."""
    days = lib.days_from(str(FIRST), 5)
    data = lib.generate(7, days[:3] + days[4:], contents=30, views=200, ad_views=60, missing=2)
    data.add_views(days[0], MISSING, 13)
    data.add_ad_views(days[0], MISSING, 1, 5)
    lib.load(database, data)
    lib.set_rates(database, "2000-01-01", (0, 10, 30, 50))
    database.settle(*days[:2])
    lib.add_contents(database, {MISSING: 4})
    lib.set_rates(database, days[2], (0, 5, 20, 100), prices=(3, 5, 7, 1))
    database.settle(*days[2:])
    return days


@suite.test("the oracle agrees with a settlement that is right")
def agrees():
    with ToyDatabase() as database:
        days = settled(database)
        database.verify()
        assert database.value("SELECT paid_on FROM parked_content WHERE content_post_id = %s", MISSING) == days[2]
        assert database.value("SELECT COUNT(*) FROM parked_content WHERE paid_on IS NULL") > 0


@suite.test("told which contents were absent, the oracle comes to the same")
def agrees_when_told():
    with ToyDatabase() as database:
        days = settled(database)
        present = {row[0] for row in database.rows("SELECT content_post_id FROM content_post")}
        logged = {row[0] for row in database.rows("SELECT content_post_id FROM member_content_watch_log "
                                                  "UNION SELECT content_post_id FROM member_ad_watch_log")}
        database.verify(lambda day: (logged - present) | ({MISSING} if day < days[2] else set()))
        lines, _ = oracle.verify(database.server, lambda day: logged - present)
        assert any(f"{days[0]} {MISSING}" in line for line in lines), lines


@suite.test("the oracle sees every wrong row")
def sees_corruption():
    with ToyDatabase() as database:
        day = settled(database)[1]
        content = database.value("""SELECT content_post_id FROM content_statistics JOIN content_post
            USING (content_post_id) WHERE period = 'DAILY' AND statistics_date = %s AND view_count > 0
            AND ad_view_count > 0 LIMIT 1""", day)
        for template in CORRUPTIONS:
            database.server.begin()
            statement = template.format(content=content, day=day)
            assert database.execute(statement.replace("%", "%%")) == 1, f"changes no row: {statement}"
            assert oracle.verify(database.server)[0], f"not seen: {statement}"
            database.server.rollback()
        database.verify()


@suite.test("late rows of a closed day are left out, and a later day does not count them either")
def leaves_out_late_rows():
    with ToyDatabase() as database:
        days = settled(database)
        lib.insert(database, "member_content_watch_log", "watched_date, content_post_id, member_id, "
                   "last_playback_position, total_playback_time, streaming_status", [(days[0], 1, 1, 1, 1, "PAUSED")])
        database.verify()
        assert "1 late log rows" in oracle.verify(database.server)[1]


@suite.test("the price of views at every bound")
def prices():
    tiers = [(0, 1000000), (100000, 1100000), (500001, 1300000), (1000001, 1500000)]
    for views, units in ((0, 0), (1, 10), (100000, 1000000), (100001, 1000011), (500001, 5400011), (500002, 5400024),
                         (500004, 5400050), (1000001, 11900011), (1000002, 11900026)):
        found = oracle.graduated(tiers, views)
        assert found == units * 100000, f"T({views}) = {found}, expected {units * 100000}"


@suite.test("two settlements of the same logs have the same dump, another one has not")
def dumps():
    with ToyDatabase() as one, ToyDatabase() as other:
        settled(one)
        settled(other)
        assert not oracle.dump_differences(one.dump(), other.dump())
        assert oracle.checksums(one.server) == oracle.checksums(other.server)
        other.execute("UPDATE settlement SET ad_revenue_micros = ad_revenue_micros + 1 LIMIT 1")
        assert len(oracle.dump_differences(one.dump(), other.dump())) == 2
        assert oracle.checksums(one.server) != oracle.checksums(other.server)


if __name__ == "__main__":
    suite.main(programs=())
