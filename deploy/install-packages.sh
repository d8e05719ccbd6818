#!/bin/sh
# Installs those packages of the given lists (one a line, # begins a comment) that are missing, with Debian's apt-get,
# as root or through sudo. If none is missing, it changes nothing and needs neither.
set -eu

missing=
for package in $(sed 's/#.*//' "$@"); do
  case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *"ok installed") ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null; then as_root=sudo
else
  echo "These packages are missing; install them as root:$missing" >&2
  exit 1
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# Services that a package brings (nginx, prometheus) are not started: only their programs are wanted.
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends -qq $missing </dev/null
}
install || { $as_root apt-get update -qq </dev/null && install; }
