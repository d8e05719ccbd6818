"""The real binary as a child process: port 0, a data directory of its own, in front of a scripted upstream (upstream.py)."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TOKENRELAY_BINARY") or str(ROOT / "build/release/tokenrelay")
HEARTBEAT_MS = 150  # a script's silence is several of these
KINDS = {"chat": ("openai", "/v1"), "responses": ("openai-responses", "/v1"), "claude": ("anthropic", ""), "gemini": ("gemini", "")}


def until(what, condition, seconds=20):
    """Waits for `condition` to hold and returns its value; an AssertionError that says `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return value


class Relay:
    def __init__(self, upstream, more=""):
        self.folder = tempfile.mkdtemp(prefix="tokenrelay-clients-")
        self.port = 0
        config = f"[limits]\nheartbeat_ms = {HEARTBEAT_MS}\nupstream_retries = 0\n{more}\n"
        for name, (kind, path) in KINDS.items():
            config += f'[[upstream]]\nname = "{name}"\nkind = "{kind}"\nbase_url = "{upstream.url}{path}"\nmodels = ["{name}-*"]\n'
        self.config = os.path.join(self.folder, "tokenrelay.toml")
        pathlib.Path(self.config).write_text(config)
        self.process = None
        self.start()

    def start(self):
        """The second time on the same port and data."""
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--config", self.config, "--listen", f"127.0.0.1:{self.port}", "--data", os.path.join(self.folder, "data")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline().decode()
        match = re.match(r"tokenrelay listening on (http://\S+:(\d+))$", line)
        assert match, f"the first line is {line!r}\n{pathlib.Path(self.log.name).read_text()[-2000:]}"
        self.url, self.port = match[1], int(match[2])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)

    def state(self, stream):
        answer = requests.get(f"{self.url}/v1/streams/{stream}", timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, stream):
        """The state of the stream once it has ended."""
        return until(f"the end of {stream}", lambda: (s := self.state(stream))["status"] not in ("queued", "streaming") and s)
