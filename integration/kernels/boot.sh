#!/usr/bin/env bash
# Boots a Debian cloud kernel in QEMU (no acceleration needed) with the binary inside, lets it trace a real server
# there, and prints what it saw: boot.sh KERNEL_META_PACKAGE[/DEBIAN_RELEASE] BINARY [INIT_SCRIPT]
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
meta="${1%/*}"; binary="$2"; init="${3:-$here/init.sh}"
cache="${WATERSHED_CACHE:-$HOME/.cache/watershed}/kernels"
mkdir -p "$cache"

# Another release's packages come from where this machine's own do, with lists of their own.
options=()
if [[ "$1" == */* ]]; then
  release="${1#*/}"; apt="$cache/apt-$release"
  options=(-o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=$apt/sources.list.d"
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
  mkdir -p "$apt"/{sources.list.d,lists/partial,cache/archives/partial}
  codename="$(. /etc/os-release && echo "$VERSION_CODENAME")"
  for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    if [ -f "$sources" ]; then sed "s/\b$codename\b/$release/g" "$sources" >"$apt/${sources#/etc/apt/}"; fi
  done
fi

kernel_of() { apt-cache "${options[@]}" depends "$meta" 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}'; }
package="$(kernel_of || true)"
if [ -z "$package" ]; then
  # Suites that the older release does not have are told as errors; those that it has are there.
  apt-get "${options[@]}" update >/dev/null 2>&1 || true
  package="$(kernel_of || true)"
  if [ -z "$package" ]; then echo "there is no package $1 here" >&2; exit 1; fi
fi
kernel="$cache/$package"
if [ ! -e "$kernel" ]; then
  (cd "$cache" && apt-get "${options[@]}" download "$package" >/dev/null 2>&1)
  unpacked="$(mktemp -d)"
  dpkg-deb -x "$cache/$package"_*.deb "$unpacked"
  mv "$unpacked"/boot/vmlinuz-* "$kernel"
  rm -rf "$unpacked" "$cache/$package"_*.deb
fi

root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,tmp,lib64,www,state}
cp "$(command -v busybox)" "$root/bin/busybox"
strip -o "$root/bin/$(basename "$binary")" "$binary"
# The dynamic loader and every library, at the places where the loader looks for them.
ldd "$binary" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
  mkdir -p "$root/$(dirname "$library")"
  cp -L "$library" "$root/$library"
done
cp "$init" "$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$root.cpio"
trap 'rm -rf "$root" "$root.cpio"' EXIT

timeout 600 qemu-system-x86_64 -M q35 -cpu max -m 2048 -smp 2 -nographic -no-reboot -net none \
  -kernel "$kernel" -initrd "$root.cpio" -append 'console=ttyS0 quiet panic=-1 rdinit=/init' </dev/null
