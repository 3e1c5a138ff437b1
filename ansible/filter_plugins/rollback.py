"""The filter that finds the releases to which a rollback can go."""

import os.path


def rollback_candidates(backends, balancers, releases, folder):
    """The ids of an app's releases, in that folder of the hosts, that every backend has and none has marked as failed. backends and balancers
    are lists of host facts. A balancer without a release gets its web files from the controller's folder, so the file has to be in it."""

    def every(hosts, path):
        return all(path in host for host in hosts)

    paths = [path for path in backends[0] if path.startswith(releases + "/") and not path.endswith(".failed") and every(backends, path)]
    return [
        os.path.basename(path)
        for path in paths
        if not any(path + ".failed" in host for host in backends)
        and (every(balancers, path) or os.path.isfile(os.path.join(folder, os.path.basename(path) + ".tar.gz")))
    ]


class FilterModule:
    def filters(self):
        return {"rollback_candidates": rollback_candidates}
