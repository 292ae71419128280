# SPDX-License-Identifier: Apache-2.0
"""The two servers an application runs on: Peer (nginx + php-fpm, the reference) and Plimsoll; and a MariaDB for both.

Everything lives in folders of the test and on ports of its own. No system service is used, and each process is ended by its
pid. As root, PHP runs as www-data on both; otherwise everything runs as the caller.
"""
import dataclasses
import grp
import json
import os
import pathlib
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PLIMSOLL", REPO / "build" / "plimsoll")).absolute()
IS_ROOT = os.geteuid() == 0
PHP_USER = "www-data" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
PHP_GROUP = "www-data" if IS_ROOT else grp.getgrgid(os.getegid()).gr_name
DEADLINE = 60.0

# What every request says in its Host field, on both servers: pages that name themselves are then the same. The port is not
# the one that is listened on, so that a server which makes up HTTP_HOST from its own port is found out.
HOST = "app.test:8080"


@dataclasses.dataclass
class Site:
    """What is served, in words that both servers understand."""
    dir: pathlib.Path  # the application's folder
    root: str = "."  # document root below it
    front_controller: str | None = "/index.php"
    php_value: dict = dataclasses.field(default_factory=dict)
    php_admin_value: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    workers: int = 2
    nginx: str = ""  # more locations for the peer
    nginx_fastcgi: str = ""  # more lines in the peer's PHP location
    plimsoll_conf: str = ""  # more sections for Plimsoll's file
    plimsoll_site: str = ""  # more lines in its [site]
    plimsoll_pool: str = ""  # more lines in its [pool]

    @property
    def docroot(self):
        return (self.dir / self.root).resolve()


def wait_until(fn, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while not (value := fn()):
        assert time.monotonic() < end, f"{what} did not come about within {deadline:.0f} s"
        time.sleep(0.02)
    return value


def free_port():
    """For a program that can't choose one itself: below those that the kernel gives to whoever asks for any, so that nobody gets it
    in between."""
    for port in random.sample(range(10000, 30000), 1000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no port is free")


def accepts(family, address):
    with socket.socket(family) as s:
        try:
            s.connect(address)
            return True
        except OSError:
            return False


def give_to_php(path):
    """Lets PHP's user write below path."""
    if IS_ROOT:
        subprocess.run(["chown", "-R", "--no-dereference", f"{PHP_USER}:{PHP_GROUP}", str(path)], check=True)


def environment():
    """The test's environment, without what would configure the server."""
    own = ("PORT", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL") and k not in own}
    me = pwd.getpwuid(os.geteuid())
    return {**kept, "HOME": me.pw_dir, "USER": me.pw_name}  # as php-fpm sets them


class Process:
    """A child that ends when the test ends, in order or not."""

    def __init__(self, argv, log, name, pass_fds=()):
        self.name = name
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *map(str, argv)], stdin=subprocess.DEVNULL,
                                         stdout=out, stderr=out, pass_fds=pass_fds, env=environment())

    def wait_for(self, fn):
        def up():
            assert self.proc.poll() is None, f"{self.name} ended with {self.proc.returncode}:\n{self.text()}"
            return fn()
        wait_until(up, f"{self.name} up")

    def text(self):
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self, sig=signal.SIGTERM):
        """Returns the exit code, None if it had to be killed."""
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            return self.proc.wait(60)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            return None


class Peer:
    """nginx and php-fpm with the configuration their manuals recommend, and HTTP_HOST as the client sent it."""
    kind = "nginx + php-fpm"

    def __init__(self, site, folder):
        self.site = site
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755, parents=True)
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.listen = f"127.0.0.1:{self.port}"
        self.procs = []
        (self.folder / "fpm.conf").write_text(self.fpm_conf())
        (self.folder / "nginx.conf").write_text(self.nginx_conf())
        sock = str(self.folder / "fpm.sock")
        try:
            self.start([php_fpm(), "-F", "-y", self.folder / "fpm.conf"], lambda: accepts(socket.AF_UNIX, sock))
            self.start(["/usr/sbin/nginx", "-p", self.folder, "-e", "error.log", "-c", self.folder / "nginx.conf"],
                       lambda: accepts(socket.AF_INET, ("127.0.0.1", self.port)))
        except BaseException:
            self.stop()
            raise

    def start(self, argv, is_up):
        name = pathlib.Path(argv[0]).name
        p = Process(argv, self.folder / f"{name}.out", name)
        self.procs.append(p)
        p.wait_for(is_up)

    def fpm_conf(self):
        as_user = f"user = {PHP_USER}\ngroup = {PHP_GROUP}\nlisten.owner = {PHP_USER}\n" if IS_ROOT else ""
        values = "".join(f"{kind}[{k}] = {quoted(v)}\n" for kind, table in (
            ("php_value", self.site.php_value), ("php_admin_value", self.site.php_admin_value), ("env", self.site.env))
            for k, v in table.items())
        return (f"[global]\nerror_log = {self.folder}/fpm.log\ndaemonize = no\n[www]\n{as_user}"
                f"listen = {self.folder}/fpm.sock\npm = static\npm.max_children = {self.site.workers}\n"
                f"clear_env = no\n{values}")

    def nginx_conf(self):
        front = f" {self.site.front_controller}$is_args$args" if self.site.front_controller else " =404"
        return f"""
{f'user {PHP_USER} {PHP_GROUP};' if IS_ROOT else ''}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    server_tokens off;
    sendfile on;
    access_log access.log;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {{
        listen 127.0.0.1:{self.port};
        server_name {HOST.partition(':')[0]};
        root {self.site.docroot};
        index index.php index.html;
        client_max_body_size 64m;
        absolute_redirect off;
        {self.site.nginx}
        location ~ /\\.(?!well-known/) {{ return 404; }}
        location / {{ try_files $uri $uri/{front}; }}
        location ~ [^/]\\.php(/|$) {{
            fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
            include /etc/nginx/fastcgi.conf;
            fastcgi_param PATH_INFO $fastcgi_path_info;
            fastcgi_param HTTP_HOST $http_host;
            # What Debian's snippet comes to: its try_files leaves the script's name here.
            fastcgi_param DOCUMENT_URI $fastcgi_script_name;
            fastcgi_pass unix:{self.folder}/fpm.sock;
            {self.site.nginx_fastcgi}
        }}
    }}
}}
"""

    def logs(self):
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-4000:]}" for p in sorted(self.folder.glob("*.log")))

    def stop(self):
        for p in reversed(self.procs):
            p.stop(signal.SIGQUIT if p.name == "nginx" else signal.SIGTERM)


