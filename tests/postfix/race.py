"""The account of a race: what a live Postfix, its commands and several qtools
did at the same time to mail of which every message has its own Message-ID.

One recipient a message, and sinks that end no connection: a message that the
sink has twice was handed out twice.
"""

import collections
import json
import os
import random
import re
import subprocess
import threading
import time

MESSAGE_ID = re.compile(rb"^Message-ID: <([^>\r\n]+)>", re.IGNORECASE | re.MULTILINE)
# In a queue file a line is a record: type, length, text.
IN_RECORD = re.compile(rb"N.Message-ID: <([^>\r\n]+)>", re.DOTALL)
DOUBTFUL = re.compile(r"^qtool: \w+/(\w+): is taken back, and may be new mail, too", re.MULTILINE)
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "saved")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def below(top):
    """Every file below a directory; what goes meanwhile is left out."""
    for d, _, names in os.walk(top):
        for n in names:
            yield f"{d}/{n}"


class Run:
    """One qtool that ran: what it was told, said, and how it ended."""

    def __init__(self, argv, status, out, err, start, killed):
        self.argv, self.status, self.out, self.err = argv, status, out, err
        self.start, self.killed, self.end = start, killed, time.time()

    def names(self, word):
        return any(word in part for part in (*self.argv, self.out, self.err))

    def text(self):
        clock = time.strftime("%H:%M:%S", time.localtime(self.start))
        how = "killed" if self.killed else f"exit {self.status}"
        args = " ".join(a if len(a) < 60 else a[:57] + "..." for a in self.argv)
        return (f"{clock} qtool {args}: {how}: {self.error()!r} {self.out.strip()[:400]} "
                f"{self.err.strip()[:400]}")

    def answer(self):
        """What --json gave; nothing of a run that was killed, or had no --json."""
        try:
            answer = json.loads(self.out)
        except ValueError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def error(self):
        """Why it was not done, or not all of it, in its own words."""
        return self.answer().get("error")


