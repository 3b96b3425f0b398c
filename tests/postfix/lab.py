"""A private Postfix for the tests: its own directories, ports on loopback.

Nothing under /etc/postfix is touched.  Needs root (Postfix's master does).
Use as a context manager: what it started is stopped, what it made removed.
"""

import os
import pwd
import shutil
import smtplib
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.lab.example
mydomain = lab.example
mydestination =
local_transport = error:no local mail here
alias_maps =
alias_database =
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_relay_restrictions = check_client_access static:OK, reject
smtpd_sender_restrictions = check_sender_access texthash:{root}/etc/sender_access
virtual_alias_maps = texthash:{root}/etc/valias
virtual_alias_domains =
sender_bcc_maps = texthash:{root}/etc/sender_bcc
transport_maps = texthash:{root}/etc/transport
message_size_limit = 0
mailbox_size_limit = 0
defer_transports = smtp
queue_run_delay = 3600
minimal_backoff_time = 3600
maximal_backoff_time = 7200
smtp_connect_timeout = 5s
bounce_notice_recipient = postmaster@lab.example
disable_dns_lookups = yes
default_process_limit = 40
"""

# service type private unpriv chroot wakeup maxproc command
MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{bcc} inet n - n - - smtpd -o cleanup_service_name=cleanup-bcc
127.0.0.1:{milter} inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:{milterd}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
cleanup-bcc unix n - n - 0 cleanup -o always_bcc=archive@bcc.example
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
slow unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Milter(socketserver.ThreadingTCPServer):
    """Edits by sender: what a message asks for stands in its sender's name.

    header@: adds header fields; rcpt@: adds a recipient and removes
    drop@drop.example; from@: changes the sender; body@: replaces the body by a
    longer one; change@: rewrites and deletes header fields.
    """

    allow_reuse_address = True
    daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        def packet(self):
            head = self.read(4)
            return self.read(struct.unpack("!I", head)[0]) if head else b""

        def read(self, n):
            data = b""
            while len(data) < n:
                part = self.request.recv(n - len(data))
                if not part:
                    return b""
                data += part
            return data

        def send(self, cmd, data=b""):
            self.request.sendall(struct.pack("!I", len(data) + 1) + cmd + data)

        def handle(self):
            sender = b""
            while True:
                p = self.packet()
                if not p:
                    return
                cmd = p[:1]
                if cmd == b"O":
                    # all actions; no connect, helo, rcpt, header, body steps
                    self.send(b"O", struct.pack("!III", 6, 0x7F, 0x37B & ~0x4))
                elif cmd in b"DA":
                    continue
                elif cmd in b"QK":
                    if cmd == b"Q":
                        return
                else:
                    if cmd == b"M":
                        sender = p[1:].split(b"\0")[0].strip(b"<>")
                    if cmd == b"E":
                        self.edit(sender)
                    self.send(b"c")

        def edit(self, sender):
            kind = sender.split(b"@")[0]
            if kind == b"header":
                self.send(b"h", b"X-Lab\0added by a milter\0")
                self.send(b"i", struct.pack("!I", 1) + b"X-Lab-First\0one\n\ttwo\0")
            elif kind == b"rcpt":
                self.send(b"+", b"<added@milter.example>\0")
                self.send(b"-", b"<drop@drop.example>\0")
                self.send(b"+", b"<added2@milter.example>\0")
            elif kind == b"from":
                self.send(b"e", b"<changed.sender@milter.example>\0")
            elif kind == b"body":
                for _ in range(40):
                    self.send(b"b", b"replaced by a milter, line after line\r\n" * 20)
            elif kind == b"change":
                self.send(b"m", struct.pack("!I", 1) + b"Subject\0changed subject\0")
                self.send(b"m", struct.pack("!I", 1) + b"X-Remove\0\0")

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Lab:
    def __init__(self, **params):
        self.root = tempfile.mkdtemp(prefix="postfix-lab.", dir=os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.root, 0o755)
        self.etc, self.spool = self.root + "/etc", self.root + "/spool"
        self.sent = []  # (login, sender, recipients, queue ID)
        self.children = []
        self.milter = None
        self.running = False
        self.ports = {n: free_port() for n in ("smtp", "bcc", "milter", "milterd", "sink", "reject")}
        for d in ("etc", "spool", "data"):
            os.mkdir(f"{self.root}/{d}", 0o755)
        postfix = pwd.getpwnam("postfix")
        os.chown(self.root + "/data", postfix.pw_uid, postfix.pw_gid)
        self.write("main.cf", self.settings(params))
        self.write("master.cf", MASTER_CF.format(**self.ports))
        self.write("sender_access", "held@lab.example HOLD\n")
        self.write("valias", "list@lab.example a@one.example, b@two.example, c@three.example\n"
                   "nested@lab.example list@lab.example, d@four.example\n")
        self.write("sender_bcc", "boss@acme.example copy@acme.example\n")
        self.write("transport", f"slow.example slow:[127.0.0.1]:{self.ports['sink']}\n"
                   f"bounce.example slow:[127.0.0.1]:{self.ports['reject']}\n")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def settings(self, params):
        """main.cf with these instead of what it has.  Not twice each: master
        warns of that at a reload, through a postlogd that it has not begun yet,
        and waits for ever once ten lines are in the socket."""
        lines = [line for line in MAIN_CF.format(root=self.root).splitlines()
                 if line.split(" =")[0] not in params]
        return "\n".join(lines + [f"{k} = {v}" for k, v in params.items()]) + "\n"

    def write(self, name, text):
        with open(f"{self.etc}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def cmd(self, *argv, check=True, **kw):
        """A Postfix command with this instance's configuration."""
        return subprocess.run([argv[0], "-c", self.etc, *argv[1:]], check=check,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120, **kw)

    def postconf(self, **params):
        self.cmd("postconf", "-e", *[f"{k}={v}" for k, v in params.items()])

    def start(self):
        if self.milter is None:
            self.milter = Milter(self.ports["milterd"])
            # bounce.example: every recipient is refused for good
            self.sink("-f", "RCPT", port="reject")
        self.cmd("postfix", "start")
        self.running = True
        self.wait(lambda: self.connects(self.ports["smtp"]), "smtpd to listen")

    @staticmethod
    def connects(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def stop(self):
        if self.running:
            self.cmd("postfix", "stop", check=False)
            self.running = False

    def reload(self):
        self.cmd("postfix", "reload")
        time.sleep(1)

    def sink(self, *options, port="sink"):
        """An smtp-sink that takes mail for slow.example."""
        p = subprocess.Popen(["smtp-sink", "-u", "postfix", *options,
                              f"127.0.0.1:{self.ports[port]}", "100"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(p)
        self.wait(lambda: self.connects(self.ports[port]), "smtp-sink to listen")
        return p

    def close(self):
        self.stop()
        for p in self.children:
            p.kill()
            p.wait()
        if self.milter is not None:
            self.milter.shutdown()
            self.milter.server_close()
        shutil.rmtree(self.root, ignore_errors=True)

    @staticmethod
    def wait(test, what, seconds=60):
        end = time.monotonic() + seconds
        while not test():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s for {what}")
            time.sleep(0.1)

    def files(self, *queues):
        """{path below the spool: stat} of every file in these queues."""
        found = {}
        for q in queues or ("maildrop", "incoming", "active", "deferred", "hold", "corrupt"):
            for d, _, names in os.walk(f"{self.spool}/{q}"):
                for n in names:
                    path = f"{d}/{n}"
                    try:
                        found[os.path.relpath(path, self.spool)] = os.lstat(path)
                    except FileNotFoundError:
                        pass
        return found

    def settled(self, seconds=90):
        """Wait until nothing is incoming, and active holds slow mail only."""
        nudge = time.monotonic() + 4

        def quiet():
            nonlocal nudge
            if self.files("incoming", "maildrop"):
                if time.monotonic() > nudge:  # parked: qmgr would come back in a minute
                    nudge += 4
                    for p in self.files("incoming"):
                        try:
                            os.utime(f"{self.spool}/{p}")
                        except FileNotFoundError:
                            continue
                    self.cmd("postkick", "public", "qmgr", "I", check=False)
                return False
            first = set(self.files("active"))
            time.sleep(0.3)
            return first == set(self.files("active")) and not self.files("incoming")
        self.wait(quiet, "the queue to settle", seconds)

    def session(self, port="smtp", login=None, addr="203.0.113.9", helo="client.example"):
        s = smtplib.SMTP("127.0.0.1", self.ports[port], timeout=60)
        s.ehlo(helo)
        if login or addr:
            args = f"ADDR={addr} NAME=[UNAVAILABLE] HELO={helo} PROTO=ESMTP PORT=40123"
            if login:
                args += f" LOGIN={login}"
            code, text = s.docmd("XCLIENT", args)
            assert code == 220, (code, text)
            s.ehlo(helo)
        return s

    def send(self, s, login, sender, rcpts, data, options=()):
        """One message over an open session; records and returns its queue ID."""
        code, text = s.mail(sender, list(options))
        assert code == 250, (sender, code, text)
        for r in rcpts:
            code, text = s.rcpt(r)
            assert code == 250, (r, code, text)
        code, text = s.data(data)
        assert code == 250, (code, text)
        qid = text.decode().rsplit(" ", 1)[1]
        self.sent.append((login, sender, tuple(rcpts), qid))
        return qid

    def sendmail(self, args, data):
        subprocess.run(["sendmail", "-C", self.etc, *args], input=data, check=True,
                       timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def log(self):
        with open(self.root + "/maillog", encoding="utf-8", errors="replace") as f:
            return f.read()


class Tap:
    """Test Anything Protocol on standard output."""

    def __init__(self):
        self.n = self.bad = 0

    def ok(self, good, name, detail=""):
        self.n += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - {name}", flush=True)
        if not good:
            for line in str(detail).splitlines()[:40]:
                print("#   " + line.encode("unicode_escape").decode()[:300], flush=True)
        return good

    def equal(self, got, want, name):
        detail = "" if got == want else f"got  {got!r}\nwant {want!r}"
        return self.ok(got == want, name, detail)

    def end(self):
        print(f"1..{self.n}", flush=True)
        return 1 if self.bad else 0


def message(subject, body, **headers):
    lines = [f"Subject: {subject}"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    return "\r\n".join(lines + ["", body])
