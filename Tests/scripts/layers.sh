#!/bin/bash
# Fails when a pure module imports more than it may: no clock, no socket, no global randomness can get in that way.
set -u
cd "$(dirname "$0")/../.."
pure="Primitives ClusterModel ClusterMessages Consensus Sealing DurableLog ClusterState Orchestration Assignments AgentCore Simulation OverlayProtocol NameService"
allowed="$pure SwiftProtobuf DequeModule HashTreeCollections HeapModule OrderedCollections CSodium"
failed=0
for module in $pure; do
    [ -d "Sources/$module" ] || continue
    while IFS=: read -r file line text; do
        name=$(echo "$text" | sed -E 's/.*import +(struct |enum |class |func )?([A-Za-z0-9]+).*/\2/')
        case " $allowed " in
        *" $name "*) ;;
        *)
            echo "$file:$line: the pure module $module must not import $name" >&2
            failed=1
            ;;
        esac
    done < <(grep -rnE '^ *(public |internal |private )?import ' "Sources/$module" --include '*.swift' | grep -v /Generated/)
done
# The two shells meet in swarmd alone.
if grep -rnE 'import (ManagerNode)' Sources/WorkerNode || grep -rnE 'import (WorkerNode)' Sources/ManagerNode; then
    echo "ManagerNode and WorkerNode must not import each other" >&2
    failed=1
fi
exit $failed
