"""Inspects one host for some seconds and changes nothing; `npm run diagnose` runs it as root.

Argument: the parts to inspect, as JSON (type Request in snapshot.ts). Prints JSON (type HostReport there); a part that could not be
inspected is {"error": why}.
"""
import collections, concurrent.futures, contextlib, datetime, http.client, itertools, json, os, re, statistics, subprocess, sys, time
import urllib.error, urllib.parse, urllib.request

asked = json.loads(sys.argv[1])
# Output is read here: not in the language of the host or the caller.
os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="")
SECONDS = 2
SAMPLES = 20
PROBE_SECONDS = 1  # seconds for one probe


def run(*argv, timeout=20):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout).stdout.strip()


def read(path):
    with open(path) as file:
        return file.read()


APPEND_ONLY = "/var/lib/redis/appendonlydir"
# Redis' words at a start for data that it cannot read, or may not. Those of a failed write are another cause.
UNREADABLE = (
    r"# (Bad file format|Unexpected end of file|Unrecoverable error) reading the append only file|# .*AOF manifest|# .*[Pp]ermission denied"
    r"|# .*append only file.*(not|n't) exist|# (Short read|Wrong signature|Internal error in RDB|.*RDB checksum)|[Aa]ssertion failed"
)


def unit(name):
    properties = "ActiveState,SubState,MainPID,StateChangeTimestamp,NRestarts"
    lines = run("systemctl", "show", "--timestamp=unix", "-p", properties, name).splitlines()
    of = dict(line.split("=", 1) for line in lines)
    since = of["StateChangeTimestamp"].lstrip("@")
    return {"state": of["ActiveState"], "sub": of["SubState"], "pid": int(of["MainPID"]), "since": int(since or 0)}


def probe(address, port):
    """Seconds that /healthz takes, or why there is no answer."""
    since = time.monotonic()
    try:
        connection = http.client.HTTPConnection(address, port, timeout=PROBE_SECONDS)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        return round(time.monotonic() - since, 4)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()


