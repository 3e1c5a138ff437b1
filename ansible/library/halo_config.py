#!/usr/bin/python3
"""Ansible module: files that belong together, validated together, and the units that read them."""

DOCUMENTATION = r"""
module: halo_config
short_description: Files that belong together, validated together, and the units that read them
description:
  - Writes a set of files, but only when all of them pass the validation. Then restarts or reloads the units that read a changed file.
  - One call instead of a task for each file and unit, because a module call costs 2 to 4 s on an emulated VM.
  - Each file and folder gets its mode with every umask of the host.
  - A unit that has not read its files since they were written is restarted or reloaded as well. Another run was cut short then.
  - A run that is cut short after it has written leaves a note in O(runtime_dir). The next run restarts the units that the note names.
  - In check mode it validates as well, in a temporary folder, and changes nothing.
options:
  files:
    description: The files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is, absolute. A missing folder is made, mode 0755.
        type: path
        required: true
      content:
        description: The whole text. This or O(files[].secret).
        type: raw
      secret:
        description: The whole text of a file that holds a secret. No output shows it.
        type: str
      hide:
        description: A regular expression. A difference of a file with O(files[].secret) is shown with asterisks for each match; without it nothing of the text is shown.
        type: str
      mode:
        description: Octal mode, as a quoted string.
        type: str
        default: "0644"
      owner:
        description: Name of the user that it belongs to.
        type: str
        default: root
      group:
        description: Name of the group that it belongs to.
        type: str
        default: root
      restart:
        description: Units that are restarted when it changes.
        type: list
        elements: str
        default: []
      reload:
        description: Units that are reloaded when it changes.
        type: list
        elements: str
        default: []
      restart_unit:
        description: Whether a file in C(UNIT.service.d) restarts UNIT when it changes. Without it UNIT reads the file at its next start.
        type: bool
        default: true
  folders:
    description: Folders that are made, or put right. A file that goes or a new mode counts as a change of the folder.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is, absolute.
        type: path
        required: true
      only:
        description: A shell pattern. Files in the folder whose name matches it are removed unless they are among O(files). The diff has the text of files that all may read.
        type: str
      mode:
        description: Octal mode, as a quoted string.
        type: str
        default: "0755"
      owner:
        description: Name of the user that it belongs to.
        type: str
        default: root
      group:
        description: Name of the group that it belongs to.
        type: str
        default: root
      restart:
        description: Units that are restarted when it changes.
        type: list
        elements: str
        default: []
      reload:
        description: Units that are reloaded when it changes.
        type: list
        elements: str
        default: []
  validate:
    description: Commands that have to succeed before anything is put in place. C(%s) is a folder that has all of O(files) at their paths.
    type: list
    elements: list
    default: []
  running:
    description: Units that are enabled and running afterwards. Only these are restarted or reloaded; others are noted for the call that has them here.
    type: list
    elements: str
    default: []
  stopped:
    description: Units that are disabled and stopped afterwards. One that is not installed is left alone.
    type: list
    elements: str
    default: []
  runtime_dir:
    description: Where files are staged and the note is kept. It has to be empty after a reboot, which restarts all units.
    type: path
    default: /run
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: Halo
"""

EXAMPLES = r"""
- name: Configure Prometheus
  halo_config:
    files:
      - path: /etc/prometheus/prometheus.yml
        content: "{{ lookup('ansible.builtin.template', 'prometheus.yml.j2') }}"
        reload: [prometheus]
      - path: /etc/prometheus/web.yml
        secret: "{{ lookup('ansible.builtin.template', 'web.yml.j2') }}"
        group: prometheus
        mode: "0640"
        restart: [prometheus]
    validate:
      - [promtool, check, config, "%s/etc/prometheus/prometheus.yml"]
    running: [prometheus]
"""

RETURN = r"""
written:
  description: Paths of the files that were written, or in check mode would be.
  type: list
  returned: success
removed:
  description: Paths of the files that were removed.
  type: list
  returned: success
folders:
  description: Paths of the folders that were made or put right.
  type: list
  returned: success
units:
  description: Each unit that was changed, and the action (stop, enable, start, restart or reload).
  type: dict
  returned: success
"""

