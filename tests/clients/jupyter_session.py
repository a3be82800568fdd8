"""The Jupyter kernel through a real JupyterLab server and nbclient.

nbclient -> JupyterLab (`--gateway-url`) -> misu. Prints one line for each thing that is not as it should be.
With `--write FILE` the executed notebook is written there, as the example has it.
"""

import asyncio
import contextlib
import copy
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import nbformat
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayKernelManager
from nbclient import NotebookClient

GATEWAY, TOKEN, OTHER = os.environ["MISU_URL"], os.environ["MISU_TOKEN"], os.environ["MISU_OTHER"]
NOTEBOOK = pathlib.Path(os.environ["MISU_NOTEBOOK"])


def wrong(text):
    print(text.replace("\n", " "))


def lab(folder):
    """A JupyterLab server on a free port in front of the gateway, and its address."""
    env = {**os.environ, "JUPYTER_GATEWAY_AUTH_TOKEN": TOKEN, "HOME": folder, "JUPYTER_NO_CONFIG": "1"}
    env |= {f"JUPYTER_{kind}_DIR": f"{folder}/{kind.lower()}" for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--gateway-url={GATEWAY}", "--port=18888", "--ServerApp.port_retries=500"]
    # The server is this test's alone; its own sign-in is not what is looked at.
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--notebook-dir={folder}"]
    log = open(f"{folder}/lab.log", "w")
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    for _ in range(600):
        for info in pathlib.Path(folder, "runtime").glob("jpserver-*.json"):
            address = json.loads(info.read_text() or "{}").get("url")
            try:
                urllib.request.urlopen(f"{address}api/kernelspecs", timeout=20).read()
                return process, address.rstrip("/")
            except (urllib.error.URLError, OSError):
                pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    sys.exit("JupyterLab does not come up:\n" + pathlib.Path(folder, "lab.log").read_text()[-3000:])


def plain(outputs):
    """Outputs without what differs between runs: ids, and the place in the record."""
    outputs = copy.deepcopy(outputs)
    for output in outputs:
        output.pop("execution_count", None)
        output.pop("metadata", None)
    text = json.dumps(outputs, sort_keys=True, ensure_ascii=False)
    return re.sub(r"(query|snapshot) [0-9A-Za-z.-]+", r"\1 …", text)


def executed(notebook):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(notebook, km=GatewayKernelManager(), timeout=60, record_timing=False)
    client.execute(kernel_name="misu")
    return notebook


def drawn(notebook):
    """Tables with one or two keys have a picture before them, unless none is wanted; what is hidden is drawn as such."""
    pictures = {}
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        kinds = [output.get("data", {}).keys() for output in outputs]
        pictures[cell.id] = [output.data["image/svg+xml"] for output, kind in zip(outputs, kinds) if "image/svg+xml" in kind]
    if len(pictures["cell-4"]) != 1 or "polyline" not in pictures["cell-4"][0] and "<path" not in pictures["cell-4"][0]:
        wrong("months are not drawn as a line")
    if len(pictures["cell-4c"]) != 1 or "url(#misu-veil)" not in pictures["cell-4c"][0]:
        wrong("the hidden figures of a heat map are not drawn")
    if [cell for cell in pictures if cell > "cell-4d" and pictures[cell]]:
        wrong("%chart off draws")


async def reply(client, message):
    while True:
        answer = await client.get_shell_msg(timeout=30)
        if answer["parent_header"].get("msg_id") == message:
            return answer["content"]


def workers(guard):
    """The processes that the guard started."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything; what comes behind it does not.
            parent = status.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == guard:
            found.append(int(status.parent.name))
    return found


async def session(guard):
    """What a kernel does besides running cells."""
    manager = GatewayKernelManager()
    await manager.start_kernel(kernel_name="misu")
    client = manager.client()
    await client.start_channels()
    info = await reply(client, client.kernel_info())
    if info["language_info"]["name"] != "sql":
        wrong(f"kernel info: {info}")
    for code, wanted in [
        ("SELECT count(*) FROM pers", "person"),
        ("SELECT person.se", "sex"),
        ("%ver", "%verdict"),
        ("SELECT count(*) FROM person WHERE sex = 'fem", "2"),
        ("SELECT 性別, age_b", "age_band"),
    ]:
        found = await reply(client, client.complete(code, len(code)))
        if wanted not in found["matches"] or code[found["cursor_start"] :] not in code:
            wrong(f"completing {code}: {found['matches'][:9]}")
    known = await reply(client, client.inspect("SELECT sex", 9))
    if not known["found"] or "性別" not in known["data"]["text/plain"]:
        wrong(f"inspecting sex: {known}")
    for code, status in [("SELECT count(", "incomplete"), ("SELECT 1", "complete")]:
        if (await reply(client, client.is_complete(code)))["status"] != status:
            wrong(f"{code} is not {status}")
    silent = await reply(client, client.execute("SELECT 1", silent=True))
    if silent["status"] != "error" or silent["execution_count"] != 0:
        wrong(f"a silent cell: {silent}")
    # A worker that does not answer: the cell can be interrupted, cells behind it are not run.
    held = workers(guard)
    if not held:
        wrong("no worker stands ready")
    for worker in held:
        os.kill(worker, signal.SIGSTOP)
    try:
        slow = client.execute("SELECT sex, count(*) AS records FROM person GROUP BY sex")
        behind = client.execute("%help")
        await asyncio.sleep(0.5)
        await manager.interrupt_kernel()
        stopped, aborted = await reply(client, slow), await reply(client, behind)
    finally:
        for worker in held:
            # The one that was interrupted is killed.
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
    if stopped.get("ename") != "Interrupted" or aborted["status"] != "aborted":
        wrong(f"interrupted: {stopped}, behind it {aborted}")
    await manager.restart_kernel()
    if (await reply(client, client.execute("%help")))["execution_count"] != 1:
        wrong("a restarted kernel counts on")
    await stranger(manager.kernel_id)
    client.stop_channels()
    await manager.shutdown_kernel()


async def stranger(kernel):
    """Somebody else's token, no token, and a flood, at the gateway itself."""
    import websocket

    def status(path, token, method="GET"):
        headers = {"authorization": f"token {token}"} if token else {}
        request = urllib.request.Request(f"{GATEWAY}{path}", method=method, headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=20).status
        except urllib.error.HTTPError as error:
            return error.code

    for path, method in [
        (f"/api/kernels/{kernel}", "GET"),
        (f"/api/kernels/{kernel}", "DELETE"),
        (f"/api/kernels/{kernel}/interrupt", "POST"),
    ]:
        if (status(path, OTHER, method), status(path, None, method)) != (404, 401):
            wrong(f"{method} {path}: {status(path, OTHER, method)} and {status(path, None, method)}")
    channels = f"{GATEWAY.replace('http', 'ws')}/api/kernels/{kernel}/channels"
    for header in ([], [f"authorization: token {OTHER}"]):
        try:
            websocket.create_connection(channels, header=header, timeout=20).close()
            wrong("channels opened for a stranger")
        except websocket.WebSocketBadStatusException:
            pass
    mine = [f"authorization: token {TOKEN}"]
    flood = websocket.create_connection(channels, header=mine, timeout=20)
    message = json.dumps({
        "channel": "shell", "content": {"code": "%help"},
        "header": {"msg_id": "x", "msg_type": "execute_request", "session": "s", "date": "2026-01-01"},
    })
    try:
        for _ in range(4000):
            flood.send(message)
        flood.settimeout(20)
        while flood.recv():
            pass
    except (websocket.WebSocketException, OSError):
        pass
    for junk in ("{", "[]", '{"channel":"shell"}', "\0" * 100):
        socket = websocket.create_connection(channels, header=mine, timeout=20)
        socket.send(junk)
        try:
            # What the kernel publishes for others comes first, then the end.
            while socket.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
                pass
        except (websocket.WebSocketException, OSError):
            pass
    # The kernel is still there for its owner, once the owner's rate allows it again.
    for _ in range(100):
        if status(f"/api/kernels/{kernel}", TOKEN) == 200:
            return
        time.sleep(0.1)
    wrong("the kernel is gone after a flood")


def main():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        process, address = lab(folder)
        try:
            client = GatewayClient.instance()
            client.url = address
            client.ws_url = address.replace("http", "ws")
            shown = executed(notebook)
            if "--write" in sys.argv:
                nbformat.write(shown, sys.argv[-1])
                return
            for ours, theirs in zip(notebook.cells, shown.cells):
                if ours.cell_type == "code" and plain(ours.outputs) != plain(theirs.outputs):
                    wrong(f"{ours.source}: {plain(theirs.outputs)} is not {plain(ours.outputs)}")
            drawn(shown)
            asyncio.run(session(int(os.environ["MISU_GUARD"])))
        finally:
            process.terminate()
            process.wait()


main()
