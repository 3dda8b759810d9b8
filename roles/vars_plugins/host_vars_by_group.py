"""Hosts in, their variables out: those that a file of one of their groups holds.

A file a group costs less than Ansible's own file a host, of which a large site would have a hundred thousand.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ansible.inventory.group import InventoryObjectType
from ansible.plugins.loader import filter_loader, test_loader
from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = """
    name: host_vars_by_group
    short_description: variables of hosts, a file a group
    description:
      - Reads C(host_vars/GROUP.json) beside the inventory, an object of hosts and their variables.
      - A file is read when the first host of its group is asked for, so that C(--limit) reads what it names.
    options:
      stage:
        ini:
          - key: stage
            section: vars_host_vars_by_group
        env:
          - name: ANSIBLE_VARS_PLUGIN_STAGE
    extends_documentation_fragment:
      - vars_plugin_staging
"""

# Ansible forks a process for each task on each host, and each would load all filters and tests for the first it meets.
# What this process, the first to run, has loaded they inherit.
for _loader, _name in ((filter_loader, "default"), (test_loader, "defined")):
    _loader.get(_name)


@cache
def _files(path: str) -> dict[str, str]:
    """The folder of an inventory -> the groups that have a file, and where it is."""
    return {file.stem: str(file) for file in Path(path, "host_vars").glob("*.json")}


class VarsModule(BaseVarsPlugin):
    """What Ansible asks for a host's variables, once for each inventory and for the playbook's folder."""

    is_stateless = True

    def get_vars(self, loader: Any, path: str, entities: Any) -> dict[str, Any]:
        """The folder of an inventory and hosts or groups -> the variables of the hosts."""
        told: dict[str, Any] = {}
        if not (files := _files(path)):
            return told
        for entity in entities if isinstance(entities, list) else [entities]:
            if entity.base_type is InventoryObjectType.HOST:
                for group in entity.groups:
                    if file := files.get(group.name):
                        # Kept as it is, since a copy of the file for each host would cost more than reading it.
                        hosts = loader.load_from_file(file, cache="all", unsafe=True, trusted_as_template=True)
                        told |= hosts.get(entity.name, {})
        return told
