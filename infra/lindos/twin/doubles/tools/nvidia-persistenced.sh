#!/bin/sh
# Lindos twin double of nvidia-persistenced: stays, and does nothing; the double of nvidia-smi looks whether it is there.
# Like the real one it refuses a user that there is not, and a machine without a loaded driver.
own=/run/nvidia-persistenced
persistence=true
while [ $# -gt 0 ]; do
    case $1 in
    --persistence-mode) persistence=true ;;
    --no-persistence-mode) persistence=false ;;
    --user)
        id -u "$2" >/dev/null || exit 1
        shift
        ;;
    esac
    shift
done
if [ ! -e /sys/module/nvidia/version ]; then
    echo "nvidia-persistenced failed to initialize. Check syslog for more details." >&2
    exit 1
fi
mkdir -p "$own"
$persistence || : >"$own/no-persistence-mode"
echo "Lindos twin double of nvidia-persistenced"
sleep infinity &
echo $! >"$own/nvidia-persistenced.pid"
