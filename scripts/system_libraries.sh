#!/usr/bin/env bash
# The Debian packages that are not Python's: libraries that Qt loads, also for drawing without a screen, and the header
# of libzmq, with which the tests compile docs/examples/sender.c. Installed where apt and root are there, otherwise one
# line says what to install. Nothing happens where they are present.
set -u
case "$(uname -s)" in Linux) ;; *) exit 0 ;; esac

install() { # who needs them, packages...
    local who=$1
    shift
    [ $# -eq 0 ] && return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
        echo "Installing $* ($who) ..."
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return 0
        echo "apt-get could not install $* ($who): install by hand, then run this again." >&2
        return 1
    fi
    echo "Missing here ($who): ask an administrator to run 'apt-get install $*' (or your system's equivalent)."
}

# library:package
needed=(libgthread-2.0.so.0:libglib2.0-0 libGL.so.1:libgl1 libfontconfig.so.1:libfontconfig1)
if [ -n "${DISPLAY:-}${WITH_XVFB:-}" ]; then # a window on a real or virtual X display needs more
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
if [ -n "${WITH_XVFB:-}" ] && ! command -v xvfb-run >/dev/null; then
    missing+=(xvfb xauth)
fi
install "Qt needs it" ${missing[@]+"${missing[@]}"} || exit 1

# Without a compiler the test of the C example is skipped whatever else is there; without the header too.
if command -v gcc >/dev/null && ! gcc -E -include zmq.h -x c /dev/null >/dev/null 2>&1; then
    install "the test of the C example needs it" libzmq3-dev
fi
exit 0
