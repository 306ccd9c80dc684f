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
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

// A target depends only on targets above it.
let core: [Target] = [
    module("Primitives"),
    tests("Primitives"),
    module("ClusterModel", ["Primitives"]),
]

let drivers: [Target] = [
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    module("ImageStore", ["Primitives", "CArchive", asyncHTTPClient, crypto, nioCore, nioPosix, nioHTTP1, nioSSL]),
    tests("ImageStore", ["Primitives", "CArchive", nioCore, nioHTTP1, nioPosix]),
]

let shells: [Target] = [
]

let coreDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0", traits: []),
]

let shellDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
    .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
]

let package = Package(
    name: "swarm",
    dependencies: coreOnly ? coreDependencies : coreDependencies + shellDependencies,
    targets: coreOnly ? core : core + drivers + shells,
    swiftLanguageModes: [.v6]
)
