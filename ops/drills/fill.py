"""Brings Redis' append-only file to its worst: the drill `redis` runs this as root on Redis' host.

Arguments: ids that Redis remembers at the busiest, and bytes that stay free below the next rewrite. With ids, the file is
rewritten first while Redis remembers them, so that it begins with its largest snapshot. The service's own function counts
them, on a counter of this program's own, so no visit is invented. Prints the file's size and where the next rewrite begins,
in bytes.
"""
import random, re, subprocess, sys, time

ids, free = int(sys.argv[1]), int(sys.argv[2])
COUNTER = "v:drill"


def redis(*command, **options):
    # 60,000 ids take an emulated CPU minutes.
    run = subprocess.run(["halo-redis-cli", "-e", *command], capture_output=True, check=True, timeout=300, **options)
    return run.stdout.decode().replace("\r", "")


def persistence():
    return dict(line.split(":", 1) for line in redis("info", "persistence").splitlines() if ":" in line)


def setting(name):
    return int(redis("config", "get", name).splitlines()[-1])


function = re.findall(r"^count_\w+$", redis("function", "list", "libraryname", "count_*"), re.M)[-1]


def count(visits, batch=1):
    """Counts new ids, so many in a call. A call for each visit makes the file that takes longest to load, by its size."""
    calls = bytearray()
    for _ in range(visits // batch):
        names = [b"%020x" % random.getrandbits(80) for _ in range(batch)]
        words = [b"FCALL", function.encode(), b"1", COUNTER.encode(), *names]
        calls += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    redis("--pipe", input=bytes(calls))


def wait_for_rewrite():
    """Redis' persistence values when no rewrite is under way."""
    while (of := persistence())["aof_rewrite_in_progress"] != "0" or of["aof_rewrite_scheduled"] != "0":
        time.sleep(0.02)
    return of


if ids:
    count(ids, 64)
    while True:
        wait_for_rewrite()
        try:
            redis("bgrewriteaof")
            break
        except subprocess.CalledProcessError as refused:  # Redis has just begun one by itself, without the last ids
            if b"in progress" not in refused.stdout + refused.stderr:
                raise
of = wait_for_rewrite()
base = int(of["aof_base_size"])
bound = max(setting("auto-aof-rewrite-min-size"), base * (100 + setting("auto-aof-rewrite-percentage")) // 100)
size, each = int(of["aof_current_size"]), 200  # bytes a call, until they are measured
while size < bound - free - each:
    before = size
    calls = max(1, (bound - free - size) // each * 9 // 10)
    count(calls)
    size = int(persistence()["aof_current_size"])
    if size < before:
        break  # it was rewritten
    each = max(1, (size - before) // calls)
redis("del", COUNTER)
print(int(persistence()["aof_current_size"]), bound)
