/** The bound beyond which a value is bad. Where a comment names an alert, it is the alert's threshold; a test compares them. */
export const limits = {
  /** Share of PostgreSQL's sessions (alert PoolExhausted). */
  sessions: 0.9,
  /** Seconds that the event loop does nothing else: an answer takes 5 ms here, and 200 ms is where people notice. */
  lag: 0.1,
  /** Share of the probes, or of the samples of PostgreSQL, that have to be bad: a single one may be anything. */
  samples: 0.25,
  /** Seconds for a statement on average (DatabaseSlow). */
  statement: 0.01,
  /** Share of a disk that is free (DiskLow), and below which its trend counts. */
  disk: 0.2,
  diskTrend: 0.5,
  /** Share of a CPU that a worker takes whose event loop is blocked, where its page alone may be slow. */
  busy: 0.5,
  /** Share of the time not let run (CpuThrottled, CpuSteal). */
  held: 0.1,
  /** Share of the time in which a worker waits for a CPU, and more than it has one: its host is out of CPU, or has a quota. */
  waited: 0.2,
  /** Share of a backend's equal part of the requests. Round robin gives each backend the same to within a request. */
  share: 0.5,
  /** Answers before shares are judged. */
  answers: 50,
  /** Share of a backend's tries. */
  timeouts: 0.01,
  /** Bytes that a heap's floor rises in the window or in the hour; below it is warming up. */
  leak: 32 * 2 ** 20,
  /** Share of the service's MemoryMax (AppMemory). */
  memory: 0.9,
  /** Days until a certificate expires (CertificateExpiring). */
  certificate: 21,
  /** Share of Redis' maxmemory: from there on it refuses writes at any moment. */
  redisMemory: 0.95,
};
