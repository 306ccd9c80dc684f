// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct ImageSummary: Codable, Hashable, Sendable {
        public var Id: String
        public var ParentId: String
        public var RepoTags: [String]
        public var RepoDigests: [String]
        /// Seconds since 1970.
        public var Created: Int64
        public var Size: Int64
        public var SharedSize: Int64
        public var Containers: Int64
        public var Labels: [String: String]?

        public init(
            Id: String, RepoTags: [String], RepoDigests: [String], Created: Int64, Size: Int64,
            Labels: [String: String]?
        ) {
            self.Id = Id
            ParentId = ""
            self.RepoTags = RepoTags
            self.RepoDigests = RepoDigests
            self.Created = Created
            self.Size = Size
            SharedSize = -1
            Containers = -1
            self.Labels = Labels
        }
    }

    public struct Image: Codable, Hashable, Sendable {
        public var Id: String
        public var RepoTags: [String]
        public var RepoDigests: [String]
        public var Created: String
        public var Architecture: String
        public var Os: String
        public var Size: Int64
        public var Config: ImageConfig
        public var RootFS: RootFS

        public init(
            Id: String, RepoTags: [String], RepoDigests: [String], Created: String, Architecture: String, Os: String,
            Size: Int64, Config: ImageConfig, RootFS: RootFS
        ) {
            self.Id = Id
            self.RepoTags = RepoTags
            self.RepoDigests = RepoDigests
            self.Created = Created
            self.Architecture = Architecture
            self.Os = Os
            self.Size = Size
            self.Config = Config
            self.RootFS = RootFS
        }
    }

    public struct ImageConfig: Codable, Hashable, Sendable {
        public var User: String?
        public var Env: [String]?
        public var Entrypoint: [String]?
        public var Cmd: [String]?
        public var WorkingDir: String?
        public var Labels: [String: String]?
        public var StopSignal: String?
        public var Healthcheck: HealthConfig?
        public var ExposedPorts: [String: Empty]?
        public var Volumes: [String: Empty]?
        public init() {}
    }

    public struct RootFS: Codable, Hashable, Sendable {
        public var layerType: String
        public var Layers: [String]
        public init(Layers: [String]) {
            layerType = "layers"
            self.Layers = Layers
        }

        private enum CodingKeys: String, CodingKey {
            case layerType = "Type"
            case Layers
        }
    }

    /// What a removal did; one of both.
    public struct ImageDeleted: Codable, Hashable, Sendable {
        public var Untagged: String?
        public var Deleted: String?
        public init(Untagged: String? = nil, Deleted: String? = nil) {
            self.Untagged = Untagged
            self.Deleted = Deleted
        }
    }

    /// A line of a pull's, push's or load's progress.
    public struct Progress: Codable, Hashable, Sendable {
        public var id: String?
        public var status: String?
        public var stream: String?
        public var progressDetail: ProgressDetail?
        public var errorDetail: ErrorBody?
        public var error: String?
        public init(id: String? = nil, status: String? = nil, progressDetail: ProgressDetail? = nil) {
            self.id = id
            self.status = status
            self.progressDetail = progressDetail
        }

        public init(error: String) {
            self.error = error
            errorDetail = ErrorBody(message: error)
        }

        public init(stream: String) { self.stream = stream }
    }

    public struct ProgressDetail: Codable, Hashable, Sendable {
        public var current: Int64?
        public var total: Int64?
        public init(current: Int64? = nil, total: Int64? = nil) {
            self.current = current
            self.total = total
        }
    }

    public struct Distribution: Codable, Hashable, Sendable {
        public var Descriptor: Descriptor
        public var Platforms: [DistributionPlatform]
        public init(Descriptor: Descriptor, Platforms: [DistributionPlatform]) {
            self.Descriptor = Descriptor
            self.Platforms = Platforms
        }
    }

    /// An account at a registry, as `POST /auth` takes it.
    public struct AuthConfig: Codable, Hashable, Sendable {
        public var username: String?
        public var password: String?
        public var auth: String?
        public var email: String?
        public var serveraddress: String?
        public var identitytoken: String?
        public var registrytoken: String?
        public init() {}
    }

    public struct AuthStatus: Codable, Hashable, Sendable {
        public var Status: String
        public var IdentityToken: String
        public init(Status: String, IdentityToken: String) {
            self.Status = Status
            self.IdentityToken = IdentityToken
        }
    }

    public struct Descriptor: Codable, Hashable, Sendable {
        public var mediaType: String
        public var digest: String
        public var size: Int64
        public init(mediaType: String, digest: String, size: Int64) {
            self.mediaType = mediaType
            self.digest = digest
            self.size = size
        }
    }

    public struct DistributionPlatform: Codable, Hashable, Sendable {
        public var architecture: String
        public var os: String
        public init(architecture: String, os: String) {
            self.architecture = architecture
            self.os = os
        }
    }

    public struct Volume: Codable, Hashable, Sendable {
        public var Name: String
        public var Driver: String
        public var Mountpoint: String
        public var CreatedAt: String?
        public var Labels: [String: String]?
        public var Scope: String
        public var Options: [String: String]?
        public init(Name: String, Mountpoint: String, CreatedAt: String?, Labels: [String: String]?) {
            self.Name = Name
            Driver = "local"
            self.Mountpoint = Mountpoint
            self.CreatedAt = CreatedAt
            self.Labels = Labels
            Scope = "local"
        }
    }

    public struct VolumeList: Codable, Hashable, Sendable {
        public var Volumes: [Volume]
        public var Warnings: [String]?
        public init(Volumes: [Volume]) { self.Volumes = Volumes }
    }

    public struct VolumeCreate: Codable, Hashable, Sendable {
        public var Name: String?
        public var Driver: String?
        public var DriverOpts: [String: String]?
        public var Labels: [String: String]?
        public init(Name: String? = nil, Labels: [String: String]? = nil) {
            self.Name = Name
            self.Labels = Labels
        }
    }

    public struct ContainerSummary: Codable, Hashable, Sendable {
        public var Id: String
        public var Names: [String]
        public var Image: String
        public var ImageID: String
        public var Command: String
        /// Seconds since 1970.
        public var Created: Int64
        public var State: String
        public var Status: String
        public var Labels: [String: String]
        public var Ports: [Empty]
        public init(
            Id: String, Names: [String], Image: String, ImageID: String, Command: String, Created: Int64,
            State: String, Status: String, Labels: [String: String]
        ) {
            self.Id = Id
            self.Names = Names
            self.Image = Image
            self.ImageID = ImageID
            self.Command = Command
            self.Created = Created
            self.State = State
            self.Status = Status
            self.Labels = Labels
            Ports = []
        }
    }
}
