"""`nvidia-ctk runtime configure`, `nvidia-ctk cdi generate|list`, `--version`: files as release 1.18 writes them.

runtime configure: docker gets a runtime in daemon.json; containerd one in a file of its own, which config.toml imports.
cdi generate: the devices of the hardware file, with the libraries of the driver that is installed, as CDI 0.5.0.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from typing import TYPE_CHECKING

from . import hardware

if TYPE_CHECKING:
    from pathlib import Path

LIBRARIES = ("libcuda.so", "libnvidia-ml.so", "libnvidia-ptxjitcompiler.so", "libcudadebugger.so")
FOLDER = "/usr/lib/x86_64-linux-gnu"
IMPORTS = "/etc/containerd/conf.d/*.toml"
CRI = 'plugins."io.containerd.grpc.v1.cri"'
OUTPUT = "NVIDIA_CTK_CDI_OUTPUT_FILE_PATH"
FAILED = 1

Node = dict[str, object]


def main() -> int:
    """-> exit code; prints or writes what was asked for."""
    hardware.say_double("nvidia-ctk")
    arguments = _parse()
    if arguments.version:
        release = hardware.installed("container-toolkit")
        print(f"NVIDIA Container Toolkit CLI version {release}\ncommit: 0000000 (Lindos twin double)")
        return 0
    try:
        _answer(arguments)
    except ValueError as error:
        print(f'time="1970-01-01T00:00:00Z" level=error msg="{error}"', file=sys.stderr)
        return FAILED
    return 0


def _answer(arguments: argparse.Namespace) -> None:
    match arguments.noun, arguments.verb:
        case "runtime", "configure":
            _configure(arguments)
        case "cdi", "generate":
            _generate(arguments)
        case "cdi", "list":
            print("\n".join(f"nvidia.com/gpu={device['name']}" for device in _devices()))
        case noun, verb:
            raise ValueError(f"No help topic for '{noun} {verb}'")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nvidia-ctk", add_help=False)
    parser.add_argument("noun", nargs="?", default="")
    parser.add_argument("verb", nargs="?", default="")
    parser.add_argument("--version", "-v", action="store_true")
    parser.add_argument("--runtime", default="docker")
    parser.add_argument("--config", default="")
    parser.add_argument("--drop-in-config", default="/etc/containerd/conf.d/99-nvidia.toml")
    parser.add_argument("--set-as-default", "--nvidia-set-as-default", action="store_true")
    parser.add_argument("--enable-cdi", "--cdi.enabled", dest="enable_cdi", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--output", default=os.environ.get(OUTPUT, ""))
    return parser.parse_args()


def _configure(arguments: argparse.Namespace) -> None:
    files = {"docker": _docker, "containerd": _containerd}
    if arguments.runtime not in files:
        raise ValueError(f"unrecognized runtime '{arguments.runtime}'")
    for path, text in files[arguments.runtime](arguments).items():
        if arguments.dry_run:
            print(text, end="")
        else:
            _write(path, text)


def _docker(arguments: argparse.Namespace) -> dict[str, str]:
    path = arguments.config or "/etc/docker/daemon.json"
    told = json.loads(_read(path) or "{}")
    told["runtimes"] = {**told.get("runtimes", {}), "nvidia": {"args": [], "path": "nvidia-container-runtime"}}
    if arguments.set_as_default:
        told["default-runtime"] = "nvidia"
    if arguments.enable_cdi:
        told["features"] = {**told.get("features", {}), "cdi": True}
    return {path: json.dumps(told, indent=4, sort_keys=True) + "\n"}


def _containerd(arguments: argparse.Namespace) -> dict[str, str]:
    path = arguments.config or "/etc/containerd/config.toml"
    text = _read(path) or "version = 2\n"
    if IMPORTS not in (imports := tomllib.loads(text).get("imports", [])):
        if imports:
            raise ValueError(f"this double adds no import beside those of {path}")
        text = f'imports = ["{IMPORTS}"]\n{text}'
    runtime = f"{CRI}.containerd.runtimes.nvidia"
    lines = ["version = 2", "", f"[{CRI}]"]
    lines += ["  enable_cdi = true"] if arguments.enable_cdi else []
    lines += ["", f"  [{CRI}.containerd]"]
    lines += ['    default_runtime_name = "nvidia"'] if arguments.set_as_default else []
    lines += [
        "",
        f"      [{runtime}]",
        "        privileged_without_host_devices = false",
        '        runtime_engine = ""',
        '        runtime_root = ""',
        '        runtime_type = "io.containerd.runc.v2"',
        "",
        f"        [{runtime}.options]",
        '          BinaryName = "/usr/bin/nvidia-container-runtime"',
        "",
    ]
    return {path: text, arguments.drop_in_config: "\n".join(lines)}


def _generate(arguments: argparse.Namespace) -> None:
    text = "---\n" + "\n".join(_yaml(_specification())) + "\n"
    if arguments.output:
        _write(arguments.output, text)
    else:
        print(text, end="")


def _specification() -> Node:
    driver = hardware.installed("kernel-module")
    if not driver:
        raise ValueError("failed to generate CDI spec: failed to initialize NVML: ERROR_DRIVER_NOT_LOADED")
    mounts = [f"{FOLDER}/{library}.{driver}" for library in LIBRARIES] + ["/usr/bin/nvidia-smi"]
    control = ("nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", "nvidiactl")
    return {
        "cdiVersion": "0.5.0",
        "containerEdits": {
            "deviceNodes": [{"path": f"/dev/{name}"} for name in control],
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],
            "hooks": [
                _hook("create-symlinks", "--link", f"libcuda.so.1::{FOLDER}/libcuda.so"),
                _hook("enable-cuda-compat", f"--host-driver-version={driver}"),
                _hook("update-ldcache", "--folder", FOLDER),
            ],
            "mounts": [
                {"containerPath": path, "hostPath": path, "options": ["ro", "nosuid", "nodev", "rbind", "rprivate"]}
                for path in sorted(mounts)
            ],
        },
        "devices": _devices(),
        "kind": "nvidia.com/gpu",
    }


def _devices() -> list[Node]:
    """By index, by UUID, and all of them."""
    gpus = hardware.read().gpus
    names = [(str(gpu.index), [gpu.index]) for gpu in gpus] + [(gpu.uuid, [gpu.index]) for gpu in gpus]
    names.append(("all", [gpu.index for gpu in gpus]))
    return [
        {"containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{index}"} for index in indices]}, "name": name}
        for name, indices in names
    ]


def _hook(*arguments: str) -> Node:
    return {
        "args": ["nvidia-cdi-hook", *arguments],
        "hookName": "createContainer",
        "path": "/usr/bin/nvidia-cdi-hook",
    }


def _yaml(value: object) -> list[str]:
    """Mappings, lists and words -> lines of YAML in blocks."""
    if isinstance(value, dict):
        lines = []
        for key, inner in value.items():
            block = _yaml(inner)
            lines += [f"{key}: {block[0]}"] if isinstance(inner, str) else [f"{key}:", *_inset(block, inner)]
        return lines
    if isinstance(value, list):
        return [("- " if at == 0 else "  ") + line for item in value for at, line in enumerate(_yaml(item))]
    # A name made of digits is a name all the same.
    return [json.dumps(value) if str(value).isdigit() else str(value)]


def _inset(lines: list[str], value: object) -> list[str]:
    return lines if isinstance(value, list) else [f"  {line}" for line in lines]


def _read(path: str) -> str:
    file = _at(path)
    return file.read_text() if file.exists() else ""


def _write(path: str, text: str) -> None:
    file = _at(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _at(path: str) -> Path:
    return hardware.root() / path.removeprefix("/")
