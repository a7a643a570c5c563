#!/bin/sh
# A device with two slots and a bootloader, played with files in $MACHINE, behind the contract of docs/installers.md.
# Files that change its ways: "reboots" (a switch needs a restart), "fail-STEP", "later-STEP", "kill-before-STEP" and
# "kill-after-STEP" (the agent dies there), "stuck" (it never switches).
set -eu
cd "$MACHINE"
step=$1
digest=${2:-}
artifact=${3:-}
echo "$step" >>trace

kill_agent() {
  [ -e "kill-$1-$step" ] || return 0
  rm "kill-$1-$step"
  kill -9 "$PPID"
  exit # or it would go on beside what the next agent asks for
}
other() {
  if [ "$(cat booted)" = a ]; then echo b; else echo a; fi
}
switch_to() {
  if [ -e reboots ]; then
    echo "$1" >try
    kill_agent after
    exit 76
  fi
  [ -e stuck ] || echo "$1" >booted
}

kill_agent before
if [ -e "fail-$step" ]; then
  cat "fail-$step" >&2
  exit 1
fi
if [ -e "later-$step" ]; then
  cat "later-$step"
  exit 75
fi
case $step in
  running) cat "slot-$(cat booted)" ;;
  install) sha256sum "$artifact" | cut -d ' ' -f 1 >"slot-$(other)" ;;
  activate) switch_to "$(other)" ;;
  restart) ;;
  confirm) cp booted confirmed ;;
  revert)
    rm -f try
    if [ "$(cat "slot-$(cat booted)")" = "$digest" ]; then switch_to "$(other)"; fi
    ;;
esac
kill_agent after
