"""A program submits an analysis over the HTTP API, waits for it, and fetches its outputs as one package."""

import io
import json
import os
import sys
import time
import urllib.error
import urllib.request
import zipfile

text = sys.stdin.read()


def call(method, path, body=None, token=None):
    request = urllib.request.Request(os.environ["MISU_URL"] + path, method=method)
    request.add_header("authorization", "Bearer " + (token or os.environ["MISU_TOKEN"]))
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, data) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


status, headers, body = call("POST", "/api/v1/analyses", {"text": text})
assert status == 202, (status, body)
place = headers["location"]
for _ in range(400):
    run = json.loads(call("GET", place)[2])
    if run["state"] not in ("queued", "running"):
        break
    time.sleep(0.1)
print(run["state"], *(step["came"] for step in run["steps"] if "keeps" not in step and step["came"] != "kept"))
assert run["steps"][0]["came"] == "kept", run

status, _, body = call("GET", place + "/package")
assert status == 200, body
package = zipfile.ZipFile(io.BytesIO(body))
assert package.read("analysis.toml").decode() == text
said = json.loads(package.read("provenance.json"))
assert [output["step"] for output in said["outputs"]] == ["by_sex", "by_month"], said
for output in said["outputs"]:
    table = json.loads(package.read(f"outputs/{output['step']}.json"))
    assert table["query"] == output["query"] and package.read(f"outputs/{output['step']}.note")

# What ended is not stopped or run again, another project's token finds nothing, and a wrong file is told its place.
assert json.loads(call("POST", place + "/stop")[2])["state"] == "done"
assert json.loads(call("POST", place + "/resume")[2])["state"] == "done"
for path in (place, place + "/package"):
    assert call("GET", path, token=os.environ["MISU_OTHER"])[0] == 404
assert json.loads(call("GET", "/api/v1/analyses", token=os.environ["MISU_OTHER"])[2])["total"] == 0
assert json.loads(call("GET", "/api/v1/analyses")[2])["items"][0]["id"] == run["id"]
status, _, body = call("POST", "/api/v1/analyses", {"text": text.replace("GROUP BY p.sex", "GROUP BY $nothing")})
assert status == 422, body
print(json.loads(body)["detail"])
