"""Filters for the map `apps` of group_vars/all/apps.yml. This file alone knows an app's keys, their defaults, the names that
follow from the app's name, and the problems that an entry can have; templates and tasks compute nothing.

The keys of an app; only source is necessary:
  source      a folder, from the project's root, or a git address
  ref         branch, tag or commit of a git source; its default branch without
  path        the folder of a monorepo in which the app starts
  node        the exact version of Node that builds and runs it, from 20.12.0 on; without it Halo's own
  build       the command that builds it, in path; false for none. The default is the script `build` of package.json
  build_env   variables of the build alone
  scripts     packages whose install scripts may run, by name
  start       the command that starts it. The default is Procfile's web, then the script `start`, then main of package.json
  mode        cluster (PM2 shares the port, a reload refuses nothing) or fork; the default follows from start
  workers     Node processes on each host
  port        the first of ten ports: the service, then its candidate, then the metrics of each worker, the last one its Redis
  health      a path that answers 200 to 399; `version` is the contract of /readyz and /version
  candidate   false where a second copy of the app for some seconds would do harm
  migrate     a command that runs once before the first switch, or {sql: FOLDER}
  processes   {NAME: COMMAND}, programs beside the service such as a worker; each host runs one of each
  cron        {NAME: {at: TIMES, run: COMMAND, timeout: 60m}}, jobs that one of its hosts runs at each due time. TIMES is systemd's OnCalendar
              in whole minutes, UTC; a job that takes longer than timeout is ended
  writable    folders, below path, that the app writes; they outlive a release, and each host has its own
  env         variables; ${NAME} is one that Halo gives, or a secret
  secrets     variables that are generated once
  redis       true, or {memory: MiB, evict: true}; shared is the Redis of the inventory's group redis, as its user halo
  postgres    true, or {pool: connections of one process, shared: true}; shared is the database halo, as its user halo, one app's at most
  static      the folder of a build's result that the balancers serve; nothing runs. Or {folder, spa: false, immutable: [FOLDER]}
  domains     the names under which the balancers serve it
  tls         as a site's in sites.yml: local, acme, off, or {certificate, key}, files on this machine
  websocket   true where the app upgrades connections
  sticky      true where a client has to reach the same backend each time
  timeout     for which the app may be silent before the next backend is asked: 2s
  body        the largest request body: 1m
  hosts       all, or the backends that run it
  memory      MiB that it may take on a host
  cpu         CPUs that it may take on a host, such as 0.5; without it the apps that want more than there is get equal parts
"""

import difflib
import os
import posixpath
import re
import zlib

KEYS = [
    "source", "ref", "path", "node", "build", "build_env", "scripts", "start", "mode", "workers", "port", "health", "candidate", "migrate",
    "processes", "cron", "writable", "env", "secrets", "redis", "postgres", "static", "domains", "tls", "websocket", "sticky", "timeout", "body",
    "hosts", "memory", "cpu",
]
# The keys of an app that has processes; a static one has none.
OF_PROCESSES = [
    "start", "mode", "workers", "port", "health", "candidate", "migrate", "processes", "cron", "writable", "env", "secrets", "redis", "postgres",
    "websocket", "sticky", "timeout", "body", "hosts", "memory", "cpu",
]
MODES = ["cluster", "fork"]
MOST_WORKERS = 7  # service, candidate, seven metrics, Redis
MOST_POOL = 50
LEAST_NODE = (20, 12, 0)  # util.parseEnv
LEAST_MEMORY = 64  # MiB: PM2 takes 31, a Node process without any package 19
# As in roles/nginx/defaults and group_vars: an app that says nothing is treated as the others.
TIMEOUT = "2s"
BODY = "1m"
MEMORY = 256
REDIS = {"memory": 64, "evict": False}
POSTGRES = {"pool": 8}
JOB_TIMEOUT = "60m"
SHARED = "shared"
# `halo-release runtime` places a Node, `all` is every host, `metrics` the service of all workers, and `npm run logs` knows the next four.
# Then the role halo_owner and the database halo_loading, nginx's four zones, and Redis' own folder. The others are folders of an older Halo.
RESERVED = [
    "all", "runtime", "metrics", "backup", "exporters", "nginx", "certbot", "owner", "loading", "requests", "connections", "tls", "state",
    "appendonlydir", "pm2", "compile-cache", "current", "a",
]