import fnmatch
import grp
import json
import os
import pwd
import re
import shutil
import tempfile
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

COMMON = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "restart": {"type": "list", "elements": "str", "default": []},
    "reload": {"type": "list", "elements": "str", "default": []},
}
FILE = {
    **COMMON,
    # Not str: a JSON text that a template has turned into a structure would silently become Python's notation of it.
    "content": {"type": "raw"},
    "secret": {"type": "str", "no_log": True},
    "hide": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "restart_unit": {"type": "bool", "default": True},
}
FOLDER = {**COMMON, "only": {"type": "str"}, "mode": {"type": "str", "default": "0755"}}
ARGUMENTS = {
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "required_one_of": [("content", "secret")],
        "mutually_exclusive": [("content", "secret")],
        "required_by": {"hide": "secret"},
    },
    "folders": {"type": "list", "elements": "dict", "default": [], "options": FOLDER},
    "validate": {"type": "list", "elements": "list", "default": []},
    "running": {"type": "list", "elements": "str", "default": []},
    "stopped": {"type": "list", "elements": "str", "default": []},
    "runtime_dir": {"type": "path", "default": "/run"},
}


class Module(AnsibleModule):
    def _log_invocation(self):
        """Logs nothing: whole files are no line of a host's journal."""


class Config:
    def __init__(self, module):
        self.module = module
        self.check = module.check_mode
        self.runtime = module.params["runtime_dir"]
        self.pending = os.path.join(self.runtime, "halo-config.json")
        self.result = {"changed": False, "written": [], "removed": [], "folders": [], "units": {}}
        self.files = {file["path"]: self.with_text(file) for file in module.params["files"]}
        self.folders = {os.path.normpath(folder["path"]): folder for folder in module.params["folders"]}
        self.diff = []

    def with_text(self, file):
        text = file["content"] if file["secret"] is None else file["secret"]
        if not isinstance(text, str):
            self.fail(
                f"{file['path']}: its content is a {type(text).__name__}, not text. Fix: let the task's expression end in "
                "'| string', so that Ansible does not read a structure from it, then run the playbook again"
            )
        return {**file, "text": text.encode("utf-8", "surrogateescape")}

    def fail(self, reason):
        self.module.fail_json(msg=reason, **self.result)

    def ids(self, item):
        """The numbers of its owner and group. In check mode the package that brings them may not be installed yet: None."""
        try:
            return pwd.getpwnam(item["owner"]).pw_uid, grp.getgrnam(item["group"]).gr_gid
        except KeyError as error:
            if self.check:
                return None
            return self.fail(f"{item['path']}: {error.args[0]} on this host. Fix: install its package, or name another owner or group")

    # The present state, and how it differs

    @staticmethod
    def attributes(path):
        """Mode, owner and group as strings; empty where nothing exists."""
        try:
            state = os.lstat(path)
        except FileNotFoundError:
            return {}
        return {"mode": f"{state.st_mode & 0o7777:04o}", "owner": state.st_uid, "group": state.st_gid, "type": state.st_mode & 0o170000}

    def wanted(self, item, kind):
        owner, group = self.ids(item) or (item["owner"], item["group"])
        return {"mode": f"{int(item['mode'], 8):04o}", "owner": owner, "group": group, "type": kind}

    def differs(self, item, kind):
        """Whether path, kind, mode and owner are not as wanted; where something exists, the difference is noted."""
        before, after = self.attributes(item["path"]), self.wanted(item, kind)
        if before == after:
            return False
        if before:
            keys = [key for key in after if before[key] != after[key]]
            header = f"{item['path']} (attributes)"
            texts = ["".join(f"{key}: {state[key]}\n" for key in keys) for state in (before, after)]
            self.diff.append({"before_header": header, "after_header": header, "before": texts[0], "after": texts[1]})
        elif kind == 0o040000:
            self.diff.append({"before_header": item["path"], "after_header": item["path"], "before": "", "after": f"folder, mode {after['mode']}\n"})
        return True

    @staticmethod
    def read(path):
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError:
            return b""

    def note(self, path, before, after, file=None):
        """Adds the difference of a text. Secrets in it are not shown, neither the old nor the new."""
        if before == after:
            return
        texts = [(text or b"").decode("utf-8", "replace") for text in (before, after)]
        secret = file is not None and file["secret"] is not None
        if secret:
            texts = [re.sub(file["hide"], "********", text) if file["hide"] else "********\n" for text in texts]
        if secret and texts[0] == texts[1]:
            self.diff.append({"prepared": f"{path}: only secret parts of it differ\n"})
            return
        headers = {"before_header": path if before is not None else "/dev/null", "after_header": path if after is not None else "/dev/null"}
        self.diff.append({"before": texts[0], "after": texts[1], **headers})

    # Changes

    def put(self, file, below=""):
        path = below + file["path"]
        self.make_parents(os.path.dirname(path))
        # Closed until all of it is as it should be; on the same file system, so that a rename puts it in place.
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as new:
            new.write(file["text"])
            ids = self.ids(file)
            if ids:
                os.fchown(new.fileno(), *ids)
            os.fchmod(new.fileno(), int(file["mode"], 8))
            if not below:
                new.flush()
                os.fsync(new.fileno())
        os.replace(path + ".new", path)

    def make_parents(self, folder):
        if folder and not os.path.isdir(folder):
            self.make_parents(os.path.dirname(folder))
            os.mkdir(folder)
            os.chmod(folder, 0o755)  # mkdir's own argument is cut by the umask

    def make(self, folder):
        self.make_parents(folder["path"])
        os.chown(folder["path"], *self.ids(folder))
        os.chmod(folder["path"], int(folder["mode"], 8))

    def run(self, *command, refuse=True):
        try:
            code, output, errors = self.module.run_command(
                list(command), handle_exceptions=False, expand_user_and_vars=False, environ_update={"LC_ALL": "C"}
            )
        except OSError as error:
            code, output, errors = 127, "", str(error)
        if code and refuse:
            self.fail(f"{' '.join(command)}: {(output + errors).strip()}. Fix: see journalctl -u {command[-1]} on the host, then run the playbook again")
        return code, output + errors

    def validate(self):
        """All files at once, below a folder that is gone afterwards."""
        staged = tempfile.mkdtemp(prefix="halo-config.", dir=self.runtime)
        try:
            for file in self.files.values():
                self.put(file, staged)
            for command in self.module.params["validate"]:
                if self.check and not shutil.which(command[0]):
                    self.module.warn(f"{command[0]} is not installed yet: the files are not validated")
                    continue
                code, output = self.run(*[word.replace("%s", staged) for word in command], refuse=False)
                if code:
                    self.fail(
                        f"{output.replace(staged, '').strip()}\n{command[0]} refuses the new files, and the old ones stay. "
                        "Fix: correct the template or the variable that the lines above name, then run the playbook again"
                    )
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    # Units that still need a restart or a reload, from this run and from interrupted runs

    def load_pending(self):
        try:
            with open(self.pending, encoding="utf-8") as file:
                left = json.load(file)
            return {how: [str(unit) for unit in left[how]] for how in ("restart", "reload")}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {"restart": [], "reload": []}

    def save_pending(self, left):
        if any(left.values()):
            with open(self.pending + ".new", "w", encoding="utf-8") as file:
                json.dump(left, file)
            os.replace(self.pending + ".new", self.pending)
        elif os.path.exists(self.pending):
            os.remove(self.pending)

    def act(self, how, *units):
        for unit in units:
            self.result["units"][unit] = how

    def states(self, units):
        if not units:
            return {}
        output = self.run("systemctl", "show", "--timestamp=us+utc", "--property=UnitFileState,ActiveState,StateChangeTimestamp", *units)[1]
        blocks = output.strip().split("\n\n")
        return {unit: dict(line.split("=", 1) for line in block.splitlines()) for unit, block in zip(units, blocks)}

    @staticmethod
    def units(item, how):
        """The units that are to restart or to reload when this file or folder changes."""
        unit = re.search(r"/systemd/system/([^/]+)[.]service[.]d/", item["path"])
        return item[how] + ([unit[1]] if unit and how == "restart" and item.get("restart_unit") else [])

    def add_unread(self, left, states):
        """Adds the active units whose files are newer than their last change of state, which a reload is as well."""
        for unit, state in states.items():
            try:
                changed = datetime.strptime(state.get("StateChangeTimestamp", ""), "%a %Y-%m-%d %H:%M:%S.%f %Z").replace(tzinfo=timezone.utc).timestamp()
            except ValueError:
                continue  # it has never been in another state
            for how, waiting in left.items():
                files = [path for path, file in self.files.items() if unit in self.units(file, how)]
                # A rename, as of a file that is put in place, is a new ctime.
                if unit not in waiting and any(os.stat(path).st_ctime > changed for path in files if os.path.exists(path)):
                    waiting.append(unit)

    def serve(self, left):
        """Stops, enables, starts, restarts and reloads; returns the units that are left to another call."""
        running, stopped = self.module.params["running"], self.module.params["stopped"]
        state = self.states(running + stopped)
        self.add_unread(left, {unit: state[unit] for unit in running})
        if left["restart"] and not self.check:
            self.run("systemctl", "daemon-reload")
        off = [unit for unit in stopped if state[unit]["UnitFileState"] == "enabled" or state[unit]["ActiveState"] == "active"]
        # A static unit needs nobody to enable it.
        on = [unit for unit in running if state[unit]["UnitFileState"] not in ("enabled", "static")]
        for how, units in (("stop", off), ("enable", on)):
            self.act(how, *units)
            if units and not self.check:
                self.run("systemctl", *{"stop": ["disable", "--now"], "enable": ["enable"]}[how], "--quiet", *units)
        for unit in running:
            active = state[unit]["ActiveState"] == "active"
            how = "restart" if unit in left["restart"] else "start" if not active else "reload" if unit in left["reload"] else ""
            if how:
                self.act(how, unit)
                if not self.check:
                    self.run("systemctl", how, unit)
        return {how: [unit for unit in units if unit not in running + stopped] for how, units in left.items()}

    def apply(self):
        left = self.load_pending()

        def changed(item):
            for how in left:
                left[how] += [unit for unit in self.units(item, how) if unit not in left[how]]

        folders = [path for path, folder in self.folders.items() if self.differs(folder, 0o040000)]
        written = []
        for path, file in self.files.items():
            before = self.read(path)
            different = self.differs(file, 0o100000)
            if different or before != file["text"]:
                written.append(path)
                self.note(path, before, file["text"], file)
        removed = []
        for path, folder in self.folders.items():
            if folder["only"] and os.path.isdir(path):
                found = [os.path.join(path, name) for name in sorted(fnmatch.filter(os.listdir(path), folder["only"]))]
                gone = [each for each in found if each not in self.files and not os.path.isdir(each)]
                removed += gone
                for each in gone:
                    # A file that is closed to others may hold a secret.
                    if os.lstat(each).st_mode & 0o004:
                        self.note(each, self.read(each), None)
                    else:
                        self.diff.append({"prepared": f"{each}: removed\n"})
                if gone:
                    changed(folder)
        for path in folders:
            changed(self.folders[path])
        for path in written:
            changed(self.files[path])

        if written or removed:
            self.validate()
        if not self.check and (folders or written or removed):
            # From here on a run that is cut short leaves files that nobody has read yet.
            self.save_pending(left)
            for path in folders:
                self.make(self.folders[path])
            for path in written:
                self.put(self.files[path])
            for path in removed:
                os.remove(path)
        self.result.update(written=written, removed=removed, folders=folders)
        rest = self.serve(left)
        if not self.check:
            self.save_pending(rest)
        units = self.result["units"]
        if units:
            self.diff.append({"prepared": "".join(f"{how} {unit}\n" for unit, how in units.items())})
        self.result["changed"] = bool(folders or written or removed or units)


def main():
    module = Module(argument_spec=ARGUMENTS, supports_check_mode=True)
    config = Config(module)
    try:
        config.apply()
    except OSError as error:
        config.fail(f"{error}. Fix: put that right on the host, then run the playbook again")
    module.exit_json(diff=config.diff if module._diff else [], **config.result)


if __name__ == "__main__":
    main()
