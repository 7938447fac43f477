-- The users that settlementd works with, for a database called settlement on a server of the same machine. The server's
-- administrator runs this once, before the first `settlectl migrate`, and may run it again:
--
--     mariadb settlement <users.sql
--
-- Accounts, hosts and ways to log in are the site's: change them in a copy. The names of the roles are those that
-- `settlectl migrate` grants the rights of grants.sql to: the database's name, then _worker and _reader.

-- The owner changes the schema, and does nothing else: only `settlectl migrate` connects as this user. It is the definer
-- of the views, and passes on rights in this database, which is why these are granted to the account itself. Until it is
-- given a password, nobody can log in but an operating system's user of that name.
CREATE USER IF NOT EXISTS settlement_owner@localhost IDENTIFIED VIA unix_socket;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW
    ON settlement.* TO settlement_owner@localhost WITH GRANT OPTION;

-- The worker is the daemon, `settlementd run`, and whoever imports or asks for work with settlectl.
CREATE ROLE IF NOT EXISTS settlement_worker;
CREATE USER IF NOT EXISTS settlementd@localhost IDENTIFIED VIA unix_socket;
GRANT settlement_worker TO settlementd@localhost;
SET DEFAULT ROLE settlement_worker FOR settlementd@localhost;

-- The reader looks: dashboards, monitoring, settlectl's status, nodes, runs, show, next, top, report and
-- explain. For each:
--     CREATE USER dashboard@localhost IDENTIFIED BY '...';
--     GRANT settlement_reader TO dashboard@localhost;
--     SET DEFAULT ROLE settlement_reader FOR dashboard@localhost;
CREATE ROLE IF NOT EXISTS settlement_reader;
