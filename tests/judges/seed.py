#!/usr/bin/env python3
"""cloudbase-init reads the drive of settings that a revert writes.

`seed.py PALISADE`: a machine without a system is sealed and brought back with a drive, by the command. What a Windows guest would do with it then is
done by cloudbase-init's own code: it looks for the label on disks, copies the files and parses them, with mtools as on Windows. Only what asks Windows
itself, which disks there are and how a program is run, stands in here.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

USER_DATA = "#cloud-config\nset_hostname: web\nusers:\n  - name: rosa\n"


class Machine:
    """What cloudbase-init asks its Windows."""

    def __init__(self, disks):
        self.disks = disks

    def get_physical_disks(self):
        return self.disks

    @staticmethod
    def execute_process(arguments, shell=False):
        ran = subprocess.run(arguments, capture_output=True, check=False)
        return ran.stdout, ran.stderr, ran.returncode


def reverted(palisade, folder):
    """A drive that a revert has written; and the revert's id."""

    def run(*arguments):
        return subprocess.run([palisade, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout

    (folder / "web.raw").write_bytes(bytes(1 << 20))
    (folder / "user-data").write_text(USER_DATA)
    store = ["--store", "store", "--public-key", "seal.key.pub"]
    run("clean-state", "key", "seal.key")
    run("clean-state", "create", "web", "--disk", "web.raw", "--store", "store", "--key", "seal.key", "--no-audit")
    run("clean-state", "revert", "web", "--why", "a judge", "--seed", "seed.raw", "--user-data", "user-data", *store)
    names = [path.name for path in (folder / "store" / "evidence").iterdir() if path.is_dir()]
    return folder / "seed.raw", names[0]


def mtools(folder):
    """mtools under the names that they have on Windows; by a script, since they go by the name that they are called by."""
    folder.mkdir()
    for tool in ["mlabel", "mcopy"]:
        script = folder / f"{tool}.exe"
        script.write_text(f'#!/bin/sh\nexec {tool} "$@"\n')
        script.chmod(0o755)
    return folder


def service(drive, tools):
    """cloudbase-init's reader of a drive for NoCloud, on a machine with two disks."""
    logging.disable(logging.CRITICAL)
    # This module speaks to Windows as it is loaded.
    disk = types.ModuleType("cloudbaseinit.utils.windows.disk")
    sys.modules[disk.__name__] = disk
    from cloudbaseinit import conf
    from cloudbaseinit.metadata.services import nocloudservice
    from cloudbaseinit.metadata.services.osconfigdrive import factory
    from cloudbaseinit.osutils import factory as machines

    conf.CONF([], project="judge")
    conf.CONF.set_override("mtools_path", str(tools))
    conf.CONF.set_override("types", ["vfat"], "config_drive")
    conf.CONF.set_override("locations", ["hdd"], "config_drive")
    blank = tools / "blank.raw"
    blank.write_bytes(bytes(1 << 20))
    machines.get_os_utils = lambda: Machine([str(blank), str(drive)])
    from cloudbaseinit.metadata.services.osconfigdrive import windows

    factory.get_config_drive_manager = windows.WindowsConfigDriveManager
    return nocloudservice.NoCloudConfigDriveService()


def main():
    if missing := [tool for tool in ["mlabel", "mcopy", "qemu-img"] if not shutil.which(tool)]:
        print(f"skipped: cloudbase-init as a judge of the drive of settings, because {missing[0]} is missing")
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        drive, revert = reverted(Path(sys.argv[1]).resolve(), folder)
        reader = service(drive, mtools(folder / "mtools"))
        assert reader.load(), "cloudbase-init does not find the drive"
        found = {"instance": reader.get_instance_id(), "host": reader.get_host_name(), "settings": reader.get_user_data().decode()}
        reader.cleanup()
    wanted = {"instance": revert, "host": "web", "settings": USER_DATA}
    assert found == wanted, f"cloudbase-init reads {found}, and {wanted} was written"
    print(f"cloudbase-init reads the drive of {revert}: instance, name, {len(USER_DATA)} bytes of settings")


main()
