"""The script that loads a configuration on the switch itself, and takes it back."""

SCRIPT = r"""#!/bin/sh
# Loads what is staged beside this script, and takes it back where that fails or nobody confirms it.
# Written by lindos; edits are lost.
set -u
etc=@ETC@
reload=@RELOAD@
home=$etc/lindos

places() {  # name, path, owner, mode
    cat <<'PLACES'
@PLACES@
PLACES
}

finish() {  # the outcome, with what was grumbled about on the way, errors first
    {
        echo "$1"
        grep -i '^error' "$home/load.log" | head -n 10
        grep -vi -e '^error' -e '^$' "$home/load.log" | tail -n 10
    } >"$home/load.result.new"
    mv -f "$home/load.result.new" "$home/load.result"
}

keep() {  # what stands in place -> previous/
    rm -rf "$home/keeping"
    mkdir -p "$home/keeping"
    places | while read -r name path owner mode; do
        if [ -e "$path" ]; then cp -p "$path" "$home/keeping/$name"; fi
    done
    rm -rf "$home/previous"
    mv "$home/keeping" "$home/previous"
}

put() {  # a folder -> in place; what it does not hold is taken away
    places | while read -r name path owner mode; do
        if [ -e "$1/$name" ]; then
            mkdir -p "${path%/*}" && cp "$1/$name" "$home/fresh" && chown "$owner" "$home/fresh" &&
                chmod "$mode" "$home/fresh" && mv -f "$home/fresh" "$path" || exit 1
        else
            rm -f "$path" || exit 1
        fi
    done
}

told() { grep -v '^[#!]' "$1" 2>/dev/null; }

same() {  # does a file say the same in two folders, whatever its stamp and comments say?
    [ "$(told "$1/$3")" = "$(told "$2/$3")" ]
}

pending() {  # by what FRR's running configuration differs from the written one
    out=$("$reload" --test "$etc/frr/frr.conf" 2>/dev/null) || out="FRR does not answer"
    printf '%s\n' "$out" | grep -Ev '^([0-9]{4}-|Lines To |=+$|frr version |(no )?hostname |$)'
}

routing() {  # seconds FRR has to read its file by itself, seconds it has in all; does it run what is written?
    begun=$(date +%s)
    while [ -n "$(pending)" ]; do
        spent=$(($(date +%s) - begun))
        if [ "$spent" -ge "$2" ]; then
            echo "error: FRR does not run what is written: $(pending | head -n 1)"
            return 1
        fi
        [ "$spent" -lt "$1" ] || "$reload" --reload "$etc/frr/frr.conf"
        sleep 1
    done
}

apply() {  # from which folder, to which folder: makes the switch run what stands in place
    grep -qs '^source.*interfaces\.d/\*' "$etc/network/interfaces" ||
        echo "source $etc/network/interfaces.d/*" >>"$etc/network/interfaces"
    ifreload -a || return 1
    if [ ! -e "$2/frr.conf" ]; then
        systemctl disable --now frr
    elif systemctl is-active --quiet frr && same "$1" "$2" daemons; then
        routing 0 40 || return 1
    else
        # Active is not enough: on a busy machine the daemons come up without ever having read the file.
        systemctl restart frr && systemctl enable --quiet frr && routing 10 40 || return 1
    fi
    if [ ! -e "$2/lldpd.conf" ]; then
        systemctl disable --now lldpd
    elif ! systemctl is-active --quiet lldpd || ! same "$1" "$2" lldpd.conf; then
        systemctl restart lldpd && systemctl enable --quiet lldpd || return 1
    fi
}

unconfirmed() { systemctl is-active --quiet lindos-rollback.timer; }

disarm() { systemctl stop lindos-rollback.timer 2>/dev/null; }

load() {
    : >"$home/load.log"
    if [ -e "$home/staged/frr.conf" ] && ! vtysh -C -f "$home/staged/frr.conf" >>"$home/load.log" 2>&1; then
        finish "refused: frr.conf is wrong; nothing was changed"
        return 1
    fi
    if [ -e "$home/staged/interfaces" ] &&
        ! ifup --all --syntax-check --interfaces "$home/staged/interfaces" >>"$home/load.log" 2>&1; then
        finish "refused: interfaces is wrong; nothing was changed"
        return 1
    fi
    # What nobody has confirmed yet is not what to go back to.
    unconfirmed || keep
    disarm
    systemd-run --quiet --collect --unit=lindos-rollback --on-active=@CONFIRM_S@ \
        /bin/sh "$home/load.sh" rollback >>"$home/load.log" 2>&1 || {
        finish "refused: cannot arm the way back; nothing was changed"
        return 1
    }
    if { put "$home/staged" && apply "$home/previous" "$home/staged"; } >>"$home/load.log" 2>&1; then
        finish loaded
    else
        rollback
        finish "failed: taken back"
        disarm
        return 1
    fi
}

rollback() { { put "$home/previous"; apply "$home/staged" "$home/previous"; } >"$home/rollback.log" 2>&1; }

case ${1:-} in
    start)
        rm -f "$home/load.result"
        systemctl reset-failed lindos-load.service 2>/dev/null
        exec systemd-run --quiet --collect --unit=lindos-load /bin/sh "$home/load.sh" load
        ;;
    load) load ;;
    rollback) : >"$home/load.log"; rollback; finish "taken back: nobody confirmed it" ;;
    confirm) disarm; exit 0 ;;
    *) echo "usage: $0 start|load|rollback|confirm" >&2; exit 2 ;;
esac
"""
"""POSIX sh, for a root shell of Debian with systemd. Words between @ are filled in."""
