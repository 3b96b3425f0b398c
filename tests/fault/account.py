"""A small spool, the account of what is in it, and the operations on it.

What the sweeps have in common.  The account is made by this program alone,
without qtool's code: every message and every log in exactly one place, its
bytes, mode, owner and time as they were.
"""

import hashlib
import os
import subprocess

LOGS = ("defer", "bounce", "trace")
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "saved")
LETTERS = {"d": "defer", "b": "bounce", "t": "trace"}
OWNER = 12345 if os.geteuid() == 0 else os.geteuid()


class Wrong(Exception):
    pass


class Programs:
    """What is run; set once by main."""
    qtool = ""
    inject = ""


# ---- the spool ----

def record(kind, data):
    assert len(data) < 128
    return kind + bytes([len(data)]) + data


def message(n):
    """A queue file as cleanup writes it (Postfix src/global/record.c)."""
    head = b"".join([
        record(b"T", b"1700000000 123456"), record(b"A", b"create_time=1700000000"),
        record(b"S", b"sender%d@example.org" % n), record(b"O", b"rcpt@example.net"),
        record(b"R", b"rcpt@example.net"), record(b"M", b"")])
    text = record(b"N", b"Subject: message %d" % n) + record(b"N", b"") + \
        record(b"N", b"x" * (10 + 7 * n))
    start = 97 + len(head)
    sizes = b" ".join(b"%15d" % v for v in (len(text), start, 1, 0, len(text), 0))
    return record(b"C", sizes) + head + text + record(b"X", b"") + record(b"E", b"")


def put(path, data, mode, n):
    with open(path, "xb") as f:
        f.write(data)
    os.chown(path, OWNER, OWNER)
    os.chmod(path, mode)
    os.utime(path, ns=(1700000000000000000, 1700000000123456789 + n * 1000000007))


def mkdir(path):
    os.makedirs(path, 0o700, exist_ok=True)
    os.chown(path, OWNER, OWNER)


def make_spool(top):
    """Two messages in hold, three in deferred (hash depth 1), with logs."""
    os.mkdir(top, 0o755)
    for q in QUEUES + LOGS:
        mkdir(os.path.join(top, q))
    plan = [("hold", 0x12345, ""), ("hold", 0xABCDE, "d"), ("deferred", 0x00001, "d"),
            ("deferred", 0xF0F0F, "dbt"), ("deferred", 0xABC00, "db")]
    for n, (queue, usec, logs) in enumerate(plan):
        tmp = os.path.join(top, "new")
        put(tmp, message(n), 0o700 if n != 1 else 0o710, n)
        name = "%05X%X" % (usec, os.stat(tmp).st_ino)
        if queue == "deferred":
            mkdir(os.path.join(top, "deferred", name[0]))
            where = os.path.join(top, "deferred", name[0], name)
        else:
            where = os.path.join(top, queue, name)
        os.rename(tmp, where)
        for letter in logs:
            log = LETTERS[letter]
            where = os.path.join(top, log, name)
            if log == "defer":
                mkdir(os.path.join(top, log, name[0]))
                where = os.path.join(top, log, name[0], name)
            put(where, b"%s of %s\n" % (log.encode(), name.encode()), 0o600, n + 10)


# ---- the account ----

def fingerprint(path):
    st = os.lstat(path)
    with open(path, "rb") as f:
        data = f.read()
    return (hashlib.sha256(data).hexdigest(), st.st_mode, st.st_uid, st.st_gid,
            st.st_mtime_ns, st.st_ino, st.st_nlink)


MTIME = 4  # its place in a fingerprint
# what the driver imports: the beginning of the ID, and the bytes by kind
IMPORTED = [("11111", {"message": b"imported one\n"}),
            ("22222", {"message": b"imported two\n", "defer": b"imported log\n",
                       "bounce": b"imported log\n"}),
            ("33333", {"message": b"imported three\n"})]


def files_below(top):
    for directory, _, names in os.walk(top):
        for name in names:
            yield os.path.join(directory, name)


def account(top):
    """{(kind, ID): [(place, fingerprint)]}, place "staged" or a path."""
    found = {}

    def note(kind, name, place, path):
        found.setdefault((kind, name), []).append((place, fingerprint(path)))

    for queue in QUEUES + LOGS:
        kind = queue if queue in LOGS else "message"
        for path in files_below(os.path.join(top, queue)):
            note(kind, os.path.basename(path), os.path.relpath(path, top), path)
    tx = os.path.join(top, "qtool", "tx")
    for number in sorted(os.listdir(tx)) if os.path.isdir(tx) else ():
        for area in ("m", "x"):
            for path in files_below(os.path.join(tx, number, area)):
                _, name, letter = os.path.basename(path).split(".")
                kind = "message" if area == "m" else LETTERS[letter.lower()]
                note(kind, name, "staged", path)
    return found


