"""Calls a filter of Ansible's once for each list of arguments, all of them JSON on stdin: the folder of the plugins, its file and its name are
the arguments."""
import importlib
import json
import sys

folder, module, name = sys.argv[1:]
sys.path.insert(0, folder)
sys.dont_write_bytecode = True
filters = importlib.import_module(module).FilterModule().filters()
print(json.dumps([filters[name](*each) for each in json.load(sys.stdin)]))