NAME = re.compile(r"[a-z][a-z0-9-]{0,20}")
DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PACKAGE = re.compile(r"(@[a-z0-9._~-]+/)?[a-z0-9._~-]+", re.IGNORECASE)
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/@+-]*")
# Printable ASCII: Python's client sends nothing else.
HEALTH = re.compile(r"/(?:(?![;{}\"'\\])[!-~])*")
FOLDER = re.compile(r"[^\s;{}\"'$`\\]+")
TIME = re.compile(r"([1-9][0-9]*)(ms|s|m)")
SIZE = re.compile(r"[1-9][0-9]*[km]")
NPM = re.compile(r"(npm|npx|yarn|pnpm)\b")
LOGIN = re.compile(r"https?://[^/]*@|[a-z+.-]+://[^/@]*:[^/@]*@", re.IGNORECASE)
REFERENCE = re.compile(r"[$][{]([^}]*)[}]")


def field(number):
    """The pattern of a calendar's field: *, or numbers, ranges and steps."""
    part = rf"(?:{number})(?:\.\.(?:{number}))?(?:/[0-9]{{1,2}})?"
    return rf"(?:\*|{part}(?:,{part})*)"


# The part of systemd's calendars that has whole minutes and no time zone. systemd-analyze on the hosts checks the rest.
WEEKDAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
DAYS = rf"{WEEKDAY}(?:(?:,|\.\.){WEEKDAY})*"
DATE = rf"(?:{field('[12][0-9]{3}')}-)?{field('0?[1-9]|1[0-2]')}[-~]{field('0?[1-9]|[12][0-9]|3[01]')}"
CLOCK = rf"{field('[01]?[0-9]|2[0-3]')}:{field('[0-5]?[0-9]')}(?::[0-5]?[0-9])?"
SHORT = "minutely|hourly|daily|weekly|monthly|quarterly|semiannually|yearly"
CALENDAR = re.compile(rf"{SHORT}|{DAYS}|(?:{DAYS} )?(?:{DATE}|(?:{DATE} )?{CLOCK})", re.IGNORECASE)
# Around a value in a file that Node reads as settings; the first two take each other character as it is.
QUOTES = ["'", "`", '"']

# Variables that Halo gives to every app, and with a key.
GIVEN = ["PORT", "HOST", "NODE_ENV"]
GIVEN_WITH = {
    "postgres": ["DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"],
    "redis": ["REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD"],
}
# An app may say NODE_ENV by itself. The shutdown's two variables are the preload's.
FIXED = ["PORT", "HOST", "LAME_DUCK_MS", "SHUTDOWN_DEADLINE_MS"]


def app_problems(apps, groups, hostvars, sites, services, dns_hook=""):
    """The problems of the map, each a message with the app and the key; [] where there is none.

    groups and hostvars are Ansible's own; sites is the list of sites.yml, without the apps' own; services is firewall_services; dns_hook is
    acme_dns_hook, with which a CA asks nobody's port.
    """
    if apps is None or apps == {}:
        return []
    if not isinstance(apps, dict):
        return ["apps.yml: apps has to be a map from names to keys"]
    found = []
    for name, app in apps.items():
        if not isinstance(app, dict):
            found.append(f"apps.yml: {name}: it has to have keys such as source; it is {app or 'empty'}")
            continue
        found += [f"apps.yml: {name}: {problem}" for problem in of_app(name, app, groups, hostvars, services)]
    if found:
        # The others read values that have to be right.
        return found
    plans = app_plans(apps, groups)
    owners = [name for name, plan in plans.items() if plan["postgres"] and plan["postgres"]["shared"]]
    if len(owners) > 1:
        found.append(f"apps.yml: {owners[1]}: postgres: the shared database is {owners[0]}'s; give one of the two a database of its own (true)")
    found += [f"apps.yml: {problem}" for problem in between_ports(plans, groups, services)]
    found += [f"apps.yml: {problem}" for problem in between_domains(plans, sites)]
    if not dns_hook and 80 not in ports_of_domains(sites):
        found += [
            f"apps.yml: {name}: tls: acme needs port 80, where the CA asks for its challenge; put it into ports of the first site, or set acme_dns_hook"
            for name, plan in plans.items() if plan["tls"] == "acme" and plan["domains"]
        ]
    return found + [f"apps.yml: {problem}" for problem in of_memory(plans, hostvars)]


