#!/bin/sh
# Gives software to RAUC: two slots, a bootloader that counts tries, bundles as artifacts.
# The contract is in docs/installers.md. RAUC must not activate by itself: in its system.conf, section [system],
# activate-installed=false. $STATE has to outlive a switch: it lies on the data partition, as the agent's home does.
set -eu
state=${STATE:-/var/lib/srup-rauc}
mkdir -p "$state"

booted=$(rauc status --output-format=shell | sed -n "s/^RAUC_SYSTEM_BOOTED_BOOTNAME='\{0,1\}\([^']*\)'\{0,1\}$/\1/p")
[ -n "$booted" ] || { echo 'RAUC does not say which slot is booted' >&2; exit 1; }

# RAUC knows slots, not our digests, so this script records what was installed while which slot was booted.
write() {
  printf '%s\n' "$2" >"$state/$1.new"
  sync
  mv -f "$state/$1.new" "$state/$1"
}
running() {
  if [ -e "$state/slot.$booted" ]; then
    cat "$state/slot.$booted"
  elif [ -e "$state/other-than" ] && [ "$(cat "$state/other-than")" != "$booted" ]; then
    cat "$state/installed"
  else
    echo "slot $booted"
  fi
}

case $1 in
  running)
    running
    ;;
  install)
    # From here on the content of the other slot is unknown.
    write "slot.$booted" "$(running)"
    for known in "$state"/slot.*; do
      [ "$known" = "$state/slot.$booted" ] || rm -f "$known"
    done
    rm -f "$state/other-than"
    ln -sf "$3" "$state/bundle.raucb"
    rauc install "$state/bundle.raucb"
    write installed "$2"
    write other-than "$booted"
    ;;
  activate)
    rauc status mark-active other
    exit 76
    ;;
  restart)
    systemctl reboot
    ;;
  confirm)
    rauc status mark-good booted
    ;;
  revert)
    if [ "$(running)" = "$2" ]; then
      rauc status mark-bad booted
      rauc status mark-active other
      exit 76
    fi
    rauc status mark-active booted
    ;;
  *)
    echo "there is no step $1" >&2
    exit 64
    ;;
esac
