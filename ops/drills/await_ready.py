"""Waits until the app of a backend is ready; the drills run this on the balancer.

Arguments: the app's address and port, its health path, the Host of the requests, and the backend's name for the message.
"""
import http.client, sys, time

address, port, path, domain, backend = sys.argv[1:]
end = time.time() + 900  # the longest limit of a drill; a wait outlives a drill that was ended


def ready():
    connection = http.client.HTTPConnection(address, int(port), timeout=1)
    try:
        # An app may refuse a Host that it does not know; the gate of a release sends this one too.
        connection.request("GET", path, headers={"Host": domain})
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


while time.time() < end:
    if ready():
        print("ready")
        break
    time.sleep(0.1)
else:
    raise SystemExit(f"{backend} did not get ready")
