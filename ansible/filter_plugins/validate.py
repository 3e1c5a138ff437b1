"""Filters that check the data of a cluster before any host is touched. Each returns messages, an empty list where nothing is wrong."""

import difflib
import json
import os
import re
from itertools import chain

# Its last part has a letter: an address is no name.
HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?=.*[a-z][^.]*\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
ADDRESS = re.compile(r"[0-9]{1,3}([.][0-9]{1,3}){3}$")
PATH = re.compile(r"/[^ ;{}\"']*$")
FILES = re.compile(r"/[^ ;{}\"']*[^ ;{}\"'/]$")
WEB = re.compile(r"([a-z0-9-]+)(?:/([A-Za-z0-9][A-Za-z0-9._-]*))?\Z")
# A file in .halo/secrets has the name of a person.
USER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")
SITE_KEYS = ["domain", "role", "ports", "any_name_ports", "tls", "certificate", "key", "redirect", "hsts", "absent", "login", "paths"]
TLS = ["local", "acme", "files", "off"]
ROLES = ["counter", "workshop", "metrics"]
ANSWERS = ["service", "states", "web", "files", "index"]
STATES = re.compile(r"([^/]+)/[A-Za-z0-9._/-]+\Z")


def inventory_problems(groups, hostvars):
    """groups and hostvars are Ansible's own."""
    found = [f"group {group} has no host" for group in ("balancers", "backends", "redis", "postgres") if not groups.get(group)]
    if "monitoring" not in groups:
        found.append("group monitoring is missing; it may have no host: {hosts: {}}")
    for group in ("redis", "postgres", "monitoring"):
        hosts = groups.get(group, [])
        if len(hosts) > 1:
            found.append(f"group {group} has more than one host, and there can be one only: {', '.join(hosts)}")
    twins = {}
    for host in groups["all"]:
        address = hostvars[host].get("private_ip")
        if not ADDRESS.match(str(address or "")):
            found.append(f"{host} needs private_ip, an IPv4 address; it has {address or 'none'}")
        if address is not None:
            twins.setdefault(str(address), []).append(host)
    found += [f"{' and '.join(hosts)} have the same private_ip {address}" for address, hosts in sorted(twins.items()) if len(hosts) > 1]
    return found


def shape_problems(sites, tls_ports):
    """The problems of sites and tls_ports, as in group_vars, with which the other variables of the cluster could not be made."""
    found = []
    if not isinstance(tls_ports, list) or not tls_ports or not all(map(is_port, tls_ports)):
        found.append(f"tls_ports has to be a list of ports such as [443]; it is {json.dumps(tls_ports)}")
    elif len(set(tls_ports)) < len(tls_ports):
        found.append(f"tls_ports has a port twice: {json.dumps(tls_ports)}")
    if not isinstance(sites, list):
        found.append("sites has to be a list")
    else:
        found += [problem for number, site in enumerate(sites, 1) for problem in of_shape(number, site)]
    return [f"sites.yml: {problem}" for problem in found]


def site_problems(sites, services, groups, apps, root, tls_ports=(), dns_hook=""):
    """sites, services and tls_ports as in group_vars, without shape_problems; apps as in app_plans; root is the project's folder, which has
    app/web; dns_hook is acme_dns_hook, with which a CA asks nobody's port."""
    if not sites:
        return [] if any(app["domains"] for app in apps.values()) else ["sites.yml: there is no site"]
    found = [f"sites.yml: tls_ports: {problem}" for problem in taken_ports(tls_ports, services, groups)]
    for number, site in enumerate(sites, 1):
        problems = [*of_site(site, services, groups, apps, root), *of_tls(site, tls_ports, dns_hook)]
        found += [f"sites.yml: {site.get('domain') or f'site {number}'}{problem}" for problem in problems]
    return found + [f"sites.yml: {problem}" for problem in between_sites(sites)]


