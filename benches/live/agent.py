"""The agent as a measurement runs it: started, asked, measured, ended."""

import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Agent:
    """`watershed run` scoped to one process and its children."""

    def __init__(self, binary, pid, *flags):
        self.binary = binary
        self.process = subprocess.Popen(
            [binary, "run", "--scope", f"pid:{pid}+children", "--listen", "127.0.0.1:0", *flags],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            found = re.search(r"listening on (\S+)", line)
            if found:
                self.address = found.group(1)
                break
        else:
            sys.exit("compare.py: the agent did not start")
        time.sleep(1)

    def query(self, text):
        answer = subprocess.run(
            [self.binary, "query", "--server", self.address, "-s", text, "-o", "jsonl"],
            check=True,
            capture_output=True,
            text=True,
        )
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def value(self, text):
        (row,) = self.query(text)
        (value,) = row.values()
        return int(value or 0)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def map_bytes(self):
        """Memory of the agent's BPF maps, as the kernel accounts it; a map with several descriptors counts once."""
        maps = {}
        for number in os.listdir(f"/proc/{self.process.pid}/fdinfo"):
            try:
                with open(f"/proc/{self.process.pid}/fdinfo/{number}") as file:
                    text = file.read()
            except FileNotFoundError:
                continue
            found = re.search(r"^memlock:\s+(\d+)", text, re.M)
            number = re.search(r"^map_id:\s+(\d+)", text, re.M)
            if found and number:
                maps[number.group(1)] = int(found.group(1))
        return sum(maps.values())

    def switch_detectors_off(self):
        """Leaves the bundled views alone at work: detectors have a budget of their own."""
        for path in sorted(glob.glob(f"{ROOT}/detectors/*.toml")):
            with open(path) as file, tempfile.NamedTemporaryFile("w", suffix=".toml") as manifest:
                manifest.write("enabled = false\n" + file.read())
                manifest.flush()
                command = [self.binary, "detector", "apply", "--server", self.address, manifest.name]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
