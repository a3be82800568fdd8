"""Holds the crate of a run's package against the validator's profiles, and a crate with something missing as well.

No network: the one context that a crate names is answered with the copy that another package brings.
"""

import io
import json
import pathlib
import sys
import tempfile
import zipfile

import requests
import rocrate
import urllib3
from rocrate_validator import models, services

CONTEXT = (pathlib.Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
PROFILES = ("ro-crate-1.1", "process-run-crate-0.5")


def sent(self, request, **_):
    if "ro/crate/1.1/context" not in request.url:
        raise requests.ConnectionError(f"no network: {request.url}")
    raw = urllib3.HTTPResponse(
        io.BytesIO(CONTEXT), {"Content-Type": "application/ld+json"}, 200, preload_content=False, request_url=request.url
    )
    return self.build_response(request, raw)


requests.adapters.HTTPAdapter.send = sent

import urllib.request  # noqa: E402


class Opened(io.BytesIO):
    headers = {"Content-Type": "application/ld+json", "content-type": "application/ld+json"}

    def __init__(self, url):
        super().__init__(CONTEXT)
        self.url = url

    def geturl(self):
        return self.url

    def info(self):
        return self.headers


def opened(request, *_, **__):
    url = request if isinstance(request, str) else request.full_url
    if "ro/crate/1.1/context" in url:
        return Opened(url)
    raise OSError(f"no network: {url}")


import rdflib.parser  # noqa: E402
import rdflib.plugins.shared.jsonld.util  # noqa: E402

for module in (urllib.request, rdflib.parser, rdflib.plugins.shared.jsonld.util):
    for name in ("urlopen", "_urlopen"):
        if hasattr(module, name):
            setattr(module, name, opened)


def issues(folder, profile):
    settings = services.ValidationSettings(
        rocrate_uri=str(folder), profile_identifier=profile, requirement_severity=models.Severity.REQUIRED
    )
    return [f"{issue.check.identifier} {issue.message}" for issue in services.validate(settings).get_issues()]


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    zipfile.ZipFile(sys.argv[1]).extractall(folder)
    for profile in PROFILES:
        print(profile, issues(folder, profile))
    # A crate without its licence, and an action without its instrument, are found out.
    path = folder / "ro-crate-metadata.json"
    whole = json.loads(path.read_text())
    for profile, kind, lost in zip(PROFILES, ("Dataset", "CreateAction"), ("license", "instrument")):
        for entity in whole["@graph"]:
            if entity["@type"] == kind:
                entity.pop(lost, None)
        path.write_text(json.dumps(whole))
        print("without", lost, bool(issues(folder, profile)))