def readiness(address, port):
    """Why the service is not ready, in its own words; None where it is, and where it gives no reason."""
    connection = http.client.HTTPConnection(address, port, timeout=3 * PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return json.loads(connection.getresponse().read()).get("reason")
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def disks():
    found = {}
    for line in read("/proc/self/mounts").splitlines():
        device, mount, kind, options = line.split()[:4]
        mount = mount.encode().decode("unicode_escape")
        if re.match(r"/(proc|sys|dev|run|tmp|boot/efi)(/|$)", mount) or "ro" in options.split(","):
            continue
        if kind == "overlay" and mount != "/" or not os.path.isdir(mount):
            continue
        space = os.statvfs(mount)
        key = device if device.startswith("/") else mount  # a disk may be mounted at several places
        if space.f_blocks and len(mount) < len(found.get(key, {"mount": mount + "-"})["mount"]):
            found[key] = {"mount": mount, "free": space.f_bavail / space.f_blocks, "bytes": space.f_blocks * space.f_frsize}
    return list(found.values())


def steal():
    def times():
        return [int(each) for each in read("/proc/stat").split("\n", 1)[0].split()[1:9]]

    before = times()
    time.sleep(SECONDS)
    spent = [b - a for a, b in zip(before, times())]
    return spent[7] / max(1, sum(spent))


def throttling(folder):
    """Seconds for which a cgroup, or one above it, was not let run, and where its quota is."""
    most = {"seconds": 0.0}
    while folder.startswith("/sys/fs/cgroup/"):
        try:
            of = dict(line.split() for line in read(folder + "/cpu.stat").splitlines())
            seconds = int(of.get("throttled_usec", 0)) / 1e6
            if seconds > most["seconds"]:
                most = {"seconds": seconds, "quota": read(folder + "/cpu.max").split()[0]}
        except OSError:
            pass
        folder = os.path.dirname(folder)
    return most


def service():
    halo = unit(asked["app"]["unit"])
    folder = ""
    if halo["pid"]:
        folder = "/sys/fs/cgroup" + read(f"/proc/{halo['pid']}/cgroup").rsplit(":", 1)[1].strip()
    pids = run("pgrep", *asked["app"]["workers"].split()).split()

    def of_each(name):
        """A file of /proc for each worker that has not ended meanwhile."""
        texts = {}
        for pid in pids:
            with contextlib.suppress(OSError):
                texts[pid] = read(f"/proc/{pid}/{name}")
        return texts

    def spent():
        """Seconds that each worker has run, and that it was kept waiting for a CPU (another process had it, or a quota was used up)."""
        return {pid: [int(of) / 1e9 for of in text.split()[:2]] for pid, text in of_each("schedstat").items()}

    begin = time.monotonic()
    states = [text.rsplit(") ", 1)[1].split()[0] for text in of_each("stat").values()]
    marks = [(begin, spent())]
    before = throttling(folder)
    probes = []
    while time.monotonic() < begin + SECONDS:
        probes.append(probe(asked["address"], asked["port"]))
        time.sleep(SECONDS / SAMPLES)
        if time.monotonic() >= marks[-1][0] + SECONDS / 4:
            marks.append((time.monotonic(), spent()))
    after = throttling(folder)
    seconds = time.monotonic() - begin
    spans = collections.defaultdict(list)
    for (since, earlier), (until, later) in itertools.pairwise(marks):
        for pid in earlier.keys() & later.keys():
            spans[pid].append([min(1, (b - a) / (until - since)) for a, b in zip(earlier[pid], later[pid])])
    # A condition that lasts shows in most of the quarters; one long wait in two seconds is any machine's.
    medians = [[statistics.median_low(shares) for shares in zip(*each)] for each in spans.values()]
    cpu, waited = max(medians, key=sum, default=[0, 0])
    result = {
        "unit": halo,
        "workers": len(pids),
        "stopped": states.count("T"),
        "cpu": cpu,
        "waited": waited,
        "probes": probes,
        "unready": readiness(asked["address"], asked["port"]),
        "throttled": (after["seconds"] - before["seconds"]) / seconds,
        "quota": after.get("quota"),
    }
    if os.path.exists(folder + "/memory.max"):  # without a memory controller there is no limit either
        limit = read(folder + "/memory.max").strip()
        of = dict(line.split() for line in read(folder + "/memory.stat").splitlines())
        result["memory"] = {"used": int(of["anon"]), "limit": int(limit) if limit != "max" else None}
    return result


def redis():
    said = run("halo-redis-cli", "info", "persistence", "replication", "memory", timeout=3).replace("\r", "")
    of = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    wanted = ("loading", "aof_enabled", "aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
    errors = run("journalctl", "-u", "redis-server", f"--since=-{asked['window']}s", "-o", "cat", "-g", "AOF write error")
    folder = run("halo-redis-cli", "config", "get", "dir", timeout=3).split("\n")[-1]
    # Its words when it started last, and systemd of it. Redis warns of much that hinders nothing.
    journal = run("journalctl", "-u", "redis-server", "-n", "60", "-o", "cat").splitlines() if of.get("loading") != "0" else []
    last = [re.sub(r"^\d+:\w [^#*]*([#*]) ", r"\1 ", line) for line in journal]
    return {
        "unit": unit("redis-server"),
        "answers": bool(of),
        "persistence": {key: of[key] for key in wanted if key in of},
        "folder": folder or "/var/lib/redis",
        "writeErrors": len(errors.splitlines()),
        "words": list(dict.fromkeys(line.removeprefix("# ") for line in last if re.search(UNREADABLE, line)))[-3:],
        "files": sorted(os.listdir(APPEND_ONLY)) if os.path.isdir(APPEND_ONLY) else [],
        "replicaOf": f"{of['master_host']}:{of['master_port']}" if of.get("role") == "slave" else None,
        "memory": {"used": int(of["used_memory"]), "limit": int(of["maxmemory"])} if "maxmemory" in of else None,
    }


SESSIONS = f"""SELECT coalesce(jsonb_agg(s), '[]') FROM (
  SELECT pid, application_name AS app, usename AS role, state, extract(epoch FROM clock_timestamp() - query_start) AS seconds,
    wait_event_type AS wait, wait_event AS event, left(regexp_replace(query, '\\s+', ' ', 'g'), 80) AS query,
    CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{{}}' END AS by
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) s
\\watch i={SECONDS / SAMPLES} c={SAMPLES}
"""
LIMITS = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int;\n"


def refused_logins():
    """What PostgreSQL said to the service's role in the window instead of letting it in, how often, and when for the last time."""
    said = run("journalctl", "-u", "postgresql@*", f"--since=-{asked['window']}s", "-o", "short-unix", "-g", "^halo@halo FATAL: ")
    login = "password authentication failed|not permitted to log in|no pg_hba.conf entry|permission denied for database"
    lines = [line for line in said.splitlines() if re.search(login, line)]
    return {
        "words": dict(collections.Counter(line.split("FATAL: ", 1)[1].strip() for line in lines)),
        "last": max((float(line.split()[0]) for line in lines), default=None),
    }


def postgres():
    units = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "postgresql@*").split()
    server = unit(units[0]) if units else None
    query = subprocess.run(
        ["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "halo"],
        input=LIMITS + SESSIONS, capture_output=True, text=True, timeout=20, cwd="/",
    )
    if query.returncode:
        return {"unit": server, "error": query.stderr.strip()}
    # \watch puts its title, with the time, before each sample.
    lines = [line for line in query.stdout.splitlines() if line.startswith("[")]
    samples = [json.loads(line) for line in lines]
    held = collections.Counter()
    blockers = {}
    long = waiting = 0
    longest = {"seconds": 0}
    for sample in samples:
        by_pid = {each["pid"]: each for each in sample}
        active = [each for each in sample if each["role"] == "halo" and each["state"] == "active"]
        slow = [each for each in active if (each["seconds"] or 0) >= asked["slow"]]
        long += bool(slow)
        longest = max([longest, *slow], key=lambda each: each["seconds"])
        locked = [each for each in active if each["wait"] == "Lock"]
        waiting += bool(locked)
        for pid in {pid for each in locked for pid in each["by"]}:
            if pid in by_pid and by_pid[pid]["wait"] != "Lock":  # a session that waits itself only stands in the queue
                held[pid] += 1
                blockers[pid] = by_pid[pid]
    sessions = collections.Counter((each["app"], each["state"] or "none") for each in samples[-1]) if samples else {}
    return {
        "unit": server,
        "most": int(query.stdout.split("\n", 1)[0]),
        "refused": refused_logins(),
        "sessions": [{"app": app, "state": state, "count": count} for (app, state), count in sessions.items()],
        "samples": len(samples),
        "long": long,
        "waiting": waiting,
        "longest": longest if longest["seconds"] else None,
        "blockers": [{**blockers[pid], "samples": count} for pid, count in held.most_common(3)],
    }


def tail(path, most):
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - most))
        return file.read().decode(errors="replace").splitlines()


