#!/usr/bin/python3
"""Sessions over TCP, with TLS: what the programs ask of the kernel, so that a server that vanished without a word is
noticed; connections that are cut, where the library has another number for it (2026) than on a socket; certificates."""

import ctypes
import os
import re
import socket
import subprocess

import lib
import servers
from lib import wait_until
from test_daemon import MANY

suite = lib.Suite()
test = suite.test

DAY = "2026-07-01"
# pidfd_getfd(2) has no function in the C library before glibc 2.36; the number is the same on all machines.
PIDFD_GETFD = 438
# What common/db/connection.c promises: some 30 s of silence, found out by probes as well as by what was sent.
OPTIONS = {(socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1, (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 10,
           (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 5, (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 4,
           (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): 29000}


def certificate(directory):
    """A server's key and certificate, which authorizes itself."""
    key, path = f"{directory}/key.pem", f"{directory}/certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", path],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return key, path


def borrow(process, number):
    """The socket that a process has under that number; what is asked of it is asked of the process's own."""
    pidfd = os.pidfd_open(process)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, number, 0)
        assert copy >= 0, os.strerror(ctypes.get_errno())
        return socket.socket(fileno=copy)
    finally:
        os.close(pidfd)


def sockets_of(process):
    folder = f"/proc/{process}/fd"
    numbers = [int(name) for name in os.listdir(folder) if re.match("socket:", os.readlink(f"{folder}/{name}"))]
    return [borrow(process, number) for number in numbers]


def sessions(process, port):
    """The process's sockets that lead to the server."""
    found = sockets_of(process)
    return [one for one in found if one.family == socket.AF_INET and one.getpeername()[1] == port]


class Secure(servers.Server):
    """A server that is reached over TCP with TLS, at the same port whenever it is started."""

    def __init__(self):
        self.port = servers.free_port()
        key, self.certificate = certificate(servers.folder())
        super().__init__(f"--port={self.port}", "--bind-address=127.0.0.1", f"--ssl-key={key}",
                         f"--ssl-cert={self.certificate}")


class Remote(servers.Served):
    """A database whose worker comes over TCP; the test itself, and who migrates, by the socket."""

    def __init__(self, secure, **options):
        self.secure = secure
        self.authorities = secure.certificate
        super().__init__(servers.Address(secure), **options)
        for sql in lib.USERS[2:]:
            self.execute(sql.format(name=self.name).replace("@localhost", "@'127.0.0.1'"))

    def configure(self, **options):
        super().configure(**options)
        path = lib.Path(self.configuration)
        remote = f'host = "127.0.0.1"; port = {self.secure.port}; tls: {{ ca = "{self.authorities}"; }};'
        path.write_text(re.sub(r'socket = "[^"]*";', remote, path.read_text()))

    def trust(self, path):
        self.authorities = path
        self.configure()

    def cut_commit(self):
        """Ends a session that the server has in a COMMIT, if there is one."""
        self.execute("BEGIN NOT ATOMIC DECLARE session BIGINT; SELECT MAX(ID) INTO session FROM"
                     " information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO = 'COMMIT';"
                     " IF session IS NOT NULL THEN KILL session; END IF; END")


def cut_short(database, secure, process):
    """Sessions are cut until one had committed when it was, then the server is killed and started again.

    What the cut session's COMMIT was answered with is the library's own number for a connection over TLS."""
    def found():
        assert not process.ended(), process.output
        if database.progress(DAY) > 20:
            database.cut_commit()
        return re.search(r"event=commit-found .*\(server error 2026\)", process.stderr)
    wait_until(found, 60, "a session that was cut behind its COMMIT")
    chunks = database.progress(DAY)
    wait_until(lambda: database.progress(DAY) > chunks + 20, 60, "20 more chunks")
    secure.kill()
    assert not process.ended(), process.output
    secure.start()
    database.reconnect()


@test("sessions over TCP notice a server that vanished within half a minute, by the options of each socket")
def _():
    secure = Secure()
    with Remote(secure) as database:
        database.fill(DAY)
        process = database.daemon()
        database.ask_run(DAY, "--wait").expect(0)
        found = sessions(process.child.pid, secure.port)
        assert len(found) >= 2, found   # the coordinator's and the heartbeat's
        for one in found:
            with one:
                actual = {option: one.getsockopt(*option) for option in OPTIONS}
            assert actual == OPTIONS, actual
        process.stop()
        database.verify()


@test("over TLS, sessions that are cut and a server that is killed: the outcome of COMMIT is read back, the run goes on")
def _():
    secure = Secure()
    with Remote(secure, chunk_size=1, transaction_limit=30) as database:
        database.fill(DAY, **MANY)
        process = database.run(DAY)
        cut_short(database, secure, process)
        process.expect(0)
        assert [row[0] for row in database.runs()] == ["COMPLETED"], database.runs()
        database.verify()


@test("over TLS, the same under a daemon: the day is completed without a person, at the most by a restart")
def _():
    secure = Secure()
    with Remote(secure, chunk_size=1, transaction_limit=30, restart_backoff_s=1) as database:
        database.fill(DAY, **MANY)
        running = database.daemon()
        asked = database.ask_run(DAY, "--wait")
        cut_short(database, secure, running)
        asked.expect(0)
        runs = database.runs()
        assert runs[-1][0] == "COMPLETED" and {row[2] for row in runs[:-1]} <= {"TRANSIENT"}, runs
        database.verify()
        running.wait_event("database-back")


@test("a certificate that is not trusted: settlectl and a run end with these words, a daemon says them and waits for another")
def _():
    secure = Secure()
    _, other = certificate(servers.folder())
    words = r"TLS.*certificate|certificate.*TLS"
    with Remote(secure) as database:
        database.fill(DAY)
        trusted = lib.Path(database.directory, "authorities.pem")
        trusted.write_bytes(lib.Path(other).read_bytes())
        database.trust(str(trusted))
        for process in (database.settlectl("status"), database.run(DAY)):
            process.expect(1, timeout_s=10)
            assert re.search(words, process.stderr), process.stderr
        running = database.daemon(ready=False)
        running.wait_status("waiting for the database")
        event = running.wait_event("database-away")
        assert re.search(words, event["msg"]), event
        assert not running.ended() and not running.states(), running.output
        trusted.write_bytes(lib.Path(secure.certificate).read_bytes())
        running.wait_ready()
        database.ask_run(DAY, "--wait").expect(0)
        database.verify()


if __name__ == "__main__":
    suite.main()
