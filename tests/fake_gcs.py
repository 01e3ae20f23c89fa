"""Google Cloud Storage in memory, as far as gcsfs and TensorStore ask for it.

An object is put whole or not at all, there are no folders, and nothing can be renamed.
"""

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator

import google_crc32c
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BUCKET = "bucket"


class Store:
    """The objects of a bucket by name; `read_only` makes it refuse what is put."""

    def __init__(self):
        self.objects: dict[str, bytes] = {}
        self.read_only = False
        self._generations: dict[str, int] = {}
        self._uploads: dict[str, tuple[str, bytearray]] = {}

    def app(self) -> Starlette:
        """The server."""
        one, every = f"/storage/v1/b/{BUCKET}/o/{{name:path}}", f"/storage/v1/b/{BUCKET}/o"
        from_to = f"{one.replace('name', 'source')}/rewriteTo/b/{BUCKET}/o/{{name:path}}"
        routes = [
            Route(f"/storage/v1/b/{BUCKET}", self._bucket, methods=["GET"]),
            Route(from_to, self._copy, methods=["POST"]),
            Route(one, self._read, methods=["GET"]),
            Route(f"/download{one}", self._read, methods=["GET"]),
            Route(one, self._delete, methods=["DELETE"]),
            Route(every, self._list, methods=["GET"]),
            Route(f"/upload{every}", self._upload, methods=["POST"]),
            Route("/batch/storage/v1", self._delete_several, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def put(self, name: str, content: bytes) -> Response:
        if self.read_only:
            return _refused(403, "You may not write here.")
        self._generations[name] = self._generations.get(name, 0) + 1
        self.objects[name] = content
        return JSONResponse(self._metadata(name))

    def _metadata(self, name: str) -> dict[str, str]:
        content, generation = self.objects[name], str(self._generations[name])
        crc32c = google_crc32c.value(content).to_bytes(4, "big")
        return {
            "kind": "storage#object",
            "bucket": BUCKET,
            "name": name,
            "size": str(len(content)),
            "generation": generation,
            "etag": generation,
            "crc32c": base64.b64encode(crc32c).decode(),
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "updated": "2026-01-01T00:00:00.000Z",
        }

    def _changed(self, request: Request, name: str) -> bool:
        """Whether an object is not the one that a request is for; 0 is none."""
        asked = request.query_params.get("ifGenerationMatch")
        now = self._generations[name] if name in self.objects else 0
        return asked is not None and int(asked) != now

    async def _bucket(self, request: Request) -> Response:
        return JSONResponse({"kind": "storage#bucket", "name": BUCKET})

    async def _read(self, request: Request) -> Response:
        name, query = request.path_params["name"], request.query_params
        if name not in self.objects:
            return _refused(404, f"No such object: {BUCKET}/{name}")
        metadata = self._metadata(name)
        if query.get("alt") != "media":
            return JSONResponse(metadata)
        if query.get("ifGenerationNotMatch") == metadata["generation"]:
            return Response(status_code=304)
        if self._changed(request, name):
            return _refused(412, "It was changed.")
        content, headers = self.objects[name], {"x-goog-generation": metadata["generation"]}
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if not found:
            return Response(content, headers=headers)
        begin, end = found.groups()
        first = int(begin) if begin else max(len(content) - int(end), 0)
        part = content[first : int(end) + 1 if begin and end else None]
        if not part:
            return Response(status_code=416)
        headers["content-range"] = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        return Response(part, 206, headers)

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, folders = [], set()
        for name in sorted(self.objects):
            if not name.startswith(prefix) or name < query.get("startOffset", ""):
                continue
            if "endOffset" in query and name >= query["endOffset"]:
                continue
            head, below, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("",) * 3
            if below:
                folders.add(prefix + head + delimiter)
            else:
                items.append(self._metadata(name))
        return JSONResponse({"items": items, "prefixes": sorted(folders)})

    async def _upload(self, request: Request) -> Response:
        query, body = request.query_params, await request.body()
        if "upload_id" in query:  # a part of one that was begun
            name, so_far = self._uploads[query["upload_id"]]
            so_far += body
            if request.headers["content-range"].endswith("/*"):
                return Response(status_code=308, headers={"range": f"bytes=0-{len(so_far) - 1}"})
            return self.put(name, bytes(so_far))
        if query["uploadType"] == "resumable":
            if self.read_only:
                return _refused(403, "You may not write here.")
            token = str(len(self._uploads))
            self._uploads[token] = query["name"], bytearray()
            asked = urllib.parse.urlencode({"uploadType": "resumable", "upload_id": token})
            return Response(headers={"location": str(request.url.replace(query=asked))})
        if query["uploadType"] == "multipart":
            metadata, content = (_content(part) for part in _parts(request, body))
            return self.put(json.loads(metadata)["name"], content)
        if self._changed(request, query["name"]):
            return _refused(412, "It was changed.")
        return self.put(query["name"], body)

    async def _copy(self, request: Request) -> Response:
        source, name = request.path_params["source"], request.path_params["name"]
        if source not in self.objects:
            return _refused(404, f"No such object: {BUCKET}/{source}")
        self.put(name, self.objects[source])
        return JSONResponse({"done": True, "resource": self._metadata(name)})

    async def _delete(self, request: Request) -> Response:
        gone = self.objects.pop(request.path_params["name"], None)
        return _refused(404, "No such object") if gone is None else Response(status_code=204)

    async def _delete_several(self, request: Request) -> Response:
        answers = []
        for part in _parts(request, await request.body()):
            path = re.search(rb"DELETE \S+/o/([^ ?]+)", part)
            gone = self.objects.pop(urllib.parse.unquote(path[1].decode()), None) if path else None
            status = "404 Not Found" if gone is None else "204 No Content"
            answers.append(f"Content-Type: application/http\r\n\r\nHTTP/1.1 {status}\r\n\r\n")
        body = "".join(f"--part\r\n{answer}\r\n" for answer in answers) + "--part--"
        return Response(body, media_type="multipart/mixed; boundary=part")


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": why}}, status)


def _parts(request: Request, body: bytes) -> list[bytes]:
    """The parts of a body that has several."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip("\"'")
    return body.split(b"--" + boundary.encode())[1:-1]


def _content(part: bytes) -> bytes:
    """What stands below the head of a part."""
    return re.split(rb"\r?\n\r?\n", part, maxsplit=1)[1].removesuffix(b"\n").removesuffix(b"\r")


@contextlib.contextmanager
def serving(store: Store) -> Iterator[dict[str, str]]:
    """The environment in which gs://bucket is the store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(store.app(), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield environment(port)
    server.should_exit = True
    thread.join()


def environment(port: int) -> dict[str, str]:
    """What makes programs take a port of this machine for Google Cloud Storage."""
    address = f"http://127.0.0.1:{port}"
    return {
        "STORAGE_EMULATOR_HOST": address,  # gcsfs
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # it would ask by another protocol
        "TENSORSTORE_GCS_HTTP_URL": address,
        "GOOGLE_AUTH_TOKEN_FOR_TESTING": "token",
    }
