"""`make bench`: sfproxy beside nginx and HAProxy, interleaved, in one run; prints a Markdown table of medians.

    python3 tests/bench/bench.py [--parts a,b,c,d] [--reps 3] [--streams 1000,2000,9900] [--seconds 4] [--write]
                                 [--sfproxy build/sfproxy] [--beside NAME=BINARY]

a  a 1 KB POST answered with 2 KB of JSON, 64 keep-alive connections: CPU per request, requests a second
b  the same at concurrency 1, everything on one CPU: latency above that of the stand-in alone
c  a 1 MB body (the picture first, "model" behind it), 8 connections: CPU per request
d  event streams of 200-byte chunks, all read to their end: CPU per chunk, lost chunks, latency, memory per stream
   (d2000: that many, whatever --streams says)
e  CPU of a small request while 6 000 others wait for their first byte, and alone
f  a client leaves: milliseconds until the stand-in sees its request given up
g  memory of clients that read a large answer slowly

Every figure comes from a freshly started proxy with one worker. The proxy has CPU 0, load generator and stand-in CPU 1
(part b: all on CPU 1). Only what stands in one table may be compared: the machine itself changes from minute to minute.
--beside measures a second sfproxy in the same run, for before and after. Everything started here is stopped here."""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import scenes

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/bench"
KEYS = [f"sk-bench{i:02d}{'0123456789abcdef' * 2}" for i in range(10)]
PROXY_CPU, LOAD_CPU = 0, 1
REFERENCE = "nginx"

NGINX = """daemon off; master_process off; worker_processes 1; worker_rlimit_nofile {files};
pid {dir}/nginx.pid; error_log {dir}/nginx.log crit;
events {{ worker_connections {files}; }}
http {{
  access_log off;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  client_max_body_size 64m; client_body_buffer_size 2m; keepalive_requests 1000000000;
  upstream platform {{ server 127.0.0.1:{upstream}; keepalive 12000; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://platform; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {key}";
    }}
  }}
}}
"""

HAPROXY = """global
  maxconn {half}
  nbthread 1
defaults
  mode http
  maxconn {half}
  timeout connect 10s
  timeout client 300s
  timeout server 300s
  http-reuse always
  option http-no-delay
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend platform
backend platform
  http-request set-header Authorization "Bearer {key}"
  server one 127.0.0.1:{upstream}
"""

SFPROXY = """[server]
listen = 127.0.0.1:{port}
workers = 1
client_key = sk-bench
[upstream]
base_url = http://127.0.0.1:{upstream}
[keys]
{keys}
[log]
file = {dir}/sfproxy.log
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pin(pid, cpu):
    """Every thread of the process; threads made later inherit."""
    if os.cpu_count() < 2:
        return
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {cpu})


class Process:
    running = []

    def __init__(self, argv, cpu, log):
        self.log = open(WORK / log, "ab")
        self.child = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}) if os.cpu_count() > 1 else None,
        )
        self.pid = self.child.pid
        Process.running.append(self)

    def stop(self):
        if self in Process.running:
            Process.running.remove(self)
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.log.close()


def command_of(name, binary, port, upstream):
    """Writes the configuration; returns the command."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    values = {
        "dir": folder, "port": port, "upstream": upstream, "key": KEYS[0], "files": files, "half": files // 2 - 50,
        "keys": "\n".join(f"k{i} = {k}" for i, k in enumerate(KEYS)),
    }
    template = {"nginx": NGINX, "HAProxy": HAPROXY}.get(name, SFPROXY)
    conf = folder / "conf"
    conf.write_text(template.format(**values))
    conf.chmod(0o600)
    if name == "nginx":
        return [binary, "-p", str(folder), "-c", str(conf)]
    if name == "HAProxy":
        return [binary, "-db", "-q", "-f", str(conf)]
    return [binary, "-c", str(conf), "--state", os.path.relpath(folder / "state", ROOT), "--headless"]


def wait_until_serving(port, process):
    body = json.dumps({"model": "bench/json-100", "messages": []})
    headers = {"Authorization": "Bearer sk-bench", "Content-Type": "application/json"}
    deadline = time.monotonic() + 15
    last = "no answer"
    while time.monotonic() < deadline:
        if process and process.child.poll() is not None:
            break
        try:
            c = HTTPConnection("127.0.0.1", port, timeout=5)
            c.request("POST", "/v1/chat/completions", body, headers)
            answer = c.getresponse()
            last = f"{answer.status} {answer.read(300)!r}"
            c.close()
            if answer.status == 200:
                return
        except (OSError, HTTPException) as e:
            last = str(e)
        time.sleep(0.05)
    raise SystemExit(f"bench: {process.child.args if process else 'stand-in'} does not serve: {last}; see {WORK}")


