#!/bin/sh
# First process of a machine of the twin: makes the container look like the machine, then becomes its init.
# /etc/lindos-twin is the chassis as its system sees it: read-only, written by the twin on the host.
set -eu
chassis=/etc/lindos-twin
run=/run/lindos-twin
mkdir -p "$run"

# Host-wide settings are one per kernel, and the kernel is the host's. The machine gets copies of its own in memory:
# it reads back what it wrote, and the host never hears of it. $run/doubled lists what is such a copy.
: >"$run/doubled"
copy() {
    mkdir -p "$2"
    # Some keys can only be written; they become empty files.
    cp -r --no-dereference "$1/." "$2/" 2>/dev/null || :
    echo "$1" >>"$run/doubled"
}

# Settings of a network namespace are the machine's own and stay real.
net_settings() {
    real=$run/net
    mkdir "$real"
    mount --bind /proc/sys/net "$real"
    mount -o remount,bind,rw "$real"
    for part in "$real"/*; do
        name=${part##*/}
        mkdir -p "$sys/net/$name"
        [ "$name" = core ] || mount --bind "$part" "$sys/net/$name"
    done
    # In core some keys exist once per kernel: a namespace does not show them, or shows them read-only.
    for key in "$chassis"/net-core/*; do
        [ -e "$key" ] || continue
        name=${key##*/}
        if [ "$(stat -c %a "$real/core/$name" 2>/dev/null || echo 444)" = 444 ]; then
            cp "$key" "$sys/net/core/$name"
            chmod 644 "$sys/net/core/$name"
            echo "/proc/sys/net/core/$name" >>"$run/doubled"
        fi
    done
    for key in "$real"/core/*; do
        [ -e "$sys/net/core/${key##*/}" ] && continue
        : >"$sys/net/core/${key##*/}"
        mount --bind "$key" "$sys/net/core/${key##*/}"
    done
}

sys=$run/sys
for part in /proc/sys/*; do
    name=${part##*/}
    case $name in
        net) net_settings ;;
        kernel | vm | fs) copy "$part" "$sys/$name" ;;
        *) mkdir -p "$sys/$name" && mount --bind "$part" "$sys/$name" ;;
    esac
done
# Of the kernel's keys these are the container's own, or fresh at each reading.
for key in hostname domainname random/uuid; do
    mount --bind "/proc/sys/kernel/$key" "$sys/kernel/$key"
done
# One kernel has one boot id; a machine has a new one after every boot.
cat "$chassis/boot-id" >"$sys/kernel/random/boot_id"
mount --rbind "$sys" /proc/sys

for part in /sys/devices/system/cpu /sys/kernel/mm/transparent_hugepage /sys/kernel/mm/hugepages; do
    [ -d "$part" ] || continue
    copy "$part" "$run$part"
    for cpu in "$run$part"/cpu[0-9]*; do
        [ -d "$cpu" ] || continue
        # A virtual machine's CPUs have no frequency to govern; a server's have.
        rm -rf "$cpu/cpufreq"
        mkdir -p "$cpu/cpufreq"
        echo powersave >"$cpu/cpufreq/scaling_governor"
        echo performance powersave >"$cpu/cpufreq/scaling_available_governors"
        echo intel_pstate >"$cpu/cpufreq/scaling_driver"
    done
    mount --bind "$run$part" "$part"
done

# The boot loader: kernel arguments are what GRUB's files ask for, not those of the host.
(
    GRUB_CMDLINE_LINUX='' GRUB_CMDLINE_LINUX_DEFAULT=''
    for file in /etc/default/grub /etc/default/grub.d/*.cfg; do
        # shellcheck disable=SC1090
        [ -r "$file" ] && . "$file"
    done
    echo "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" | tr -s ' '
) >"$run/cmdline"
echo /proc/cmdline >>"$run/doubled"
mount --bind "$run/cmdline" /proc/cmdline

# Like /proc/sys/net, this part of /sys is the namespace's own; bridges are set up through it.
mount --bind /sys/devices/virtual/net /sys/devices/virtual/net
mount -o remount,rw /sys/devices/virtual/net

# What an installer leaves on a fresh disk, once.
if [ ! -e /var/lib/lindos-installed ]; then
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(cat /etc/hostname)" >/etc/hosts
    install -m 600 "$chassis/ssh/host_key" /etc/ssh/ssh_host_ed25519_key
    install -m 644 "$chassis/ssh/host_key.pub" /etc/ssh/ssh_host_ed25519_key.pub
    install -d -m 700 ~root/.ssh
    install -m 600 "$chassis/ssh/authorized_keys" ~root/.ssh/authorized_keys
    cp -rT "$chassis/startup" /
    chown -R frr:frr /etc/frr
    while read -r unit; do
        systemctl --quiet enable "$unit"
    done <"$chassis/units"
    : >/var/lib/lindos-installed
fi

exec /sbin/init
