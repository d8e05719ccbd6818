#!/bin/sh
# From a clean checkout on Debian 12 or newer to a running relay: installs deploy/packages.txt, builds, serves the demo
# model on 127.0.0.1:8080. Flags go to `tokenrelay serve`: deploy/quickstart.sh --upstream openai=https://api.openai.com/v1
set -eu
cd "$(dirname "$0")/.."

case " $* " in
  *" --help "* | *" -h "*) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac

deploy/install-packages.sh deploy/packages.txt

[ -f build/release/build.ninja ] || cmake --preset release >build-configure.log 2>&1 || { cat build-configure.log >&2; exit 1; }
rm -f build-configure.log
echo "Building (a few minutes the first time) …"
cmake --build --preset release

# The address that will be listened on: the last --listen, or the default.
listen=${TOKENRELAY_LISTEN:-127.0.0.1:8080}
previous=
for word in "$@"; do
  case $word in --listen=*) listen=${word#--listen=} ;; esac
  [ "$previous" != --listen ] || listen=$word
  previous=$word
done

# Something that takes connections there already?
port=${listen##*:}
if [ "$port" != 0 ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then taken=1; else taken=; fi
if [ -z "$taken" ] && command -v bash >/dev/null && [ "$port" != 0 ] &&
   bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null; then taken=1; fi
if [ -n "$taken" ]; then
  echo "Port $port is taken: is a relay running already? Try: deploy/quickstart.sh --listen 127.0.0.1:8081" >&2
  exit 1
fi

url=http://$listen
server=
[ "$listen" = 127.0.0.1:8080 ] || server="--server $url "
if [ "$port" = 0 ]; then url="the address below"; server="--server ADDRESS "; fi
cat <<HERE

  Open            $url
  Or type         build/release/tokenrelay chat $server"Tell me about rivers"
  Stop            Ctrl-C; started again, it knows every stream.

HERE
exec build/release/tokenrelay serve "$@"
