"The app's server: who may ask it, what it keeps, and what it says on the terminal."

import http.cookiejar
import json
import os
import re
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse
import pytest
from conftest import free_port, serving

pytestmark = pytest.mark.processes
pytest.importorskip("voila", reason="Voilà is not installed")
START = "from f3a_lite.ui.commands import f3a_app; f3a_app()"


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    "The app as its command starts it: address, log, temporary folder, process."
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    temporary = Path(tempfile.mkdtemp(prefix="a", dir="/tmp" if os.path.isdir("/tmp") else None))
    left = temporary / "f3a_app_left"
    left.mkdir()
    (left / "photo.jpg").write_bytes(b"somebody's face")
    os.utime(left, (time.time() - 90_000,) * 2)
    log = folder / "app.log"
    command = [sys.executable, "-c", START, "--port", str(port), "--no-browser"]
    with serving(command, f"http://127.0.0.1:{port}/voila/static/voila.js", log, TMPDIR=str(temporary)) as process:
        yield re.search(r"http://\S+", log.read_text(encoding="utf-8"))[0], log, temporary, process
    shutil.rmtree(temporary, ignore_errors=True)


def status(address, opener=None, **headers):
    "The code of an answer, and where it came from."
    try:
        ask = urllib.request.Request(address, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = (opener or urllib.request.build_opener()).open(ask, timeout=60)
    except urllib.error.HTTPError as e:
        return e.code, address
    return answer.status, answer.url


def test_who_may_ask(started):
    "Another name, another site, another port, no secret: refused; so is every file."
    address = started[0]
    base = address.split("/?")[0]
    assert status(address, Host=f"evil.example:{urlparse(address).port}")[0] == 404
    for site in ("cross-site", "same-site"):
        assert status(address, Sec_Fetch_Site=site)[0] == 403
    assert "login" in status(base + "/")[1]
    for name in ("f3a_app.ipynb", "template/index.html.j2"):
        assert status(address.replace("/?", f"/voila/files/{name}?"))[0] in (403, 404)
    assert status(base + "/voila/static/voila.js")[0] == 200


def test_only_this_machine_is_listened_to(started):
    "The port is open on 127.0.0.1 and on no other address."
    port = f"{urlparse(started[0]).port:04X}"
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system does not say who listens")
    rows = [line.split() for f in ("tcp", "tcp6") for line in Path(f"/proc/net/{f}").read_text().splitlines()[1:]]
    assert {r[1].split(":")[0] for r in rows if r[3] == "0A" and r[1].endswith(":" + port)} == {"0100007F"}


def test_a_page_and_its_kernel_are_private(started):
    "The secret's cookie goes to no other site, nobody may frame the page, and its kernel speaks through files."
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    answer = opener.open(started[0], timeout=120)
    assert b"Animate a photo" in answer.read()
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Strict" in [c.get_nonstandard_attr("SameSite") for c in jar]
    kernels = [json.loads(p.read_text()) for p in started[2].glob("f3a_app_*/voila_*/kernel-*.json")]
    wanted = "ipc" if len(str(started[2])) < 20 else "tcp"  # the name of a socket may not be long
    assert [k["transport"] for k in kernels] == [wanted]


def test_the_terminal_is_told_no_secret_and_no_traceback(started):
    address, log = started[:2]
    token = address.split("token=")[1]
    status(address.replace("/?", "/api/kernels/none?"))
    status(address.replace("/?", "/logout?"))
    said = log.read_text(encoding="utf-8").replace(address, "")
    assert "/logout" in said and token not in said and "Traceback" not in said and 'File "' not in said, said


def test_what_a_killed_app_left_is_deleted(started):
    assert not (started[2] / "f3a_app_left").exists()
    assert len(list(started[2].glob("f3a_app_*"))) == 1
