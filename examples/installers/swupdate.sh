#!/bin/sh
# Gives software to SWUpdate with two copies of the system, chosen by U-Boot.
# The contract is in docs/installers.md. On this device, the sw-description of images has the modes copy1 and copy2
# in the set "stable"; the kernel's command line says copy=1 or copy=2; U-Boot starts the copy in its variable "copy",
# and while "upgrade_available" is 1 it counts "bootcount" and goes back to the other copy by itself.
# $STATE has to outlive a switch: it lies on the data partition, as the agent's home does.
set -eu
state=${STATE:-/var/lib/srup-swupdate}
mkdir -p "$state"

booted=$(tr ' ' '\n' <"${CMDLINE:-/proc/cmdline}" | sed -n 's/^copy=\([12]\)$/\1/p')
case $booted in
  1) other=2 ;;
  2) other=1 ;;
  *) echo 'the kernel does not say which copy is booted' >&2; exit 1 ;;
esac

running() {
  if [ -e "$state/copy$booted" ]; then cat "$state/copy$booted"; else echo "copy $booted"; fi
}
choose() {
  fw_setenv copy "$1"
  fw_setenv bootcount 0
  fw_setenv upgrade_available "$2"
}

case $1 in
  running)
    running
    ;;
  install)
    rm -f "$state/copy$other"
    sync
    swupdate -e "stable,copy$other" -i "$3"
    printf '%s\n' "$2" >"$state/new"
    sync
    mv -f "$state/new" "$state/copy$other"
    ;;
  activate)
    choose "$other" 1
    exit 76
    ;;
  restart)
    systemctl reboot
    ;;
  confirm)
    choose "$booted" 0
    ;;
  revert)
    if [ "$(running)" = "$2" ]; then
      choose "$other" 0
      exit 76
    fi
    choose "$booted" 0
    ;;
  *)
    echo "there is no step $1" >&2
    exit 64
    ;;
esac