class Recorder:
    """Runs qtool and keeps every run; may kill one at a moment of its own."""

    def __init__(self, qtool, lab):
        self.qtool, self.lab = qtool, lab
        self.runs, self.lock = [], threading.Lock()

    def run(self, *args, stdin=None, kill_after=None):
        start = time.time()
        with subprocess.Popen([self.qtool, "-c", self.lab.etc, *args], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            killed = False
            try:
                out, err = p.communicate(stdin, timeout=kill_after or 300)
            except subprocess.TimeoutExpired:
                p.kill()
                out, err = p.communicate()
                killed = kill_after is not None
        run = Run(args, p.returncode, out.decode(), err.decode(), start, killed)
        with self.lock:
            self.runs.append(run)
        return run

    def table(self):
        """{command: {exit status: how many}}; killed runs apart."""
        found = collections.defaultdict(collections.Counter)
        for r in self.runs:
            found[r.argv[0]]["killed" if r.killed else r.status] += 1
        return found


class Sinks:
    """smtp-sinks of several destinations, each message dumped to a file."""

    def __init__(self, lab):
        self.lab, self.top = lab, lab.root + "/sinks"
        os.mkdir(self.top)
        os.chmod(self.top, 0o777)

    def take(self, name, *options):
        return self.lab.sink("-d", f"{self.top}/{name}.%H%M%S.", "-m", "400", *options, port=name)

    def refuse(self, name):
        """Every recipient is put off."""
        return self.lab.sink("-r", "RCPT", "-m", "400", port=name)

    def retake(self, refuser, name, *options):
        """From now on this destination takes mail."""
        refuser.kill()
        refuser.wait()
        self.lab.wait(lambda: not self.lab.connects(self.lab.ports[name]), "the sink to end")
        return self.take(name, *options)

    def delivered(self):
        """Message-IDs as often as they came, and what is no whole message."""
        found, broken = collections.Counter(), []
        for path in below(self.top):
            data = read(path)
            m = MESSAGE_ID.search(data)
            if m is None:
                broken.append(f"{path}: no Message-ID")
                continue
            name = m.group(1).decode()
            found[name] += 1
            if f"end of {name}".encode() not in data.splitlines():
                broken.append(f"{path}: {name} is not whole")
        return found, broken


class Account:
    """Where each accepted message is at last.

    An undo of a requeue that finds a message open, perhaps by pickup, holds it
    and names it: there may be two then.  It may have one more for each time.
    """

    def __init__(self, lab, accepted, sinks, runs):
        self.lab, self.accepted = lab, accepted  # {Message-ID: queue ID}
        self.doubtful = self.named_doubtful(runs)
        self.delivered, self.broken = sinks.delivered()
        self.queued = self.of_files(*[f"{lab.spool}/{q}" for q in QUEUES])
        self.staged = self.of_files(*self.staging())

    def named_doubtful(self, runs):
        ids = collections.Counter(m.group(1) for r in runs for m in DOUBTFUL.finditer(r.err))
        # what was said is what was answered, but for runs that were killed
        told = collections.Counter(m["queue_id"] for r in runs
                                   for m in r.answer().get("messages", [])
                                   if m["fate"] == "doubtful")
        if told - ids:
            self.broken.append(f"doubtful, and not said on standard error: {sorted(told - ids)}")
        found = collections.Counter()
        for qid, name in re.findall(r": (\w+): message-id=<([^>]+)>", self.lab.log()):
            found[name] += ids[qid]
        return found

    def staging(self):
        tx = f"{self.lab.spool}/qtool/tx"
        return [f"{tx}/{n}/m" for n in os.listdir(tx)] if os.path.isdir(tx) else []

    def of_files(self, *tops):
        found = collections.Counter()
        for top in tops:
            for path in below(top):
                m = IN_RECORD.search(read(path))
                if m is None:
                    self.broken.append(f"{path}: no Message-ID")
                else:
                    found[m.group(1).decode()] += 1
        return found

    def times(self, name):
        return self.delivered[name] + self.queued[name] + self.staged[name]

    def wrong(self):
        """Messages that are not in exactly one place, or that nobody sent."""
        names = set(self.accepted) | set(self.delivered) | set(self.queued) | set(self.staged)
        return sorted(n for n in names if n not in self.accepted
                      or not 1 <= self.times(n) <= 1 + self.doubtful[n])

    def place(self, name):
        return (f"{name}: {self.delivered[name]} at the sinks, {self.queued[name]} queued, "
                f"{self.staged[name]} in transactions; doubtful {self.doubtful[name]} times")

    def history(self, name, runs):
        """All that is known of one message, oldest first where it has a time."""
        log = self.lab.log().splitlines()
        ids = {self.accepted.get(name, "")}
        for line in log:
            if f"message-id=<{name}>" in line:
                ids.add(line.split("]: ", 1)[1].split(":", 1)[0])
        ids.discard("")
        lines = [self.place(name) + "; queue IDs " + ", ".join(sorted(ids))]
        lines += [line for line in log if any(q in line for q in ids)]
        for path in below(self.lab.spool + "/qtool/tx"):
            base = os.path.basename(path)
            if base in ("plan", "log") and "/m/" not in path:
                plan = os.path.dirname(path) + "/plan"
                if not os.path.exists(plan):
                    continue
                named = [p for p in read(plan).decode("latin-1").splitlines()
                         if any(q in p for q in ids)]
                if named:
                    lines += named if base == "plan" else read(path).decode("latin-1").splitlines()
            elif any(q in base for q in ids):
                lines.append(path)
        return lines + [r.text() for r in runs if any(r.names(q) for q in ids)]


def warnings(log):
    """{(daemon, kind): how often}, what differs from one to the next left out."""
    found = collections.Counter()
    for line in log.splitlines():
        m = re.search(r"postfix\S*/([a-z]+)\[\d+\]: (warning|error|fatal|panic): (.*)", line)
        if m is None:
            continue
        text = re.sub(r"\b(?:[0-9A-F]{6,}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,})\b", "ID",
                      m.group(3))
        text = re.sub(r"\b\d+\b", "N", re.sub(r"\S+@\S+", "ADDRESS", text))
        found[m.group(1), f"{m.group(2)}: {text}"] += 1
    return found


class Actors:
    """Threads that do one thing each again and again until they are ended."""

    def __init__(self, seed):
        self.seed, self.threads, self.failed = seed, [], []
        self.ended = threading.Event()

    def add(self, name, step, pause=0.0):
        """step(rng) is called until the end; False: there is nothing more to do."""
        def work():
            rng = random.Random(f"{self.seed} {name}")
            try:
                while not self.ended.is_set() and step(rng) is not False:
                    self.ended.wait(pause)
            except Exception as e:  # noqa: BLE001: reported by the test
                self.failed.append(f"{name}: {type(e).__name__}: {e}")
                raise
        t = threading.Thread(target=work, name=name)
        t.start()
        self.threads.append(t)
        return t

    def end(self):
        self.ended.set()
        for t in self.threads:
            t.join()
