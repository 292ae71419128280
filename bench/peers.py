# SPDX-License-Identifier: Apache-2.0
"""The servers that bench/run.py compares: each with the configuration its manual recommends, a log of every request, four
workers, on a port of its own; started, measured and ended alone. What is shared with the tests comes from tests/apps/servers.py.
"""
import http.client
import os
import pathlib
import re
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "apps"))
import servers  # noqa: E402

WORKERS = 4
HOST = servers.HOST  # what WordPress calls itself
LOG_FORMAT = '%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"'


# -- /proc: a process and everything below it ---------------------------------------------------------------------------
def tree(root):
    """Process ids of root and its descendants. Orphans that reparent to a subreaper stay below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = pathlib.Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except OSError:
                continue
            children.setdefault(int(text[text.rindex(")") + 2:].split()[1]), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_ns(pids):
    """Time on a CPU of every thread, in nanoseconds, by process and thread."""
    times = {}
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                times[pid, int(task)] = int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        except OSError:
            continue
    return times


def memory(pid):
    """{'Pss': KiB, 'Private_Dirty': KiB, 'Pss_Shmem': KiB, ...} of a process."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}


def command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return "?"


# -- servers -------------------------------------------------------------------------------------------------------------
class Server:
    """A running server. `roots` are the processes whose trees are measured."""
    name = "?"

    def __init__(self, site, folder):
        self.site = site
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755, parents=True)
        self.port = servers.free_port()
        self.procs = []
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def launch(self, argv, is_up=None):
        name = pathlib.Path(argv[0]).name
        p = servers.Process(argv, self.folder / f"{name}.out", name)
        self.procs.append(p)
        p.wait_for(is_up or self.accepts)

    def accepts(self):
        return servers.accepts(socket.AF_INET, ("127.0.0.1", self.port))

    def pids(self):
        return sorted({pid for p in self.procs for pid in tree(p.proc.pid)})

    def pss_kib(self):
        return sum(memory(pid)["Pss"] for pid in self.pids())

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def fetch(self, path, method="GET", body=None, headers=None, port=None):
        c = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        try:
            # The admin listener knows its address only.
            c.request(method, path, body, {"Host": f"127.0.0.1:{port}" if port else HOST, **(headers or {})})
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def stop(self):
        for p in reversed(self.procs):
            p.stop(signal.SIGTERM)


class NginxFpm(Server):
    name = "nginx + php-fpm"

    def start(self):
        as_user = f"user = {servers.PHP_USER}\ngroup = {servers.PHP_GROUP}\nlisten.owner = {servers.PHP_USER}\n" \
            if servers.IS_ROOT else ""
        (self.folder / "fpm.conf").write_text(
            f"[global]\nerror_log = {self.folder}/fpm.log\ndaemonize = no\n[www]\n{as_user}listen = {self.folder}/fpm.sock\n"
            f"pm = static\npm.max_children = {WORKERS}\n")
        (self.folder / "nginx.conf").write_text(nginx_conf(self.folder, self.port, self.site, f"""
        location / {{ try_files $uri $uri/ /index.php$is_args$args; }}
        location ~ [^/]\\.php(/|$) {{
            fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
            include /etc/nginx/fastcgi.conf;
            fastcgi_param PATH_INFO $fastcgi_path_info;
            fastcgi_param HTTP_HOST $http_host;
            fastcgi_pass unix:{self.folder}/fpm.sock;
        }}"""))
        sock = str(self.folder / "fpm.sock")
        self.launch([servers.php_fpm(), "-F", "-y", self.folder / "fpm.conf"], lambda: servers.accepts(socket.AF_UNIX, sock))
        self.launch(nginx_argv(self.folder))


class Nginx(Server):
    name = "nginx"

    def start(self):
        (self.folder / "nginx.conf").write_text(nginx_conf(self.folder, self.port, self.site, ""))
        self.launch(nginx_argv(self.folder))


def nginx_argv(folder):
    return ["/usr/sbin/nginx", "-p", folder, "-e", "error.log", "-c", folder / "nginx.conf"]


def nginx_conf(folder, port, site, locations):
    return f"""
{f'user {servers.PHP_USER} {servers.PHP_GROUP};' if servers.IS_ROOT else ''}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    access_log access.log combined;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {{
        listen 127.0.0.1:{port};
        server_name {HOST.partition(':')[0]};
        root {site.docroot};
        index index.php index.html;
        client_max_body_size 64m;
        absolute_redirect off;{locations}
    }}
}}
"""


class ApachePhp(Server):
    name = "Apache + mod_php"

    def start(self):
        modules = pathlib.Path("/usr/lib/apache2/modules")
        php = sorted(modules.glob("libphp*.so"))[-1]
        load = "".join(f"LoadModule {m}_module {modules}/mod_{m}.so\n" for m in ("mpm_prefork", "authz_core", "dir", "mime"))
        as_user = f"User {servers.PHP_USER}\nGroup {servers.PHP_GROUP}\n" if servers.IS_ROOT else ""
        (self.folder / "apache.conf").write_text(f"""{load}LoadModule php_module {php}
ServerRoot {self.folder}
ServerName {HOST.partition(':')[0]}
PidFile {self.folder}/apache.pid
DefaultRuntimeDir {self.folder}
Listen 127.0.0.1:{self.port}
{as_user}StartServers {WORKERS}
MinSpareServers 1
MaxSpareServers {WORKERS}
MaxRequestWorkers {WORKERS}
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
ServerTokens Prod
TypesConfig /etc/mime.types
ErrorLog {self.folder}/error.log
LogFormat "{LOG_FORMAT}" combined
CustomLog {self.folder}/access.log combined
DocumentRoot {self.site.docroot}
DirectoryIndex index.php index.html
<Directory />
    Require all denied
</Directory>
<Directory {self.site.docroot}>
    Require all granted
    Options FollowSymLinks
    FallbackResource /index.php
</Directory>
<FilesMatch "\\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
""")
        # At its end Apache signals its whole process group: it gets one of its own.
        self.launch(["/usr/bin/setsid", "/usr/sbin/apache2", "-DFOREGROUND", "-d", self.folder, "-f", self.folder / "apache.conf"])


class Plimsoll(Server):
    name = "plimsoll"

    def start(self):
        self.admin_port = servers.free_port()
        (self.folder / "plimsoll.conf").write_text(
            f"[global]\nlisten = 127.0.0.1:{self.port}\nadmin = 127.0.0.1:{self.admin_port}\nerror_log = {self.folder}/error.log\n"
            f"control = {self.folder}/control.sock\nkeepalive_requests = 4000000000\n"
            f"[site default]\nserver_name = {HOST.partition(':')[0]}\nroot = {self.site.root}\nfront_controller = "
            f"{self.site.front_controller or 'off'}\naccess_log = {self.folder}/access.log\n"
            f"[pool default]\npm.max_children = {WORKERS}\n")
        self.launch([servers.BINARY, "serve", self.site.dir, "-c", self.folder / "plimsoll.conf"], self.is_ready)

    def is_ready(self):
        try:
            return self.fetch("/readyz", port=self.admin_port)[0] == 200
        except OSError:
            return False
