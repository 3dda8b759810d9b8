"""Container engines find the GPUs, and keep what else they were told."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import yaml

from roles.given import DRIVER

if TYPE_CHECKING:
    from testinfra.host import Host


def check_engines_find_every_gpu(host: Host) -> None:
    listed = yaml.safe_load(host.file("/etc/cdi/nvidia.yaml").content_string)
    assert (listed["kind"], listed["cdiVersion"]) == ("nvidia.com/gpu", "0.5.0")
    devices = {
        device["name"]: [node["path"] for node in device["containerEdits"]["deviceNodes"]]
        for device in listed["devices"]
    }
    assert devices["7"] == ["/dev/nvidia7"]
    assert devices["all"] == [f"/dev/nvidia{index}" for index in range(8)]


def check_the_list_is_that_of_the_driver(host: Host) -> None:
    mounts = host.file("/etc/cdi/nvidia.yaml").content_string
    assert f"libcuda.so.{DRIVER}" in mounts


def check_the_list_is_written_at_boot_where_it_is_kept(host: Host) -> None:
    assert host.service("nvidia-cdi-refresh").is_enabled
    host.check_output("rm /etc/cdi/nvidia.yaml && systemctl restart nvidia-cdi-refresh")
    assert host.file("/etc/cdi/nvidia.yaml").contains("nvidia.com/gpu")


def check_docker_has_the_runtime_beside_others(host: Host) -> None:
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {
        "runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}},
        "features": {"cdi": True},
    }


def check_containerd_has_the_runtime(host: Host) -> None:
    told = tomllib.loads(host.file("/etc/containerd/config.toml").content_string)
    assert told["imports"] == ["/etc/containerd/conf.d/*.toml"]
    added = tomllib.loads(host.file("/etc/containerd/conf.d/99-nvidia.toml").content_string)
    engine = added["plugins"]["io.containerd.grpc.v1.cri"]
    assert engine["enable_cdi"]
    runtime = engine["containerd"]["runtimes"]["nvidia"]
    assert runtime["options"]["BinaryName"] == "/usr/bin/nvidia-container-runtime"
    # Who does not ask for GPUs is run as before.
    assert "default_runtime_name" not in engine["containerd"]


def check_the_release_is_the_one_asked_for_and_held(host: Host) -> None:
    assert host.check_output("nvidia-ctk --version").splitlines()[0] == "NVIDIA Container Toolkit CLI version 1.18.2"
    held = set(host.check_output("apt-mark showhold").split())
    assert held >= {"nvidia-container-toolkit", "libnvidia-container1"}
