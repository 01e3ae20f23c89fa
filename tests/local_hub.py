"""A Hub in this process: what huggingface_hub asks of it over HTTP, to upload and to download."""

import base64
import hashlib
import http.server
import json
import re
import threading
from urllib.parse import urlsplit

TOKEN = "hf_local"


class LocalHub(http.server.ThreadingHTTPServer):
    """Repositories in memory, behind `endpoint`; use it as a context.

    files: bytes by path, for each repository. broken: connections are closed without an answer.
    """

    daemon_threads = True

    def __init__(self):
        """On a port that is free."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.files, self.objects, self.broken = {}, {}, False

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Whoever closes a connection early is no fault."""

    def sha(self, repo):
        """The commit at which a repository is: a function of its files."""
        known = hashlib.sha1()
        for path, content in sorted(self.files[repo].items()):
            known.update(path.encode() + content)
        return known.hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Says nothing."""

    def _answer(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.broken:
            self.close_connection = True
        else:
            self._send(*self._found())

    def _found(self):
        """Code, content and headers of the answer."""
        path = urlsplit(self.path).path
        if self.command == "POST" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid credentials in Authorization header"}
        for method, pattern, answer in _ROUTES:
            if method == self.command and (found := re.fullmatch(pattern, path)):
                return answer(self, **found.groupdict())
        return _MISSING

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _send(self, code, content, headers=()):
        is_file = isinstance(content, bytes)
        body = content if is_file else json.dumps(content).encode()
        kind = "application/octet-stream" if is_file else "application/json"
        headers = {"Content-Length": len(body), "Content-Type": kind, **dict(headers)}
        if code == 404:
            headers |= {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _create(self):
        asked = json.loads(self.body)
        repo = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"{self.server.endpoint}/{repo}"}
        if repo in self.server.files:
            return 409, url
        self.server.files[repo] = {}
        return 200, url

    def _validate(self):
        return 200, {"errors": [], "warnings": []}

    def _info(self, repo, revision="main"):
        files = self.server.files.get(repo)
        if files is None or revision not in ("main", self.server.sha(repo)):
            return _MISSING
        names = [{"rfilename": path} for path in files]
        return 200, {"id": repo, "sha": self.server.sha(repo), "siblings": names}

    def _tree(self, repo, revision):
        files = self.server.files.get(repo, {}).items()
        listed = [
            {"type": "file", "path": path, "size": len(content), "oid": _digest(content)}
            for path, content in files
        ]
        return 200, listed

    def _preupload(self, repo, revision):
        paths = [file["path"] for file in json.loads(self.body)["files"]]
        modes = {True: "lfs", False: "regular"}  # as a new repository's .gitattributes have it
        listed = [
            {
                "path": path,
                "uploadMode": modes[path.endswith(".safetensors")],
                "shouldIgnore": False,
                "oid": None,
            }
            for path in paths
        ]
        return 200, {"files": listed}

    def _batch(self, repo):
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.server.endpoint}/lfs/{one['oid']}"}}}
            for one in json.loads(self.body)["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}

    def _object(self, oid):
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.server.objects[oid] = self.body
        return 200, {}

    def _commit(self, repo, revision):
        files = self.server.files[repo]
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = self.server.sha(repo)
        url = f"{self.server.endpoint}/{repo}/commit/{sha}"
        return 200, {"success": True, "commitOid": sha, "commitUrl": url}

    def _file(self, repo, revision, path):
        content = self.server.files.get(repo, {}).get(path)
        if content is None:
            return _MISSING
        commit = self.server.sha(repo)
        return 200, content, {"ETag": f'"{_digest(content)}"', "X-Repo-Commit": commit}


def _digest(content):
    return hashlib.sha1(content).hexdigest()


_MISSING = 404, {"error": "Repository not found"}
_REPO, _REVISION = r"(?P<repo>[^/]+/[^/]+)", r"(?P<revision>[^/]+)"
_ROUTES = [
    ("POST", "/api/repos/create", _Handler._create),
    ("POST", "/api/validate-yaml", _Handler._validate),
    ("GET", f"/api/models/{_REPO}", _Handler._info),
    ("GET", f"/api/models/{_REPO}/revision/{_REVISION}", _Handler._info),
    ("GET", f"/api/models/{_REPO}/tree/{_REVISION}", _Handler._tree),
    ("POST", f"/api/models/{_REPO}/preupload/{_REVISION}", _Handler._preupload),
    ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch", _Handler._batch),
    ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", _Handler._object),
    ("POST", f"/api/models/{_REPO}/commit/{_REVISION}", _Handler._commit),
    ("HEAD", rf"/{_REPO}/resolve/{_REVISION}/(?P<path>.+)", _Handler._file),
    ("GET", rf"/{_REPO}/resolve/{_REVISION}/(?P<path>.+)", _Handler._file),
]
