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


def at_once(part, of):
    """The results of a part for each of these, by their names."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        return dict(zip(of, pool.map(lambda name: attempt(part, of[name]), of)))


def attempt(part, *given):
    """A part's result; one that cannot be inspected reports why, the rest still counts."""
    try:
        return part(*given)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


@contextlib.contextmanager
def answer_of(app, backend, path, seconds):
    """An app's answer, of which nothing but the head has been read: a page may be long, or without an end."""
    name, address = backend
    with contextlib.closing(http.client.HTTPConnection(address, app["port"], timeout=seconds)) as connection:
        # An app may refuse a Host that it does not know; the gate of a release sends this one too.
        connection.request("GET", path, headers={"Host": app.get("domain", name)})
        yield connection.getresponse()


def probe(app, backend):
    """Seconds that the app's path takes, or why it is no answer."""
    since = time.monotonic()
    try:
        with answer_of(app, backend, app["path"], PROBE_SECONDS) as answer:
            right = 200 <= answer.status < 400
            return round(time.monotonic() - since, 4) if right else f"answered with {answer.status}"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error)


def readiness(app, backend):
    """Why the service is not ready, in its own words; None where it is, and where it gives no reason."""
    try:
        with answer_of(app, backend, "/readyz", 3 * PROBE_SECONDS) as answer:
            return json.loads(answer.read()).get("reason")
    except (OSError, http.client.HTTPException, ValueError):
        return None


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


def service(app):
    halo = unit(app["unit"])
    backend = next(each for each in app["backends"] if each[0] == asked["name"])
    folder = ""
    if halo["pid"]:
        folder = "/sys/fs/cgroup" + read(f"/proc/{halo['pid']}/cgroup").rsplit(":", 1)[1].strip()
    pids = run("pgrep", *app["workers"].split()).split()

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
        probes.append(probe(app, backend))
        # A page of an app may cost more than /healthz: it is asked four times.
        time.sleep(SECONDS / (SAMPLES if app["contract"] else 4))
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
        "unready": readiness(app, backend) if app["contract"] else None,
        "throttled": (after["seconds"] - before["seconds"]) / seconds,
        "quota": after.get("quota"),
        "oomKills": len(journal(app["unit"], "killed by the OOM killer")),
    }
    if os.path.exists(folder + "/memory.max"):  # without a memory controller there is no limit either
        limit = read(folder + "/memory.max").strip()
        of = dict(line.split() for line in read(folder + "/memory.stat").splitlines())
        result["memory"] = {"used": int(of["anon"]), "limit": int(limit) if limit != "max" else None}
    return result


def services():
    return at_once(service, {app["name"]: app for app in asked["apps"] if asked["name"] in dict(app["backends"])})


def redis():
    return at_once(redis_server, {server["unit"]: server for server in asked["redis"]})


def journal(name, words):
    """The lines of a unit in the window that have these words."""
    return run("journalctl", "-u", name, f"--since=-{asked['window']}s", "-o", "cat", "-q", "-g", words).splitlines()


