"""Waits until every backend answers behind nginx and nothing else does; the balancer runs this after a failure.

Arguments: http or https, nginx's port, the site's domain, and the backends' names.
"""
import http.client, socket, ssl, sys, time

scheme, port, domain, *backends = sys.argv[1:]
end = time.time() + 100
served_by = []
while set(served_by[-20:]) != set(backends):
    if time.time() > end:
        raise SystemExit(f"the last answers came from {set(served_by[-20:])}")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
        if scheme == "https":
            # Only the backend's name counts here.
            context = ssl._create_unverified_context()
            connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 5), server_hostname=domain)
        # A path that counts no visit; nginx tries an ejected backend again after some seconds.
        connection.request("GET", "/-/drill", headers={"Host": domain})
        served_by.append(connection.getresponse().getheader("X-Served-By"))
    except OSError as error:
        served_by.append(str(error))
    time.sleep(0.02)
