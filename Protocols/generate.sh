#!/bin/sh
# Generates the Swift code of every .proto file, and the manifest that check.sh verifies.
#
#   *.proto          -> Sources/ClusterMessages/Generated/*.pb.swift
#   *_service.proto  -> Sources/ClusterWire/Generated/*.grpc.swift
#
# Needs protoc. The plugins are taken from PATH where they have the pinned version, else built once in
# $PROTOGEN_SCRATCH (default: .build/protogen). `make protos` calls this script without arguments.
set -eu

swift_protobuf_version=1.39.0
grpc_swift_protobuf_version=2.4.1

protocols=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$protocols")
scratch=${PROTOGEN_SCRATCH:-$root/.build/protogen}
messages=$root/Sources/ClusterMessages/Generated
services=$root/Sources/ClusterWire/Generated

command -v protoc >/dev/null || {
    echo "generate.sh: protoc is not installed: apt-get install protobuf-compiler" >&2
    exit 1
}

write_package() {
    mkdir -p "$scratch/package/Sources/Plugins"
    cat >"$scratch/package/Package.swift" <<EOF
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "protogen",
    dependencies: [
        .package(url: "https://github.com/apple/swift-protobuf", exact: "$swift_protobuf_version"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "$grpc_swift_protobuf_version"),
    ],
    targets: [
        .executableTarget(
            name: "Plugins", dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")])
    ]
)
EOF
    echo 'print("only the plugins of the dependencies are wanted")' >"$scratch/package/Sources/Plugins/main.swift"
}

# Prints the path of the plugin $1 (version $2), building it where needed.
plugin() {
    built=$scratch/bin/$1-$2
    if [ ! -x "$built" ]; then
        # Only protoc-gen-swift says its version.
        if on_path=$(command -v "$1") && { [ "$1" != protoc-gen-swift ] || "$1" --version | grep -qF "$2"; }; then
            echo "$on_path"
            return
        fi
        echo "generate.sh: building $1 $2 in $scratch" >&2
        write_package
        swift build --package-path "$scratch/package" --scratch-path "$scratch/build" --product "$1" >&2
        mkdir -p "$scratch/bin"
        cp "$scratch/build/debug/$1" "$built"
    fi
    echo "$built"
}

swift_plugin=$(plugin protoc-gen-swift "$swift_protobuf_version")
grpc_plugin=$(plugin protoc-gen-grpc-swift-2 "$grpc_swift_protobuf_version")

mkdir -p "$messages" "$services"
rm -f "$messages"/*.pb.swift "$services"/*.grpc.swift
cd "$protocols"

for file in *.proto; do
    case $file in
    *_service.proto)
        protoc --proto_path=. --plugin=protoc-gen-grpc-swift-2="$grpc_plugin" \
            --grpc-swift-2_out="$services" \
            --grpc-swift-2_opt=Visibility=Public,UseAccessLevelOnImports=true,FileNaming=DropPath \
            --grpc-swift-2_opt=ExtraModuleImports=ClusterMessages \
            "$file"
        ;;
    *)
        protoc --proto_path=. --plugin=protoc-gen-swift="$swift_plugin" \
            --swift_out="$messages" \
            --swift_opt=Visibility=Public,UseAccessLevelOnImports=true,FileNaming=DropPath \
            "$file"
        ;;
    esac
done

cd "$root"
{
    ls Protocols/*.proto
    ls Sources/ClusterMessages/Generated/*.pb.swift Sources/ClusterWire/Generated/*.grpc.swift
} | LC_ALL=C sort | xargs sha256sum >Protocols/generated.sha256
echo "generated: $(wc -l <Protocols/generated.sha256) files in the manifest"
