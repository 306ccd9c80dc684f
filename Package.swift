// swift-tools-version: 6.2
import PackageDescription

// CORE_ONLY=1 declares the pure targets and their tests alone: under two minutes from clean, no TLS stack.
let coreOnly = Context.environment["CORE_ONLY"] == "1"

// MUTANT=NAME builds one deliberate bug in, for `make simulate-mutants`: `#if MUTANT_NAME`.
let mutant: [SwiftSetting] = Context.environment["MUTANT"].map { [.define("MUTANT_" + $0)] } ?? []

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (mutant.isEmpty ? [.treatAllWarnings(as: .error)] : [])

func module(_ name: String, _ dependencies: [Target.Dependency] = [], hasMutants: Bool = false) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings + (hasMutants ? mutant : []))
}

func program(_ name: String, _ dependencies: [Target.Dependency], static isStatic: Bool = false) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies,
        swiftSettings: settings + (isStatic ? [.unsafeFlags(["-static-executable"])] : []),
        linkerSettings: isStatic ? [.unsafeFlags(["-static-executable"])] : [])
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.byName(name: name)] + dependencies, resources: resources,
        swiftSettings: settings)
}

func product(_ name: String, of package: String) -> Target.Dependency { .product(name: name, package: package) }

let argumentParser = product("ArgumentParser", of: "swift-argument-parser")
let asn1 = product("SwiftASN1", of: "swift-asn1")
let asyncHTTPClient = product("AsyncHTTPClient", of: "async-http-client")
let crypto = product("Crypto", of: "swift-crypto")
let deques = product("DequeModule", of: "swift-collections")
let grpc = product("GRPCCore", of: "grpc-swift-2")
let grpcProtobuf = product("GRPCProtobuf", of: "grpc-swift-protobuf")
let grpcTransport = product("GRPCNIOTransportHTTP2Posix", of: "grpc-swift-nio-transport")
let hashTrees = product("HashTreeCollections", of: "swift-collections")
let heaps = product("HeapModule", of: "swift-collections")
let httpTypes = product("HTTPTypes", of: "swift-http-types")
let hummingbird = product("Hummingbird", of: "hummingbird")
let hummingbirdTLS = product("HummingbirdTLS", of: "hummingbird")
let logging = product("Logging", of: "swift-log")
let nioCore = product("NIOCore", of: "swift-nio")
let nioEmbedded = product("NIOEmbedded", of: "swift-nio")
let nioHPACK = product("NIOHPACK", of: "swift-nio-http2")
let nioHTTP1 = product("NIOHTTP1", of: "swift-nio")
let nioHTTP2 = product("NIOHTTP2", of: "swift-nio-http2")
let nioPosix = product("NIOPosix", of: "swift-nio")
let nioReloading = product("NIOCertificateReloading", of: "swift-nio-extras")
let nioSSL = product("NIOSSL", of: "swift-nio-ssl")
let nioTLS = product("NIOTLS", of: "swift-nio")
let protobuf = product("SwiftProtobuf", of: "swift-protobuf")
let x509 = product("X509", of: "swift-certificates")
let yams = product("Yams", of: "Yams")

