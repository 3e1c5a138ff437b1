"""Variables that the roles make together: each role gives its part in meta/service.yml, and every host has the whole.

A part is a dictionary of variables. A variable that is a dictionary in several roles becomes one with the entries of all; one that is
a list becomes one list. Nothing can be given twice, so no role changes another's. The apps of group_vars/all/apps.yml give a part as well
(filter_plugins/apps.py): an expression could compute a value, but no key.
"""

import glob
import importlib.util
import inspect
import os

from ansible.errors import AnsibleParserError
from ansible.inventory.group import Group
from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = r"""
name: services
short_description: Variables that the roles make together
description:
  - Gives the group all the variables of each C(roles/ROLE/meta/service.yml), and those of the apps. Dictionaries and lists of the same name are joined.
options: {}
"""

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROLES = os.path.join(HERE, "roles")
APPS = os.path.join(HERE, "group_vars/all/apps.yml")

# Ansible asks several times for each task and host.
WHOLE = {}


def join(whole, part, file):
    """Adds a role's part to the whole."""
    for name, value in part.items():
        if isinstance(value, list):
            whole[name] = [*whole.get(name, []), *value]
            continue
        for key, entry in value.items():
            if key in whole.setdefault(name, {}):
                raise AnsibleParserError(f"{file}: {name} has {key} from another role already. Fix: give it another name there")
            whole[name][key] = entry


def of_apps(apps, whole):
    """The part of the apps, without the names that a role has: parts/check_inventory.yml reports those."""
    if not isinstance(apps, dict):
        return {}
    taken = {*whole["firewall_services"], *whole["service_logs"]}
    spec = importlib.util.spec_from_file_location("halo_apps", os.path.join(HERE, "filter_plugins/apps.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app_services({name: app for name, app in apps.items() if name not in taken})


class VarsModule(BaseVarsPlugin):
    def get_vars(self, loader, path, entities, cache=True):
        super().get_vars(loader, path, entities)
        if not any(isinstance(entity, Group) and entity.name == "all" for entity in entities):
            return {}
        if not WHOLE:
            # Ansible core 2.19 renders only the templates of files that are trusted.
            trust = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(loader.load_from_file).parameters else {}
            for file in sorted(glob.glob(os.path.join(glob.escape(ROLES), "*/meta/service.yml"))):
                join(WHOLE, loader.load_from_file(file, **trust), file)
            if os.path.exists(APPS):
                join(WHOLE, of_apps((loader.load_from_file(APPS) or {}).get("apps"), WHOLE), APPS)
        return WHOLE
