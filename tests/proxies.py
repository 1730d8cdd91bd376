"""nginx and HAProxy with the configurations of deploy/, on ports of a test."""

import grp
import os
import pwd

from tests.blocks import ROOT

_NGINX = """
daemon off;
pid {folder}/nginx.pid;
user {user} {group};
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/sheaf.conf;
}}
"""


def substituted(path, ports):
    """A configuration with addresses of this machine; every one of `ports` must be in it.

    Args:
        path: The file, from `deploy/`.
        ports: Ports by what the file has: `door-1:4317` for a host, `:4317` where it listens.
    """
    text = (ROOT / "deploy" / path).read_text(encoding="utf-8")
    for documented, port in ports.items():
        if documented.startswith(":"):
            here = f"listen {documented[1:]}", f"bind {documented}", f"bind 127.0.0.1{documented}"
            assert sum(text.count(each) for each in here) == 1, documented
            for each in here:
                text = text.replace(each, f"{each.split()[0]} 127.0.0.1:{port}")
        else:
            assert f" {documented} " in text, documented
            text = text.replace(f" {documented} ", f" 127.0.0.1:{port} ")
    return text


def nginx(program, folder, ports):
    """The command that runs nginx with `deploy/nginx/sheaf.conf`."""
    folder.mkdir(exist_ok=True)
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    (folder / "sheaf.conf").write_text(substituted("nginx/sheaf.conf", ports))
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user, group=group))
    return [
        *(program, "-p", str(folder), "-e", str(folder / "errors.log")),
        *("-c", str(folder / "nginx.conf")),
    ]


def haproxy(program, folder, ports, clickhouse):
    """The command that runs HAProxy with both files of `deploy/haproxy`.

    Args:
        program: HAProxy.
        folder: Where the files are written.
        ports: For `sheaf.cfg`, as of :func:`substituted`.
        clickhouse: For `clickhouse.cfg`; its checks ask the port of `port 8123`.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sheaf.cfg").write_text(substituted("haproxy/sheaf.cfg", ports))
    hosts = substituted("haproxy/clickhouse.cfg", clickhouse)
    for place in ("1", "2"):
        checked = f"check port {clickhouse[f'clickhouse-{place}:8123']}"
        hosts = "\n".join(
            line.replace("check port 8123", checked) if f"host-{place} " in line else line
            for line in hosts.split("\n")
        )
    (folder / "clickhouse.cfg").write_text(hosts)
    files = [str(folder / name) for name in ("sheaf.cfg", "clickhouse.cfg")]
    return [program, "-db", "-f", files[0], "-f", files[1]]
