#!/usr/bin/python3
"""The same logs settled in every way that the configuration and the world allow: any number of partitions, chunks of any
size, any number of threads, partitions in any order, runs that are stopped or killed at random and resumed with another
configuration. All of them must end with the same tables, and to ask once more must change nothing.

ROUNDS (6) is how many ways are tried, SEED their numbers; both are printed.
"""

import os
import random
import signal

import lib
import oracle

suite = lib.Suite()

ROUNDS = int(os.environ.get("ROUNDS", "6"))
SEED = int(os.environ.get("SEED", str(random.randrange(10**6))))
DAYS = lib.days_from("2024-12-30", 3)   # a week over the end of a year
PARTITIONS_MAX = 16
INTERRUPTIONS_MAX = 4


class Ways(lib.Database):
    """A database with the days' logs, of which nothing is settled."""

    def __init__(self, **options):
        super().__init__(**options)
        lib.load(self, lib.generate(31, DAYS, contents=90, views=400, ad_views=150, missing=4))
        lib.set_rates(self, "2021-01-01", (0, 3, 20, 100))
        lib.set_rates(self, DAYS[2], (0, 7), prices=(900, 1500))

    def shuffle(self, generator):
        """Partitions that wait are taken in the order of their estimates: from now on in any order."""
        for number, in self.rows("SELECT partition_id FROM step_partition WHERE status = 'PENDING' ORDER BY 1"):
            self.execute("UPDATE step_partition SET estimated_items = %s WHERE partition_id = %s",
                         generator.randrange(1000), number)

    def settle_disturbed(self, day, generator, interruptions):
        """Settles the day with so many interruptions, as far as it takes long enough for them. Gives what was done."""
        story = []
        for _ in range(interruptions):
            process = self.run(day)
            reached = self.progress(day) + generator.randrange(1, 25)
            lib.wait_until(lambda: process.ended() or self.progress(day) >= reached, 120, f"{reached} chunks")
            kill = generator.random() < 0.5
            if not process.ended():
                process.signal(signal.SIGKILL if kill else signal.SIGTERM)
            code = process.wait()
            story.append({0: "done", 1: "stopped", -signal.SIGKILL: "killed"}[code])
            if code == 0:
                return story
            self.shuffle(generator)
            self.configure(**shape_of_run(generator))
        self.run(day).expect(0)
        return story

    def everything(self):
        """All rows of all tables, but what tells that processes were here."""
        return {table: sorted(map(repr, self.rows(f"SELECT * FROM {table}"))) for table, in self.rows("SHOW TABLES")
                if table != "node"}


def shape_of_run(generator):
    """What may change from one run of a day to the next."""
    return {"threads": generator.randrange(1, 9), "chunk_size": generator.choice((1, 2, 3, 5, 8, 21, 100, 1000))}


def shape_of_plan(partitions):
    """What gives a plan of so many partitions, where there are keys for so many."""
    return {"max_partitions": partitions, "partition_items": 1}


undisturbed = {}


def reference():
    """The tables of days that were left alone, with which the oracle agrees."""
    if not undisturbed:
        with Ways() as database:
            database.settle(*DAYS)
            database.verify()
            undisturbed.update(dump=database.dump())
            assert all(undisturbed["dump"].values()), "a table is empty"
    return undisturbed["dump"]


def try_round(number, partitions):
    generator = random.Random(f"{SEED}-{number}")
    shape = {**shape_of_run(generator), **shape_of_plan(partitions)}
    with Ways(**shape) as database:
        story = [database.settle_disturbed(day, generator, generator.randrange(INTERRUPTIONS_MAX + 1)) for day in DAYS]
        counts = [count for count, in database.rows("SELECT partition_count FROM step_plan")]
        print(f"round {number}: {shape}, plans of {min(counts)} to {max(counts)}, {story}", flush=True)
        assert max(counts) <= partitions, f"a plan of {max(counts)} partitions, not of at most {partitions}"
        found = oracle.dump_differences(reference(), database.dump())
        assert not found, f"round {number} of seed {SEED} differs:\n" + "\n".join(found[:10])
        database.verify()
        before = database.everything()
        for day in generator.sample(DAYS, len(DAYS)):
            database.run(day).expect(0)
        assert database.everything() == before, "asking again has changed something"
    return max(counts), sum(story, [])


@suite.test(f"{ROUNDS} ways to settle the same days give the same tables")
def ways():
    print(f"seed {SEED}", flush=True)
    generator = random.Random(SEED)
    numbers = list(range(1, PARTITIONS_MAX + 1))
    generator.shuffle(numbers)
    chosen = [numbers[number % len(numbers)] for number in range(ROUNDS)]
    ends = [try_round(number, partitions) for number, partitions in enumerate(chosen)]
    assert max(count for count, _ in ends) > 1, "no plan had more than one partition"
    words = [word for _, story in ends for word in story]
    assert {"stopped", "killed"} <= set(words) or ROUNDS < 4, f"nothing was interrupted: {words}"


if __name__ == "__main__":
    suite.main()