// A target depends only on targets above it.
let core: [Target] = [
    module("Primitives"),
    tests("Primitives"),
    module("ClusterModel", ["Primitives"]),
    module("ClusterMessages", ["Primitives", "ClusterModel", protobuf]),
    module("TestSupport", ["Primitives", "ClusterModel"]),
    tests("ClusterMessages", ["Primitives", "ClusterModel", "TestSupport", protobuf]),
    module("Consensus", ["Primitives", deques], hasMutants: true),
    tests("Consensus", ["Primitives", deques], resources: [.copy("testdata")]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    module("Sealing", ["CSodium"]),
    module("DurableLog", ["Primitives", "Consensus", "Sealing", "CSodium"], hasMutants: true),
    tests("DurableLog", ["Primitives", "Consensus", "Sealing"]),
    module("ClusterState", ["Primitives", "ClusterModel", hashTrees], hasMutants: true),
    tests("ClusterState", ["Primitives", "ClusterModel"]),
    module("Orchestration", ["Primitives", "ClusterModel", "Consensus", "ClusterState", heaps], hasMutants: true),
    tests("Orchestration", ["Primitives", "ClusterModel", "Consensus", "ClusterState"]),
    module("Assignments", ["Primitives", "ClusterModel", "ClusterState"]),
    tests("Assignments", ["Primitives", "ClusterModel", "ClusterMessages", "ClusterState", protobuf]),
    module("AgentCore", ["Primitives", "ClusterModel"]),
    tests("AgentCore", ["Primitives", "ClusterModel"]),
    module(
        "Simulation",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterState", "Consensus", "DurableLog", "Orchestration",
            "Assignments", "AgentCore", heaps, protobuf,
        ], hasMutants: true),
    program("simulator", ["Simulation"]),
    tests(
        "Simulation", ["Primitives", "ClusterModel", "ClusterState", "Consensus"],
        resources: [.copy("testdata"), .copy("mutants.sh")]),
    module("OverlayProtocol", ["Primitives", "ClusterModel", "Sealing", "CSodium"]),
    tests("OverlayProtocol", ["Primitives", "ClusterModel", "Sealing"]),
    module("NameService", ["Primitives"]),
    tests("NameService", ["Primitives"]),
]

let drivers: [Target] = [
    module("CLinux"),
    module("LinuxSystem", ["CLinux", "Primitives"]),
    tests("LinuxSystem", ["Primitives"]),
    module("LaunchProtocol", ["Primitives"]),
    tests("LaunchProtocol", ["Primitives"]),
    module("ContainerInit", ["Primitives", "LinuxSystem", "LaunchProtocol"]),
    tests("ContainerInit", ["Primitives", "LaunchProtocol"]),
    .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    module("SeccompProfiles", ["CSeccomp", "LinuxSystem", "Primitives"]),
    tests("SeccompProfiles", ["LinuxSystem"]),
    module("ContainerRuntime", ["Primitives", "LinuxSystem", "LaunchProtocol"]),
    tests("ContainerRuntime", ["Primitives", "LinuxSystem", "LaunchProtocol", "SeccompProfiles"]),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    module(
        "ImageStore",
        ["Primitives", "LinuxSystem", "CArchive", asyncHTTPClient, crypto, nioCore, nioPosix, nioHTTP1, nioSSL]),
    tests("ImageStore", ["Primitives", crypto, nioCore]),
    module("OverlayDataplane", ["Primitives", "ClusterModel", "LinuxSystem", "OverlayProtocol", "CLinux"]),
    program("overlay-bench", ["Primitives", "ClusterModel", "OverlayProtocol", "OverlayDataplane", "CLinux"]),
    tests(
        "OverlayDataplane", ["Primitives", "ClusterModel", "OverlayProtocol", "overlay-bench"],
        resources: [.copy("pair.sh")]),
    .systemLibrary(name: "CNftables", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
    // Not in LinuxSystem, which container-init links statically: there is no static libnftables.
    module("Nftables", ["CNftables", "LinuxSystem"]),
    module(
        "NodeNetwork",
        [
            "Primitives", "ClusterModel", "LinuxSystem", "Nftables", "NameService", "OverlayProtocol",
            "OverlayDataplane",
        ]),
    program("network-node", ["Primitives", "ClusterModel", "LinuxSystem", "NodeNetwork", "OverlayProtocol"]),
    tests(
        "NodeNetwork",
        ["Primitives", "ClusterModel", "LinuxSystem", "OverlayProtocol", "network-node"],
        resources: [.copy("two-nodes.py")]),
    module("ClusterIdentity", ["Primitives", "ClusterModel", "Sealing", asn1, crypto, x509, nioCore, nioSSL]),
    tests("ClusterIdentity", ["Primitives", "ClusterModel", asn1, x509]),
    module(
        "ClusterWire",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterIdentity", protobuf, grpc, grpcProtobuf,
            grpcTransport, nioCore, nioPosix, nioReloading, nioSSL, nioTLS, x509,
        ]),
    tests(
        "ClusterWire",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterIdentity", "LinuxSystem", protobuf, grpc,
            grpcTransport, nioCore, nioEmbedded, x509,
        ]),
    module("Compose", ["Primitives", "ClusterModel", yams]),
    tests("Compose", ["Primitives", "ClusterModel"]),
    module("DockerSchema", ["Primitives", "ClusterModel"]),
    module(
        "EngineAPI",
        [
            "Primitives", "ClusterModel", "ClusterState", "Orchestration", "DockerSchema", hummingbird,
            hummingbirdTLS, httpTypes, nioCore, nioSSL, logging,
        ]),
    .target(
        name: "EngineFakes",
        dependencies: ["Primitives", "ClusterModel", "ClusterState", "EngineAPI", nioCore, logging],
        path: "Tests/EngineFakes", swiftSettings: settings),
    tests("DockerSchema", ["Primitives", "ClusterModel"]),
    tests(
        "EngineAPI",
        [
            "Primitives", "ClusterModel", "ClusterState", "DockerSchema", "EngineFakes", asyncHTTPClient, nioCore,
            nioHTTP1,
        ]),
]

