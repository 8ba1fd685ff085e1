#!/usr/bin/env bash
# Builds Kubernetes for the tests that want a real one, once, into the cache:
#   tools/kubernetes.sh                    builds what is missing and prints the folder that holds it
#   tools/kubernetes.sh --built NAME…      the same, but builds nothing: fails when one of these is missing
# The versions are those of integration/kubernetes/go.mod. Takes six minutes on two cores the first time.
set -euo pipefail
cd "$(dirname "$0")/../integration/kubernetes"
version=$(awk '$1 == "k8s.io/kubernetes" || ($1 == "require" && $2 == "k8s.io/kubernetes") { print $NF; exit }' go.mod)
bin=${WATERSHED_CACHE:-$HOME/.cache/watershed}/kubernetes/$version
if [ "${1:-}" = --built ]; then
  for name in "${@:2}"; do
    [ -x "$bin/$name" ] || { echo "$name is not built; run tools/kubernetes.sh" >&2; exit 1; }
  done
  echo "$bin"
  exit
fi
mkdir -p "$bin"

# build NAME PACKAGE [FLAG…]: a finished binary is moved into place, so that an interrupted build leaves none.
build() {
  local name=$1 package=$2
  [ -x "$bin/$name" ] && return
  echo "building $name $version into $bin" >&2
  CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w ${3:-}" -o "$bin/$name.partial" "$package"
  mv "$bin/$name.partial" "$bin/$name"
}

command -v go >/dev/null || { echo "go is missing: install Go 1.24 or later" >&2; exit 1; }
build etcd go.etcd.io/etcd/server/v3
# The API server alone is what most tests need, so it comes first; the others run the nodes.
for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
  build "$name" "k8s.io/kubernetes/cmd/$name" "-X k8s.io/component-base/version.gitVersion=$version"
done
echo "$bin"
