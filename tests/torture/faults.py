"""The seam of the test builds (common/fault.h), and an order in which all points of a small job are tried."""

import os
import random

SEAM = "SETTLEMENTD_TEST_FAULTS"
COUNTS = "SETTLEMENTD_TEST_FAULT_COUNTS"
WHEN = ("before", "sent", "after")
MARGIN = 1.1        # heartbeats make a run's number of calls differ a little from the next one's


def fired(path):
    """How often a rule was followed by a process that has written its counts; one that has not was killed by others."""
    return read_counts(path).get("fired", 0)


def read_counts(path):
    try:
        with open(path, encoding="ascii") as file:
            return {place: int(count) for place, count in map(str.split, file)}
    except FileNotFoundError:
        return {}


def rule(place, number, when, action):
    return {SEAM: f"{place}:{number}:{when}:{action}"}


def count_run(case, world, path):
    """A run of the first day that is open."""
    stage = case.begin(world)
    stage.run(stage.days[len(stage.settled)], environment={COUNTS: path}).expect(0)


def count_calls(case, subject=count_run, world="tiny"):
    """How many calls of each place an undisturbed process makes that is played by `subject`; counted once."""
    base = case.lane.ground
    key = (world, subject.__name__)
    with base.counting:
        if key not in base.calls:
            path = os.path.join(base.directory, "-".join(("counts", *key)))
            subject(case, world, path)
            base.calls[key] = read_counts(path)
    return base.calls[key]


def point_of(case, place, subject=count_run):
    """The case's (number of the call, when): in an order mixed by the seed, so that a few cases are a fair sample and
    all of them are every point once. None: there are no more."""
    count = count_calls(case, subject)[place]
    base = case.lane.ground
    key = (subject.__name__, place)
    with base.counting:
        if key not in base.orders:
            order = [(number, when) for number in range(1, int(count * MARGIN) + 1) for when in WHEN]
            random.Random(f"{case.seed} {key}").shuffle(order)
            base.orders[key] = order
    order = base.orders[key]
    return order[case.number] if case.number < len(order) else None
