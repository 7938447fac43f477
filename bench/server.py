"""The bench's own MariaDB and the two programs: starts, stops, runs and watches them. Nothing here knows what is compared."""
import os
import re
import subprocess
import time

import pymysql

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "release")
POLL_SECONDS = 0.01

# What every session of the plain SQL gets: settlementd's own isolation, and room for what it keeps in temporary tables.
SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION tmp_table_size = 256 << 20, max_heap_table_size = 256 << 20, join_buffer_size = 8 << 20",
)


class Failed(Exception):
    """Something that the bench cannot go on from, in words for whoever started it."""


class Server:
    """A sandbox in a folder of its own, made by script/sandbox and reached through its socket."""

    def __init__(self, folder, buffer_pool):
        self.folder = folder
        self.environment = dict(os.environ, SETTLEMENTD_SANDBOX=os.path.join(folder, "server"),
                                SANDBOX_BUFFER_POOL=buffer_pool)
        self.socket = None

    def _sandbox(self, command):
        done = subprocess.run([os.path.join(ROOT, "script", "sandbox"), command], env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"script/sandbox {command}: {done.stdout.strip()}")
        return done.stdout.strip()

    def start(self):
        self._sandbox("start")
        self.socket = self._sandbox("socket")

    def stop(self):
        self._sandbox("stop")

    def cpu_seconds(self):
        """What the server has used of the processors: steadier than the clock on a machine that does other things too."""
        with open(os.path.join(self.environment["SETTLEMENTD_SANDBOX"], "mariadb.pid"), encoding="ascii") as file:
            pid = file.read().strip()
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self, database=None):
        connection = pymysql.connect(unix_socket=self.socket, user="root", database=database,
                                     autocommit=True, charset="utf8mb4")
        session = Session(connection)
        for statement in SESSION:
            session.run(statement)
        return session

    def configuration(self, database, threads):
        """Writes a configuration for that database and says where it is."""
        path = os.path.join(self.folder, database + ".conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'database: {{ socket = "{self.socket}"; user = "root"; name = "{database}"; }};\n'
                       f"workers: {{ threads = {threads}; }};\n"
                       'log: { level = "info"; format = "text"; };\n')
        return path


class Session:
    """One connection; its statements commit by themselves."""

    def __init__(self, connection):
        self.connection = connection

    def run(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def one(self, sql):
        rows = self.run(sql)
        return rows[0][0] if rows else None

    def close(self):
        self.connection.close()


def statements(path):
    """The statements of a script, each with the step that it belongs to (`-- step NAME` lines)."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    step, found = "", []
    for part in re.split(r";[ \t]*\n", text):
        names = re.findall(r"^-- step (\S+)$", part, re.MULTILINE)
        step = names[-1] if names else step
        sql = re.sub(r"^--.*$", "", part, flags=re.MULTILINE).strip()
        if sql:
            found.append((step, sql))
    return found


def program(name):
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is not there: `make` builds it")
    return path


class Finished:
    """A program that has ended: its wall time, the most memory that it had at once, and what it wrote."""

    def __init__(self, seconds, peak_kib, output, errors):
        self.seconds, self.peak_kib, self.output, self.errors = seconds, peak_kib, output, errors


def _peak_kib(process, known):
    # Not wait4's ru_maxrss: that one includes the memory of this process between fork and exec.
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            found = re.search(r"VmHWM:\s+(\d+)", status.read())
    except OSError:
        return known
    return max(known, int(found.group(1))) if found else known


def run_program(arguments, folder):
    """Runs a program to its end; raises Failed with its last words when it does not end with 0."""
    output_path, error_path = os.path.join(folder, "stdout"), os.path.join(folder, "stderr")
    peak = 0
    with open(output_path, "wb") as output, open(error_path, "wb") as errors:
        began = time.monotonic()
        with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=errors) as process:
            while True:
                peak = _peak_kib(process, peak)
                try:
                    process.wait(POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    pass
        seconds = time.monotonic() - began
    with open(output_path, encoding="utf-8") as file:
        output_text = file.read()
    with open(error_path, encoding="utf-8") as file:
        error_text = file.read()
    if process.returncode != 0:
        raise Failed(f"{' '.join(arguments)} ended with {process.returncode}:\n{error_text[-2000:]}")
    return Finished(seconds, peak, output_text, error_text)
