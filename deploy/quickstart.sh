#!/bin/bash
# From a clean checkout on Debian 12 or newer to a running relay: installs deploy/packages.txt (with sudo), builds,
# serves the demo model on 127.0.0.1:8080. Flags go to `tokenrelay serve`: deploy/quickstart.sh --upstream openai=https://api.openai.com/v1
set -euo pipefail
cd "$(dirname "$0")/.."

# The address that will be listened on: the last --listen, or the default.
listen=${TOKENRELAY_LISTEN:-127.0.0.1:8080}
previous=
for word in "$@"; do
  case $word in
    -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
    --listen=*) listen=${word#--listen=} ;;
  esac
  [ "$previous" != --listen ] || listen=$word
  previous=$word
done
port=${listen##*:}

if [ "$port" != 0 ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  echo "Port $port is in use: is a relay already running? Try: deploy/quickstart.sh --listen 127.0.0.1:8081" >&2
  exit 1
fi

deploy/install-packages.sh deploy/packages.txt
echo "Building (a few minutes the first time) …"
if [ ! -f build/release/build.ninja ]; then
  mkdir -p build
  cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
fi
cmake --build --preset release

server=
[ "$listen" = 127.0.0.1:8080 ] || server="--server http://$listen "
if [ "$port" = 0 ]; then
  echo "The next line shows its address."
else
  cat <<HERE

  Open       http://$listen
  Or type    build/release/tokenrelay chat $server"Tell me about rivers"
  Stop       Ctrl-C. Started again, it still has every stream: they are in ./tokenrelay-data

HERE
fi
exec build/release/tokenrelay serve "$@"
