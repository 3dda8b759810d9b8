#!/bin/bash
# Zero touch of Cumulus Linux for site lab: fetches the configuration of this switch by the name DHCP gave it.
# generated, edits are lost; not validated by a device
# CUMULUS-AUTOPROVISIONING
set -euo pipefail
name=$(hostname -s)
file=$(mktemp --suffix=.yaml)
curl --fail --silent --show-error --retry 10 --retry-connrefused --output "$file" "http://10.192.0.3/switches/$name/nvue.yaml"
nv config replace "$file"
nv config apply --assume-yes
nv config save
exit 0
