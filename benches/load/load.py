"""Many people at once: sessions that look at pages and ask for verdicts, and queries at the same time, from a second
process over loopback. Starts a guard and a gateway of its own on an environment of a demo, and says how long each kind
of request took and what was answered. Only the standard library.

    python3 benches/load/load.py --programs TARGET/release --env misu-demo/env --seconds 300

An answer that puts the caller off (429, 503 with Retry-After) is counted by itself: it is meant. Any other answer than
the expected one is an error, and ends the run with code 1.
"""

import argparse
import asyncio
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

PAGES = ["/", "/catalogue", "/catalogue/ndb_diagnosis", "/open", "/record", "/workbench"]
VERDICT = "SELECT p.sex, count(DISTINCT p.person_id) AS n{0} FROM person p GROUP BY p.sex"
QUERY = ("SELECT d.prefecture, count(DISTINCT d.person_id) AS n{0} FROM ndb_diagnosis d "
         "WHERE d.icd10 LIKE '{1}%' GROUP BY d.prefecture")
# The guard ends the oldest session of whoever begins one more than it allows.
OF_ONE = 8
WAYS = ["page", "verdict", "query"]


class Figures:
    """Times by kind of request, and answers by kind and status."""

    def __init__(self):
        self.times = {way: [] for way in WAYS}
        self.answers = {}
        self.errors = []

    def note(self, way, status, took, what=""):
        self.answers[f"{way} {status}"] = self.answers.get(f"{way} {status}", 0) + 1
        if status == 200:
            self.times[way].append(took)
        elif status not in (429, 503) and not (way == "query" and status in (202, 409)):
            self.errors.append(f"{way} {status} {what}"[:200])

    def lines(self):
        for way, times in self.times.items():
            times.sort()
            at = lambda share: 1000 * times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")
            yield f"{way}: {len(times)} answered, p50 {at(0.5):.0f} ms, p95 {at(0.95):.0f} ms, p99 {at(0.99):.0f} ms"


async def exchange(port, method, path, headers, body=b""):
    """One request on a connection of its own: status, headers, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}", "connection: close", *headers,
                 f"content-length: {len(body)}", "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), rest


def form(port, number, fields):
    body = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items()).encode()
    # A proxy would say where each comes from; so many people do not sit at one address.
    return body, [f"origin: http://127.0.0.1:{port}", "content-type: application/x-www-form-urlencoded",
                  f"x-forwarded-for: 10.0.{number // 250}.{number % 250}"]


async def sign_in(port, number, word):
    body, headers = form(port, number, {"link": word})
    status, told, _ = await exchange(port, "POST", "/sign-in", headers, body)
    assert status == 303, (status, number)
    cookie = "cookie: " + told["set-cookie"].split(";")[0].replace("__host-", "__Host-")
    _, _, page = await exchange(port, "GET", "/account", [cookie])
    return cookie, page.decode().split('name="form_word" value="')[1].split('"')[0]


async def session(port, number, known, until, figures, chance):
    """One person: looks at pages, writes a question now and then."""
    cookie, word = known
    while time.monotonic() < until:
        began = time.monotonic()
        if chance.random() < 0.5:
            path = chance.choice(PAGES)
            status, _, _ = await exchange(port, "GET", path, [cookie])
            figures.note("page", status, time.monotonic() - began, path)
        else:
            fields = {"form_word": word, "sql": VERDICT.format(chance.randrange(1_000_000))}
            body, headers = form(port, number, fields)
            headers = [*headers, "accept: application/json", cookie]
            status, _, _ = await exchange(port, "POST", "/workbench/check", headers, body)
            figures.note("verdict", status, time.monotonic() - began)
        await asyncio.sleep(chance.uniform(1, 4))


async def asker(port, token, until, figures, chance):
    """A program that asks one query after the other."""
    while time.monotonic() < until:
        sql = QUERY.format(chance.randrange(1_000_000), chance.choice("ABCDEFGHIJKLMN") + str(chance.randrange(10)))
        headers = [f"authorization: Bearer {token}", "content-type: application/json"]
        began = time.monotonic()
        status, told, body = await exchange(port, "POST", "/api/v1/query", headers, json.dumps({"sql": sql}).encode())
        figures.note("query", status, time.monotonic() - began, body[:150].decode(errors="replace"))
        if status != 200:
            await asyncio.sleep(float(told.get("retry-after", "1")))


def memory(process):
    """The largest resident size so far, in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return max((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0) // 1024


async def load(port, words, tokens, wanted):
    figures, chance = Figures(), random.Random(1)
    known = [await sign_in(port, number, word) for number, word in enumerate(words)]
    until = time.monotonic() + wanted.seconds
    people = [session(port, number, one, until, figures, random.Random(number)) for number, one in enumerate(known)]
    programs = [asker(port, tokens[number % len(tokens)], until, figures, chance) for number in range(wanted.queries)]
    await asyncio.gather(*people, *programs)
    return figures


def researchers(said, program, env, count):
    """Enters so many researchers and names them in the demo's permit."""
    permit = env / "policies/demo.toml"
    users = [f"load-{number}" for number in range(count)]
    for user in users:
        said(program("misu"), "people", "set", "--env", str(env), "--as", "demo-operator", user, "--role", "researcher",
             "--trained-until", "2099-03-31", "--organisation", "load")
        if f'"{user}"' not in permit.read_text():
            permit.write_text(permit.read_text() + f'\n[[person]]\nuser = "{user}"\nrole = "researcher"\n')
    return users


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--env", type=Path, required=True)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=300)
    wanted = parser.parse_args()
    env = str(wanted.env)

    def said(*arguments):
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()

    program = lambda name: str(wanted.programs / name)
    users = researchers(said, program, wanted.env, -(-wanted.sessions // OF_ONE))
    words = [said(program("misu-guard"), "account", "link", "--env", env, users[number // OF_ONE])
             for number in range(wanted.sessions)]
    tokens = [said(program("misu"), "token", "issue", "--env", env, "--as", "demo-operator", "demo-researcher",
                   "--project", "demo")]
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/guard.sock"
        start = lambda *arguments: subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        guard = start(program("misu-guard"), "serve", "--env", env, "--socket", socket, "--end-with-parent")
        guard.stdout.readline()
        gateway = start(program("misu-gateway"), "--guard", socket, "--listen", "127.0.0.1:0", "--behind-tls",
                        "--end-with-parent")
        port = int(gateway.stdout.readline().split()[0].rsplit(":", 1)[1])
        try:
            figures = asyncio.run(load(port, words, tokens, wanted))
            print(f"{wanted.sessions} sessions and {wanted.queries} queries at once for {wanted.seconds} s")
            print(*figures.lines(), sep="\n")
            print("answers:", ", ".join(f"{what} × {count}" for what, count in sorted(figures.answers.items())))
            print(f"memory: guard {memory(guard)} MiB, gateway {memory(gateway)} MiB at most")
        finally:
            gateway.terminate()
            guard.terminate()
    if figures.errors:
        raise SystemExit("\n".join(["errors:", *figures.errors[:20]]))


if __name__ == "__main__":
    main()
