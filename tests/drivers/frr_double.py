"""The programs of an FRR switch, as small scripts that keep their state below the box's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.drivers.nos.frr import Frr

if TYPE_CHECKING:
    from ssh_double import Box

SYSTEMCTL = r"""
verb=$1; shift
for unit; do
    case $unit in --quiet | --now) continue ;; esac
    case $verb in
        is-active)
            [ -e "$BOX/active/$unit" ] && s=active || s=inactive
            case " $* " in *" --quiet "*) ;; *) echo $s ;; esac
            [ $s = active ] || bad=3 ;;
        restart)
            [ ! -e "$BOX/broken/$unit" ] || { echo "Job for $unit.service failed."; exit 1; }
            touch "$BOX/active/$unit"; echo "restart $unit" >>"$BOX/log"
            # A busy machine: the daemons are up and have not read their file.
            [ "$unit" != frr ] || [ -e "$BOX/busy" ] || cp "$BOX/etc/frr/frr.conf" "$BOX/running" ;;
        stop | disable) rm -f "$BOX/active/$unit" ;;
    esac
done
exit ${bad:-0}
"""

SYSTEMD_RUN = r"""
while [ $# -gt 0 ]; do
    case $1 in
        --on-active=*) timer=${1#*=} ;;
        --unit=*) unit=${1#*=} ;;
        --*) ;;
        *) break ;;
    esac
    shift
done
if [ -n "${timer:-}" ]; then
    touch "$BOX/active/$unit.timer"; echo "armed $timer" >>"$BOX/log"
else
    "$@" >/dev/null 2>&1 </dev/null &
fi
"""

VTYSH = r"""
case "$1 ${2:-}" in
    "-C -f") n=$(grep -n bogus "$3" | cut -d: -f1)
        [ -z "$n" ] || { echo "line $n: % Unknown command[4]: bogus"; exit 2; } ;;
    "-c show version") [ -e "$BOX/active/frr" ] && echo "FRRouting 8.4.4 (box) on Linux(6.1)." ;;
    "-c show bgp summary json") [ -e "$BOX/active/frr" ] && cat "$BOX/bgp.json" ;;
esac
"""

IFRELOAD = r"""
echo ifreload >>"$BOX/log"
file=$BOX/etc/network/interfaces.d/lindos
grep -q unhappy "$file" 2>/dev/null && { echo "error: cannot apply"; exit 1; }
grep -q etp9 "$file" 2>/dev/null && echo "warning: etp9: interface not recognized"
exit 0
"""

IFUP = 'grep -q "mtu abc" "$4" && { echo "warning: etp1: invalid mtu abc"; exit 1; }; exit 0\n'

FRR_RELOAD = r"""
told() { grep -v '^[#!]' "$1" 2>/dev/null; }
case $1 in
    --test)
        [ -e "$BOX/active/frr" ] || exit 1
        echo '2026-11-22 02:46:43,176  INFO: Loading Config object from vtysh show running'
        printf '\nLines To Add\n============\nfrr version 8.4\n'
        [ "$(told "$2")" = "$(told "$BOX/running")" ] || told "$2" ;;
    --reload)
        echo "reload $2" >>"$BOX/log"
        ! grep -q indigestible "$2" && cp "$2" "$BOX/running" ;;
esac
"""

CLOCK = r"""
# Each look at the clock is five seconds later, so that nothing has to be waited for.
now=$(cat "$BOX/clock" 2>/dev/null || echo 0)
echo $((now + 5)) >"$BOX/clock"
echo "$now"
"""

BGP = """{"ipv4Unicast": {"routerId": "10.160.0.1", "peers": {
 "100.64.0.11": {"remoteAs": 4200000101, "state": "Established", "pfxRcd": 4},
 "100.64.0.3": {"remoteAs": 4200000102, "state": "Active"}}, "totalPeers": 2}}"""


def install(box: Box) -> Frr:
    """A box -> the same with what FRR, ifupdown2, lldpd and systemd bring, and the driver that fits it."""
    for folder in ("active", "broken", "etc/network/interfaces.d", "etc/frr", "etc/lldpd.d"):
        (box.root / folder).mkdir(parents=True, exist_ok=True)
    (box.etc / "network/interfaces").write_text("auto lo\niface lo inet loopback\n")
    (box.etc / "frr/frr.conf").write_text("! from the package\n")
    (box.etc / "frr/daemons").write_text("bgpd=no\n")
    (box.root / "bgp.json").write_text(BGP)
    (box.root / "log").touch()
    for name, script in {
        "systemctl": SYSTEMCTL,
        "systemd-run": SYSTEMD_RUN,
        "vtysh": VTYSH,
        "ifreload": IFRELOAD,
        "ifup": IFUP,
        "chown": "exit 0\n",
        "hostname": "echo lab-p001-spine01\n",
        "frr-reload.py": FRR_RELOAD,
        "sleep": "exec /bin/sleep 0.02\n",
        "date": CLOCK,
    }.items():
        box.tool(name, script)
    return Frr(etc=str(box.etc), reload=str(box.tools / "frr-reload.py"), load_s=40, poll_s=0.02)


def log(box: Box) -> list[str]:
    """A box -> what was done to it since the last question."""
    done = (box.root / "log").read_text().splitlines()
    (box.root / "log").write_text("")
    return done