def of_shape(number, site):
    """The problems of a site that the other functions cannot read."""
    if not isinstance(site, dict):
        yield f"site {number} has to have keys such as domain; it is {site or 'empty'}"
        return
    for key, example in {"ports": "[80]", "any_name_ports": "[80]", "absent": "[robots]"}.items():
        if not isinstance(site.get(key) or [], list):
            yield f"{site.get('domain') or f'site {number}'}: {key} has to be a list such as {example}; it is {site[key]}"


def is_port(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def taken_ports(ports, services, groups):
    """The problems of ports that a balancer cannot answer at, because a service on the same host has them."""
    balancers = set(groups.get("balancers") or [])
    for name, service in services.items():
        taken = [str(port) for port in service["ports"] if port in ports]
        hosts = set(chain.from_iterable(groups.get(group) or [] for group in service["hosts"]))
        if name != "http" and taken and ("all" in service["hosts"] or balancers & hosts):
            yield f"port {', '.join(taken)} is the service {name}'s"


def ports_of(site):
    return [*(site.get("ports") or []), *(site.get("any_name_ports") or [])]


def of_site(site, services, groups, apps, root):
    """The problems of one site, to be read behind its name."""
    domain, login, ports = site.get("domain") or "", site.get("login"), ports_of(site)
    if not isinstance(domain, str) or not HOST_NAME.match(domain):
        yield f" needs domain, a host name in small letters; it has {domain or 'none'}"
    for key in site:
        if key not in SITE_KEYS:
            near = difflib.get_close_matches(str(key), SITE_KEYS, 1)
            yield f" has the unknown key {key}; " + (f"{near[0]} is one" if near else f"a site's keys are {', '.join(SITE_KEYS)}")
    if "role" in site and site["role"] not in ROLES:
        yield f": role is one of {', '.join(ROLES)}; it is {site['role']}"
    if "login" in site and not is_login(login):
        yield ": login is {user, password} or {people: [NAME, ...]}; a name of letters, digits, . _ and -, the password of 12 characters or more"
    if not ports:
        yield " needs ports or any_name_ports"
    for port in ports:
        if not is_port(port):
            yield f": {port} is no port"
    for port in dict.fromkeys(str(port) for port in ports if ports.count(port) > 1):
        yield f": port {port} stands in ports and any_name_ports more than once"
    yield from (f": {problem}" for problem in taken_ports(ports, services, groups))
    for pattern in site.get("absent") or []:
        if not is_pattern(pattern):
            yield f": absent has regular expressions without quotation marks; {pattern} is none"
    paths = site.get("paths")
    if not isinstance(paths, dict) or not paths:
        yield " needs paths"
        return
    for path, answer in paths.items():
        yield from (f", {path}{problem}" for problem in of_path(path, answer or {}, services, groups, apps, root))
    if site.get("role") != "metrics" and {"service": "prometheus"} in paths.values():
        yield " leads to Prometheus and needs role: metrics; without it its pages count as the visitors' requests"


def is_pattern(value):
    if not isinstance(value, str) or '"' in value or "\n" in value:
        return False
    try:
        re.compile(value)
    except re.error:
        return False
    return True


def is_login(login):
    if not isinstance(login, dict):
        return False
    if list(login) == ["people"]:
        people = login["people"]
        return isinstance(people, list) and len(people) > 0 and len(set(map(str, people))) == len(people) and all(USER.match(str(name)) for name in people)
    return sorted(login) == ["password", "user"] and bool(USER.match(str(login["user"]))) and len(str(login["password"] or "")) >= 12


def of_tls(site, tls_ports, dns_hook):
    """The problems of the keys about TLS, to be read behind the site's name."""
    given = site.get("tls", "local" if str(site.get("domain")).endswith(".test") else "off")
    # YAML reads off as false.
    mode = "off" if given is False else given
    if mode not in TLS:
        yield f": tls is one of {', '.join(TLS)}; it is {given}"
    for key in ("redirect", "hsts"):
        if not isinstance(site.get(key, False), bool):
            yield f": {key} is true or false; it is {site[key]}"
        elif site.get(key) and mode == "off":
            yield f": {key} needs a certificate, and tls is off"
    if mode == "acme" and not dns_hook and 80 not in ports_of(site):
        yield ": tls: acme needs port 80, where the CA asks for its challenge, or acme_dns_hook"
    for port in ports_of(site):
        if port in tls_ports:
            yield f": {port} is the port of https (tls_ports), where each site with tls answers; take it out of ports"
    if site.get("hsts") is True and str(site.get("domain")).endswith(".test"):
        yield ": hsts would keep browsers away from the name below .test for a year; take it out"
    for key in ("certificate", "key"):
        if mode == "files" and not (isinstance(site.get(key), str) and os.path.isfile(os.path.expanduser(site[key]))):
            yield f": {key} is the path of a file on this machine; it is {site.get(key) or 'missing'}"
        elif mode != "files" and key in site:
            yield f": {key} is read with tls: files alone"


def of_path(path, answer, services, groups, apps, root):
    """The problems of one path of a site, to be read behind its name."""
    if not PATH.match(str(path)) or ".." in str(path).split("/"):
        yield ": a path begins with / and has no space, quotation mark, ; or brace, and no part .."
    if not isinstance(answer, dict) or len(answer) != 1 or not set(answer) <= set(ANSWERS):
        yield f" needs one of service, states, web, files and index; it has {json.dumps(answer)}"
        return
    ((kind, value),) = answer.items()
    if kind == "states":
        match = STATES.match(str(value))
        if match is None:
            yield f": states is NAME/PATH, a service and a path of letters, digits, . _ / and -; it is {value}"
            return
        kind, value = "service", match.group(1)
    if kind == "service":
        service = services.get(str(value))
        if service is None:
            yield f": there is no service {value} in firewall_services; there are {', '.join(services)}"
            return
        missing = [group for group in service["hosts"] if group not in groups]
        if missing:
            yield f": the service {value} is on the group {', '.join(missing)}, which the inventory does not have"
        elif not {"balancers", "all", "any"} & set(service["from"]):
            yield f": the service {value} is closed to the balancers; put balancers into its `from` in firewall_services"
    elif kind == "web":
        match = WEB.match(str(value))
        app, folder = match.groups() if match else (None, None)
        if app not in apps:
            yield f": web is APP/FOLDER, or APP of a static one, where APP is one of {', '.join(apps) or '(apps.yml has none)'}; it is {value}"
        elif (folder is None) != (apps[app]["static"] is not None):
            yield f": web is {app if folder else app + '/FOLDER'}, because that app is {'' if folder else 'not '}static; it is {value}"
        elif folder and apps[app]["source"] == "." and not os.path.isdir(os.path.join(root, "app/web", folder)):
            yield f": there is no folder app/web/{folder}"
    elif kind == "files" and not FILES.match(str(value)):
        yield f": files is an absolute path without a / behind, space, quotation mark, ; or brace; it is {value}"
    elif kind == "index" and not (value == "all" and str(path).endswith("/")):
        yield f": index is all, at a path with a / behind; it is {value}"


def between_sites(sites):
    """The problems of sites that claim the same name, port or role."""
    domains = [site["domain"] for site in sites if "domain" in site]
    for domain in sorted(set(map(str, domains))):
        if domains.count(domain) > 1:
            yield f"{domain} is defined {domains.count(domain)} times"
    for port in dict.fromkeys(chain.from_iterable(site.get("any_name_ports") or [] for site in sites)):
        claims = [site.get("domain", "?") for site in sites if port in (site.get("any_name_ports") or [])]
        if len(claims) > 1:
            yield f"port {port} can answer any name by one site only, and {' and '.join(claims)} claim it"
    for role in ROLES:
        claims = [site.get("domain", "?") for site in sites if site.get("role") == role]
        if len(claims) > 1:
            yield f"the role {role} can be one site's only, and {' and '.join(claims)} claim it"


class FilterModule:
    def filters(self):
        return {"inventory_problems": inventory_problems, "shape_problems": shape_problems, "site_problems": site_problems}
