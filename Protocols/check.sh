#!/bin/sh
# Fails where generated code is stale: a .proto file or a generated one was changed, added or removed since
# generate.sh last ran. Needs no generator.
set -eu

cd "$(dirname -- "$0")/.."
manifest=Protocols/generated.sha256
[ -f "$manifest" ] || {
    echo "check.sh: $manifest is missing: run make protos" >&2
    exit 1
}

status=0
changed=$(sha256sum --check --quiet "$manifest" 2>/dev/null) || {
    echo "$changed" | sed 's/^/check.sh: /' >&2
    status=1
}
present=$(
    for file in Protocols/*.proto Sources/ClusterMessages/Generated/* Sources/ClusterWire/Generated/*; do
        [ ! -f "$file" ] || echo "$file"
    done | LC_ALL=C sort
)
unlisted=$(echo "$present" | while read -r file; do
    grep -qF "  $file" "$manifest" || echo "$file"
done)
if [ -n "$unlisted" ]; then
    echo "$unlisted" | sed 's/^/check.sh: not in the manifest: /' >&2
    status=1
fi
[ "$status" -eq 0 ] || echo "check.sh: generated code is stale: run make protos and commit the result" >&2
exit "$status"
