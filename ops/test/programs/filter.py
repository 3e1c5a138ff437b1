"""Calls a filter of Ansible's: the folder of the plugins, its file and its name are arguments, its own arguments are JSON on stdin:
a list, or with `each` behind the name a list of such lists, one for each call."""
import importlib
import json
import sys

folder, module, name, *each = sys.argv[1:]
sys.path.insert(0, folder)
sys.dont_write_bytecode = True
call = importlib.import_module(module).FilterModule().filters()[name]
given = json.load(sys.stdin)
print(json.dumps([call(*arguments) for arguments in given] if each else call(*given)))
