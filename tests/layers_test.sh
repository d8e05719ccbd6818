#!/bin/sh
# The layers: which folder may include which. Prints each include that goes the wrong way.
set -eu
cd "$(dirname "$0")/.."

allowed() {
  case $1 in
    storage) echo storage ;;
    metrics) echo metrics ;;
    service/json) echo service/json ;;
    service/transport) echo service/transport ;;
    service/http) echo service/http service/transport service/json ;;
    service/upstream) echo service/upstream service/transport service/json ;;
    service/relay) echo service/relay service/upstream service/transport service/json storage metrics ;;
    service/api) echo service/api service/http service/relay service/upstream service/transport service/json service/web storage metrics ;;
    service/surface) echo service/surface service/api service/http service/relay service/upstream service/transport service/json storage metrics ;;
    service/web) echo service/web ;;
  esac
}

wrong=0
for layer in storage metrics service/json service/transport service/http service/upstream service/relay service/api service/surface service/web; do
  [ -d "$layer" ] || continue
  may=" $(allowed "$layer") "
  found=$(grep -Hn '^ *# *include "' "$layer"/*.h "$layer"/*.cc 2>/dev/null |
    while IFS= read -r line; do
      included=$(printf '%s\n' "$line" | sed 's/.*include "\([^"]*\)".*/\1/')
      case $may in
        *" $(dirname "$included") "*) ;;
        *) printf '%s\n' "$line" ;;
      esac
    done)
  if [ -n "$found" ]; then
    echo "$layer may include only:$may"
    printf '%s\n' "$found"
    wrong=1
  fi
done

# Nothing that is delivered includes the tests.
if grep -rn --include='*.h' --include='*.cc' '#include "tests/' service storage metrics; then wrong=1; fi
exit $wrong
