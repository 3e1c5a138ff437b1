"""Joins the roles' parts (JSON on stdin) by the plugin in a folder, which is the argument, and prints the whole as JSON."""
import importlib
import json
import sys

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
services = importlib.import_module("services")
whole = {}
for part in json.load(sys.stdin):
    services.join(whole, part, "the file")
print(json.dumps(whole))
