"""Brings Redis' append-only file to its worst: the drill `redis` runs this as root on Redis' host.

Arguments: ids that Redis remembers at the busiest, and bytes that have to be free below the next rewrite. They are counted by
the service's own function, on a counter of this program's own, so no visit is made up. Prints the file's size and where the
next rewrite begins, in bytes.
"""
import random, re, subprocess, sys, time

ids, free = int(sys.argv[1]), int(sys.argv[2])
COUNTER = "v:drill"
BATCH = 64  # visits in one call under load


def redis(*command, **options):
    run = subprocess.run(["halo-redis-cli", "-e", *command], capture_output=True, check=True, timeout=60, **options)
    return run.stdout.decode().replace("\r", "")


def persistence():
    return dict(line.split(":", 1) for line in redis("info", "persistence").splitlines() if ":" in line)


def setting(name):
    return int(redis("config", "get", name).splitlines()[-1])


function = re.findall(r"^count_\w+$", redis("function", "list", "libraryname", "count_*"), re.M)[-1]


def count(visits):
    """As many visits with new ids, through one connection."""
    calls = bytearray()
    for _ in range(visits // BATCH):
        names = [b"%020x" % random.getrandbits(80) for _ in range(BATCH)]
        words = [b"FCALL", function.encode(), b"1", COUNTER.encode(), *names]
        calls += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    redis("--pipe", input=bytes(calls))


def quiet():
    """Until no rewrite is under way."""
    while (of := persistence())["aof_rewrite_in_progress"] != "0" or of["aof_rewrite_scheduled"] != "0":
        time.sleep(0.02)
    return of


count(ids)
quiet()
redis("bgrewriteaof")
of = quiet()
base = int(of["aof_base_size"])
bound = max(setting("auto-aof-rewrite-min-size"), base * (100 + setting("auto-aof-rewrite-percentage")) // 100)
before = int(of["aof_current_size"])
while (size := int(persistence()["aof_current_size"])) < bound - free - 40 * BATCH and size >= before:
    count(max(BATCH, min(20_000, (bound - free - size) // 60)))
    before = size
redis("del", COUNTER)
print(int(persistence()["aof_current_size"]), bound)