def of_app(name, app, groups, hostvars, services):
    """The problems that one entry has by itself, to be read behind its name."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield "a name has 1 to 21 small letters, digits and -, and begins with a letter"
        return
    if name in RESERVED:
        yield f"the name {name} is Halo's own; choose another one"
    elif name in groups or name in hostvars:
        yield f"the name {name} is a host's or a group's in the inventory; choose another one"
    elif name in services and list(services[name]["ports"]) != [port_of(name, app)]:
        # The caller may have put the apps' own ports into firewall_services.
        yield f"the name {name} is a service's in firewall_services; choose another one"
    for key in app:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            yield f"{key}: unknown key; " + (f"{near[0]} is one" if near else f"an app's keys are {', '.join(KEYS)}")
    if app.get("source") is None:
        yield "source: is missing; give a folder or a git address"
    wrong = of_values(app)
    yield from (f"{key}: {problem}" for key, problem in wrong.items())
    if not wrong:
        yield from of_hosts(app, groups)
        yield from contradictions(app)


def of_values(app):
    """The problems that values have by themselves, by their keys."""
    found = {key: check(app[key]) for key, check in CHECKS.items() if app.get(key) is not None}
    return {key: problem for key, problem in found.items() if problem}


def is_text(value):
    return isinstance(value, str) and value.strip() == value != "" and not re.search(r"[\x00-\x1f\x7f]", value)


def is_number(value, least, most):
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_list(value, check):
    return isinstance(value, list) and all(isinstance(each, str) and check(each) for each in value) and len(set(value)) == len(value)


def is_folder(value):
    """A folder below another one; `.` is that one."""
    return isinstance(value, str) and bool(FOLDER.fullmatch(value)) and not value.startswith(("/", "-")) and ".." not in value.split("/")


def shown(value):
    """A value as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value in ("", [], {}) else value


def check_source(value):
    if not is_text(value) or value.startswith("-"):
        return f"has to be a folder or a git address; it is {shown(value)}"
    if LOGIN.match(value):
        return "has a login in its address, and this file is committed; take it out, and use an SSH key or git's credential helper"
    return None


def check_ref(value):
    if isinstance(value, (int, float)):
        return f"has to be a text; write ref: '{shown(value)}', with quotation marks"
    if not isinstance(value, str) or not REF.fullmatch(value) or ".." in value:
        return f"has to be a branch, a tag or a commit; it is {shown(value)}"
    return None


def check_path(value):
    return None if is_folder(value) else f"has to be a folder inside the source, without a / in front and without ..; it is {shown(value)}"


def check_node(value):
    right = isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}([.][0-9]{1,3}){2}", value)
    if not right or tuple(int(part) for part in value.split(".")) < LEAST_NODE:
        return f"has to be an exact version from {'.'.join(str(part) for part in LEAST_NODE)} on, such as 22.21.1; it is {shown(value)}"
    return None


def check_build(value):
    return None if value is False or is_text(value) else f"has to be one command, or false; it is {shown(value)}"


def check_variables(value):
    if not isinstance(value, dict):
        return f"has to be a map such as {{NAME: value}}; it is {shown(value)}"
    for name, text in value.items():
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            return f"{name} is no variable's name; it has letters, digits and _"
        if not isinstance(text, (str, int, float)) or re.search(r"[\x00-\x1f\x7f]", str(text)):
            return f"{name} has to be a text of one line or a number"
        if all(quote in str(text) for quote in QUOTES):
            return f"{name} has all three of {' '.join(QUOTES)}, and no file of settings can hold that"
    return None


def check_scripts(value):
    return None if is_list(value, PACKAGE.fullmatch) else f"has to be a list of packages' names such as [bcrypt], each once; it is {shown(value)}"


def check_command(value):
    if is_text(value) and all(quote in value for quote in QUOTES):
        return f"has all three of {' '.join(QUOTES)}, and no file of settings can hold that"
    return None if is_text(value) else f"has to be one command; it is {shown(value)}"


