"""Waits until the service of a backend is ready; the drills run this on the balancer.

Arguments: the URL of the service's readiness, and the backend's name for the message.
"""
import sys, time, urllib.request

url, backend = sys.argv[1:]
end = time.time() + 900  # the longest limit of a drill; a wait outlives a drill that was ended

while time.time() < end:
    try:
        urllib.request.urlopen(url, timeout=1)
        print("ready")
        break
    except OSError:
        time.sleep(0.1)
else:
    raise SystemExit(f"{backend} did not get ready")