class Plimsoll:
    """The server under test."""
    kind = "plimsoll"

    def __init__(self, site, folder):
        self.site = site
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755, parents=True)
        (self.folder / "plimsoll.conf").write_text(self.conf())
        read_fd, write_fd = os.pipe()
        argv = [BINARY, "serve", site.dir, "-c", self.folder / "plimsoll.conf", "--listen", "127.0.0.1:0",
                "--ready-fd", write_fd]
        self.process = Process(argv, self.folder / "stderr.log", "plimsoll", pass_fds=(write_fd,))
        os.close(write_fd)
        try:
            with open(read_fd, "rb", buffering=0) as ready:
                self.ready = self.read_ready(ready)
        except BaseException:
            self.process.stop()
            raise
        self.listen = self.ready["listen"][0]
        self.port = int(self.listen.rpartition(":")[2])
        self.base_url = f"http://{self.listen}"

    def read_ready(self, ready):
        data, end = b"", time.monotonic() + DEADLINE
        while not data.endswith(b"\n"):
            readable, _, _ = select.select([ready], [], [], max(0, end - time.monotonic()))
            piece = ready.read(4096) if readable else b""
            assert piece, f"plimsoll said nothing on --ready-fd:\n{self.process.text()}"
            data += piece
        return json.loads(data)

    def conf(self):
        s = self.site
        values = "".join(f"{kind}[{k}] = {quoted(v)}\n" for kind, table in (
            ("php_value", s.php_value), ("php_admin_value", s.php_admin_value), ("env", s.env)) for k, v in table.items())
        return (f"[global]\nerror_log = {self.folder}/error.log\ncontrol = {self.folder}/control.sock\n"
                f"[site default]\nserver_name = {HOST.partition(':')[0]}\nroot = {s.root}\n"
                f"front_controller = {s.front_controller or 'off'}\nmax_body_size = 64M\naccess_log = {self.folder}/access.log\n{s.plimsoll_site}\n"
                f"[pool default]\npm.max_children = {s.workers}\n{values}{s.plimsoll_pool}\n{s.plimsoll_conf}\n")

    def logs(self):
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-4000:]}" for p in sorted(self.folder.glob("*.log")))

    def stop(self):
        code = self.process.stop()
        assert code == 0, f"plimsoll ended with {code}:\n{self.logs()}"


class Database:
    """A MariaDB of the test's own: a socket in a folder, no port."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755, parents=True)
        data = self.folder / "data"
        data.mkdir()
        self.socket = str(self.folder / "db.sock")
        as_user = []
        if IS_ROOT:
            as_user = ["--user=mysql"]
            shutil.chown(self.folder, "mysql", "mysql")
            shutil.chown(data, "mysql", "mysql")
        made = subprocess.run(["/usr/bin/mysql_install_db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                               "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M", *as_user],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert made.returncode == 0, made.stdout
        self.process = Process(["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.socket}",
                                "--skip-networking", f"--pid-file={self.folder}/db.pid", "--innodb-log-file-size=8M",
                                "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
                                "--performance-schema=OFF", "--character-set-server=utf8mb4", *as_user],
                               self.folder / "db.out", "mariadbd")
        try:
            self.process.wait_for(lambda: accepts(socket.AF_UNIX, self.socket))
        except BaseException:
            self.stop()
            raise

    def sql(self, text, database=""):
        done = subprocess.run(["/usr/bin/mariadb", "--no-defaults", "-N", "-B", "-S", self.socket, "-u", "root", database],
                              input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def create(self, name):
        """A database and a user of the same name (and password) who sees nothing else."""
        self.sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4; CREATE USER '{name}'@'localhost' IDENTIFIED BY '{name}';"
                 f"GRANT ALL ON `{name}`.* TO '{name}'@'localhost';")

    def stop(self):
        self.process.stop()


def php_fpm():
    """The php-fpm that Debian's package installed; its file name carries PHP's version."""
    found = sorted(pathlib.Path("/usr/sbin").glob("php-fpm*"))
    assert found, "no php-fpm: install php-fpm"
    return found[-1]


def quoted(value):
    return '"' + str(value).replace('"', '\\"') + '"'


def copy_app(source, target, ignore=()):
    """Copies an application as Debian lays it out. Symbolic links stay links, but relative ones are made absolute: they lead
    out of the copy, into /usr/share, and the server has to follow them."""
    source, target = pathlib.Path(source), pathlib.Path(target)
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*ignore))
    for folder, dirs, files in os.walk(target):
        for name in dirs + files:
            path = pathlib.Path(folder, name)
            if path.is_symlink() and not os.readlink(path).startswith("/"):
                real = os.path.realpath(source / path.relative_to(target))
                path.unlink()
                path.symlink_to(real)
