#!/bin/bash
# The order of the layers, written down here and nowhere else: what the files of a folder, and of the folders in it, may
# include. A file belongs to the longest folder that is listed. Prints each include that goes the wrong way.
#   tests/layers_test.sh [ROOT]   another checkout than this one
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

declare -A may=(
  [storage]="storage"
  [metrics]="metrics"
  [service/text]="service/text"
  [service/json]="service/json service/text"
  [service/transport]="service/transport"
  [service/http]="service/http service/text service/transport service/json"
  [service/client]="service/client service/text service/transport"
  [service/upstream]="service/upstream service/text service/client service/transport service/json"
  [service/relay]="service/relay service/text service/upstream service/transport service/json storage metrics"
  [service/web]="service/web"
  [service/api]="service/api service/text service/http service/relay service/upstream service/transport service/json service/web
                 storage metrics"
  [service/surface]="service/surface service/text service/api service/http service/relay service/upstream service/transport
                     service/json storage metrics"
  [service/config]="service/config service/text service/transport"
  [service/terminal]="service/terminal service/text service/config service/json"
  [service]="service service/text service/config service/terminal service/surface service/api service/http service/relay
             service/upstream service/client service/transport service/json service/web storage metrics"
)
# One dialect, one protocol: what two of them share lies in the folder above.
apart="service/upstream service/surface"

# The longest listed folder that a path lies in, or nothing.
room=
find_room() {
  room=$1
  while [ -z "${may[$room]:-}" ]; do
    case $room in
      */*) room=${room%/*} ;;
      *) room=; return ;;
    esac
  done
}

wrong=0
complain() {
  echo "$1"
  wrong=1
}

while IFS=: read -r file included; do
  included=${included#*\"}
  included=${included%%\"*}
  from=${file%/*} to=${included%/*}
  find_room "$from"; from_room=$room
  find_room "$to"; to_room=$room
  if [ -z "$from_room" ]; then
    complain "$file lies in no layer"
  elif [ -z "$to_room" ]; then
    complain "$file includes $included, which is in no layer"
  elif [[ " ${may[$from_room]//$'\n'/ } " != *" $to_room "* ]]; then
    complain "$file includes $included: $from_room may not use $to_room"
  elif [[ " $apart " == *" $from_room "* ]] && [ "$from_room" = "$to_room" ] && [ "$to" != "$to_room" ] &&
    [ "$from" != "$to" ] && [ "$from" != "$from_room" ]; then
    complain "$file includes $included: it lies beside it, not below"
  fi
done < <(grep -rHE '^ *# *include "' --include='*.h' --include='*.cc' service storage metrics)
exit $wrong
