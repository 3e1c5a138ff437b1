"""The checks of the monitoring host that ask Prometheus; see parts/verify.sh."""

import glob, json, os, re, time, urllib.parse, urllib.request


def ask(path):
    with urllib.request.urlopen(os.environ["PROMETHEUS"] + "/prometheus/api/v1/" + path, timeout=30) as answer:
        return json.load(answer)["data"]


def longest(targets):
    """The longest time between two scrapes of a target, in seconds. Prometheus writes it as 1m30s."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return max(sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|h|m|s)", each["scrapeInterval"])) for each in targets)


def silent():
    """How many targets there are, and the error of each that has not answered since this began."""
    since = time.monotonic()
    answered = set()
    while True:
        targets = ask("targets?state=active")["activeTargets"]
        answered |= {each["scrapeUrl"] for each in targets if each["health"] == "up"}
        errors = {f"{each['labels']['job']} of {each['labels']['instance']}": each["lastError"] or "not asked yet" for each in targets if each["scrapeUrl"] not in answered}
        # A target that came up a moment ago is scraped within its interval. A host that is busy for a moment answers too late; the next two
        # scrapes, each within its own interval, show whether it is that.
        late = all("deadline exceeded" in error for error in errors.values())
        if not errors or time.monotonic() > since + (3 if late else 1) * (longest(targets) + 2):
            return len(targets), [f"{target} ({error})" for target, error in errors.items()]
        time.sleep(0.5)


try:
    count, errors = silent()
    if errors:
        print(f"WRONG|{count - len(errors)} of {count} targets answer prometheus|not: {', '.join(errors)}. Fix: see, on that host, systemctl list-units 'prometheus*' mtail 'halo@*'")
    else:
        print(f"ok|all {count} targets answer prometheus")
    rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    wrong = [rule["name"] + " fails" for rule in rules if rule["health"] == "err"]
    # A folder that it may not read is no error to Prometheus: no rule is loaded, and no message says so.
    texts = [open(path).read() for path in glob.glob("/etc/prometheus/rules/*.yml")]
    written = {name for text in texts for name in re.findall(r"^ *(?:- )?(?:alert|record): *['\"]?([\w:]+)", text, re.M)}
    wrong += [f"{name} is not loaded" for name in sorted(written - {rule["name"] for rule in rules})]
    if rules and not wrong:
        print(f"ok|prometheus evaluates {len(rules)} rules")
    else:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        print(f"WRONG|prometheus evaluates its rules|{', '.join(wrong[:3]) or 'there are none'}{more}. Fix: npm run up (your own servers: site.yml); see journalctl -u prometheus")
    unread = ask("query?" + urllib.parse.urlencode({"query": "node_textfile_scrape_error > 0"}))["result"]
    if unread:
        hosts = ", ".join(sorted(each["metric"].get("host", "?") for each in unread))
        print(f"WRONG|node exporters read the metrics files|not on {hosts}: a file in /var/lib/prometheus/node-exporter has a bad line or a mode below 0644. "
              "Fix: chmod 0644 or remove it there; see journalctl -u prometheus-node-exporter")
    else:
        print("ok|node exporters read the metrics files")
except OSError as error:
    print(f"WRONG|prometheus answers ({error})|Fix: see journalctl -u prometheus")
