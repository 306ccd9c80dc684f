import FoundationEssentials
public import Primitives

/// What an image says about how to run it (OCI image spec, config.md).
public struct ImageConfig: Hashable, Sendable {
    /// How a container says whether it is healthy; durations left out are nil.
    public struct Healthcheck: Hashable, Sendable {
        /// `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]` or empty for inherited.
        public var test: [String]
        public var interval: Duration?
        public var timeout: Duration?
        public var startPeriod: Duration?
        public var startInterval: Duration?
        public var retries: Int?
    }

    public struct HistoryEntry: Hashable, Sendable {
        public var created: Timestamp?
        public var createdBy: String
        public var comment: String
        /// It changed the configuration only.
        public var isEmptyLayer: Bool
    }

    public var platform = ImagePlatform.host
    public var created: Timestamp?
    public var author = ""
    public var user = ""
    public var workingDirectory = ""
    /// `NAME=value`, in the image's order.
    public var environment: [String] = []
    public var entrypoint: [String] = []
    public var command: [String] = []
    /// `SIGTERM`, `15`, or empty.
    public var stopSignal = ""
    /// `80/tcp`, sorted.
    public var exposedPorts: [String] = []
    /// Mount points, sorted.
    public var volumes: [String] = []
    public var labels: [String: String] = [:]
    public var healthcheck: Healthcheck?
    /// The layers' digests before compression, lowest first.
    public var diffIDs: [ContentDigest] = []
    public var history: [HistoryEntry] = []

    public init() {}

    /// Decodes a config blob.
    public init(decoding bytes: [UInt8]) throws(Failure) {
        do {
            self.init(try JSONDecoder().decode(ConfigDocument.self, from: Data(bytes)))
        } catch {
            throw Failure(.invalidArgument, "the image's configuration cannot be read", cause: DecodeProblem(error))
        }
    }

    /// The config blob, the same bytes for the same value.
    func encoded() throws -> [UInt8] { try canonicalJSON(ConfigDocument(self)) }
}

/// The JSON form. Docker writes null for what is empty, so all is optional.
private struct ConfigDocument: Codable {
    struct Empty: Codable {}

    struct Healthcheck: Codable {
        var test: [String]?
        var interval: Int64?
        var timeout: Int64?
        var startPeriod: Int64?
        var startInterval: Int64?
        var retries: Int?

        enum CodingKeys: String, CodingKey {
            case test = "Test"
            case interval = "Interval"
            case timeout = "Timeout"
            case startPeriod = "StartPeriod"
            case startInterval = "StartInterval"
            case retries = "Retries"
        }
    }

    struct Execution: Codable {
        var user: String?
        var exposedPorts: [String: Empty]?
        var env: [String]?
        var entrypoint: [String]?
        var cmd: [String]?
        var volumes: [String: Empty]?
        var workingDir: String?
        var labels: [String: String]?
        var stopSignal: String?
        var healthcheck: Healthcheck?

        enum CodingKeys: String, CodingKey {
            case user = "User"
            case exposedPorts = "ExposedPorts"
            case env = "Env"
            case entrypoint = "Entrypoint"
            case cmd = "Cmd"
            case volumes = "Volumes"
            case workingDir = "WorkingDir"
            case labels = "Labels"
            case stopSignal = "StopSignal"
            case healthcheck = "Healthcheck"
        }
    }

    struct RootFS: Codable {
        var type: String
        var diffIDs: [ContentDigest]?

        enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }
    }

    struct History: Codable {
        var created: String?
        var createdBy: String?
        var comment: String?
        var emptyLayer: Bool?

        enum CodingKeys: String, CodingKey {
            case created, comment
            case createdBy = "created_by"
            case emptyLayer = "empty_layer"
        }
    }

    var architecture: String?
    var os: String?
    var variant: String?
    var created: String?
    var author: String?
    var config: Execution?
    var rootfs: RootFS
    var history: [History]?
}

extension ImageConfig {
    fileprivate init(_ document: ConfigDocument) {
        platform = ImagePlatform(
            architecture: document.architecture ?? ImagePlatform.host.architecture, os: document.os ?? "linux",
            variant: document.variant)
        created = document.created.flatMap(Timestamp.init(rfc3339:))
        author = document.author ?? ""
        diffIDs = document.rootfs.diffIDs ?? []
        history = (document.history ?? []).map { entry in
            HistoryEntry(
                created: entry.created.flatMap(Timestamp.init(rfc3339:)), createdBy: entry.createdBy ?? "",
                comment: entry.comment ?? "", isEmptyLayer: entry.emptyLayer ?? false)
        }
        guard let config = document.config else { return }
        user = config.user ?? ""
        workingDirectory = config.workingDir ?? ""
        environment = config.env ?? []
        entrypoint = config.entrypoint ?? []
        command = config.cmd ?? []
        stopSignal = config.stopSignal ?? ""
        exposedPorts = (config.exposedPorts ?? [:]).keys.sorted()
        volumes = (config.volumes ?? [:]).keys.sorted()
        labels = config.labels ?? [:]
        healthcheck = config.healthcheck.map { check in
            func duration(_ nanoseconds: Int64?) -> Duration? {
                nanoseconds.flatMap { $0 > 0 ? .nanoseconds($0) : nil }
            }
            return Healthcheck(
                test: check.test ?? [], interval: duration(check.interval), timeout: duration(check.timeout),
                startPeriod: duration(check.startPeriod), startInterval: duration(check.startInterval),
                retries: check.retries.flatMap { $0 > 0 ? $0 : nil })
        }
    }
}

extension ConfigDocument {
    fileprivate init(_ config: ImageConfig) {
        func unlessEmpty<C: Collection>(_ value: C) -> C? { value.isEmpty ? nil : value }
        func set(_ names: [String]) -> [String: Empty]? {
            names.isEmpty ? nil : Dictionary(names.map { ($0, Empty()) }, uniquingKeysWith: { first, _ in first })
        }
        architecture = config.platform.architecture
        os = config.platform.os
        variant = config.platform.variant
        created = config.created?.rfc3339
        author = unlessEmpty(config.author)
        rootfs = RootFS(type: "layers", diffIDs: config.diffIDs)
        history = unlessEmpty(
            config.history.map { entry in
                History(
                    created: entry.created?.rfc3339, createdBy: unlessEmpty(entry.createdBy),
                    comment: unlessEmpty(entry.comment), emptyLayer: entry.isEmptyLayer ? true : nil)
            })
        let check = config.healthcheck.map { check in
            Healthcheck(
                test: unlessEmpty(check.test), interval: check.interval?.wholeNanoseconds,
                timeout: check.timeout?.wholeNanoseconds, startPeriod: check.startPeriod?.wholeNanoseconds,
                startInterval: check.startInterval?.wholeNanoseconds, retries: check.retries)
        }
        self.config = Execution(
            user: unlessEmpty(config.user), exposedPorts: set(config.exposedPorts),
            env: unlessEmpty(config.environment),
            entrypoint: unlessEmpty(config.entrypoint), cmd: unlessEmpty(config.command), volumes: set(config.volumes),
            workingDir: unlessEmpty(config.workingDirectory), labels: unlessEmpty(config.labels),
            stopSignal: unlessEmpty(config.stopSignal), healthcheck: check)
    }
}
