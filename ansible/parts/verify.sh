#!/bin/sh
# Checks one host and changes nothing. Arguments: the host's groups. Environment: SITES (as in group_vars), LOGINS (domains), BACKENDS (names), APPENDFSYNC, PROMETHEUS (its address).
# Prints a line for each check: ok|check, WRONG|check|fix, or note|check|reason.
set -u
export LC_ALL=C.UTF-8 LANGUAGE=

check() {
  what=$1 fix=$2
  shift 2
  if "$@" >/dev/null 2>&1; then echo "ok|$what"; else echo "WRONG|$what|$fix"; fi
}
again="npm run up; on your own servers, in ansible/: ansible-playbook site.yml"

contains() { # WORD COMMAND...: the command prints the word on a line of its own
  word=$1
  shift
  "$@" 2>&1 | tr -d '\r' | grep -qxF -- "$word"
}

backups() { find /var/backups/halo -maxdepth 1 -name 'halo-*.tar' "$@" 2>/dev/null; }
recent_backup() { [ -n "$(backups -mmin -1560)" ]; }
# Before the first night, and in the quarter of an hour that the timer takes after a boot, there is no reason to worry.
backup_due() {
  systemctl is-failed --quiet halo-backup || recent_backup || { [ -n "$(backups)" ] && [ -z "$(find /proc/1 -maxdepth 0 -mmin -30)" ]; }
}

backup_line() {
  if backup_due; then
    check "last backup is younger than 26 h" "npm run backup; see: journalctl -u halo-backup" recent_backup
  else
    echo "note|last backup is younger than 26 h|none yet, or the host was off; the timer makes one: systemctl list-timers halo-backup"
  fi
}

sql() { (cd / && runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 --dbname=halo --command="$1"); }
# The releases here of which every migration is applied
migrated() {
  applied=$(sql "SELECT string_agg(name, ' ') FROM workshop.migrations" 2>/dev/null) || return
  for folder in /opt/halo/releases/*/; do
    for file in "$folder"app/migrations/*.sql; do
      case " $applied *.sql " in *" ${file##*/} "*) ;; *) continue 2 ;; esac # *.sql: it has none
    done
    basename "$folder"
  done | xargs
}

# Services whose program or library was replaced under them: they still run the one from before the update.
outdated() {
  grep -lE ' r-xp .* /(usr|opt)/.* \(deleted\)$' /proc/[0-9]*/maps 2>/dev/null | cut -d / -f 3 | while read -r pid; do
    sed -nE 's,.*/([^/]+)\.service(/.*)?$,\1,p' "/proc/$pid/cgroup" 2>/dev/null
  done | sort -u | xargs
}

redis_has_memory() {
  halo-redis-cli info memory | tr -d '\r' | awk -F : '{ of[$1] = $2 } END { exit !("maxmemory" in of) || (of["maxmemory"] > 0 && of["used_memory"] >= of["maxmemory"]) }'
}
redis_has_functions() {
  for name in $(halo-redis-cli needed-functions); do
    contains "$name" halo-redis-cli function list || return
  done
}

disk_has_room() { [ "$(df --output=pcent / | tr -dc 0-9)" -lt 90 ]; }

check "firewall is loaded" "$again" nft list table inet halo
if systemd-detect-virt --quiet --container; then
  echo "ok|clock is the machine's"
else
  check "clock is being kept" "see: timedatectl timesync-status" systemctl is-active systemd-timesyncd
  contains yes timedatectl show --property=NTPSynchronized --value ||
    echo "note|clock is not synchronised yet|no time server has answered; without a network none can"
fi
check "ssh lets in by keys alone" "$again" contains "passwordauthentication no" sshd -T
old=$(outdated)
[ -z "$old" ] || echo "note|an update has replaced what these run: $old|on the host: systemctl restart $old"
[ ! -e /run/reboot-required ] || echo "note|an update waits for a reboot|sudo reboot, one host after the other"
check "disk has room" "a tenth of / has to be free: Redis stops when it cannot write" disk_has_room

