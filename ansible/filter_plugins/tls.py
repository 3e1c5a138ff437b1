"""The filter that completes the keys of sites about TLS (group_vars/all/sites.yml)."""


def with_tls(sites, directory):
    """The same sites, each with tls, redirect and hsts. Below .test, which is reserved, tls is local; any other name is served plainly until
    its site says how. A plain port leads to https where every visitor's browser trusts the certificate, so not while it is one of a staging CA
    (directory, the CA's ACME directory), and where there is a password to protect."""
    trusted = ["files"] if "staging" in directory else ["acme", "files"]
    found = []
    for site in sites:
        if not isinstance(site, dict):
            found.append(site)  # parts/check_inventory.yml reports it
            continue
        domain = str(site.get("domain", ""))
        # YAML reads off as false.
        mode = site.get("tls", "local" if domain.endswith(".test") else "off") or "off"
        leads = mode in trusted or (mode != "off" and "login" in site)
        found.append({**site, "tls": mode, "redirect": site.get("redirect", leads), "hsts": site.get("hsts", False)})
    return found


class FilterModule:
    def filters(self):
        return {"with_tls": with_tls}
