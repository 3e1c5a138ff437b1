"""The filters for the apps of group_vars/all/apps.yml: here alone are their keys, their defaults, and the problems that they may have."""

import glob
import os
import re
import zlib
from itertools import combinations

ROLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "roles")

NAME = re.compile(r"[a-z][a-z0-9-]{0,20}\Z")
PATH = re.compile(r"(?![/-])[A-Za-z0-9._/-]+\Z")
DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
KEYS = ["source", "start", "port", "workers", "health", "migrate", "redis", "postgres", "domains"]

# Of an app's ten ports: the service's, then the first that a candidate tries, then a worker's metrics each.
PORTS = 10
CANDIDATE = 1
METRICS = 2
MOST_WORKERS = PORTS - METRICS

# halo-release has a verb before the app's name in this case alone.
VERBS = {"runtime"}


def app_problems(apps, groups, hostvars, sites):
    """Messages, an empty list where nothing is wrong. groups and hostvars are Ansible's own, sites as in group_vars."""
    if apps in (None, {}):
        return []
    if not isinstance(apps, dict):
        return ["apps.yml: apps has to be a map from a name to the app's keys"]
    found = []
    for name, app in apps.items():
        found += [f"apps.yml: {name}: {problem}" for problem in [*of_name(name, groups), *of_app(app)]]
    return found + [f"apps.yml: {problem}" for problem in between_apps(apps, groups, sites if isinstance(sites, list) else [])]


def of_name(name, groups):
    if not NAME.match(str(name)):
        yield "a name is a small letter, then at most 20 small letters, digits and dashes"
    if name in taken() | VERBS:
        yield "Halo has something of that name itself (firewall_services, service_logs); choose another one"
    if name in groups.get("all", []):
        yield "a host has that name, and commands take either; choose another one"


def of_app(app):
    """The problems of one app, to be read behind its name."""
    if not isinstance(app, dict):
        yield f"it has to have keys such as source; it is {app or 'empty'}"
        return
    for key in app:
        if key not in KEYS:
            yield f"unknown key {key}; an app's keys are {', '.join(KEYS)}"
    if not isinstance(app.get("source"), str) or not app["source"].strip():
        yield "it needs source: a folder, . for this one"
    if not is_path(app.get("start")):
        yield f"start is the path of a program in a release, of letters, digits, and ._-/; it is {app.get('start') or 'missing'}"
    if "port" in app and not is_number(app["port"], 1024, 65536 - PORTS):
        yield f"port is a number from 1024 to {65536 - PORTS}; it is {app['port']}"
    if "workers" in app and not is_number(app["workers"], 1, MOST_WORKERS):
        yield f"workers is a number from 1 to {MOST_WORKERS}; it is {app['workers']}"
    if app.get("health", "version") != "version":
        yield f"health is version; it is {app['health']}"
    migrate = app.get("migrate")
    if migrate is not None and not (isinstance(migrate, dict) and list(migrate) == ["sql"] and is_path(migrate["sql"])):
        yield f"migrate is {{sql: FOLDER}}, a folder of its source; it is {migrate}"
    for key in ("redis", "postgres"):
        if app.get(key, "shared") != "shared":
            yield f"{key} is shared, or left out; it is {app[key]}"
    if migrate is not None and "postgres" not in app:
        yield "migrate needs postgres"
    if not isinstance(app.get("domains", []), list):
        yield f"domains is a list of host names; it is {app['domains']}"
        return
    for domain in app.get("domains", []):
        if not DOMAIN.match(str(domain)):
            yield f"a domain is a host name in small letters; it is {domain}"


def between_apps(apps, groups, sites):
    """The problems of apps that claim the same, and of ports that something else has."""
    plans = app_plans(apps, groups)
    for one, other in combinations(plans.values(), 2):
        both = sorted(set(ports_of(one)) & set(ports_of(other)))
        if both:
            yield f"{one['name']} and {other['name']} both have port {both[0]}; give one of them another port, ten away from the other's"
    claims = [plan["name"] for plan in plans.values() if plan["postgres"]]
    if len(claims) > 1:
        yield f"the shared database can be one app's only, and {' and '.join(claims)} claim it"
    hosts = set(groups.get("backends", []))
    sites = [site for site in sites if isinstance(site, dict)]
    of_sites = {port: site for site in sites for key in ("ports", "any_name_ports") for port in site.get(key) or []}
    claims = {}
    for name, domain in [("sites.yml", site.get("domain")) for site in sites] + [(each["name"], of) for each in plans.values() for of in each["domains"]]:
        claims.setdefault(str(domain), []).append(name)
    for domain, names in claims.items():
        if len(names) > 1 and set(names) != {"sites.yml"}:
            yield f"{domain} can be answered by one only, and {' and '.join(names)} claim it"
    for plan in plans.values():
        # A candidate takes another port where its own is taken.
        for port in [plan["port"], *plan["metrics_ports"]]:
            for service, on in fixed_ports().get(port, {}).items():
                if hosts & {host for group in on for host in groups.get(group, [])}:
                    yield f"{plan['name']}: port {port} is the service {service}'s"
            if port in of_sites and hosts & set(groups.get("balancers", [])):
                yield f"{plan['name']}: port {port} is the site {of_sites[port].get('domain', '?')}'s, on the same host"


