/** These strings are the contract of the original course project; clients compare them. */
export const MESSAGE = "Halo dari Backend API!";
export const INFO = "Refresh halaman ini untuk melihat container_id berubah (Load Balancing)";
export const CONNECTED = "Terhubung";
export const DISCONNECTED = "Terputus";
/** In seconds; the circuit breaker retries Redis at least this often. */
export const RETRY_AFTER_S = 1;
