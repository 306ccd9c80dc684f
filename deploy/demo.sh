#!/bin/bash
# demo.sh PROGRAMS: a cluster on this machine, used as a person would. `make demo` calls it.
set -eu
programs=$(cd "$1" && pwd)
dir=${LAB_DIR:-/run/swarm-demo}
export PATH=$programs:$PATH
here=$(cd "$(dirname "$0")" && pwd)

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "$*"; "$@"; }
# What a person would type on a node.
on() {
    local node=$1
    shift
    say "$* # on $node"
    swarmctl lab exec --dir "$dir" "$node" -- "$@"
}

clean() { swarmctl lab down --dir "$dir" >/dev/null 2>&1 || true; }
trap 'echo "interrupted: removing the cluster"; clean; exit 130' INT TERM
trap 'status=$?; [ $status = 0 ] || [ $status = 130 ] || { echo "the demo failed"; clean; }; rm -rf "${work:-}"; exit $status' EXIT

swarmctl lab ls --dir "$dir" >/dev/null 2>&1 && clean
started=$(date +%s)
run swarmctl lab up --managers 3 --dir "$dir"
on n1 swarmctl node ls

# A small image, made here: the machine may have no internet. It goes through a registry of the lab's own.
work=$(mktemp -d)
"$here/examples/web/image.sh" "$work"
registry=10.213.47.3:5000
if command -v docker-registry >/dev/null; then
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: ":5000"}\n' "$work" >"$work/registry.yml"
    swarmctl lab exec --dir "$dir" registry -- sh -c 'docker-registry serve "$1" >"$2" 2>&1 &' sh "$work/registry.yml" "$dir/registry.log"
    tries=0
    until swarmctl lab exec --dir "$dir" registry -- curl -s -m 2 -o /dev/null http://127.0.0.1:5000/v2/; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "the registry does not answer:"; tail "$dir/registry.log"; exit 1; }
        sleep 0.1
    done
    on n1 swarmctl image import "$work/web.tar" "$registry/web:1"
    on n1 swarmctl image push "$registry/web:1"
    on n1 swarmctl image tag "$registry/web:1" "$registry/web:2"
    on n1 swarmctl image push "$registry/web:2"
    deploy=(swarmctl stack deploy -c "$here/examples/web/compose.yml" shop)
else
    echo "no docker-registry on this machine (make test-deps): the image is imported on each node instead"
    for node in n1 n2 n3; do
        for version in 1 2; do on "$node" swarmctl image import "$work/web.tar" "$registry/web:$version"; done
    done
    deploy=(swarmctl stack deploy --resolve-image never -c "$here/examples/web/compose.yml" shop)
fi

on n1 env "REGISTRY=$registry" "${deploy[@]}"
on n2 swarmctl service scale shop_web=5

say "requests from outside to the published port of every node, while version 2 is rolled out"
swarmctl lab exec --dir "$dir" outside -- python3 "$here/examples/web/requests.py" \
    10.213.47.11,10.213.47.12,10.213.47.13 8080 14 >"$work/outside" 2>&1 &
load=$!
on n2 env "REGISTRY=$registry" VERSION=2 "${deploy[@]}"
wait $load
cat "$work/outside"
answered=$(swarmctl lab exec --dir "$dir" n1 -- swarmctl service logs --raw shop_client | grep -c answered || true)
lost=$(swarmctl lab exec --dir "$dir" n1 -- swarmctl service logs --raw shop_client | grep -c LOST || true)
echo "requests by service name from a container: $answered, lost: $lost"

say "the leader is killed; its containers go on, another manager takes over"
run swarmctl lab kill --dir "$dir" n1
run swarmctl lab start --dir "$dir" n1
on n2 swarmctl service scale shop_web=6

on n3 swarmctl stack services shop
on n3 swarmctl service ps shop_web
on n2 swarmctl node ls
total=$(sed -n 's/.*lost: //p' "$work/outside")
echo
echo "requests lost: $((total + lost))"
echo "up after $(($(date +%s) - started)) s. Go on with: $programs/swarmctl lab exec --dir $dir n1 -- swarmctl node ls"
echo "Remove it with: make demo-down"
[ "$((total + lost))" = 0 ]