for group in "$@"; do
  case $group in
    redis)
      check "redis runs" "npm run diagnose names the cause; see: journalctl -u redis-server" systemctl is-active redis-server
      check "redis is nobody's replica" "on the host: halo-redis-cli replicaof no one" contains role:master halo-redis-cli info replication
      check "redis has memory for more visits" "raise redis_max_memory; $again" redis_has_memory
      check "redis has the function that counts, of each release" "on the host: halo-redis-cli load-functions" redis_has_functions
      check "redis writes its append-only file" "on the host: halo-redis-cli config set appendonly yes" contains aof_enabled:1 halo-redis-cli info persistence
      check "redis' last write reached the file" "see: journalctl -u redis-server, df -h" contains aof_last_write_status:ok halo-redis-cli info persistence
      check "redis flushes $APPENDFSYNC" "on the host: halo-redis-cli config set appendfsync $APPENDFSYNC" contains "$APPENDFSYNC" halo-redis-cli config get appendfsync
      check "redis evicts nothing" "on the host: halo-redis-cli config set maxmemory-policy noeviction" contains noeviction halo-redis-cli config get maxmemory-policy
      backup_line
      check "redis refuses who has no password" "$again" contains "NOAUTH Authentication required." redis-cli ping
      ;;
    postgres)
      check "postgresql answers, and the service's role can read" "see: journalctl -u 'postgresql@*'" sql "SET ROLE halo; SELECT count(*) FROM workshop.migrations"
      check "postgresql's role for the service makes and owns nothing" "$again" contains f sql "SELECT has_schema_privilege('halo', 'workshop', 'CREATE') OR has_database_privilege('halo', 'halo', 'CREATE')
        OR has_function_privilege('halo', 'lo_create(oid)', 'EXECUTE') OR EXISTS (SELECT FROM pg_class WHERE relowner = 'halo'::regrole)"
      check "postgresql has checksums, and none was wrong" "restore a backup: docs/operations/backup.md" contains on/0 sql "SELECT current_setting('data_checksums') || '/' || sum(checksum_failures) FROM pg_stat_database"
      check "postgresql flushes what it acknowledges" "$again" contains on/on sql "SELECT current_setting('fsync') || '/' || current_setting('synchronous_commit')"
      left=$(sql "SELECT string_agg(datname, ', ') FROM pg_database WHERE datname LIKE 'halo\_%'" 2>/dev/null || true)
      [ -z "$left" ] || echo "note|postgresql has the database $left besides|a restore that was interrupted left it. Fix: check what it holds, then on the host: sudo -u postgres dropdb NAME"
      echo "ok|migrations are applied of release $(migrated)"
      case " $* " in *" redis "*) ;; *) backup_line ;; esac
      ;;
    backends)
      check "service runs" "see: journalctl -u halo" systemctl is-active halo
      # The reason is the gate's last line, /readyz's own words among it.
      said=$(halo-release check 2>&1) && ready=true || ready=false
      check "release $(cat /opt/halo/current/RELEASE 2>/dev/null) is ready" "$(echo "$said" | tail -n 1); see: npm run diagnose, journalctl -u halo; $again" "$ready"
      ;;
    balancers)
      check "nginx runs" "see: journalctl -u nginx" systemctl is-active nginx
      check "nginx' configuration is right" "$again" nginx -t
      check "web files of release $(readlink /var/www/halo/current | cut -d / -f 5) are served" "$again" test -d /var/www/halo/current/.
      python3 - <<'PYTHON'
import collections, http.client, json, os

sites = json.loads(os.environ["SITES"])
any_name = [port for site in sites for port in site.get("any_name_ports", [])]
ports = {site["domain"]: sorted({*site.get("ports", []), *site.get("any_name_ports", [])}) for site in sites}
first = sites[0]["domain"]