def check_mode(value):
    return None if value in MODES else f"is one of {', '.join(MODES)}; it is {shown(value)}"


def check_workers(value):
    return None if is_number(value, 1, MOST_WORKERS) else f"is a number of 1 to {MOST_WORKERS}; it is {shown(value)}"


def check_port(value):
    # Above 32767 a connection that a host opens may have taken the port before the app starts.
    return None if is_number(value, 1024, 32758) else f"is a number of 1024 to 32758; it is {shown(value)}"


def check_health(value):
    if value == "version" or (isinstance(value, str) and HEALTH.fullmatch(value)):
        return None
    return f"has to be a path such as /healthz, or version; it is {shown(value)}"


def check_bool(value):
    return None if isinstance(value, bool) else f"is true or false; it is {shown(value)}"


def check_tls(value):
    # YAML reads off as false.
    if value is False or value in ("local", "acme", "off"):
        return None
    if isinstance(value, dict) and sorted(value) == ["certificate", "key"]:
        missing = [file for file in value.values() if not os.path.isfile(os.path.expanduser(str(file)))]
        return f"names {missing[0]}, which is no file on this machine" if missing else None
    return f"is local, acme, off or {{certificate: FILE, key: FILE}}; it is {shown(value)}"


def check_migrate(value):
    if isinstance(value, dict):
        return None if sorted(value) == ["sql"] and is_folder(value["sql"]) else "has to be {sql: FOLDER} with a folder inside the app"
    return check_on_backend(value)


def check_on_backend(value):
    if NPM.match(str(value)):
        return f"runs on a backend, which has no npm; give node --run SCRIPT, or the command behind it; it is {value}"
    return check_command(value)


def check_processes(value):
    if not isinstance(value, dict):
        return f"has to be a map such as {{worker: node worker.js}}; it is {shown(value)}"
    for name, command in value.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            return f"{name} is no name; it has 1 to 21 small letters, digits and -"
        problem = check_command(command)
        if problem:
            return f"{name} {problem}"
    return None


def check_calendar(value):
    if not isinstance(value, str):
        # YAML reads 13:00 as a number of the base 60.
        return f"has to be a text; put it into quotation marks, such as at: '13:00'; it is {shown(value)}"
    if CALENDAR.fullmatch(value):
        return None
    return f"has to be times of systemd's OnCalendar in whole minutes, such as hourly, '*-*-* 03:00:00' or 'Mon..Fri *:0/15'; it is {shown(value)}"


def check_job_timeout(value):
    right = isinstance(value, str) and TIME.fullmatch(value) and 1000 <= milliseconds(value) <= 86_400_000
    return None if right else f"is a time of 1s to 1440m such as 10m; it is {shown(value)}"


JOB = {"at": check_calendar, "run": check_on_backend, "timeout": check_job_timeout}


def check_cron(value):
    if not isinstance(value, dict):
        return f"has to be a map such as {{clean: {{at: hourly, run: node clean.js}}}}; it is {shown(value)}"
    for name, job in value.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            return f"{name} is no name; it has 1 to 21 small letters, digits and -"
        if not isinstance(job, dict) or job.get("at") is None or job.get("run") is None:
            return f"{name} has to have at and run, such as {{at: hourly, run: node clean.js}}; it is {shown(job)}"
        for key, each in job.items():
            if key not in JOB:
                return f"{name}: {key} is unknown here; the keys of a job are {', '.join(JOB)}"
            problem = each is not None and JOB[key](each)
            if problem:
                return f"{name}: {key} {problem}"
    return None


def check_writable(value):
    right = is_list(value, is_folder) and "." not in value
    return None if right else f"has to be a list of folders inside the app, each once; it is {shown(value)}"


def check_names(value):
    return None if is_list(value, VARIABLE.fullmatch) else f"has to be a list of variables' names such as [SESSION_SECRET], each once; it is {shown(value)}"


def of_options(value, options):
    """The problem of a key that is true, false, shared or a map with these options, each with the function that says whether it is right."""
    if isinstance(value, bool) or value == SHARED:
        return None
    if not isinstance(value, dict) or not value:
        return f"is true, false, shared or a map with {', '.join(options)}; it is {shown(value)}"
    for option, each in value.items():
        if option not in options:
            return f"{option} is unknown here; the options are {', '.join(options)}"
        words, right = options[option]
        if not right(each):
            return f"{option} {words}; it is {shown(each)}"
    return None


