"""The ground that cases stand on: servers of the torture's own, which may be killed, stopped, filled up and started
again, and the folder in which everything lives and with which everything goes."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import lib  # noqa: E402  (the path above leads to it)
import oracle  # noqa: E402

lib.PAUSE_S = 0.01      # many cases wait at a time
MEMORY = "/dev/shm"
NEEDED_BYTES = 2 * 1024**3
SERVER_ANSWERS_S = 60

# Durable like production. Files are in memory where there is room: what a killed server has written the kernel keeps.
OPTIONS = """[mariadbd]
datadir = "{data}"
socket = "{socket}"
pid-file = "{directory}/mariadb.pid"
log-error = "{directory}/error.log"
tmpdir = "{directory}/tmp"
skip-networking
skip-name-resolve
skip-log-bin
character-set-server = utf8mb4
innodb_flush_log_at_trx_commit = 1
innodb_doublewrite = 1
innodb_flush_method = fsync
innodb_buffer_pool_size = {pool}M
innodb_log_file_size = 32M
innodb_data_file_path = ibdata1:4M:autoextend
innodb_temp_data_file_path = ibtmp1:4M:autoextend
innodb_autoinc_lock_mode = 2
innodb_buffer_pool_dump_at_shutdown = OFF
innodb_buffer_pool_load_at_startup = OFF
innodb_fast_shutdown = 1
aria_pagecache_buffer_size = 1M
key_buffer_size = 1M
max_connections = 4000
max_allowed_packet = 16M
performance_schema = OFF
"""


class Ground:
    """A folder, the servers in it, and the processes that must not outlive it."""

    def __init__(self, keep):
        self.directory = tempfile.mkdtemp(prefix="settlementd-torture-", dir=choose_place())
        tempfile.tempdir = self.directory   # also what the cases make is below it
        self.keep = keep                # where dumps of violations go; made when there is one
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.servers = []
        self.template = None

    def server(self, name, **options):
        """A new server; the first one makes the files that all others begin with."""
        with self.lock:
            if self.template is None:
                self.template = make_template(self.directory)
            server = Server(self, os.path.join(self.directory, name), **options)
            self.servers.append(server)
        server.start()
        return server

    def drop(self, server):
        """One that is not needed any more."""
        with self.lock:
            self.servers.remove(server)
        server.remove()

    def close(self):
        self.stopping.set()
        for server in self.servers:
            server.remove()
        tempfile.tempdir = None
        shutil.rmtree(self.directory, ignore_errors=True)


def choose_place():
    if os.path.isdir(MEMORY) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES:
        return MEMORY
    return None


def write_options(directory, data, pool=48, extra=""):
    path = os.path.join(directory, "my.cnf")
    os.makedirs(os.path.join(directory, "tmp"), exist_ok=True)
    text = OPTIONS.format(data=data, directory=directory, socket=os.path.join(directory, "s"), pool=pool)
    if os.geteuid() == 0:
        text += f"user = {getpass.getuser()}\n"     # the server does not run as root unless it is told that this is meant
    Path(path).write_text(text + extra, encoding="utf-8")
    return path


def make_template(directory):
    """The files of a fresh server, made once: to copy them takes a tenth of the time."""
    own = os.path.join(directory, "template")
    data = os.path.join(own, "data")
    os.makedirs(own)
    options = write_options(own, data)
    done = subprocess.run(["mariadb-install-db", f"--defaults-file={options}", f"--datadir={data}", "--skip-test-db",
                           "--auth-root-authentication-method=normal", "--skip-name-resolve", "--force"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    if done.returncode != 0:
        raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}")
    return data


class Server:
    """A MariaDB with a data folder of its own; reached by its socket only."""

    def __init__(self, ground, directory, data=None, pool=48, extra=""):
        self.ground = ground
        self.directory = directory
        self.data = data or os.path.join(directory, "data")
        self.socket = os.path.join(directory, "s")
        self.starts = 0
        self.child = None
        os.makedirs(directory)
        shutil.copytree(ground.template, self.data, dirs_exist_ok=True)
        self.options = write_options(directory, self.data, pool, extra)

    def launch(self):
        """Starts the process, without waiting for an answer."""
        if self.ground.stopping.is_set():
            raise Stopped
        with open(os.path.join(self.directory, "error.log"), "ab") as log:
            self.child = subprocess.Popen(["mariadbd", f"--defaults-file={self.options}"], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True,
                                          env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
        self.starts += 1

    def start(self, timeout_s=SERVER_ANSWERS_S):
        self.launch()
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self.child.poll() is not None or time.monotonic() > deadline:
                text = Path(self.directory, "error.log").read_text(errors="replace")
                raise RuntimeError("the server does not start:\n" + "\n".join(text.splitlines()[-20:]))
            time.sleep(0.02)

    def answers(self):
        try:
            oracle.connect(self.socket, None).close()
            return True
        except oracle.pymysql.err.Error:
            return False

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self, timeout_s=60):
        self.child.send_signal(signal.SIGCONT)
        self.child.terminate()
        try:
            self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def remove(self):
        if self.child is not None and self.child.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def sleep(ground, seconds):
    """A pause that ends with the torture."""
    if ground.stopping.wait(seconds * lib.FACTOR):
        raise Stopped


class Stopped(Exception):
    """The torture was asked to end; what a case was doing does not count."""
