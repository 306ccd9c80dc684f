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
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// A target depends only on targets above it.
let core: [Target] = [
    module("Primitives"),
    tests("Primitives"),
    module("ClusterModel", ["Primitives"]),
    module("ClusterState", ["Primitives", "ClusterModel", hashTrees]),
    tests("ClusterState", ["Primitives", "ClusterModel"]),
]

let drivers: [Target] = [
    module("DockerSchema", ["Primitives", "ClusterModel"]),
    tests("DockerSchema", ["Primitives", "ClusterModel"]),
    module(
        "EngineAPI",
        ["Primitives", "ClusterModel", "ClusterState", "DockerSchema", hummingbird, httpTypes, nioCore, logging]),
    .target(
        name: "EngineFakes", dependencies: ["Primitives", "ClusterModel", "ClusterState", "EngineAPI", nioCore, logging],
        path: "Tests/EngineFakes", swiftSettings: settings),
    tests("EngineAPI", ["Primitives", "ClusterModel", "ClusterState", "DockerSchema", "EngineFakes", asyncHTTPClient, nioCore, nioHTTP1]),
    module("SwarmCommands", ["Primitives", "DockerSchema", argumentParser, asyncHTTPClient, nioCore, nioHTTP1]),
]

let shells: [Target] = [
    program("swarmctl", ["SwarmCommands"]),
    tests("SwarmCommands", ["Primitives", "DockerSchema", "EngineAPI", "EngineFakes", "swarmctl", argumentParser]),
]

let coreDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0", traits: []),
]

let shellDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
]

let package = Package(
    name: "swarm",
    dependencies: coreOnly ? coreDependencies : coreDependencies + shellDependencies,
    targets: coreOnly ? core : core + drivers + shells,
    swiftLanguageModes: [.v6]
)
