public import ClusterModel
import ClusterState
import Primitives

/// Chooses numbers for published ports and finds out who has them.
public enum PublishedPorts {
    /// Who publishes what in the cluster.
    struct Book {
        private struct Key: Hashable {
            var port: UInt16
            var `protocol`: PortProtocol
        }
        private struct Owner {
            var service: ServiceID
            var name: String
            var mode: PublishMode
        }

        private var owners: [Key: [Owner]] = [:]

        init(_ services: [Service]) {
            for service in services { add(service.ports, of: service) }
        }

        mutating func add(_ ports: [PortConfig], of service: Service) {
            for port in ports where port.publishedPort != 0 {
                let owner = Owner(service: service.id, name: service.spec.name, mode: port.mode)
                owners[Key(port: port.publishedPort, protocol: port.protocol), default: []].append(owner)
            }
        }

        mutating func remove(_ service: ServiceID) {
            for key in Array(owners.keys) { owners[key]?.removeAll { $0.service == service } }
        }

        /// What is wrong with a port for a service, nil when it may have it.
        ///
        /// Host ports of two services may be equal: they run on different nodes then.
        func conflict(of port: PortConfig, for service: ServiceID?) -> String? {
            let others = (owners[Key(port: port.publishedPort, protocol: port.protocol)] ?? [])
                .filter { $0.service != service }
            guard let owner = others.first(where: { $0.mode == .ingress || port.mode == .ingress }) else { return nil }
            let suffix = owner.mode == .host ? " as a host-published port" : ""
            return "port '\(port.publishedPort)' is already in use by service '\(owner.name)' (\(owner.service))"
                + suffix
        }

        func isFree(_ number: UInt16, _ protocol: PortProtocol) -> Bool {
            owners[Key(port: number, protocol: `protocol`)]?.isEmpty ?? true
        }
    }

    /// The service's ports with numbers: those asked for, those it had, and free ones.
    static func choose(for service: Service, in book: Book) throws(Failure) -> [PortConfig] {
        var chosen: [PortConfig] = []
        var previous = service.ports
        for asked in service.spec.ports {
            var port = asked
            if asked.publishedPort == 0 {
                if let index = previous.firstIndex(where: { isChoice($0, for: asked) }) {
                    port = previous.remove(at: index)
                } else {
                    port.publishedPort = try free(asked.protocol, chosen, book)
                }
            }
            if let conflict = book.conflict(of: port, for: service.id) { throw Failure(.failedPrecondition, conflict) }
            chosen.append(port)
        }
        return chosen
    }

    private static func free(_ protocol: PortProtocol, _ chosen: [PortConfig], _ book: Book) throws(Failure) -> UInt16 {
        let range = OrchestrationLimits.dynamicPorts
        let number = range.first { number in
            book.isFree(number, `protocol`)
                && !chosen.contains { $0.publishedPort == number && $0.protocol == `protocol` }
        }
        guard let number else {
            throw Failure(
                .resourceExhausted,
                "no port from \(range.lowerBound) to \(range.upperBound) is free: publish on a port of your choice")
        }
        return number
    }

    /// Whether the ports are what was asked for, with any number where none was given.
    public static func isChoice(_ ports: [PortConfig], for asked: [PortConfig]) -> Bool {
        ports.count == asked.count && zip(ports, asked).allSatisfy { isChoice($0, for: $1) }
    }

    private static func isChoice(_ port: PortConfig, for asked: PortConfig) -> Bool {
        var asked = asked
        if port.publishedPort == 0 { return false }
        if asked.publishedPort == 0 { asked.publishedPort = port.publishedPort }
        return port == asked
    }
}
