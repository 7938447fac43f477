"""What the database itself writes down about who changes what, as part of the same transaction, so that exactly what
was committed is there. Triggers in the torture's databases; the programs know nothing of them.

A partition's row is locked from its UPDATE to the COMMIT, so the notes about one partition stand in the order of the
commits; those of one session stand in the order of its statements. `who` is the database user: each process of a case
has one of its own.
"""

TABLE = "torture_audit"

TABLE_SQL = f"""CREATE TABLE {TABLE} (
    seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    session BIGINT NOT NULL,
    who VARCHAR(80) NOT NULL,
    at DATETIME(6) NOT NULL,
    what VARCHAR(20) NOT NULL,
    id BIGINT NOT NULL,
    day DATE NULL,
    detail VARCHAR(40) NULL,
    old_status VARCHAR(10) NULL, new_status VARCHAR(10) NULL,
    old_epoch BIGINT NULL, new_epoch BIGINT NULL,
    old_chunks BIGINT NULL, new_chunks BIGINT NULL,
    old_key BIGINT NULL, new_key BIGINT NULL,
    old_node CHAR(36) NULL, new_node CHAR(36) NULL
) ENGINE=InnoDB"""

NOTE = f"INSERT INTO {TABLE} (session, who, at, what, id, day, detail"
BY = "SUBSTRING_INDEX(USER(), '@', 1), NOW(6)"

CHANGED = (", old_status, new_status, old_epoch, new_epoch, old_chunks, new_chunks, old_key, new_key, old_node,"
           " new_node)")

TRIGGERS = {
    ("step_partition", "INSERT"):
        f"{NOTE}{CHANGED} VALUES (CONNECTION_ID(), {BY}, 'planned', NEW.partition_id, NULL, NEW.step_name,"
        " NULL, NEW.status, NULL, NEW.epoch, NULL, NEW.chunk_count, NEW.lower_key, NEW.lower_key, NULL, NEW.node_id)",
    ("step_partition", "UPDATE"):
        f"{NOTE}{CHANGED} VALUES (CONNECTION_ID(), {BY}, 'partition', NEW.partition_id, NULL, NEW.step_name,"
        " OLD.status, NEW.status, OLD.epoch, NEW.epoch, OLD.chunk_count, NEW.chunk_count,"
        " COALESCE(OLD.checkpoint_key, OLD.lower_key), COALESCE(NEW.checkpoint_key, NEW.lower_key), OLD.node_id,"
        " NEW.node_id)",
    ("BATCH_JOB_EXECUTION", "INSERT"):
        f"{NOTE}, new_status) VALUES (CONNECTION_ID(), {BY}, 'execution', NEW.JOB_EXECUTION_ID, NULL, NULL, NEW.STATUS)",
    ("BATCH_JOB_EXECUTION", "UPDATE"):
        f"{NOTE}, old_status, new_status) VALUES (CONNECTION_ID(), {BY}, 'execution', NEW.JOB_EXECUTION_ID, NULL, NULL,"
        " OLD.STATUS, NEW.STATUS)",
    ("node", "INSERT"):
        f"{NOTE}, new_node) VALUES (CONNECTION_ID(), {BY}, 'node', 0, NULL, NULL, NEW.node_id)",
    ("day_close", "INSERT"):
        f"{NOTE}) VALUES (CONNECTION_ID(), {BY}, 'closed', NEW.job_execution_id, NEW.business_date, NULL)",
    ("day_close", "UPDATE"):
        f"{NOTE}) VALUES (CONNECTION_ID(), {BY}, 'closed', NEW.job_execution_id, NEW.business_date, NULL)",
}

# The business tables: every row that is written, by content.
ROWS = {"content_statistics": ("statistics_date", "period"), "ad_statistics": ("statistics_date", "period"),
        "settlement": ("settlement_date", "'settled'"), "parked_content": ("settlement_date", "'parked'")}


def statements():
    """All that turns the audit on, in order."""
    found = [TABLE_SQL]
    for (table, event), body in TRIGGERS.items():
        found.append(f"CREATE TRIGGER torture_{table}_{event} AFTER {event} ON {table} FOR EACH ROW {body}")
    for table, (day, detail) in ROWS.items():
        detail = detail if detail.startswith("'") else f"NEW.{detail}"
        for event in ("INSERT", "UPDATE"):
            found.append(f"CREATE TRIGGER torture_{table}_{event} AFTER {event} ON {table} FOR EACH ROW {NOTE})"
                         f" VALUES (CONNECTION_ID(), {BY}, '{table}', NEW.content_post_id, NEW.{day}, {detail})")
    return found
