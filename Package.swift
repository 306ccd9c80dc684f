// swift-tools-version: 6.2
import PackageDescription

// CORE_ONLY=1 declares the pure targets and their tests alone: about a minute from clean, no TLS stack.
let coreOnly = Context.environment["CORE_ONLY"] == "1"

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
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

let hashTrees = Target.Dependency.product(name: "HashTreeCollections", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let deques = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let grpc = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let grpcTransport = Target.Dependency.product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let heaps = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

// A target depends only on targets above it.
let core: [Target] = [
    module("Primitives"),
    tests("Primitives"),
    module("ClusterModel", ["Primitives"]),
    module("Consensus", ["Primitives", deques]),
    tests("Consensus", ["Primitives", deques], resources: [.copy("testdata")]),
    module("DurableLog", ["Primitives"]),
    tests("DurableLog", ["Primitives"]),
    module("ClusterState", ["Primitives", "ClusterModel", hashTrees]),
    tests("ClusterState", ["Primitives", "ClusterModel"]),
    module("Assignments", ["Primitives", "ClusterModel", "ClusterState"]),
    tests("Assignments", ["Primitives", "ClusterModel", "ClusterState"]),
    module("ClusterMessages", ["Primitives", "ClusterModel", protobuf]),
    module("TestSupport", ["Primitives", "ClusterModel"]),
    tests("ClusterMessages", ["Primitives", "ClusterModel", "TestSupport", protobuf]),
    module("AgentCore", ["Primitives", "ClusterModel"]),
    tests("AgentCore", ["Primitives", "ClusterModel"]),
    module("Orchestration", ["Primitives", "ClusterModel", "ClusterState", heaps]),
    tests("Orchestration", ["Primitives", "ClusterModel", "ClusterState"]),
]

let drivers: [Target] = [
    module("ClusterIdentity", ["Primitives", "ClusterModel", asn1, crypto, x509, nioCore, nioSSL]),
    tests("ClusterIdentity", ["Primitives", "ClusterModel", x509]),
    module(
        "ClusterWire",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterIdentity", protobuf, grpc, grpcProtobuf,
            grpcTransport, x509,
        ]),
]

let shells: [Target] = [
    module(
        "ManagerNode",
        [
            "Primitives", "ClusterModel", "ClusterMessages", "ClusterState", "Consensus", "Orchestration",
            "Assignments", "ClusterIdentity", "ClusterWire", protobuf, grpc, logging, x509,
        ]),
    module("Lab", ["Primitives", argumentParser]),
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
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
    .package(url: "https://github.com/grpc/grpc-swift-2", exact: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", exact: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "2.4.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
]

let package = Package(
    name: "swarm",
    dependencies: coreOnly ? coreDependencies : coreDependencies + shellDependencies,
    targets: coreOnly ? core : core + drivers + shells,
    swiftLanguageModes: [.v6]
)
