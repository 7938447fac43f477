"""A proxy on a Unix socket that knows the packets of the MariaDB protocol: it sees a COMMIT, whether it comes as text or
as a prepared statement, and may lose it, lose its reply, or keep either back.

Everything else passes as it is. There is no TLS and no compression on a Unix socket, so that packets can be read."""

import os
import select
import socket
import struct
import threading
import time

COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE = 0x03, 0x16, 0x17
PIECE = 65536

# What may become of a COMMIT.
LOSE_REQUEST = "request lost"                   # it never reaches the server; both sides see the connection end
HANG_REQUEST = "request lost, session left"     # the server does not notice, and keeps what the session has locked
LOSE_REPLY = "reply lost"                       # it is carried out, and nobody hears of it
RACE_REPLY = "reply lost, perhaps sooner"       # the connection ends while the server is at it
DELAY_REPLY = "reply late"
WAYS = (LOSE_REQUEST, HANG_REQUEST, LOSE_REPLY, RACE_REPLY, DELAY_REPLY)


class Packets:
    """Cuts a stream into packets: header of three bytes of length and one of sequence, then the payload."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= 4:
            length = int.from_bytes(self.buffer[:3], "little")
            if len(self.buffer) < 4 + length:
                return
            packet = bytes(self.buffer[:4 + length])
            del self.buffer[:4 + length]
            yield packet


def is_commit(text):
    return text.strip().rstrip(b";").strip().upper() == b"COMMIT"


class Session(threading.Thread):
    """One connection of a client, with the one to the server that was made for it."""

    def __init__(self, proxy, client):
        super().__init__(daemon=True)
        self.proxy = proxy
        self.client = client
        self.server = None
        self.requests, self.replies = Packets(), Packets()
        self.prepared = {}              # id of a prepared statement that is a COMMIT
        self.preparing = False          # its id is in the next reply
        self.greeted = False

    def run(self):
        try:
            self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.server.connect(self.proxy.target)
            self.pump()
        except OSError:
            pass
        finally:
            self.end()

    def pump(self):
        while not self.proxy.closed:
            ready, _, _ = select.select([self.client, self.server], [], [], 0.2)
            for side in ready:
                data = side.recv(PIECE)
                if not data:
                    return
                if side is self.server:
                    self.note_reply(data)
                    self.client.sendall(data)
                elif not self.pass_requests(data):
                    return

    def note_reply(self, data):
        """Remembers the id that the server gives to a COMMIT that is being prepared."""
        if not self.preparing:
            return
        for packet in self.replies.feed(data):
            if self.preparing and len(packet) >= 9 and packet[4] == 0:
                self.prepared[struct.unpack_from("<I", packet, 5)[0]] = True
            self.preparing = False
        self.replies.buffer.clear()

    def pass_requests(self, data):
        """False: the connection is over."""
        for packet in self.requests.feed(data):
            if self.sees_commit(packet):
                what = self.proxy.decide(self)
                if what is not None:
                    if not self.disturb(what, packet):
                        return False
                    continue
            self.server.sendall(packet)
        return True

    def sees_commit(self, packet):
        """A command's packet has sequence 0; what is sent to log in does not."""
        if len(packet) < 5 or packet[3] != 0:
            return False
        command, body = packet[4], packet[5:]
        if command == COM_STMT_PREPARE:
            self.preparing = is_commit(body)
        if command == COM_STMT_EXECUTE:
            return struct.unpack_from("<I", body)[0] in self.prepared
        return command == COM_QUERY and is_commit(body)

    def disturb(self, what, packet):
        if callable(what):
            return what(self, packet)
        if what == LOSE_REQUEST:
            return False
        if what == HANG_REQUEST:
            self.proxy.leave(self)
            return False
        self.server.sendall(packet)
        if what == RACE_REPLY:
            return False
        reply = self.server.recv(PIECE)
        if what == LOSE_REPLY:
            return False
        self.proxy.wait(self.proxy.delay_s)
        self.client.sendall(reply)
        return True

    def end(self):
        for side in (self.client, self.server):
            if side is not None:
                try:
                    side.close()
                except OSError:
                    pass


class Proxy:
    """Listens at `path` for `target`. decide(session) is asked at every COMMIT: None lets it pass, one of WAYS disturbs
    it, and a function is called with the session and the packet in its place."""

    def __init__(self, path, target, delay_s=1.0):
        self.path, self.target, self.delay_s = path, target, delay_s
        self.closed = False
        self.lock = threading.Lock()
        self.commits = 0
        self.plan = {}                  # number of a COMMIT -> what becomes of it
        self.chance = None              # or a function of the number
        self.done = []                  # what really happened: (number, what)
        self.left = []
        self.sessions = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.closed:
                client.close()
                return
            session = Session(self, client)
            self.sessions.append(session)
            session.start()

    def decide(self, _session):
        with self.lock:
            self.commits += 1
            what = self.plan.get(self.commits) or (self.chance(self.commits) if self.chance else None)
            if what is not None:
                self.done.append((self.commits, "at will" if callable(what) else what))
            return what

    def leave(self, session):
        """The server keeps its end of the session until the proxy is closed."""
        self.left.append(session.server)
        session.server = None

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while not self.closed and time.monotonic() < deadline:
            time.sleep(0.01)

    def close(self):
        self.closed = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for side in self.left:
            side.close()
        for session in self.sessions:
            session.join(5)
        if os.path.exists(self.path):
            os.unlink(self.path)
