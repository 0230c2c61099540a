#!/usr/bin/env bash
# The Debian libraries that Qt loads, also for drawing without a screen: installed where apt and root are there,
# otherwise one line says what to install. Nothing happens where they are present.
set -u
case "$(uname -s)" in Linux) ;; *) exit 0 ;; esac

# library:package
needed=(libgthread-2.0.so.0:libglib2.0-0 libGL.so.1:libgl1 libfontconfig.so.1:libfontconfig1)
if [ -n "${DISPLAY:-}" ]; then # a window on a real or virtual X display needs more
    needed+=(libdbus-1.so.3:libdbus-1-3 libxkbcommon-x11.so.0:libxkbcommon-x11-0 libxcb-icccm.so.4:libxcb-icccm4
        libxcb-image.so.0:libxcb-image0 libxcb-keysyms.so.1:libxcb-keysyms1
        libxcb-render-util.so.0:libxcb-render-util0 libxcb-xinerama.so.0:libxcb-xinerama0
        libxcb-shape.so.0:libxcb-shape0)
fi

present=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null)
missing=()
for pair in "${needed[@]}"; do
    grep -qF "${pair%%:*}" <<<"$present" || missing+=("${pair##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    echo "Installing ${missing[*]} (Qt needs them) ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && exit 0
    echo "apt-get could not install ${missing[*]}: install them by hand, then run this again." >&2
    exit 1
fi
echo "Qt needs libraries that are missing here: ask an administrator to run 'apt-get install ${missing[*]}' (or your system's equivalent)."
