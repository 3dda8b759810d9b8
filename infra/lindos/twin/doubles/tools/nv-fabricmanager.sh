#!/bin/sh
# Lindos twin double of nv-fabricmanager: refuses a driver of another release, as the real one does, and to set up
# switches of the fourth generation without what the real one's start looks for; else stays.
own=$(cat /usr/lib/lindos-twin/fabric-manager)
case "${1:-}" in
-v | --version)
    echo "Fabric Manager version is : $own"
    exit 0
    ;;
esac
driver=$(cat /sys/module/nvidia/version 2>/dev/null)
if [ -z "$driver" ]; then
    echo "fabric manager: request to query NVSwitch device information from NVSwitch driver failed" >&2
    exit 1
fi
if [ "$own" != "$driver" ]; then
    echo "fabric manager NVIDIA GPU driver interface version $own don't match with driver version $driver." \
        "Please update with matching NVIDIA driver package." >&2
    exit 1
fi
if grep -q '"model": *"b[23]00_sxm"' /etc/lindos-twin/hardware.json 2>/dev/null; then
    echo "Detected NVL5+ system"
    if ! command -v ibstat >/dev/null; then
        echo "ibstat not found" >&2
        exit 1
    fi
    if [ ! -e /sys/module/ib_umad ]; then
        echo 'Kernel module "ib_umad" has not been loaded, fabric manager cannot be started' >&2
        exit 1
    fi
    if [ ! -x /opt/nvidia/nvlsm/sbin/nvlsm ]; then
        echo '"/opt/nvidia/nvlsm/sbin/nvlsm" does not exist' >&2
        exit 1
    fi
fi
echo "Lindos twin double of nv-fabricmanager $own"
sleep infinity &
echo $! >/run/nvidia-fabricmanager/nv-fabricmanager.pid
