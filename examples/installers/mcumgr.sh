#!/bin/sh
# Updates a microcontroller behind this device with mcumgr and MCUboot. This device keeps running and does not restart.
# The contract is in docs/installers.md. $CONNECTION says how to reach the controller.
# MCUboot gives up an image that was not confirmed at the next reset: that is the way back.
set -eu
state=${STATE:-/var/lib/srup-mcumgr}
connection=${CONNECTION:---conntype serial --connstring dev=/dev/ttyACM0,baud=115200}
mkdir -p "$state"

mcu() {
  # shellcheck disable=SC2086 # the words of the connection
  mcumgr $connection "$@"
}
# The hash that MCUboot knows, of the image that runs (flag "active") or of slot 1.
hash_of() {
  mcu image list | awk -v wanted="$1" '
    /slot=/ { slot = $NF; active = 0 }
    /flags:/ { active = /active/ }
    /hash:/ { if (wanted == "active" ? active : slot == "slot=1") print $2 }'
}
# It differs from the hash of the file, so this script records which image came from which file.
running() {
  hash=$(hash_of active)
  [ -n "$hash" ] || return 1
  if [ -e "$state/$hash" ]; then cat "$state/$hash"; else echo "image $hash"; fi
}
reset() {
  mcu reset
  tries=0
  until [ -n "$(hash_of active 2>/dev/null)" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo 'the controller does not come back' >&2; exit 1; }
    sleep 2
  done
}

case $1 in
  running)
    running
    ;;
  install)
    mcu image upload "$3"
    hash=$(hash_of 1)
    [ -n "$hash" ] || { echo 'the image is not in slot 1' >&2; exit 1; }
    printf '%s\n' "$2" >"$state/new"
    sync
    mv -f "$state/new" "$state/$hash"
    ;;
  activate)
    mcu image test "$(hash_of 1)"
    reset
    ;;
  confirm)
    mcu image confirm ""
    ;;
  revert)
    if [ "$(running)" = "$2" ]; then reset; fi
    ;;
  *)
    echo "there is no step $1" >&2
    exit 64
    ;;
esac