class Bench:
    def __init__(self, options):
        self.options = options
        self.subjects = {"nginx": shutil.which("nginx") or "/usr/sbin/nginx",
                         "HAProxy": shutil.which("haproxy") or "/usr/sbin/haproxy",
                         "sfproxy": str(Path(options.sfproxy).resolve())}
        for pair in options.beside:
            name, binary = pair.split("=", 1)
            self.subjects[name] = str(Path(binary).resolve())
        self.upstream = free_port()
        self.results = {}  # (part, subject) -> [answers of load]

    def load(self, mode, *args, port, pid=0):
        argv = [str(ROOT / "build/bench/load"), mode, "--to", f"127.0.0.1:{port}", "--pid", str(pid), *map(str, args)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CPU}) if os.cpu_count() > 1 else None,
        )
        if done.returncode:
            raise SystemExit(f"bench: {' '.join(argv)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def measure(self, part, name, args, cpu=PROXY_CPU):
        """One fresh proxy, one measurement."""
        key = (part, name)
        if name == "direct":
            self.results.setdefault(key, []).append(self.load(*args, port=self.upstream))
            return
        port = free_port()
        proxy = Process(command_of(name, self.subjects[name], port, self.upstream), cpu, f"{name}.out")
        try:
            wait_until_serving(port, proxy)
            pin(proxy.pid, cpu)
            self.load("req", "--model", "bench/json-200", "-c", 8, "-n", 400, port=port)
            result = args(self, port, proxy.pid) if callable(args) else self.load(*args, port=port, pid=proxy.pid)
            self.results.setdefault(key, []).append(result)
        finally:
            proxy.stop()

    def plan(self):
        """(part, arguments of load or a scene, also direct, CPU of the proxy)"""
        t = self.options.seconds
        small = ("--model", "bench/json-2048", "-b", 1024, "-t", t)
        for part in self.options.parts.split(","):
            if part == "a":
                yield "a", ("req", *small, "-c", 64), True, PROXY_CPU
            elif part == "b":
                yield "b", ("req", *small, "-c", 1), True, LOAD_CPU
            elif part == "c":
                yield "c", ("req", "--model", "bench/json-200", "-b", 1 << 20, "-c", 8, "-t", t), False, PROXY_CPU
            elif part in scenes.SCENES:
                yield part, scenes.SCENES[part], False, PROXY_CPU
            elif part == "d" or (part[0] == "d" and part[1:].isdigit()):
                for streams in map(int, (part[1:] or self.options.streams).split(",")):
                    yield f"d{streams}", stream_arguments(streams, t), False, PROXY_CPU
            else:
                raise SystemExit(f"bench: there is no part {part}; a to g are there")

    def run(self):
        standin = Process([str(ROOT / "build/standin"), "--port", str(self.upstream)], LOAD_CPU, "standin.out")
        try:
            wait_until_serving(self.upstream, standin)
            for rep in range(self.options.reps):
                for part, args, also_direct, cpu in self.plan():
                    for name in (["direct"] if also_direct else []) + list(self.subjects):
                        print(f"round {rep + 1}/{self.options.reps}: {part} {name}      ", end="\r", file=sys.stderr)
                        self.measure(part, name, args, cpu)
        finally:
            for process in Process.running[:]:
                process.stop()
        print(" " * 60, end="\r", file=sys.stderr)

    def median(self, part, name, figure):
        figures = [figure(r) for r in self.results.get((part, name), [])]
        return statistics.median(figures) if figures and None not in figures else None

    def table(self, part, columns, names):
        """columns: (title, figure of one result, digits, also as a ratio to nginx)"""
        out = ["| | " + " | ".join(c[0] + (" (x nginx)" if c[3] else "") for c in columns) + " |",
               "|---" * (len(columns) + 1) + "|"]
        for name in names:
            cells = [name]
            for _, figure, digits, with_ratio in columns:
                value, reference = self.median(part, name, figure), self.median(part, REFERENCE, figure)
                text = f"{value:,.{digits}f}" if value is not None else "not seen"
                if with_ratio and reference and value is not None:
                    text += f" ({value / reference:.2f})"
                cells.append(text)
            out.append("| " + " | ".join(cells) + " |")
        return out

    def report(self):
        out, names = [machine_line(), ""], list(self.subjects)
        parts = {part for part, _ in self.results}
        if "a" in parts:
            out += ["**(a) 1 KB POST, 2 KB JSON back, 64 keep-alive connections**", ""]
            out += self.table("a", REQUEST_COLUMNS, names)
            out += ["", f"The stand-in alone: {self.median('a', 'direct', lambda r: r['rps']):,.0f} requests a second.", ""]
        if "b" in parts:
            base50 = self.median("b", "direct", lambda r: r["p50_us"])
            base99 = self.median("b", "direct", lambda r: r["p99_us"])
            columns = [("added p50, us", lambda r: r["p50_us"] - base50, 0, True),
                       ("added p99, us", lambda r: r["p99_us"] - base99, 0, True)]
            out += ["**(b) added latency, concurrency 1, all on one CPU**", ""] + self.table("b", columns, names)
            out += ["", f"The stand-in alone: p50 {base50:.0f} us, p99 {base99:.0f} us.", ""]
        if "c" in parts:
            out += ["**(c) 1 MB body, 8 connections**", ""] + self.table("c", BODY_COLUMNS, names) + [""]
        for part in sorted((p for p in parts if p[0] == "d"), key=lambda p: int(p[1:])):
            rate = stream_rate(int(part[1:]))
            out += [f"**(d) {int(part[1:]):,} event streams, {rate} chunks a second each, 200 bytes a chunk**", ""]
            out += self.table(part, STREAM_COLUMNS, names) + [""]
        for part in sorted(parts & set(scenes.SCENES)):
            out += [scenes.TITLES[part], ""] + self.table(part, scenes.COLUMNS[part], names) + [""]
        return "\n".join(out + [self.small_print()])

    def small_print(self):
        counts = [len(rows) for rows in self.results.values()]
        least, most = min(counts), max(counts)
        rounds = f"{most} round{'s' * (most > 1)}" + (f" (some parts: {least})" if least < most else "")
        errors = sum(r["errors"] for rows in self.results.values() for r in rows)
        text = (
            f"Median of {rounds}, interleaved, each with a freshly started proxy; one worker "
            "(`server.workers = 1`, one nginx process, one HAProxy thread). nginx: `proxy_buffering off`, keep-alive "
            "upstream, one Authorization header set; HAProxy: `http-reuse always`, `option http-no-delay`, the same header. On in sfproxy: 10 "
            "keys in the pool, client key check, whole body read and scanned for the model, answer judged before it is "
            "passed on, usage read from every chunk, accounting, recent list, log. CPU: utime + stime of the process, "
            "all threads. Memory: Pss against before the first stream."
        )
        return text + (f"\n\n**{errors} requests failed: these figures are not to be trusted.**" if errors else "")


def stream_rate(streams):
    """40 000 chunks a second are what one CPU of load generator and stand-in can do."""
    return 20 if streams <= 2000 else 2


def stream_arguments(streams, seconds):
    interval = 1000 // stream_rate(streams)
    ramp = min(streams, 2000)
    life_ms = (streams / ramp + 2 + seconds + 1.5) * 1000
    return ("sse", "-c", streams, "--chunks", int(life_ms / interval), "--interval", interval, "--bytes", 200, "--ramp",
            ramp, "-t", seconds)


REQUEST_COLUMNS = [
    ("CPU us/request", lambda r: r["cpu_us"] / max(r["requests"], 1), 1, True),
    ("requests/s", lambda r: r["rps"], 0, False),
    ("p50 us", lambda r: r["p50_us"], 0, False),
    ("p99 us", lambda r: r["p99_us"], 0, False),
]
BODY_COLUMNS = [
    ("CPU us/request", lambda r: r["cpu_us"] / max(r["requests"], 1), 0, True),
    ("requests/s", lambda r: r["rps"], 0, False),
]
STREAM_COLUMNS = [
    ("CPU us/chunk", lambda r: r["cpu_us"] / max(r["window_chunks"], 1), 1, True),
    ("CPU %", lambda r: r["cpu_us"] / r["seconds"] / 1e4, 0, False),
    ("KB/stream", lambda r: (r["pss_kb"] - r["pss_before_kb"]) / r["streams"], 1, True),
    ("lost chunks", lambda r: r["expected"] - r["chunks"], 0, False),
    ("p50 us", lambda r: r["p50_us"], 0, False),
    ("p99 us", lambda r: r["p99_us"], 0, False),
    ("over 50 ms", lambda r: r["late"], 0, False),
]


def machine_line():
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {model}, Linux {platform.release()}"


def write_into_docs(report):
    page = ROOT / "docs/performance.md"
    begin, end = "<!-- bench: begin -->", "<!-- bench: end -->"
    text = page.read_text()
    head, rest = text.split(begin, 1)
    page.write_text(f"{head}{begin}\n{report}\n{end}{rest.split(end, 1)[1]}")


def options_of(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--parts", default="a,b,c,d")
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--streams", default="1000", help="of part d, comma separated")
    p.add_argument("--seconds", type=float, default=4)
    p.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    p.add_argument("--sfproxy", default="build/sfproxy")
    p.add_argument("--beside", action="append", default=[], metavar="NAME=BINARY")
    return p.parse_args(argv)


def main():
    options = options_of(sys.argv[1:])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    WORK.mkdir(parents=True, exist_ok=True)
    bench = Bench(options)
    bench.run()
    (WORK / "results.json").write_text(json.dumps({f"{p} {n}": r for (p, n), r in bench.results.items()}, indent=1))
    report = bench.report()
    print(report)
    if options.write:
        write_into_docs(report)


if __name__ == "__main__":
    main()
