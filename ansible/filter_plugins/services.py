"""The filter that finds a host's part of the variables that the roles make together (group_vars/all/services.yml)."""


def on_groups(entries, groups):
    """The entries of a dictionary that are for a host of these groups. An entry is the list of its groups, or has it as `hosts`."""
    here = {"all", *groups}
    return {name: entry for name, entry in entries.items() if here & set(entry["hosts"] if isinstance(entry, dict) else entry)}


class FilterModule:
    def filters(self):
        return {"on_groups": on_groups}
