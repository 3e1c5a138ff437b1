"""Puts files in place and brings the services that read them into service; prints a line for what it changed.

One call instead of a task for each file and service: on an emulated VM a module call costs 2 to 4 s. Standard input, JSON:
  files   {path: {text, mode: "0644", group: "root", restart: [units that read it], reload: [the same]}};
          one in /etc/systemd/system/UNIT.service.d restarts UNIT
  only    {folder: pattern}: of such files nothing else is in it
  checks  [command]: what has to succeed before anything new is put in place; {} is a folder with the new files at their paths
  units   [name]: enabled and running
  off     [name]: neither, where they are installed
"""

import glob, grp, json, os, shutil, subprocess, sys

wanted = json.load(sys.stdin)
staged = "/run/halo-settle"
pending = "/run/halo-settle.json"  # what a run that was cut short has left to restart


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout.strip()


def must(*command):
    code, output = run(*command)
    if code != 0:
        sys.exit(f"{' '.join(command)}: {output}")


def states(units):
    """{unit: its properties}, asked in one call."""
    answer = subprocess.run(["systemctl", "show", "--property=UnitFileState,ActiveState", *units], stdout=subprocess.PIPE, text=True, check=True)
    blocks = answer.stdout.strip().split("\n\n")
    return {unit: dict(line.split("=", 1) for line in block.splitlines()) for unit, block in zip(units, blocks)}


def write(path, file, below=""):
    os.makedirs(os.path.dirname(below + path), exist_ok=True)
    descriptor = os.open(below + path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as new:
        new.write(file["text"])
        os.fchown(new.fileno(), 0, grp.getgrnam(file.get("group", "root")).gr_gid)
        os.fchmod(new.fileno(), int(file.get("mode", "0644"), 8))
    os.replace(below + path + ".new", below + path)


def same(path, file):
    try:
        state = os.stat(path)
        with open(path) as old:
            return (
                old.read() == file["text"]
                and state.st_mode & 0o7777 == int(file.get("mode", "0644"), 8)
                and state.st_gid == grp.getgrnam(file.get("group", "root")).gr_gid
            )
    except FileNotFoundError:
        return False


files = wanted.get("files", {})
new = [path for path in files if not same(path, files[path])]
old = [path for folder, pattern in wanted.get("only", {}).items() for path in glob.glob(f"{folder}/{pattern}") if path not in files]
# What a file that goes was read by: those that read its neighbours.
readers = {path: next((files[each] for each in files if os.path.dirname(each) == os.path.dirname(path)), {}) for path in old}

try:
    with open(pending) as file:
        left = json.load(file)
except FileNotFoundError:
    left = {"restart": [], "reload": []}
for path in new + old:
    for how in left:
        left[how] += {**readers, **files}[path].get(how, [])
    if path.startswith("/etc/systemd/system/"):
        left["restart"].append(path.split("/")[4].removesuffix(".d").removesuffix(".service"))

if new or old:
    shutil.rmtree(staged, ignore_errors=True)
    os.makedirs(staged, 0o755)
    try:
        for path in files:
            write(path, files[path], staged)
        for check in wanted.get("checks", []):
            code, output = run(*[word.replace("{}", staged) for word in check])
            if code != 0:
                sys.exit(output.replace(staged, ""))
    finally:
        shutil.rmtree(staged)
    with open(pending, "w") as file:
        json.dump(left, file)
    for path in new:
        write(path, files[path])
        print("wrote", path)
    for path in old:
        os.remove(path)
        print("removed", path)
if left["restart"]:
    must("systemctl", "daemon-reload")

units, off = wanted.get("units", []), wanted.get("off", [])
state = states(units + off)
off = [unit for unit in off if state[unit]["UnitFileState"] == "enabled" or state[unit]["ActiveState"] == "active"]
if off:
    must("systemctl", "disable", "--now", "--quiet", *off)
    print("stopped", *off)
on = [unit for unit in units if state[unit]["UnitFileState"] != "enabled"]
if on:
    must("systemctl", "enable", "--quiet", *on)
for unit in units:
    if unit in left["restart"]:
        how = "restart"
    elif state[unit]["ActiveState"] != "active":
        how = "start"
    else:
        how = "reload" if unit in left["reload"] else ""
    if how:
        must("systemctl", how, unit)
        print(how, unit)
# What is another call's to restart stays.
left = {how: [unit for unit in left[how] if unit not in units + wanted.get("off", [])] for how in left}
if any(left.values()):
    with open(pending, "w") as file:
        json.dump(left, file)
elif os.path.exists(pending):
    os.remove(pending)
