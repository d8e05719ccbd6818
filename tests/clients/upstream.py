"""A scripted model server on loopback that speaks the four dialects: the path says which, the model's name says what it does.

The name is KIND-SCRIPT, such as "claude-tools". A script is a list of steps; each dialect writes them in its own words.
"""
import json
import select
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dialects import DIALECTS, FAULT, INPUT, OUTPUT

TEXT = ["Hel", "lo, wörld ", "— 日本 🙂"]
SEPARATED = ["one\u0085two", "\u2028three\u2029", "four\x1c\x1d\x1e\x0b\x0cfive"]  # str.splitlines() breaks lines at each of these
OBJECT = '{"city": "Paris", "degrees": 21}'
CALL = ("call", "call_1", "get_weather", ['{"city":', ' "Paris"}'])
OTHER_CALL = ("call", "call_2", "get_weather", ['{"city": "Oslo"}'])
AFTER_TOOLS = "It is sunny."
SILENCE_S = 0.7  # several heartbeats of the relay, see relay.py

# What each script does. Refusals are in `refusal`.
SCRIPTS = {
    "text": [("text", part) for part in TEXT],
    "separators": [("text", part) for part in SEPARATED],
    "json": [("text", OBJECT[:9]), ("text", OBJECT[9:])],
    "reasoning": [("reasoning", "Let me "), ("reasoning", "think.")] + [("text", part) for part in TEXT],
    "tools": [CALL],
    "parallel": [("text", "Both."), CALL, OTHER_CALL],
    "bare": [("call", "call_3", "now", [])],  # a call without arguments
    "length": [("text", TEXT[0]), ("finish", "length")],
    "silent": [("pause", SILENCE_S)] + [step for part in TEXT for step in (("text", part), ("pause", SILENCE_S))],
    "silenttools": [("pause", SILENCE_S), ("call", "call_1", "get_weather", ['{"city":', None, ' "Paris"}'])],
    "hold": [("text", TEXT[0]), ("hold",), ("text", TEXT[1]), ("text", TEXT[2])],
    "error": [("text", TEXT[0]), ("fault",)],
    "cut": [("text", TEXT[0]), ("cut",)],
}
TOOL_RESULTS = ('"role": "tool"', '"role":"tool"', "function_call_output", "tool_result", "functionResponse", "function_response")


class Call:
    """One request that reached the upstream."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.closed = threading.Event()    # the relay closed the connection before the answer was complete
        self.finished = threading.Event()  # the answer was sent whole


class Upstream:
    def __init__(self):
        self.calls = []
        self.released = threading.Event()  # lets every "hold" go on
        outer = self

        class Handler(_Handler):
            upstream = outer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def calls_of(self, model):
        return [call for call in self.calls if model in (call.path + str(call.body.get("model")))]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    # The list of models, in the dialect that is asked.
    def do_GET(self):
        if self.path.startswith("/v1beta/"):
            return self._whole(200, {"models": [{"name": "models/gemini-text", "supportedGenerationMethods": ["generateContent"]}]})
        if "anthropic-version" in self.headers:
            one = {"type": "model", "id": "claude-text", "display_name": "Claude Text", "created_at": "2026-01-01T00:00:00Z"}
            return self._whole(200, {"data": [one], "has_more": False, "first_id": "claude-text", "last_id": "claude-text"})
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "script"} for name in ("chat-text", "responses-text")]
        self._whole(200, {"object": "list", "data": data})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        call = Call(self.path, dict(self.headers), json.loads(raw))
        self.upstream.calls.append(call)
        kind = next(kind for kind, dialect in DIALECTS.items() if dialect.PATH in self.path)
        model = self.path.split("/models/")[1].split(":")[0] if kind == "gemini" else call.body["model"]
        script = model.split("-")[1]
        dialect = DIALECTS[kind]()
        if script.isdigit():  # a refusal with this status
            return self._whole(int(script), dialect.refusal(int(script), FAULT), {"Retry-After": "7"} if script == "429" else {})
        steps = SCRIPTS[script]
        if script in ("tools", "parallel", "silenttools") and any(word in raw.decode() for word in TOOL_RESULTS):
            steps = [("text", AFTER_TOOLS)]
        try:
            self._stream(dialect.events(model, steps), call)
            call.finished.set()
        except OSError:
            call.closed.set()
        self.close_connection = True

    def _whole(self, status, body, headers={}):
        out = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(out)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(out)

    # `events` are strings, to be sent as they are, and steps that have to do with time.
    def _stream(self, events, call):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            if isinstance(event, str):
                self._chunk(event.encode())
            elif event[0] == "pause":
                self._wait(event[1])
            elif event[0] == "hold":
                self._wait(60, self.upstream.released)
            elif event[0] == "cut":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.shutdown(socket.SHUT_RD)
                return self.connection.close()
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    # Waits for the time or the event; an OSError if the relay closes the connection meanwhile.
    def _wait(self, seconds, until=None):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until.is_set()):
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError("closed by the relay")
