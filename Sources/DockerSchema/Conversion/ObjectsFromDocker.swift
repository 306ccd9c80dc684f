public import ClusterModel
public import Primitives

extension ClusterModel.NodeSpec {
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field.
    public init(_ docker: Docker.NodeSpec) throws(Failure) {
        guard docker.Role?.isEmpty == false else { throw Failure(.invalidArgument, "Role is missing") }
        guard docker.Availability?.isEmpty == false else {
            throw Failure(.invalidArgument, "Availability is missing")
        }
        self.init(
            labels: docker.Labels ?? [:],
            role: try NodeRole(dockerName: docker.Role, default: .worker, field: "Role"),
            availability: try NodeAvailability(
                dockerName: docker.Availability, default: .active, field: "Availability"))
    }
}

extension ClusterModel.ClusterSpec {
    /// What the request leaves out stays as it is.
    ///
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field.
    public mutating func merge(_ docker: Docker.SwarmSpec) throws(Failure) {
        if let name = docker.Name?.nonEmpty, name != "default" {
            throw Failure(.invalidArgument, "Name: a cluster's name is \"default\" and cannot be changed")
        }
        labels = docker.Labels ?? labels
        taskHistoryLimit = docker.Orchestration?.TaskHistoryRetentionLimit ?? taskHistoryLimit
        // Clients write 0 for: the default.
        if let period = docker.Dispatcher?.HeartbeatPeriod?.nonZero {
            heartbeatPeriod = try Field.duration(period, default: heartbeatPeriod, "Dispatcher.HeartbeatPeriod")
        }
        forceRotate = docker.CAConfig?.ForceRotate?.nonZero ?? forceRotate
        if let validity = docker.CAConfig?.NodeCertExpiry?.nonZero {
            certificateValidity = try Field.duration(
                validity, default: certificateValidity, "CAConfig.NodeCertExpiry")
            guard certificateValidity >= .seconds(3600) else {
                throw Failure(.invalidArgument, "CAConfig.NodeCertExpiry: at least one hour is needed")
            }
        }
    }
}

extension ClusterModel.NetworkSpec {
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field.
    public init(_ docker: Docker.NetworkCreate, warnings: inout [String]) throws(Failure) {
        if let driver = docker.Driver?.nonEmpty, driver != "overlay" {
            throw Failure(.invalidArgument, "Driver: \"\(driver)\" is not supported; use overlay")
        }
        if docker.Scope?.nonEmpty.map({ $0 != "swarm" }) == true {
            throw Failure(.invalidArgument, "Scope: \"\(docker.Scope ?? "")\" is not swarm")
        }
        if docker.EnableIPv6 == true { warnings.append("EnableIPv6 is not supported and was ignored") }
        let configs = docker.IPAM?.Config ?? []
        guard configs.count <= 1 else {
            throw Failure(.invalidArgument, "IPAM.Config: one subnet at most, \(configs.count) given")
        }
        let subnet = try configs.first?.Subnet?.nonEmpty.map { text throws(Failure) in
            guard let subnet = IPv4Network(text) else {
                throw Failure(.invalidArgument, "IPAM.Config[0].Subnet: \"\(text)\" is not an IPv4 network")
            }
            return subnet
        }
        let gateway = try configs.first?.Gateway?.nonEmpty.map { text throws(Failure) in
            guard let gateway = IPv4Address(text), subnet?.contains(gateway) == true else {
                throw Failure(.invalidArgument, "IPAM.Config[0].Gateway: \"\(text)\" is not an address of the subnet")
            }
            return gateway
        }
        self.init(
            name: docker.Name ?? "", labels: docker.Labels ?? [:], subnet: subnet, gateway: gateway,
            isInternal: docker.Internal ?? false, isAttachable: docker.Attachable ?? false,
            isIngress: docker.Ingress ?? false, driverOptions: docker.Options ?? [:])
    }
}

extension Docker.PayloadSpec {
    /// The decoded bytes.
    ///
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field.
    public func bytes() throws(Failure) -> [UInt8] {
        guard let bytes = DockerJSON.bytes(base64: Data ?? "") else {
            throw Failure(.invalidArgument, "Data: not base64")
        }
        return bytes
    }
}
