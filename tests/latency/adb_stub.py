"""A stub of Android's adb client for tests, no real one: the device PHONE1 is the folder $ADB_STUB_ROOT."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER, ROOT = "/data/local/tmp", os.environ["ADB_STUB_ROOT"]


def here(text):
    return text.replace(FOLDER, ROOT)


arguments = sys.argv[1:]
if arguments == ["version"]:
    sys.exit("stub of adb for tests")
option, serial, command, *others = arguments
if option != "-s":
    sys.exit("stub of adb: only adb -s SERIAL ... is known")
if serial == "LOCKED":
    sys.exit("error: device unauthorized.")
if serial != "PHONE1":
    sys.exit(f"error: device '{serial}' not found")
if command == "push":
    if Path(ROOT, "full").exists() and others[1].endswith(".onnx"):
        sys.exit(f"adb: error: failed to copy '{others[0]}' to '{others[1]}': remote No space left on device")
    shutil.copyfile(others[0], here(others[1]))
elif command == "shell":
    done = subprocess.run(["sh", "-c", here(" ".join(others))], stdout=subprocess.PIPE, check=False)
    sys.stdout.write(done.stdout.decode().replace(ROOT, FOLDER))
    sys.exit(done.returncode)
else:
    sys.exit(f"stub of adb: {command} is not known")