def ask(path, host=first, port=ports[first][0], method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.getheader("X-Served-By")

def say(right, what, fix):
    print(f"ok|{what}" if right else f"WRONG|{what}|{fix}")

def drained():
    try:
        with open("/var/lib/halo-cluster/drained") as file:
            return file.read().split()
    except OSError:
        return []

for name in drained():
    print(f"note|{name} is drained|npm run undrain -- {name} puts it back")
backends = set(os.environ["BACKENDS"].split()) - set(drained())
try:
    # A path that the service does not have: answered by a backend like any other, and no visit.
    answers = collections.Counter(ask("/-/verify")[1] or "none" for _ in range(10 * len(backends)))
    shares = ", ".join(f"{name} {answers[name]}" for name in sorted(answers))
    say(set(answers) == backends, f"requests go round ({shares})", "start or repair the missing backend")
    say(ask("/metrics") == (404, None), "metrics are not public", "see nginx/nginx.conf.j2")
    for port in {port for each in ports.values() for port in each if port not in any_name}:
        say(ask("/", "unknown.invalid", port)[0] == 421, f"other names are refused on port {port}", "see nginx/nginx.conf.j2")
    for site in sites:
        if "/" not in site["paths"]:
            continue
        if site["domain"] in os.environ["LOGINS"].split():
            status = ask("/", site["domain"], ports[site["domain"]][0])[0]
            say(status == 401, f"{site['domain']} asks who it is ({status})", "see group_vars/all/sites.yml, and nginx' log")
            continue
        # A service of somebody else's may have no page there.
        last = 499 if "service" in site["paths"]["/"] else 399
        answers = {port: ask("/", site["domain"], port, "HEAD")[0] for port in ports[site["domain"]]}
        say(
            all(status <= last and status != 421 for status in answers.values()),
            site["domain"] + " answers (" + ", ".join(f"{port}: {status}" for port, status in answers.items()) + ")",
            "see group_vars/all/sites.yml, and nginx' log",
        )
except OSError as error:
    say(False, f"nginx answers ({error})", "see: journalctl -u nginx")
PYTHON
      ;;
    monitoring)
      check "prometheus runs" "see: journalctl -u prometheus" systemctl is-active prometheus
      check "alertmanager runs" "see: journalctl -u prometheus-alertmanager" systemctl is-active prometheus-alertmanager
      python3 - <<'PYTHON'
import glob, json, os, re, time, urllib.parse, urllib.request

def ask(what):
    with urllib.request.urlopen(os.environ["PROMETHEUS"] + "/prometheus/api/v1/" + what, timeout=10) as answer:
        return json.load(answer)["data"]

def down():
    targets = ask("targets?state=active")["activeTargets"]
    return len(targets), [f"{each['labels']['job']} of {each['labels']['instance']}" for each in targets if each["health"] != "up"]

try:
    # Prometheus scrapes a target that came up a moment ago within 10 s.
    until = time.monotonic() + 12
    while (state := down())[1] and time.monotonic() < until:
        time.sleep(0.5)
    count, silent = state
    if silent:
        print(f"WRONG|{count - len(silent)} of {count} targets answer prometheus|not: {', '.join(silent)}; see: systemctl list-units 'prometheus*' mtail halo")
    else:
        print(f"ok|all {count} targets answer prometheus")
    rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    wrong = [rule["name"] + " fails" for rule in rules if rule["health"] == "err"]
    # A folder that it may not read is no error to Prometheus: no rule is loaded, and nobody says so.
    texts = [open(path).read() for path in glob.glob("/etc/prometheus/rules/*.yml")]
    written = {name for text in texts for name in re.findall(r"^ *(?:- )?(?:alert|record): *['\"]?([\w:]+)", text, re.M)}
    wrong += [f"{name} is not loaded" for name in sorted(written - {rule["name"] for rule in rules})]
    if rules and not wrong:
        print(f"ok|prometheus evaluates {len(rules)} rules")
    else:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        print(f"WRONG|prometheus evaluates its rules|{', '.join(wrong[:3]) or 'there are none'}{more}; npm run up (your own servers: site.yml); see: journalctl -u prometheus")
    unread = ask("query?" + urllib.parse.urlencode({"query": "node_textfile_scrape_error > 0"}))["result"]
    if unread:
        hosts = ", ".join(sorted(each["metric"].get("host", "?") for each in unread))
        print(f"WRONG|node exporters read the files of figures|not on {hosts}: a file in /var/lib/prometheus/node-exporter has a bad line or a mode below 0644; "
              "chmod 0644 or remove it there; see: journalctl -u prometheus-node-exporter")
    else:
        print("ok|node exporters read the files of figures")
except OSError as error:
    print(f"WRONG|prometheus answers ({error})|see: journalctl -u prometheus")
PYTHON
      ;;
  esac
done
