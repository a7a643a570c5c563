#!/bin/sh
# An installer in a few lines: one program, its versions side by side, and a link to the one that runs.
# The contract is in docs/installers.md. In agent.json:
#
#   "software": {
#     "installer": "command",
#     "command": ["/usr/lib/srup/plain.sh"],
#     "env": { "APP_FOLDER": "/opt/pump", "APP_RESTART": "systemctl restart pump" }
#   }
#
# The service starts $APP_FOLDER/current. Every step can be cut off anywhere, and is then called again.
set -eu
cd "${APP_FOLDER:?is not set}"

digest_of() {
  sha256sum <"$1" | cut -d ' ' -f 1
}
link_to() {
  ln -sf "$1" current.new
  mv -f current.new current
  sync
  sh -c "${APP_RESTART:-:}"
}

case $1 in
  running)
    # What the link really leads to, not what should run.
    if [ -e current ]; then digest_of current; else echo nothing; fi
    ;;
  install)
    digest=$2
    artifact=$3
    mkdir -p versions
    cp "$artifact" "versions/$digest.new"
    [ "$(digest_of "versions/$digest.new")" = "$digest" ] || { echo 'the copy is another one' >&2; exit 1; }
    chmod 755 "versions/$digest.new"
    sync
    mv -f "versions/$digest.new" "versions/$digest"
    ;;
  activate)
    digest=$2
    before=$(readlink current || :)
    if [ "$before" != "versions/$digest" ]; then
      printf '%s\n' "$before" >previous.new
      mv -f previous.new previous
    fi
    link_to "versions/$digest"
    ;;
  confirm)
    # Keep only this version and the way back.
    for version in versions/*; do
      case $version in
        "versions/$2" | "$(cat previous)") ;;
        *) rm -f "$version" ;;
      esac
    done
    ;;
  revert)
    [ "$(readlink current || :)" = "versions/$2" ] || exit 0
    before=$(cat previous)
    if [ -n "$before" ] && [ -e "$before" ]; then
      link_to "$before"
    else
      rm -f current
      sh -c "${APP_RESTART:-:}"
    fi
    ;;
  *)
    echo "there is no step $1" >&2
    exit 64
    ;;
esac
