#!/usr/bin/env bash
# Installs what Watershed needs, by package name, and only what is missing: setup.sh [build] [demo] [test]
set -euo pipefail

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"

# command that proves it is there : package that brings it
build=(clang:clang llvm-strip:llvm protoc:protobuf-compiler pkg-config:pkg-config make:make cc:gcc c++:g++)
build_files=(/usr/include/libelf.h:libelf-dev /usr/include/zlib.h:zlib1g-dev /usr/include/openssl/ssl.h:libssl-dev)
demo=(nginx:nginx-light python3:python3 curl:curl ip:iproute2)
test=(wrk:wrk ab:apache2-utils h2load:nghttp2-client nghttpd:nghttp2-server redis-server:redis-server redis-cli:redis-tools openssl:openssl apache2:apache2-bin node:nodejs go:golang-go qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio strip:binutils
  tshark:tshark nats-server:nats-server rabbitmq-server:rabbitmq-server mariadbd:mariadb-server unbound:unbound named:bind9 setpriv:util-linux
  java:default-jre-headless mvn:maven gnutls-serv:gnutls-bin wget:wget containerd:containerd runc:runc nft:nftables)
test_files=(/usr/lib/postgresql:postgresql /usr/lib/cni/bridge:containernetworking-plugins)

missing=()
want_commands() {
  local entry
  for entry in "$@"; do
    command -v "${entry%%:*}" >/dev/null || PATH="$PATH:/usr/sbin:/sbin" command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
  done
}

for group in "$@"; do
  case "$group" in
    build)
      want_commands "${build[@]}"
      for entry in "${build_files[@]}"; do [ -e "${entry%%:*}" ] || missing+=("${entry##*:}"); done ;;
    demo) want_commands "${demo[@]}" ;;
    test)
      want_commands "${test[@]}"
      for entry in "${test_files[@]}"; do [ -e "${entry%%:*}" ] || missing+=("${entry##*:}"); done ;;
    *) echo "setup.sh: unknown group '$group' (build, demo, test)" >&2; exit 2 ;;
  esac
done

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "setup: please install these packages and run again: ${missing[*]}" >&2
    exit 1
  fi
  echo "installing: ${missing[*]}"
  $sudo apt-get update -qq
  # RUNLEVEL=1 keeps the packages from starting servers of their own.
  $sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! command -v cargo >/dev/null; then
  echo "setup: Rust is missing; install Rust 1.94 or newer (rustup does), then run again" >&2
  exit 1
fi

# The loader works without these two; some tracepoints are named by them.
if [ "$(id -u)" = 0 ]; then
  mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
  mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf 2>/dev/null || true
fi

if printf '%s\n' "$@" | grep -qx test; then
  cache="${WATERSHED_CACHE:-$HOME/.cache/watershed}"
  venv="$cache/venv"
  wanted="$(dirname "$0")/../integration/requirements.txt"
  if ! cmp -s "$wanted" "$venv/installed.txt"; then
    echo "installing: client libraries of the tests into $venv"
    python3 -m venv "$venv" 2>/dev/null || { $sudo apt-get install -y -qq python3-venv >/dev/null; python3 -m venv "$venv"; }
    "$venv/bin/pip" install -q -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
  fi
  # A real broker for the tests of the Kafka sink. The mark says that all jars have come.
  if [ ! -e "$cache/kafka/lib/.complete" ]; then
    echo "fetching: a Kafka broker into $cache/kafka"
    mkdir -p "$cache/kafka"
    mvn -B -q -f "$(dirname "$0")/../integration/kafka/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$cache/kafka/lib"
    touch "$cache/kafka/lib/.complete"
  fi
  "$(dirname "$0")/servers.sh"
  # Minutes the first time, and kept in the cache; where it cannot be built, the tests that need it say so.
  "$(dirname "$0")/kubernetes.sh" >/dev/null || echo "setup: there will be no Kubernetes for the tests of names" >&2
fi
echo "setup: all there"