def everything(top):
    """Every name below the spool with all that recovering twice must not change."""
    out = {}
    for directory, dirs, names in os.walk(top):
        for name in dirs + names:
            path = os.path.join(directory, name)
            st = os.lstat(path)
            data = b""
            if name in names:
                with open(path, "rb") as f:
                    data = f.read()
            out[os.path.relpath(path, top)] = (st.st_mode, st.st_uid, st.st_ino,
                                               hashlib.sha256(data).digest())
    return out


def states(top, extra=None):
    """The last record of each transaction's log."""
    out = {}
    for base in (os.path.join(top, "qtool"), extra):
        tx = os.path.join(base, "tx") if base else ""
        for number in os.listdir(tx) if os.path.isdir(tx) else ():
            try:
                with open(os.path.join(tx, number, "log"), "rb") as f:
                    lines = [x for x in f.read().split(b"\n")[:-1] if x.count(b"\t") >= 3]
            except FileNotFoundError:
                if "plan" in os.listdir(os.path.join(tx, number)):
                    out[int(number)] = "PREPARED"
                continue
            if lines:
                out[int(number)] = lines[-1].split(b"\t")[2].decode()
    return out


class Check:
    """What must hold of one spool, from the account before."""

    def __init__(self, top, extra=None):
        self.top = top
        self.extra = extra
        self.before = account(top)
        self.home = {k: v[0][0] for k, v in self.before.items()}

    def at(self, place, key):
        """Where a thing is when all are "home", "hold", "staged" ...: logs stay
        where they are unless they are staged or gone with their message."""
        if key[0] == "import":
            return "all" if place == "imported" else "none"
        if place == "imported":
            return self.home[key]
        if place in ("staged", "gone"):
            return place
        if place == "home" or key[0] != "message":
            return self.home[key]
        return {"hold": "hold/", "maildrop": "maildrop/",
                "deferred": "deferred/%s/" % key[1][0]}[place] + key[1]

    def places(self, may_be_gone=False, settled=False):
        """Each thing once, unchanged; returns {key: place}.  In maildrop a
        message has a new time, and once all is settled there and only there."""
        now = account(self.top)
        out = {}
        for key, was in self.before.items():
            there = now.pop(key, [])
            if not there and may_be_gone:
                out[key] = "gone"
                continue
            if len(there) != 1:
                raise Wrong("%s %s is in %d places: %s" %
                            (*key, len(there), [p for p, _ in there]))
            place, is_now = there[0]
            old, new = was[0][1], is_now
            requeued = place.startswith("maildrop/")
            if requeued and settled and not new[MTIME] > old[MTIME] + 10 ** 15:
                raise Wrong("%s %s is as old as it was, in maildrop" % key)
            if requeued or (not settled and self.op is not None and self.op.stamps()):
                old, new = old[:MTIME] + old[MTIME + 1:], new[:MTIME] + new[MTIME + 1:]
            if old != new:
                raise Wrong("%s %s is not what it was: %s, %s" %
                            (*key, was[0], there[0]))
            out[key] = place
        if self.op is not None and self.op.imports():
            out[("import", "")] = self.imported(now)
        if now:
            raise Wrong("there is more than there was: %s" % now)
        return out

    op = None

    def imported(self, now):
        """What an import has put into the queue, taken out of now: "all" or
        "none" of it, or "some" while it is under way."""
        count = 0
        for key in list(now):
            (kind, name), there = key, now[key]
            place, is_now = there[0]
            known = [n for n, want in enumerate(IMPORTED)
                     if name.startswith(want[0]) and kind in want[1] and
                     is_now[0] == hashlib.sha256(want[1][kind]).hexdigest()]
            if len(there) != 1 or not known:
                continue
            mode = 0o100700 if kind == "message" else 0o100600
            if is_now[1:4] != (mode, OWNER, OWNER) or is_now[MTIME + 2] != 1 or \
                    (kind == "message" and (not place.startswith("hold/") or
                                            int(name[5:], 16) != is_now[MTIME + 1])):
                raise Wrong("%s %s is not as it has to be: %s" % (*key, there))
            del now[key]
            count += 1
        return {0: "none", 5: "all"}.get(count, "some")

    def copies(self):
        """Files that an import has made and not placed."""
        return [path for path in files_below(os.path.join(self.top, "qtool", "tx"))
                if "/r/" in path]

    def one_of(self, places, *targets):
        """All things are where one of the targets has them; which."""
        for name in targets:
            if all(place == self.at(name, key) for key, place in places.items()):
                return name
        raise Wrong("neither %s: %s" % (" nor ".join(targets), places))


# ---- operations ----