def check_redis(value):
    return of_options(value, {
        "memory": ("is a number of MiB from 16 on", lambda each: is_number(each, 16, 1 << 20)),
        "evict": ("is true or false", lambda each: isinstance(each, bool)),
    })


def check_postgres(value):
    return of_options(value, {
        "pool": (f"is a number of 1 to {MOST_POOL}", lambda each: is_number(each, 1, MOST_POOL)),
        "shared": ("is true or false", lambda each: isinstance(each, bool)),
    })


def check_static(value):
    words = "has to be a folder inside the app that its build fills, or {folder, spa, immutable}"
    if isinstance(value, dict):
        for option in value:
            if option not in ("folder", "spa", "immutable"):
                return f"{option} is unknown here; the options are folder, spa, immutable"
        right = is_folder(value.get("folder")) and isinstance(value.get("spa", True), bool) and is_list(value.get("immutable", []), is_folder)
        return None if right else words
    return None if is_folder(value) else f"{words}; it is {shown(value)}"


def check_domains(value):
    return None if is_list(value, DOMAIN.fullmatch) else f"has to be a list of host names in small letters such as [shop.test], each once; it is {shown(value)}"


def check_timeout(value):
    right = isinstance(value, str) and TIME.fullmatch(value) and milliseconds(value) <= 3_600_000
    return None if right else f"is a time of 1ms to 60m such as 30s; it is {shown(value)}"


def check_body(value):
    return None if isinstance(value, str) and SIZE.fullmatch(value) else f"is a size such as 512k or 20m; it is {shown(value)}"


def check_hosts(value):
    right = is_text(value) or (is_list(value, is_text) and value)
    return None if right else f"is all, a backend's name or a list of names, each once; it is {shown(value)}"


def check_memory(value):
    return None if is_number(value, LEAST_MEMORY, 1 << 20) else f"is a number of MiB from {LEAST_MEMORY} on; it is {shown(value)}"


def check_cpu(value):
    right = isinstance(value, (int, float)) and not isinstance(value, bool) and 0.05 <= value <= 256
    return None if right else f"is a number of CPUs from 0.05 on; it is {shown(value)}"


CHECKS = {
    "source": check_source, "ref": check_ref, "path": check_path, "node": check_node, "build": check_build, "build_env": check_variables,
    "scripts": check_scripts, "start": check_command, "mode": check_mode, "workers": check_workers, "port": check_port,
    "health": check_health, "candidate": check_bool, "migrate": check_migrate,
    "processes": check_processes, "cron": check_cron, "writable": check_writable, "env": check_variables, "secrets": check_names,
    "redis": check_redis, "postgres": check_postgres, "static": check_static, "domains": check_domains, "tls": check_tls, "websocket": check_bool,
    "sticky": check_bool, "timeout": check_timeout, "body": check_body, "hosts": check_hosts, "memory": check_memory, "cpu": check_cpu,
}


def of_hosts(app, groups):
    backends = groups.get("backends", [])
    for host in hosts_of(app, groups):
        if host not in backends:
            yield f"hosts: {host} is no backend of the inventory; there are {', '.join(backends) or 'none'}"


def contradictions(app):
    """The problems of keys that are right each, and wrong together."""
    if app.get("static"):
        idle = [key for key in OF_PROCESSES if app.get(key)]
        if idle:
            yield f"static: nothing of the app runs, so {', '.join(idle)} would have no effect; take static out, or the others"
        return
    if app.get("build") is False and app.get("build_env"):
        yield "build_env: without a build (build: false) it would have no effect; take one of the two out"
    if app.get("mode") == "fork" and (app.get("workers") or 1) > 1:
        yield "workers: in mode fork two processes cannot share the port; take workers out, or use mode: cluster"
    if isinstance(app.get("migrate"), dict) and not app.get("postgres"):
        yield "migrate: SQL files need a database; give postgres: true"
    yield from of_variables(app)


