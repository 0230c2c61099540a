#!/usr/bin/env bash
# The Debian libraries that Qt loads, also for drawing without a screen: installed where apt and root are there,
# otherwise one line says what to install. Nothing happens where they are present.
set -u
case "$(uname -s)" in Linux) ;; *) exit 0 ;; esac

missing=()
have() { ldconfig -p 2>/dev/null | grep -q "$1"; }
have libgthread-2.0.so.0 || missing+=(libglib2.0-0)
have libGL.so.1 || missing+=(libgl1)
have libfontconfig.so.1 || missing+=(libfontconfig1)
[ ${#missing[@]} -eq 0 ] && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    echo "Installing ${missing[*]} (Qt needs them) ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && exit 0
    echo "apt-get could not install ${missing[*]}: install them by hand, then run this again." >&2
    exit 1
fi
echo "Qt needs libraries that are missing here: ask an administrator to run 'apt-get install ${missing[*]}' (or your system's equivalent)."
