"""Prints the state of apps on this host, a line for each: NAME RELEASE STATUS MEMORY LIMIT, with - for an unknown part. STATUS is the HTTP status
at the health path, 0 without an answer; MEMORY and LIMIT are bytes. By root: state.py ADDRESS NAME PORT PATH DOMAIN ...
A static app has the port 0: its pages have no status and no memory.
"""

import concurrent.futures, http.client, os, re, subprocess, sys

SECONDS = 3  # for an answer


def first_line(path):
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return ""


def shown(unit, name):
    return subprocess.run(["systemctl", "show", "--value", f"--property={name}", unit], capture_output=True, text=True).stdout.strip()


def status(address, port, path, domain):
    connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": domain})
        return connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def group(unit):
    """The folder of the unit's control group, "" where it does not run. In a container its path may begin with folders outside that are not visible."""
    try:
        with open(f"/proc/{shown(unit, 'MainPID')}/cgroup") as file:
            path = re.search(r"^0::/(.+)$", file.read(), re.MULTILINE)
    except OSError:
        path = None
    parts = path[1].split("/") if path else []
    folders = ["/".join(["/sys/fs/cgroup", *parts[i:]]) for i in range(len(parts))]
    return next((folder for folder in folders if os.path.isdir(folder)), "")


def anonymous(pid):
    """Bytes of a process that no file has; 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/status") as file:
            held = re.search(r"^RssAnon:\s+(\d+) kB$", file.read(), re.MULTILINE)
    except OSError:
        held = None
    return int(held[1]) * 1024 if held else 0


def memory(unit):
    """The memory that its processes hold, and the most that they may hold. Not memory.stat: a container may have no controller of memory."""
    try:
        with open(f"{group(unit)}/cgroup.procs") as file:
            held = str(sum(map(anonymous, file.read().split())))
    except OSError:
        held = "-"
    limit = shown(unit, "MemoryMax")
    return held, limit if limit.isdigit() else "-"


def state(address, name, port, path, domain):
    if port == "0":
        pages = f"/var/www/halo/{name}/current"
        release = os.readlink(pages).split("/")[6] if os.path.islink(pages) else ""
        return name, release or "-", "-", "-", "-"
    release = first_line(f"/opt/halo/apps/{name}/current/RELEASE")
    return name, release or "-", str(status(address, int(port), path, domain)), *memory(f"halo@{name}")


address, *words = sys.argv[1:]
apps = [words[i : i + 4] for i in range(0, len(words), 4)]
with concurrent.futures.ThreadPoolExecutor() as pool:
    for line in pool.map(lambda app: state(address, *app), apps):
        print(*line)
