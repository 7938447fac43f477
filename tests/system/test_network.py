#!/usr/bin/python3
"""Sessions over TCP: what the programs ask of the kernel, so that a server that vanished without a word is noticed."""

import ctypes
import os
import re
import socket
import subprocess

import lib
import servers

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


@test("sessions over TCP notice a server that vanished within half a minute, by the options of each socket")
def _():
    port = servers.free_port()
    directory = servers.folder()
    key, path = certificate(directory)
    server = servers.Server(f"--port={port}", "--bind-address=127.0.0.1", f"--ssl-key={key}", f"--ssl-cert={path}")
    address = servers.Address(server)
    with servers.Served(address) as database:
        database.fill(DAY)
        for sql in lib.USERS[2:]:
            database.execute(sql.format(name=database.name).replace("@localhost", "@'127.0.0.1'"))
        tcp = lib.Path(database.directory, "tcp.conf")
        text = lib.Path(database.configuration).read_text()
        tcp.write_text(re.sub(r'socket = "[^"]*";?', f'host = "127.0.0.1"; port = {port}; tls: {{ ca = "{path}"; }};', text))
        process = database.daemon(configuration=str(tcp))
        database.ask_run(DAY, "--wait").expect(0)
        found = sessions(process.child.pid, port)
        assert len(found) >= 2, found   # the coordinator's and the heartbeat's
        for one in found:
            with one:
                actual = {option: one.getsockopt(*option) for option in OPTIONS}
            assert actual == OPTIONS, actual
        process.stop()
        database.verify()


if __name__ == "__main__":
    suite.main()