def of_variables(app):
    """The problems of env and secrets: names that Halo gives, and references to values that do not exist."""
    env, secrets = app.get("env") or {}, app.get("secrets") or []
    for key, names in (("env", env), ("secrets", secrets)):
        for name in names:
            if name in FIXED or name.startswith("HALO_"):
                yield f"{key}: {name} is Halo's to set; take it out"
            for need, given in GIVEN_WITH.items():
                if app.get(need) and name in given:
                    yield f"{key}: {name} comes from {need}; take one of the two out"
    for name in secrets:
        if name in env:
            yield f"secrets: {name} is in env as well; take one of the two out"
    for name, value in env.items():
        for used in REFERENCE.findall(str(value)):
            need = next((need for need, given in GIVEN_WITH.items() if used in given), None)
            if need and not app.get(need):
                yield f"env: {name} uses {used}, which needs {need}: true"
            elif not need and used not in GIVEN and used not in secrets:
                yield f"env: {name} uses {used}, which Halo does not give; it gives {', '.join(known(app))}"


def known(app):
    """The variables that ${} may name in an app's env."""
    return [*GIVEN, *(name for need, names in GIVEN_WITH.items() if app.get(need) for name in names), *(app.get("secrets") or [])]


def between_ports(plans, groups, services):
    """The ports that two apps, or an app and a service on one of its hosts, would both take."""
    taken = {}
    for name, plan in plans.items():
        for port in sorted(ports_of(plan)):
            first = taken.setdefault(port, name)
            if first != name:
                yield f"{name}: port: it takes {words_of(plan)}, and {port} is {first}'s as well; give one of the two another port"
                break
    for name, plan in plans.items():
        places = {**{port: plan["hosts"] for port in ports_of(plan)}, **({plan["redis_port"]: groups.get("redis", [])} if own_redis(plan) else {})}
        for service, entry in services.items():
            if service == "metrics" or service.removesuffix("_redis") in plans:
                continue
            hosts = set(hosts_with(entry["hosts"], groups))
            clash = [port for port in sorted(places) if port in entry["ports"] and hosts & set(places[port])]
            if clash:
                yield f"{name}: port: it takes {words_of(plan)}, and {clash[0]} is the service {service}'s; give the app another port"


def hosts_with(names, groups):
    return [host for name in names for host in groups.get(name, [])]


def ports_of(plan):
    """Every port that an app may take, on whatever host."""
    if not plan["runs"]:
        return set()
    return {plan["port"], plan["candidate_port"], *plan["metrics_ports"], *([plan["redis_port"]] if own_redis(plan) else [])}


def own_redis(plan):
    return plan["redis"] and not plan["redis"]["shared"]


def words_of(plan):
    first, last = plan["port"], max(plan["metrics_ports"])
    return f"{first} to {last}" + (f" and {plan['redis_port']}" if own_redis(plan) else "")


def between_domains(plans, sites):
    """The domains that two would answer for."""
    taken = {str(site.get("domain")): "a site of sites.yml" for site in sites or [] if isinstance(site, dict)}
    for name, plan in plans.items():
        for domain in plan["domains"]:
            if domain in taken:
                yield f"{name}: domains: {domain} is {taken[domain]} already; take one of the two out"
            taken[domain] = f"the app {name}'s"


def of_memory(plans, hostvars):
    """The hosts on which the apps may take more memory than there is. A host of somebody's own may name none."""
    for host in dict.fromkeys(host for plan in plans.values() for host in plan["hosts"]):
        has = hostvars[host].get("memory")
        need = {name: plan["memory"] for name, plan in plans.items() if host in plan["hosts"] and plan["runs"]}
        if has is not None and sum(need.values()) > int(has):
            parts = ", ".join(f"{name} {memory}" for name, memory in need.items())
            yield f"{list(need)[-1]}: memory: {host} has {has} MiB, and its apps may take {sum(need.values())} ({parts}); lower one, or name hosts for one"


def app_plans(apps, groups=None):
    """The same map with every key of every app filled in, and all that follows from its name; plan_of describes a plan. An entry with
    wrong values is read as an empty one: app_problems reports them."""
    if not isinstance(apps, dict):
        return {}
    right = {str(name): app if isinstance(app, dict) and not of_values(app) else {} for name, app in apps.items()}
    return {name: plan_of(name, app, groups or {}) for name, app in right.items()}