let shells: [Target] = [
    module(
        "ManagerNode",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterState", "Consensus", "DurableLog",
            "Orchestration", "Assignments", "ClusterIdentity", "ClusterWire", "LinuxSystem", deques, heaps, protobuf,
            grpc, logging, x509,
        ]),
    tests(
        "ManagerNode",
        ["Primitives", "ClusterModel", "ClusterMessages", "ClusterState", "Consensus", "DurableLog", grpc]),
    module("Lab", ["Primitives", argumentParser]),
    module(
        "WorkerNode",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "AgentCore", "ClusterWire", "LinuxSystem",
            "LaunchProtocol", "SeccompProfiles", "ContainerRuntime", "ImageStore", "NodeNetwork", protobuf, grpc,
            logging,
        ]),
    module(
        "SwarmCommands",
        [
            "Primitives", "ClusterModel", "Compose", "DockerSchema", "Lab", argumentParser, asyncHTTPClient, nioCore,
            nioHTTP1, nioSSL,
        ]),
    program("swarmctl", ["SwarmCommands"]),
    tests(
        "SwarmCommands",
        [
            "Primitives", "ClusterModel", "ClusterState", "DockerSchema", "EngineAPI", "EngineFakes", "swarmctl",
            argumentParser,
        ]),
    program(
        "swarmd",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterState", "Consensus", "DurableLog",
            "Orchestration", "AgentCore", "LinuxSystem", "ContainerRuntime", "ImageStore", "ClusterIdentity",
            "ClusterWire",
            "EngineAPI", "ManagerNode", "NodeNetwork", "OverlayProtocol", "WorkerNode", protobuf, grpc, logging,
            nioCore, argumentParser, x509,
        ]),
    program("container-init", ["ContainerInit"], static: true),
    program("raft-bench", [argumentParser, nioCore, nioHPACK, nioHTTP1, nioHTTP2, nioPosix, nioSSL]),
]

let labTests: [Target] = [
    // Of the built programs, seen from outside: of the modules they know the simulator's checkers alone.
    .testTarget(name: "LabTests", dependencies: ["Simulation"], swiftSettings: settings)
]

let coreDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0", traits: []),
]

let shellDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
    .package(url: "https://github.com/grpc/grpc-swift-2", exact: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", exact: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "2.4.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
]

let package = Package(
    name: "swarm",
    dependencies: coreOnly ? coreDependencies : coreDependencies + shellDependencies,
    targets: coreOnly ? core : core + drivers + shells + labTests,
    swiftLanguageModes: [.v6]
)
