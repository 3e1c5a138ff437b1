"""Calls a filter of Ansible's: the folder of the plugins, its file and its name are arguments, its own arguments are JSON on stdin."""
import importlib
import json
import sys

folder, module, name = sys.argv[1:]
sys.path.insert(0, folder)
sys.dont_write_bytecode = True
filters = importlib.import_module(module).FilterModule().filters()
print(json.dumps(filters[name](*json.load(sys.stdin))))
