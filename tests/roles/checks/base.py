"""sshd, sudo, chronyd, the journal, PAM and apt have taken what was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_sshd_takes_keys_and_nothing_else(host: Host) -> None:
    read = host.check_output("/usr/sbin/sshd -T -C user=ada,host=desk,addr=192.0.2.9").splitlines()
    assert {
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "pubkeyauthentication yes",
        "permitrootlogin without-password",
        "authorizedkeysfile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u",
        "x11forwarding no",
        "maxauthtries 4",
    } <= set(read)


def check_sshd_runs_with_it(host: Host) -> None:
    reloaded, written = (
        int(host.check_output(command))
        for command in (
            'date +%s -d "$(systemctl show --property=StateChangeTimestamp --value ssh.service)"',
            "stat --format=%Y /etc/ssh/sshd_config.d/10-base.conf",
        )
    )
    assert reloaded >= written


def check_an_operator_may_do_everything_without_a_password(host: Host) -> None:
    assert host.user("ada").uid == 2001
    assert host.check_output("su ada -c 'sudo --non-interactive id -un'") == "root"
    assert host.check_output("passwd --status ada").split()[1] in {"L", "LK"}


def check_one_without_sudo_may_not(host: Host) -> None:
    assert host.run("su visitor -c 'sudo --non-interactive id -un'").rc != 0


def check_keys_are_in_the_hand_of_root(host: Host) -> None:
    file = host.file("/etc/ssh/authorized_keys.d/ada")
    assert (file.user, file.mode) == ("root", 0o644)
    assert host.check_output("ssh-keygen -l -f /etc/ssh/authorized_keys.d/ada").endswith("(ED25519)")


def check_chronyd_asks_the_servers_of_the_site_and_no_other(host: Host) -> None:
    assert host.service("chrony").is_enabled
    sources = host.check_output("chronyc -c -n sources").splitlines()
    assert [line.split(",")[2] for line in sources] == ["10.192.0.2"]


def check_an_installation_restarts_no_services(host: Host) -> None:
    """Read as needrestart reads it, which is Perl; it only lists what it would restart."""
    read = "my $file = shift; eval do { local (@ARGV, $/) = $file; <> }; die $@ if $@; print @nrconf{qw(restart kernelhints)}"
    assert host.check_output(f"perl -e '{read}' /etc/needrestart/conf.d/60-base.conf") == "l0"


def check_the_journal_is_kept(host: Host) -> None:
    header = host.check_output("journalctl --header --system")
    assert "File path: /var/log/journal/" in header
    # Its own account of itself.
    said = host.check_output("journalctl --output=json --lines=1 MESSAGE_ID=ec387f577b844b8fa948f33cad9a75e6")
    assert json.loads(said)["JOURNAL_NAME"] == "System Journal"
    assert "MaxRetentionSec=3month" in host.check_output("systemd-analyze cat-config systemd/journald.conf")


def check_a_new_session_has_the_limits(host: Host) -> None:
    assert host.check_output("su - ada -c 'ulimit -u; ulimit -n'").split() == ["4000", "1024"]
    assert host.check_output("su - root -c 'ulimit -n'") == "1024"


def check_a_service_has_the_limits(host: Host) -> None:
    shown = host.check_output("systemctl show --property=DefaultLimitNOFILE,DefaultLimitNPROC").split()
    assert shown == ["DefaultLimitNOFILE=1024", "DefaultLimitNPROC=4000"]


def check_nothing_is_upgraded_unattended(host: Host) -> None:
    read = host.check_output("apt-config dump APT::Periodic; apt-config dump Unattended-Upgrade::Package-Blacklist")
    assert 'APT::Periodic::Unattended-Upgrade "0";' in read
    assert 'APT::Periodic::Enable "0";' in read
    assert 'Unattended-Upgrade::Package-Blacklist:: "libnvidia";' in read


def check_consoles_are_added_to_what_was_there(host: Host) -> None:
    shown = host.check_output("GRUB_CMDLINE_LINUX=quiet; . /etc/default/grub.d/50-base.cfg; echo $GRUB_CMDLINE_LINUX")
    assert shown == "quiet console=tty0 console=ttyS0,115200n8"


def check_names_of_hosts_are_known(host: Host) -> None:
    assert host.check_output("getent hosts mirror").split() == ["192.0.2.7", "mirror", "mirror.lab"]
    assert host.check_output("hostname") == host.check_output("cat /etc/hostname")