def redis_server(server):
    cli = server["cli"].split()
    said = run(*cli, "info", "persistence", "replication", "memory", timeout=3).replace("\r", "")
    of = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    wanted = ("loading", "aof_enabled", "aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
    folder = run(*cli, "config", "get", "dir", timeout=3).split("\n")[-1] or server["folder"]
    append_only = folder + "/appendonlydir"
    # Its words when it started last, and systemd of it. Redis warns of much that hinders nothing.
    lines = run("journalctl", "-u", server["unit"], "-n", "60", "-o", "cat").splitlines() if of.get("loading") != "0" else []
    last = [re.sub(r"^\d+:\w [^#*]*([#*]) ", r"\1 ", line) for line in lines]
    memory = None
    if "maxmemory" in of:
        evicts = of["maxmemory_policy"] != "noeviction"
        memory = {"used": int(of["used_memory"]), "limit": int(of["maxmemory"]), "evicts": evicts}
    return {
        "unit": unit(server["unit"]),
        "answers": bool(of),
        "persistence": {key: of[key] for key in wanted if key in of},
        "folder": folder,
        "writeErrors": len(journal(server["unit"], "AOF write error")),
        "words": list(dict.fromkeys(line.removeprefix("# ") for line in last if re.search(UNREADABLE, line)))[-3:],
        "files": sorted(os.listdir(append_only)) if os.path.isdir(append_only) else [],
        "replicaOf": f"{of['master_host']}:{of['master_port']}" if of.get("role") == "slave" else None,
        "memory": memory,
    }


SESSIONS = f"""SELECT coalesce(jsonb_agg(s), '[]') FROM (
  SELECT pid, application_name AS app, usename AS role, state, extract(epoch FROM clock_timestamp() - query_start) AS seconds,
    wait_event_type AS wait, wait_event AS event, left(regexp_replace(query, '\\s+', ' ', 'g'), 80) AS query,
    CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{{}}' END AS by
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) s
\\watch i={SECONDS / SAMPLES} c={SAMPLES}
"""
LIMITS = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int;\n"


def refused_logins(role):
    """What PostgreSQL said to a role in the window instead of letting it in, how often, and when for the last time."""
    said = run("journalctl", "-u", "postgresql@*", f"--since=-{asked['window']}s", "-o", "short-unix", "-g", f"^{role}@{role} FATAL: ")
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
    sessions = collections.Counter((each["app"], each["role"], each["state"] or "none") for each in samples[-1]) if samples else {}
    return {
        "unit": server,
        "most": int(query.stdout.split("\n", 1)[0]),
        "sessions": [{"app": app, "role": role, "state": state, "count": count} for (app, role, state), count in sessions.items()],
        "samples": len(samples),
        "roles": {role: {"refused": refused_logins(role), **statements(role, samples)} for role in asked["roles"]},
    }


def statements(role, samples):
    """The samples in which a statement of a role ran long or waited for a lock, and the sessions that held the lock."""
    held = collections.Counter()
    blockers = {}
    long = waiting = 0
    longest = {"seconds": 0}
    for sample in samples:
        by_pid = {each["pid"]: each for each in sample}
        active = [each for each in sample if each["role"] == role and each["state"] == "active"]
        slow = [each for each in active if (each["seconds"] or 0) >= asked["slow"]]
        long += bool(slow)
        longest = max([longest, *slow], key=lambda each: each["seconds"])
        locked = [each for each in active if each["wait"] == "Lock"]
        waiting += bool(locked)
        for pid in {pid for each in locked for pid in each["by"]}:
            if pid in by_pid and by_pid[pid]["wait"] != "Lock":  # a session that waits itself only stands in the queue
                held[pid] += 1
                blockers[pid] = by_pid[pid]
    return {
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


def summary(lines):
    """How many requests these lines of nginx' log are, how many failed, and below how many seconds 95 % of them stayed."""
    times = sorted(of["seconds"] for of in lines)
    failed = sum(of["status"] >= 500 for of in lines)
    return {"requests": len(lines), "failed": failed, "p95": times[int(len(times) * 0.95)] if times else None}


def balancer():
    nginx = unit("nginx")
    names = {f"{address}:{app['port']}": (app["name"], name) for app in asked["apps"] for name, address in app["backends"]}
    workers = run("pgrep", "-P", str(nginx["pid"])).split() if nginx["pid"] else []
    # The newest worker is as old as the configuration in use.
    ages = [int(run("ps", "-o", "etimes=", "-p", pid) or 0) for pid in workers]
    time.sleep(SECONDS)
    now = time.time()
    configured = now - min(ages, default=0) + 1 - SECONDS
    peers = {at: {"tries": 0, "answers": 0, "timeouts": 0, "errors": 0, "lastTimeout": None} for at in names}
    lines = collections.defaultdict(list)
    for line in tail("/var/log/nginx/access.log", 8_000_000):
        try:
            of = json.loads(line)
            at = of.get("ended") or epoch(of["time"])
        except (ValueError, KeyError):
            continue
        tries = list(zip(re.split(", | : ", of["upstream"]), re.split(", | : ", of["upstream_status"])))
        tries = [(peer, status) for peer, status in tries if peer in names]
        if at < now - asked["window"] or not tries:
            continue
        lines[names[tries[0][0]][0]].append(of)
        for peer, status in tries:
            peer = peers[peer]
            peer["tries"] += 1
            if status == "504":
                peer["timeouts"] += 1
                peer["lastTimeout"] = at
            elif status == "502":
                peer["errors"] += 1
            elif at > configured:
                peer["answers"] += 1
    weights = dict(re.findall(r"server ([\d.]+:\d+) [^;]*weight=(\d+)", read("/etc/nginx/nginx.conf")))
    drained = read("/var/lib/halo-cluster/drained").split() if os.path.exists("/var/lib/halo-cluster/drained") else []

    def traffic(app):
        at = {name: f"{address}:{app['port']}" for name, address in app["backends"]}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            probes = {backend[0]: pool.map(probe, [app] * 3, [backend] * 3) for backend in app["backends"]}
            probes = {name: list(each) for name, each in probes.items()}
        return {
            **summary(lines.get(app["name"], [])),
            "peers": {name: peers[peer] for name, peer in at.items()},
            "probes": probes,
            "weights": {name: int(weights[peer]) for name, peer in at.items() if peer in weights},
        }

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        apps = dict(zip([app["name"] for app in asked["apps"]], pool.map(traffic, asked["apps"])))
    everything = summary([of for some in lines.values() for of in some])
    return {"unit": nginx, "drained": drained, **everything, "apps": apps}


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
    futures = {name: pool.submit(attempt, part) for name, part in parts.items()}
    result = {name: future.result() for name, future in futures.items()}
print(json.dumps({"at": time.time(), **result}))
