"""Runs the examples of Examples/gateway as a reader does: a node with the example's file, its page in a real browser."""

import contextlib
import functools
import http.server
import os
import pathlib
import subprocess
import tempfile
import threading
import urllib.request

import cluster
from cluster import ROOT, Process, StartError, free_ports, program

EXAMPLES = ROOT / "Examples" / "gateway"
# The official browser client, as requirements-pages.txt brings it.
CLIENT = ROOT / ".venv" / "socket.io.min.js"
TIMEOUT = 15_000


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Example:
    """A folder of Examples/gateway: its node, and what serves its page."""

    def __init__(self, name, environment=None):
        self.folder = EXAMPLES / name
        self.environment = environment or {}
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="example-")))
            self.port, self.publish_port, self.console_port = free_ports(3)
            self.server = http.server.ThreadingHTTPServer(
                ("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(self.folder))
            )
            threading.Thread(target=self.server.serve_forever, daemon=True).start()
            stack.callback(self.server.server_close)
            stack.callback(self.server.shutdown)
            self.origin = f"http://localhost:{self.server.server_port}"
            self.start_node()
            stack.callback(lambda: self.node.end())
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start_node(self):
        """Starts the node with the example's file. Only ports and the page's origin differ from what a reader has."""
        binary = cluster.BINARY if cluster.BINARY.exists() else cluster.newest_binary("socketio-node")
        environment = {
            **os.environ,
            "SOCKETIO_LISTEN_PORT": str(self.port),
            "SOCKETIO_PUBLISH_PORT": str(self.publish_port),
            "SOCKETIO_CONSOLE_PORT": str(self.console_port),
            "SOCKETIO_CORS_ORIGINS": self.origin,
            **self.environment,
        }
        self.node = Process(
            "node", [str(binary), "serve", "--config", str(self.folder / "node.yaml")], self.directory, environment
        )
        ready = f"http://127.0.0.1:{self.port}/readyz"
        cluster.Cluster.wait_for("node", self.node, lambda: urllib.request.urlopen(ready, timeout=5).status == 200)

    def url(self, query=""):
        return f"{self.origin}/?node=http://localhost:{self.port}&{query}"

    def start(self, name, **environment):
        """Starts a program of the example, which ends with it."""
        process = Process(name, [str(self.folder / name)], self.directory, {**os.environ, **environment})
        self.stack.callback(process.end)
        return process

    def run(self, script="publish.sh", *arguments):
        """Runs the example's script as the reader does; its output."""
        program("curl")
        result = subprocess.run(
            ["sh", str(self.folder / script), *arguments],
            env={**os.environ, "SOCKETIO_URL": f"http://127.0.0.1:{self.publish_port}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if result.returncode:
            raise AssertionError(f"{script} ended with {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout


@contextlib.contextmanager
def browser():
    """A real browser. Each page has the official client from this machine instead of the CDN."""
    from playwright.sync_api import sync_playwright

    if not CLIENT.exists():
        raise StartError(f"{CLIENT} is missing; ./test integration puts it there")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


class Visitor:
    """One visitor with a page of an example."""

    def __init__(self, chromium, example, query=""):
        self.context = chromium.new_context()
        self.page = self.context.new_page()
        self.problems = []
        self.page.set_default_timeout(TIMEOUT)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.route(
            "https://cdn.socket.io/**", lambda route: route.fulfill(path=str(CLIENT), content_type="text/javascript")
        )
        self.page.goto(example.url(query))

    def sees(self, text, within="body"):
        """Waits until the page shows a text."""
        self.page.locator(within).get_by_text(text).first.wait_for()

    def lines(self, within):
        return self.page.locator(f"{within} > *").all_inner_texts()

    def press(self, button):
        self.page.get_by_role("button", name=button, exact=True).click()

    def close(self):
        self.context.close()
        if self.problems:
            raise AssertionError(f"the page's script failed: {self.problems}")