def app_services(apps):
    """The apps' part of the variables that the roles make together (group_vars/all/services.yml)."""
    plans = [plan for plan in app_plans(apps).values() if plan["runs"]]
    services = {plan["name"]: {"ports": [plan["port"]], "hosts": ["backends"], "from": ["balancers"]} for plan in plans}
    if plans:
        ports = sorted({port for plan in plans for port in plan["metrics_ports"]})
        services["metrics"] = {"ports": ports, "hosts": ["backends"], "from": ["monitoring"]}
    # No app's name has _.
    services.update({f"{plan['name']}_redis": {"ports": [plan["redis_port"]], "hosts": ["redis"], "from": ["backends"]} for plan in plans if own_redis(plan)})
    return {
        "firewall_services": services,
        "service_logs": {
            plan["name"]: {"hosts": ["backends"], "units": [plan["unit"], plan["candidate_unit"], plan["cron_units"]]} for plan in plans
        },
        "metrics_watched": [plan["unit"] for plan in plans],
    }


def with_app_sites(sites, plans):
    """The sites of sites.yml, and one for each domain of an app as it would stand there, on the ports of the first site."""
    sites = sites if isinstance(sites, list) else []
    ports = ports_of_domains(sites)
    own = [
        {"domain": domain, "ports": ports, "paths": {"/": {"service": plan["name"]} if plan["runs"] else {"web": plan["name"]}}, **tls_of(plan["tls"])}
        for plan in plans.values() for domain in plan["domains"]
    ]
    return sites + own


def ports_of_domains(sites):
    """The ports of the apps' domains: the first site's, or HTTP's own."""
    first = sites[:1] if isinstance(sites, list) else []
    return [port for site in first if isinstance(site, dict) for port in site.get("ports") or []] or [80]


def tls_of(value):
    """The keys of a site for an app's tls, which is None where it was not given."""
    if isinstance(value, dict):
        return {"tls": "files", **value}
    return {} if value is None else {"tls": value}


def plan_of(name, app, groups):
    """One app's plan. Besides the keys of the map:

    runs, whether it has processes; runtime; cpu_percent, 0 for no quota; own_stores; gate (health or version) and preload; candidate_port,
    metrics_port, metrics_ports, redis_port;
    user, group, unit, candidate_unit, root, releases, settings, state, pm2_home, pages, database, connections; timeout_ms. hosts is a list. start and mode are "" where the release says them (RELEASE.env), and build is None where
    package.json says it. redis and postgres are false or a map with shared, static is none or a map, migrate is a command and migrate_sql
    a folder, "" for none. cron is a map from names to {run, calendar, seconds, unit, timer}, and cron_units the pattern of these units.
    """
    port = port_of(name, app)
    workers = app.get("workers") or 1
    version = app.get("health") == "version"
    migrate = app.get("migrate") or ""
    runs = not app.get("static")
    timeout = app.get("timeout") or TIMEOUT
    hosts = hosts_of(app, groups) if runs else []
    postgres = filled_options(app.get("postgres"), POSTGRES)
    filled = {
        "name": name,
        "source": app.get("source") or "",
        "ref": app.get("ref") or "",
        "path": posixpath.normpath(app.get("path") or "."),
        "node": app.get("node") or "",
        "build": app.get("build"),
        "build_env": texts(app.get("build_env")),
        "scripts": app.get("scripts") or [],
        "start": script_of(app.get("start")),
        "mode": app.get("mode") or "",
        "workers": workers,
        "port": port,
        "health": "/readyz" if version else app.get("health") or "/",
        "candidate": app.get("candidate") is not False and runs,
        "migrate": migrate if isinstance(migrate, str) else "",
        "migrate_sql": migrate.get("sql", "") if isinstance(migrate, dict) else "",
        "processes": app.get("processes") or {},
        "cron": {job: cron_job(f"halo-cron@{name}.{job}", keys) for job, keys in (app.get("cron") or {}).items()},
        "writable": app.get("writable") or [],
        "env": texts(app.get("env")),
        "secrets": app.get("secrets") or [],
        "redis": filled_options(app.get("redis"), REDIS),
        "postgres": postgres,
        "static": static_of(app.get("static")),
        "domains": app.get("domains") or [],
        "tls": app.get("tls"),
        "websocket": bool(app.get("websocket")),
        "sticky": bool(app.get("sticky")),
        "timeout": timeout,
        "timeout_ms": milliseconds(timeout),
        "body": app.get("body") or BODY,
        "hosts": hosts,
        "memory": app.get("memory") or MEMORY,
        "cpu_percent": round(100 * (app.get("cpu") or 0)),
    }
    return {
        **filled,
        "runs": runs,
        "own_stores": [store for store in ("redis", "postgres") if filled[store] and not filled[store]["shared"]],
        "gate": "version" if version else "health",
        # An app that keeps Halo's contract has ready signal, lame duck and metrics of its own.
        "preload": not version,
        # The folder of its Node and PM2.
        "runtime": f"/opt/halo/runtime/{'node-' + app['node'] if app.get('node') else 'current'}",
        "candidate_port": port + 1,
        "metrics_port": port + 2,
        "metrics_ports": list(range(port + 2, port + 2 + workers)),
        "redis_port": port + 9,
        "user": f"halo-{name}",
        "group": f"halo-{name}",
        "unit": f"halo@{name}",
        "candidate_unit": f"halo-candidate@{name}",
        # No name has a dot, so no other app's units begin so.
        "cron_units": f"halo-cron@{name}.*",
        "root": f"/opt/halo/apps/{name}",
        "releases": f"/opt/halo/apps/{name}/releases",
        "settings": f"/etc/halo/{name}.env",
        "state": f"/var/lib/halo/{name}",
        "pm2_home": f"/var/lib/halo/{name}/pm2",
        "pages": f"/var/www/halo/{name}",
        # To PostgreSQL, of all its processes; a reload and a candidate overlap with the ones in service.
        "connections": len(hosts) * (workers + len(app.get("processes") or {})) * postgres["pool"] * 2 if postgres else 0,
        # A name in SQL has no -, and no app's name has _.
        "database": f"halo_{name.replace('-', '_')}",
    }


