import { limits } from "../../app/web/metrics/definitions.ts";
import { siteOf } from "../cluster/sites.ts";
import type { Board } from "./panel.ts";

const perHost = "{{host}}";
// The pages of the monitoring are no visits.
const site = `site!="${siteOf("metrics")?.domain ?? ""}"`;
const p95 = (histogram: string, by = "", where = "") =>
  `histogram_quantile(0.95, sum by (${by ? `${by}, ` : ""}le) (rate(${histogram}_bucket{${where}}[$__rate_interval])))`;

/** Every dashboard; the recording rules are in the roles' templates/rules.yml. */
export const boards: Board[] = [
  {
    uid: "halo-overview",
    title: "Halo: overview",
    about: "The visitors' view, and the resources in use",
    rows: {
      Visitors: [
        {
          title: "Requests",
          unit: "reqps",
          ask: { "site:requests:rate1m": "site", "backend:requests:rate1m": perHost },
        },
        {
          title: "Response time, p95",
          unit: "s",
          ask: { "site:latency_seconds:p95_1m": "site", "backend:latency_seconds:p95_1m": perHost },
          bad: limits.p95,
          log: true,
        },
        {
          title: "Errors",
          unit: "percentunit",
          ask: { "site:errors:ratio1m": "site", "backend:errors:ratio1m": perHost },
          bad: limits.errors,
        },
        {
          title: "Answers by status",
          unit: "reqps",
          ask: { [`sum by (status) (rate(edge_requests_total{${site}}[$__rate_interval]))`]: "{{status}}" },
        },
        {
          title: "Given to another backend",
          unit: "reqps",
          about: "Requests that a backend failed, or left waiting",
          ask: {
            "sum(rate(edge_retried_total[$__rate_interval])) or vector(0)": "retried",
            'sum(rate(edge_failed_tries_total{kind="timeout"}[$__rate_interval])) or vector(0)': "timeouts",
            'sum(rate(edge_failed_tries_total{kind="error"}[$__rate_interval])) or vector(0)': "errors",
          },
        },
        {
          title: "Visits",
          unit: "reqps",
          ask: { "sum(rate(visits_counted_total[$__rate_interval]))": "counted" },
        },
      ],
      "Use of resources": [
        { title: "CPU", unit: "percentunit", ask: { "host:cpu:ratio1m": perHost }, bad: limits.cpu, max: 1 },
        { title: "Memory of the service", unit: "bytes", ask: { "backend:memory:bytes": perHost } },
        {
          title: "Disk space free",
          unit: "percentunit",
          ask: { "min by (host) (disk:free:ratio)": perHost },
          bad: limits.disk,
          low: true,
          max: 1,
        },
        {
          title: "Network",
          unit: "Bps",
          ask: { "host:network_bytes:rate1m": "{{host}} {{direction}}" },
        },
        {
          title: "Database latency",
          unit: "s",
          ask: { "database:latency_seconds:mean1m": "mean", "database:latency_seconds:p95_1m": "p95" },
          bad: limits.database,
          log: true,
        },
        {
          title: "Database connections",
          unit: "short",
          ask: { "database:connections:used": "in use", "max(pg_settings_max_connections)": "allowed" },
        },
      ],
      Alarm: [
        {
          title: "Alerts that fire",
          unit: "short",
          ask: { 'count by (alertname) (ALERTS{alertstate="firing"})': "{{alertname}}" },
          width: 12,
        },
        {
          title: "Targets that do not answer",
          unit: "short",
          ask: { "count by (job) (up == 0) or 0 * count by (job) (up)": "{{job}}" },
          width: 12,
        },
      ],
    },
  },
  {
    uid: "halo-backends",
    title: "Halo: backends",
    about: "Each app on each backend, by PM2 worker",
    of: "service",
    rows: {
      Requests: [
        {
          title: "Requests by route",
          unit: "reqps",
          ask: {
            'sum by (route) (rate(http_requests_total{host=~"$host",app=~"$app"}[$__rate_interval]))': "{{route}}",
          },
        },
        {
          title: "Requests by status",
          unit: "reqps",
          ask: {
            'sum by (status) (rate(http_requests_total{host=~"$host",app=~"$app"}[$__rate_interval]))': "{{status}}",
          },
        },
        {
          title: "Duration by route, p95",
          unit: "s",
          ask: { [p95("http_request_duration_seconds", "route", 'host=~"$host",app=~"$app"')]: "{{route}}" },
          bad: limits.p95,
          log: true,
        },
        {
          title: "Under way",
          unit: "short",
          ask: { 'sum by (host) (http_requests_in_flight{host=~"$host",app=~"$app"})': perHost },
        },
        {
          title: "Requests by app",
          unit: "reqps",
          ask: { 'app:requests:rate1m{app=~"$app"}': "{{app}}" },
        },
        {
          title: "Errors by app",
          unit: "percentunit",
          ask: { 'app:errors:ratio1m{app=~"$app"}': "{{app}}" },
          bad: limits.errors,
        },
        {
          title: "Duration by app, p95",
          unit: "s",
          ask: { 'app:latency_seconds:p95_1m{app=~"$app"}': "{{app}}" },
          bad: limits.p95,
          log: true,
        },
        {
          title: "Share of the requests",
          unit: "percentunit",
          about: "Round robin gives each the same",
          ask: { "backend:requests:rate1m / on () group_left () (sum(backend:requests:rate1m) > 0)": perHost },
          max: 1,
        },
        {
          title: "Answers as nginx counts them",
          unit: "reqps",
          ask: { "sum by (backend) (rate(edge_answers_total[$__rate_interval]))": "{{backend}}" },
        },
      ],
      Workers: [
        {
          title: "CPU",
          unit: "percentunit",
          ask: {
            'rate(process_cpu_seconds_total{job="service",host=~"$host",app=~"$app"}[$__rate_interval])':
              "{{instance}}",
          },
          bad: limits.cpu,
        },
        {
          title: "Memory",
          unit: "bytes",
          ask: {
            'process_resident_memory_bytes{job="service",host=~"$host",app=~"$app"}': "{{instance}} resident",
            'nodejs_heap_size_used_bytes{host=~"$host",app=~"$app"}': "{{instance}} heap",
          },
        },
        {
          title: "Memory by app, of its limit",
          unit: "percentunit",
          ask: {
            'max by (app, host) (service_memory_bytes{host=~"$host",app=~"$app"} / service_memory_limit_bytes)':
              "{{app}} {{host}}",
          },
          bad: [0.9],
          max: 1,
        },
        {
          title: "Event loop lag, p99",
          unit: "s",
          ask: { 'nodejs_eventloop_lag_p99_seconds{host=~"$host",app=~"$app"}': "{{instance}}" },
          log: true,
        },
        {
          title: "Garbage collection",
          unit: "percentunit",
          about: "Share of the time",
          ask: {
            'sum by (instance) (rate(nodejs_gc_duration_seconds_sum{host=~"$host",app=~"$app"}[$__rate_interval]))':
              "{{instance}}",
          },
        },
        {
          title: "Held back by its CPU limit",
          unit: "percentunit",
          about: "Share of the time in which the cgroup had used up its quota",
          ask: {
            'max by (instance) (rate(service_cpu_throttled_seconds_total{host=~"$host",app=~"$app"}[$__rate_interval])) or 0 * max by (instance) (up{job="service",host=~"$host",app=~"$app"})':
              "{{instance}}",
          },
        },
        {
          title: "Age of the workers",
          unit: "s",
          about: "A drop is a restart",
          ask: { 'time() - process_start_time_seconds{job="service",host=~"$host",app=~"$app"}': "{{instance}}" },
        },
      ],
    },
  },
  {
    uid: "halo-stores",
    title: "Halo: Redis and PostgreSQL",
    about: "The stores, as the service has them and as they see themselves",
    rows: {
      Redis: [
        {
          title: "Latency, p95",
          unit: "s",
          about: "As the service has it, the wait for a connection included",
          ask: { [p95("redis_command_duration_seconds")]: "p95" },
          log: true,
        },
        {
          title: "Commands",
          unit: "ops",
          ask: { "sum(rate(redis_commands_processed_total[$__rate_interval]))": "commands" },
        },
        {
          title: "Errors",
          unit: "ops",
          ask: { "sum(rate(redis_errors_total[$__rate_interval])) or vector(0)": "as the service has it" },
        },
        {
          title: "Memory",
          unit: "bytes",
          ask: { redis_memory_used_bytes: "used", "redis_memory_max_bytes > 0": "allowed" },
        },
        {
          title: "Clients",
          unit: "short",
          ask: { redis_connected_clients: "connected", redis_blocked_clients: "blocked" },
        },
        {
          title: "Writing its append-only file",
          unit: "short",
          about: "1: the last write and the last rewrite went well",
          ask: {
            redis_aof_last_write_status: "last write",
            redis_aof_last_bgrewrite_status: "last rewrite",
          },
        },
      ],
      PostgreSQL: [
        {
          title: "Latency",
          unit: "s",
          about: "As the service has it",
          ask: { "database:latency_seconds:mean1m": "mean", "database:latency_seconds:p95_1m": "p95" },
          bad: limits.database,
          log: true,
        },
        {
          title: "Queries",
          unit: "ops",
          ask: {
            "sum by (operation) (rate(postgres_query_duration_seconds_count[$__rate_interval]))": "{{operation}}",
          },
        },
        {
          title: "Errors",
          unit: "ops",
          ask: {
            "sum(rate(postgres_errors_total[$__rate_interval])) or vector(0)": "queries",
            "sum(rate(postgres_pool_refused_total[$__rate_interval])) or vector(0)": "no connection in time",
          },
        },
        {
          title: "Connections by state",
          unit: "short",
          ask: { 'sum by (state) (pg_stat_activity_count{datname=~"halo.*"})': "{{state}}" },
        },
        {
          title: "The service's pools",
          unit: "short",
          ask: {
            'sum by (host) (postgres_pool_connections{state="used"})': "{{host}} used",
            "sum by (host) (postgres_pool_waiting)": "{{host}} waiting",
            "sum by (host) (postgres_pool_size)": "{{host}} size",
          },
        },
        {
          title: "Transactions",
          unit: "ops",
          ask: {
            'rate(pg_stat_database_xact_commit{datname=~"halo.*"}[$__rate_interval])': "{{datname}} committed",
            'rate(pg_stat_database_xact_rollback{datname=~"halo.*"}[$__rate_interval])': "{{datname}} rolled back",
          },
        },
        {
          title: "Read from memory",
          unit: "percentunit",
          about: "Share of the blocks that were not read from disk",
          ask: {
            'rate(pg_stat_database_blks_hit{datname=~"halo.*"}[5m]) / (rate(pg_stat_database_blks_hit{datname=~"halo.*"}[5m]) + rate(pg_stat_database_blks_read{datname=~"halo.*"}[5m]) > 0)':
              "{{datname}}",
          },
          max: 1,
        },
        { title: "Size", unit: "bytes", ask: { 'pg_database_size_bytes{datname=~"halo.*"}': "{{datname}}" } },
        {
          title: "Locks",
          unit: "short",
          ask: { 'sum by (mode) (pg_locks_count{datname=~"halo.*"})': "{{mode}}" },
        },
      ],
      "The workshop's lists": [
        {
          title: "Lists from memory",
          unit: "percentunit",
          about: "Share of the lists that a worker had in memory",
          ask: { "cache:hits:ratio5m": "site", "backend:cache_hits:ratio5m": perHost },
          max: 1,
        },
        {
          title: "Lists by result",
          unit: "reqps",
          about: "hit: from memory. The others were read from PostgreSQL",
          ask: { "sum by (result) (rate(list_cache_reads_total[$__rate_interval]))": "{{result}}" },
        },
        {
          title: "Unconfirmed writes",
          unit: "reqps",
          about: "Redis did not confirm the new generation in time: other workers' lists may be a minute old",
          ask: { "sum(rate(list_cache_unconfirmed_total[$__rate_interval]))": "writes" },
        },
      ],
    },
  },
  {
    uid: "halo-hosts",
    title: "Halo: hosts",
    about: "Each host, and the services on it",
    of: "node",
    rows: {
      Host: [
        {
          title: "CPU",
          unit: "percentunit",
          ask: { 'host:cpu:ratio1m{host=~"$host"}': perHost },
          bad: limits.cpu,
          max: 1,
        },
        {
          title: "Taken away by the hypervisor (steal)",
          unit: "percentunit",
          ask: {
            'avg by (host) (rate(node_cpu_seconds_total{mode="steal",host=~"$host"}[$__rate_interval]))': perHost,
          },
        },
        {
          title: "Memory available",
          unit: "bytes",
          about: "Where the hosts are containers: of the machine that they share",
          ask: { 'node_memory_MemAvailable_bytes{host=~"$host"}': perHost },
        },
        {
          title: "Disk space free",
          unit: "percentunit",
          ask: { 'disk:free:ratio{host=~"$host"}': "{{host}} {{mountpoint}}" },
          bad: limits.disk,
          low: true,
          max: 1,
        },
        {
          title: "Network",
          unit: "Bps",
          ask: { 'host:network_bytes:rate1m{host=~"$host"}': "{{host}} {{direction}}" },
        },
        { title: "Load", unit: "short", ask: { 'node_load1{host=~"$host"}': perHost } },
      ],
      Processes: [
        {
          title: "CPU by process",
          unit: "percentunit",
          ask: {
            'sum by (host, groupname) (rate(namedprocess_namegroup_cpu_seconds_total{host=~"$host"}[$__rate_interval]))':
              "{{host}} {{groupname}}",
          },
        },
        {
          title: "Memory by process",
          unit: "bytes",
          ask: {
            'sum by (host, groupname) (namedprocess_namegroup_memory_bytes{memtype="resident",host=~"$host"})':
              "{{host}} {{groupname}}",
          },
        },
        {
          title: "Units that failed",
          unit: "short",
          ask: {
            'sum by (host) (node_systemd_unit_state{state="failed",host=~"$host"})': perHost,
          },
        },
      ],
    },
  },
  {
    uid: "halo-releases",
    title: "Halo: releases",
    about: "The releases in service, and the effects of deploys and drills on visitors; these are the marks",
    rows: {
      Releases: [
        {
          title: "Workers by release",
          unit: "short",
          ask: { "sum by (app, release) (service_release_info)": "{{app}} {{release}}" },
          width: 24,
        },
        { title: "Requests", unit: "reqps", ask: { "site:requests:rate1m": "site" } },
        {
          title: "Errors",
          unit: "percentunit",
          ask: { "site:errors:ratio1m": "site" },
          bad: limits.errors,
        },
        {
          title: "Response time, p95",
          unit: "s",
          ask: { "site:latency_seconds:p95_1m": "site" },
          bad: limits.p95,
          log: true,
        },
        { title: "CPU of the service", unit: "percentunit", ask: { "backend:cpu:ratio1m": perHost } },
        { title: "Memory of the service", unit: "bytes", ask: { "backend:memory:bytes": perHost } },
        {
          title: "Given to another backend",
          unit: "reqps",
          ask: { "sum(rate(edge_retried_total[$__rate_interval])) or vector(0)": "retried" },
        },
      ],
    },
  },
];
