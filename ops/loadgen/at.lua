-- wrk asks the name in its URL at the address HALO_ADDRESS: https needs the name in the handshake, and no DNS knows it.
-- Without that address, by http, the one in the URL is it.
local address = os.getenv("HALO_ADDRESS")
if address then wrk.resolve = function(_, service) wrk.addrs = wrk.lookup(address, service) end end