ALL = ["--all", "--yes", "--jobs", "1"]
DELETE = ["delete", *ALL]
HOLD = ["hold", *ALL]
RELEASE = ["release", *ALL]
REQUEUE = ["requeue", *ALL]
# name: what is done before, what is disturbed, where all are before, where all
# are when it is done, and where they may be on the way, once recovered
OPERATIONS = {
    "delete": ([], DELETE, "home", "staged"),
    "state-dir": ([], [*DELETE, "--state-dir", None], "home", "staged"),
    "delete-purge": ([], [*DELETE, "--purge"], "home", "gone", "staged"),
    "undo": ([DELETE], ["undo", "1"], "staged", "hold"),
    "undo-in-place": ([DELETE], ["undo", "1", "--in-place"], "staged", "home"),
    "redo-delete": ([DELETE, ["undo", "1"]], ["redo", "1"], "hold", "staged"),
    "purge": ([DELETE], ["purge", "1", "--yes"], "staged", "gone"),
    "archive": ([], ["archive"], "home", "staged"),
    "archive-bad": ([], ["archive", "--bad"], "home", "home"),
    "hold": ([], HOLD, "home", "hold"),
    "hold-state-dir": ([], [*HOLD, "--state-dir", None], "home", "hold"),
    "undo-hold": ([HOLD], ["undo", "1"], "hold", "home"),
    "redo-hold": ([HOLD, ["undo", "1"]], ["redo", "1"], "home", "hold"),
    "release": ([], RELEASE, "home", "deferred"),
    "undo-release": ([RELEASE], ["undo", "1"], "deferred", "home"),
    "requeue": ([], REQUEUE, "home", "maildrop"),
    "undo-requeue": ([REQUEUE], ["undo", "1"], "maildrop", "hold"),
    "restore": ([DELETE], ["restore", "1"], "staged", "hold"),
    "undo-restore": ([DELETE, ["restore", "1"]], ["undo", "2"], "hold", "staged"),
    "import": ([], ["import"], "home", "imported"),
    "import-state-dir": ([], ["import", "--state-dir", None], "home", "imported"),
    "undo-import": ([["import"]], ["undo", "1"], "imported", "home"),
    "redo-import": ([["import"], ["undo", "1"]], ["redo", "1"], "home", "imported"),
    "purge-import": ([["import"], ["undo", "1"]], ["purge", "1"], "home", "home"),
    "recover": ([], ["recover"], "home", "staged"),
}
PLACED = ("hold", "release", "requeue", "restore", "import")


class Operation:
    def __init__(self, name):
        self.name = name
        self.steps, self.command, self.before, self.done, *between = OPERATIONS[name]
        self.finals = (self.before, self.done, *between)
        made = sum(step[0] not in ("undo", "redo") for step in self.steps)
        self.number = made + (self.command[0] not in ("undo", "redo", "purge"))

    def run(self, top, extra):
        return [Programs.qtool, "-Q", top, *(extra if a is None else a
                                             for a in self.command)]

    def prepare(self, c, variant):
        """variant: where the delete was killed that is to be recovered."""
        c.op = self
        for step in self.steps:
            qtool(c.top, *step)
        if self.name == "recover" and variant:
            r = subprocess.run([Programs.inject, "-n", str(variant), "-k", "after",
                                Programs.qtool, "-Q", c.top, *DELETE],
                               capture_output=True, check=False)
            return r.returncode == 137
        return True

    def unlinks(self):
        return self.done == "gone"

    def stamps(self):
        """Whether a time may be new or old while it is under way."""
        return "maildrop" in self.finals

    def imports(self):
        return "import" in self.name

    def places(self):
        """Whether messages are moved after COMMIT, not before."""
        return self.command[0] in PLACED


def qtool(top, *args):
    r = subprocess.run([Programs.qtool, "-Q", top, *args], capture_output=True,
                       text=True, check=False)
    if r.returncode != 0:
        raise Wrong("qtool %s: exit %d: %s" % (" ".join(args), r.returncode, r.stderr))
    return r.stdout


def recovered(op, c, again):
    """After recovery: all or none, and doing it again changes nothing."""
    qtool(c.top, "recover")
    final = c.one_of(c.places(op.unlinks(), True), *op.finals)
    last = states(c.top, c.extra)
    for number, state in last.items():
        if state in ("PREPARED", "ABORT", "UNDO", "PURGE", "REDO") or \
                (state == "COMMIT" and op.places() and number == op.number):
            raise Wrong("transaction %d is still %s" % (number, state))
    if op.imports() and set(last.values()) != {"UNDONE"} and c.copies():
        raise Wrong("copies are left: %s" % c.copies())
    if not again:
        return final
    once = everything(c.top)
    said = qtool(c.top, "recover")
    if everything(c.top) != once:
        raise Wrong("recovering again changed something")
    if said != "nothing to recover\n":
        raise Wrong("recovering again said: %s" % said)
    return final
