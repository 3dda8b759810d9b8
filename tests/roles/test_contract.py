"""What roles promise, before any node is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lindos.emit.inventory import SERVICES

from .given import HOST, inventory
from .listing import FOLDER, ROLES
from .readme import load, render

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = yaml.safe_load((FOLDER / "site.yml").read_text())


def test_every_role_has_a_play_of_its_name_and_every_play_a_role() -> None:
    assert sorted(play["hosts"] for play in SITE) == ROLES
    for play in SITE:
        assert play["roles"] == play["tags"] == [play["hosts"]]


def test_every_folder_is_a_role() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - set(ROLES) == {"filter_plugins", "library", "module_utils", "vars_plugins"}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_checks(role: str) -> None:
    assert "def check_" in (Path(__file__).parent / "checks" / f"{role}.py").read_text()


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_is_that_of_the_contract(role: str) -> None:
    assert (FOLDER / role / "README.md").read_text() == render(role), "run: cd tests && python -m roles.readme"


@pytest.mark.parametrize("role", ROLES)
def test_an_argument_is_required_or_has_a_default(role: str) -> None:
    options = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(role, "defaults/main.yml")
    assert set(defaults) <= set(options)
    for name, option in options.items():
        assert name.startswith(f"{role.removesuffix('_repository')}"), name
        if option.get("required"):
            assert name not in defaults
            assert "default" not in option
        if "default" in option:
            assert defaults[name] == option["default"]


@pytest.mark.parametrize("role", ROLES)
def test_private_names_say_whose_they_are(role: str) -> None:
    assert all(name.startswith(f"__{role}_") for name in load(role, "vars/main.yml"))
    for file in (FOLDER / role / "tasks").glob("*.yml"):
        registered = re.findall(r"^\s+register: (\S+)", file.read_text(), re.MULTILINE)
        assert all(name.startswith(f"__{role}_") for name in registered)


@pytest.mark.parametrize("role", ROLES)
def test_main_is_a_table_of_contents(role: str) -> None:
    for task in yaml.safe_load((FOLDER / role / "tasks" / "main.yml").read_text()):
        assert set(task) <= {"name", "ansible.builtin.import_tasks", "tags"}


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_leaves_running_is_expected_of_its_nodes(role: str) -> None:
    """The check suite asks for the services of SERVICES; a role whose service is not there would stop unseen."""
    running = set()
    for file in (FOLDER / role / "tasks").glob("*.yml"):
        for task in yaml.safe_load(file.read_text()):
            told = task.get("ansible.builtin.systemd_service", {})
            if told.get("enabled") is True and told.get("state") == "started":
                each = task.get("loop", [])
                names = [told["name"].replace("{{ item }}", one) for one in each] if isinstance(each, list) else []
                running |= {name.removesuffix(".service") for name in names or [told["name"]] if "{{" not in name}
    assert running <= set(SERVICES.get(role, ()))


@pytest.mark.parametrize("role", ROLES)
def test_no_role_asks_whether_it_is_in_a_twin_or_ignores_errors(role: str) -> None:
    for file in (FOLDER / role).rglob("*"):
        if file.is_file() and file.name != "README.md":
            assert not re.search(r"twin|podman|virtualization|ignore_errors|doubled|set_fact", file.read_text()), file


def _refused() -> Iterator[Any]:
    rail = inventory(ROLES)["all"]["children"]["gpu_node"]["hosts"][HOST]["rdma_nic_interfaces"][0]
    unsigned = [{"name": "mirror", "uris": ["http://192.0.2.1"], "suites": ["./"]}]
    unit = [{**rail, "table": 254}]
    twice = [rail, {**rail, "name": "rail1", "table": 101}]
    yield "package_repository", {"package_repository_sources": unsigned}, "source 'mirror' has no key"
    key = {"name": "ada", "keys": ["ssh-ed25519 AAAAC3Nz ada@desk"]}
    yield "base", {"base_sshd_options": {"PermitRootLogin": "no"}}, "PermitRootLogin no shuts out root, who converges"
    yield "base", {"base_sshd_options": {"allowusers": "ada bob"}}, "AllowUsers leaves out root, who converges"
    yield (
        "base",
        {"base_sshd_options": {"AllowGroups": "staff"}},
        "may shut out whoever converges: say it by AllowUsers",
    )
    yield "base", {"base_operators": [key | {"keys": ["AAAAC3Nz"]}]}, "operator 'ada': give a name"
    yield "base", {"base_operators": [key | {"name": "root"}]}, "operator 'root': give a name"
    yield "base", {"base_nproc": "many"}, "base_nproc is 'many': give a number, or unlimited"
    yield "base", {"base_nofile": 2097152}, "base_nofile is 2097152: give 1024 to 1048576"
    yield "node_tuning", {"node_tuning_memlock": "8G"}, "give a number of KiB, or unlimited"
    yield "node_tuning", {"node_tuning_hugepages": {"4M": 8}}, "of sizes there are 2M and 1G"
    yield "node_tuning", {"node_tuning_nic_read_request": 8192}, "must be one of: 0, 128, 256"
    yield "node_tuning", {"node_tuning_cpu_governor": "fast"}, "must be one of: performance, powersave"
    yield "rdma_nic", {"rdma_nic_interfaces": unit}, "rail0: table 254 is one of the kernel's own"
    yield "rdma_nic", {"rdma_nic_interfaces": twice}, "two rail NICs share a address: 10.0.0.1, 10.0.0.1"
    yield "rdma_nic", {"rdma_nic_stack": "doca"}, "give rdma_nic_version, the release of doca-ofed"
    yield "gpu_driver", {"gpu_driver_peer_memory": "none"}, "must be one of: dmabuf, peermem"
    nfs = {"path": "/mnt/data", "server": "10.0.0.9", "export": "/data"}
    yield "storage_client", {"storage_client_mounts": [nfs | {"path": "data"}]}, "'data': give a whole path"
    yield "storage_client", {"storage_client_mounts": [nfs, nfs]}, "two of storage_client_mounts have one path"
    yield "storage_client", {"storage_client_scratch": "raid5"}, "must be one of: none, raid0"
    both = {"slurm_node_controllers": ["ctl"], "slurm_node_conf": "/site/slurm.conf"}
    yield "slurm_node", both, "slurmd reads one or the other, give one"
    for role, ports in (("rdma_nic", "rail0, rail1"), ("frontend_network", "fe0")):
        for slots in ({"rail9": "0000:1a:00.0"}, {"rail0": "1a:00.0", "rail1": "1b:00.0", "fe0": "1c:00.0"}):
            yield role, {f"{role}_slots": slots}, f"give each of {ports} a PCI address"
    shared = dict.fromkeys(("rail0", "rail1"), "0000:1a:00.0")
    yield "rdma_nic", {"rdma_nic_slots": shared}, "give each of rail0, rail1 a PCI address of its own"
    yield "roce_qos", {"roce_qos_dscp": 64}, "DSCPs from 0 to 63"
    yield "roce_qos", {"roce_qos_cnp_priority": 3}, "the two must differ in both"
    yield "bmc", {"bmc_fan_mode": "loud"}, "must be one of: leave, standard, performance"
    yield "gpu_driver", {"gpu_driver_version": "570"}, "give one release, such as 570.133.20"
    hca = {"name": "rail0", "hca": "mlx5_rail0", "rail": 0}
    yield (
        "ib_host",
        {"infiniband_hcas": [hca, {**hca, "name": "rail1"}]},
        "two rail ports share a hca: mlx5_rail0, mlx5_rail0",
    )
    yield (
        "ib_host",
        {"infiniband_hcas": [hca], "ib_host_slots": {"rail1": "0000:1a:00.0"}},
        "give each of rail0 a PCI address",
    )
    silent = {"infiniband_hcas": [hca], "ib_host_node_description": "%h"}
    yield "ib_host", silent, "it names the device with %d"
    odd = [{"field": "DCGM_FI_DEV_GPU_TEMP", "type": "gauge", "help": "hot, or not"}]
    yield (
        "gpu_monitoring",
        {"gpu_monitoring_counters": odd},
        "DCGM_FI_DEV_GPU_TEMP: a field is named DCGM_FI_..., and its",
    )
    yield "gpu_monitoring", {"gpu_monitoring_version": "4"}, "release '4': give one release of DCGM"
    yield "container_toolkit", {"container_toolkit_version": "1.17.8"}, "give one release from 1.18.0"
    yield "container_toolkit", {"container_toolkit_runtimes": ["podman"]}, "must be one or more of: containerd, docker"
    yield "nccl_tests", {"nccl_tests_packages": {"nccl-tests": "latest"}}, "nccl-tests: give each package the release"
    yield "mpi", {"mpi_transport": "ib"}, "must be one of: tcp, ucx"
    yield "nccl", {"nccl_parameters": {"DEBUG": "INFO"}}, "nccl_parameters sets DEBUG for every job"
    everything = ["10.128.0.0/12", "0.0.0.0/0"]
    yield "frontend_network", {"frontend_network_destinations": everything}, "names 0.0.0.0/0, which holds 127.0.0.1"
    yield "frontend_network", {"frontend_network_interfaces": [{"name": "fe0"}]}, "missing required arguments: address"


@pytest.mark.parametrize(
    ("role", "variables", "words"), [pytest.param(*r, id=f"{r[0]}-{r[2][:24]}") for r in _refused()]
)
def test_an_argument_that_cannot_be_is_refused_by_name(
    tmp_path: Path, role: str, variables: dict[str, Any], words: str
) -> None:
    """Refused before the node is asked anything: the address of this one answers to nobody."""
    given = inventory([role])
    given["all"]["children"]["gpu_node"]["hosts"][HOST] |= {"ansible_host": "127.0.0.1", "ansible_port": 1}
    given["all"]["vars"]["package_repository_sources"] = []
    (tmp_path / "hosts.json").write_text(json.dumps(given))
    (tmp_path / "more.json").write_text(json.dumps(variables))
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "ansible-playbook", "-i", tmp_path / "hosts.json", FOLDER / "site.yml"),
            *("--tags", role, "-e", f"@{tmp_path / 'more.json'}"),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(FOLDER.parent / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in " ".join(done.stdout.split())
