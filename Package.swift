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

// A target depends only on targets above it.
let core: [Target] = [
    module("Primitives"),
    tests("Primitives"),
    module("ClusterModel", ["Primitives"]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    module("OverlayProtocol", ["Primitives", "ClusterModel", "CSodium"]),
    tests("OverlayProtocol", ["Primitives", "ClusterModel"]),
]

let drivers: [Target] = [
    .target(name: "CLinux"),
    module("OverlayDataplane", ["Primitives", "ClusterModel", "OverlayProtocol", "CLinux"]),
    program("overlay-bench", ["Primitives", "ClusterModel", "OverlayProtocol", "OverlayDataplane", "CLinux"]),
    tests(
        "OverlayDataplane", ["Primitives", "ClusterModel", "OverlayProtocol", "overlay-bench"],
        resources: [.copy("pair.sh")]),
]

let shells: [Target] = [
]

let coreDependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0", traits: []),
]

let package = Package(
    name: "swarm",
    dependencies: coreDependencies,
    targets: coreOnly ? core : core + drivers + shells,
    swiftLanguageModes: [.v6]
)
