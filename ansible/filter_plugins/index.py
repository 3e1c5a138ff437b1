"""The filters of the index page, which links every site (roles/nginx/templates/index.html.j2)."""

TITLES = {"counter": "Visit counter", "workshop": "Car workshop", "metrics": "Metrics"}


def site_url(site, tls_ports, secure_sites):
    """A site's address: by https where its plain ports lead there, else by its first port. secure_sites are the domains with a certificate: a
    public CA's may be missing yet."""
    if site["redirect"] and site["domain"] in secure_sites:
        return secure_url(site, tls_ports, secure_sites)
    port = [*(site.get("ports") or []), *(site.get("any_name_ports") or [])][0]
    return f"http://{site['domain']}{'' if port == 80 else f':{port}'}"


def secure_url(site, tls_ports, secure_sites):
    """A site's address by https; "" where it has none."""
    return f"https://{site['domain']}{'' if tls_ports[0] == 443 else f':{tls_ports[0]}'}" if site["domain"] in secure_sites else ""


def index_url(sites, tls_ports, secure_sites):
    """The address of the first index page; "" where no site has one."""
    found = (site_url(site, tls_ports, secure_sites) + path for site in sites for path, answer in site["paths"].items() if "index" in answer)
    return next(found, "")


def index_entries(sites, plans, tls_ports, secure_sites):
    """The sites in their order, and then the apps that no site leads to, each as {title, url, secure, domain, login, apps}.

    sites is all_sites, plans is app_plans, secure_sites as in site_url. apps are the names of the apps behind the site that run on backends; a
    site without one is answered by the balancer itself. url, secure (by https) and domain are "" for an app without a site.
    """
    entries = []
    for site in sites:
        services = [answer["service"] for answer in site["paths"].values() if "service" in answer]
        apps = [name for name in dict.fromkeys(services) if name in plans]
        static = [answer["web"] for answer in site["paths"].values() if answer.get("web") in plans]
        title = TITLES.get(site.get("role")) or ", ".join([*apps, *static]) or site["domain"]
        urls = {"url": site_url(site, tls_ports, secure_sites), "secure": secure_url(site, tls_ports, secure_sites)}
        entries.append({"title": title, **urls, "domain": site["domain"], "login": "login" in site, "apps": apps})
    linked = {app for entry in entries for app in entry["apps"]}
    alone = [name for name, plan in plans.items() if plan["runs"] and name not in linked]
    return entries + [{"title": name, "url": "", "secure": "", "domain": "", "login": False, "apps": [name]} for name in alone]


class FilterModule:
    def filters(self):
        return {"index_entries": index_entries, "index_url": index_url}
