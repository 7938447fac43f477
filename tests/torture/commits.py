"""I4, from the audit: who committed what under which epoch."""

import audit
import oracle

FINAL = ("COMPLETED", "ABANDONED")
ENDED = ("FAILED", "STOPPED", *FINAL)
TABLES_OF = {
    "content-statistics": {("content_statistics", True)},
    "ad-statistics": {("content_statistics", True), ("ad_statistics", True)},
    "period-statistics": {("content_statistics", False), ("ad_statistics", False)},
    "settlement": {("settlement", True), ("parked_content", True)},
}
COLUMNS = ("seq", "session", "who", "what", "id", "day", "detail", "old_status", "new_status", "old_epoch", "new_epoch",
           "old_chunks", "new_chunks", "old_key", "new_key", "old_node", "new_node")


class Note:
    """A row of the audit."""

    def __init__(self, row):
        for name, value in zip(COLUMNS, row):
            setattr(self, name, value)

    @property
    def commits_chunk(self):
        return self.what == "partition" and self.new_chunks > self.old_chunks

    def __str__(self):
        return f"note {self.seq} ({self.who}, session {self.session})"


def read(connection):
    if not oracle.rows_of(connection, "SHOW TABLES LIKE %s", audit.TABLE):
        return []
    return [Note(row) for row in oracle.rows_of(
        connection, f"SELECT {', '.join(COLUMNS)} FROM {audit.TABLE} ORDER BY seq")]


def partition_problems(notes, states):
    """A partition's notes stand in the order of the commits: each epoch belongs to one process, and only that commits
    chunks under it; epochs only rise; chunks are counted one by one; the last note is what is
    stored. `states`: partition -> (epoch, chunks), as they are now."""
    problems = []
    owners = {note.new_node: note.who for note in notes if note.what == "node"}
    last = {}
    for note in notes:
        if note.what not in ("planned", "partition"):
            continue
        before = last.get(note.id)
        last[note.id] = note
        if note.what == "planned":
            continue
        where = f"{note}: partition {note.id} of {note.detail}"
        if before is not None and (before.new_epoch, before.new_chunks) != (note.old_epoch, note.old_chunks):
            problems.append(f"{where}: goes on at epoch {note.old_epoch}, chunk {note.old_chunks} after "
                            f"{before.new_epoch}, {before.new_chunks}: a commit is missing")
        if note.new_epoch < note.old_epoch:
            problems.append(f"{where}: the epoch fell from {note.old_epoch} to {note.new_epoch}")
        if note.commits_chunk:
            problems.extend(f"{where}: {text}" for text in chunk_problems(note, owners))
        elif note.new_status == "STARTED" and note.old_status != "STARTED" and note.new_epoch == note.old_epoch:
            problems.append(f"{where}: taken without a new epoch")
        if note.old_status == "COMPLETED" and note.detail != "reconciliation":
            problems.append(f"{where}: changed after it was COMPLETED")
    problems.extend(f"{note}: the last of partition {number} has epoch {note.new_epoch}, chunk {note.new_chunks}; stored are "
                    f"{states[number]}: a commit is missing" for number, note in last.items()
                    if number in states and states[number] != (note.new_epoch, note.new_chunks))
    return problems


def chunk_problems(note, owners):
    if note.new_epoch != note.old_epoch:
        yield f"a chunk raised the epoch from {note.old_epoch} to {note.new_epoch}"
    if note.new_chunks != note.old_chunks + 1:
        yield f"{note.new_chunks - note.old_chunks} chunks in one commit"
    if note.old_status != "STARTED":
        yield f"a chunk was committed while it was {note.old_status}"
    if owners.get(note.old_node) != note.who:
        yield (f"{note.who} committed a chunk under epoch {note.old_epoch}, which belongs to "
               f"{owners.get(note.old_node, 'nobody')}")
    if note.new_key < note.old_key:
        yield f"the checkpoint went back from {note.old_key} to {note.new_key}"


def row_problems(notes):
    """Rows of a session belong to the checkpoint that the session writes next: same transaction, same range, and the
    tables that the step writes."""
    problems = []
    open_rows = {}
    for note in notes:
        rows = open_rows.setdefault((note.session, note.who), [])
        if note.what in ("content_statistics", "ad_statistics", "settlement", "parked_content"):
            rows.append(note)
            continue
        if note.commits_chunk and note.detail in TABLES_OF:
            for row in rows:
                kind = (row.what, row.detail not in ("WEEKLY", "MONTHLY", "YEARLY"))
                if not note.old_key < row.id <= note.new_key or kind not in TABLES_OF[note.detail]:
                    problems.append(f"{row}: {row.what} {row.detail} {row.day} {row.id} was committed with a chunk of "
                                    f"{note.detail}, keys ({note.old_key}, {note.new_key}]")
            rows.clear()
    problems.extend(f"{rows[0]}: {len(rows)} rows without a checkpoint, the first {rows[0].what} {rows[0].day} "
                    f"{rows[0].id}" for rows in open_rows.values() if rows)
    return problems


def execution_problems(notes):
    """What has ended stays as it is, and a day is closed once."""
    problems = []
    closed = set()
    for note in notes:
        if note.what == "execution" and note.old_status in ENDED and note.old_status != note.new_status:
            if note.old_status in FINAL or note.new_status != "ABANDONED":
                problems.append(f"{note}: execution {note.id} went from {note.old_status} to {note.new_status}")
        if note.what == "closed":
            if note.day in closed:
                problems.append(f"{note}: {note.day} was closed twice")
            closed.add(note.day)
    return problems


def problems(notes, states):
    return partition_problems(notes, states) + row_problems(notes) + execution_problems(notes)


def takeovers(notes):
    """How often a partition went from one process to another."""
    holder = {}
    count = 0
    for note in notes:
        if note.what == "partition" and note.new_status == "STARTED" and note.old_status != "STARTED":
            count += holder.get(note.id, note.who) != note.who
            holder[note.id] = note.who
    return count
