"""The deploy lock and the log of deploys, on the balancer.

  take NEW [MARK]  makes NEW the lock if nobody has it, or the owner with that mark still has it; otherwise prints the owner, and ends with 3
  log LINE         writes a line (a JSON object) with the time into the log
  give OWN LINE    the same, and gives the lock back if it is OWN
The owner is printed as an object: lock (its fields), damaged (the file is no lock as this program writes it; the message is then its text), and mark.
"""

import fcntl, hashlib, json, os, stat, sys, time

here = "/var/lib/halo-cluster"  # root's alone: /var/lib/halo is the service's where the balancer is a backend as well
before = "/var/lib/halo"  # where they were in earlier versions
lock, log = f"{here}/deploy.lock", f"{here}/deploys.log"
fields = ("what", "release", "by", "message", "since", "process")
later = ("app",)  # an earlier version's lock has none of these
wait_seconds = 60  # the lock is held for milliseconds


def alone():
    """Nobody else is at it as long as this process lives."""
    os.makedirs("/run/halo-locks", mode=0o700, exist_ok=True)
    handle = os.open("/run/halo-locks/deploys", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + wait_seconds
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                sys.exit(
                    f"another process has held /run/halo-locks/deploys for {wait_seconds} s. Fix: end it (lslocks names it), then run this again"
                )
            time.sleep(0.1)


def move():
    os.makedirs(here, mode=0o700, exist_ok=True)
    for path in (lock, log):
        old = f"{before}/{os.path.basename(path)}"
        if os.path.lexists(old) and not os.path.exists(path):
            state = os.lstat(old)
            if stat.S_ISREG(state.st_mode) and state.st_uid == 0:
                os.rename(old, path)


def keep(path, text, flags):
    """Writes it so that it survives a power cut."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    try:
        data = text.encode()
        if os.write(handle, data) != len(data):
            sys.exit(f"{path} could not be written whole: the disk is full. Fix: make room on it, then run this again")
        os.fsync(handle)
    finally:
        os.close(handle)


def read_lock():
    try:
        with open(lock, "rb") as file:
            return file.read().strip(b"\n")
    except FileNotFoundError:
        return None


def mark(data):
    return data is not None and hashlib.sha256(data).hexdigest()


def owner(data):
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    whole = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in fields)
    if not whole:
        found = {**dict.fromkeys(fields, "unknown"), "process": "", "message": ascii(data[:200].decode(errors="replace"))}
    return {"lock": {name: str(found.get(name, "")) for name in fields + later}, "damaged": not whole, "mark": mark(data)}


def note(line):
    try:
        with open(log, "rb") as file:
            file.seek(-1, os.SEEK_END)
            torn = file.read() != b"\n"
    except OSError:
        torn = False  # the log is missing or empty
    entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **json.loads(line)}
    # A line that a crash has torn stays one line of its own.
    keep(log, "\n" * torn + json.dumps(entry) + "\n", os.O_APPEND)


def main(action, first, second=None):
    alone()
    move()
    if action == "take":
        data = read_lock()
        if data is not None and mark(data) != second:
            print(json.dumps(owner(data)))
            sys.exit(3)
        keep(f"{lock}.new", first + "\n", os.O_TRUNC)
        os.replace(f"{lock}.new", lock)
        folder = os.open(here, os.O_RDONLY)
        os.fsync(folder)
    elif action == "log":
        note(first)
    elif action == "give":
        note(second)
        if read_lock() == first.encode():
            os.remove(lock)
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