def epoch(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def balancer():
    nginx = unit("nginx")
    names = {f"{address}:{port}": name for name, address, port in asked["backends"]}
    workers = run("pgrep", "-P", str(nginx["pid"])).split() if nginx["pid"] else []
    # The newest worker is as old as the configuration in use.
    ages = [int(run("ps", "-o", "etimes=", "-p", pid) or 0) for pid in workers]
    time.sleep(SECONDS)
    now = time.time()
    configured = now - min(ages, default=0) + 1 - SECONDS
    peers = {name: {"tries": 0, "answers": 0, "timeouts": 0, "errors": 0, "lastTimeout": None} for name in names.values()}
    requests = failed = 0
    times = []
    for line in tail("/var/log/nginx/access.log", 8_000_000):
        try:
            of = json.loads(line)
            at = of.get("ended") or epoch(of["time"])
        except (ValueError, KeyError):
            continue
        tries = list(zip(re.split(", | : ", of["upstream"]), re.split(", | : ", of["upstream_status"])))
        tries = [(names[peer], status) for peer, status in tries if peer in names]
        if at < now - asked["window"] or not tries:
            continue
        requests += 1
        failed += of["status"] >= 500
        times.append(of["seconds"])
        for name, status in tries:
            peer = peers[name]
            peer["tries"] += 1
            if status == "504":
                peer["timeouts"] += 1
                peer["lastTimeout"] = at
            elif status == "502":
                peer["errors"] += 1
            elif at > configured:
                peer["answers"] += 1
    with concurrent.futures.ThreadPoolExecutor() as pool:
        probes = {name: pool.map(probe, [address] * 3, [port] * 3) for name, address, port in asked["backends"]}
        probes = {name: list(each) for name, each in probes.items()}
    weights = re.findall(r"server ([\d.]+:\d+) [^;]*weight=(\d+)", read("/etc/nginx/nginx.conf"))
    drained = read("/var/lib/halo-cluster/drained").split() if os.path.exists("/var/lib/halo-cluster/drained") else []
    times.sort()
    return {
        "unit": nginx,
        # Of one app alone, as HOST/APP, or of all.
        "drained": [each.removesuffix("/" + asked["app"]["name"]) for each in drained],
        "requests": requests,
        "failed": failed,
        "p95": times[int(len(times) * 0.95)] if times else None,
        "peers": peers,
        "probes": probes,
        "weights": {names[peer]: int(weight) for peer, weight in weights if peer in names},
        "configured": configured,
    }


def prometheus():
    of = asked["prometheus"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    now = time.time()
    result = {}
    for name, query in of["queries"].items():
        span = {"query": query["expr"], "start": now - query["range"], "end": now, "step": query["step"]}
        try:
            with opener.open(f"{of['url']}/api/v1/query_range?{urllib.parse.urlencode(span)}", timeout=5) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{name}: {error.read().decode()[:300]}")
        result[name] = {}
        for each in body["data"]["result"]:
            curve = [[at, float(value)] for at, value in each["values"] if value not in ("NaN", "+Inf", "-Inf")]
            # A series that has ended says nothing of how it is now.
            if curve and curve[-1][0] >= now - 2 * query["step"]:
                # The key: the values of its labels, in the order of their names.
                result[name][" ".join(of for _, of in sorted(each["metric"].items()) if _ != "__name__")] = curve
    return result


parts = {"disks": disks, "steal": steal}
parts.update({name: globals()[name] for name in asked["parts"]})
with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
    futures = {name: pool.submit(part) for name, part in parts.items()}
    result = {}
    for name, future in futures.items():
        try:
            result[name] = future.result()
        except Exception as error:  # a part that cannot be inspected reports why, the rest still counts
            result[name] = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps({"at": time.time(), **result}))