def app_plans(apps, groups=None):
    """The apps by their names, with every key filled in: given, its default, or derived from the name. It reads wrong entries as well, as far
    as it can: app_problems reports them."""
    return {name: plan(str(name), app if isinstance(app, dict) else {}) for name, app in (apps.items() if isinstance(apps, dict) else [])}


def plan(name, app):
    port = app["port"] if is_number(app.get("port"), 1, 65536 - PORTS) else default_port(name)
    workers = app["workers"] if is_number(app.get("workers"), 1, MOST_WORKERS) else 1
    root = f"/opt/halo/apps/{name}"
    migrate = app.get("migrate")
    return {
        "name": name,
        "source": str(app.get("source", "")),
        "start": str(app.get("start", "")),
        "mode": "cluster",
        "workers": workers,
        "port": port,
        "candidate_port": port + CANDIDATE,
        "metrics_port": port + METRICS,
        "metrics_ports": [port + METRICS + worker for worker in range(workers)],
        "gate": "version",
        "health": "/readyz",
        "migrate": str(migrate.get("sql", "")) if isinstance(migrate, dict) else "",
        "redis": app.get("redis") == "shared",
        "postgres": app.get("postgres") == "shared",
        "domains": [str(domain) for domain in app["domains"]] if isinstance(app.get("domains"), list) else [],
        "user": f"halo-{name}",
        "unit": f"halo@{name}",
        "candidate": f"halo-candidate@{name}",
        "root": root,
        "releases": f"{root}/releases",
        "settings": f"/etc/halo/{name}.env",
        "state": f"/var/lib/halo/{name}",
        "www": f"/var/www/halo/{name}",
    }


def app_services(apps):
    """The apps' part of the variables that the roles make together (group_vars/all/services.yml)."""
    plans = app_plans(apps).values()
    services = {each["name"]: {"ports": [each["port"]], "hosts": ["backends"], "from": ["balancers"]} for each in plans}
    if plans:
        ports = sorted({port for each in plans for port in each["metrics_ports"]})
        services["metrics"] = {"ports": ports, "hosts": ["backends"], "from": ["monitoring"]}
    return {
        "firewall_services": services,
        "service_logs": {each["name"]: {"hosts": ["backends"], "units": [each["unit"], each["candidate"]]} for each in plans},
        "metrics_watched": [each["unit"] for each in plans],
    }


def with_app_sites(sites, plans):
    """The sites of sites.yml, and one for each domain of an app as it would stand there."""
    own = [{"domain": domain, "ports": [80], "paths": {"/": {"service": each["name"]}}} for each in plans.values() for domain in each["domains"]]
    return (sites if isinstance(sites, list) else []) + own


def default_port(name):
    return 20000 + PORTS * (zlib.crc32(name.encode()) % 1000)


def ports_of(each):
    return [each["port"], each["candidate_port"], *each["metrics_ports"]]


def is_number(value, least, most):
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_path(value):
    return isinstance(value, str) and bool(PATH.match(value)) and ".." not in value.split("/")


def parts():
    """Each role's part of the variables that all make together, as written: a port may be an expression of Ansible's."""
    import yaml  # comes with Ansible; nothing else here needs more than Python

    for file in sorted(glob.glob(os.path.join(glob.escape(ROLES), "*/meta/service.yml"))):
        with open(file, encoding="utf-8") as text:
            yield yaml.safe_load(text)


def taken():
    """The names that an app cannot have, because something else has them."""
    return {"metrics"}.union(*(part.get(kind, {}) for part in parts() for kind in ("firewall_services", "service_logs")))


def fixed_ports():
    """The roles' services, with the groups of their hosts, by their ports."""
    found = {}
    for part in parts():
        for name, service in part.get("firewall_services", {}).items():
            for port in service["ports"] if isinstance(service["ports"], list) else []:
                found.setdefault(port, {})[name] = service["hosts"]
    return found


class FilterModule:
    def filters(self):
        return {"app_problems": app_problems, "app_plans": app_plans, "with_app_sites": with_app_sites}
