#!/usr/bin/python3
"""What `make install` gives to systemd: a unit without a fault, a sandbox that is as tight as it is meant to be, a user,
and the folders that were chosen. systemd itself is not started; systemd-analyze reads the files of a staged install.
And what the container holds: the libraries of the programs and nothing that builds."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import lib

suite = lib.Suite()

UNIT = "settlementd.service"
UNITS = "usr/local/lib/systemd/system"
# Tenths, as systemd-analyze's --threshold takes it.
EXPOSURE_AT_MOST = 15


def make(stage, target, *variables):
    """Runs a target of the Makefile on the programs as they are: nothing is built."""
    subprocess.run(["make", "--no-print-directory", "--old-file=programs", target, f"DESTDIR={stage}", *variables],
                   cwd=lib.ROOT, check=True, capture_output=True, text=True)


class Stage:
    """A folder with a staged install, gone at the end."""

    def __init__(self, *variables):
        self.path = Path(tempfile.mkdtemp(prefix="settlementd-stage-"))
        make(self.path, "install", *variables)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def files(stage):
    return sorted(str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file())


def systemd(stage, program, *arguments):
    """Runs a tool of systemd on the stage; None when it is not installed."""
    if shutil.which(program) is None:
        print(f"skipped: {program} is not installed (script/bootstrap --test installs it)", flush=True)
        return None
    return subprocess.run([program, *arguments, f"--root={stage}"], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "cat"})


def furnish(stage):
    """What the unit refers to and another package installs: systemd's own targets, and kill."""
    units = stage / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for target in Path("/usr/lib/systemd/system").glob("*.target"):
        shutil.copy(target, units)
    kill = stage / "bin/kill"
    kill.parent.mkdir()
    kill.touch(mode=0o755)


@suite.test("systemd finds no fault in the installed unit")
def verify():
    with Stage() as stage:
        furnish(stage)
        done = systemd(stage, "systemd-analyze", "verify", UNIT)
        if done is None:
            return
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
        unit = stage / UNITS / UNIT
        unit.write_text(unit.read_text() + "[Service]\nNoSuchSetting=yes\n")
        done = systemd(stage, "systemd-analyze", "verify", UNIT)
        assert "NoSuchSetting" in done.stderr, "the check would not see a fault"


@suite.test("the sandbox is tight")
def security():
    with Stage() as stage:
        done = systemd(stage, "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_AT_MOST}", UNIT)
        if done is None:
            return
        assert done.returncode == 0, done.stdout[-300:] + done.stderr
        assert re.search(r"Overall exposure level for settlementd\.service: \d", done.stdout), done


@suite.test("systemd would make the user that the unit names")
def user():
    with Stage() as stage:
        done = systemd(stage, "systemd-sysusers", "--dry-run")
        if done is None:
            return
        assert done.returncode == 0 and "Creating user 'settlementd'" in done.stdout + done.stderr, done
        assert "\nUser=settlementd\n" in (stage / UNITS / UNIT).read_text()


@suite.test("the unit names the folders that were chosen")
def folders():
    with Stage("PREFIX=/opt/settlement", "sysconfdir=/opt/settlement/etc") as stage:
        text = (stage / "opt/settlement/lib/systemd/system" / UNIT).read_text()
        assert ("ExecStart=/opt/settlement/bin/settlementd"
                " --config /opt/settlement/etc/settlementd/settlementd.conf\n") in text
        assert "LoadCredential=database-password:/opt/settlement/etc/settlementd/database-password\n" in text
        assert "Documentation=file:/opt/settlement/share/doc/settlementd/operations.md\n" in text
        assert "/usr/local/" not in text and " /etc/" not in text and ":/etc/" not in text, text
        assert (stage / "opt/settlement/share/doc/settlementd/operations.md").exists()


@suite.test("the unit restarts the daemon but after a bad configuration, and hands over signals and the password")
def promises():
    with Stage() as stage:
        text = (stage / UNITS / UNIT).read_text()
        for line in ("Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "Restart=on-failure",
                     "RestartPreventExitStatus=2 78", "LoadCredential=database-password:/etc/settlementd/database-password",
                     # Without it systemd 252 refuses to start the unit when the file above is missing.
                     r"SetCredential=database-password:\n"):
            assert f"\n{line}\n" in text, line
        assert re.search(r"^WatchdogSec=\d+s$", text, re.MULTILINE)


@suite.test("an existing configuration survives install and uninstall, nothing else does")
def uninstall():
    with Stage() as stage:
        configuration = stage / "etc/settlementd/settlementd.conf"
        assert configuration.read_bytes() == (lib.ROOT / "conf/settlementd.conf").read_bytes()
        assert configuration.stat().st_mode & 0o777 == 0o644, "the service's user reads it"
        configuration.write_text("# ours\n")
        make(stage, "install")
        assert configuration.read_text() == "# ours\n"
        make(stage, "uninstall")
        assert files(stage) == ["etc/settlementd/settlementd.conf"], files(stage)
        assert configuration.read_text() == "# ours\n"


def linked_packages(program):
    """The Debian packages of the libraries that a program is linked with itself."""
    dynamic = subprocess.run(["readelf", "--dynamic", program], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", dynamic)
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    paths = dict(re.findall(r"(\S+) => (/\S+)", listed))
    packages = set()
    for name in needed:
        # The package may name the file below /usr/lib, or below /lib.
        path = paths[name]
        names = [path, path.removeprefix("/usr"), f"/usr{path}"]
        found = subprocess.run(["dpkg", "--search", *names], capture_output=True, text=True).stdout
        packages.add(re.match(r"[^:]+", found).group())
    return packages


@suite.test("the container has the libraries that the programs are linked with, and no other package but data")
def container():
    if shutil.which("dpkg") is None:
        print("skipped: this is not Debian", flush=True)
        return
    final = (lib.ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]
    installed = set(re.search(r"--no-install-recommends \\\n(.*?)\\\n", final, re.DOTALL).group(1).split())
    # libc6 is in every image.
    wanted = (linked_packages(lib.SETTLEMENTD) | linked_packages(lib.SETTLECTL)) - {"libc6"}
    assert installed - {"tzdata", "ca-certificates"} == wanted, (installed, wanted)


if __name__ == "__main__":
    suite.main()