def port_of(name, app):
    """The default is the same for a name wherever it stands in the map, so that another app moves no port."""
    return app.get("port") or 20000 + 10 * (zlib.crc32(name.encode()) % 1000)


def hosts_of(app, groups):
    hosts = app.get("hosts") or "all"
    if hosts == "all":
        return list(groups.get("backends", []))
    return [hosts] if isinstance(hosts, str) else list(hosts)


def script_of(start):
    """The script with its arguments of `node SCRIPT ...`; "" for any other command, which the build resolves."""
    words = start.split() if isinstance(start, str) else []
    return " ".join(words[1:]) if len(words) > 1 and words[0] == "node" and not words[1].startswith("-") else ""


def filled_options(value, defaults):
    return {**defaults, "shared": value == SHARED, **(value if isinstance(value, dict) else {})} if value else False


def cron_job(unit, keys):
    seconds = milliseconds(keys.get("timeout") or JOB_TIMEOUT) // 1000
    return {"run": keys["run"], "calendar": f"{keys['at']} UTC", "seconds": seconds, "unit": unit, "timer": f"{unit}.timer"}


def static_of(value):
    if not value:
        return None
    given = value if isinstance(value, dict) else {"folder": value}
    return {"folder": posixpath.normpath(given["folder"]), "spa": given.get("spa", True), "immutable": [posixpath.normpath(each) for each in given.get("immutable", [])]}


def milliseconds(time):
    number, unit = TIME.fullmatch(time).groups()
    return int(number) * {"ms": 1, "s": 1000, "m": 60_000}[unit]


def texts(variables):
    """Variables as a process gets them: true, not Python's True."""
    return {name: shown(value) if isinstance(value, bool) else str(value) for name, value in (variables or {}).items()}


def app_env(plan, given):
    """A plan's env with each ${NAME} replaced; given has the values of Halo's variables and of the app's secrets."""
    return {name: REFERENCE.sub(lambda found: str(given[found.group(1)]), value) for name, value in plan["env"].items()}


def env_line(name, value):
    """A variable as a line of a file that Node reads as settings."""
    quote = next(each for each in QUOTES if each not in str(value))
    return f"{name}={quote}{value}{quote}"


class FilterModule:
    def filters(self):
        return {"app_problems": app_problems, "app_plans": app_plans, "with_app_sites": with_app_sites, "app_env": app_env, "env_line": env_line}
