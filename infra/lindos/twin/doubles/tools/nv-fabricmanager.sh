#!/bin/sh
# Lindos twin double of nv-fabricmanager: refuses a driver of another release, as the real one does; else stays.
own=$(cat /usr/lib/lindos-twin/fabric-manager)
case "${1:-}" in
-v | --version)
    echo "Fabric Manager version is : $own"
    exit 0
    ;;
esac
driver=$(cat /usr/lib/lindos-twin/kernel-module 2>/dev/null)
if [ -z "$driver" ]; then
    echo "fabric manager: request to query NVSwitch device information from NVSwitch driver failed" >&2
    exit 1
fi
if [ "$own" != "$driver" ]; then
    echo "fabric manager NVIDIA GPU driver interface version $own don't match with driver version $driver." \
        "Please update with matching NVIDIA driver package." >&2
    exit 1
fi
echo "Lindos twin double of nv-fabricmanager $own"
sleep infinity &
echo $! >/run/nvidia-fabricmanager/nv-fabricmanager.pid
