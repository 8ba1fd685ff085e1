#!/usr/bin/env bash
# Fetches or builds, once and into the cache, the servers that the tests of protocols want and Debian does not have:
#   tools/servers.sh        Kafka, Cassandra and Finagle from Maven, FerretDB as a Go module
# What cannot be had is said, and its tests are skipped.
set -uo pipefail
cd "$(dirname "$0")/../integration/oracle"
cache=${WATERSHED_CACHE:-$HOME/.cache/watershed}/servers

# jars NAME: the libraries of NAME/pom.xml; a folder that is whole is moved into place.
jars() {
  local folder
  folder=$cache/$1-$(sha256sum "$1/pom.xml" | cut -c1-12)
  ln -sfn "$folder" "$cache/$1"
  [ -d "$folder" ] && return
  command -v mvn >/dev/null || { echo "servers: mvn is missing, so $1 is not tested" >&2; return; }
  echo "fetching $1 into $folder" >&2
  rm -rf "$folder.partial"
  mvn -B -q -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$folder.partial" >&2 &&
    mv "$folder.partial" "$folder" || echo "servers: $1 cannot be fetched, so it is not tested" >&2
}

ferret() {
  local binary
  binary=$cache/ferret-$(cat ferret/go.sum ferret/main.go | sha256sum | cut -c1-12)
  ln -sfn "$binary" "$cache/ferret"
  [ -x "$binary" ] && return
  command -v go >/dev/null || { echo "servers: go is missing, so MongoDB's protocol is not tested" >&2; return; }
  echo "building FerretDB into $binary" >&2
  (cd ferret && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$binary.partial" .) >&2 &&
    mv "$binary.partial" "$binary" || echo "servers: FerretDB cannot be built, so MongoDB's protocol is not tested" >&2
}

mkdir -p "$cache"
jars kafka
jars cassandra
jars mux
ferret
