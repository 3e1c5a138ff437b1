"""The checks of a balancer that ask nginx; see parts/verify.sh."""

import collections, http.client, json, os, socket, ssl

sites = json.loads(os.environ["SITES"])
any_name = [port for site in sites for port in site.get("any_name_ports", [])]
ports = {site["domain"]: sorted({*site.get("ports", []), *site.get("any_name_ports", [])}) for site in sites}
asked = next((site for site in sites if site.get("role") == "counter"), sites[0])
first = asked["domain"]
app = (asked["paths"].get("/") or {}).get("service")


def leads(site):
    """Whether its plain ports lead to https: a certificate of a public CA may be missing yet."""
    return site["redirect"] and (site["tls"] != "acme" or os.path.exists(f"/etc/letsencrypt/live/{site['domain']}/fullchain.pem"))


led = {site["domain"] for site in sites if leads(site)}


def ask(path, host=first, port=None, method="GET"):
    """Status and backend of an answer; without a port by https where the site's plain ports lead there."""
    secure = port is None and host in led
    port = port or (int(os.environ["TLS_PORT"]) if secure else ports[host][0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if secure:
        # Only the answer counts here: verify.sh judges the certificate.
        context = ssl._create_unverified_context()
        connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=host)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.getheader("X-Served-By")


def say(right, name, fix):
    print(f"ok|{name}" if right else f"WRONG|{name}|Fix: {fix}")


def drained():
    try:
        with open("/var/lib/halo-cluster/drained") as file:
            return file.read().split()
    except OSError:
        return []


for name in drained():
    print(f"note|{name.replace('/', ': ')} is drained|Fix: npm run undrain -- {name.replace('/', ' ')}")
hosts = dict(each.split("=", 1) for each in os.environ["APP_HOSTS"].split())
backends = {host for host in hosts.get(app, "").split(",") if host} - {name.removesuffix(f"/{app}") for name in drained()}
try:
    if backends:
        # A path that the service does not have: answered by a backend like any other, and no visit.
        answers = collections.Counter(ask("/-/verify")[1] or "none" for _ in range(10 * len(backends)))
        shares = ", ".join(f"{name} {answers[name]}" for name in sorted(answers))
        say(set(answers) == backends, f"requests go round ({shares})", "start or repair the missing backend")
    # Another app has its metrics on a port of their own.
    if asked.get("role") == "counter":
        say(ask("/metrics") == (404, None), "metrics are not public", "see nginx/nginx.conf.j2")
    for port in {port for each in ports.values() for port in each if port not in any_name}:
        say(ask("/", "unknown.invalid", port)[0] == 421, f"other names are refused on port {port}", "see nginx/nginx.conf.j2")
    for site in sites:
        closed = site["domain"] in os.environ["LOGINS"].split()
        for path in [path for path, answer in site["paths"].items() if "index" in answer and not closed]:
            status = ask(path, site["domain"])[0]
            say(status == 200, f"{site['domain']}{path} links all sites ({status})", "npm run up (your own servers: site.yml)")
        if "/" not in site["paths"]:
            continue
        if closed:
            status = ask("/", site["domain"])[0]
            say(status == 401, f"{site['domain']} asks for a login ({status})", "see group_vars/all/sites.yml, and nginx' log")
            continue
        # A service of somebody else's may have no page there.
        last = 499 if "service" in site["paths"]["/"] else 399
        answers = {port: ask("/", site["domain"], port, "HEAD")[0] for port in ports[site["domain"]]}
        if site["domain"] in led:
            answers["https"] = ask("/", site["domain"], method="HEAD")[0]
        say(
            all(status <= last and status != 421 for status in answers.values()),
            site["domain"] + " answers (" + ", ".join(f"{port}: {status}" for port, status in answers.items()) + ")",
            "see group_vars/all/sites.yml, and nginx' log",
        )
except OSError as error:
    say(False, f"nginx answers ({error})", "see journalctl -u nginx")
