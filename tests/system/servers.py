"""Servers of the tests' own with options of their own: durable or not, primaries and replicas, a node of a cluster. One
set of files is made for all, and each server gets a copy. And an address that leads to one of them at a time, as after a
failover."""

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import daemon
import lib
import oracle
from lib import wait_until

PROVIDER = "/usr/lib/galera/libgalera_smm.so"
SMALL = ("--innodb-buffer-pool-size=24M", "--innodb-log-file-size=16M", "--performance-schema=OFF", "--skip-name-resolve",
         "--max-allowed-packet=64M")
DURABLE = ("--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=ON")
BINLOG = ("--log-bin=binlog", "--sync-binlog=1", "--binlog-format=ROW", "--log-slave-updates")


def mariadbd(directory, *options):
    user = ["--user=root"] if os.geteuid() == 0 else []
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    return [shutil.which("mariadbd", path=path), "--no-defaults", f"--datadir={directory}/data",
            f"--socket={directory}/socket", f"--pid-file={directory}/pid", f"--log-error={directory}/error.log", *user,
            *SMALL, *options]


def folder():
    path = tempfile.mkdtemp(prefix="settlementd-server-", dir="/tmp")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@functools.cache
def template():
    """The files of a server that has never been used."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))   # so that no server outlives a test that is ended
    path = folder()
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={path}/data", "--skip-test-db", "--force",
                    "--auth-root-authentication-method=normal", "--skip-name-resolve", "--innodb-log-file-size=16M",
                    *(["--user=root"] if os.geteuid() == 0 else [])],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A MariaDB with files of its own, which stay when it is stopped."""

    def __init__(self, *options, start=True):
        self.directory = folder()
        self.socket = f"{self.directory}/socket"
        self.process = None
        self.options = options
        subprocess.run(["cp", "--archive", "--reflink=auto", f"{template()}/data", self.directory], check=True)
        atexit.register(self.kill)
        if start:
            self.start()

    def start(self, *options):
        """With the options of the server and these."""
        arguments = mariadbd(self.directory, *DURABLE, *self.options, *options)
        if not any(option.startswith("--port") for option in arguments):
            arguments.append("--skip-networking")
        with open(f"{self.directory}/output", "ab") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)
        wait_until(self.answers, 30, f"an answer of {' '.join(arguments)}; see {self.directory}/error.log")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("the server ended:\n" + Path(self.directory, "error.log").read_text()[-2000:])
        try:
            self.connect().close()
        except oracle.pymysql.err.MySQLError:
            return False
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(30 * lib.FACTOR)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def connect(self, name=None):
        return oracle.connect(self.socket, name, "root")

    def execute(self, *statements):
        connection = self.connect()
        for statement in statements:
            rows = oracle.rows_of(connection, statement)
        connection.close()
        return rows

    def value(self, sql):
        return self.execute(sql)[0][0]


class Primary(Server):
    """A server with a binary log, and an account for those that replicate from it."""

    numbers = iter(range(1, 1000))

    def __init__(self):
        self.port = free_port()
        super().__init__(*BINLOG, f"--server-id={next(Primary.numbers)}", f"--port={self.port}",
                         "--bind-address=127.0.0.1")
        self.execute("CREATE USER replica@'127.0.0.1' IDENTIFIED BY 'replica'",
                     "GRANT REPLICATION SLAVE ON *.* TO replica@'127.0.0.1'")


class Replica(Server):
    """Follows a primary from its very beginning, until it is promoted."""

    def __init__(self, primary):
        super().__init__(*BINLOG, f"--server-id={next(Primary.numbers)}", "--read-only")
        self.execute(f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = 'replica',"
                     " MASTER_PASSWORD = 'replica', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1", "START SLAVE")
        self.primary = primary

    def catch_up(self):
        position = self.primary.value("SELECT @@gtid_binlog_pos")
        assert self.value(f"SELECT MASTER_GTID_WAIT('{position}', {20 * lib.FACTOR:g})") == 0, "the replica does not follow"

    def stop_applying(self):
        """From now on it receives nothing and applies nothing: it lags."""
        self.execute("STOP SLAVE")

    def promote(self):
        self.execute("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF")


class Address:
    """A socket's path that leads to one server at a time."""

    def __init__(self, server):
        self.path = f"{folder()}/address"
        self.lead_to(server)

    def lead_to(self, server):
        os.symlink(server.socket, f"{self.path}.new")
        os.rename(f"{self.path}.new", self.path)


class Served(daemon.Served):
    """A database behind an address. The test's own connection follows when it is told to."""

    def __init__(self, address, **options):
        self.address = address
        super().__init__(socket=address.path, **options)

    def follow(self, server):
        """The address leads to another server now, and so does the test's own connection."""
        self.address.lead_to(server)
        self.server.close()
        self.server = oracle.connect(server.socket, self.name, "root")

    def remembers(self, number=1):
        """A state directory for a daemon, as on a host of its own."""
        path = Path(self.directory, f"state{number}")
        path.mkdir(exist_ok=True)
        return {"STATE_DIRECTORY": str(path)}

    def contents(self, *but):
        """All rows of all tables of the database but for some: what has been written, whatever it is."""
        tables = [row[0] for row in self.rows("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA ="
                                              " DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1")]
        return {table: self.value(f"CHECKSUM TABLE {table}") and self.rows(f"CHECKSUM TABLE {table}")[0][1]
                for table in tables if table not in but}
